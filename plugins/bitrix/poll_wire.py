"""The poll protocol on the wire: names of checks, request bodies, answers, results (bitrix-site §2.1-§2.8)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub_plugins.bitrix import wire

from hub.contracts import NeedsAttention, ReceiptView, Reply, TryLater
from hub.fiscal import FiscalRecord, Money, NotANumber, Text, decimal

#: Codes that end a check on the site at once (§2.7). All others are warnings: it counts them and waits for more.
NO_PAPER, WRONG_SUM, WRONG_QUANTITY, ZERO_PRICE, WRONG_PAYMENT, OVER_TOTAL, NOT_PAID = (
    -3807, -3803, -3804, -3805, -3816, -3896, -3897)
FATAL = frozenset({-3800, WRONG_SUM, WRONG_QUANTITY, ZERO_PRICE, NO_PAPER, WRONG_PAYMENT, OVER_TOTAL, NOT_PAID, -4026})
#: Our rules -> the fatal code that says nearly the same; everything else is "wrong price or sum", whose message the
#: site's manager reads.
_CODES = {"quantity_not_positive": WRONG_QUANTITY, "nothing_to_pay": ZERO_PRICE, "price_negative": ZERO_PRICE,
          "no_payments": NOT_PAID, "cashless_over_total": OVER_TOTAL, "value_unknown": WRONG_PAYMENT}
assert set(_CODES.values()) <= FATAL, "a failure must end the check, not be a warning that starves it"

CHECK, REPORT = "check", "report"
_DIGITS = re.compile(r"[0-9]{1,18}")
_HOST = re.compile(r"[^|\s]{1,255}")

NOT_JSON = Text(
    "The site answered with a page instead of JSON (status {status}). Look into the site's error log: usually another "
    "module prints something on every page.",
    "Сайт ответил страницей вместо JSON (код {status}). Посмотрите журнал ошибок сайта: обычно это другой модуль "
    "выводит что-то на каждой странице.")
WRONG_HASH = Text(
    "The site does not know this address any more: its connection was deleted or switched off. Make a new one on the "
    "site (Shop, Cash registers, connect a register) and put it here.",
    "Сайт больше не знает этого адреса: подключение удалили или выключили. Создайте новое на сайте (Магазин → Кассы "
    "ККМ → Подключить ККМ) и впишите адрес сюда.")
MOVED = Text("The site redirects this address, usually from http to https or to another name. Put the final address "
             "here.",
             "Сайт перенаправляет этот адрес, обычно с http на https или на другое имя. Впишите конечный адрес.")
NO_PAGE = Text("The site has no such page (status {status}): the address is wrong, or the shop is not installed.",
               "На сайте нет такой страницы (код {status}): адрес неверен или модуль магазина не установлен.")


@dataclass(frozen=True, slots=True)
class Name:
    """A check or Z-report of the site. The host and time in its uuid change from hand-out to hand-out (§2.6)."""

    kind: str
    number: str

    @property
    def id(self) -> str:
        return f"{self.kind}|{self.number}"

    @classmethod
    def of(cls, uuid: object) -> Name | None:
        """From ``check|host|id`` with or without ``|time``; None for anything else."""
        parts = str(uuid).split("|")
        if len(parts) < 3 or parts[0] not in (CHECK, REPORT) or not _DIGITS.fullmatch(parts[2]):
            return None
        return cls(parts[0], str(int(parts[2])))


@dataclass(frozen=True, slots=True)
class Handed:
    """What an answer held: acknowledged uuids, receipts to print and Z-reports asked for, each raw."""

    acknowledged: frozenset[str] = frozenset()
    receipts: tuple[dict[str, Any], ...] = ()
    reports: tuple[dict[str, Any], ...] = ()


class NotJson(ValueError):
    """The answer's body is not what the protocol promises."""


def handed(reply: Reply) -> Handed:
    """Reads an answer of status 200. Numbers stay text, so that no sum passes through a binary fraction. Raises
    NotJson for HTML, half a JSON, or JSON of another shape."""
    try:
        tree = json.loads(reply.body.decode("utf-8-sig"), parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as problem:
        raise NotJson(str(problem)) from problem
    if tree == []:
        return Handed()  # PHP writes an empty map so
    if not isinstance(tree, dict):
        raise NotJson("not an object")
    ack = tree.get("ack")
    names = [Name.of(one) for one in _rows(ack)]
    return Handed(frozenset(one.id for one in names if one is not None), tuple(_maps(tree.get("print"))),
                  tuple(_maps(tree.get("reports"))))


def good(reply: Reply) -> Reply:
    """Raises what the owner or time can mend (§2.1)."""
    if reply.status == 403:
        raise NeedsAttention(WRONG_HASH, field="poll_url", code="403")
    if 300 <= reply.status < 400:
        raise NeedsAttention(MOVED, field="poll_url", code=str(reply.status))
    if reply.status in (404, 405, 410):
        raise NeedsAttention(NO_PAGE.with_(status=reply.status), field="poll_url", code=str(reply.status))
    if reply.status != 200:
        raise TryLater(NOT_JSON.with_(status=reply.status))
    return reply


def _rows(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _maps(value: Any) -> Iterable[dict[str, Any]]:
    return (one for one in _rows(value) if isinstance(one, dict))


def name_of(receipt: Mapping[str, Any]) -> tuple[Name | None, str]:
    """(which check, the uuid as received). V2 and V3 call it external_id, V1 uuid (§2.2)."""
    raw = str(receipt.get("external_id") or receipt.get("uuid") or "")
    return Name.of(raw), raw


# -- identity ----------------------------------------------------------------------------------------------------


def returns(receipt: Mapping[str, Any]) -> bool:
    """Whether money goes back: ``sellReturn``, in V1 type 2."""
    return str(receipt.get("type")) in ("sellReturn", "2")


def total_of(receipt: Mapping[str, Any]) -> str:
    """The check's sum as text: ``total``, in V1 what was paid. An empty text when it cannot be read."""
    stated = receipt.get("total")
    try:
        if stated is not None:
            return format(decimal(str(stated)[:40]).normalize(), "f")
        paid = [decimal(str(one.get("value", ""))[:40]) for one in _maps(receipt.get("payments"))]
        return format(sum(paid, decimal("0")).normalize(), "f")
    except NotANumber:
        return ""


def keys(name: Name, receipt: Mapping[str, Any]) -> tuple[str, ...]:
    """The source keys that this check may have, the usual one first.

    Its own key is made of its number, its sum and whether money goes back: a site restored from a backup gives the
    same numbers to other checks, and a repeat is built anew from the order, so nothing else may count (§2.6). The
    others are the keys under which the REST way knows the same check, which says more about its type: a check that
    the site moved from one register to the other (§6.8), or an owner who changed the way, must not print it twice.
    """
    back = returns(receipt)
    types = ["sellreturn", "sellreturncash"] if back else ["sell"]
    for stem in ("advance", "prepayment", "fullprepayment", "credit", "creditpayment"):
        types += [f"{stem}return", f"{stem}returncash"] if back else [
            "advancepayment" if stem == "advance" else stem]
    total = total_of(receipt)
    return tuple(wire.CheckId.of({"unique_id": name.number, "type": one, "total_sum": total}).key for one in types)


def bare(receipt: Mapping[str, Any]) -> dict[str, Any]:
    """The receipt without what changes from hand-out to hand-out: two hand-outs of one check are then equal."""
    return {name: value for name, value in receipt.items() if name not in ("external_id", "uuid", "timestamp")}


def digest(receipt: Mapping[str, Any]) -> str:
    """A fingerprint of what is to be printed."""
    return hashlib.sha256(json.dumps(bare(receipt), sort_keys=True).encode()).hexdigest()[:16]


def content(receipt: Mapping[str, Any]) -> str:
    """:func:`digest`, whichever register is named: the site moves a check from one to another (§2.6)."""
    return digest({**receipt, "zn": ""})


# -- results -----------------------------------------------------------------------------------------------------


def qr(record: FiscalRecord) -> str:
    """The one form of time that does not lose the whole poll: YYYYMMDDTHHMMSS (§2.2 [R]). The register's wall time,
    which is what the paper and the operator's links show."""
    return (f"t={record.printed_at:%Y%m%dT%H%M%S}&s={record.total.plain()}&fn={record.storage_number}"
            f"&i={record.document_number}&fp={record.fiscal_sign}&n={record.kind.value}")


def result(uuid: str, view: ReceiptView, *, without_qr: bool = False) -> dict[str, Any] | None:
    """An entry of ``printed``; None while a receipt has no end that the site should know.

    An error without a message would be taken for a success (§2.2), so there always is one.
    """
    if view.state in ("recorded", "confirmed") and view.record is not None:
        record = view.record
        return {"uuid": uuid, "code": 0, "message": "", "qr": "" if without_qr else qr(record),
                "rn": record.registration_number}
    words = wire.why_not(view)
    if not words:
        return None
    codes = [_CODES[one.code] for one in view.problems if one.code in _CODES]
    return {"uuid": uuid, "code": codes[0] if codes else WRONG_SUM, "message": words, "qr": ""}


@dataclass
class Sums:
    """What the receipts of a site's register came to, in minor units: of the shift, and ever. All that the hub can say
    of it."""

    cash: int = 0
    income: int = 0
    returned: int = 0
    ever: int = 0

    def add(self, record: FiscalRecord, cash: int) -> None:
        """One acknowledged receipt."""
        back = record.kind.is_return
        self.cash += -cash if back else cash
        self.income += 0 if back else record.total.amount
        self.returned += record.total.amount if back else 0
        self.ever += 0 if back else record.total.amount

    def close(self) -> None:
        """The shift is over: only what can never be reset stays."""
        self.cash = self.income = self.returned = 0


def figure(amount: int, currency: str) -> float:
    """A sum as the JSON number that the protocol wants; only here, on the wire, is it one."""
    return float(Money(amount, currency).plain())


def z_result(uuid: str, sums: Sums, currency: str) -> dict[str, Any]:
    """The answer to a Z-report that the site asked for (§2.8)."""
    return {"uuid": uuid, "code": 0, "qr": "", "payments_cache": figure(sums.cash, currency),
            "reg_income": figure(sums.income, currency), "reg_return": figure(sums.returned, currency),
            "nz_sum": figure(sums.ever, currency)}


@dataclass
class Till:
    """One register as the site knows it."""

    number: str
    storage: str
    status: str
    printed: list[dict[str, Any]] = field(default_factory=list)

    def view(self, sums: Sums, currency: str) -> dict[str, Any]:
        """Its entry of ``kkm``. The sums only matter for a register the site has never seen (§2.2), and go always."""
        entry: dict[str, Any] = {
            "zn": self.number, "fn": self.storage, "status": self.status, "cache": figure(sums.cash, currency),
            "reg_income": figure(sums.income, currency), "nz_sum": figure(sums.ever, currency)}
        return {**entry, "printed": self.printed} if self.printed else entry


def body(tills: Iterable[Till], sums: Callable[[str], Sums], currency: str, version: str) -> bytes:
    """The request; ``sums`` gives a register's. V1 is no api_version at all: any other word would mean the same, and
    a 2 or 3 makes the site rebuild its register (§2.3)."""
    request: dict[str, Any] = {"kkm": [till.view(sums(till.number), currency) for till in tills]}
    if version in ("2", "3"):
        request["api_version"] = version
    return json.dumps(request, ensure_ascii=False).encode()


def host_of(uuid: str, other: str) -> str:
    """The host in a uuid, for one that must be made up; the site does not look at it."""
    parts = uuid.split("|")
    return parts[1] if len(parts) > 2 and _HOST.fullmatch(parts[1]) else other
