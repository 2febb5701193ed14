"""Writes the result of a receipt into its payment, and knows its own writing again (alfacrm.md §5).

First into the payment's own fields; what the account has no field for, once into the note, between brackets that are
taken out again whenever the note is read, and for good when the fields tell it all. ``pay/update`` fires an ``update``
webhook with the API user's id; what only says what we wrote is no news.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

from hub_plugins.alfacrm import values
from hub_plugins.alfacrm.client import AlfaClient, Gone, Refused
from hub_plugins.alfacrm.orders import Pay, with_mark, without_mark
from hub_plugins.alfacrm.reader import Reader
from hub_plugins.alfacrm.rules import Rules

from hub.contracts import NeedsAttention, ReceiptView, Report, SourceContext, Text, TryLater

#: The guide knows only «В очереди» (§4.3); the other words are ours.
WORDS = {"accepted": "В очереди", "queued": "В очереди", "printing": "В очереди", "recorded": "Пробит",
         "confirmed": "Пробит", "uncertain": "Проверяется", "cancelled": "Отменён", "invalid": "Ошибка",
         "refused": "Ошибка"}
#: A custom field of text holds at least this much.
LONGEST = 250
#: A webhook about our own note comes within this time, or is read as a repeat; and so long a mark in it is taken out
#: when the fields tell it better.
MARK_SECONDS = 31 * 24 * 3600.0
#: How long it is believed that the account has our fields, or has none; and how old the note may be that a mark is put
#: behind.
FIELDS_SECONDS, NOTE_SECONDS = 24 * 3600.0, 10.0


def state_words(receipt: ReceiptView) -> str:
    """«Пробит», «Ошибка: …»: what the column of the payment says."""
    words = WORDS[receipt.state]
    if receipt.state in ("invalid", "refused"):
        reason = receipt.reason or next((one.text for one in receipt.problems), None)
        words = f"{words}: {reason.say('ru')}" if reason else words
    return _cut(words)


def record_words(receipt: ReceiptView) -> str:
    """``ФД 12, ФН 9999…, ФП 123``; empty before there is a record."""
    record = receipt.record
    if record is None:
        return ""
    return f"ФД {record.document_number}, ФН {record.storage_number}, ФП {record.fiscal_sign}"


def write(client: AlfaClient, reader: Reader, receipt: ReceiptView, again: bool = False) -> None:
    """:func:`_write`; but that the receipt of a payment was cancelled needs not be told to one that is gone."""
    try:
        _write(client, reader, receipt, again)
    except Lost:
        if receipt.state != "cancelled":
            raise


def _write(client: AlfaClient, reader: Reader, receipt: ReceiptView, again: bool) -> None:
    """Writes what is not there yet. ``again``: an earlier try may have been heard, so the payment is read first; else
    a payment's fields are written without asking what is in them, which only the hub writes anyway.

    Raises NeedsAttention when the payment is gone, TryLater when the CRM is away.
    """
    rules = client.rules
    number, branch, kind = _place(receipt)
    fields = _fields(rules, receipt)
    known = _known(client)
    pay: Pay | None = None
    if again or branch is None or not all(known.get(name, True) for name in fields) or not fields:
        pay = _read(reader, number, branch, kind, None if again else time.monotonic() - NOTE_SECONDS)
        branch = pay.branch or 0
    taken = frozenset(fields)
    if pay is None or not fields or not _holds(pay.row, fields):
        tried = {name: words for name, words in fields.items() if known.get(name, True)}
        taken = _write_fields(client, reader, number, branch or 0, kind, tried) if tried else frozenset()
    left = {name: words for name, words in fields.items() if name not in taken}
    if left and not rules.write_note:
        raise NeedsAttention(Text("AlfaCRM has no payment field “{name}”. Create it, or let the hub write to the note.",
                                  "В АльфаCRM нет поля платежа «{name}». Создайте его или разрешите писать в "
                                  "комментарий.", params={"name": next(iter(left))}), "state_field")
    if left or (not fields and rules.write_note):
        words = [part for name, part in ((rules.state_field, state_words(receipt)),
                                         (rules.record_field, record_words(receipt)), (rules.url_field, receipt.url))
                 if part and name not in taken]
        _note(client, pay or _read(reader, number, branch, kind, None), ", ".join(words))
    elif pay is not None or client.context.recall(_mark(number)):
        _note(client, pay or _read(reader, number, branch, kind, None), "")


def _note(client: AlfaClient, pay: Pay, words: str) -> None:
    """Puts our words behind the note, in the place of what stood there; none takes them out."""
    note = values.text(pay.row.get("note"))
    wanted = with_mark(note, words) if words else without_mark(note)
    if note.strip() != wanted:
        client.context.remember(_mark(pay.id), _digest(wanted), MARK_SECONDS)
        client.update(pay.branch or 0, "pay", pay.id, {"note": wanted})


class Lost(NeedsAttention):
    """The payment is there no more."""


def _read(reader: Reader, number: int, branch: int | None, kind: int | None, since: float | None) -> Pay:
    pay = reader.payment(number, branch, kind, since=since)
    if pay is None:
        raise Lost(Text("Payment {id} is no longer in AlfaCRM, so the result cannot be written to it. If "
                                  "its receipt was printed, a return may be due.",
                                  "Платежа {id} больше нет в АльфаCRM, записать результат некуда. Если чек пробит, "
                                  "возможно, нужен возврат.", params={"id": number}))
    return pay


def asks_again(rules: Rules, context: SourceContext, number: int, new: Mapping[str, Any],
               old: Mapping[str, Any]) -> bool:
    """Whether an ``update`` webhook says nothing but that a person emptied our field, or took our mark out of the
    note: that asks for the state anew. When we took it out ourselves it does not."""
    emptied = [name for name, value in new.items() if name in rules.own_fields and not values.text(value)
               and values.text(old.get(name, "?"))]
    note = values.text(new.get("note"))
    unmarked = "note" in new and "note" in old and note == without_mark(note) != values.text(old["note"]) \
        and without_mark(values.text(old["note"])) == note and context.recall(_mark(number)) != _digest(note)
    return bool(emptied or unmarked) and all(name in rules.own_fields or name == "note" for name in new)


def only_ours(rules: Rules, context: SourceContext, number: int, old: Mapping[str, Any],
              new: Mapping[str, Any]) -> bool:
    """Whether an ``update`` webhook says nothing but what we wrote. Any other field in it makes it news."""
    if not new:
        return False
    for name, value in new.items():
        if name in rules.own_fields or (name in old and values.text(old[name]) == values.text(value)):
            continue
        if name != "note":
            return False
        note = values.text(value)
        same_words = "note" in old and without_mark(values.text(old["note"])) == without_mark(note)
        if not same_words and context.recall(_mark(number)) != _digest(note):
            return False
    return True


def _place(receipt: ReceiptView) -> tuple[int, int | None, int | None]:
    """Payment, branch and type from the origin we left with the order, or the payment from the key alone."""
    number = values.whole(receipt.origin.get("pay")) or values.whole(receipt.key.split(":")[1:2] and
                                                                     receipt.key.split(":")[1])
    if number is None:
        raise NeedsAttention(Text("The receipt {key} belongs to no AlfaCRM payment.",
                                  "Чек {key} не относится к платежу АльфаCRM.", params={"key": receipt.key}))
    return number, values.whole(receipt.origin.get("branch")), values.whole(receipt.origin.get("type"))


def _fields(rules: Rules, receipt: ReceiptView) -> dict[str, str]:
    """What goes into which field; a link or number that does not exist yet is left alone."""
    wanted = {rules.state_field: state_words(receipt), rules.url_field: receipt.url,
              rules.record_field: record_words(receipt)}
    return {name: words for name, words in wanted.items() if name and words}


def _holds(row: Mapping[str, Any], fields: Mapping[str, str]) -> bool:
    return all(values.text(row.get(name)) == words for name, words in fields.items())


def _write_fields(client: AlfaClient, reader: Reader, number: int, branch: int, kind: int | None,
                  fields: Mapping[str, str]) -> frozenset[str]:
    """Writes the fields; the names of those that the account has. Fields that it does not have may be dropped without
    a word, or refused by name (neither is documented), so the answer's model is looked at, and where that says nothing
    the payment is read back. What was found out is remembered for a day."""
    try:
        model = client.update(branch, "pay", number, fields)
    except Refused as problem:
        if problem.fields and problem.fields <= fields.keys():
            _found_out(client, dict.fromkeys(problem.fields, False))
            rest = {name: words for name, words in fields.items() if name not in problem.fields}
            return _write_fields(client, reader, number, branch, kind, rest) if rest else frozenset()
        _read(reader, number, branch, kind, None)  # it may be gone, which says more than the refusal
        raise
    except Gone:
        pay = _read(reader, number, None, kind, None)
        if pay.branch == branch:
            raise
        model = client.update(pay.branch or 0, "pay", number, fields)
    taken = frozenset(name for name, words in fields.items() if values.text(model.get(name)) == words)
    if len(taken) < len(fields):
        after = reader.payment(number, branch, kind)
        taken = frozenset(name for name in fields if after is not None and values.text(after.row.get(name)))
    _found_out(client, {name: name in taken for name in fields})
    return taken


def _known(client: AlfaClient) -> dict[str, bool]:
    """Field -> whether the account has it, as far as it was found out."""
    try:
        known = json.loads(client.context.recall(_fields_known(client)) or "{}")
    except ValueError:
        return {}
    return {str(name): bool(there) for name, there in known.items()} if isinstance(known, dict) else {}


def _found_out(client: AlfaClient, found: Mapping[str, bool]) -> None:
    known = _known(client)
    if (now := {**known, **found}) != known:
        client.context.remember(_fields_known(client), json.dumps(now), FIELDS_SECONDS)


def _fields_known(client: AlfaClient) -> str:
    return f"fields.{client.scope}"


def forget_fields(client: AlfaClient) -> None:
    """After somebody may have created the fields: the next write tries them again."""
    client.context.remember(_fields_known(client), "")


def fields_missing(client: AlfaClient) -> tuple[str, ...]:
    """The fields of the settings of which it was found that the account has none."""
    known = _known(client)
    rules = client.rules
    return tuple(name for name in (rules.state_field, rules.url_field, rules.record_field)
                 if name and not known.get(name, True))


# -- the addresses that the owner gave ---------------------------------------------------------------------------


def tell_address(rules: Rules, context: SourceContext, report: Report) -> None:
    """A POST to the success or failure address of the settings, after the payment itself was told. NeedsAttention when
    it does not take it: a dead address must delay nobody's results."""
    receipt = report.receipt
    address = rules.success_url if receipt.state in ("recorded", "confirmed") else rules.failure_url
    if not address:
        return
    body = {"event": report.delivery, "payment": str(receipt.origin.get("pay", receipt.order_number)),
            "state": "done" if receipt.state in ("recorded", "confirmed") else "error", "receipt": receipt.number,
            "url": receipt.url, "error": "" if receipt.record else state_words(receipt),
            "document": record_words(receipt)}
    try:
        status = context.outgoing().call("POST", address, json=body).status
    except TryLater as problem:
        raise NeedsAttention(problem.reason, "success_url") from problem
    if status >= 300:
        raise NeedsAttention(Text("The address {url} answered {status} when it was told of payment {id}.",
                                  "Адрес {url} ответил {status} на сообщение о платеже {id}.",
                                  params={"url": address, "status": status, "id": body["payment"]}), "success_url")


def _cut(words: str) -> str:
    words = " ".join(words.split())
    return words if len(words) <= LONGEST else words[:LONGEST - 1] + "…"


def _mark(number: int) -> str:
    return f"note.{number}"


def _digest(note: str) -> str:
    return hashlib.sha256(note.encode()).hexdigest()[:16]
