"""What the CRM of the schedules sells, in plain numbers: orders are made of it, and the judge holds paper against it.

Sums are in minor units, VAT is inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from hub.fiscal import Form, Money, Order, OrderLine, Payment
from tests.core.support import order

#: Name, price, quantity, sum, VAT rate, VAT.
Line = tuple[str, int, str, int, str, int]


@dataclass(frozen=True)
class Sale:
    """One order: its lines, and how much was paid in which form."""

    lines: tuple[Line, ...]
    payments: tuple[tuple[str, int], ...]

    @property
    def total(self) -> int:
        return sum(one[3] for one in self.lines)

    def order(self, key: str) -> Order:
        """As the CRM's plugin gives it."""
        lines = tuple(OrderLine(name, Money(price), Decimal(quantity), vat=vat)
                      for name, price, quantity, _, vat, _ in self.lines)
        payments = tuple(Payment(Form[form], Money(amount)) for form, amount in self.payments)
        return order(key, lines=lines, payments=payments)


#: Source key -> what was sold. The first is printed in every schedule, the others in some.
SALES = {
    "1": Sale((("Абонемент", 3_050, "2", 6_100, "none", 0), ("Учебник", 5_000, "1", 5_000, "vat10", 455)),
              (("CASH", 4_000), ("ELECTRONIC", 7_100))),
    "2": Sale((("Занятие", 22_200, "1", 22_200, "none", 0),), (("ELECTRONIC", 22_200),)),
    "3": Sale((("Ткань", 20_000, "1.5", 30_000, "vat22", 5_410), ("Нитки", 1_100, "3", 3_300, "vat22", 595)),
              (("PREPAID", 30_000), ("CASH", 3_300))),
}
SUMS = tuple(one.total for one in SALES.values())
