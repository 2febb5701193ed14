"""Reading a deal with all that goes into its receipt, in one request (bitrix24.md §5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub_plugins.bitrix24.client import PAGE, Batch, Portal, as_int, as_map, as_rows, as_text

from hub.contracts import NeedsAttention, NoOrder, Text, TryLater
from hub.fiscal import Invalid
from hub.fiscal.problems import Problem

DEAL, CONTACT, COMPANY = 2, 3, 4
#: Pages of product rows that are read: 2,000 rows; more than that is no receipt.
_MOST_PAGES = 40


@dataclass(frozen=True, slots=True)
class Deal:
    """A deal as the portal gave it. ``contact`` and ``company`` are None when there is none; ``payments`` is empty
    unless it was asked for. ``trouble`` is why the buyer could not be read: it matters only when there is an order,
    and then it must be raised, because without the buyer's e-mail the receipt would be the wrong one."""

    id: int
    item: Mapping[str, Any]
    rows: tuple[Mapping[str, Any], ...]
    payments: tuple[Mapping[str, Any], ...] = ()
    contact: Mapping[str, Any] | None = None
    company: Mapping[str, Any] | None = None
    trouble: NeedsAttention | TryLater | None = None

    @property
    def stage(self) -> str:
        return as_text(self.item.get("stageId"))

    @property
    def updated(self) -> str:
        """``updatedTime`` in the portal's own spelling: compared, never calculated with."""
        return as_text(self.item.get("updatedTime"))


def read_deal(portal: Portal, number: int, payments: bool) -> Deal:
    """The deal with its rows, buyer and, when ``payments``, its payments. Further pages of rows cost a call each."""
    rows = {"filter": {"=ownerType": "D", "=ownerId": number}, "order": {"id": "asc"}}
    commands: dict[str, tuple[str, Mapping[str, Any]]] = {
        "deal": ("crm.item.get", {"entityTypeId": DEAL, "id": number, "useOriginalUfNames": "Y"}),
        "rows": ("crm.item.productrow.list", rows),
        "contact": ("crm.item.get", {"entityTypeId": CONTACT, "id": "$result[deal][item][contactId]"}),
        "company": ("crm.item.get", {"entityTypeId": COMPANY, "id": "$result[deal][item][companyId]"}),
    }
    if payments:
        commands["payments"] = ("crm.item.payment.list", {"entityTypeId": DEAL, "entityId": number})
    batch = portal.batch(commands)
    item = as_map(as_map(batch.get("deal")).get("item"))
    found = _rows(batch.get("rows"))
    start = batch.next("rows")
    for _ in range(_MOST_PAGES):
        if start is None:
            break
        page = portal.call("crm.item.productrow.list", {**rows, "start": start})
        found += _rows(page.result)
        start = page.next
    else:
        raise Invalid([Problem("too_large", "lines", {"field": "productRows", "value": f"> {_MOST_PAGES * PAGE}"})])
    paid = tuple(as_rows(batch.get("payments"), "crm.item.payment.list")) if payments else ()
    people = {key: _person(batch, key, item.get(f"{key}Id")) for key in ("contact", "company")}
    trouble = next((one for one in people.values() if isinstance(one, (NeedsAttention, TryLater))), None)
    known = {key: None if isinstance(one, Exception) else one for key, one in people.items()}
    return Deal(number, item, tuple(found), paid, known["contact"], known["company"], trouble)


def _rows(result: Any) -> list[dict[str, Any]]:
    return as_rows(as_map(result).get("productRows"), "crm.item.productrow.list")


def _person(batch: Batch, key: str, number: Any) -> Mapping[str, Any] | NeedsAttention | TryLater | None:
    """The contact or company of a deal, or why it could not be read; None when there is none or it was deleted."""
    if not as_int(number):
        return None
    problem = batch.problem(key)
    if problem is not None:
        return None if isinstance(problem, NeedsAttention) and problem.code == "NOT_FOUND" else problem
    return as_map(as_map(batch.get(key)).get("item"))


def deal_of_payment(portal: Portal, payment: int) -> int | NoOrder:
    """The deal that a payment belongs to: payment → order → its owner in CRM (needs the right ``sale``)."""
    batch = portal.batch({
        "payment": ("sale.payment.get", {"id": payment}),
        "owner": ("crm.orderentity.list", {"filter": {"orderId": "$result[payment][payment][orderId]"}}),
    })
    batch.get("payment")
    links = as_rows(as_map(batch.get("owner")).get("orderEntity"), "crm.orderentity.list")
    deals = [as_int(one.get("ownerId")) for one in links if as_int(one.get("ownerTypeId")) == DEAL]
    if deals and deals[0]:
        return deals[0]
    return NoOrder(Text("Payment {payment} belongs to no deal.", "Оплата {payment} не относится ни к одной сделке.",
                        params={"payment": payment}))
