"""Writes the result of a receipt into its payment, and knows its own writing again (alfacrm.md §5).

First into the payment's own fields; where the account has none, once into the note, between brackets that are
taken out again whenever the note is read. ``pay/update`` fires an ``update`` webhook with the API user's id; what
only says what we wrote is no news.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from hub_plugins.alfacrm import values
from hub_plugins.alfacrm.client import AlfaClient, Refused
from hub_plugins.alfacrm.orders import with_mark, without_mark
from hub_plugins.alfacrm.reader import Reader
from hub_plugins.alfacrm.settings import Rules

from hub.contracts import NeedsAttention, ReceiptView, SourceContext, Text

#: The guide knows only «В очереди» (§4.3); the other words are ours.
WORDS = {"accepted": "В очереди", "queued": "В очереди", "printing": "В очереди", "recorded": "Пробит",
         "confirmed": "Пробит", "uncertain": "Проверяется", "cancelled": "Отменён", "invalid": "Ошибка",
         "refused": "Ошибка"}
#: A custom field of text holds at least this much.
LONGEST = 250
#: A webhook about our own note comes within this time, or is read as a repeat.
MARK_SECONDS = 24 * 3600.0


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


def write(client: AlfaClient, reader: Reader, receipt: ReceiptView) -> None:
    """Writes what is not there yet. May be repeated: it reads first. Raises NeedsAttention when the payment is gone
    or the CRM refuses, TryLater when it is away."""
    rules = client.rules
    number, branch, kind = _place(receipt)
    pay = reader.payment(number, branch, kind)
    if pay is None:
        raise NeedsAttention(Text("Payment {id} is no longer in AlfaCRM, so the result cannot be written to it. If "
                                  "its receipt was printed, a return may be due.",
                                  "Платежа {id} больше нет в АльфаCRM, записать результат некуда. Если чек пробит, "
                                  "возможно, нужен возврат.", params={"id": number}))
    fields = _fields(rules, receipt)
    if fields and (_holds(pay.row, fields) or _write_fields(client, reader, pay.id, pay.branch or 0, kind, fields)):
        return
    if not rules.write_note:
        if fields:
            raise NeedsAttention(Text("AlfaCRM has no payment field “{name}”. Create it, or let the hub write to the "
                                      "note.", "В АльфаCRM нет поля платежа «{name}». Создайте его или разрешите "
                                      "писать в комментарий.", params={"name": next(iter(fields))}), "state_field")
        return
    note = values.text(pay.row.get("note"))
    wanted = with_mark(note, ", ".join(part for part in (state_words(receipt), record_words(receipt), receipt.url)
                                       if part))
    if note != wanted:
        client.context.remember(_mark(pay.id), _digest(wanted), MARK_SECONDS)
        client.update(pay.branch or 0, "pay", pay.id, {"note": wanted})


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
                  fields: Mapping[str, str]) -> bool:
    """Writes the fields and reads back whether the first of them exists: fields that the account does not have may
    be dropped without a word, or refused by name (neither is documented)."""
    try:
        client.update(branch, "pay", number, fields)
    except Refused as problem:
        if problem.fields and problem.fields <= fields.keys():
            return False
        raise
    after = reader.payment(number, branch, kind)
    return after is not None and bool(values.text(after.row.get(next(iter(fields)))))


def _cut(words: str) -> str:
    words = " ".join(words.split())
    return words if len(words) <= LONGEST else words[:LONGEST - 1] + "…"


def _mark(number: int) -> str:
    return f"note.{number}"


def _digest(note: str) -> str:
    return hashlib.sha256(note.encode()).hexdigest()[:16]
