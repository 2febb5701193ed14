"""Documents of the fiscal storage as the hub knows them: FF0A for what each is, FF3A and FF3B for its tags.

The tags tell the lines, the cashier and the receipt's key. A document whose tags cannot be read is given without them;
whether that proves enough is not for the driver to say.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from typing import Literal

from hub_plugins.drivers.shtrih_m import answers, commands, errors
from hub_plugins.drivers.shtrih_m.answers import Archived, BadAnswer
from hub_plugins.drivers.shtrih_m.errors import Refusal
from hub_plugins.drivers.shtrih_m.session import Session

from hub.contracts import Bookmark, Found, Identity, RegisterGone, StoredDocument, StoredLine
from hub.fiscal import FiscalRecord, Kind, Money, document
from hub.fiscal.tlv import BadTlv

What = Literal["receipt", "shift_open", "shift_close", "correction", "other"]
_WHATS: dict[int, What] = {
    answers.OPENED: "shift_open", answers.CLOSED: "shift_close", answers.RECEIPT: "receipt",
    answers.STRICT_FORM: "receipt", answers.CORRECTION: "correction", answers.STRICT_CORRECTION: "correction"}


def nothing() -> None:
    """No lease to renew."""


class Archive:
    """Reads the archive of one register."""

    def __init__(self, session: Session, identity: Identity, zone: tzinfo) -> None:
        self.session, self.identity, self.zone = session, identity, zone
        #: The model cannot give tags (FF3A is not known to it): its documents tell no key.
        self.without_tags = False

    def short(self, number: int) -> Archived | None:
        """FF0A; None when the storage has no such document. RegisterGone when it cannot be read."""
        try:
            return answers.archived(self.session.ask(commands.find_document(self.session.admin, number)))
        except Refusal as refusal:
            if refusal.code == errors.NO_DOCUMENT:
                return None
            raise RegisterGone(refusal.reason, errors.vendor_code(refusal.code)) from refusal
        except BadAnswer as problem:
            raise RegisterGone(errors.meaning(errors.NO_DOCUMENT).text, "bad_answer") from problem

    def tags(self, number: int) -> bytes:
        """The TLV of a document; empty when the storage does not give it, or not whole. Always reads to the end:
        until then a desktop model sits in a mode in which it prints nothing."""
        if self.without_tags:
            return b""
        try:
            head = answers.Reader(self.session.ask(commands.start_tlv(self.session.admin, number)))
        except Refusal as refusal:
            self.without_tags = refusal.code in (errors.UNSUPPORTED, errors.UNKNOWN_COMMAND)
            return b""
        data = self.session.finish_reading()
        try:
            head.number(2)
            size = head.number(2)
        except BadAnswer:
            return data
        # Whether the length counts the document's own head no text tells: either is whole.
        return data if len(data) in (size, size + 4, size - 4) else b""

    def document(self, number: int, whole: bool = False) -> StoredDocument | None:
        """One document, as complete as the model gives it (``whole``: also the tags of a shift's documents); None when
        the storage has none of that number."""
        short = self.short(number)
        if short is None or short.number != number:
            return None
        what = _WHATS.get(short.type, "other")
        if what not in ("receipt", "correction"):
            return StoredDocument(None, number, what, tlv=self.tags(number) if whole else b"")
        return self._receipt(short, "receipt" if what == "receipt" else "correction")

    def _receipt(self, short: Archived, what: Literal["receipt", "correction"]) -> StoredDocument:
        kind = Kind(short.operation) if 1 <= short.operation <= 4 else None
        if kind is None or short.at is None or short.total is None:
            return StoredDocument(None, short.number, what)
        total = Money(short.total)
        data = self.tags(short.number)
        kept = _decoded(data, short)
        record = FiscalRecord(
            self.identity.storage_number, short.number, str(short.sign), short.at.replace(tzinfo=self.zone), total,
            kind, self.identity.serial, self.identity.registration_number,
            kept.record.shift_number if kept and kept.record else 0,
            kept.record.receipt_in_shift if kept and kept.record else 0, short.confirmed)
        if kept is None:
            return StoredDocument(record, short.number, what, kind, total)
        lines = tuple(StoredLine(line.name, line.amount, line.quantity) for line in kept.receipt.lines)
        return StoredDocument(record, short.number, what, kind, total, lines or None, kept.receipt.cashier.name,
                              kept.property_text, data)

    def found(self, bookmark: Bookmark, progress: Callable[[], None] = nothing) -> Found:
        """Every document after the bookmark."""
        storage = self.session.storage()
        if storage.number != bookmark.storage_number or storage.number != self.identity.storage_number:
            return Found(storage.number, (), False)
        documents: list[StoredDocument] = []
        # A storage that ends before the bookmark is not the one that the bookmark was taken from.
        complete = storage.last >= bookmark.document_number
        for number in range(bookmark.document_number + 1, storage.last + 1):
            progress()
            try:
                one = self.document(number)
            except RegisterGone:
                if not documents:
                    raise
                return Found(storage.number, tuple(documents), False)
            if one is None:
                complete = False
            else:
                documents.append(one)
        return Found(storage.number, tuple(documents), complete)

    def shift_opened(self, shift: int, last: int, receipts: int) -> Archived | None:
        """The document that opened the shift that is open: found by counting back its receipts, then looking around,
        for other documents may stand between."""
        guess = max(1, last - receipts)
        for number in [*range(guess, max(0, guess - 60), -1), *range(guess + 1, min(last, guess + 10) + 1)]:
            one = self.short(number)
            if one is not None and one.type == answers.OPENED and one.shift == shift:
                return one
        return None


def _decoded(data: bytes, short: Archived) -> document.StoredReceipt | None:
    """The receipt in the tags; None when they cannot be read or are another document's."""
    if not data:
        return None
    try:
        kept = document.decode(data)
    except BadTlv:
        return None
    same = kept.total.amount == short.total and kept.receipt.kind.value == short.operation
    return kept if same else None
