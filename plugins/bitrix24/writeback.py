"""Telling the deal how its receipt ended: a comment in the timeline and a field (bitrix24.md §6).

No add call is idempotent. Each comment ends in a mark made of the delivery, and before a comment is written the
timeline is read for it: a lost answer does not become a second comment.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from hub_plugins.bitrix24.client import PAGE, Batch, Portal, as_int, as_map, as_rows, as_text
from hub_plugins.bitrix24.deals import DEAL

from hub.contracts import NeedsAttention, ReceiptView, Report, SourceContext, Text, TryLater
from hub.fiscal import FiscalRecord, Money
from hub.fiscal.money import SIGNS

#: Newest comments that are looked through for ours: a report is repeated for three days at most.
_MOST_PAGES = 10
#: How long our own write-back is recognised. After it the event makes the same order again, which is harmless.
_OWN_SECONDS = 7 * 24 * 3600.0
#: A request of the portal ends within 60 s (bitrix24.md §2); only then does reading back prove that nothing came.
_LONGEST_REQUEST = 60.0

_PRINTED = Text("Receipt printed: {sum}.\nDocument No. {document}, fiscal storage {storage}, sign {sign}, {time}.",
                "Чек пробит: {sum}.\nФД № {document}, ФН {storage}, ФП {sign}, {time}.",
                "Чек басылды: {sum}.\nФҚ № {document}, ФЖ {storage}, ФБ {sign}, {time}.")
_CONFIRMED = Text("The tax data operator has the receipt: {sum}, document No. {document}, fiscal sign {sign}.",
                  "Чек принят ОФД: {sum}, ФД № {document}, ФП {sign}.",
                  "Чекті ФДО қабылдады: {sum}, ФҚ № {document}, ФБ {sign}.")
_LINK = Text("Open the receipt", "Открыть чек", "Чекті ашу")
_NOT_PRINTED = Text("No receipt for order {number}: {why}", "Чек по заказу {number} не пробит: {why}",
                    "{number} тапсырысының чегі басылмады: {why}")
_UNKNOWN = Text("the reason is on the receipt's page in the hub.", "причина — на странице чека в хабе.",
                "себебі хабтағы чек бетінде.")
_SHORT = Text("Document No. {document}, fiscal sign {sign}", "ФД № {document}, ФП {sign}", "ФҚ № {document}, ФБ {sign}")
_NO_FIELD = Text(
    "Deals have no field {field}, so the receipt's link could not be written there (Bitrix24 ignores unknown fields "
    "silently). Create the field or correct its code.",
    "У сделок нет поля {field}, ссылка на чек туда не записана (Битрикс24 молча пропускает незнакомые поля). Создайте "
    "поле или исправьте его код.")


def tell(portal: Portal, report: Report, config: Mapping[str, Any], context: SourceContext) -> None:
    """Writes what is to be written, each thing once, and remembers the deal's state after it as our own doing."""
    view = report.receipt
    deal = _deal_of(view)
    printed = view.record is not None and view.state in ("recorded", "confirmed")
    field = config["result_field"] if printed else ""
    if deal is None or not (config["comments"] or field):
        return  # a receipt that came from no deal (a trial), or an owner who wants nothing written
    commands: dict[str, tuple[str, Mapping[str, Any]]] = {}
    mark = mark_of(report.delivery)
    if config["comments"] and not _written(portal, deal, mark):
        words = comment(view, config["language"])
        commands["comment"] = ("crm.timeline.comment.add", {"fields": {
            "ENTITY_ID": deal, "ENTITY_TYPE": "deal", "COMMENT": f"{words}\n({mark})"}})
    if field:
        commands["update"] = ("crm.item.update", {
            "entityTypeId": DEAL, "id": deal, "useOriginalUfNames": "Y",
            "fields": {field: field_value(view, config["language"])}})
    commands["deal"] = ("crm.item.get", {"entityTypeId": DEAL, "id": deal, "useOriginalUfNames": "Y"})
    batch = _write(portal, commands)
    for key in commands:
        batch.get(key)
    item = as_map(as_map(batch.get("deal")).get("item"))
    updated = as_text(item.get("updatedTime"))
    if updated:
        context.remember(own(deal), updated, _OWN_SECONDS)
    if field and field not in item:
        raise NeedsAttention(_NO_FIELD.with_(field=field), "result_field")


def notify(portal: Portal, report: Report, config: Mapping[str, Any], context: SourceContext) -> None:
    """A notice to whoever is responsible for the deal (bitrix24.md §6, ``im.notify.system.add``).

    A notice cannot be read back, and a webhook cannot replace it by its TAG. So it is noted before it is sent: after a
    lost answer nobody is told a second time, and the timeline, which is read back, has the reason all the same.
    """
    deal, sent = _deal_of(report.receipt), f"notice:{mark_of(report.delivery)}"
    if deal is None or context.recall(sent):
        return
    item = as_map(portal.call("crm.item.get", {"entityTypeId": DEAL, "id": deal}).result).get("item")
    user = as_int(as_map(item).get("assignedById"))
    if not user:
        return  # nobody is responsible; the timeline tells whoever looks
    context.remember(sent, "1", _OWN_SECONDS)
    try:
        portal.call("im.notify.system.add", {"USER_ID": user, "MESSAGE": comment(report.receipt, config["language"])})
    except TryLater as problem:
        if problem.after is not None:  # refused before anything was done: the next try sends it
            context.remember(sent, "")
        raise
    except NeedsAttention:
        context.remember(sent, "")
        raise


def _deal_of(view: ReceiptView) -> int | None:
    """The deal's number. An order that could not even be read has no origin, only its key."""
    found = re.match(r"deal:(\d{1,18}):", view.key)
    return as_int(view.origin.get("deal")) or (int(found[1]) if found else None)


def _write(portal: Portal, commands: Mapping[str, tuple[str, Mapping[str, Any]]]) -> Batch:
    """The batch; when its answer is lost while a comment may be under way, the next try comes after its time."""
    try:
        return portal.batch(commands)
    except TryLater as problem:
        if problem.after is not None or "comment" not in commands:
            raise
        reason = problem.reason
    raise TryLater(reason, _LONGEST_REQUEST)


def own(deal: int) -> str:
    """The name under which the deal's ``updatedTime`` after our last write is remembered."""
    return f"own:deal:{deal}"


def mark_of(delivery: str) -> str:
    """The mark at the end of a comment: the same on every try of one delivery."""
    return "hub-" + hashlib.sha256(delivery.encode()).hexdigest()[:12]


def comment(view: ReceiptView, language: str) -> str:
    """The comment's text without its mark, with Bitrix24's BB code for the link."""
    if view.record is None or view.state not in ("recorded", "confirmed"):
        said = [problem.text for problem in view.problems] or ([view.reason] if view.reason else [_UNKNOWN])
        why = " ".join(one.say(language) for one in said)
        return _NOT_PRINTED.with_(number=view.order_number or view.key, why=why).say(language)
    sentence = _CONFIRMED if view.state == "confirmed" else _PRINTED
    words = sentence.with_(**_facts(view.record, language)).say(language)
    return f"{words}\n[URL={view.url}]{_LINK.say(language)}[/URL]" if view.url else words


def field_value(view: ReceiptView, language: str) -> str:
    """What goes into the deal's field: the link, or the document's number where there is none."""
    assert view.record is not None
    return view.url or _SHORT.with_(document=view.record.document_number, sign=view.record.fiscal_sign).say(language)


def _facts(record: FiscalRecord, language: str) -> dict[str, str]:
    """The record for a person. Its time is the register's own and stays in the register's zone."""
    return {"sum": _money(record.total, language), "document": str(record.document_number),
            "storage": record.storage_number, "sign": record.fiscal_sign,
            "time": f"{record.printed_at:%d.%m.%Y %H:%M}"}


def _money(amount: Money, language: str) -> str:
    if language == "en":
        return f"{amount.currency} {amount.decimal:,.2f}"
    figure = f"{amount.decimal:,.2f}".replace(",", "\N{NO-BREAK SPACE}").replace(".", ",")
    return f"{figure}\N{NO-BREAK SPACE}{SIGNS.get(amount.currency, amount.currency)}"


def _written(portal: Portal, deal: int, mark: str) -> bool:
    """Whether the timeline already holds our comment, newest first."""
    start: int | None = 0
    for _ in range(_MOST_PAGES):
        page = portal.call("crm.timeline.comment.list", {
            "filter": {"ENTITY_ID": deal, "ENTITY_TYPE": "deal"}, "select": ["ID", "COMMENT"],
            "order": {"ID": "DESC"}, "start": start})
        rows = as_rows(page.result, "crm.timeline.comment.list")
        if any(mark in as_text(one.get("COMMENT")) for one in rows):
            return True
        start = page.next
        if start is None or len(rows) < PAGE:
            break
    return False
