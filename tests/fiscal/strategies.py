"""Random but possible orders for the properties: every sum is built so that the test knows what must come out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import strategies as st

from hub.fiscal import (
    Cashier,
    Customer,
    Form,
    Kind,
    Measure,
    Method,
    Money,
    Order,
    OrderLine,
    Payment,
    Subject,
    TaxSystem,
    Terms,
)
from hub.fiscal.rules_texts import is_blank

NOW = datetime(2026, 11, 20, 8, 45, tzinfo=UTC)
TERMS = Terms(tax_system=TaxSystem.OSN, default_vat="vat22", settlement_place="https://shop.example",
              sender_email="kassa@shop.example", seller_name="ООО «Ромашка»", seller_inn="7707083893",
              cashier=Cashier("Иванова М. П.", "500100732259"))
BUYER = Customer("Орлова Мария", "buyer@mail.example", "+79991234567")

quantities = st.one_of(
    st.integers(1, 200).map(Decimal),
    st.integers(1, 99_999).map(lambda number: Decimal(number).scaleb(-3)),
    st.integers(1, 9_999_999).map(lambda number: Decimal(number).scaleb(-6)),
)
kopecks = st.integers(1, 5_000_000)
names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=160).filter(
    lambda text: not is_blank(text))
direct_vats = st.sampled_from(["", "none", "vat0", "vat5", "vat7", "vat10", "vat22"])
goods = st.sampled_from([one for one in Subject if one.value < 30])


def order(*lines: OrderLine, paid: int | None = None, **more: object) -> Order:
    """A plain order of ``lines``, paid in full electronically unless ``paid`` (kopecks) or ``payments`` say else."""
    due = sum(line.price.times(line.quantity).amount for line in lines) if paid is None else paid
    fields: dict[str, object] = {
        "key": "pay-1", "number": "A-1", "lines": lines, "payments": (Payment(Form.ELECTRONIC, Money(due)),),
        "customer": BUYER, **more}
    return Order(**fields)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    """An order, and what its receipt must come to."""

    order: Order
    due: int
    change: int


@st.composite
def lines(draw: st.DrawFn) -> OrderLine:
    quantity = draw(quantities)
    price = Money(draw(kopecks))
    whole = price.times(quantity)
    discount = draw(st.none() | st.integers(0, whole.amount).map(Money))
    computed = whole - (discount or Money(0))
    stated = None
    if draw(st.booleans()):
        off = max(1, int(quantity))
        stated = Money(max(0, computed.amount + draw(st.integers(-off, off))))
    return OrderLine(draw(names), price, quantity, discount, stated, draw(direct_vats), draw(st.sampled_from(Method)),
                     draw(goods), draw(st.sampled_from(Measure)), tags=draw(st.just({}) | st.just({"a": "б"})))


def _sum(line: OrderLine) -> int:
    if line.amount is not None:
        return line.amount.amount
    return line.price.times(line.quantity).amount - (line.discount.amount if line.discount else 0)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Line discounts, an order discount, mixed payments, change from cash."""
    chosen = tuple(draw(st.lists(lines(), min_size=1, max_size=5).filter(lambda some: sum(map(_sum, some)) > 0)))
    whole = sum(map(_sum, chosen))
    off = draw(st.none() | st.integers(0, whole - 1))
    due = whole - (off or 0)
    forms = draw(st.lists(st.sampled_from(Form), min_size=1, max_size=5))
    cuts = sorted(draw(st.lists(st.integers(0, due), min_size=len(forms) - 1, max_size=len(forms) - 1)))
    parts = [high - low for low, high in zip([0, *cuts], [*cuts, due], strict=True)]
    payments = [Payment(form, Money(part)) for form, part in zip(forms, parts, strict=True)]
    change = 0
    if any(one.form is Form.CASH and one.amount for one in payments) and draw(st.booleans()):
        change = draw(st.integers(1, 500_000))
        payments.append(Payment(Form.CASH, Money(change)))
    made = order(*chosen, payments=tuple(payments), discount=None if off is None else Money(off),
                 kind=draw(st.sampled_from(Kind)), note=draw(st.text(max_size=20)),
                 settled_at=draw(st.none() | st.just(NOW)), origin={"deal": 54, "ids": [1, 2]}, tags={"ё": "«»"})
    return Case(made, due, change)
