"""Receipts for the tests of paper: one of everything for each country and format, made by hand so that no rule of an
order stands between a test and what is printed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

from hub.fiscal import (
    Agent,
    AgentSign,
    BuyerDetails,
    Cashier,
    CashlessDetail,
    Correction,
    CorrectionType,
    Country,
    Customer,
    Ffd,
    FiscalRecord,
    Form,
    Fraction,
    IndustryProperty,
    Kind,
    Measure,
    Method,
    Money,
    OperationalProperty,
    Payment,
    Receipt,
    Subject,
    Supplier,
    TaxSystem,
    UserProperty,
)
from hub.fiscal.receipt import ReceiptLine

OMSK = timezone(timedelta(hours=6))
AGENT = Agent(AgentSign.COMMISSION_AGENT, ("+79990000001", "+79990000002"), "Приём платежа", ("+79990000003",),
              ("+79990000004",), "Банк «Перевод»", "Омск, Ленина 5", "7707083893")
SUPPLIER = Supplier("500100732259", "ООО «Поставка»", ("+79990000005",))
INDUSTRY = IndustryProperty("030", date(2023, 11, 21), "1944", "UUID=1b2c3d4e-0000-4000-8000-000000000001&Time=17")

PLAIN = ReceiptLine("Чай чёрный, 100 г", Money(61_000), Decimal(2), Money(122_000), "vat22", Money(22_000))
FULL = ReceiptLine(
    "Вода питьевая", Money(5_500), Decimal("1.5"), Money(8_250), "vat10", Money(750), Method.FULL_PREPAYMENT,
    Subject.COMMODITY_MARKED, Measure.LITRE, "0104600000000015215abcd", discount=Money(1_000), markup=Money(300),
    discount_removed=Money(77_777), department=4, unit="бут", excise=Money(1_234), country="643",
    declaration="10702020/060520/0013422", additional="Партия 7", agent=AGENT, supplier=SUPPLIER,
    fraction=Fraction(1, 2), industry=(INDUSTRY,))
FREE = ReceiptLine("Доставка", Money(30_000), Decimal(1), Money(30_000), "none", Money(0), subject=Subject.SERVICE)
REMOVED = ReceiptLine("Убранная строка", Money(99_900), Decimal(1), Money(99_900), "vat22", Money(18_015))


def russian(**changes: object) -> Receipt:
    """One of everything that FFD 1.2 knows."""
    return replace(Receipt(
        "0123456789abcdef", Kind.SALE, (PLAIN, FULL, FREE),
        (Payment(Form.CASH, Money(50_000)), Payment(Form.ELECTRONIC, Money(60_250)),
         Payment(Form.PREPAID, Money(20_000)), Payment(Form.CREDIT, Money(20_000)), Payment(Form.OTHER, Money(10_000))),
        ffd=Ffd.V1_2, tax_system=TaxSystem.USN_INCOME_EXPENSE,
        customer=Customer("АО «Покупатель»", "buyer@mail.example", "", "7707083893",
                          BuyerDetails(date(1990, 1, 31), "643", "21", "4510 123456", "Омск, Мира 1")),
        contact="buyer@mail.example", cashier=Cashier("Иванова М. П.", "500100732259"), internet=True,
        settlement_place="https://shop.example", settlement_address="Омск, Ленина 1",
        sender_email="kassa@shop.example", seller_name="ООО «Ромашка»", seller_inn="7707083893", change=Money(5_000),
        agent=replace(AGENT, sign=AgentSign.ATTORNEY), supplier=SUPPLIER, additional="заказ 17",
        user_property=UserProperty("Карта лояльности", "№ 100500"), industry=(INDUSTRY,),
        operational=OperationalProperty(3, "смена Б", datetime(2026, 11, 20, 9, 30, tzinfo=UTC)),
        cashless=(CashlessDetail(Money(60_250), 2, "PAY-1", "СБП"),), removed=(REMOVED,)),
        **changes)  # type: ignore[arg-type]


def kazakh(**changes: object) -> Receipt:
    """A Kazakh sale: a marked item in a section, cash with change, a company that buys."""
    line = ReceiptLine("Тау балы", Money(116_000, "KZT"), Decimal(2), Money(220_000, "KZT"), "vat16",
                       Money(30_345, "KZT"), measure=Measure.PIECE, marking="0104870000000011215abcd", department=2,
                       discount=Money(12_000, "KZT"))
    free = ReceiptLine("Қорап", Money(1_000, "KZT"), Decimal(1), Money(1_000, "KZT"), "none", Money(0, "KZT"))
    return replace(Receipt(
        "0123456789abcdef", Kind.SALE, (line, free), (Payment(Form.CASH, Money(221_000, "KZT")),), Country.KZ, Ffd.V1_2,
        customer=Customer("«Сатып» ЖШС", inn="880512300104"), cashier=Cashier("Әлия Қасымова"),
        settlement_place="Алматы қ., Абай даңғ. 10", seller_name="«Бал» ЖШС", seller_inn="050140000001",
        change=Money(9_000, "KZT")), **changes)  # type: ignore[arg-type]


def correction(ffd: Ffd = Ffd.V1_2, by_order: bool = True) -> Receipt:
    """A correction of a sale, by order of the tax office or by own decision."""
    made = Correction(CorrectionType.BY_ORDER if by_order else CorrectionType.OWN, date(2026, 11, 2),
                      "12-34/56" if by_order else "", "Акт от 03.11.2026" if ffd is Ffd.V1_05 else "", "754674267")
    return russian(ffd=ffd, correction=made, lines=(PLAIN,), payments=(Payment(Form.ELECTRONIC, Money(122_000)),),
                   change=None, cashless=(), agent=None, supplier=None, additional="", industry=(), operational=None,
                   user_property=None, customer=Customer(), contact="", internet=False)


def record_of(receipt: Receipt, url: str = "") -> FiscalRecord:
    """What the storage wrote of it."""
    return FiscalRecord("9999078900001234", 512, "754674267", datetime(2026, 11, 20, 14, 45, 7, tzinfo=OMSK),
                        receipt.total, receipt.kind, "00106900000001", "0000000001012345", 3, 12, url=url)
