"""The simulated portal's records and what changing them does: stages, history, events (bitrix24.md §4-§6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Json = dict[str, Any]
CENT = Decimal("0.01")
#: Fields of a deal that a caller may change; all others, and unknown user fields, are passed over in silence.
WRITABLE = ("title", "stageId", "opportunity", "isManualOpportunity", "currencyId", "companyId", "contactId",
            "comments", "begindate", "closedate", "assignedById", "sourceId")

STAGES = {
    "DEAL_STAGE": [("NEW", "Новая", ""), ("PREPARATION", "Подготовка", ""), ("EXECUTING", "В работе", ""),
                   ("WON", "Сделка успешна", "S"), ("LOSE", "Сделка провалена", "F")],
    "DEAL_STAGE_3": [("C3:NEW", "Новая", ""), ("C3:PREPAYMENT", "Предоплата", ""), ("C3:WON", "Успешна", "S"),
                     ("C3:LOSE", "Провалена", "F")],
}
PAY_SYSTEMS = {1: ("Наличные", "Y"), 2: ("Карта на сайте", "A"), 3: ("По счёту", "N")}


class PortalState:
    """Everything the portal knows. ``notify(event, fields)`` is called for each event that the portal would queue."""

    def __init__(self, clock: Callable[[], datetime], notify: Callable[[str, Json], None]) -> None:
        self.clock, self.notify = clock, notify
        self.deals: dict[int, Json] = {}
        self.rows: dict[int, list[Json]] = {}
        self.contacts: dict[int, Json] = {}
        self.companies: dict[int, Json] = {}
        self.payments: dict[int, Json] = {}
        self.comments: dict[int, Json] = {}
        self.history: list[Json] = []
        self.notices: list[Json] = []
        self.fields: dict[str, Json] = {}
        self.products: dict[int, Json] = {}
        self._numbers: dict[str, int] = {}
        #: What the sources leave open, as switches: does a comment, a payment or a row save count as a deal's change?
        self.comment_touches = self.payment_touches = False
        self.rows_touch = True

    def number(self, kind: str, first: int = 1) -> int:
        """The next id of a kind."""
        self._numbers[kind] = self._numbers.get(kind, first - 1) + 1
        return self._numbers[kind]

    def stamp(self) -> str:
        """Now, as the portal writes times."""
        return self.clock().isoformat(timespec="seconds")

    # -- people --------------------------------------------------------------------------------------------------

    def add_person(self, kind: str, given: Mapping[str, Any]) -> int:
        """A contact (name, last_name, second_name, email, phone) or company (title, email, phone)."""
        number = self.number(kind, 10)
        reach = [{"id": index, "typeId": what.upper(), "valueType": "WORK", "value": given[what]}
                 for index, what in enumerate(("phone", "email"), 1) if given.get(what)]
        item: Json = {"id": number, "createdTime": self.stamp(), "updatedTime": self.stamp(), "fm": reach}
        if kind == "contact":
            item |= {"name": given.get("name", ""), "lastName": given.get("last_name", ""),
                     "secondName": given.get("second_name", "")}
            self.contacts[number] = item
        else:
            item |= {"title": given.get("title", "")}
            self.companies[number] = item
        return number

    # -- deals ---------------------------------------------------------------------------------------------------

    def add_deal(self, title: str, stage: str, currency: str, rows: list[Json], opportunity: Any,
                 contact: int, company: int, fields: Mapping[str, Any]) -> int:
        """A deal with its rows. Without ``opportunity`` its sum is that of the rows."""
        number, now = self.number("deal", 54), self.stamp()
        self.rows[number] = [self.row(number, index, one) for index, one in enumerate(rows)]
        item: Json = {
            "id": number, "title": title, "stageId": stage, "categoryId": self.pipeline(stage),
            "opportunity": Decimal(str(opportunity)) if opportunity is not None else self.sum_of(number),
            "isManualOpportunity": "N" if opportunity is None else "Y", "taxValue": 0, "currencyId": currency,
            "companyId": company, "contactId": contact or None, "contactIds": [contact] if contact else [],
            "mycompanyId": 0, "assignedById": 1, "sourceId": "WEB", "comments": "", "begindate": now, "closedate": now,
            "createdTime": now, "updatedTime": now, "movedTime": now, "createdBy": 1, "updatedBy": 1, "movedBy": 1}
        item |= dict.fromkeys(self.fields)
        item |= {name: value for name, value in fields.items() if name in self.fields}
        self.deals[number] = item
        self._moved(number, stage, 1)
        self.notify("ONCRMDEALADD", {"ID": number})
        return number

    def update_deal(self, number: int, changes: Mapping[str, Any], user: int = 1) -> bool:
        """Saves what really differs; identical values save nothing and fire nothing (bitrix24.md §4)."""
        item = self.deals[number]
        real = {name: value for name, value in changes.items()
                if (name in WRITABLE or name in self.fields) and not _same(item.get(name), value)}
        if not real:
            return False
        if "opportunity" in real:
            real["opportunity"] = Decimal(str(real["opportunity"]))
            real["isManualOpportunity"] = "Y"
        item |= real
        item |= {"updatedTime": self.stamp(), "updatedBy": user}
        if "stageId" in real:
            item |= {"movedTime": self.stamp(), "movedBy": user, "categoryId": self.pipeline(item["stageId"])}
            self._moved(number, item["stageId"], 3 if item["stageId"].endswith(("WON", "LOSE")) else 2)
        self.notify("ONCRMDEALUPDATE", {"ID": number})
        return True

    def touch(self, number: int) -> None:
        """Some change that has nothing to do with money: the deal gets another responsible employee."""
        self.update_deal(number, {"assignedById": int(self.deals[number]["assignedById"]) % 5 + 1})

    def set_rows(self, number: int, rows: list[Json]) -> None:
        """Other products; the sum follows them unless somebody typed it in."""
        self.rows[number] = [self.row(number, index, one) for index, one in enumerate(rows)]
        if self.deals[number]["isManualOpportunity"] == "N":
            self.deals[number]["opportunity"] = self.sum_of(number)
        if self.rows_touch:
            self.deals[number]["updatedTime"] = self.stamp()
            self.notify("ONCRMDEALUPDATE", {"ID": number})

    def row(self, deal: int, index: int, given: Mapping[str, Any]) -> Json:
        """A product row as the portal keeps it, from name, price (with discount and tax), quantity, tax_rate, type,
        measure_code, tax_included, discount (percent)."""
        price = Decimal(str(given["price"]))
        rate = given.get("tax_rate")
        tax = Decimal(100) + Decimal(str(rate or 0))
        net = price * 100 / tax
        off = Decimal(str(given.get("discount", 0)))
        before = price * 100 / (100 - off)
        product = int(given.get("product_id", 0))
        return {
            "id": self.number("row", 1000), "ownerId": deal, "ownerType": "D", "productId": product,
            "productName": given.get("name", ""), "price": price, "priceAccount": price,
            "priceExclusive": _rounded(net), "priceNetto": _rounded(before * 100 / tax), "priceBrutto": before,
            "quantity": Decimal(str(given.get("quantity", 1))), "discountTypeId": 2, "discountRate": off,
            "discountSum": _rounded((before - price) * 100 / tax), "taxRate": rate,
            "taxIncluded": given.get("tax_included", "Y"), "customized": "Y", "type": int(given.get("type", 1)),
            "measureCode": int(given.get("measure_code", 796)), "measureName": given.get("measure_name", "шт"),
            "sort": (index + 1) * 10, "xmlId": "", "storeId": None}

    def sum_of(self, number: int) -> Decimal:
        """The sum of a deal's rows, each rounded to the kopeck."""
        return sum(((one["price"] * one["quantity"]).quantize(CENT, ROUND_HALF_UP) for one in self.rows[number]),
                   Decimal(0))

    @staticmethod
    def pipeline(stage: str) -> int:
        return int(stage[1:].partition(":")[0]) if ":" in stage else 0

    def _moved(self, number: int, stage: str, kind: int) -> None:
        meaning = {code: sign for rows in STAGES.values() for code, _, sign in rows}.get(stage) or "P"
        self.history.append({
            "ID": self.number("history", 300), "TYPE_ID": kind, "OWNER_ID": number, "CREATED_TIME": self.stamp(),
            "CATEGORY_ID": self.pipeline(stage), "STAGE_SEMANTIC_ID": meaning, "STAGE_ID": stage})

    # -- payments ------------------------------------------------------------------------------------------------

    def add_payment(self, deal: int, amount: Any, pay_system: int) -> int:
        """An unpaid payment of a deal, by default for its whole sum."""
        number = self.number("payment", 1036)
        due = self.deals[deal]["opportunity"] if amount is None else Decimal(str(amount))
        name, kind = PAY_SYSTEMS.get(pay_system, ("Другая", "N"))
        order = 3600 + deal
        count = sum(1 for one in self.payments.values() if one["orderId"] == order) + 1
        self.payments[number] = {
            "id": number, "orderId": order, "accountNumber": f"{order}/{count}", "paid": "N", "datePaid": None,
            "empPaidId": None, "paySystemId": pay_system, "paySystemName": name, "sum": due,
            "currency": self.deals[deal]["currencyId"], "paySystemIsCash": kind, "isReturn": "N", "dealId": deal}
        self._paid(number)
        return number

    def pay(self, number: int, paid: bool = True) -> None:
        """Marks a payment as paid, or takes it back."""
        self.payments[number] |= {"paid": "Y" if paid else "N", "datePaid": self.stamp() if paid else None,
                                  "empPaidId": 1 if paid else None}
        self._paid(number)

    def _paid(self, number: int) -> None:
        self.notify("ONPAYMENTENTITYSAVED", {"ID": number})
        if self.payment_touches:
            deal = self.payments[number]["dealId"]
            self.deals[deal]["updatedTime"] = self.stamp()
            self.notify("ONCRMDEALUPDATE", {"ID": deal})

    # -- the timeline --------------------------------------------------------------------------------------------

    def comment(self, deal: int, text: str, author: int = 1) -> int:
        """A comment in the deal's timeline."""
        number = self.number("comment", 999)
        self.comments[number] = {"ID": str(number), "ENTITY_ID": str(deal), "ENTITY_TYPE": "deal",
                                 "CREATED": self.stamp(), "COMMENT": text, "AUTHOR_ID": str(author), "FILES": {}}
        if self.comment_touches:
            self.deals[deal]["updatedTime"] = self.stamp()
            self.notify("ONCRMDEALUPDATE", {"ID": deal})
        return number

    def story(self, number: int) -> Json:
        """A deal with everything that hangs on it, for the judge."""
        return self.deals[number] | {
            "rows": self.rows[number],
            "payments": [one for one in self.payments.values() if one["dealId"] == number],
            "comments": [one["COMMENT"] for one in self.comments.values() if one["ENTITY_ID"] == str(number)],
            "history": [one["STAGE_ID"] for one in self.history if one["OWNER_ID"] == number]}


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.00000001"))


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, Decimal):
        return old == Decimal(str(new))
    return str(old if old is not None else "") == str(new if new is not None else "")
