"""What the source's page shows of a site, and what its buttons do (hub.contracts.Source.state and mend)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from hub_plugins.bitrix.book import Book, Entry
from hub_plugins.bitrix.cashbox import Cashbox
from hub_plugins.bitrix.poll_words import GIVEN_UP

from hub.contracts import Event, Finding, Report, SourceContext
from hub.fiscal import Text, verbatim

#: Empty questions in one run of the site's agent that leave no room for any other check (bitrix-site §3.3).
STARVING = 5
#: Orders that a person asked to read again; the next look takes them up.
AGAIN = "look_again"

SEEN = Text("I have seen it", "Я увидел")
_DELETED = Text("Deleted on the site, look again", "Удалил на сайте, проверить снова")
_READ = Text("Read the order again", "Прочитать заказ снова")
_TELL = Text("Tell the site again", "Сообщить сайту снова")

_STUCK = Text(
    "The site asks for checks without UUID ({times} times, last at {last}): an answer of PRINT_URL did not reach it "
    "whole. Nothing ends such a check. Delete them on the site: Shop → Cash registers → Checks, status “printing”.",
    "Сайт спрашивает о чеках без UUID (раз: {times}, последний — {last}): ответ на запрос печати не дошёл до него "
    "целиком. Сам такой чек не закончится. Удалите их на сайте: Магазин → Кассы ККМ → Чеки, состояние «печатается».")
_STARVING = Text(
    "Checks on the site wait behind dead ones: the site asks for five at a time, and all five have no UUID ({times} "
    "questions, last at {last}). The others get no answer that way. Delete the dead ones on the site: Shop → Cash "
    "registers → Checks, status “printing”.",
    "Чеки на сайте стоят за мёртвыми: сайт спрашивает по пять за раз, и у всех пяти нет UUID (вопросов: {times}, "
    "последний — {last}). До остальных очередь не доходит. Удалите мёртвые на сайте: Магазин → Кассы ККМ → Чеки, "
    "состояние «печатается».")
_GONE_CHECK = Text(
    "Check {number} of the site is empty: its order was deleted. Nothing was printed. Delete the check on the site; "
    "if money was taken, make a receipt for it.",
    "Чек {number} сайта пуст: его заказ удалён. Ничего не напечатано. Удалите чек на сайте; если деньги взяты, "
    "пробейте чек на них.")
_GONE_ORDER = Text(
    "Order {number} was deleted on the site, but it has receipts. If the money went back, make the return on the "
    "receipt's page here.",
    "Заказ {number} удалён на сайте, но чеки по нему есть. Если деньги вернули, сделайте возврат на странице чека "
    "здесь.")
_SUMS = Text("Order {number}: {why} The receipt waits until the order is corrected on the site.",
             "Заказ {number}: {why} Чек ждёт, пока заказ на сайте не исправят.")
_UNTOLD = Text(
    "The receipt of check {number} is printed, but the site has no such check under our UUID. If the site shows an "
    "error, press “print again” there: nothing is printed twice.",
    "Чек {number} напечатан, но на сайте нет чека с нашим UUID. Если на сайте он в ошибке, нажмите там «Напечатать "
    "повторно»: второй раз он не напечатается.")
_UNPAID = Text(
    "Order {number}: a payment with a receipt is no longer marked as paid, or a part of it went back. Mark the "
    "payment as returned on the site, or make the return on the receipt's page here.",
    "Заказ {number}: с оплаты, по которой есть чек, снята отметка, или возвращена её часть. Отметьте на сайте возврат "
    "оплаты или сделайте возврат на странице чека здесь.")
_TAKEN_BACK = Text(
    "Order {number}: goods with a receipt are no longer marked as shipped, or the order is cancelled, and no payment "
    "is marked as returned. If the goods came back, make the return on the receipt's page here.",
    "Заказ {number}: с отгрузки, по которой есть чек, снята отметка, или заказ отменён, а возврата оплаты нет. Если "
    "товар вернулся, сделайте возврат на странице чека здесь.")
_LATE_BONUS = Text(
    "Order {number}: bonuses were paid with after the goods had their receipt without them. It says that this part is "
    "still owed. Make the return on its page here and a new receipt, or take the bonuses back on the site.",
    "Заказ {number}: бонусы списали после того, как на товар пробит чек без них: по чеку эта часть ещё не оплачена. "
    "Сделайте возврат на странице чека здесь и новый чек или отмените списание бонусов на сайте.")
_CANCELLED = Text(
    "Order {number} is cancelled, but its payment is still marked as paid. When the money has gone back, mark the "
    "payment as returned: the hub then makes the return.",
    "Заказ {number} отменён, но оплата отмечена как полученная. Когда деньги вернёте, отметьте возврат оплаты на "
    "сайте: хаб пробьёт чек возврата.")
_MIXED = Text(
    "Order {number}: the settings say that somebody else prints one of its payments (pay system “skip”), but another "
    "one is the hub's. The hub prints nothing more for this order: check its receipts and make those that are missing "
    "by hand.",
    "Заказ {number}: чек по одной из оплат пробивает другая система (в настройках её платёжная система — skip), а "
    "другая оплата — хаба. Хаб больше ничего по этому заказу не пробивает: сверьте чеки и недостающие пробейте "
    "вручную.")
_OTHER_WAY = Text(
    "The site still prints through its REST register ({times} requests, last at {last}), though this connection works "
    "another way. They were refused. Switch that register off: Shop → Cash registers → List.",
    "Сайт всё ещё печатает через кассу REST (запросов: {times}, последний — {last}), хотя подключение работает иначе. "
    "Они отклонены. Выключите эту кассу: Магазин → Кассы ККМ → Список касс.")
_FOREIGN = Text(
    "The site sent a check that belongs to another hub or register ({times} times, last at {last}).",
    "Сайт присылает чек другого хаба или кассы (раз: {times}, последний — {last}).")

_DONE = Text("Struck off. If it happens again, it stands here again.",
             "Убрано. Если повторится, появится здесь снова.")
_SOON = Text("The order is read again within two minutes.", "Заказ прочитают снова в течение двух минут.")
_TOLD = Text("The site has the result now.", "Теперь результат на сайте есть.")


def findings(context: SourceContext) -> tuple[Finding, ...]:
    """Everything in the book, in sentences with buttons, worst first."""
    shown = [_finding(one, context) for one in Book(context).entries()]
    return tuple(sorted(shown, key=lambda one: one.colour != "red"))


def _finding(one: Entry, context: SourceContext) -> Finding:
    last = f"{one.last.astimezone(ZoneInfo(context.zone)):%d.%m %H:%M}"
    number = one.facts.get("number", one.subject.rpartition(":")[2])
    facts = {"times": one.times, "last": last, "number": number}
    seen, read = f"seen:{one.what}:{one.subject}", f"read:{one.what}:{one.subject}"
    if one.what == "stuck":
        starving = int(one.facts.get("run", "0") or 0) >= STARVING
        return Finding("red" if starving else "amber", (_STARVING if starving else _STUCK).with_(**facts), None, seen,
                       _DELETED)
    if one.what == "untold":
        return Finding("amber", _UNTOLD.with_(**facts), None, f"tell:{one.subject}", _TELL)
    if one.facts.get("way") == "poll" and one.what in GIVEN_UP:
        return Finding("amber", GIVEN_UP[one.what].with_(**facts), None, seen, SEEN)
    if one.what == "gone":
        words = _GONE_ORDER if one.subject.startswith("order:") else _GONE_CHECK
        return Finding("amber", words.with_(**facts), None, seen, SEEN)
    if one.what == "sums":
        why = Text(one.facts.get("why_en", ""), one.facts.get("why_ru", ""))
        return Finding("red", _SUMS.with_(why=why, **facts), None, read, _READ)
    if one.what == "mixed":
        return Finding("red", _MIXED.with_(**facts), None, read, _READ)
    if one.what in ("unpaid", "cancelled"):
        return Finding("amber", (_UNPAID if one.what == "unpaid" else _CANCELLED).with_(**facts), None, read, _READ)
    if one.what in ("taken_back", "late_bonus"):
        return Finding("amber", (_TAKEN_BACK if one.what == "taken_back" else _LATE_BONUS).with_(**facts), None, seen,
                       SEEN)
    words = _OTHER_WAY if one.what == "other_way" else _FOREIGN if one.what == "foreign" else verbatim(one.what)
    return Finding("amber", words.with_(**facts), None, seen, SEEN)


def mend(action: str, cashbox: Cashbox, context: SourceContext) -> Text:
    """Does what a button says. LookupError for an action that never was; TryLater and NeedsAttention pass."""
    do, _, rest = action.partition(":")
    acts: Mapping[str, Callable[[str, Cashbox, SourceContext], Text]] = {"seen": _seen, "read": _read, "tell": _tell}
    if do not in acts or not rest:
        raise LookupError(action)
    return acts[do](rest, cashbox, context)


def _seen(rest: str, cashbox: Cashbox, context: SourceContext) -> Text:
    what, _, subject = rest.partition(":")
    Book(context).drop(what, subject)
    return _DONE


def _read(rest: str, cashbox: Cashbox, context: SourceContext) -> Text:
    number = rest.rpartition(":")[2]
    if not number.isdigit():
        raise LookupError(rest)
    wanted = sorted({*asked_again(context), number})[-50:]
    context.remember(AGAIN, json.dumps(wanted))
    return _SOON


def _tell(rest: str, cashbox: Cashbox, context: SourceContext) -> Text:
    view = context.receipt(rest)
    if view is None:
        raise LookupError(rest)
    cashbox.report(Report(view, f"again-{rest}", 100))
    Book(context).drop("untold", rest)
    return _TOLD


def asked_again(context: SourceContext) -> list[str]:
    """Orders that a person wants read again and nobody has read yet."""
    try:
        value = json.loads(context.recall(AGAIN) or "[]")
    except ValueError:
        return []
    return [str(one) for one in value if str(one).isdigit()] if isinstance(value, list) else []


def events_again(context: SourceContext) -> tuple[Event, ...]:
    """The same as events."""
    return tuple(Event(f"order:{one}", "again", {"order": int(one)}) for one in asked_again(context))


def was_read(context: SourceContext, number: str) -> None:
    """The order was read: the wish is fulfilled."""
    left = asked_again(context)
    if number in left:
        left.remove(number)
        context.remember(AGAIN, json.dumps(left) if left else "")


def host(address: str) -> str:
    """The site's name in an address, without ``www.``, with a port of its own: one host may have several sites. Empty
    when there is none."""
    try:
        parts = urlsplit(address)
        name, port = (parts.hostname or "").removeprefix("www."), parts.port
    except ValueError:  # no address: its own check says so
        return ""
    return f"{name}:{port}" if name and port not in (None, 80, 443) else name
