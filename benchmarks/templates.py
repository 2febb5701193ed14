"""Renders per second of a receipt line's template, ours against the same template in compiled Jinja2.

``python -m benchmarks.templates`` prints one JSON object. Both render the same lines of the same orders, in
alternating rounds of one run, and must give the same text; the figures are medians over the rounds.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from jinja2 import Environment

from hub.templating import STANDARD_TAGS, compile

FLOOR = 2.0
ROUNDS = 15
RENDERS = 4_000

OURS = ("<legal|customer>: <line.name>, <line.quantity> x <line.price> = <line.sum>, заказ <order.number> "
        "от <order.date>[ - <note>]")
JINJA = ("{{ legal or customer }}: {{ line_name }}, {{ line_quantity }} x {{ line_price }} = {{ line_sum }}, "
         "заказ {{ order_number }} от {{ order_date }}{% if note %} - {{ note }}{% endif %}")


def orders() -> list[dict[str, str]]:
    """Eight lines as they come: with and without a paying parent, with and without a note."""
    rows = []
    for number in range(8):
        rows.append({
            "customer": f"Орлова Мария Сергеевна {number}", "legal": "ООО «Ромашка»" if number % 4 == 1 else "",
            "line.name": "Абонемент «Английский для детей», 8 занятий", "line.quantity": "2",
            "line.price": "740.00", "line.sum": "1480.00", "order.number": f"A-{1000 + number}",
            "order.date": "20.11.2026", "note": "за ноябрь, группа «Совята»" if number % 2 else "",
            "organisation": "ИП Соколова А. А.", "cashier": "Иванова Анна", "customer.email": "buyer@shop.example",
        })
    return rows


def rate(render: Callable[[Mapping[str, str]], str], rows: Sequence[Mapping[str, str]]) -> float:
    """Renders per second over :data:`RENDERS` renders of ``rows`` in turn."""
    start = time.perf_counter()
    for _ in range(RENDERS // len(rows)):
        for row in rows:
            render(row)
    return RENDERS // len(rows) * len(rows) / (time.perf_counter() - start)


def main() -> int:
    ours = compile(OURS, {*STANDARD_TAGS, "legal"})
    theirs = Environment(autoescape=False).from_string(JINJA)
    rows = orders()
    named = [{name.replace(".", "_"): value for name, value in row.items()} for row in rows]
    for row, other in zip(rows, named, strict=True):
        if ours.render(row) != theirs.render(other):
            print(f"not the same text: {ours.render(row)!r} and {theirs.render(other)!r}", file=sys.stderr)
            return 1
    rates: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        rates.append((rate(ours.render, rows), rate(theirs.render, named)))
    ratio = statistics.median(mine / yardstick for mine, yardstick in rates)
    print(json.dumps({
        "name": "templates", "rate": round(statistics.median(one for one, _ in rates)),
        "yardstick": round(statistics.median(one for _, one in rates)), "ratio": round(ratio, 2), "floor": FLOOR,
        "unit": "renders/s", "against": "the same template in compiled Jinja2",
    }))
    return 0 if ratio >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
