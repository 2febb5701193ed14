"""Everything else that changes a register: shifts, reports, cash in and out. Each behind an attempt row, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection, insert, select, update

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
from hub.dispatch import claims, slips
from hub.dispatch.claims import ATTEMPT, REGISTER, Owner
from hub.dispatch.inventory import new_checks
from hub.dispatch.lease import RegisterLease
from hub.dispatch.slips import Wish
from hub.fiscal import Cashier, Country, Money, Text
from hub.fiscal.rules import check_cash_move
from hub.registers.rules import ShiftRules
from hub.registers.shifts import Why, age, looked_after, must_close, must_open, why_close
from hub.store import Audit, Database, RegisterOrder, new_public_id, table, utcnow
from hub.store.receipt import UNSETTLED

if TYPE_CHECKING:
    from hub.dispatch.fiscalise import Work

log = structlog.get_logger("hub.dispatch")
ORDER = table(RegisterOrder)
#: A shift is opened because a receipt or cash waits for it.
NEED = Wish(why="need")

#: What pages and programs may order of a register: command -> the document it leaves in the storage.
ORDERS: Mapping[str, str] = {"x": "report", "z": "shift_close", "open": "shift_open", "cash_in": "cash_in",
                             "cash_out": "cash_out", "check": "", "copy": "", "cut": "", "drawer": "", "clock": "",
                             "cancel": ""}
IN_DOUBT = Text("It is not known yet whether it was done; the hub asks the register and says so here. Do not repeat "
                "it. {words}",
                "Пока неизвестно, сделано ли это: хаб спросит кассу и скажет здесь. Не повторяйте. {words}")
NOT_OURS = Text("The document at the register is not the hub's. Finish or cancel it at the register itself.",
                "Открытый документ начал не хаб. Завершите или отмените его на самой кассе.")


class InDoubt(RegisterGone):
    """It may have been done: the register could not say so yet, and is asked again (Work.recover)."""


class Commands:
    """Runs what pages ordered and what shifts need, on a register that is ours. ``rules`` are the owner's, as last
    read."""

    def __init__(self, db: Database, driver: Driver, owner: Owner, lease: RegisterLease, zone: str) -> None:
        self.db, self.driver, self.owner, self.lease, self.zone = db, driver, owner, lease, zone
        self.rules = ShiftRules()
        #: Whether something was done that the register's status must show at once: settings are locked by it.
        self.changed = False

    # -- shifts --------------------------------------------------------------------------------------------------

    def ready_shift(self, status: Status, work: Work, wish: Wish = NEED) -> None:
        """Closes a shift that is too old and opens one when none is open. Raises RegisterGone when it cannot."""
        if must_close(status):
            self.close_shift(work, Wish(why="age"))
            status = self.driver.status()
        if must_open(status):
            self._do("shift_open", lambda: self.driver.open_shift(wish.cashier, self.lease), work, wish)
            opened = self.driver.status()
            self._keep_opened(opened)

    def why_close(self, status: Status) -> Why:
        """Why the shift should be closed now, if it should."""
        if not status.shift_open or status.document_open or not self.driver.abilities().shifts:
            return ""
        if age(status) is None:
            with self.db.read() as connection:
                since = slips.open_since(connection, self.owner.register_id, status.storage_number, status.shift_number)
            status = looked_after(status, since, utcnow())
        return why_close(status, self.rules, ZoneInfo(self.zone), utcnow())

    def close_shift(self, work: Work, wish: Wish) -> ShiftReport | None:
        """The Z report, behind an attempt. Its totals are compared with what we know. The owner's rules may have the
        drawer emptied before; a withdrawal that fails holds up no Z."""
        self._read_rules()
        if self.rules.empty_drawer and self.driver.abilities().cash_moves:
            try:
                drawer = self.driver.drawer()
                if drawer is not None and drawer.amount > 0:
                    self._move(-drawer, work, Wish(wish.actor, wish.cashier, "before_z"))
            except RegisterGone as problem:
                log.warning("drawer_not_emptied", register=self.owner.register_id, reason=str(problem.reason))
        report = self._do("shift_close", lambda: self.driver.close_shift(wish.cashier, self.lease), work, wish)
        return report if isinstance(report, ShiftReport) else None

    def _read_rules(self) -> None:
        """The owner's rules as they are at this moment: they hold from the next shift that is closed."""
        with self.db.read() as connection:
            stored = connection.execute(select(REGISTER.c.rules).where(
                REGISTER.c.id == self.owner.register_id)).scalar()
        self.rules = ShiftRules.read(stored)

    def _move(self, amount: Money, work: Work, wish: Wish) -> None:
        """Cash in or out."""
        self._do("cash_in" if amount.amount > 0 else "cash_out",
                 lambda: self.driver.cash_move(amount, wish.cashier, self.lease), work, wish, amount.amount)

    def _do(self, what: str, act: Callable[[], Any], work: Work, wish: Wish, amount: int | None = None) -> Any:
        """bookmark -> attempt -> act -> outcome, as for a receipt (design.md §5). What was done is kept in the
        transaction that ends the attempt. Raises RegisterGone with the register's reason when nothing was done."""
        bookmark = self.driver.bookmark()
        work.gap(bookmark)
        plan = wish.plan(amount)

        def begin(connection: Connection) -> int | None:
            if not claims.is_owner(connection, self.owner):
                return None
            return claims.open_attempt(connection, self.owner, what, bookmark, utcnow(), plan=plan)

        attempt_id = self.db.submit(begin)
        if attempt_id is None:
            raise LeaseLost
        steps.at("shift_attempt")
        self.changed = True
        try:
            result = act()
        except RegisterGone as problem:
            result = Unavailable(problem.reason, problem.code)
        steps.at("shift_done")
        if isinstance(result, Uncertain):
            try:
                verdict = work.find_other({
                    "id": attempt_id, "what": what, "storage_number": bookmark.storage_number,
                    "bookmark": bookmark.document_number, "shift_number": bookmark.shift_number, "outcome": plan})
            except RegisterGone as problem:
                raise InDoubt(result.reason, result.vendor_code) from problem
            if verdict != "recorded":
                raise (InDoubt if verdict == "uncertain" else RegisterGone)(result.reason, result.vendor_code)
            self._account(work, bookmark)
            return None
        refused = isinstance(result, (Refused, Unavailable))
        self.db.submit(lambda connection: self._end(connection, attempt_id, what, bookmark, wish, amount, result))
        steps.at("shift_kept")
        if refused:
            raise RegisterGone(result.reason, result.vendor_code)
        self._account(work, bookmark)
        return result

    def _end(self, connection: Connection, attempt_id: int, what: str, bookmark: Bookmark, wish: Wish,
             amount: int | None, result: Any) -> None:
        """Ends an attempt, and keeps what it left on paper. When another owner has found it in the meantime, that owner
        has kept it."""
        refused = isinstance(result, (Refused, Unavailable))
        ended = connection.execute(update(ATTEMPT).where(
            ATTEMPT.c.id == attempt_id, ATTEMPT.c.state.in_(UNSETTLED)).values(
            state="not_printed" if refused else "recorded", ended_at=utcnow(),
            outcome=claims.outcome_json(result) if refused else None)).rowcount
        if refused or not ended:
            return
        if isinstance(result, ShiftReport):
            slips.keep_z(connection, self.owner, slips.Closing.stated(result), wish)
        else:
            slips.keep(connection, self.owner, what, bookmark, None, wish, utcnow(), amount)

    def _account(self, work: Work, bookmark: Bookmark) -> None:
        """The document that a command left is ours: it is no gap. A line that breaks now makes nothing undone: the
        command is kept, and its document is met again when the register answers."""
        try:
            last = self.driver.bookmark()
        except RegisterGone as problem:
            log.warning("register_gone", register=self.owner.register_id, reason=str(problem.reason))
            return
        if last.storage_number == bookmark.storage_number:
            work.known = max(work.known, last.document_number)
            self.db.submit(lambda connection: self._accounted(connection, bookmark, work.known))

    def _accounted(self, connection: Connection, bookmark: Bookmark, upto: int) -> None:
        connection.execute(update(REGISTER).where(REGISTER.c.id == self.owner.register_id).values(last_document=upto))
        if upto == bookmark.document_number + 1:
            slips.numbered(connection, self.owner.register_id, bookmark.storage_number, upto)

    def _keep_opened(self, status: Status) -> None:
        self.db.submit(lambda connection: slips.saw_open(connection, self.owner, status))

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
        if not self.db.submit(lambda connection: self._taken(connection, row.command, params)):
            return
        steps.at("order_taken")
        result: dict[str, Any]
        try:
            result = self._run(row.command, params, work)
        except InDoubt as problem:
            # Whoever reads "not done" does it again: cash would be counted twice.
            result = {"uncertain": IN_DOUBT.with_(words=problem.reason).to_json(), "code": problem.code}
        except RegisterGone as problem:
            result = {"refused": problem.reason.to_json(), "code": problem.code}
        self._audited(row.command, params, result)

    def _run(self, command: str, params: Mapping[str, Any], work: Work) -> dict[str, Any]:
        wish = Wish(str(params.get("actor", slips.HUB)),
                    Cashier(str(params.get("cashier", "")), str(params.get("cashier_inn", ""))))
        if command == "z":
            self.close_shift(work, wish)
            return {"done": True}
        if command == "open":
            self.ready_shift(self.driver.status(), work, wish)
            return {"done": True}
        if command == "x":
            return self._x(wish)
        if command in ("cash_in", "cash_out"):
            return self._cash(command, params, work, wish)
        if command in ("copy", "cut", "drawer", "clock"):
            return self._hand(command)
        if command == "cancel":
            # Between two receipts no attempt is open: what stands at the register belongs to none of ours.
            return {"done": True} if self.driver.cancel_document(self.lease) else {"refused": NOT_OURS.to_json()}
        status = self.driver.status()
        new_checks(self.db, self.owner, self.driver)
        return {"done": True, "last_document": status.last_document}

    def _x(self, wish: Wish) -> dict[str, Any]:
        report = self.driver.x_report(self.lease)
        if not isinstance(report, ShiftReport):
            return {"refused": report.reason.to_json(), "code": report.vendor_code}
        self.db.submit(lambda connection: slips.keep_x(connection, self.owner, report, wish))
        return {"done": True, "sales": report.sales.amount, "returns": report.returns.amount,
                "cash": report.cash_in_drawer.amount, "receipts": report.receipts}

    def _cash(self, command: str, params: Mapping[str, Any], work: Work, wish: Wish) -> dict[str, Any]:
        """Never more out than the drawer holds: asked right before, and the register refuses by itself, too."""
        amount = int(params.get("amount", 0)) * (1 if command == "cash_in" else -1)
        money = Money(amount, str(params.get("currency", "RUB")))
        drawer = self.driver.drawer()
        wrong = check_cash_move(money, drawer, Country.KZ if money.currency == "KZT" else Country.RU)
        if wrong:
            return {"refused": wrong[0].text.to_json()}
        self.ready_shift(self.driver.status(), work)
        self._move(money, work, wish)
        return {"done": True, **({"drawer": drawer.amount + amount} if drawer is not None else {})}

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

    def _taken(self, connection: Connection, command: str, params: Mapping[str, Any]) -> bool:
        """False when it was taken back, or another ordered, since it was read: a person was told so."""
        now = connection.execute(select(REGISTER.c.command, REGISTER.c.command_params).where(
            REGISTER.c.id == self.owner.register_id).with_for_update()).one()
        if (now.command, dict(now.command_params or {})) != (command, params) \
                or not claims.is_owner(connection, self.owner):
            return False
        connection.execute(update(REGISTER).where(REGISTER.c.id == self.owner.register_id)
                           .values(command="", command_params={}))
        if params.get("order"):
            connection.execute(update(ORDER).where(ORDER.c.public_id == params["order"], ORDER.c.state == "waiting")
                               .values(state="taken", taken_at=utcnow()))
        return True

    @staticmethod
    def _came_to(result: Mapping[str, Any]) -> dict[str, Any]:
        """The end of a program's order; one in doubt has none yet, and is told as not known."""
        if "uncertain" in result:
            return {"result": dict(result)}
        return {"state": "refused" if "refused" in result else "done", "ended_at": utcnow(), "result": dict(result)}

    def _audited(self, command: str, params: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        audit = table(Audit)
        if params.get("order"):
            self.db.submit(lambda connection: connection.execute(
                update(ORDER).where(ORDER.c.public_id == params["order"])
                .values(**self._came_to(result))))
        self.db.submit(lambda connection: connection.execute(insert(audit).values(
            organisation_id=self.owner.organisation_id, actor=str(params.get("actor", self.owner.actor)),
            action=f"register.{command}", object_id=str(self.owner.register_id), details=dict(result), at=utcnow(),
            public_id=new_public_id("aud"), created_at=utcnow(), row_version=1)))
