"""The Intake facade in memory: what a gateway's tests submit to, and the witness of what was stored."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from threading import Lock

from hub.contracts import Accepted, Conflict, Duplicate, Problems, ReceiptView, Request, Submission
from hub.fiscal import FiscalRecord, Invalid, Order, Receipt, Terms, Text, build
from hub.fiscal.sameness import same
from hub.testing.context import MemoryContext
from hub.testing.work import line_name


class IntakeAway(Exception):
    """The database cannot be reached; what was submitted is not stored."""


@dataclass
class MemoryIntake:
    """A :class:`hub.contracts.Intake` over ``context.receipts``. ``away`` True makes every call fail."""

    terms: Terms
    context: MemoryContext
    away: bool = False
    handed: int = 0
    orders: dict[str, Order] = field(default_factory=dict)
    receipts: dict[str, Receipt] = field(default_factory=dict)
    conflicts: list[tuple[Order, Request]] = field(default_factory=list)
    turned_down: list[tuple[Request, Text]] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    @property
    def views(self) -> dict[str, ReceiptView]:
        """Every receipt by its source key."""
        return self.context.receipts

    def submit(self, order: Order, raw: Request) -> Submission:
        with self._lock:
            return self._submit(order, raw)

    def _submit(self, order: Order, raw: Request) -> Submission:
        self._reach()
        self.handed += 1
        known = self.views.get(order.key)
        if known is not None and known.state != "invalid":
            if same(self.orders[order.key], order):
                return Duplicate(known)
            self.conflicts.append((order, raw))
            return Conflict(known)
        self.orders[order.key] = order
        view = ReceiptView(order.key, "queued", f"R-{len(self.orders)}", order_number=order.number,
                           url=f"http://hub.test/r/{len(self.orders)}", origin=order.origin, id=len(self.orders))
        try:
            self.receipts[order.key] = build(order, self.terms, f"k{len(self.orders):015}", self.context.now(),
                                             line_name)
        except Invalid as problem:
            self.views[order.key] = replace(view, state="invalid", problems=tuple(problem.problems))
            return Problems(self.views[order.key], tuple(problem.problems))
        self.views[order.key] = view
        return Accepted(view)

    def status(self, key: str) -> ReceiptView | None:
        self._reach()
        return self.views.get(key)

    def numbered(self, id: int) -> ReceiptView | None:
        self._reach()
        return next((one for one in self.views.values() if one.id == id), None)

    def turn_down(self, raw: Request, reason: Text) -> None:
        self._reach()
        self.turned_down.append((raw, reason))

    def cancel(self, key: str) -> ReceiptView | None:
        self._reach()
        view = self.views.get(key)
        if view is not None and view.state == "queued":
            view = self.views[key] = replace(view, state="cancelled")
        return view

    def record(self, key: str, record: FiscalRecord) -> None:
        """The register has printed it."""
        self.views[key] = replace(self.views[key], state="recorded", record=record)

    def _reach(self) -> None:
        if self.away:
            raise IntakeAway("the contract suite took the database away")
