"""The fiscalise protocol of design.md §5, for one register that is ours.

    bookmark -> claim + attempt (one commit) -> driver -> outcome (one commit)

Every line between two commits is named in hub.steps with what holds if the process dies there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Any

import structlog
from sqlalchemy import Connection, select, update

from hub import steps
from hub.bell import Bell
from hub.contracts import (
    Bookmark,
    Driver,
    Job,
    LeaseLost,
    Refused,
    RegisterGone,
    StoredDocument,
    Submitted,
    Unavailable,
    Uncertain,
)
from hub.dispatch import claims, matching, older, printing, slips
from hub.dispatch.claims import Claim, Fit, Owner
from hub.dispatch.lease import RegisterLease
from hub.fiscal import Cashier, FiscalRecord, Text, codec
from hub.fiscal.document import compare, decode
from hub.fiscal.tags import named
from hub.fiscal.tlv import BadTlv
from hub.store import Database, DatabaseAway, utcnow
from hub.store.audit import noted
from hub.store.receipt import UNSETTLED

log = structlog.get_logger("hub.dispatch")

AT_WORK = Text("The register is still at work on its last report or document. The hub waits and goes on by itself.",
               "Касса ещё занята последним отчётом или документом. Хаб ждёт и продолжит сам.")
INTERRUPTED = Text("The hub was interrupted while the register printed.",
                   "Работа хаба прервалась, пока касса печатала.")
FAILED = Text("The driver failed in the middle: {error}", "Драйвер сбился посреди работы: {error}")
DIFFERS = Text("Document {document} is not what was asked for: {tags}. Compare it with the order.",
               "Документ {document} отличается от того, что просили: {tags}. Сверьте его с заказом.")


NOT_DONE = Text("It was not done: nothing of it is in the register. Order it again if you still want it.",
                "Это не сделано: в кассе этого нет. Поручите ещё раз, если оно ещё нужно.")
#: What an attempt was for -> the order's name, where they differ.
COMMANDS = {"shift_open": "open", "shift_close": "z"}


class RegisterRefuses(RegisterGone):
    """It is the register that cannot print now (no paper, storage blocked): it steps back, its receipts wait or go
    to another, and its card says why."""


class Work:
    """Prints receipts on one register that its lease gives us. Used by one thread."""

    def __init__(self, db: Database, bell: Bell, driver: Driver, owner: Owner, lease: RegisterLease, fit: Fit) -> None:
        self.db, self.bell, self.driver, self.owner, self.lease, self.fit = db, bell, driver, owner, lease, fit
        #: Highest document of the storage that is accounted for.
        self.known = 0
        self.storage = ""
        #: Queues that the register serves, as last read.
        self.served: tuple[int, ...] = ()
        #: Notifiers through which buyers are told, as last read.
        self.notifiers: tuple[int, ...] = ()
        #: Whether the organisation has printers that copy receipts.
        self.printers = True
        #: Whether the last look found work: then this register does not step back for an emptier one.
        self.busy_last = False
        #: Hears of each attempt before its first byte (hub.dispatch.marks).
        self.mark: Callable[[Claim], None] = lambda claimed: None
        #: The register's zone: its documents carry wall time.
        self.zone: tzinfo = UTC
        #: Whether the register should be opened anew, because what it said of itself may be another now.
        self.stale = False
        #: Whether the register is read because the database is older than its paper (hub.dispatch.marks).
        self.unread = False
        #: Whether the organisation has documents that were read so; None: not looked yet.
        self.restored: bool | None = None

    # -- one receipt ---------------------------------------------------------------------------------------------

    def one(self, bookmark: Bookmark) -> Claim | None:
        """Claims the next receipt and sees it to an outcome. None when nothing fits.

        Raises RegisterGone or LeaseLost when the register cannot be used on; every row is then as the table in
        design.md §5 says.
        """
        steps.at("bookmark_read")
        claimed = self.db.submit(lambda connection: claims.claim(
            connection, self.owner, self.fit, self.served, bookmark))
        if claimed is None:
            return None
        self.mark(claimed)
        steps.at("claimed")
        with structlog.contextvars.bound_contextvars(receipt=claimed.public_id, register=self.owner.register_id):
            paper = self._on_paper(claimed)
            if paper is not None:
                self._bind(claimed, paper)
                return claimed
            outcome = self._print(claimed)
            steps.at("sent")
            self.settle(claimed, outcome, "printed")
        return claimed

    def _on_paper(self, claimed: Claim) -> older.Paper | None:
        """What the receipt is already, without its own key on it. Dying here, nothing was sent."""
        if self.restored is None:
            with self.db.read() as connection:
                self.restored = older.any_older(connection, self.owner.organisation_id)
        if not self.restored and claimed.receipt.correction is None:
            return None
        with self.db.read() as connection:
            return older.on_paper(connection, claimed, self.zone, self.restored)

    def _bind(self, claimed: Claim, paper: older.Paper) -> None:
        """Keeps the document as the receipt's. Of several that are alike a person says which it is, and the register
        that holds them asks: the attempt begins before the first of them. Dying before the commit, it is looked for
        again."""
        if paper.decision == "recorded":
            self._insist(lambda connection: claims.record(
                connection, paper.register_id, claimed.receipt_id, claimed.attempt_id, paper.record, claimed.receipt,
                self.owner.actor, "found_printed", self.notifiers, printers=self.printers))
            self.bell.ring("jobs", f"delivery:{claimed.source_id}")
        elif paper.register_id == self.owner.register_id:
            self.db.submit(lambda connection: older.doubted(connection, self.owner, claimed, paper))
        else:
            self.db.submit(lambda connection: older.handed_over(connection, self.owner, claimed, paper))
            self.bell.ring("registers", f"queue:{claimed.queue_id}")
        log.warning("on_paper_already", document=paper.document_number, decision=paper.decision)
        steps.at("bound")

    def _print(self, claimed: Claim) -> Any:
        """The driver's outcome. What a driver raises after it may have sent something is Uncertain."""
        try:
            return self.driver.fiscalise(Job(claimed.receipt, claimed.external_id), self.lease)
        except LeaseLost:
            # Nothing was sent, but the verdict belongs to whoever owns the register now: the attempt stays open.
            raise
        except RegisterGone as problem:
            return Unavailable(problem.reason, problem.code)
        except Exception as problem:
            log.exception("driver_failed", driver=self.driver.name)
            return Uncertain(FAILED.with_(error=repr(problem)[:200]))

    def settle(self, claimed: Claim, outcome: Any, cause: str) -> None:
        """Commits an outcome. Uncertain is looked into at once."""
        if isinstance(outcome, FiscalRecord):
            self.recorded(claimed, outcome, cause)
        elif isinstance(outcome, Submitted):
            self.db.submit(lambda connection: claims.submitted(connection, self.owner, claimed, outcome))
            steps.at("submitted")
        elif isinstance(outcome, Uncertain):
            log.warning("uncertain", reason=str(outcome.reason), code=outcome.vendor_code)
            self.db.submit(lambda connection: claims.uncertain(
                connection, self.owner, claimed, outcome.reason, "uncertain", outcome.vendor_code))
            steps.at("doubted")
            self.find(claimed)
        else:
            self._free(claimed, outcome, "refused" if isinstance(outcome, Refused) else "unavailable")
            if isinstance(outcome, Unavailable):
                raise RegisterGone(outcome.reason, outcome.vendor_code)
            if outcome.retry:
                raise RegisterRefuses(outcome.reason, outcome.vendor_code)

    def tellers(self, connection: Connection) -> None:
        """Reads who is told of receipts, and whether they are copied on paper."""
        self.notifiers = claims.notifiers(connection, self.owner.organisation_id)
        self.printers = printing.any_printer(connection, self.owner.organisation_id)

    def recorded(self, claimed: Claim, record: FiscalRecord, cause: str) -> None:
        """Commits a fact. Retried until the database takes it: the driver's answer must not be lost to a passing
        failure, and if the process dies meanwhile, find reads it from the storage."""
        self._insist(lambda connection: claims.record(
            connection, self.owner.register_id, claimed.receipt_id, claimed.attempt_id, record, claimed.receipt,
            self.owner.actor, cause, self.notifiers, printers=self.printers))
        steps.at("recorded")
        log.info("recorded", cause=cause, document=record.document_number, storage=record.storage_number)
        if record.storage_number == self.storage:
            self.known = max(self.known, record.document_number)
        self.bell.ring("jobs", f"delivery:{claimed.source_id}")
        for notifier_id in self.notifiers:
            self.bell.ring("jobs", f"notice:{notifier_id}")

    def _insist(self, work: Callable[[Connection], Any]) -> Any:
        for attempt in range(5):
            try:
                return self.db.submit(work)
            except DatabaseAway:
                if attempt == 4:
                    raise
                self.lease.keep()
        return None

    def _free(self, claimed: Claim, outcome: Refused | Unavailable | None, cause: str) -> None:
        freed = self.db.submit(lambda connection: claims.not_printed(
            connection, self.owner, claimed, outcome, cause))
        if not freed:
            raise LeaseLost
        steps.at("freed")
        self.bell.ring("registers", f"queue:{claimed.queue_id}")
        self.bell.ring("jobs", f"delivery:{claimed.source_id}")

    # -- find ----------------------------------------------------------------------------------------------------

    def find(self, claimed: Claim) -> matching.Decision:
        """Looks in the storage for what became of an attempt. Raises RegisterGone when the register does not answer
        (the attempt then stays as it is, for the next try)."""
        if self.driver.capabilities.repeatable:
            return self._repeat(claimed)
        status = self.driver.settle(self.lease)
        if status.document_open and not self.driver.cancel_document(self.lease):
            return "uncertain"
        if not status.at_rest and not self.driver.settle(self.lease).at_rest:
            return "uncertain"
        steps.at("at_rest")
        found = self.driver.find(claimed.bookmark)
        with self.db.read() as connection:
            taken = claims.bound(connection, claimed.bookmark.storage_number, claimed.bookmark.document_number)
            # A cloud works on several at once: a later bookmark bounds nothing of an earlier attempt there.
            end = None if self.driver.capabilities.max_in_flight > 1 else \
                claims.next_bookmark(connection, claimed, self.owner.register_id)
        mine = found if end is None else replace(
            found, documents=tuple(one for one in found.documents if one.document_number <= end))
        verdict = matching.decide(claimed.receipt, claimed.bookmark.storage_number, mine, taken,
                                  self.driver.abilities().carries_key)
        steps.at("found")
        log.info("found", decision=verdict.decision, documents=len(found.documents), complete=found.complete)
        if found.storage_number == claimed.bookmark.storage_number:
            ours = verdict.document.document_number if verdict.document else 0
            others = [one for one in mine.documents if one.document_number != ours]
            self.db.submit(lambda connection: claims.keep_foreign(
                connection, self.owner, found.storage_number, others))
            steps.at("foreign_kept")
        if verdict.decision == "recorded":
            assert verdict.document is not None and verdict.document.record is not None
            self.recorded(claimed, verdict.document.record, "found")
            self._compare(claimed, verdict.document)
        elif verdict.decision == "not_printed":
            self._free(claimed, None, "not_printed")
        elif verdict.reason is not None:
            reason = verdict.reason
            self.db.submit(lambda connection: claims.uncertain(connection, self.owner, claimed, reason, "undecided"))
        steps.at("verdict")
        return verdict.decision

    def _repeat(self, claimed: Claim) -> matching.Decision:
        """Sends a cloud the same external id again: what was taken before is told as the same receipt, what never
        arrived is taken now. Dying on any line leaves the attempt in doubt, and the next owner sends it again."""
        try:
            outcome = self.driver.fiscalise(Job(claimed.receipt, claimed.external_id, again=True), self.lease)
        except (LeaseLost, RegisterGone):
            raise
        except Exception as problem:
            log.exception("driver_failed", driver=self.driver.name)
            outcome = Uncertain(FAILED.with_(error=repr(problem)[:200]))
        steps.at("found")
        log.info("repeated", outcome=type(outcome).__name__)
        if isinstance(outcome, FiscalRecord):
            self.recorded(claimed, outcome, "found")
            return "recorded"
        if isinstance(outcome, Submitted):
            self.db.submit(lambda connection: claims.submitted(connection, self.owner, claimed, outcome))
            steps.at("submitted")
        elif isinstance(outcome, Refused) and not outcome.retry:
            self._free(claimed, outcome, "refused")
            return "not_printed"
        else:
            reason = outcome.reason
            self.db.submit(lambda connection: claims.uncertain(connection, self.owner, claimed, reason, "undecided"))
            steps.at("doubted")
            if isinstance(outcome, Unavailable):
                raise RegisterGone(outcome.reason, outcome.vendor_code)
        return "uncertain"

    def _compare(self, claimed: Claim, stored: StoredDocument) -> None:
        """Holds a document that was read back against what was asked for. A difference is evidence for a person: the
        receipt is recorded all the same. Dying before the commit loses the evidence, never the record."""
        if not stored.tlv:
            return
        try:
            # A register writes by its own format, which may be newer than the one the receipt was built for.
            asked = replace(claimed.receipt, ffd=decode(stored.tlv).receipt.ffd)
            differs = compare(asked, stored.tlv)
        except BadTlv as problem:
            log.warning("stored_unread", document=stored.document_number, error=str(problem))
            return
        if differs:
            log.warning("document_differs", document=stored.document_number, tags=[one.tag for one in differs])
            self.db.submit(lambda connection: claims.keep_evidence(
                connection, self.owner.organisation_id, self.owner.register_id, claimed.receipt_id,
                "document_differs", {
                    "document": stored.document_number, "text": DIFFERS.with_(
                        document=stored.document_number, tags=named([one.tag for one in differs])).to_json(),
                    # Places, not values: they may name the buyer.
                    "tags": [{"tag": one.tag, "place": one.place} for one in differs[:50]]}))

    # -- recovery ------------------------------------------------------------------------------------------------

    def recover(self) -> bool:
        """Resolves every unsettled attempt of the register, oldest first. True when none is left that blocks it.

        An undecidable receipt waits for a person, but does not keep the register from others.
        """
        with self.db.read() as connection:
            rows = claims.unsettled(connection, self.owner.register_id)
            self.tellers(connection)
        for row in rows:
            if not self.lease.keep():
                raise LeaseLost
            if row["what"] != "receipt":
                self._say(row, self.find_other(row))
                continue
            with self.db.read() as connection:
                claimed = claims.claim_of(connection, row)
            with structlog.contextvars.bound_contextvars(receipt=claimed.public_id,
                                                         register=self.owner.register_id):
                if row["state"] == "submitted":
                    if row["due_at"] <= utcnow():
                        self.poll_submitted(claimed, row["remote_id"])
                    continue
                if row["state"] == "open":
                    self.db.submit(lambda connection, claimed=claimed: claims.uncertain(  # type: ignore[misc]
                        connection, self.owner, claimed, INTERRUPTED, "interrupted"))
                    steps.at("doubted")
                self.find(claimed)
        return True

    def _say(self, row: Mapping[str, Any], decision: matching.Decision) -> None:
        """Whoever ordered it, and was told that nobody knows, or nothing, hears what came of it. Dying before loses
        these words only."""
        plan = row["outcome"] or {}
        if decision == "uncertain" or plan.get("why") or plan.get("actor", slips.HUB) == slips.HUB:
            return
        command = COMMANDS.get(row["what"], row["what"])
        details = {"done": True} if decision == "recorded" else {"refused": NOT_DONE.to_json()}
        self.db.submit(lambda connection: noted(
            connection, self.owner.organisation_id, str(plan["actor"]), f"register.{command}",
            str(self.owner.register_id), **details))

    def is_full(self) -> bool:
        """Whether a cloud holds as many of our receipts as it takes at once."""
        most = self.driver.capabilities.max_in_flight
        if most <= 1:
            return False
        with self.db.read() as connection:
            return claims.in_flight(connection, self.owner.register_id) >= most

    def poll_due(self) -> None:
        """Asks a cloud for every receipt whose time to ask has come."""
        if self.driver.capabilities.max_in_flight <= 1:
            return
        with self.db.read() as connection:
            rows = [row for row in claims.unsettled(connection, self.owner.register_id)
                    if row["state"] == "submitted" and row["due_at"] <= utcnow()]
        for row in rows:
            if not self.lease.keep():
                raise LeaseLost
            with self.db.read() as connection:
                claimed = claims.claim_of(connection, row)
            with structlog.contextvars.bound_contextvars(receipt=claimed.public_id, register=self.owner.register_id):
                self.poll_submitted(claimed, row["remote_id"])

    def poll_submitted(self, claimed: Claim, remote_id: str) -> None:
        """Asks a cloud for what it took."""
        outcome = self.driver.submitted(remote_id)
        steps.at("polled")
        if isinstance(outcome, Submitted):
            self.db.submit(lambda connection: claims.ask_again(connection, claimed.attempt_id, outcome.ask_after))
            return
        if isinstance(outcome, FiscalRecord):
            self.recorded(claimed, outcome, "polled")
        elif isinstance(outcome, Uncertain):
            self.db.submit(lambda connection: claims.uncertain(
                connection, self.owner, claimed, outcome.reason, "uncertain", outcome.vendor_code))
            steps.at("doubted")
        elif isinstance(outcome, Refused):
            self._free(claimed, outcome, "refused")

    def find_other(self, row: Mapping[str, Any]) -> matching.Decision:
        """Decides on an attempt of a Z report or cash move by the documents after its bookmark. Raises RegisterGone
        while the register is still at work: a Z may take a quarter of an hour, and its document comes with its end."""
        bookmark = Bookmark(row["storage_number"], row["bookmark"], row["shift_number"])
        status = self.driver.settle(self.lease)
        if not status.at_rest and status.paper is not False:
            raise RegisterGone(AT_WORK)
        found = self.driver.find(bookmark)
        state: matching.Decision = "uncertain"
        ours: StoredDocument | None = None
        if found.storage_number == bookmark.storage_number and found.complete:
            amount = (row["outcome"] or {}).get("amount")
            ours = next((one for one in found.documents if one.what == row["what"] and (
                amount is None or (one.total is not None and one.total.amount == abs(amount)))), None)
            state = "recorded" if ours is not None else "not_printed"
        closing = slips.closing_of(self.driver, ours, bookmark.storage_number, self.zone) \
            if ours is not None and ours.what == "shift_close" else None
        self.db.submit(lambda connection: self._end_other(connection, row, state, ours, closing))
        steps.at("shift_kept")
        if ours is not None:
            # It is ours, so it is no gap; those beside it are.
            self._account(bookmark, found.documents, ours.document_number)
        return state

    def _account(self, bookmark: Bookmark, documents: tuple[StoredDocument, ...], ours: int) -> None:
        upto = max(one.document_number for one in documents)
        others = [one for one in documents if one.document_number != ours and one.document_number > self.known]

        def work(connection: Connection) -> None:
            claims.keep_foreign(connection, self.owner, bookmark.storage_number, others)
            claims.accounted(connection, self.owner.register_id, bookmark.storage_number, upto)

        self.db.submit(work)
        steps.at("foreign_kept")
        if bookmark.storage_number == self.storage:
            self.known = max(self.known, upto)

    def _end_other(self, connection: Connection, row: Mapping[str, Any], state: matching.Decision,
                   ours: StoredDocument | None, closing: slips.Closing | None) -> None:
        if state == "not_printed" and not claims.is_owner(connection, self.owner):
            return
        ended = connection.execute(update(claims.ATTEMPT).where(
            claims.ATTEMPT.c.id == row["id"], claims.ATTEMPT.c.state.in_(UNSETTLED))
            .values(state=state, ended_at=utcnow())).rowcount
        if ended and ours is not None:
            slips.keep_found(connection, self.owner, row["what"], Bookmark(
                row["storage_number"], row["bookmark"], row["shift_number"]), ours, closing, row["outcome"])

    # -- gaps ----------------------------------------------------------------------------------------------------

    def same_storage(self, bookmark: Bookmark) -> None:
        """A storage that changed under an open register ends this lease: it is opened and reconciled anew."""
        if bookmark.storage_number != self.storage:
            raise RegisterGone(matching.OTHER_STORAGE)

    def gap(self, bookmark: Bookmark) -> None:
        """Documents that appeared without us (a cashier at the same register, a restored database): fetched, kept."""
        if bookmark.document_number <= self.known:
            return
        found = self.driver.find(Bookmark(bookmark.storage_number, self.known))
        if found.storage_number != bookmark.storage_number:
            raise RegisterGone(matching.OTHER_STORAGE)
        upto = max([bookmark.document_number, *[one.document_number for one in found.documents]])
        closings = [(one, slips.closing_of(self.driver, one, found.storage_number, self.zone))
                    for one in found.documents if one.what == "shift_close"]

        def work(connection: Connection) -> int:
            read = [closing for _, closing in closings if closing is not None]
            new = claims.keep_foreign(connection, self.owner, bookmark.storage_number, found.documents,
                                      {one.document_number for one in read}, self._older())
            for one, closing in closings:
                if closing is not None:
                    slips.keep_z(connection, self.owner, closing, slips.Wish(slips.COUNTER, Cashier(one.cashier)))
            connection.execute(update(claims.REGISTER).where(claims.REGISTER.c.id == self.owner.register_id)
                               .values(last_document=upto))
            return new

        new = self.db.submit(work)
        steps.at("foreign_kept")
        if new:
            log.info("foreign_documents", register=self.owner.register_id, count=new)
            # Registered anew, perhaps, for other taxes or another place: who it is must be read again.
            self.stale = self.stale or any(one.what == "other" for one in found.documents)
        if found.complete:
            self.known = upto

    def _older(self) -> Mapping[str, bool] | None:
        return {"older": True, "keyed": self.driver.abilities().carries_key} if self.unread else None

    def bind_printed(self) -> None:
        """Binds receipts whose document is already in the storage under their key; one that is recorded as another
        document stands on paper twice, and a person is told. A document with the key and
        another content leaves the receipt to a person (``refused``, with the reason): it is never printed over."""
        with self.db.read() as connection:
            rows = claims.printed_before(connection, self.owner.register_id)
            doubles = claims.doubles(connection, self.owner.register_id)
            self.tellers(connection)
        for double in doubles:
            log.error("second_document", receipt=double["id"], document=double["document_number"])
            self.db.submit(lambda connection, double=double: claims.second_document(  # type: ignore[misc]
                connection, self.owner.register_id, double))
        for receipt_id, stored in rows:
            with self.db.read() as connection:
                receipt = claims.receipt_of(connection, receipt_id)
            if receipt is None or not stored.get("record"):
                continue
            record = codec.opened(FiscalRecord, stored["record"])
            if record.total == receipt.total and record.kind is receipt.kind:
                self._insist(lambda connection, receipt_id=receipt_id, record=record, receipt=receipt:  # type: ignore[misc]
                             claims.record(connection, self.owner.register_id, receipt_id, None, record, receipt,
                                           self.owner.actor, "found_printed", self.notifiers,
                                           printers=self.printers))
            else:
                self.db.submit(lambda connection, receipt_id=receipt_id, record=record: claims.key_taken(  # type: ignore[misc]
                    connection, self.owner, receipt_id, record, matching.KEY_ALONE))
            steps.at("bound")

    def last_known(self) -> tuple[str, int]:
        """(storage number, highest document) that the register's row knows."""
        with self.db.read() as connection:
            row = connection.execute(select(claims.REGISTER.c.storage_number, claims.REGISTER.c.last_document)
                                     .where(claims.REGISTER.c.id == self.owner.register_id)).one()
        return row.storage_number, row.last_document
