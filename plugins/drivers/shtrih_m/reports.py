"""Shifts, reports, cash in and out.

41h and E0h answer nothing but "done": what they wrote is read from the storage. The sums of a shift stand in the tags
of its closing document where the format has them, else they are added up from the archive, receipt by receipt.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime, tzinfo

from hub_plugins.drivers.shtrih_m import answers, commands, errors
from hub_plugins.drivers.shtrih_m.answers import Archived, BadAnswer
from hub_plugins.drivers.shtrih_m.archive import Archive
from hub_plugins.drivers.shtrih_m.errors import Refusal
from hub_plugins.drivers.shtrih_m.link import Lost
from hub_plugins.drivers.shtrih_m.notes import Note, Notes
from hub_plugins.drivers.shtrih_m.selling import Ended, ended, obstacle
from hub_plugins.drivers.shtrih_m.session import REPORT_PATIENCE, Session

from hub.contracts import Bookmark, Guard, Refused, RegisterGone, ShiftReport, StoredDocument, Text, Uncertain
from hub.fiscal import Cashier, Kind, Money, tlv
from hub.fiscal.codes import Tag
from hub.fiscal.stored import Reading, tags_in
from hub.fiscal.tlv import BadTlv, Element

#: Cash register with the cash in the drawer.
DRAWER = 241
#: Counters of the shift and of the storage's whole life, in them those of sales and returns, in them the sum.
OF_SHIFT, OF_STORAGE, SALES, RETURNS, SUM = 1194, 1157, 1129, 1130, 1201
RECEIPTS_IN_SHIFT = 1118

NOT_WRITTEN = Text("The register reported success, but its storage has no such document. Look at the register.",
                   "Касса сообщила об успехе, но в накопителе нет документа. Посмотрите на кассу.")
NO_DRAWER = Text("The register does not tell the cash in its drawer: after a lost answer nobody could tell whether it "
                 "has counted the money. Put it in or take it out at the register itself.",
                 "Касса не сообщает, сколько наличных в ящике: после потерянного ответа не узнать, учла ли она деньги. "
                 "Внесите или выплатите их на самой кассе.")


@dataclass(frozen=True, slots=True)
class Sums:
    """What was printed in a shift."""

    sales: int
    returns: int
    receipts: int


class Reports:
    """Shifts and reports over one session."""

    def __init__(self, session: Session, notes: Notes, archive: Archive, zone: tzinfo) -> None:
        self.session, self.notes, self.archive, self.zone = session, notes, archive, zone

    # -- shift ---------------------------------------------------------------------------------------------------

    def open_shift(self, cashier: Cashier, guard: Guard) -> Ended | None:
        """E0h; None when a shift is open afterwards."""
        session = self.session
        state = session.to_rest(guard)
        if state.mode == 2 or (state.mode == 8 and session.shift().open):
            return None
        if state.mode != 4:
            return obstacle(state)
        if state.submode:
            return Refused(errors.meaning(errors.NO_PAPER).text, True, errors.vendor_code(errors.NO_PAPER))
        problem = self._document(0x41, commands.open_shift(session.operator), commands.SHIFT, cashier, guard)
        if isinstance(problem, Refused) and problem.vendor_code == errors.vendor_code(errors.SHIFT_IS_OPEN):
            return None
        if problem is not None:
            return problem
        try:
            return None if session.shift().open else Uncertain(NOT_WRITTEN)
        except RegisterGone as gone:
            return Uncertain(gone.reason, gone.code)

    def _document(self, begin: int, command: bytes, timeout: float, cashier: Cashier, guard: Guard) -> Ended | None:
        """A document of the shift: with a cashier it is begun in the storage first, so that his name can be sent.

        From the first byte of ``command`` on a line that breaks leaves open whether the document was written, also
        behind its good answer: ``find`` tells.
        """
        session = self.session
        mark = session.storage()

        def still() -> bool:
            now = session.storage()
            return (now.number, now.last) == (mark.number, mark.last)

        try:
            if cashier.name:
                self._cashier(begin, cashier, guard)
        except (Lost, Refusal) as problem:
            return ended(problem)
        try:
            try:
                session.tell(command, guard, timeout, still=still)
                session.to_rest(guard, REPORT_PATIENCE)
            except Refusal as refusal:
                return ended(refusal) if still() else Uncertain(refusal.reason, errors.vendor_code(refusal.code))
        except Lost as problem:
            return Uncertain(problem.reason, problem.code) if problem.sent else ended(problem)
        except RegisterGone as gone:
            return Uncertain(gone.reason, gone.code)
        return None

    def _cashier(self, begin: int, cashier: Cashier, guard: Guard) -> None:
        session = self.session
        try:
            session.tell(commands.storage(begin, session.admin), guard)
            for tag, words in ((Tag.CASHIER, cashier.name), (Tag.CASHIER_INN, cashier.inn)):
                if words:
                    session.tell(commands.send_tlv(session.admin, tlv.encode([Element(tag, tlv.fitted(words, tag))])),
                                 guard)
        except Refusal as refusal:
            # A model that cannot be told prints the operator's name of its own settings.
            if refusal.code not in (errors.UNSUPPORTED, errors.UNKNOWN_COMMAND):
                raise

    def close_shift(self, cashier: Cashier, guard: Guard) -> ShiftReport | Ended:
        """The Z report."""
        session = self.session
        state = session.to_rest(guard)
        if state.mode not in (2, 3):
            return obstacle(state) or Refused(errors.meaning(errors.SHIFT_IS_CLOSED).text, True,
                                              errors.vendor_code(errors.SHIFT_IS_CLOSED))
        if state.submode:
            return Refused(errors.meaning(errors.NO_PAPER).text, True, errors.vendor_code(errors.NO_PAPER))
        before, shift, drawer = session.storage(), session.shift(), self.told_drawer() or 0
        problem = self._document(0x42, commands.z_report(session.admin), commands.REPORT, cashier, guard)
        if problem is not None:
            return problem
        try:
            return self._closed(before.last, shift, drawer)
        except RegisterGone as gone:
            return Uncertain(gone.reason, gone.code)

    def _closed(self, before: int, shift: answers.Shift, drawer: int) -> ShiftReport | Ended:
        last = self.session.storage()
        for number in range(last.last, before, -1):
            found = self.archive.short(number)
            if found is not None and found.type == answers.CLOSED:
                sums, cumulative = self._sums(found, before, shift)
                self.notes.count(last.number, cumulative)
                return self._report(last.number, found, shift.number, sums, drawer, cumulative)
        return Uncertain(NOT_WRITTEN)

    def _report(self, storage: str, found: Archived, shift: int, sums: Sums, drawer: int,
                cumulative: int) -> ShiftReport:
        at = found.at or datetime.now(self.zone)
        return ShiftReport(storage, found.number, shift, at.replace(tzinfo=self.zone), sums.receipts, Money(sums.sales),
                           Money(sums.returns), Money(drawer), Money(cumulative), str(found.sign) if found.sign else "")

    def _sums(self, found: Archived, last: int, shift: answers.Shift) -> tuple[Sums, int]:
        """What the shift's closing document says of it, and of the storage's whole life."""
        storage = self.archive.identity.storage_number
        try:
            read = Reading(tags_in(self.archive.tags(found.number))[1])
        except BadTlv:
            read = Reading(())
        if OF_SHIFT in read:
            of_shift = read.inside(OF_SHIFT)
            sums = Sums(of_shift.inside(SALES).number(SUM), of_shift.inside(RETURNS).number(SUM),
                        read.number(RECEIPTS_IN_SHIFT) or shift.receipts)
        else:
            sums = self.counted(shift, last)
        if OF_STORAGE in read:
            return sums, read.inside(OF_STORAGE).inside(SALES).number(SUM)
        return sums, self.notes.sales(storage) + sums.sales

    def counted(self, shift: answers.Shift, last: int) -> Sums:
        """The receipts of a shift, added up from the archive."""
        opened = self.archive.shift_opened(shift.number, last, shift.receipts)
        sums = dict.fromkeys(Kind, 0)
        for number in range(opened.number + 1 if opened else last + 1, last + 1):
            one = self.archive.short(number)
            if one is not None and one.total is not None and 1 <= one.operation <= 4:
                sums[Kind(one.operation)] += one.total
        return Sums(sums[Kind.SALE], sums[Kind.SALE_RETURN], shift.receipts)

    def x_report(self, guard: Guard) -> ShiftReport | Ended:
        """The X report: on paper only."""
        session = self.session
        problem = self._printed(commands.x_report(session.admin), guard, commands.REPORT)
        if problem is not None:
            return problem
        storage, shift = session.storage(), session.shift()
        sums = self.counted(shift, storage.last) if shift.open else Sums(0, 0, 0)
        with session.reading():
            full = answers.full_state(session.ask(commands.full_state(session.operator), commands.STATE))
        at = Archived(answers.CLOSED, False, full.clock, storage.last, 0)
        return self._report(storage.number, at, shift.number, sums, self.told_drawer() or 0,
                            self.notes.sales(storage.number) + sums.sales)

    def _printed(self, command: bytes, guard: Guard, timeout: float) -> Ended | None:
        """A command that prints and writes nothing."""
        hindered = obstacle(self.session.to_rest(guard))
        allowed = (errors.vendor_code(errors.SHIFT_IS_CLOSED), errors.vendor_code(errors.OVER_24))
        if hindered is not None and hindered.vendor_code not in allowed:
            return hindered
        try:
            self.session.tell(command, guard, timeout, still=lambda: True)
            self.session.to_rest(guard, REPORT_PATIENCE)
        except Lost as problem:
            return Uncertain(problem.reason, problem.code) if problem.sent else ended(problem)
        except RegisterGone as gone:
            return Uncertain(gone.reason, gone.code)
        except Refusal as refusal:
            return ended(refusal)
        return None

    # -- cash ----------------------------------------------------------------------------------------------------

    def drawer(self) -> int:
        """The cash in the drawer, in kopecks."""
        with self.session.reading():
            data = self.session.ask(commands.cash_register(self.session.operator, DRAWER))
            return int.from_bytes(answers.Reader(data[1:]).raw(6), "little")

    def told_drawer(self) -> int | None:
        """The same; None when the model does not know this counter, which holds up nothing but cash in and out."""
        try:
            data = self.session.ask(commands.cash_register(self.session.operator, DRAWER))
            return int.from_bytes(answers.Reader(data[1:]).raw(6), "little")
        except (Refusal, BadAnswer):
            return None

    def cash_move(self, amount: Money, guard: Guard) -> Ended | None:
        """50h or 51h. No storage keeps them: what became of one whose answer was lost, the drawer tells."""
        if amount.currency != "RUB" or not amount or abs(amount.amount) > commands.LARGEST_MONEY:
            return Refused(Text("Give an amount in roubles.", "Укажите сумму в рублях."))
        session = self.session
        hindered = obstacle(session.to_rest(guard))
        if hindered is not None:
            return hindered
        storage, before = session.storage(), self.told_drawer()
        if before is None:
            return Refused(NO_DRAWER)
        self.notes.write(Note(storage.number, storage.last, self.notes.now.silent, before, amount.amount))
        command = commands.cash_in(session.operator, amount.amount) if amount.amount > 0 else \
            commands.cash_out(session.operator, -amount.amount)
        try:
            try:
                session.tell(command, guard, commands.PRINT, still=lambda: self.drawer() == before)
            except Refusal as refusal:
                if self.drawer() != before:
                    return Uncertain(refusal.reason, errors.vendor_code(refusal.code))
                self.notes.clear()
                return ended(refusal)
        except Lost as problem:
            return Uncertain(problem.reason, problem.code) if problem.sent else ended(problem)
        except RegisterGone as gone:  # it was refused as "busy", or not readably answered, and then the line broke
            return Uncertain(gone.reason, gone.code)
        self.notes.clear()  # the register has said that it counted the cash
        with contextlib.suppress(RegisterGone):
            session.to_rest(guard)
        return None

    def moved(self, bookmark: Bookmark, last: int) -> tuple[tuple[StoredDocument, ...], bool]:
        """For ``find``: the cash move that was begun at this bookmark, if the drawer shows it; and whether the drawer
        can tell. Anything that was printed since hides it."""
        note = self.notes.now
        if not note.moved or note.mark != Bookmark(bookmark.storage_number, bookmark.document_number):
            return (), True
        if last != note.document:
            return (), False
        change = self.drawer() - note.drawer
        if change != note.moved:
            return (), not change
        return (StoredDocument(None, note.document, "cash_in" if change > 0 else "cash_out", None,
                               Money(abs(change))),), True


__all__ = ["Reports", "Sums"]

