"""AlfaCRM's payment to our order: which payments become receipts, and what stands in them (alfacrm.md §2.6, §4).

Pure: what the CRM said comes in as rows, nothing is asked from here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from hub_plugins.alfacrm import values
from hub_plugins.alfacrm.settings import CORRECTION_TYPE, GOODS_TYPE, Rules

from hub.contracts import NoOrder, Text
from hub.fiscal import Cashier, Customer, Form, Kind, Money, Order, OrderLine, Payment, Subject
from hub.fiscal.contact import email as valid_email
from hub.fiscal.contact import phone as valid_phone

#: The default text of the CRM's own integration (§4.2), with the note as an optional part.
TEMPLATE = "<legal|customer> за обучение <customer>[ - <note>]"

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
    "branch": Text("Branch", "Филиал"),
    "teacher": Text("Teacher of the payment", "Педагог из платежа"),
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
    """One row of ``pay/index`` (§2.6). Sums stay as they came until :func:`amount` reads them."""

    id: int
    branch: int | None
    customer: int | None
    customer_name: str
    payer: str
    type: int | None
    account: int | None
    subscription: int | None
    teacher: int | None
    goods: bool
    confirmed: bool | None
    fiscal: bool
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
            # 0, empty and the page's -1 all mean the base account
            subscription=subscription if subscription is not None and subscription > 0 else None,
            teacher=values.whole(row.get("teacher_id")) or None,
            goods=kind == GOODS_TYPE or bool(values.whole(row.get("commodity_id"))),
            confirmed=values.flag(row.get("is_confirmed", row.get("confirmed", ""))),
            fiscal=values.flag(row.get("is_fiscal", "")) is True, day=values.day(row.get("document_date")),
            note=without_mark(values.text(row.get("note"))),
            # Templates read tags in any case, so names of fields are lower case here.
            custom={name.lower(): values.text(value) for name, value in row.items()
                    if name.startswith("custom_") and name not in rules.own_fields}, row=row)

    @property
    def fingerprint(self) -> str:
        """Changes when the payment changes in a way that may matter for its receipt (§3.4)."""
        row = self.row
        parts = [values.text(row.get(name)) for name in ("income", "expenditure", "bonus", "payer_name")]
        parts += [str(one) for one in (self.type, self.account, self.customer, self.subscription, self.confirmed,
                                       self.fiscal, self.day, self.note)]
        return hashlib.sha256(json.dumps([parts, sorted(self.custom.items())]).encode()).hexdigest()[:12]


def key(number: int, kind: Kind) -> str:
    """The source key: ``pay:731:sale`` or ``pay:731:return``.

    The branch is no part of it: payment ids come from one sequence per account, webhooks may leave the branch out
    (§3.2), and a payment that is moved to another branch must not get a second receipt.
    """
    return f"pay:{number}:{'return' if kind.is_return else 'sale'}"


def amount(pay: Pay, kind: Kind, currency: str) -> Money:
    """What the receipt is for. Refunds state ``expenditure``; some accounts enter them as (negative) income.
    Never negative for a return. Raises Invalid when the CRM sent no number."""
    income = values.money(pay.row.get("income"), "income", currency)
    if not kind.is_return:
        return income
    spent = values.money(pay.row.get("expenditure"), "expenditure", currency) or income
    return -spent if spent.amount < 0 else spent


def refusal(pay: Pay, rules: Rules, currency: str) -> NoOrder | None:
    """Why this payment gets no receipt, if it gets none. Corrections are the caller's business when they ask."""
    said: dict[str, Any] = {"id": pay.id, "type": pay.type if pay.type is not None else "-", "account": pay.account}
    if pay.fiscal:
        return _no("Payment {id} has been fiscalised by AlfaCRM's own register integration.",
                   "Платёж {id} уже фискализирован встроенной онлайн-кассой АльфаCRM.", said)
    kind = rules.kinds.get(pay.type) if pay.type is not None else None
    if kind is None:
        if pay.type == CORRECTION_TYPE:
            return _no("Payment {id} is a correction; the settings say: no receipt.",
                       "Платёж {id} — корректировка, по настройкам чек для неё не нужен.", said)
        return _no("Payment {id} has type {type}, which the settings match to neither sale nor return.",
                   "У платежа {id} тип {type}, в настройках он не отнесён ни к приходу, ни к возврату.", said)
    if rules.form(pay.account) is None:
        return _no("Payment {id} is on account {account}; the settings say: no receipt from here.",
                   "Платёж {id} проведён по кассе {account}, для неё в настройках выбрано «чек не нужен».", said)
    if rules.only_confirmed and pay.confirmed is False:
        return _no("Payment {id} is not confirmed yet. It is looked at again when it is.",
                   "Платёж {id} ещё не подтверждён. Когда подтвердят, чек будет пробит.", said)
    if values.money(pay.row.get("bonus"), "bonus", currency):
        return _no("Payment {id} was made with bonuses, wholly or in part. If money was paid too, make that receipt "
                   "by hand.", "Платёж {id} полностью или частично оплачен бонусами. Если были и деньги, пробейте "
                   "чек на них вручную.", said)
    due = amount(pay, kind, currency)
    if not due:
        return _no("Payment {id} is for 0.00, so there is nothing to print.",
                   "Сумма платежа {id} — 0,00, печатать нечего.", said)
    if due.amount < 0:
        return _no("Payment {id} is negative ({amount}). If money was given back, enter it as a refund.",
                   "Сумма платежа {id} отрицательная ({amount}). Если деньги вернули, оформите это платежом с типом "
                   "«возврат».", {**said, "amount": str(due)})
    return None


def _no(en: str, ru: str, params: Mapping[str, Any]) -> NoOrder:
    return NoOrder(Text(en, ru, params=params))


@dataclass(frozen=True, slots=True)
class Around:
    """What was read around a payment: the customer's card, the subscription, names of things, the cashier."""

    customer: Mapping[str, Any] | None = None
    subscription: Mapping[str, Any] | None = None
    tariff: str = ""
    subjects: str = ""
    branch: str = ""
    teacher: str = ""
    cashier: Cashier = Cashier()


def order(pay: Pay, around: Around, rules: Rules, currency: str) -> Order:
    """The order of a payment that :func:`refusal` lets pass: one line, quantity 1, named by the template (§4.2).

    The same payment always gives the same order, whoever asks and whenever: a repeat must not look like a change.
    """
    kind = rules.kinds[pay.type or 0]
    due = amount(pay, kind, currency)
    form = rules.form(pay.account) or Form.ELECTRONIC
    tags = tags_of(pay, around)
    line = OrderLine(name="", price=due, vat=rules.vat, subject=Subject.COMMODITY if pay.goods else rules.subject)
    return Order(
        key=key(pay.id, kind), number=str(pay.id), lines=(line,), payments=(Payment(form, due),), kind=kind,
        currency=currency, customer=_buyer(around.customer or {}, tags["legal"]),
        # The CRM knows a day only; noon of it in the account's zone never slips into another day.
        settled_at=datetime.combine(pay.day, time(12), rules.zone) if pay.day else None,
        internet=False if form is Form.CASH else None, electronic_only=rules.electronic_only,
        settlement_place=rules.settlement_place, cashier=around.cashier, note=pay.note, tags=tags,
        origin={"pay": pay.id, "branch": pay.branch, "type": pay.type,
                "link": _link(rules, pay)})


def tags_of(pay: Pay, around: Around) -> dict[str, str]:
    """Every tag of the guide (§4.2), empty where the payment has nothing for it, and its ``custom_`` fields."""
    card, subscription = around.customer or {}, around.subscription or {}
    student = values.text(card.get("name")) or pay.customer_name
    return {
        **pay.custom,
        "legal": values.text(card.get("legal_name")) or pay.payer or student,
        "customer": student or pay.payer,
        "note": pay.note,
        "pay.ctt.tariff_name": values.text(subscription.get("tariff_name")) or around.tariff,
        "pay.ctt.subjects": around.subjects,
        "pay.ctt.b_date": values.dotted(values.day(subscription.get("b_date"))),
        "pay.ctt.e_date": values.dotted(values.day(subscription.get("e_date"))),
        "branch": around.branch, "teacher": around.teacher, "date": values.dotted(pay.day),
    }


def _buyer(card: Mapping[str, Any], name: str) -> Customer:
    """The first valid e-mail and the first valid phone; if neither is valid, what was given, to be complained of."""
    mails, phones = values.texts(card.get("email")), values.texts(card.get("phone"))
    mail = next((one for one in mails if valid_email(one)), "")
    phone = next((one for one in phones if valid_phone(one)), "")
    if not mail and not phone:
        mail, phone = (mails or [""])[0], (phones or [""])[0]
    return Customer(name, mail, phone)


def _link(rules: Rules, pay: Pay) -> str:
    if pay.customer is None or pay.branch is None:
        return ""
    return f"{rules.origin}/company/{pay.branch}/customer/view?id={pay.customer}"
