"""Receipts that no rule objects to: every kind, both countries, each format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
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
    PlannedStatus,
    Receipt,
    Subject,
    Supplier,
    TaxSystem,
    UserProperty,
)
from hub.fiscal import vat as vat_rates
from hub.fiscal.order import Customer
from tests.receipts.make import (
    BUYER_BIN,
    MOSCOW,
    OTHER_INN,
    PERSON,
    File,
    code,
    ffd,
    kz,
    kz_line,
    line,
    receipt,
    shop,
)


def _good(name: str, about: str, made: Receipt, **beside: Any) -> File:
    return f"good-{name}", about, {"receipt": made, **beside}, ()


def files() -> Iterator[File]:
    """Every good file."""
    yield from _kinds()
    yield from _rates()
    yield from _methods()
    yield from _lines()
    yield from _agents()
    yield from _corrections()
    yield from _marked()
    yield from _properties()
    yield from _kazakhstan()
    yield from _orders()
    yield from _others()


def _kinds() -> Iterator[File]:
    for version in Ffd:
        for kind in Kind:
            name = kind.name.lower().replace("_", "-")
            yield _good(f"ru-{ffd(version)}-{name}-internet", f"{name} on the Internet, FFD {version.value}",
                        receipt(kind=kind, ffd=version))
            yield _good(f"ru-{ffd(version)}-{name}-counter", f"{name} over a counter, FFD {version.value}",
                        shop(line(), line("Сахар", 5_050, "1.250"), kind=kind, ffd=version))
        yield _good(f"ru-{ffd(version)}-mixed", "cash, card, offset and barter in one receipt, with change",
                    shop(line(price=100_000), ffd=version, change=Money(50_00), paid={
                        Form.CASH: 20_000, Form.ELECTRONIC: 30_000, Form.PREPAID: 40_000, Form.OTHER: 10_000}))


def _rates() -> Iterator[File]:
    for rate in vat_rates.RATES:
        if rate.country is not Country.RU:
            continue
        day = datetime(2026, 11, 20, 12, tzinfo=MOSCOW) if rate.until.year == 9999 else datetime(
            rate.until.year, rate.until.month, rate.until.day, 12, tzinfo=MOSCOW)
        system = TaxSystem.USN_INCOME if rate.percent in (5, 7) else TaxSystem.OSN
        method = Method.FULL_PREPAYMENT if rate.calculated else Method.FULL_PAYMENT
        yield _good(f"ru-vat-{rate.key}", f"VAT {rate.key} on {day:%d.%m.%Y}",
                    receipt(line(vat=rate.key, method=method), tax_system=system, settled_at=day))
    for key in ("vat20", "vat18"):
        yield _good(f"ru-return-{key}", "a return in 2026 of what was sold at the rate of its time",
                    receipt(line(vat=key), kind=Kind.SALE_RETURN))
    for system in (TaxSystem.USN_INCOME, TaxSystem.USN_INCOME_EXPENSE, TaxSystem.ESHN, TaxSystem.PATENT):
        yield _good(f"ru-tax-{system.name.lower().replace('_', '-')}", f"tax system {system.name}, without VAT",
                    receipt(line(vat="none"), tax_system=system))
    yield _good("ru-tax-envd-2020", "the tax on imputed income while it existed",
                receipt(line(vat="none"), tax_system=TaxSystem.ENVD,
                        settled_at=datetime(2020, 12, 31, 12, tzinfo=MOSCOW)))


def _methods() -> Iterator[File]:
    pay = Subject.PAYMENT
    yield _good("ru-full-prepayment", "all paid, goods known",
                receipt(line(vat="vat122", method=Method.FULL_PREPAYMENT)))
    yield _good("ru-prepayment", "a part paid, goods known", receipt(line(vat="vat122", method=Method.PREPAYMENT)))
    yield _good("ru-advance", "an advance, goods unknown",
                receipt(line("Аванс", vat="vat122", method=Method.ADVANCE, subject=pay)))
    yield _good("ru-offset", "goods handed over, the whole offset", receipt(line(), paid={Form.PREPAID: 10_000}))
    yield _good("ru-offset-and-rest", "goods handed over, a part offset, the rest by card",
                receipt(line(), paid={Form.ELECTRONIC: 4_000, Form.PREPAID: 6_000}))
    yield _good("ru-credit", "handed over unpaid", shop(line(method=Method.CREDIT), paid={Form.CREDIT: 10_000}))
    yield _good("ru-partial", "a part paid, the rest on credit",
                shop(line(method=Method.PARTIAL_PAYMENT), paid={Form.CASH: 3_000, Form.CREDIT: 7_000}))
    yield _good("ru-credit-payment", "credit paid off",
                receipt(line("Погашение кредита", method=Method.CREDIT_PAYMENT, subject=pay)))
    yield _good("ru-prepayment-return", "a prepayment given back before the goods",
                receipt(line(vat="vat122", method=Method.FULL_PREPAYMENT), kind=Kind.SALE_RETURN))


def _lines() -> Iterator[File]:
    for subject in Subject:
        if subject.value < 30:
            yield _good(f"ru-subject-{subject.value:02}", f"payment object {subject.name}",
                        receipt(line("Позиция", vat="none", subject=subject)))
    for measure in Measure:
        yield _good(f"ru-12-measure-{int(measure):03}", f"measure {measure.name}",
                    receipt(line("Товар", 1_000, "2.500", measure=measure), ffd=Ffd.V1_2))
    yield _good("ru-105-unit", "a unit as text", receipt(line(unit="шт")))
    yield _good("ru-origin", "country, customs declaration, excise",
                receipt(line(country="156", declaration="10702020/060520/0013422", excise=Money(1_500))))
    yield _good("ru-name-128", "the longest name", receipt(line("я" * 128)))
    yield _good("ru-name-odd", "characters that paper lacks are transliterated",
                receipt(line("«Чай» — 2×100 г… ₽ ½ 茶 \u202eabc e\u0301")))
    yield _good("ru-lines-100", "a hundred lines", receipt(*(line(f"Товар {one}", 100 + one) for one in range(100))))
    yield _good("ru-discounts", "discount, markup and a discount taken back", receipt(
        line(discount=Money(500), markup=Money(100), discount_removed=Money(300))))
    yield _good("ru-department", "a department", receipt(line(department=3)))
    yield _good("ru-kopeck", "registers tolerate a kopeck", receipt(replace(
        line("Ткань", 3_333, "0.333"), amount=Money(1_111), vat_amount=Money(200))))
    yield _good("ru-largest", "the largest price and quantity", receipt(
        line("Завод", 9_999_999_999_999, vat="none")))
    yield _good("ru-removed", "a line that was taken out is kept, not counted",
                replace(receipt(), removed=(line("Сахар"),)))


def _agents() -> Iterator[File]:
    supplier = Supplier(OTHER_INN, "ООО «Поставщик»", ("+79990000000",))
    for version in Ffd:
        for sign in AgentSign:
            name = sign.name.lower().replace("_", "-")
            yield _good(f"ru-{ffd(version)}-agent-{name}", f"agent's sign {sign.name} on a line",
                        receipt(line(agent=Agent(sign, ("+79991112233",)), supplier=supplier), ffd=version))
    yield _good("ru-105-agent-document", "the agent's sign on the whole document", receipt(
        agent=Agent(AgentSign.COMMISSION_AGENT), supplier=supplier))
    yield _good("ru-agent-bank", "all that a bank's paying agent says", receipt(line(supplier=supplier, agent=Agent(
        AgentSign.BANK_PAYING_AGENT, ("+79991112233",), "Приём платежа", ("+79994445566",), ("+79997778899",),
        "АО «Перевод»", "Москва, Тверская 1", OTHER_INN))))


def _corrections() -> Iterator[File]:
    for version in Ffd:
        for kind in Kind:
            if version is Ffd.V1_05 and kind.is_return:
                continue
            for why in CorrectionType:
                name = f"{kind.name}-{why.name}".lower().replace("_", "-")
                number = "12-34/567" if why is CorrectionType.BY_ORDER else ""
                yield _good(f"ru-{ffd(version)}-correction-{name}", f"correction {name}, FFD {version.value}",
                            shop(line(vat="vat20"), kind=kind, ffd=version, correction=Correction(
                                why, date(2025, 3, 4), number)))
    yield _good("ru-105-correction-described", "a correction with a description", shop(
        correction=Correction(CorrectionType.OWN, date(2026, 11, 1), "7", "Чек не был пробит")))
    yield _good("ru-12-correction-sign", "a correction that names the wrong receipt's sign", shop(
        ffd=Ffd.V1_2, correction=Correction(CorrectionType.OWN, date(2026, 11, 1), fiscal_sign="754674267")))


def _marked() -> Iterator[File]:
    for version, subject in ((Ffd.V1_05, Subject.COMMODITY), (Ffd.V1_1, Subject.EXCISE),
                             (Ffd.V1_2, Subject.COMMODITY_MARKED), (Ffd.V1_2, Subject.EXCISE_MARKED)):
        yield _good(f"ru-{ffd(version)}-marked-{subject.value}", "a marked piece",
                    shop(line("Кроссовки", marking=code(), subject=subject), ffd=version))
    for subject in (Subject.COMMODITY_UNMARKED, Subject.EXCISE_UNMARKED):
        yield _good(f"ru-12-unmarked-{subject.value}", "goods subject to marking, without a code",
                    shop(line("Кроссовки", subject=subject), ffd=Ffd.V1_2))
    marked: dict[str, Any] = {"marking": code(), "subject": Subject.COMMODITY_MARKED}
    yield _good("ru-12-marked-two", "two pieces, two codes", shop(
        line(**marked), line(**{**marked, "marking": code("AbC1234567891")}), ffd=Ffd.V1_2))
    yield _good("ru-12-marked-fraction", "half of a package",
                shop(line(fraction=Fraction(1, 2), **marked), ffd=Ffd.V1_2))
    yield _good("ru-12-marked-weight", "marked goods by weight", shop(
        line("Сыр", 50_000, "0.350", measure=Measure.KILOGRAM, **marked), ffd=Ffd.V1_2))
    for status, kind in ((PlannedStatus.PIECE_SOLD, Kind.SALE), (PlannedStatus.PIECE_RETURNED, Kind.SALE_RETURN),
                         (PlannedStatus.UNCHANGED, Kind.SALE)):
        yield _good(f"ru-12-marked-status-{status.value}", f"planned status {status.name}",
                    shop(line(planned_status=status, **marked), ffd=Ffd.V1_2, kind=kind))
    for status, kind in ((PlannedStatus.MEASURED_SOLD, Kind.SALE), (PlannedStatus.MEASURED_RETURNED, Kind.SALE_RETURN)):
        yield _good(f"ru-12-marked-status-{status.value}", f"planned status {status.name}", shop(
            line("Сыр", 50_000, "0.350", measure=Measure.KILOGRAM, planned_status=status, **marked), ffd=Ffd.V1_2,
            kind=kind))
    yield _good("ru-12-marked-permissive", "checked in permissive mode", shop(line(**marked, industry=(
        IndustryProperty("030", date(2023, 11, 21), "1944", "UUID=1&Time=2"),)), ffd=Ffd.V1_2))


def _properties() -> Iterator[File]:
    yield _good("ru-12-buyer", "all that is known of a buyer", receipt(ffd=Ffd.V1_2, customer=Customer(
        "Орлова Мария", inn=PERSON, details=BuyerDetails(date(1990, 1, 2), "643", "21", "4500 123456", "Москва"))))
    yield _good("ru-105-buyer-inn", "a company buys", receipt(customer=Customer("ООО «Покупатель»", inn=OTHER_INN)))
    yield _good("ru-user-property", "an additional property of the user",
                receipt(user_property=UserProperty("Заказ", "А-1"), additional="prop-1"))
    yield _good("ru-12-properties", "industry and operational properties", receipt(
        ffd=Ffd.V1_2, industry=(IndustryProperty("030", date(2023, 11, 21), "1944", "value"),),
        operational=OperationalProperty(0, "data", datetime(2026, 11, 20, 12, tzinfo=MOSCOW))))
    yield _good("ru-cashless", "details of two cashless payments", receipt(cashless=(
        CashlessDetail(Money(4_000), 1, "id-1"), CashlessDetail(Money(6_000), 255, "id-2", "extra"))))
    yield _good("ru-electronic", "an electronic receipt only", receipt(electronic_only=True))
    yield _good("ru-phone", "the buyer gave a phone", receipt(contact="+79991234567"))


def _kazakhstan() -> Iterator[File]:
    for kind in Kind:
        for key in ("vat16", "vat0", "none"):
            name = f"{kind.name}-{key}".lower().replace("_", "-")
            yield _good(f"kz-{name}", f"Kazakhstan: {name}", kz(kz_line(vat=key), kind=kind))
    yield _good("kz-vat12-2025", "the rate of 2025", kz(kz_line(vat="vat12"), settled_at=datetime(
        2025, 12, 31, 12, tzinfo=MOSCOW)))
    yield _good("kz-return-vat12", "a return of what was sold in 2025", kz(kz_line(vat="vat12"),
                                                                         kind=Kind.SALE_RETURN))
    yield _good("kz-mixed", "cash and card, with change", kz(paid={Form.CASH: 40_000, Form.ELECTRONIC: 60_000},
                                                             change=Money(5_000, "KZT")))
    yield _good("kz-buyer", "a company buys", kz(customer=Customer("ЖШС", inn=BUYER_BIN)))
    yield _good("kz-name-255", "the longest name", kz(kz_line("қ" * 255)))
    yield _good("kz-weight", "three decimals", kz(kz_line("Ет", 345_600, "1.234", measure=Measure.KILOGRAM)))
    yield _good("kz-total-largest", "the largest total", kz(kz_line("Үй", 999_999_999_00, vat="none"), kz_line(
        "Есік", 99, vat="none")))
    yield _good("kz-marked", "a marked piece", kz(kz_line(marking=code())))


def _orders() -> Iterator[File]:
    terms = {"tax_system": "OSN", "default_vat": "vat22", "settlement_place": "https://shop.example",
             "seller_inn": "7707083893", "sender_email": "kassa@shop.example"}
    paid = [{"form": "ELECTRONIC", "amount": "1350.00"}]
    order: dict[str, Any] = {
             "number": "A-1", "settled_at": "2026-11-20T11:45:00+03:00", "customer": {"email": "buyer@mail.example"},
             "lines": [{"name": "Чай чёрный", "price": "500.00", "quantity": 3, "discount": "150.00"}],
             "payments": paid}
    yield "good-order", "an order with a discount, and the organisation's terms", {"order": order, "terms": terms}, ()
    yield ("good-order-inn-blanks", "blanks around an INN are taken off when the receipt is built",
           {"order": {**order, "customer": {**order["customer"], "inn": f" {OTHER_INN} "}},
            "terms": {**terms, "seller_inn": "    7707083893"}}, ())
    yield ("good-order-kz", "an order in Kazakhstan",
           {"order": {**order, "customer": {}}, "terms": {"country": "KZ", "internet": False, "default_vat": "vat16"}},
           ())


def _others() -> Iterator[File]:
    yield "good-cash-in", "cash put in", {"cash_move": {"amount": "5000.00", "drawer": "0.00"}}, ()
    yield "good-cash-out", "cash taken out", {"cash_move": {"amount": "-5000.00", "drawer": "5000.00"}}, ()
    yield ("good-cash-kz", "cash put in, Kazakhstan", {"cash_move": {"amount": "5000.00", "country": "KZ"}}, ())
    fits = {"title": "Касса 1", "inn": "7707083893", "tax_systems": 3, "ffd": "1.2", "internet": True, "marking": True,
            "agent_signs": 32, "countries": ["RU"], "electronic_only": True,
            "settlement_place": "https://shop.example"}
    agent = line(agent=Agent(AgentSign.COMMISSION_AGENT), supplier=Supplier(OTHER_INN))
    yield _good("fit", "a receipt and a register that fits it", receipt(agent, ffd=Ffd.V1_2), registration=fits)
    yield _good("fit-inn-blanks", "a storage pads its INN with blanks", receipt(agent), registration={
        "inn": "7707083893  "})
    yield _good("fit-unknown", "a register of which nothing is known fits", receipt(agent), registration={})


__all__ = ["Decimal", "files"]
