"""Which document in a storage is our receipt? Pure, because everything hangs on it (design.md §5, "Find").

Matched by kind, sum, lines, cashier and the receipt's key where it could travel; never by time. The key is never the
only proof: a document with our key and another sum is no match but evidence.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from hub.contracts import Found, StoredDocument
from hub.fiscal import Country, Receipt, Text
from hub.fiscal.codes import Tag
from hub.fiscal.document import property_text
from hub.fiscal.tlv import fitted

Decision = Literal["recorded", "not_printed", "uncertain"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an attempt. ``document`` is set for ``recorded``; ``reason`` for ``uncertain``."""

    decision: Decision
    document: StoredDocument | None = None
    reason: Text | None = None


SEVERAL = Text("Two documents in the register look like this receipt.",
               "В кассе есть два документа, похожих на этот чек.")
OTHER_STORAGE = Text("The fiscal storage was replaced before it could be read.",
                     "Фискальный накопитель заменили раньше, чем его удалось прочитать.")
UNREAD = Text("The register's storage could not be read to its end.",
              "Накопитель кассы не удалось дочитать до конца.")
FOREIGN = Text("The register holds a document of somebody else that could be this receipt.",
               "В кассе есть чужой документ, который может оказаться этим чеком.")
KEY_ALONE = Text("A document carries this receipt's key but another content.",
                 "Документ несёт ключ этого чека, но содержание другое.")


def is_ours(receipt: Receipt, document: StoredDocument, carries_key: bool) -> bool:
    """Whether a document can be this receipt: everything that can be read agrees. On a model that carries keys a
    document without one is nobody's word but a cashier's."""
    if document.what != _what(receipt) or document.record is None:
        return False
    if document.kind is not receipt.kind or document.total != receipt.total:
        return False
    if (document.key or carries_key) and document.key != carried(receipt):
        return False
    if document.cashier and receipt.cashier.name and _printed(document.cashier) != _printed(receipt.cashier.name):
        return False
    if document.lines is not None:
        wanted = sorted((_printed(line.name), line.amount.amount) for line in receipt.lines)
        if sorted((_printed(line.name), line.amount.amount) for line in document.lines) != wanted:
            return False
    return True


def _what(receipt: Receipt) -> str:
    return "receipt" if receipt.correction is None else "correction"


def carried(receipt: Receipt) -> str:
    """What a document that is ours has in tag 1192. A correction has the sign of the receipt it corrects there, and a
    source may claim it: then the receipt's own key could not travel."""
    plain = receipt.correction is None and not receipt.additional
    return receipt.key if plain or receipt.country is not Country.RU else property_text(receipt)


def _printed(text: str) -> str:
    """A name as storages keep it, in CP866: a guillemet that became a quote makes no stranger of a receipt."""
    return fitted(text, Tag.ITEM_NAME)


def cannot_be_ours(receipt: Receipt, document: StoredDocument, carries_key: bool) -> bool:
    """Whether a document that does not match is surely somebody else's: it carries another receipt's key, or, on a
    model that would have carried ours, none, and its sum or kind is another."""
    if document.what != _what(receipt):
        return True
    if document.key:
        return document.key != carried(receipt)
    differs = document.kind is not receipt.kind or document.total != receipt.total
    return carries_key and differs


def decide(receipt: Receipt, storage_number: str, found: Found, bound: Collection[int], carries_key: bool) -> Verdict:
    """The verdict on an attempt that began at a bookmark of ``storage_number``.

    ``bound`` are numbers of documents that already belong to receipts. Two candidates, another storage than the
    bookmark's, an unmatched document that could be ours, or an incomplete reading leave it uncertain.
    """
    if found.storage_number != storage_number:
        return Verdict("uncertain", reason=OTHER_STORAGE)
    free = [one for one in found.documents if one.document_number not in bound]
    ours = [one for one in free if is_ours(receipt, one, carries_key)]
    if len(ours) > 1:
        keyed = [one for one in ours if one.key == receipt.key]
        if len(keyed) != 1:
            return Verdict("uncertain", reason=SEVERAL)
        ours = keyed
    if ours:
        return Verdict("recorded", ours[0])
    if any(one.key == receipt.key for one in free if one.key):
        return Verdict("uncertain", reason=KEY_ALONE)
    if not found.complete:
        return Verdict("uncertain", reason=UNREAD)
    if not all(cannot_be_ours(receipt, one, carries_key) for one in free):
        return Verdict("uncertain", reason=FOREIGN)
    return Verdict("not_printed")
