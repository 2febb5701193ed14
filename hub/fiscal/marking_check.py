"""What registers and the marking system answer about a code, and the check before sale ("permissive mode").

Source: fiscal-domain §10; numbers of 2105 and 2109 from the pages of the registers. A value that is not in the tables
is read by its bits or as unknown: it is never a reason to refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from hub.fiscal.codes import Kind, PlannedStatus
from hub.fiscal.details import IndustryProperty
from hub.fiscal.text import Text

_CHECKED, _POSITIVE, _STATUS_CHECKED, _STATUS_RIGHT, _AUTONOMOUS = 1, 2, 4, 8, 16


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Tag 2106 (or 2005, which has the same bits): what is known of a code after its check.

    ``sign`` is what is printed beside the goods: ``[M+]`` checked and right, ``[M-]`` wrong, ``[M]`` not known.
    """

    value: int
    checked: bool
    positive: bool
    status_checked: bool
    status_right: bool
    autonomous: bool

    @property
    def wrong(self) -> bool:
        """A check that was made and came out negative."""
        return (self.checked and not self.positive) or (self.status_checked and not self.status_right)

    @property
    def sign(self) -> str:
        if self.wrong:
            return "[M-]"
        whole = self.checked and self.positive and self.status_checked and self.status_right
        return "[M+]" if whole and not self.autonomous else "[M]"

    @property
    def words(self) -> Text:
        """The result in a sentence."""
        if self.checked and not self.positive:
            return _NEGATIVE
        if self.wrong:
            return _STATUS_WRONG
        if self.sign == "[M+]":
            return _GOOD
        if self.autonomous:
            return _OFFLINE
        return _LOCAL_ONLY if self.checked else _NOT_CHECKED


_NEGATIVE = Text("The code failed its check: it may be forged or misread. Scan it again; if it fails again, do not "
                 "sell this piece.",
                 "Код не прошёл проверку: он подделан или прочитан с ошибкой. Отсканируйте ещё раз; если снова не "
                 "пройдёт, не продавайте этот товар.",
                 "Код тексеруден өтпеді: ол жалған немесе қате оқылған. Қайта сканерлеңіз; тағы өтпесе, бұл тауарды "
                 "сатпаңыз.")
_STATUS_WRONG = Text("By the marking system this piece cannot be sold or returned now: it was sold already, or never "
                     "put on sale. Set it aside and check it in the marking system.",
                     "По данным системы маркировки этот товар сейчас нельзя продать или вернуть: он уже продан или не "
                     "введён в оборот. Отложите его и проверьте в системе маркировки.",
                     "Таңбалау жүйесінің дерегі бойынша бұл тауарды қазір сатуға не қайтаруға болмайды: ол сатылған "
                     "немесе айналымға енгізілмеген. Бөлек қойып, таңбалау жүйесінен тексеріңіз.")
_GOOD = Text("The code is right and the piece may be sold.", "Код верный, товар можно продавать.",
             "Код дұрыс, тауарды сатуға болады.")
_OFFLINE = Text("The register works on its own and did not ask the marking system. The sale may go on.",
                "Касса работает автономно и не спросила систему маркировки. Продавать можно.",
                "Касса дербес жұмыс істейді, таңбалау жүйесінен сұрамады. Сатуға болады.")
_LOCAL_ONLY = Text("The code is right; the marking system did not answer. The sale may go on.",
                   "Код верный; система маркировки не ответила. Продавать можно.",
                   "Код дұрыс; таңбалау жүйесі жауап бермеді. Сатуға болады.")
_NOT_CHECKED = Text("The code was not checked. The sale may go on.", "Код не проверен. Продавать можно.",
                    "Код тексерілмеді. Сатуға болады.")


def check_result(value: int) -> CheckResult:
    """Reads tag 2106; bits that are not in the reference are ignored."""
    return CheckResult(value, *(bool(value & bit) for bit in (_CHECKED, _POSITIVE, _STATUS_CHECKED, _STATUS_RIGHT,
                                                              _AUTONOMOUS)))


def request_result(value: int) -> CheckResult:
    """Reads tag 2005, the marking system's own result: the bits of 2106 [?]."""
    return check_result(value)


@dataclass(frozen=True, slots=True)
class LocalCheck:
    """Tag 2004 with the fiscal storage's reason: whether it could check the code, and what came out."""

    checked: bool
    positive: bool
    reason: Text | None = None


_REASONS = {
    1: Text("Codes of this type are not checked by the fiscal storage.",
            "Коды этого типа фискальный накопитель не проверяет.",
            "Мұндай түрдегі кодтарды фискалдық жинақтауыш тексермейді."),
    2: Text("The fiscal storage has no key for this code. Let the register update its marking keys.",
            "В фискальном накопителе нет ключа для этого кода. Дайте кассе обновить ключи маркировки.",
            "Фискалдық жинақтауышта бұл кодқа кілт жоқ. Кассаға таңбалау кілттерін жаңартуға мүмкіндік беріңіз."),
    3: Text("The verification part (91, 92) is missing or malformed. Scan the whole code with its separators.",
            "Нет кода проверки (91, 92), или он испорчен. Отсканируйте код целиком, с разделителями.",
            "Тексеру бөлігі (91, 92) жоқ немесе бұзылған. Кодты бөлгіштерімен бірге толық сканерлеңіз."),
}
_OTHER_REASON = Text("The fiscal storage could not check the code.", "Фискальный накопитель не смог проверить код.",
                     "Фискалдық жинақтауыш кодты тексере алмады.")


def local_check(value: int, reason: int = 0) -> LocalCheck:
    """Reads tag 2004 and the reason why no check was possible (0 none; an unknown one gets a general sentence)."""
    return LocalCheck(bool(value & _CHECKED), bool(value & _POSITIVE),
                      _REASONS.get(reason, _OTHER_REASON) if reason else None)


_REQUESTS = {
    0: Text("The request was understood.", "Запрос принят.", "Сұрау қабылданды."),
    1: Text("The marking system could not read the request. Update the register's firmware.",
            "Система маркировки не разобрала запрос. Обновите прошивку кассы.",
            "Таңбалау жүйесі сұрауды түсінбеді. Касса бағдарламасын жаңартыңыз."),
    2: Text("The marking system could not read the code. Scan it again with its separators.",
            "Система маркировки не разобрала код. Отсканируйте его ещё раз, с разделителями.",
            "Таңбалау жүйесі кодты түсінбеді. Оны бөлгіштерімен бірге қайта сканерлеңіз."),
}
_ANSWERS = {
    1: Text("The goods may get the planned status.", "Планируемый статус товара верен.",
            "Тауардың жоспарланған мәртебесі дұрыс."),
    2: Text("The goods cannot get the planned status: check whether it is a sale or a return.",
            "Планируемый статус товара неверен: проверьте, продажа это или возврат.",
            "Тауардың жоспарланған мәртебесі қате: бұл сату ма, қайтару ма, тексеріңіз."),
    3: Text("The turnover of these goods is suspended. Do not sell this piece.",
            "Оборот товара приостановлен. Не продавайте его.",
            "Тауар айналымы тоқтатылған. Оны сатпаңыз."),
}


def request_code(value: int) -> Text:
    """Tag 2105: how the request was taken; unknown numbers keep their number [?]."""
    return _REQUESTS.get(value) or _number("2105", value)


def oism_answer(value: int) -> Text:
    """Tag 2109: the marking system's answer about the planned status; unknown numbers keep their number [?]."""
    return _ANSWERS.get(value) or _number("2109", value)


def assigned_status(value: int) -> PlannedStatus | None:
    """Tag 2110: the status that the goods got, numbered as the planned one; None when the number is unknown [?]."""
    return PlannedStatus(value) if value in {one.value for one in PlannedStatus} else None


def _number(tag: str, value: int) -> Text:
    return Text("Answer {value} (tag {tag}) is not known to the hub.", "Ответ {value} (тег {tag}) хабу не известен.",
                "{value} жауабы ({tag} тегі) хабқа белгісіз.", {"value": value, "tag": tag})


# -- the check before sale ---------------------------------------------------------------------------------------------

#: The act that demands the check: 1262, 1263, 1264 of tag 1260.
_BODY, _DAY, _NUMBER = "030", date(2023, 11, 21), "1944"


def permissive(req_id: str, req_timestamp: int | str) -> IndustryProperty:
    """The trace of a check before sale for tag 1260 of a line; both values exactly as the service gave them."""
    return IndustryProperty(_BODY, _DAY, _NUMBER, f"UUID={req_id}&Time={req_timestamp}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the service says about one code. Flags are None when it does not say.

    ``may_go_on`` is whether the sale may; ``answered`` False means that the service is down, then it may (tag 1260 is
    left out). ``property`` is what to write into the receipt when it answered.
    """

    code: str
    answered: bool
    found: bool | None = None
    valid: bool | None = None
    sold: bool | None = None
    expired: bool | None = None
    blocked: bool | None = None
    may_go_on: bool = True
    words: Text = Text("-", "-")
    property: IndustryProperty | None = None


_DOWN = Text("The service that checks codes before sale does not answer. The sale may go on.",
             "Сервис проверки кодов перед продажей не отвечает. Продавать можно.",
             "Сатар алдындағы код тексеру қызметі жауап бермейді. Сатуға болады.")
_UNSAID = Text("The service that checks codes before sale says nothing about this code. The sale may go on.",
               "Сервис проверки кодов перед продажей ничего не сказал об этом коде. Продавать можно.",
               "Сатар алдындағы код тексеру қызметі бұл код туралы ештеңе айтпады. Сатуға болады.")
_MAY = Text("The code was checked before sale; the piece may be sold.", "Код проверен, товар можно продавать.",
            "Код тексерілді, тауарды сатуға болады.")
_REFUSALS = (
    ("found", False, Text("The marking system does not know this code. Scan it again; do not sell the piece if it "
                          "stays unknown.",
                          "Система маркировки не знает этот код. Отсканируйте ещё раз; если не найдётся, не "
                          "продавайте товар.",
                          "Таңбалау жүйесі бұл кодты білмейді. Қайта сканерлеңіз; табылмаса, тауарды сатпаңыз.")),
    ("valid", False, Text("The code's structure is wrong. Scan it again with its separators.",
                          "Структура кода неверна. Отсканируйте его ещё раз, с разделителями.",
                          "Код құрылымы қате. Оны бөлгіштерімен бірге қайта сканерлеңіз.")),
    ("blocked", True, Text("Sale of this piece is forbidden by an authority. Set it aside.",
                           "Продажа этого товара запрещена ведомством. Отложите его.",
                           "Бұл тауарды сатуға мекеме тыйым салған. Бөлек қойыңыз.")),
    ("expired", True, Text("The goods are past their date. Do not sell this piece.",
                           "Срок годности истёк. Не продавайте этот товар.",
                           "Жарамдылық мерзімі өткен. Бұл тауарды сатпаңыз.")),
    ("sold", True, Text("This piece was sold already. Take another one, or find the first sale.",
                        "Этот товар уже продан. Возьмите другой или найдите первую продажу.",
                        "Бұл тауар сатылып қойған. Басқасын алыңыз немесе алғашқы сатуды табыңыз.")),
)
#: The flags' names as they are met in the service's answers.
_NAMES = {"found": ("found",), "valid": ("valid",), "sold": ("sold",), "expired": ("expired", "isExpired"),
          "blocked": ("blocked", "isBlocked")}
#: Codes a single request may name; an answer with more is not read further.
_MOST_CODES = 1000


def permissive_verdict(answer: Any, code: str, kind: Kind = Kind.SALE, now: datetime | None = None) -> Verdict:
    """Reads the service's JSON (already decoded; None when there was no answer) about ``code``. Never raises.

    A return is not held up by ``sold`` or by a date. ``expireDate`` counts as expired when ``now`` is given and later.
    """
    if not isinstance(answer, Mapping) or answer.get("code", 0) not in (0, "0", None):
        return Verdict(code, False, words=_DOWN)
    row = _row(answer.get("codes"), code)
    trace = _trace(answer)
    if row is None:
        return Verdict(code, bool(trace), words=_UNSAID if trace else _DOWN, property=trace)
    flags = {name: next((flag for one in names if (flag := _flag(row.get(one))) is not None), None)
             for name, names in _NAMES.items()}
    if flags["expired"] is None and now is not None:
        flags["expired"] = _past(row.get("expireDate"), now)
    said = Verdict(code, True, flags["found"], flags["valid"], flags["sold"], flags["expired"], flags["blocked"],
                   words=_MAY, property=trace)
    for name, bad, words in _REFUSALS:
        if flags[name] is bad and not (kind is not Kind.SALE and name in ("sold", "expired")):
            return replace(said, may_go_on=False, words=words)
    return said


def _row(rows: Any, code: str) -> Mapping[str, Any] | None:
    """The answer's row about ``code``: by its text, or the only one there is."""
    if not isinstance(rows, list):
        return None
    some = [one for one in rows[:_MOST_CODES] if isinstance(one, Mapping)]
    for one in some:
        if code in (one.get("cis"), one.get("code"), one.get("requestedCis")):
            return one
    return some[0] if len(some) == 1 else None


def _trace(answer: Mapping[str, Any]) -> IndustryProperty | None:
    """Tag 1260 from the request's id and time; None when the answer lacks either, or it would not fit 256 bytes."""
    request, time = answer.get("reqId"), answer.get("reqTimestamp")
    if not isinstance(request, str) or not request or isinstance(time, bool) or not isinstance(time, int | str):
        return None
    found = permissive(request, time)
    return found if time != "" and len(found.value) <= 256 and found.value.isascii() else None


def _flag(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False, "1": True, "0": False}.get(value.strip().lower())
    return bool(value) if isinstance(value, bool | int) else None


def _past(value: Any, now: datetime) -> bool | None:
    if not isinstance(value, str):
        return None
    try:
        end = datetime.fromisoformat(value)
    except ValueError:
        return None
    # Dates of goods come with and without a zone; then the day decides.
    return end < now if (end.tzinfo is None) == (now.tzinfo is None) else end.date() < now.date()


__all__ = ["CheckResult", "LocalCheck", "Verdict", "assigned_status", "check_result", "local_check", "oism_answer",
           "permissive", "permissive_verdict", "request_code", "request_result"]
