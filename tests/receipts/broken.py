"""Receipts of which each breaks one rule and no other."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from hub.fiscal import (
    Agent,
    AgentSign,
    BuyerDetails,
    CashlessDetail,
    Correction,
    CorrectionType,
    Country,
    Ffd,
    Form,
    Fraction,
    IndustryProperty,
    Kind,
    Measure,
    Method,
    Money,
    OperationalProperty,
    Payment,
    PlannedStatus,
    Receipt,
    Subject,
    Supplier,
    TaxSystem,
    UserProperty,
)
from hub.fiscal.order import Cashier, Customer
from tests.receipts.make import (
    BIN,
    INN,
    MOSCOW,
    OTHER_INN,
    File,
    change_line,
    code,
    kz,
    kz_line,
    line,
    receipt,
    shop,
)

RU12 = Ffd.V1_2
MARKED: dict[str, Any] = {"marking": code(), "subject": Subject.COMMODITY_MARKED}
SUPPLIER = Supplier(OTHER_INN, "ООО «Поставщик»", ("+79990000000",))
AGENT = Agent(AgentSign.COMMISSION_AGENT)


def _one(rule: str, made: Receipt, why: str, name: str = "", **beside: Any) -> File:
    return f"broken-{rule.replace('_', '-')}{'-' + name if name else ''}", why, {"receipt": made, **beside}, (rule,)


def files() -> Iterator[File]:
    """Every broken file."""
    yield from _sums()
    yield from _vat()
    yield from _texts()
    yield from _people()
    yield from _agents()
    yield from _lines()
    yield from _properties()
    yield from _time()
    yield from _marking()
    yield from _corrections()
    yield from _kazakhstan()
    yield from _orders()
    yield from _others()


def _sums() -> Iterator[File]:
    yield _one("no_lines", replace(receipt(), lines=(), payments=()), "nothing is sold")
    yield _one("foreign_currency", receipt(paid={Form.ELECTRONIC: 10_000}, cashless=(
        CashlessDetail(Money(10_000, "USD"), 1),)), "a detail in dollars")
    yield _one("foreign_currency", change_line(receipt(), discount=Money(1, "KZT")), "a discount in tenge", "discount")
    yield _one("price_negative", receipt(line("Возврат", -1_000, vat="none"), line(price=11_000), paid={
        Form.ELECTRONIC: 10_000}), "a return inside a sale")
    yield _one("price_negative", receipt(paid={Form.ELECTRONIC: 11_000, Form.OTHER: -1_000}), "a payment below zero",
               "payment")
    yield _one("quantity_not_positive", receipt(line("Ничего", count=0), line()), "no quantity")
    yield _one("quantity_not_positive", receipt(replace(line("Минус"), quantity=-line().quantity), line()),
               "a quantity below zero", "minus")
    yield _one("quantity_places", receipt(line("Пыль", 10_000, "1.1234567")), "seven decimals")
    yield _one("quantity_places", kz(kz_line("Ет", 100_000, "1.2345")), "Kazakhstan has three", "kz")
    yield _one("quantity_fine", receipt(line("Золото", 10_000, "1.12345")), "more decimals than some registers print")
    yield _one("too_large", receipt(line("Дом", 10**13, vat="none")), "a price that no receipt holds")
    yield _one("too_large", receipt(line("Песчинка", 1, 100_000_000, vat="none")), "a quantity that none holds",
               "quantity")
    yield _one("too_large", receipt(*[line("Дом", 6 * 10**12, vat="none")] * 2), "a total that none holds", "total")
    yield _one("too_large", receipt(line(excise=Money(10**15))), "an excise that none holds", "excise")
    yield _one("too_large", kz(kz_line("Үй", 10**11, vat="none")), "Kazakhstan's limit of a price", "kz")
    yield _one("line_sum_differs", receipt(replace(line(), price=Money(9_000))), "price x quantity is not the sum")
    yield _one("line_sum_differs", kz(replace(kz_line(), price=Money(99_999, "KZT"))),
               "a tiyn is too much in Kazakhstan", "kz")
    yield _one("price_zero", receipt(line(), line("Доставка", 0, vat="none")), "for nothing")
    yield _one("sum_below_zero", receipt(line(discount=Money(-100))), "a discount below zero")
    yield _one("sum_below_zero", receipt(line(excise=Money(-100))), "an excise below zero", "excise")
    yield _one("no_payments", replace(receipt(), payments=()), "nobody says how it was paid")
    yield _one("sums_differ", receipt(paid={Form.ELECTRONIC: 9_999}), "a kopeck short")
    yield _one("sums_differ", shop(paid={Form.CASH: 10_001}), "a kopeck over, in cash", "over")
    yield _one("sums_differ", kz(paid={Form.ELECTRONIC: 99_999}), "a tiyn short", "kz")
    yield _one("cashless_over_total", receipt(paid={Form.ELECTRONIC: 10_001}), "a card pays more than is due")
    yield _one("payment_repeated", replace(receipt(), payments=(Payment(Form.ELECTRONIC, Money(5_000)),) * 2),
               "two payments of one form")
    yield _one("payment_repeated", replace(kz(), payments=(Payment(Form.CASH, Money(50_000, "KZT")),) * 2),
               "two payments of one form, Kazakhstan", "kz")
    yield _one("change_without_cash", receipt(change=Money(100)), "change from a card")
    yield _one("change_without_cash", shop(change=Money(-100)), "change below zero", "minus")


def _vat() -> Iterator[File]:
    yield _one("vat_unknown", change_line(receipt(), vat="vat19"), "no such rate")
    yield _one("vat_unknown", change_line(kz(), vat="vat22"), "a rate of another country", "kz")
    yield _one("vat_outdated", receipt(line(vat="vat20")), "20 % in 2026")
    yield _one("vat_outdated", receipt(settled_at=datetime(2025, 12, 31, 12, tzinfo=MOSCOW)), "22 % in 2025", "early")
    yield _one("vat_outdated", receipt(kind=Kind.SALE_RETURN, settled_at=datetime(2025, 12, 31, 12, tzinfo=MOSCOW)),
               "a return at a rate that was not yet", "return")
    yield _one("vat_outdated", kz(kz_line(vat="vat12")), "12 % in 2026, Kazakhstan", "kz")
    yield _one("vat_outdated", shop(correction=Correction(CorrectionType.OWN, date(2025, 6, 1))),
               "a correction takes the rates of its base date", "correction")
    yield _one("vat_sum_differs", change_line(receipt(), vat_amount=Money(1_900)), "VAT counted wrongly")
    yield _one("vat_sum_differs", change_line(kz(), vat_amount=Money(13_794, "KZT")),
               "a tiyn is too much in Kazakhstan", "kz")
    yield _one("vat_sum_differs", change_line(receipt(line(price=1, vat="vat22")), vat_amount=Money(-1)),
               "VAT below zero", "minus")
    for key in ("vat0", "none"):
        yield _one("vat_sum_differs", change_line(receipt(line(vat=key)), vat_amount=Money(1)),
                   "a kopeck of VAT where there is none", key)
    yield _one("vat_not_calculated", receipt(line(method=Method.FULL_PREPAYMENT)), "a prepayment at a direct rate")
    yield _one("vat_not_direct", receipt(line(vat="vat122")), "goods at a calculated rate")
    yield _one("vat_tax_system", receipt(line(vat="vat5")), "5 % without the simplified system")
    yield _one("vat_tax_system", receipt(tax_system=TaxSystem.PATENT), "VAT on a patent", "patent")


def _texts() -> Iterator[File]:
    yield _one("name_missing", change_line(receipt(), name=" \u200b "), "a name that nobody sees")
    for name, unseen in (("accent", "\u0301"), ("variation", "\ufe0f"), ("joiner", "\u034f")):
        yield _one("name_missing", change_line(receipt(), name=unseen), "a mark on no letter prints as nothing", name)
        yield _one("name_missing", kz(kz_line(unseen)), "a mark on no letter prints as nothing", f"{name}-kz")
    for field, made in _long():
        yield _one("text_too_long", made, f"{field} is too long", field.replace("_", "-").replace(".", "-"))
    yield _one("group_too_long", receipt(user_property=UserProperty("я" * 64, "я" * 256)), "each fits, both do not")
    yield _one("group_too_long", receipt(line(agent=replace(AGENT, phones=("+79990000000",) * 40),
                                              supplier=SUPPLIER)), "forty phones", "phones")
    yield _one("key_wrong", receipt(key=""), "no key")
    yield _one("key_wrong", kz(key="k" * 47), "a key too long for a cloud", "kz")


def _long() -> Iterator[tuple[str, Receipt]]:
    """(what is too long, receipt): each text tag by one character."""
    yield "name", change_line(receipt(), name="я" * 129)
    yield "kz_name", kz(kz_line("қ" * 256))
    yield "kz_email", kz(contact="a" * 40 + "@mail.example")
    yield "buyer", receipt(customer=Customer("я" * 257))
    yield "cashier", receipt(cashier=Cashier("я" * 65))
    yield "place", receipt(settlement_place="https://shop.example/" + "a" * 240)
    yield "address", receipt(settlement_address="я" * 257)
    yield "sender", receipt(sender_email="a" * 60 + "@b.example")
    yield "seller", receipt(seller_name="я" * 257)
    yield "additional", receipt(additional="x" * 17)
    yield "property_name", receipt(user_property=UserProperty("я" * 65, "1"))
    yield "property_value", receipt(user_property=UserProperty("я", "1" * 257))
    yield "correction_number", shop(correction=Correction(CorrectionType.BY_ORDER, date(2026, 11, 1), "1" * 33))
    yield "correction_description", shop(correction=Correction(CorrectionType.OWN, date(2026, 11, 1), "",
                                                               "я" * 257))
    yield "document", receipt(ffd=RU12, customer=Customer(details=BuyerDetails(document="1" * 65)))
    yield "buyer_address", receipt(ffd=RU12, customer=Customer(details=BuyerDetails(address="я" * 257)))
    yield "operation", receipt(line(agent=replace(AGENT, operation="я" * 25), supplier=SUPPLIER))
    yield "transfer_name", receipt(line(agent=replace(AGENT, transfer_name="я" * 65), supplier=SUPPLIER))
    yield "transfer_address", receipt(line(agent=replace(AGENT, transfer_address="я" * 257), supplier=SUPPLIER))
    yield "supplier", receipt(line(agent=AGENT, supplier=replace(SUPPLIER, name="я" * 257)))
    yield "line_additional", receipt(line(additional="я" * 65))
    yield "unit", receipt(line(unit="я" * 17))
    yield "declaration", receipt(line(declaration="1" * 33))
    yield "industry_number", receipt(ffd=RU12, industry=(IndustryProperty("030", date(2026, 1, 1), "1" * 33, "v"),))
    yield "industry_value", receipt(line(industry=(
        IndustryProperty("030", date(2026, 1, 1), "1", "v" * 257),)), ffd=RU12)
    yield "operational", receipt(ffd=RU12, operational=OperationalProperty(
        1, "1" * 65, datetime(2026, 11, 20, 12, tzinfo=MOSCOW)))
    yield "cashless_id", receipt(cashless=(CashlessDetail(Money(10_000), 1, "1" * 257),))
    yield "cashless_extra", receipt(cashless=(CashlessDetail(Money(10_000), 1, "1", "я" * 257),))


def _people() -> Iterator[File]:
    yield _one("contact_missing", receipt(contact=""), "the Internet needs a contact")
    yield _one("contact_missing", shop(electronic_only=True), "an electronic receipt needs a contact", "electronic")
    yield _one("contact_wrong", receipt(contact="нет почты"), "neither e-mail nor phone")
    yield _one("sender_missing", receipt(electronic_only=True, sender_email=""), "an electronic receipt has a sender")
    yield _one("internet_place", receipt(settlement_place=""), "no site")
    yield _one("internet_place", receipt(settlement_place="Москва, ул. Ленина 1"), "a street is no site", "street")
    yield _one("buyer_inn_wrong", receipt(customer=Customer("ООО", inn="7707083894")), "a check digit")
    yield _one("buyer_inn_wrong", kz(customer=Customer("ЖШС", inn="98104000012")), "eleven digits", "kz")
    yield _one("cashier_inn_wrong", receipt(cashier=Cashier("Иванова", "500100732258")), "a check digit")
    yield _one("cashier_inn_wrong", receipt(cashier=Cashier("Иванова", INN)), "a company is no cashier", "company")
    yield _one("seller_inn_wrong", receipt(seller_inn="7707083894"), "a check digit")
    yield _one("seller_inn_wrong", receipt(seller_inn="    7707083893"), "blanks would be written, and digits cut",
               "blanks")
    yield _one("buyer_inn_wrong", receipt(customer=Customer("ООО", inn=OTHER_INN + " ")), "a blank after it", "blank")
    yield _one("cashier_inn_wrong", receipt(cashier=Cashier("Иванова", " 500100732259")), "a blank before it", "blank")
    yield _one("tax_system_missing", receipt(tax_system=None), "no tax system")
    yield _one("tax_system_ended", receipt(line(vat="none"), tax_system=TaxSystem.ENVD), "ENVD in 2026")
    yield _one("citizenship_wrong", receipt(ffd=RU12, customer=Customer(details=BuyerDetails(citizenship="RU"))),
               "letters")
    yield _one("document_kind_wrong", receipt(ffd=RU12, customer=Customer(details=BuyerDetails(document_kind="1"))),
               "one digit")


def _agents() -> Iterator[File]:
    yield _one("supplier_inn_missing", receipt(line(agent=AGENT)), "an agent without a supplier")
    yield _one("supplier_inn_missing", receipt(line(agent=AGENT, supplier=replace(SUPPLIER, inn=""))),
               "a supplier without INN", "empty")
    yield _one("supplier_phones_missing", receipt(line(agent=Agent(AgentSign.PAYING_AGENT), supplier=Supplier(
        OTHER_INN, "ООО"))), "a paying agent's supplier has phones")
    yield _one("supplier_without_agent", receipt(line(supplier=SUPPLIER)), "a supplier without an agent")
    yield _one("supplier_inn_wrong", receipt(line(agent=AGENT, supplier=replace(SUPPLIER, inn="7728168972"))),
               "a check digit")
    yield _one("supplier_inn_wrong", receipt(line(agent=replace(AGENT, transfer_inn="123"), supplier=SUPPLIER)),
               "the transfer operator's INN", "transfer")
    yield _one("supplier_inn_wrong", receipt(line(agent=AGENT, supplier=replace(SUPPLIER, inn=f" {OTHER_INN}"))),
               "a blank before it", "blank")
    yield _one("phone_wrong", receipt(line(agent=replace(AGENT, phones=("нет",)), supplier=SUPPLIER)), "no phone")
    yield _one("phone_wrong", receipt(line(agent=AGENT, supplier=replace(SUPPLIER, phones=("+7 (999) 000-00-00 x",)))),
               "too long a phone", "long")
    for version in (Ffd.V1_1, RU12):
        yield _one("agent_on_document", receipt(agent=AGENT, supplier=SUPPLIER, ffd=version),
                   f"FFD {version.value} has agents on lines", version.value.replace(".", ""))


def _lines() -> Iterator[File]:
    for subject in Subject:
        if subject.value >= 30:
            yield _one("subject_needs_ffd12", receipt(line(subject=subject, marking="" if subject.value % 2 == 0 else
                       code())), f"payment object {subject.value} in FFD 1.05", str(subject.value))
    yield _one("subject_not_payment", receipt(line(vat="vat122", method=Method.ADVANCE)), "an advance for goods")
    yield _one("subject_not_payment", receipt(line(method=Method.CREDIT_PAYMENT)), "credit paid off for goods",
               "credit")
    yield _one("country_wrong", receipt(line(country="CN")), "letters")
    yield _one("unit_ignored", receipt(line(unit="шт"), ffd=RU12), "a unit as text in FFD 1.2")
    yield _one("department_wrong", receipt(line(department=-1)), "a department below zero")
    for version in (Ffd.V1_05, Ffd.V1_1):
        yield _one("field_needs_ffd12", receipt(ffd=version, customer=Customer(details=BuyerDetails(
            citizenship="643"))), f"a buyer's details in FFD {version.value}", version.value.replace(".", ""))
    yield _one("field_needs_ffd12", receipt(line(industry=(IndustryProperty("030", date(2026, 1, 1), "1", "v"),))),
               "an industry property in FFD 1.05", "industry")


def _properties() -> Iterator[File]:
    yield _one("user_property_half", receipt(user_property=UserProperty("Заказ", "")), "a name without a value")
    yield _one("industry_body_wrong", receipt(ffd=RU12, industry=(
        IndustryProperty("30", date(2026, 1, 1), "1", "v"),)), "two digits")
    yield _one("industry_body_wrong", receipt(line(industry=(
        IndustryProperty("abc", date(2026, 1, 1), "1", "v"),)), ffd=RU12), "letters", "line")
    yield _one("operation_wrong", receipt(ffd=RU12, operational=OperationalProperty(
        256, "data", datetime(2026, 11, 20, 12, tzinfo=MOSCOW))), "more than a byte")
    yield _one("date_impossible", receipt(ffd=RU12, operational=OperationalProperty(
        1, "data", datetime(1950, 1, 1, tzinfo=MOSCOW))), "before there were registers")
    yield _one("date_impossible", shop(line(vat="none"), correction=Correction(CorrectionType.OWN, date(1950, 1, 1))),
               "a base date of 1950", "correction")
    yield _one("cashless_method_wrong", receipt(cashless=(CashlessDetail(Money(10_000), 256),)), "more than a byte")
    yield _one("cashless_sum_differs", receipt(cashless=(CashlessDetail(Money(9_999), 1),)), "a kopeck short")
    yield _one("cashless_sum_differs", shop(cashless=(CashlessDetail(Money(10_000), 1),)), "paid in cash", "cash")


def _time() -> Iterator[File]:
    yield _one("methods_mixed", receipt(line(), line(vat="vat122", method=Method.FULL_PREPAYMENT)),
               "goods and a prepayment at once")
    yield _one("credit_unpaid", shop(line(method=Method.CREDIT)), "credit that is paid")
    yield _one("partial_without_credit", shop(line(method=Method.PARTIAL_PAYMENT)), "nothing stays on credit")
    yield _one("credit_unasked", shop(paid={Form.CREDIT: 10_000}), "a full settlement on credit")
    yield _one("prepaid_for_prepayment", receipt(line(vat="vat122", method=Method.PREPAYMENT),
                                                 paid={Form.PREPAID: 10_000}), "a prepayment pays a prepayment")


def _marking() -> Iterator[File]:
    yield _one("marking_quantity", shop(line("Кроссовки", 10_000, 2, **MARKED), ffd=RU12), "one code, two pieces")
    yield _one("marking_quantity", kz(kz_line("Темекі", 10_000, 2, marking=code())), "the same in Kazakhstan", "kz")
    yield _one("marking_quantity", shop(line("Таблетки", 10_000, 5, fraction=Fraction(1, 2), **MARKED), ffd=RU12),
               "five halves of one package", "fraction")
    yield _one("marking_repeated", shop(line(**MARKED), line(**MARKED), ffd=RU12), "one code twice")
    for name, same in (("prefix", "]d2" + code()), ("bare", code().replace("\x1d", "")),
                       ("base64", b64encode(code().encode()).decode())):
        yield _one("marking_repeated", shop(line(**MARKED), line(**{**MARKED, "marking": same}), ffd=RU12),
                   f"one code twice, written in another way: {name}", name)
    yield _one("marking_unreadable", shop(line(**{**MARKED, "marking": "абв"}), ffd=RU12), "letters of a keyboard")
    yield _one("marking_unreadable", shop(line(marking=code().replace("015", "016", 1)), ffd=Ffd.V1_05),
               "a check digit", "digit")
    yield _one("marking_unverified", shop(line(**{**MARKED, "marking": code()[:31]}), ffd=RU12), "without its tail")
    yield _one("marking_not_goods", shop(line(marking=code(), subject=Subject.SERVICE)), "a service with a code")
    yield _one("marking_missing", shop(line(subject=Subject.COMMODITY_MARKED), ffd=RU12), "no code")
    yield _one("marking_missing", shop(line(subject=Subject.EXCISE_MARKED), ffd=RU12), "no code, excise", "excise")
    yield _one("marking_unexpected", shop(line(marking=code(), subject=Subject.COMMODITY_UNMARKED), ffd=RU12),
               "a code after all")
    yield _one("marking_plain_subject", shop(line(marking=code()), ffd=RU12), "plain goods with a code")
    yield _one("marking_prepaid", receipt(line(vat="vat122", method=Method.FULL_PREPAYMENT, **MARKED), ffd=RU12),
               "a code in a prepayment")
    yield _one("fraction_wrong", shop(line(fraction=Fraction(2, 2), **MARKED), ffd=RU12), "two halves")
    yield _one("fraction_wrong", shop(line(fraction=Fraction(0, 2), **MARKED), ffd=RU12), "nothing of two", "zero")
    yield _one("fraction_without_marking", shop(line(fraction=Fraction(1, 2)), ffd=RU12), "no code")
    yield _one("fraction_measure", shop(line(fraction=Fraction(1, 2), measure=Measure.KILOGRAM, **MARKED), ffd=RU12),
               "half a kilogram is a weight")
    yield _one("fraction_needs_ffd12", shop(line(fraction=Fraction(1, 2), marking=code())), "FFD 1.05")
    yield _one("planned_status_kind", shop(line(planned_status=PlannedStatus.PIECE_RETURNED, **MARKED), ffd=RU12),
               "returned in a sale")
    yield _one("planned_status_kind", shop(line(planned_status=PlannedStatus.PIECE_SOLD, **MARKED), ffd=RU12,
                                           kind=Kind.SALE_RETURN), "sold in a return", "return")
    yield _one("planned_status_measure", shop(line(planned_status=PlannedStatus.MEASURED_SOLD, **MARKED), ffd=RU12),
               "a piece as measured")
    yield _one("planned_status_alone", shop(line(planned_status=PlannedStatus.PIECE_SOLD), ffd=RU12), "no code")


def _corrections() -> Iterator[File]:
    own = Correction(CorrectionType.OWN, date(2026, 11, 1))
    order = Correction(CorrectionType.BY_ORDER, date(2026, 11, 1), "12")
    for kind in (Kind.SALE_RETURN, Kind.PURCHASE_RETURN):
        yield _one("correction_kind", shop(kind=kind, correction=own), "FFD 1.05 corrects no returns",
                   kind.name.lower().replace("_", "-"))
    yield _one("correction_future", shop(correction=replace(own, day=date(2026, 11, 21))), "tomorrow")
    yield _one("correction_number_missing", shop(correction=replace(order, number=" ")), "no number")
    yield _one("correction_number_unasked", shop(correction=replace(own, number="12"), ffd=RU12), "a number of nothing")
    yield _one("correction_description", shop(correction=replace(own, description="Забыли"), ffd=RU12),
               "FFD 1.2 has none")
    yield _one("correction_sign_wrong", shop(correction=replace(own, fiscal_sign="75467426x"), ffd=RU12), "a letter")
    yield _one("correction_sign_wrong", shop(correction=replace(own, fiscal_sign="4294967296"), ffd=RU12),
               "more than four bytes", "large")
    yield _one("correction_property_taken", shop(correction=replace(own, fiscal_sign="754674267"), ffd=RU12,
                                                 additional="заказ 5"), "two in one tag")
    yield _one("correction_unknown", kz(correction=own), "Kazakhstan has none")


def _kazakhstan() -> Iterator[File]:
    for form in (Form.PREPAID, Form.OTHER):
        yield _one("payment_form_unknown", kz(paid={form: 100_000}), f"no {form.name.lower()} in Kazakhstan",
                   form.name.lower())
    yield _one("credit_old_protocol", kz(paid={Form.CREDIT: 100_000}), "credit is of the old protocol")
    yield _one("measure_unknown", kz(kz_line(measure=Measure.GIGACALORIE)), "not in the list of units")
    yield _one("fraction_unknown", kz(kz_line(marking=code(), fraction=Fraction(1, 2))), "half of a package")
    yield ("broken-fraction-five-kz", "five halves of one package", {"receipt": kz(
        kz_line("Дәрі", 10_000, 5, marking=code(), fraction=Fraction(1, 2)))}, ("fraction_unknown", "marking_quantity"))
    yield _one("too_large", kz(*[kz_line("Үй", 999_999_999_00, vat="none")] * 9), "ten digits in all", "total-kz")
    yield _one("too_large", kz(kz_line("Үй", 999_999_999_00, vat="none"), paid={Form.CASH: 999_999_999_00},
                               change=Money(100, "KZT")), "ten digits with the change", "change-kz")
    yield _one("vat_outdated", replace(receipt(line(vat="vat20")), settled_at=None), "20 % today, and no day said",
               "today")
    yield _one("buyer_is_seller", kz(customer=Customer("ЖШС", inn=BIN)), "bought from oneself")


def _orders() -> Iterator[File]:
    terms = {"tax_system": "OSN", "default_vat": "vat22", "settlement_place": "https://shop.example"}
    order: dict[str, Any] = {
             "number": "A-1", "settled_at": "2026-11-20T11:45:00+03:00", "customer": {"email": "buyer@mail.example"},
             "lines": [{"name": "Чай чёрный", "price": "500.00"}],
             "payments": [{"form": "electronic", "amount": "499.00"}]}
    for rule, why, more, said in (
            ("discount_too_big", "a discount above the price", {"discount": "500.01"}, {}),
            ("discount_negative", "a discount below zero", {"discount": "-1.00"}, {}),
            ("markup_negative", "a markup below zero", {"markup": "-1.00"}, {}),
            ("given_twice", "a discount in money and in percent", {"discount": "1.00", "discount_percent": 1}, {}),
            ("percent_wrong", "a discount of 101 %", {"discount_percent": 101}, {}),
            ("nothing_to_pay", "a discount of all", {"discount_percent": 100}, {"payments": [
                {"form": "electronic", "amount": "0.00"}]}),
            ("marked_price", "three marked kilograms that no price divides", {
                "discount": "0.01", "quantity": 3, "measure": "KILOGRAM", "marking": code(),
                "subject": "COMMODITY_MARKED"}, {})):
        yield (f"broken-order-{rule.replace('_', '-')}", why, {"order": {
            **order, **said, "lines": [{**order["lines"][0], **more}]}, "terms": {**terms, "ffd": "1.2"}}, (rule,))
    yield ("broken-order-name-missing", "names of which nothing is printed", {"order": {
        **order, "lines": [{"name": "", "price": "1.00"}, {"name": "\u0301", "price": "498.00"}]}, "terms": terms},
        ("name_missing",))
    yield ("broken-order-sums-differ", "an order that does not add up", {"order": order, "terms": terms},
           ("sums_differ",))


def _others() -> Iterator[File]:
    yield "broken-cash-move-zero", "nothing moves", {"cash_move": {"amount": 0}}, ("cash_move_zero",)
    yield ("broken-cash-move-over", "more than the drawer holds",
           {"cash_move": {"amount": "-100.01", "drawer": "100.00"}}, ("cash_move_over",))
    yield ("broken-cash-move-currency", "in dollars", {"cash_move": {"amount": [100, "USD"]}}, ("foreign_currency",))
    yield ("broken-cash-move-large", "more than Kazakhstan's boxes take",
           {"cash_move": {"amount": "1000000000", "country": "KZ"}}, ("too_large",))
    good: dict[str, Any] = {"title": "Касса 1", "ffd": "1.05", "tax_systems": 1, "inn": INN}
    for rule, made, has in (
            ("fit_country", kz(), {"countries": ["RU"]}),
            ("fit_inn", receipt(), {**good, "inn": OTHER_INN}),
            ("fit_tax_system", receipt(), {**good, "tax_systems": 2}),
            ("fit_ffd", receipt(ffd=RU12), good),
            ("fit_internet", shop(), {**good, "internet": True}),
            ("fit_place", shop(), {**good, "settlement_place": "Склад"}),
            ("fit_marking", shop(line(marking=code())), {**good, "marking": False}),
            ("fit_agent", receipt(line(agent=AGENT, supplier=SUPPLIER)), {**good, "agent_signs": 1}),
            ("fit_electronic", receipt(electronic_only=True), {**good, "electronic_only": False})):
        yield _one(rule, made, "a register that does not fit", registration={"title": "Касса 1", **has})


__all__ = ["Country", "files"]
