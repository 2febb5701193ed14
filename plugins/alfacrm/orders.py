"""AlfaCRM's payment to our order: what stands in the receipt (alfacrm.md §2.6, §4). Whether there is one at all is said
in ``verdict``.

Pure: what the CRM said comes in as rows, nothing is asked from here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from hub_plugins.alfacrm import values
from hub_plugins.alfacrm.period import in_words
from hub_plugins.alfacrm.rules import CORRECTION_TYPE, GOODS_TYPE, Rules

from hub.contracts import Text
from hub.fiscal import Cashier, Customer, Form, Kind, Money, Order, OrderLine, Payment, Subject
from hub.fiscal.contact import email as valid_email
from hub.fiscal.contact import phone as valid_phone

#: The default text of the CRM's own integration (§4.2), with the note as an optional part.
TEMPLATE = "<legal|customer> за обучение <customer>[ - <note>]"
#: A quantity above this is no number of lessons but something else in the wrong field.
MOST_LESSONS = 1000

TAGS: Mapping[str, Text] = {
    "legal": Text("Payer: “Заказчик” of the card, else the payer of the payment",
                  "Плательщик: «Заказчик» из карточки, иначе плательщик из платежа"),
    "customer": Text("Student", "Ученик"),
    "note": Text("Note of the payment", "Комментарий к платежу"),
    "pay.ctt.tariff_name": Text("Name of the subscription (separate accounts only)",
                                "Название абонемента (только отдельные счета)"),
    "pay.ctt.subjects": Text("Subjects of the subscription", "Предметы абонемента"),
    "pay.ctt.b_date": Text("Start of the subscription", "Начало абонемента"),
    "pay.ctt.e_date": Text("End of the subscription", "Конец абонемента"),
    "period": Text("Period of the subscription in words: October 2026",
                   "Период абонемента словами: октябрь 2026"),
    "lessons": Text("Lessons of the subscription", "Число занятий абонемента"),
    "branch": Text("Branch", "Филиал"),
    "teacher": Text("Teacher of the payment", "Педагог из платежа"),
    "article": Text("Article of the payment", "Статья платежа"),
    "account": Text("Pay account", "Касса или счёт"),
    "date": Text("Date of the payment", "Дата платежа"),
}

#: What the hub wrote into a note when the payment had no fields of its own for it.
_MARK = re.compile(r"\s*\[ККТ: [^\]]*\]")


def without_mark(note: str) -> str:
    """The note as people wrote it."""
    return _MARK.sub("", note).strip()


def with_mark(note: str, words: str) -> str:
    """The note with exactly one mark of ours behind it."""
    said = " ".join(words.replace("[", "(").replace("]", ")").split())
    return f"{without_mark(note)} [ККТ: {said}]".strip()


@dataclass(frozen=True, slots=True)
class Pay:
    """One row of ``pay/index`` (§2.6). Sums stay as they came until :func:`amount` reads them. ``bank`` is the order
    number of an acquiring integration, empty for payments that people entered."""

    id: int
    branch: int | None
    customer: int | None
    customer_name: str
    payer: str
    type: int | None
    account: int | None
    item: int | None
    subscription: int | None
    teacher: int | None
    goods: bool
    confirmed: bool | None
    fiscal: bool
    bank: str
    day: date | None
    note: str
    custom: Mapping[str, str]
    row: Mapping[str, Any]

    @classmethod
    def read(cls, row: Mapping[str, Any], rules: Rules, branch: int | None = None) -> Pay:
        """From a row; ``branch`` is where it was read, for rows that do not say. Our own fields and our mark in the
        note are left out: a receipt must not depend on what was written about it."""
        subscription = values.whole(row.get("ctt_id"))
        kind = values.whole(row.get("pay_type_id"))
        return cls(
            id=values.whole(row.get("id")) or 0, branch=values.whole(row.get("branch_id")) or branch,
            customer=values.whole(row.get("customer_id")) or None, customer_name=values.text(row.get("customer_name")),
            payer=values.text(row.get("payer_name")), type=kind, account=values.whole(row.get("pay_account_id")),
            item=values.whole(row.get("pay_item_id")) or None,
            # 0, empty and the page's -1 all mean the base account
            subscription=subscription if subscription is not None and subscription > 0 else None,
            teacher=values.whole(row.get("teacher_id")) or None,
            goods=kind == GOODS_TYPE or bool(values.whole(row.get("commodity_id"))),
            confirmed=values.flag(row.get("is_confirmed", row.get("confirmed", ""))),
            fiscal=values.flag(row.get("is_fiscal", "")) is True,
            bank=values.text(row.get(rules.bank_field)) if rules.bank_field else "",
            day=values.day(row.get("document_date")), note=without_mark(values.text(row.get("note"))),
            # Templates read tags in any case, so names of fields are lower case here.
            custom={name.lower(): values.text(value) for name, value in row.items()
                    if name.startswith("custom_") and name not in rules.own_fields}, row=row)

    @property
    def fingerprint(self) -> str:
        """Changes when the payment changes in a way that may matter for its receipt (§3.4)."""
        row = self.row
        parts = [values.text(row.get(name)) for name in ("income", "expenditure", "bonus", "payer_name")]
        parts += [str(one) for one in (self.type, self.account, self.item, self.customer, self.subscription,
                                       self.confirmed, self.fiscal, self.day, self.note)]
        return hashlib.sha256(json.dumps([parts, sorted(self.custom.items())]).encode()).hexdigest()[:12]


def key(number: int, kind: Kind) -> str:
    """The source key: ``pay:731:sale`` or ``pay:731:return``.

    The branch is no part of it: payment ids come from one sequence per account, webhooks may leave the branch out
    (§3.2), and a payment that is moved to another branch must not get a second receipt.
    """
    return f"pay:{number}:{'return' if kind.is_return else 'sale'}"


def keys(number: int) -> tuple[str, str]:
    """Every source key that the payment may have."""
    return key(number, Kind.SALE), key(number, Kind.SALE_RETURN)


def kind_of(pay: Pay, rules: Rules, currency: str) -> Kind | None:
    """Sale or return by the owner's types; a correction below zero is a return when the owner said so. None: neither.
    Raises Invalid when a correction's sum is no number."""
    found = rules.kinds.get(pay.type) if pay.type is not None else None
    if found is None and pay.type == CORRECTION_TYPE and rules.corrections == "return" \
            and given_back(pay, currency).amount > 0:
        return Kind.SALE_RETURN
    return found


def given_back(pay: Pay, currency: str) -> Money:
    """What a correction gave back: its expenditure, or its income below zero (§2.6). Raises Invalid."""
    income = values.money(pay.row.get("income"), "income", currency)
    return values.money(pay.row.get("expenditure"), "expenditure", currency) or -income


def amount(pay: Pay, kind: Kind, currency: str) -> Money:
    """What the receipt is for. Refunds state ``expenditure``; some accounts enter them as (negative) income.
    Never negative for a return. Raises Invalid when the CRM sent no number."""
    income = values.money(pay.row.get("income"), "income", currency)
    if not kind.is_return:
        return income
    spent = values.money(pay.row.get("expenditure"), "expenditure", currency) or income
    return -spent if spent.amount < 0 else spent


@dataclass(frozen=True, slots=True)
class Around:
    """What was read around a payment: the customer's card, the subscription, names of things, the cashier, and for a
    return the key of the sale whose money went back."""

    customer: Mapping[str, Any] | None = None
    subscription: Mapping[str, Any] | None = None
    tariff: str = ""
    lessons: int | None = None
    subjects: str = ""
    branch: str = ""
    teacher: str = ""
    article: str = ""
    account: str = ""
    cashier: Cashier = Cashier()
    base_key: str = ""


#: A person's word about a payment: the two buttons of the CRM's own integration (§4.3).
BUTTONS: Mapping[str, Form] = {"cash": Form.CASH, "electronic": Form.ELECTRONIC}


def order(pay: Pay, around: Around, rules: Rules, kind: Kind, currency: str, button: str = "") -> Order:
    """The order of a payment whose verdict is a receipt, named by the template (§4.2). ``button`` is a person's word
    (:data:`BUTTONS`); without it the owner's rules say how it was paid.

    The same payment always gives the same order, whoever asks and whenever: a repeat must not look like a change.
    """
    due = amount(pay, kind, currency)
    paid = BUTTONS.get(button) or rules.form(pay.account, pay.type) or Form.ELECTRONIC
    tags = tags_of(pay, around)
    return Order(
        key=key(pay.id, kind), number=str(pay.id), lines=_lines(pay, around, rules, due),
        payments=(Payment(paid, due),), kind=kind,
        currency=currency, customer=_buyer(around.customer or {}, tags["legal"]),
        # The CRM knows a day only; noon of it in the account's zone never slips into another day.
        settled_at=datetime.combine(pay.day, time(12), rules.zone) if pay.day else None,
        internet=False if paid is Form.CASH else None, electronic_only=rules.electronic_only,
        tax_system=rules.tax_system, settlement_place=rules.settlement_place, cashier=around.cashier, note=pay.note,
        base_key=around.base_key, register=rules.registers.get(pay.branch, "") if pay.branch else "", tags=tags,
        payer=_payer(pay),
        origin={"pay": pay.id, "branch": pay.branch, "type": pay.type, "link": link(rules, pay),
                **({"button": button} if button else {})})


def _payer(pay: Pay) -> str | None:
    """Whose money it is, for what: the student's number, with the subscription's on a separate account (§3.4)."""
    if pay.customer is None:
        return None
    return f"{pay.customer}/{pay.subscription}" if pay.subscription else str(pay.customer)


def _lines(pay: Pay, around: Around, rules: Rules, due: Money) -> tuple[OrderLine, ...]:
    """One line; with a quantity that does not divide the sum two, whose prices are a kopeck apart."""
    base = OrderLine(name="", price=due, vat=rules.vat, subject=Subject.COMMODITY if pay.goods else rules.subject,
                     method=rules.item_methods.get(pay.item, rules.method) if pay.item else rules.method)
    count = quantity(pay, around, rules)
    if count <= 1 or due.amount < count:
        return (base,)
    each, left = divmod(due.amount, count)

    def part(pieces: int, price: int) -> OrderLine:
        return OrderLine(name="", price=Money(price, due.currency), quantity=Decimal(pieces), vat=base.vat,
                         subject=base.subject, method=base.method)

    return (part(count - left, each), part(left, each + 1)) if left else (part(count, each),)


def quantity(pay: Pay, around: Around, rules: Rules) -> int:
    """How many lessons the payment is for, by the owner's rule; 1 where nothing says."""
    if rules.quantity == "lessons":
        count = around.lessons
    elif rules.quantity == "field":
        count = values.whole(pay.custom.get(rules.quantity_field))
    else:
        return 1
    return count if count is not None and 1 < count <= MOST_LESSONS else 1


def tags_of(pay: Pay, around: Around) -> dict[str, str]:
    """Every tag of the guide (§4.2), empty where the payment has nothing for it, and its ``custom_`` fields."""
    card, subscription = around.customer or {}, around.subscription or {}
    student = values.text(card.get("name")) or pay.customer_name
    begin, end = (values.day(subscription.get(name)) for name in ("b_date", "e_date"))
    return {
        **pay.custom,
        "legal": values.text(card.get("legal_name")) or pay.payer or student,
        "customer": student or pay.payer,
        "note": pay.note,
        "pay.ctt.tariff_name": values.text(subscription.get("tariff_name")) or around.tariff,
        "pay.ctt.subjects": around.subjects,
        "pay.ctt.b_date": values.dotted(begin), "pay.ctt.e_date": values.dotted(end),
        "period": in_words(begin, end), "lessons": str(around.lessons or ""),
        "branch": around.branch, "teacher": around.teacher, "article": around.article, "account": around.account,
        "date": values.dotted(pay.day),
    }


def contact(card: Mapping[str, Any]) -> tuple[str, str]:
    """The first valid e-mail and the first valid phone of a card."""
    return (next((one for one in values.texts(card.get("email")) if valid_email(one)), ""),
            next((one for one in values.texts(card.get("phone")) if valid_phone(one)), ""))


def _buyer(card: Mapping[str, Any], name: str) -> Customer:
    """The valid contacts; if there is none, what was given, to be complained of."""
    mail, phone = contact(card)
    if not mail and not phone:
        mail, phone = ((values.texts(card.get(one)) or [""])[0] for one in ("email", "phone"))
    return Customer(name, mail, phone)


def link(rules: Rules, pay: Pay) -> str:
    """The student's card over there (§1); the CRM has no address of a payment that is known."""
    if pay.customer is None or pay.branch is None:
        return ""
    return f"{rules.origin}/company/{pay.branch}/customer/view?id={pay.customer}"
