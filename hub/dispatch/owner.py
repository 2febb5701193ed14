"""The one owner of a register: a thread that holds its lease and its port, and does everything that changes it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import bindparam, select, update

from hub import steps
from hub.bell import Bell
from hub.contracts import Bookmark, Driver, Identity, LeaseLost, RegisterGone, Status
from hub.contracts.settings import load
from hub.dispatch import claims, slips
from hub.dispatch.claims import Fit, Look, Owner
from hub.dispatch.commands import Commands
from hub.dispatch.devices import Searches
from hub.dispatch.fiscalise import RegisterRefuses, Work
from hub.dispatch.herd import Herd
from hub.dispatch.inventory import Known, new_checks, new_identity, new_status, trouble
from hub.dispatch.lease import LEASE_SECONDS, RegisterLease
from hub.dispatch.marks import Mark, compare
from hub.dispatch.slips import Wish
from hub.dispatch.wire_logs import WireLogs
from hub.fiscal import Text
from hub.plugins import Catalogue
from hub.registers import transports
from hub.registers.health import obstacle
from hub.registers.recording import Recorder
from hub.registers.rules import ShiftRules
from hub.registers.shifts import must_close, must_open
from hub.registers.transports.usb import memory
from hub.store import Database, DatabaseAway, Organisation, Register, leases
from hub.store.lent import ADDRESS, Lent
from hub.store.receipts import RECEIPT, RECORD
from hub.store.vault import KeyMissing, Vault

log = structlog.get_logger("hub.dispatch")

#: A register looks at the table by itself so often, whatever the bells do.
LOOK_SECONDS = 1.0
STATUS_SECONDS = 5.0
#: Which USB port each name of this machine's ports was.
PORTS = "ports.json"
#: Undecided receipts are looked into again so often.
RECOVER_SECONDS = 30.0


#: Prepared once: every register looks each second.
_ROWS = (select(Register, Organisation).join(Organisation, Organisation.id == Register.organisation_id)
         .where(Register.id == bindparam("register"), Register.archived_at.is_(None)))
_STILL = (select(claims.REGISTER.c.enabled, claims.REGISTER.c.settings_version, claims.REGISTER.c.archived_at,
                 claims.REGISTER.c.unread, claims.REGISTER.c.rules)
          .where(claims.REGISTER.c.id == bindparam("register")))
_UNCONFIRMED = select(RECORD.c.id).where(
    RECORD.c.register_id == bindparam("register"), RECORD.c.confirmed_at.is_(None),
    RECORD.c.storage_number == bindparam("storage"), RECORD.c.document_number <= bindparam("upto")).limit(1)


class RegisterThread(threading.Thread):
    """Owns one register while its lease lasts. ``stop()`` finishes the receipt in hand, then ends."""

    def __init__(self, db: Database, vault: Vault, catalogue: Catalogue, bell: Bell, register_id: int, holder: str,
                 data_dir: Path, make: Callable[..., Driver] | None = None, wires: WireLogs | None = None,
                 public_url: str = "", clock: Callable[[], float] = time.monotonic,
                 event: Callable[[], threading.Event] = threading.Event, herd: Herd | None = None) -> None:
        super().__init__(name=f"register-{register_id}", daemon=True)
        self._wires, self.public_url = wires, public_url
        self.db, self.vault, self.catalogue, self.bell = db, vault, catalogue, bell
        self.register_id, self.holder, self.data_dir, self._make = register_id, holder, data_dir, make
        #: A clock that never jumps, and what waits on it.
        self.clock = clock
        self.wake, self._stop_asked = event(), event()
        #: Those of this process that are woken with it, and what they know of it.
        self.herd = herd or Herd()
        self.serves: tuple[int, ...] = ()
        self.idle_since: float | None = None
        self._failures = 0
        #: What listens to its wire.
        self._log: Recorder | None = None
        self._opened_for_log = False
        #: Why the register refused for a passing cause; while its status shows one, nothing is tried.
        self._refused: RegisterRefuses | None = None
        self._said = 0.0
        #: Set while a receipt is in hand: `hub up` waits for it.
        self.busy = False

    def stop(self) -> None:
        """Asks the thread to end after what it has in hand."""
        self._stop_asked.set()
        self.wake.set()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            pause = LOOK_SECONDS
            try:
                pause = self._turn()
            except DatabaseAway as problem:
                log.warning("database_away", register=self.register_id, error=str(problem))
            except Exception:
                # The thread itself must not die of anything: the register would stand still in silence.
                log.exception("register_thread_failed", register=self.register_id)
                pause = 5.0
            # What woke the turn that was asked to stop is spent by now.
            if not self._stop_asked.is_set():
                self.wake.wait(pause)
            self.wake.clear()

    # -- a lease -------------------------------------------------------------------------------------------------

    def _turn(self) -> float:
        """One lease from beginning to end; the seconds until the next try."""
        row, organisation = self._rows()
        if row is None or organisation is None or not row.enabled:
            return LOOK_SECONDS
        taken_at = self.clock()
        fence = leases.acquire_register(self.db, self.register_id, self.holder, LEASE_SECONDS)
        if fence is None:
            return LOOK_SECONDS
        steps.at("lease_taken")
        owner = Owner(self.register_id, row.organisation_id, self.holder, fence)
        lease = RegisterLease(self.db, owner, self.clock, taken_at)
        driver: Driver | None = None
        mark = Mark(self.data_dir / "registers" / row.public_id)
        try:
            driver = self._driver(row, organisation)
            with self._listening(row, driver):
                self._own(driver, owner, lease, row, organisation, mark)
            self._failures = 0
        except (RegisterGone, KeyMissing) as problem:
            self._failures += 1
            self._refused = problem if isinstance(problem, RegisterRefuses) else None
            reason = problem.reason if isinstance(problem, RegisterGone) else Text(
                "The register's secrets cannot be opened: {words}.", "Секреты кассы не открыть: {words}.",
                params={"words": str(problem)})
            trouble(self.db, self.register_id, reason, getattr(problem, "code", ""))
            log.warning("register_gone", register=self.register_id, reason=str(reason))
            # Our own ring ("a receipt is free again") must not cut the pause short.
            self.wake.clear()
            self.herd.looks(self)
            self.herd.more()
        except LeaseLost:
            log.warning("lease_lost", register=self.register_id, fence=fence)
        finally:
            if driver is not None:
                driver.close()
            mark.close()
            lease.release()
        return float(min(LOOK_SECONDS * 2 ** min(self._failures, 5), 15.0))

    def _listening(self, row: Register, driver: Driver) -> AbstractContextManager[None]:
        """While it lasts, what the driver says on its wires can be logged."""
        if self._wires is None:
            return nullcontext()
        self._log = self._wires.recorder(row.id, driver.masked, row.wire_until)
        return transports.wrapped(self._log.around)

    def _rows(self) -> tuple[Register | None, Organisation | None]:
        with self.db.session() as session:
            row = session.execute(_ROWS, {"register": self.register_id}).first()
            return (row[0], row[1]) if row is not None else (None, None)

    def _driver(self, row: Register, organisation: Organisation) -> Driver:
        settings: dict[str, Any] = {**row.settings, **self.vault.unseal(row.secrets, row.key_id)}
        folder = self.data_dir / "registers" / row.public_id
        folder.mkdir(parents=True, exist_ok=True)
        lent = Lent(row.public_id, str(folder), row.zone, organisation.currency, organisation.tax_id,
                    f"{self.public_url}{ADDRESS}{row.public_id}", self.db, self.vault, row.organisation_id, row.id)
        if self._make is not None:
            return self._make(row, lent)
        kind = self.catalogue.drivers.get(row.driver)
        if kind is None:
            raise RegisterGone(Text("The driver “{name}” is not installed or set aside.",
                                    "Драйвер «{name}» не установлен или отложен.", params={"name": row.driver}))
        try:
            return kind(load(kind.settings, settings), lent)
        except Exception as problem:
            raise RegisterGone(Text("The register's settings cannot be used: {error}",
                                    "Настройки кассы не подходят: {error}",
                                    params={"error": str(problem)[:200]})) from problem

    # -- owning --------------------------------------------------------------------------------------------------

    def _own(self, driver: Driver, owner: Owner, lease: RegisterLease, row: Register,
             organisation: Organisation, mark: Mark | None = None) -> None:
        """Takes the device, resolves what is open, then serves until the lease, the device or we end."""
        identity = driver.open()
        steps.at("device_open")
        self._wait_out(driver, owner, lease)
        known = new_identity(self.db, owner, row, organisation, identity, driver.abilities())
        memory.keep(str(row.settings.get("address") or "").partition("?")[0].strip())
        steps.at("identity_kept")
        status = driver.settle(lease)
        new_status(self.db, owner, known, status)
        new_checks(self.db, owner, driver)
        work = Work(self.db, self.bell, driver, owner, lease, fit_of(driver, identity))
        work.storage, work.known, work.zone = identity.storage_number, known.document, ZoneInfo(row.zone)
        work.unread = bool(row.unread)
        if mark is not None:
            work.mark = mark.note
        work.recover()
        status = driver.status()
        if status.document_open:
            # Ours, begun and given up, is cancelled: no attempt stands for it any more. Another's is left alone.
            driver.cancel_document(lease)
        steps.at("at_rest")
        work.gap(Bookmark(status.storage_number, status.last_document, status.shift_number))
        work.bind_printed()
        if work.known >= status.last_document:
            self.db.submit(lambda connection: claims.was_read(connection, self.register_id))
        # With a report among them that was not known it may have been registered anew since it said who it is: then
        # serving ends at once, and the next turn asks it again.
        self._serve(driver, owner, lease, row, known, work)

    def _wait_out(self, driver: Driver, owner: Owner, lease: RegisterLease) -> None:
        """A command of a dead owner may still be at work in the device, or on its way there: with an attempt open or
        uncertain, its longest command is waited out before anything is asked."""
        with self.db.read() as connection:
            interrupted = any(row["state"] != "submitted" for row in claims.unsettled(connection, owner.register_id))
        deadline = self.clock() + (driver.capabilities.longest_command if interrupted else 0.0)
        while self.clock() < deadline:
            if self._stop_asked.wait(min(0.5, max(0.0, deadline - self.clock()))):
                raise LeaseLost
            if not lease.keep():
                raise LeaseLost

    def _serve(self, driver: Driver, owner: Owner, lease: RegisterLease, row: Register, known: Known,
               work: Work) -> None:
        commands = Commands(self.db, driver, owner, lease, row.zone)
        looked = recovered = self.clock()
        first = True
        while not self._stop_asked.is_set():
            if not lease.keep():
                raise LeaseLost
            now = self.clock()
            if now - looked >= STATUS_SECONDS or first or commands.changed:
                looked, commands.changed = now, False
                rules = self._still(row)
                if rules is None or work.stale or self._begins_in_the_middle():
                    return
                commands.rules = rules
                status = self._look(driver, owner, known)
                if not first:
                    self._failures = 0  # it has served for a while: the next failure is a first one again
                self._confirm(owner, status)
                why = commands.why_close(status)
                if why:
                    log.info("shift_is_closed", register=owner.register_id, why=why)
                    commands.close_shift(work, Wish(why=why))
                if now - recovered >= RECOVER_SECONDS:
                    recovered = now
                    work.recover()
            first = False
            seen = self._seen()
            if seen.command:
                commands.run_ordered(work)
                continue
            work.poll_due()
            try:
                if self._next(driver, owner, lease, work, commands, seen):
                    continue
            except RegisterRefuses:
                with suppress(RegisterGone):
                    # What it refused for must stand on its card at once, beside why.
                    self._look(driver, owner, known)
                raise
            self.idle_since = self.clock()
            self.wake.wait(LOOK_SECONDS)
            self.idle_since = None
            self.wake.clear()

    def _seen(self) -> Look:
        """What there is to do; rung for until now counts as looked at."""
        self.herd.looks(self)
        self.bell.silence(f"register:{self.register_id}")
        with self.db.read() as connection:
            seen = claims.look(connection, self.register_id)
        self.serves = seen.served
        return seen

    def _still(self, row: Register) -> ShiftRules | None:
        """The owner's rules of its shifts; None when the register is no longer enabled under the settings that it was
        opened with."""
        with self.db.read() as connection:
            now = connection.execute(_STILL, {"register": self.register_id}).one()
        # One that another host found unread is opened, and so read, anew.
        if not now.enabled or now.settings_version != row.settings_version or now.archived_at is not None \
                or (now.unread and not row.unread):
            return None
        return ShiftRules.read(now.rules)

    def _begins_in_the_middle(self) -> bool:
        """Whether the log of the wire was switched on after the register was opened: it is opened anew, so that the
        log says who it is."""
        middle = self._log is not None and self._log.on and not self._log.whole
        # Once: what has no wire has nothing to log, however often it is opened.
        anew, self._opened_for_log = middle and not self._opened_for_log, middle
        return anew

    def _look(self, driver: Driver, owner: Owner, known: Known) -> Status:
        """Reads the register's state, with the cash in its drawer, and keeps what is shown of it."""
        status = driver.status()
        if driver.abilities().cash_moves:
            drawer = driver.drawer()
            status = replace(status, drawer=None if drawer is None else drawer.amount)
        new_status(self.db, owner, known, status)
        if status.shift_open and status.shift_number and known.shift != (status.storage_number, status.shift_number):
            # A shift that was opened past us has its row, too.
            self.db.submit(lambda connection: slips.saw_open(connection, owner, status))
            known.shift = (status.storage_number, status.shift_number)
        return status

    def _next(self, driver: Driver, owner: Owner, lease: RegisterLease, work: Work, commands: Commands,
              seen: Look) -> bool:
        """Prints the next receipt if there is one that fits; True when it printed. What it leaves, or cannot take, is
        the others'."""
        work.served = seen.served
        if not seen.mine:
            if seen.waiting:
                self.herd.more()
            return False
        with self.db.read() as connection:
            if claims.unread(connection, owner.organisation_id):
                work.restored = None  # what is read of the others meanwhile counts for all
                self.herd.more()
                return False
            work.tellers(connection)
            # Not from what was refused before: the emptier one may be the one that refuses it each time.
            steps_back = not work.busy_last and claims.emptier_is_free(connection, owner) \
                and not claims.tried_before(connection, work.served)
        if steps_back:
            # Another free register has more room in its storage: it gets a moment to be first.
            self.herd.more()
            work.busy_last = True
            self._stop_asked.wait(0.15)
            return True
        self.herd.more(seen.waiting - 1)
        if self._refused is not None:
            if obstacle(driver.status()):
                # Still no paper: its receipts wait without an attempt every few seconds, and go on by themselves.
                self.herd.more()
                if self.clock() - self._said >= STATUS_SECONDS:
                    self._said = self.clock()
                    trouble(self.db, self.register_id, self._refused.reason, self._refused.code)
                return False
            self._refused = None
        self.busy = True
        try:
            printed, began = 0, self.clock()
            while not self._stop_asked.is_set():
                if not lease.keep():
                    raise LeaseLost
                status = driver.status() if printed % 32 == 0 else None
                if status is not None and (must_open(status) or must_close(status)):
                    # That takes its time: whose shift is open may be first.
                    self.herd.more()
                    commands.ready_shift(status, work)
                if work.is_full():
                    break
                bookmark = driver.bookmark()
                work.same_storage(bookmark)
                work.gap(bookmark)
                if work.one(bookmark) is None:
                    break
                printed += 1
                self._failures = 0
                # However much waits: the state is looked at, a shift may be due, a person may have ordered something.
                if self.clock() - began >= STATUS_SECONDS or (printed % 32 == 0 and self._has_order()):
                    break
            if not printed:
                # What waits is printed already, perhaps: an order that is told again to a restored database.
                work.bind_printed()
                if self._seen().waiting:
                    self.herd.more()
            work.busy_last = bool(printed)
            return bool(printed)
        finally:
            self.busy = False

    def _has_order(self) -> bool:
        with self.db.read() as connection:
            return bool(connection.execute(select(claims.REGISTER.c.command).where(
                claims.REGISTER.c.id == self.register_id)).scalar())

    def _confirm(self, owner: Owner, status: Status) -> None:
        """Documents leave a storage in order: what is not among the unsent is with the OFD."""
        if status.ofd_unsent is None:
            return
        upto = status.last_document - status.ofd_unsent
        with self.db.read() as connection:
            waiting = connection.execute(_UNCONFIRMED, {
                "register": owner.register_id, "storage": status.storage_number, "upto": upto}).first()
        if waiting is not None:
            self.db.submit(lambda connection: claims.confirm(connection, owner.register_id, status.storage_number,
                                                             upto))
            steps.at("confirmed")


def fit_of(driver: Driver, identity: Identity) -> Fit:
    """What the register takes, from what it says of itself and what its model can do."""
    capabilities = driver.abilities()
    # The register decides the format that it writes; a receipt built for an older one holds nothing it lacks.
    return Fit(identity.tax_systems, identity.ffd, " ".join(capabilities.countries), identity.internet is True,
               identity.settlement_place, identity.marking, identity.agent_signs, capabilities.electronic_only)


class Keepers:
    """Starts a thread for every enabled register and ends those that are gone. Driven by the worker's main loop."""

    def __init__(self, db: Database, vault: Vault, catalogue: Catalogue, bell: Bell, holder: str, data_dir: Path,
                 make: Callable[..., Driver] | None = None, public_url: str = "",
                 devices: Iterable[str] = ()) -> None:
        self.public_url = public_url
        self.searches = Searches(db, catalogue.drivers, devices)
        self.db, self.vault, self.catalogue, self.bell = db, vault, catalogue, bell
        self.holder, self.data_dir, self._make = holder, data_dir, make
        self.wires = WireLogs(db)
        memory.load(data_dir / PORTS)
        self.threads: dict[int, RegisterThread] = {}
        self.herd = Herd()
        self._compared = False

    def look(self) -> None:
        """Brings the threads in line with the table. Raises DatabaseAway."""
        if not self._compared:
            compare(self.db, self.data_dir / "registers")
            self._compared = True
        with self.db.read() as connection:
            wanted = set(connection.execute(select(claims.REGISTER.c.id).where(
                claims.REGISTER.c.enabled.is_(True), claims.REGISTER.c.archived_at.is_(None))).scalars())
        for register_id in wanted - set(self.threads):
            thread = RegisterThread(self.db, self.vault, self.catalogue, self.bell, register_id,
                                    f"{self.holder}:{register_id}", self.data_dir, self._make, self.wires,
                                    self.public_url, herd=self.herd)
            self.threads[register_id] = thread
            thread.start()
        for register_id, thread in list(self.threads.items()):
            if register_id not in wanted:
                thread.stop()
            if not thread.is_alive():
                del self.threads[register_id]
        self.wires.look()
        self.searches.look()

    def ring(self, target: str) -> None:
        """A bell for a register wakes it, one for a queue as many as there is work for (hub.dispatch.herd)."""
        kind, _, number = target.partition(":")
        if kind not in ("queue", "register") or not number.isdigit():
            return
        self.bell.silence(target)
        if kind == "queue":
            self.herd.ring(int(number), list(self.threads.values()))
        elif (thread := self.threads.get(int(number))) is not None:
            thread.wake.set()

    def stop(self, seconds: float) -> bool:
        """Ends all threads after what they have in hand; False when one still works after ``seconds``."""
        self.searches.stop()
        for thread in self.threads.values():
            thread.stop()
        deadline = time.monotonic() + seconds
        for thread in self.threads.values():
            thread.join(max(0.0, deadline - time.monotonic()))
        with suppress(DatabaseAway):
            self.wires.look()
        return not any(thread.is_alive() for thread in self.threads.values())


def mark_misfits(db: Database) -> None:
    """Says in words why queued receipts wait: no register serves the queue, or none fits. Run by the ticker."""
    from hub.dispatch.inventory import explain_waiting

    for receipt_id, reason in explain_waiting(db):
        db.submit(lambda connection, receipt_id=receipt_id, reason=reason: connection.execute(  # type: ignore[misc]
            update(RECEIPT).where(RECEIPT.c.id == receipt_id, RECEIPT.c.state == "queued")
            .values(misfit=reason.to_json() if reason else None)))
