"""One receipt from the first command to the outcome.

Only the close (FF45 and its brothers, FF4A) makes a document. Until its first byte is sent nothing is printed, whatever
else happens; from then on only the register's answer or its storage tells. An error that answers the close is believed
when the storage agrees: its last document is still the bookmark's.

    dies or breaks ...                 what holds
    before the close                   an open receipt, noted as ours: the next owner cancels it
    while the close is under way       find: the storage has the document or not; the note cancels what is left open
    between the answer and its commit  find: the storage has the document
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import tzinfo

from hub_plugins.drivers.shtrih_m import answers, commands, errors, sale
from hub_plugins.drivers.shtrih_m.answers import BadAnswer, Closed, State
from hub_plugins.drivers.shtrih_m.archive import Archive
from hub_plugins.drivers.shtrih_m.errors import Refusal, Sort
from hub_plugins.drivers.shtrih_m.link import Lost
from hub_plugins.drivers.shtrih_m.notes import Note, Notes
from hub_plugins.drivers.shtrih_m.profile import PRINT, PRINTING_MODE, SKIP_NEXT, Profile
from hub_plugins.drivers.shtrih_m.sale import Mark, NotPrintable, Plan, Step
from hub_plugins.drivers.shtrih_m.session import STUCK, Session

from hub.contracts import (
    Bookmark,
    Guard,
    LeaseLost,
    Outcome,
    Refused,
    RegisterGone,
    Unavailable,
    Uncertain,
)
from hub.fiscal import FiscalRecord, Receipt, Text, marking
from hub.fiscal.tags import info

Ended = Refused | Unavailable | Uncertain

DIFFERS = Text("The register reckons {theirs}, the receipt states {ours}. Correct the order.",
               "По расчёту кассы сумма {theirs}, а в чеке {ours}. Исправьте заказ.")
OTHER_NUMBER = Text("The register answered with document {number}, which was not to be expected. The hub looks into "
                    "its storage.",
                    "Касса ответила номером документа {number}, которого не должно быть. Хаб проверит накопитель.")
TAG_REFUSED = Text("{words} The register refuses the property “{name}” (tag {tag}).",
                   "{words} Касса не принимает реквизит «{name}» (тег {tag}).")
LINE_REFUSED = Text("{words} The register refuses the line “{name}”.", "{words} Касса не принимает позицию «{name}».")
WRONG_MARK = Text("“{name}” {sign}: {why}", "«{name}» {sign}: {why}")

#: Values of FF69.
REJECT, ACCEPT, CLEAR = 0, 1, 2
_TABLE_FULL, _SEQUENCE = 0xA3, 0xA1


def ended(problem: Refusal | Lost) -> Ended:
    """The outcome of what was refused or lost before the close: nothing is printed."""
    if isinstance(problem, Lost):
        return Unavailable(problem.reason, problem.code)
    if problem.sort is Sort.BUSY:
        return Unavailable(problem.reason, errors.vendor_code(problem.code))
    return Refused(problem.reason, problem.sort.retry, errors.vendor_code(problem.code))


class Selling:
    """Prints receipts over one session. ``fresh`` gives the bookmark, read in this session."""

    def __init__(self, session: Session, profile: Profile, notes: Notes, archive: Archive, settings: sale.Settings,
                 zone: tzinfo) -> None:
        self.session, self.profile, self.notes, self.archive = session, profile, notes, archive
        self.settings, self.zone = settings, zone

    def sell(self, receipt: Receipt, mark: Bookmark, receipts: int, guard: Guard) -> Outcome:
        """One receipt. ``mark`` was read in this session, ``receipts`` is the last receipt's number in the shift."""
        try:
            plan = sale.plan(receipt, self.profile, self.settings, self.session.operator, self.session.admin)
        except NotPrintable as problem:
            return Refused(problem.reason)
        obstacle = self._obstacle(receipt, mark, guard)
        if obstacle is not None:
            return obstacle
        self.notes.write(Note(mark.storage_number, mark.document_number, self.notes.now.silent))
        try:
            self._paper(receipt, guard)
            self._open(plan, guard)
            wrong = self._marks(plan, receipt, guard) or self._steps(plan, receipt, guard)
        except (Refusal, Lost) as problem:
            return self._given_up(ended(problem), guard)
        if wrong is not None:
            return self._given_up(wrong, guard)
        return self._close(plan, receipt, mark, receipts, guard)

    # -- before --------------------------------------------------------------------------------------------------

    def _obstacle(self, receipt: Receipt, mark: Bookmark, guard: Guard) -> Ended | None:
        """Why nothing is printed now; None when the register is ready."""
        state = self.session.to_rest(guard)
        if state.document_open and self.notes.now.is_of(mark.storage_number, mark.document_number):
            self.drop(guard)
            state = self.session.to_rest(guard)
        return obstacle(state, receipt.electronic_only)

    def _paper(self, receipt: Receipt, guard: Guard) -> None:
        """Tells the register whether the next document goes on paper. What was told before and was not used up is
        taken back first."""
        note, silent = self.notes.now, receipt.electronic_only
        if self.profile.fields.get(PRINTING_MODE) not in (PRINT, SKIP_NEXT) or note.silent == silent:
            return
        self.notes.write(replace(note, silent=True))
        self.session.tell(commands.write_table(self.session.admin, PRINTING_MODE[0], 1, PRINTING_MODE[1],
                                               bytes((SKIP_NEXT if silent else PRINT,))), guard)
        self.notes.write(replace(note, silent=silent))

    def aloud(self, guard: Guard) -> None:
        """Takes back "the next document without paper" when the receipt that it was meant for came to nothing: else a
        report, or the next buyer at the counter, would get none. What the register refuses stays noted."""
        note = self.notes.now
        if note.silent and self.profile.fields.get(PRINTING_MODE) in (PRINT, SKIP_NEXT):
            with contextlib.suppress(Refusal, Lost, RegisterGone):
                self.session.tell(commands.write_table(self.session.admin, PRINTING_MODE[0], 1, PRINTING_MODE[1],
                                                       bytes((PRINT,))), guard)
                self.notes.write(replace(note, silent=False))

    # -- on the way ----------------------------------------------------------------------------------------------

    def _open(self, plan: Plan, guard: Guard) -> None:
        try:
            self.session.tell(plan.opening, guard, commands.PRINT)
        except Refusal as refusal:
            if refusal.code in (errors.DOCUMENT_OPEN, errors.WRONG_MODE):
                raise Refusal(errors.DOCUMENT_OPEN, refusal.detail) from refusal
            raise

    def _marks(self, plan: Plan, receipt: Receipt, guard: Guard) -> Refused | None:
        """Checks every code. One that is wrong stops a sale; what was sold may always come back."""
        for mark in plan.marks:
            value = self._checked(mark, guard)
            result = marking.check_result(value)
            if result.wrong and not receipt.kind.is_return:
                self.session.tell(commands.decide_code(self.session.operator, REJECT), guard)
                return Refused(WRONG_MARK.with_(name=mark.name, sign=result.sign, why=result.words),
                               vendor_code="M-")
            self.session.tell(commands.decide_code(self.session.operator, ACCEPT), guard)
        return None

    def _checked(self, mark: Mark, guard: Guard) -> int:
        """Tag 2106 as far as it is known now: the marking system's answer, else the storage's own check."""
        try:
            data = self.session.tell(mark.check, guard, commands.CHECK)
        except Refusal as refusal:
            if refusal.code not in (_TABLE_FULL, _SEQUENCE):
                raise
            # Codes of a receipt that was cancelled: cleared, and asked once more.
            self.session.tell(commands.decide_code(self.session.operator, CLEAR), guard)
            data = self.session.tell(mark.check, guard, commands.CHECK)
        try:
            found = answers.checked(data)
        except BadAnswer:
            return 0
        return found.online if found.online is not None else found.local & 3

    def _steps(self, plan: Plan, receipt: Receipt, guard: Guard) -> Refused | None:
        """Tags and lines; then the register's own total is held against ours."""
        for step in plan.steps:
            try:
                self.session.tell(step.command, guard)
            except Refusal as refusal:
                if refusal.sort not in (Sort.RECEIPT, Sort.UNKNOWN):
                    raise
                return Refused(_about(step, refusal.reason), vendor_code=errors.vendor_code(refusal.code))
        if not plan.reckons:
            return None
        try:
            data = self.session.ask(commands.subtotal(self.session.operator))
            theirs = int.from_bytes(data[1:6], "little")
        except RegisterGone as gone:
            raise Lost(gone.reason, gone.code, True) from gone
        if theirs != receipt.total.amount:
            total = replace(receipt.total, amount=theirs)
            return Refused(DIFFERS.with_(theirs=total, ours=receipt.total))
        return None

    # -- the close -----------------------------------------------------------------------------------------------

    def _close(self, plan: Plan, receipt: Receipt, mark: Bookmark, receipts: int, guard: Guard) -> Outcome:
        def still() -> bool:
            storage = self.session.storage()
            return (storage.number, storage.last) == (mark.storage_number, mark.document_number)

        read = answers.closed if plan.has_lines else answers.corrected
        for number, command in enumerate(plan.closings, 1):
            try:
                data = self.session.tell(command, guard, commands.CLOSE, still=still)
            except Lost as problem:
                if problem.sent:
                    return Uncertain(problem.reason, problem.code)
                return self._given_up(ended(problem), guard)
            except RegisterGone as gone:  # it was refused as "busy", and then the line broke
                return Uncertain(gone.reason, gone.code)
            except Refusal as refusal:
                if refusal.code == errors.UNSUPPORTED and number < len(plan.closings):
                    continue
                return self._refused_close(refusal, still, guard)
            try:
                return self._recorded(read(data), receipt, mark, receipts)
            except BadAnswer as problem:
                return Uncertain(Text("The register's answer to the close cannot be read ({why}).",
                                      "Ответ кассы на закрытие чека не читается ({why}).",
                                      params={"why": str(problem)}), "bad_answer")
        raise AssertionError("a plan has a close")

    def _refused_close(self, refusal: Refusal, still: Callable[[], bool], guard: Guard) -> Outcome:
        """An error answered the close. The storage decides: a register may refuse and yet have written."""
        unsure = Uncertain(refusal.reason, errors.vendor_code(refusal.code))
        try:
            self.session.to_rest(guard)
            if not still():
                return unsure
        except (RegisterGone, Lost, Refusal):
            return unsure
        return self._given_up(ended(refusal), guard)

    def _recorded(self, closed: Closed, receipt: Receipt, mark: Bookmark, receipts: int) -> Outcome:
        if closed.number != mark.document_number + 1:
            return Uncertain(OTHER_NUMBER.with_(number=closed.number), "number")
        at, total = closed.at, receipt.total
        if at is None or closed.change != (receipt.change.amount if receipt.change is not None else 0):
            # Another change is another total: what stands in the storage is what is told.
            try:
                short = self.archive.short(closed.number)
            except RegisterGone as gone:
                return Uncertain(gone.reason, gone.code)
            if short is None or short.at is None or short.sign != closed.sign:
                return Uncertain(OTHER_NUMBER.with_(number=closed.number), "number")
            at = short.at
            total = replace(total, amount=short.total) if short.total is not None else total
        self.notes.write(Note())
        known = self.profile.identity
        return FiscalRecord(known.storage_number, closed.number, str(closed.sign), at.replace(tzinfo=self.zone), total,
                            receipt.kind, known.serial, known.registration_number, mark.shift_number, receipts + 1)

    # -- giving up -----------------------------------------------------------------------------------------------

    def _given_up(self, outcome: Outcome, guard: Guard) -> Outcome:
        """Cancels what we began, if the line is in order. Whether that works or not, it was not printed: nobody but us
        closes it."""
        if not self.session.link.dirty:
            with contextlib.suppress(RegisterGone, LeaseLost):
                self.drop(guard)
                self.aloud(guard)
        return outcome

    def drop(self, guard: Guard) -> bool:
        """Cancels the document that is open; the caller knows that it is ours. True when none is open afterwards."""
        session = self.session
        for password in dict.fromkeys((session.operator, session.admin)):
            try:
                session.tell(commands.cancel_receipt(password), guard, commands.PRINT)
                break
            except Refusal as refusal:
                if refusal.code != errors.FOREIGN:
                    break
            except Lost as problem:
                raise RegisterGone(problem.reason, problem.code) from problem
        state = session.to_rest(guard)
        if state.document_open or not state.rests:
            return False
        storage = session.storage()
        if storage.document and self.notes.now.is_of(storage.number, storage.last):
            # A correction that was begun in the storage only (FF35): the register itself knows nothing of it.
            try:
                session.tell(commands.cancel_in_storage(session.admin), guard)
            except Refusal:
                return False
            except Lost as problem:
                raise RegisterGone(problem.reason, problem.code) from problem
        self.notes.clear()
        return True


def obstacle(state: State, paperless: bool = False) -> Ended | None:
    """Why a register in this state prints nothing now; None when it does."""
    def refused(code: int) -> Refused:
        return Refused(errors.meaning(code).text, True, errors.vendor_code(code))

    if state.submode == 2 or (state.submode == 1 and not paperless):
        return refused(errors.NO_PAPER)
    if state.submode == 3:
        return refused(errors.MUST_CONTINUE)
    if not state.rests:
        return Unavailable(STUCK)
    codes = {3: errors.OVER_24, 4: errors.SHIFT_IS_CLOSED, 6: 0xC0, 8: errors.DOCUMENT_OPEN, 9: 0x78}
    return refused(codes[state.mode]) if state.mode in codes else None


def _about(step: Step, words: Text) -> Text:
    """The register's reason, with the tag or the line that it was about."""
    if step.tag:
        known = info(step.tag)
        name = Text(known.en, known.ru) if known else Text("unknown", "неизвестный")
        return TAG_REFUSED.with_(words=words, name=name, tag=int(step.tag))
    return LINE_REFUSED.with_(words=words, name=step.name) if step.name else words


__all__ = ["Ended", "Selling", "ended", "obstacle"]
