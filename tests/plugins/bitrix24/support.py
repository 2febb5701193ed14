"""A portal as a process of its own, and the real source over it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hub_plugins.bitrix24.source import Bitrix24Source

from hub.contracts import Event, NoOrder, ReceiptView, Report, load
from hub.fiscal import FiscalRecord, Kind, Money, Order, Receipt, TaxSystem, Terms, Text, build, total
from hub.fiscal.problems import Problem
from hub.testing.context import MemoryContext
from hub.testing.simulator import Running, running

#: The portal's clock starts here; the tests do not depend on the day on which they run.
START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
TERMS = Terms(tax_system=TaxSystem.USN_INCOME)
TOKEN = "51856fefc120afa4b628cc82d3935cce"

PROGRAM = "import sys; from hub_plugins.bitrix24.simulator import main; sys.exit(main(sys.argv[1:]))"
CONTACT = {"name": "Анна", "last_name": "Ким", "email": "anna@example.org", "phone": "+7 900 000-00-00"}
ROWS = [{"name": "Кофе в зёрнах, 1 кг", "price": "1480.50", "quantity": 2, "tax_rate": 22},
        {"name": "Доставка", "price": "350", "tax_rate": 22, "type": 7, "tax_included": "N"}]
#: 2 x 1480.50 + 350.
SUM = Money(331_100)


@contextmanager
def portal(*options: str) -> Iterator[Running]:
    """The simulator, running."""
    with running([sys.executable, "-c", PROGRAM, "--port", "0", "--now", START.isoformat(), *options]) as program:
        yield program


@dataclass
class Desk:
    """One enabled source over one portal, with all that it remembers."""

    sim: Running
    settings: dict[str, Any]
    context: MemoryContext = field(default_factory=MemoryContext)

    def __post_init__(self) -> None:
        began = time.monotonic()
        self.ahead = timedelta()
        self.context.clock = lambda: START + timedelta(seconds=time.monotonic() - began) + self.ahead

    @property
    def source(self) -> Bitrix24Source:
        """A fresh instance, as another worker has it."""
        return Bitrix24Source(load(Bitrix24Source.settings, self.settings), self.context)

    def deal(self, rows: list[dict[str, Any]] | None = None, stage: str = "WON", **more: Any) -> int:
        """A deal over there; with a contact unless told otherwise."""
        more.setdefault("contact", CONTACT)
        number = self.sim.do("create_deal", title="Заказ с сайта", rows=ROWS if rows is None else rows, stage=stage,
                             **more)["id"]
        assert isinstance(number, int)
        return number

    def fetch(self, deal: int) -> Order | tuple[Order, ...] | NoOrder:
        return self.source.fetch(Event(f"deal:{deal}", "oncrmdealupdate", {"deal": deal}))

    def orders(self, deal: int) -> tuple[Order, ...]:
        """The orders of a deal; fails with the reason when there are none."""
        end = self.fetch(deal)
        assert not isinstance(end, NoOrder), end.reason.say("ru")
        return end if isinstance(end, tuple) else (end,)

    def order(self, deal: int) -> Order:
        """The only order of a deal."""
        (order,) = self.orders(deal)
        return order

    def reason(self, deal: int) -> str:
        """Why the deal makes no order."""
        end = self.fetch(deal)
        assert isinstance(end, NoOrder), end
        return end.reason.say("ru")

    def keep(self, order: Order, state: str = "recorded") -> ReceiptView:
        """The core stores the receipt: what the source sees of it afterwards."""
        record = record_of(order) if state in ("recorded", "confirmed") else None
        problems = (Problem("contact_missing", "customer"),) if state == "invalid" else ()
        reason = Text("There is no paper.", "Нет бумаги.") if state == "refused" else None
        view = ReceiptView(order.key, state, "1", record, problems, reason,  # type: ignore[arg-type]
                           "https://hub.test/r/1", order.number, json.loads(json.dumps(dict(order.origin))))
        self.context.receipts[order.key] = view
        return view

    def later(self, seconds: float) -> None:
        """Time passes, here and over there."""
        self.ahead += timedelta(seconds=seconds)
        self.sim.do("later", seconds=seconds)

    def report(self, view: ReceiptView, delivery: str = "dlv_1", attempt: int = 1) -> None:
        self.source.report(Report(view, delivery, attempt))

    def story(self, deal: int) -> dict[str, Any]:
        """The deal as the portal has it."""
        found = self.sim.state()["deals"][str(deal)]
        assert isinstance(found, dict)
        return found

    def requests(self) -> int:
        """How many requests reached the portal's REST so far."""
        return len([one for one in self.sim.requests() if one["path"].startswith("/rest/")])


def record_of(order: Order) -> FiscalRecord:
    due = total((one.amount for one in order.payments), order.currency)
    return FiscalRecord("9999078900012345", 512, "1234567890", START.astimezone(), due, Kind.SALE)


def receipt_of(order: Order, terms: Terms = TERMS) -> Receipt:
    """What the core makes of an order."""
    return build(order, terms, "k" * 16, START)


def desk(sim: Running, **settings: Any) -> Desk:
    """A source for the portal; paid means WON unless told otherwise."""
    if "paid_stages" not in settings and not settings.get("paid_by_payment"):
        settings["paid_stages"] = ["WON"]
    return Desk(sim, {"webhook": sim.state()["webhook"], **settings})
