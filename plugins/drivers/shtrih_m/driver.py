"""The driver of Shtrih-M registers: the contract's methods over one session. What each does is in the rooms beside."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hub_plugins.drivers.shtrih_m import answers, checks, commands, discovery, errors, masking, sale
from hub_plugins.drivers.shtrih_m.answers import BadAnswer
from hub_plugins.drivers.shtrih_m.archive import Archive
from hub_plugins.drivers.shtrih_m.errors import Refusal
from hub_plugins.drivers.shtrih_m.hands import Hands
from hub_plugins.drivers.shtrih_m.link import REST, Lost
from hub_plugins.drivers.shtrih_m.notes import Notes
from hub_plugins.drivers.shtrih_m.profile import FFDS, PRINTING_MODE, Looking, Profile
from hub_plugins.drivers.shtrih_m.reports import Reports
from hub_plugins.drivers.shtrih_m.selling import Ended, Selling
from hub_plugins.drivers.shtrih_m.session import LONG_PATIENCE, Session, connect
from hub_plugins.drivers.shtrih_m.settings import FACTORY, ShtrihSettings

from hub.contracts import (
    Bookmark,
    Capabilities,
    Driver,
    DriverContext,
    Found,
    Guard,
    Identity,
    Job,
    Outcome,
    Probing,
    RegisterGone,
    SettingCheck,
    ShiftReport,
    Status,
    StoredDocument,
    Text,
    Transport,
    clock_check,
)
from hub.fiscal import Cashier, Money
from hub.registers import transports
from hub.registers.transports import BadAddress, TransportError

#: Seconds after which what changes slowly (free memory, expiry) is read again.
SLOWLY = 600.0

CHANGED = Text("The register has another fiscal storage than when the hub connected. The hub connects anew.",
               "В кассе не тот фискальный накопитель, что при подключении. Хаб подключится заново.")
CLOSED = Text("The register is not connected.", "Касса не подключена.")
NOT_IN_WORK = Text("The fiscal storage is not in work (phase {phase}). Register the register, or have the storage "
                   "replaced.",
                   "Накопитель не в фискальном режиме (фаза {phase}). Зарегистрируйте кассу или замените накопитель.")


class ShtrihDriver(Driver):
    """Drives a Shtrih-M register over a serial port or TCP, by either protocol."""

    name = "shtrih_m"
    title = Text("Shtrih-M", "Штрих-М")
    summary = Text("Cash registers of Shtrih-M and those that speak their protocol, by USB, serial cable or network.",
                   "Кассы Штрих-М и совместимые с ними, по USB, последовательному кабелю или сети.")
    settings = ShtrihSettings
    capabilities = Capabilities(
        ffd=tuple(FFDS.values()), longest_command=commands.LONGEST, carries_key=True, copies=True, cuts=True,
        drawer=True, sets_clock=True, reads_documents=True, checks_settings=True, marking=True)
    probing = Probing(bauds=(115200, 4800, 57600, 38400, 19200, 9600),
                      addresses=("tcp://192.168.137.111:7778",))

    def __init__(self, settings: Mapping[str, Any], context: DriverContext) -> None:
        super().__init__(settings, context)
        self.zone = ZoneInfo(context.zone)
        self.notes = Notes(context.data_dir)
        self._make: Callable[[], Transport] = lambda: transports.transport(settings["address"].strip())
        self._pause: Callable[[float], None] = time.sleep
        self._clock: Callable[[], float] = time.monotonic
        self._line: Transport | None = None
        self._session: Session | None = None
        self._opened_at: tuple[int, datetime] | None = None
        self._slow: tuple[float, int | None, datetime | None] = (-SLOWLY, None, None)
        self._mark: tuple[Bookmark, int] | None = None

    # -- connection ----------------------------------------------------------------------------------------------

    def open(self) -> Identity:
        self.close()
        try:
            self._line = self._make()
            self._line.open()
            link = connect(self._line, self.config["protocol"], self.config["byte_seconds"], self.config["patience"],
                           self._clock)
        except BadAddress as problem:
            raise RegisterGone(problem.reason, "bad_address", "address") from problem
        except (TransportError, Lost) as problem:
            self.close()
            raise RegisterGone(problem.reason, problem.code, "address") from problem
        session = Session(link, self._password("operator_password"), self._password("admin_password"),
                          self.config["patience"], self._pause)
        try:
            # A reading of the archive that somebody left unfinished keeps desktop models from everything else.
            if session.state().mode == 1:
                session.finish_reading()
            profile = Looking(session).profile()
        except Refusal as refusal:
            self.close()
            raise RegisterGone(refusal.reason, errors.vendor_code(refusal.code)) from refusal
        except BaseException:
            self.close()
            raise
        self._session = session
        self._of(session, profile)
        return profile.identity

    def _of(self, session: Session, profile: Profile) -> None:
        """The rooms that work over this session."""
        config = self.config
        self.profile = profile
        self.archive = Archive(session, profile.identity, self.zone)
        self.selling = Selling(session, profile, self.notes, self.archive, sale.Settings(
            config["electronic_type"], config["department"], config["tag_1192"], config["internet_tags"],
            config["item_tags"], int(config["group_ten"], 16),
            config["piece_measure"]), self.zone)
        self.reports = Reports(session, self.notes, self.archive, self.zone)
        self.hands = Hands(session, self.zone)

    def _password(self, name: str) -> int:
        return int(self.config[name].strip() or FACTORY)

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = self._session = self._mark = None

    def abilities(self) -> Capabilities:
        if self._session is None:
            return self.capabilities
        profile = self.profile
        return replace(self.capabilities, marking=profile.identity.ffd == "1.2", cuts=profile.parameters.cutter,
                       electronic_only=PRINTING_MODE in profile.fields,
                       carries_key=self.config["tag_1192"] and not self.archive.without_tags)

    def _open_session(self) -> Session:
        if self._session is None:
            raise RegisterGone(CLOSED, "closed")
        return self._session

    # -- looking -------------------------------------------------------------------------------------------------

    def status(self) -> Status:
        session = self._open_session()
        with session.reading():
            full = answers.full_state(session.ask(commands.full_state(session.operator), commands.STATE))
            queue = answers.exchange(session.ask(commands.storage(0x39, session.admin)))
        storage, shift, state = session.storage(), session.shift(), full.state
        clock = full.clock.replace(tzinfo=self.zone) if full.clock else None
        opened = self._shift_opened(shift, storage) if shift.open else None
        room, until = self._slowly(storage)
        return Status(
            storage.number, storage.last, state.rests, state.document_open, shift.open, shift.number, opened,
            self._age(opened, clock, state), state.submode not in (1, 2), state.cover_open, storage.last, room, until,
            queue.waiting, queue.since.replace(tzinfo=self.zone) if queue.since else None, clock,
            self._blocked(storage, state),
            warnings=tuple(name for bit, name in answers.WARNINGS.items() if storage.warnings & bit))

    def _age(self, opened: datetime | None, clock: datetime | None, state: answers.State) -> int | None:
        """Seconds of the shift. Mode 3 says that it is too old, whatever the clocks say."""
        age = int((clock - opened).total_seconds()) if opened and clock else None
        return max(age or 0, 24 * 3600) if state.mode == 3 else age

    def _shift_opened(self, shift: answers.Shift, storage: answers.StorageStatus) -> datetime | None:
        if self._opened_at is None or self._opened_at[0] != shift.number:
            found = self.archive.shift_opened(shift.number, storage.last, shift.receipts)
            if found is None or found.at is None:
                return None
            self._opened_at = (shift.number, found.at.replace(tzinfo=self.zone))
        return self._opened_at[1]

    def _slowly(self, storage: answers.StorageStatus) -> tuple[int | None, datetime | None]:
        """(documents that the storage can hold, when its term ends), as far as the model tells."""
        session = self._open_session()
        if self._clock() - self._slow[0] >= SLOWLY:
            room = until = None
            try:
                room = storage.last + answers.free_memory(session.ask(commands.storage(0x63, session.admin)))
            except (Refusal, BadAnswer):
                pass
            try:
                day = answers.Reader(session.ask(commands.storage(0x03, session.admin))).storage_date()
                until = datetime(day.year, day.month, day.day, tzinfo=self.zone) + timedelta(days=1) if day else None
            except (Refusal, BadAnswer):
                pass
            self._slow = (self._clock(), room, until)
        return self._slow[1], self._slow[2]

    def _blocked(self, storage: answers.StorageStatus, state: answers.State) -> Text | None:
        if storage.life != answers.IN_WORK:
            return NOT_IN_WORK.with_(phase=storage.life)
        code = {6: 0xC0, 9: 0x78}.get(state.mode if state.submode == 0 else -1)
        return errors.meaning(code).text if code is not None else None

    def settle(self, guard: Guard) -> Status:
        session = self._open_session()
        session.link.dirty = True  # late bytes may have come since the last answer
        try:
            session.link.sync(max(session.seconds(commands.LONGEST), REST * self.config["patience"]), guard.progress)
            state = session.to_rest(guard, LONG_PATIENCE)
            if state.rests and not state.document_open:
                self.selling.aloud(guard)
        except Lost as problem:
            raise RegisterGone(problem.reason, problem.code) from problem
        return self.status()

    def bookmark(self) -> Bookmark:
        session = self._open_session()
        storage, shift = session.storage(), session.shift()
        if storage.number != self.profile.identity.storage_number:
            raise RegisterGone(CHANGED, "changed")
        mark = Bookmark(storage.number, storage.last, shift.number)
        self._mark = (mark, shift.receipts)
        return mark

    def find(self, bookmark: Bookmark) -> Found:
        session = self._open_session()
        found = self.archive.found(bookmark)
        if found.storage_number != bookmark.storage_number:
            return found
        moved, told = self.reports.moved(bookmark, session.storage().last)
        return replace(found, documents=(*found.documents, *moved), complete=found.complete and told)

    def read_document(self, number: int) -> StoredDocument | None:
        mark = self.bookmark()
        return self.archive.document(number, whole=True) if 1 <= number <= mark.document_number else None

    def checks(self) -> tuple[SettingCheck, ...]:
        session = self._open_session()
        self._of(session, Looking(session).profile())
        with session.reading():
            clock = answers.full_state(session.ask(commands.full_state(session.operator), commands.STATE)).clock
        now = datetime.now(self.zone)
        told = (clock_check(clock.replace(tzinfo=self.zone), now),) if clock else ()
        return (*checks.checks(self.profile, now.date()), *told)

    # -- changing ------------------------------------------------------------------------------------------------

    def fiscalise(self, job: Job, guard: Guard) -> Outcome:
        self._open_session()
        if self._mark is None:
            self.bookmark()
        assert self._mark is not None
        mark, receipts = self._mark
        self._mark = None
        return self.selling.sell(job.receipt, mark, receipts, guard)

    def cancel_document(self, guard: Guard) -> bool:
        session = self._open_session()
        state = session.to_rest(guard)
        storage = session.storage()
        if not state.document_open and not storage.document:
            return True
        if not self.notes.now.is_of(storage.number, storage.last):
            # In the storage alone it is a shift's document that never came to be: nobody's receipt.
            return not state.document_open
        return self.selling.drop(guard)

    def open_shift(self, cashier: Cashier, guard: Guard) -> Ended | None:
        self._open_session()
        self._mark = None
        return self.reports.open_shift(cashier, guard)

    def close_shift(self, cashier: Cashier, guard: Guard) -> ShiftReport | Ended:
        self._open_session()
        self._mark = None
        return self.reports.close_shift(cashier, guard)

    def x_report(self, guard: Guard) -> ShiftReport | Ended:
        self._open_session()
        return self.reports.x_report(guard)

    def drawer(self) -> Money | None:
        self._open_session()
        told = self.reports.told_drawer()
        return None if told is None else Money(told)

    def cash_move(self, amount: Money, cashier: Cashier, guard: Guard) -> Ended | None:
        self._open_session()
        self._mark = None
        return self.reports.cash_move(amount, guard)

    def copy_last(self, guard: Guard) -> Ended | None:
        self._open_session()
        return self.hands.copy_last(guard)

    def cut(self, guard: Guard) -> Ended | None:
        self._open_session()
        return self.hands.cut(guard)

    def open_drawer(self, guard: Guard) -> Ended | None:
        self._open_session()
        return self.hands.open_drawer(guard)

    def set_clock(self, moment: datetime, guard: Guard) -> Ended | None:
        self._open_session()
        return self.hands.set_clock(moment, guard)

    # -- the wire ------------------------------------------------------------------------------------------------

    @classmethod
    def probe(cls, transport: Transport) -> Identity | None:
        return discovery.probe(transport)

    @classmethod
    def masked(cls, data: bytes, sent: bool) -> bytes:
        return masking.masked(data, sent)

    @classmethod
    def unheard(cls, data: bytes) -> bytes:
        return masking.refused(data)
