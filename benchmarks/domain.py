"""``domain``: an order becomes a receipt, is checked by every rule and becomes the TLV of its fiscal document.

Yardstick in the same run: ``json.dumps`` of the same receipt. The rounds of all three alternate, the medians are
compared. A receipt of a thousand lines is weighed as well: the most memory that it takes on its way from the order to
the TLV, beside the order; what of that is the receipt; and what is stored of it, its JSON and its TLV.

    python -m benchmarks.domain [--rounds 15]
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from hub.fiscal import (
    Cashier,
    Customer,
    Ffd,
    FiscalRecord,
    Form,
    Money,
    Order,
    OrderLine,
    Payment,
    Receipt,
    Subject,
    TaxSystem,
    Terms,
    build,
    codec,
    document,
)

GROWTH, MOST_TIMES, MOST_BYTES = 12.0, 60.0, 2_000_000
NOW = datetime(2026, 11, 20, 8, 45, tzinfo=UTC)
TERMS = Terms(ffd=Ffd.V1_2, tax_system=TaxSystem.OSN, default_vat="vat22", settlement_place="https://shop.example",
              sender_email="kassa@shop.example", seller_name="ООО «Ромашка»", seller_inn="7707083893",
              cashier=Cashier("Иванова М. П.", "500100732259"))
NAMES = ("Футболка «Лето», хлопок, размер M", "Абонемент «Английский для детей», 8 занятий", "Чай чёрный, 100 г",
         "Сыр «Российский», на развес", "Доставка курьером")


def order(lines: int) -> Order:
    """An order as shops have them: pieces and weighed goods, a discount on each third line, mixed rates."""
    made = tuple(OrderLine(
        f"{NAMES[number % 5]} № {number}", Money(9_900 + 37 * number), Decimal("1.254") if number % 5 == 3 else
        Decimal(1 + number % 3), Money(1_000) if number % 3 == 2 else None, vat="vat10" if number % 5 == 3 else "",
        subject=Subject.SERVICE if number % 5 == 4 else Subject.COMMODITY) for number in range(lines))
    due = sum(line.price.times(line.quantity).amount - (line.discount.amount if line.discount else 0) for line in made)
    return Order("order:1", "A-1", made, (Payment(Form.ELECTRONIC, Money(due)),),
                 customer=Customer("Орлова Мария", "buyer@mail.example", "+79991234567"))


def tlv(asked: Order) -> tuple[Receipt, bytes]:
    """What is measured: built, checked (``build`` runs every rule) and encoded."""
    receipt = build(asked, TERMS, "AAAABBBBCCCCDDDD", NOW)
    record = FiscalRecord("9999000011112222", 345, "754674267", NOW, receipt.total, receipt.kind,
                          registration_number="0000000001012345", shift_number=7, receipt_in_shift=3)
    return receipt, document.encode(receipt, record)


def seconds(work: Callable[[], object], times: int) -> float:
    """Seconds of one call, over so many."""
    started = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - started) / times


def weigh(asked: Order) -> dict[str, int]:
    """Bytes of a receipt in memory, of its JSON and its TLV, and the peak of memory from the order to the TLV."""
    gc.collect()
    tracemalloc.start()
    receipt, data = tlv(asked)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    stored = json.dumps(codec.to_json(receipt), ensure_ascii=False).encode()
    return {"peak_bytes": peak, "receipt_bytes": kept - len(data), "json_bytes": len(stored), "tlv_bytes": len(data)}


def main() -> int:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    ten, hundred = order(10), order(100)
    receipt, data = tlv(hundred)
    if document.compare(receipt, data):
        print("the document is not the receipt", file=sys.stderr)
        return 1
    same = codec.to_json(receipt)
    small, large, yardstick = [], [], []
    for _ in range(options.rounds):
        small.append(seconds(lambda: tlv(ten), 20))
        large.append(seconds(lambda: tlv(hundred), 3))
        yardstick.append(seconds(lambda: json.dumps(same), 50))
    growth = statistics.median(many / few for many, few in zip(large, small, strict=True))
    times = statistics.median(mine / theirs for mine, theirs in zip(large, yardstick, strict=True))
    weights = weigh(order(1000))
    good = growth <= GROWTH and times <= MOST_TIMES and max(weights.values()) < MOST_BYTES
    print(json.dumps({
        "name": "domain", "ms_10": round(statistics.median(small) * 1e3, 2),
        "ms_100": round(statistics.median(large) * 1e3, 2), "growth": round(growth, 2), "most_growth": GROWTH,
        "yardstick_ms": round(statistics.median(yardstick) * 1e3, 3), "times": round(times, 1),
        "most_times": MOST_TIMES, "against": "json.dumps of the same receipt of 100 lines", **weights,
        "most_bytes": MOST_BYTES, "lines": 1000}))
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
