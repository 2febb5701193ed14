"""Everything else that changes a register: shifts, reports, cash in and out. Each behind an attempt row, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub import steps
from hub.contracts import (
    Bookmark,
    Driver,
    LeaseLost,
    Refused,
    RegisterGone,
    ShiftReport,
    Status,
    Unavailable,
    Uncertain,
)
from hub.dispatch import claims, printing
from hub.dispatch.claims import ATTEMPT, REGISTER, Owner
from hub.dispatch.inventory import new_checks
from hub.dispatch.lease import RegisterLease
from hub.fiscal import Cashier, Country, Money, Text
from hub.fiscal.rules import check_cash_move
from hub.registers.shifts import must_close, must_open
from hub.store import Audit, Database, RegisterOrder, Shift, new_public_id, table, utcnow

if TYPE_CHECKING:
    from hub.dispatch.fiscalise import Work

log = structlog.get_logger("hub.dispatch")
SHIFT, ORDER = table(Shift), table(RegisterOrder)

#: What pages and programs may order of a register: command -> the document it leaves in the storage.
ORDERS: Mapping[str, str] = {"x": "report", "z": "shift_close", "open": "shift_open", "cash_in": "cash_in",
                             "cash_out": "cash_out", "check": "", "copy": "", "cut": "", "drawer": "", "clock": ""}


class Commands:
    """Runs what pages ordered and what shifts need, on a register that is ours."""

    def __init__(self, db: Database, driver: Driver, owner: Owner, lease: RegisterLease, zone: str) -> None:
        self.db, self.driver, self.owner, self.lease, self.zone = db, driver, owner, lease, zone

    # -- shifts --------------------------------------------------------------------------------------------------

    def ready_shift(self, status: Status, work: Work) -> None:
        """Closes a shift that is too old and opens one when none is open. Raises RegisterGone when it cannot."""
        if must_close(status):
            self.close_shift(work)
            status = self.driver.status()
        if must_open(status):
            self._do("shift_open", lambda: self.driver.open_shift(Cashier(), self.lease), work)
            opened = self.driver.status()
            self._keep_opened(opened)

    def close_shift(self, work: Work, cashier: Cashier | None = None) -> ShiftReport | None:
        """The Z report, behind an attempt. Its totals are compared with what we know."""
        who = cashier or Cashier()

        def keep(connection: Connection, report: ShiftReport) -> None:
            self._keep_closed(connection, report)
            self._slip(connection, "z", f"z:{report.storage_number}:{report.shift_number}",
                       printing.of_report(report, who))

        report = self._do("shift_close", lambda: self.driver.close_shift(who, self.lease), work, keep=keep)
        return report if isinstance(report, ShiftReport) else None

    def _slip(self, connection: Connection, what: str, about: str, content: Mapping[str, Any]) -> None:
        """Plans the copy of a slip on the printers that want it."""
        printing.of_slip(connection, self.owner.organisation_id, self.owner.register_id, what, about, content)

    def _do(self, what: str, act: Callable[[], Any], work: Work, plan: Mapping[str, Any] | None = None,
            keep: Callable[[Connection, Any], None] | None = None) -> Any:
        """bookmark -> attempt -> act -> outcome, as for a receipt (design.md §5). What was done is kept by ``keep``
        in the transaction that ends the attempt. Raises RegisterGone with the register's reason when nothing was
        done."""
        bookmark = self.driver.bookmark()
        work.gap(bookmark)

        def begin(connection: Connection) -> int | None:
            if not claims.is_owner(connection, self.owner):
                return None
            return claims.open_attempt(connection, self.owner, what, bookmark, utcnow(), plan=plan)

        attempt_id = self.db.submit(begin)
        if attempt_id is None:
            raise LeaseLost
        steps.at("shift_attempt")
        try:
            result = act()
        except RegisterGone as problem:
            result = Unavailable(problem.reason, problem.code)
        steps.at("shift_done")
        if isinstance(result, Uncertain):
            if work.find_other({"id": attempt_id, "what": what, "storage_number": bookmark.storage_number,
                                "bookmark": bookmark.document_number, "shift_number": bookmark.shift_number,
                                "outcome": dict(plan) if plan else None}) != "recorded":
                raise RegisterGone(result.reason, result.vendor_code)
            self._account(work, bookmark)
            return None
        refused = isinstance(result, (Refused, Unavailable))

        def end(connection: Connection) -> None:
            connection.execute(update(ATTEMPT).where(ATTEMPT.c.id == attempt_id).values(
                state="not_printed" if refused else "recorded", ended_at=utcnow(),
                outcome=claims.outcome_json(result) if refused else None))
            if keep is not None and not refused:
                keep(connection, result)

        self.db.submit(end)
        steps.at("shift_kept")
        if refused:
            raise RegisterGone(result.reason, result.vendor_code)
        self._account(work, bookmark)
        return result

    def _account(self, work: Work, bookmark: Bookmark) -> None:
        """The document that a command left is ours: it is no gap."""
        last = self.driver.bookmark()
        if last.storage_number == bookmark.storage_number:
            work.known = max(work.known, last.document_number)
            self.db.submit(lambda connection: connection.execute(
                update(REGISTER).where(REGISTER.c.id == self.owner.register_id)
                .values(last_document=work.known)))

    def _keep_opened(self, status: Status) -> None:
        self.db.submit(lambda connection: connection.execute(
            _dialect(connection).insert(SHIFT).values(
                organisation_id=self.owner.organisation_id, register_id=self.owner.register_id,
                storage_number=status.storage_number, number=status.shift_number,
                opened_at=status.shift_opened_at or utcnow(), public_id=new_public_id("shf"), created_at=utcnow(),
                row_version=1).on_conflict_do_nothing(index_elements=["register_id", "storage_number", "number"])))

    def _keep_closed(self, connection: Connection, report: ShiftReport) -> None:
        """Keeps the Z; its cumulative total must be the last one's plus the shift, else an alarm. One commit with the
        attempt's end: a Z whose totals were lost in between would make an alarm of the next one."""
        before = connection.execute(select(REGISTER.c.cumulative, REGISTER.c.storage_number).where(
            REGISTER.c.id == self.owner.register_id)).one()
        values = {"closed_at": report.printed_at, "cumulative": report.cumulative.amount,
                  "report": {"receipts": report.receipts, "sales": report.sales.amount,
                             "returns": report.returns.amount, "cash": report.cash_in_drawer.amount,
                             "document": report.document_number, "sign": report.fiscal_sign}}
        statement = _dialect(connection).insert(SHIFT).values(
            organisation_id=self.owner.organisation_id, register_id=self.owner.register_id,
            storage_number=report.storage_number, number=report.shift_number, opened_at=report.printed_at,
            public_id=new_public_id("shf"), created_at=utcnow(), row_version=1, **values)
        connection.execute(statement.on_conflict_do_update(
            index_elements=["register_id", "storage_number", "number"], set_=values))
        expected = None if before.cumulative is None else before.cumulative + report.sales.amount
        if expected is not None and expected != report.cumulative.amount:
            claims.keep_evidence(connection, self.owner.organisation_id, self.owner.register_id, None,
                                 "cumulative_differs", {"shift": report.shift_number, "expected": expected,
                                                        "stated": report.cumulative.amount})
        connection.execute(update(REGISTER).where(REGISTER.c.id == self.owner.register_id).values(
            cumulative=report.cumulative.amount, shift_opened_at=None))
        # The document is ours: whoever takes over before it is accounted for must not keep it as a stranger's.
        claims.accounted(connection, self.owner.register_id, report.storage_number, report.document_number)

    # -- orders from the page ------------------------------------------------------------------------------------

    def run_ordered(self, work: Work) -> None:
        """Runs the one command that a page ordered, and says in the audit what came of it."""
        with self.db.read() as connection:
            row = connection.execute(select(REGISTER.c.command, REGISTER.c.command_params).where(
                REGISTER.c.id == self.owner.register_id)).one()
        if not row.command:
            return
        params = dict(row.command_params or {})
        # Taken from the row before it is run: a command is run once or not at all, never twice.
        self.db.submit(lambda connection: self._taken(connection, params))
        steps.at("order_taken")
        result: dict[str, Any]
        try:
            result = self._run(row.command, params, work)
        except RegisterGone as problem:
            result = {"refused": problem.reason.to_json(), "code": problem.code}
        self._audited(row.command, params, result)

    def _run(self, command: str, params: Mapping[str, Any], work: Work) -> dict[str, Any]:
        cashier = Cashier(str(params.get("cashier", "")), str(params.get("cashier_inn", "")))
        if command == "z":
            self.close_shift(work, cashier)
            return {"done": True}
        if command == "open":
            self.ready_shift(self.driver.status(), work)
            return {"done": True}
        if command == "x":
            report = self.driver.x_report(self.lease)
            if isinstance(report, ShiftReport):
                self.db.submit(lambda connection: self._slip(
                    connection, "x", f"x:{report.storage_number}:{report.printed_at.isoformat()}",
                    printing.of_report(report, cashier)))
                return {"done": True, "sales": report.sales.amount, "returns": report.returns.amount,
                        "cash": report.cash_in_drawer.amount, "receipts": report.receipts}
            return {"refused": report.reason.to_json()}
        if command in ("cash_in", "cash_out"):
            amount = int(params.get("amount", 0)) * (1 if command == "cash_in" else -1)
            money = Money(amount, str(params.get("currency", "RUB")))
            # What the drawer holds only the register knows; it refuses by itself to pay out more.
            wrong = check_cash_move(money, None, Country.KZ if money.currency == "KZT" else Country.RU)
            if wrong:
                return {"refused": wrong[0].text.to_json()}
            self.ready_shift(self.driver.status(), work)
            now = utcnow()
            self._do(command, lambda: self.driver.cash_move(money, cashier, self.lease), work, {"amount": amount},
                     lambda connection, _: self._slip(
                         connection, command, f"{command}:{self.owner.register_id}:{now.isoformat()}",
                         printing.of_cash(amount, now, 0, cashier)))
            return {"done": True}
        if command in ("copy", "cut", "drawer", "clock"):
            return self._hand(command)
        status = self.driver.status()
        new_checks(self.db, self.owner, self.driver)
        return {"done": True, "last_document": status.last_document}

    def _hand(self, command: str) -> dict[str, Any]:
        """What leaves no document in a storage, and so needs no attempt: nothing is looked for afterwards."""
        driver = self.driver
        if command == "clock":
            result = driver.set_clock(datetime.now(ZoneInfo(self.zone)), self.lease)
            new_checks(self.db, self.owner, driver)
        else:
            result = {"copy": driver.copy_last, "cut": driver.cut, "drawer": driver.open_drawer}[command](self.lease)
        if result is None:
            return {"done": True}
        words = "uncertain" if isinstance(result, Uncertain) else "refused"
        return {words: result.reason.to_json(), "code": result.vendor_code}

    def _taken(self, connection: Connection, params: Mapping[str, Any]) -> None:
        connection.execute(update(REGISTER).where(REGISTER.c.id == self.owner.register_id)
                           .values(command="", command_params={}))
        if params.get("order"):
            connection.execute(update(ORDER).where(ORDER.c.public_id == params["order"], ORDER.c.state == "waiting")
                               .values(state="taken", taken_at=utcnow()))

    def _audited(self, command: str, params: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        audit = table(Audit)
        if params.get("order"):
            self.db.submit(lambda connection: connection.execute(
                update(ORDER).where(ORDER.c.public_id == params["order"])
                .values(state="refused" if "refused" in result else "done", ended_at=utcnow(), result=dict(result))))
        self.db.submit(lambda connection: connection.execute(insert(audit).values(
            organisation_id=self.owner.organisation_id, actor=str(params.get("actor", self.owner.actor)),
            action=f"register.{command}", object_id=str(self.owner.register_id), details=dict(result), at=utcnow(),
            public_id=new_public_id("aud"), created_at=utcnow(), row_version=1)))


def _dialect(connection: Connection) -> Any:
    return sqlite if connection.dialect.name == "sqlite" else postgresql


def shift_age(status: Status, now: datetime) -> Text | None:
    """A sentence about a shift that will soon be too old; None when it is not."""
    if not must_close(status, 3600):
        return None
    return Text("The shift is nearly 24 hours old; it will be closed by itself.",
                "Смене почти 24 часа; она закроется сама.")
