"""Holds the tills' journals against the database. It reads plain rows and asks nothing of the product.

The journals know whose each document really is; the product does not.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from hub.fiscal import Kind
from tests.simulation.goods import SALES

if TYPE_CHECKING:
    from tests.simulation.run import Run
    from tests.simulation.till import Paper


class Misses:
    """What must not be."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, what: str, words: str) -> None:
        """One more."""
        self.found.append(f"{what}: {words}")


def papers(run: Run) -> list[Paper]:
    """Every receipt document of every journal."""
    return [one for till in run.tills.values() for one in till.journal if one.what == "receipt"]


def rows(run: Run, words: str) -> list[Any]:
    """Plain rows."""
    return run.db.wire.execute(words).fetchall()


def judge(run: Run, misses: Misses) -> None:
    """None lost, none twice, none with another line, payment or sum, each record its own document, uncertain only where
    nothing could decide."""
    ours = [one for one in papers(run) if one.owner]
    for owner, count in Counter(one.owner for one in ours).items():
        if count > 1:
            misses.add("twice", f"{owner} was printed {count} times")
    _as_sold(run, misses, ours)
    documents = {(one.storage, one.number): one for one in papers(run)}
    receipts = rows(run, "SELECT id, receipt_key, source_key, state, record_id, total FROM receipt")
    records = {row[0]: row[1:] for row in rows(
        run, "SELECT id, receipt_id, storage_number, document_number, total FROM record")}
    for number, key, name, state, record_id, total in receipts:
        printed = [one for one in ours if one.owner == key]
        if state in ("recorded", "confirmed"):
            _recorded(misses, name, records.get(record_id), documents, (number, key, total))
        elif state == "refused":
            if printed:
                misses.add("lost", f"receipt {name} was printed and is {state}")
            if not any(key in till.refused for till in run.tills.values()):
                misses.add("refused", f"receipt {name} is refused, and no till refused it")
        elif state != "uncertain" and not any(one.startswith("no rest") for one in misses.found):
            misses.add("lost", f"receipt {name} is {state} in the end")
    for words in undecided(run):
        misses.add("undecided", words)
    for what, in rows(run, "SELECT what FROM evidence"):
        if what != "document_differs":
            misses.add("evidence", what)
    for words in run.failures:
        misses.add("raised", words)
    _beside(run, misses)


def _as_sold(run: Run, misses: Misses, ours: list[Paper]) -> None:
    """Everything that was printed says what was sold, to the last kopeck of its VAT, whoever knows of it."""
    names = dict(rows(run, "SELECT receipt_key, source_key FROM receipt"))
    for paper in ours:
        if paper.owner not in names:
            continue  # of a shift, or of an order that the CRM has not told yet
        name = names[paper.owner]
        sold = SALES[name]
        if paper.lines != sold.lines:
            misses.add("another line", f"receipt {name}: {sold.lines} sold, {paper.lines} printed")
        if sorted(paper.payments) != sorted(sold.payments):
            misses.add("another payment", f"receipt {name}: {sold.payments} paid, {paper.payments} printed")
        if paper.total != sold.total or paper.kind is not Kind.SALE:
            misses.add("another sum", f"receipt {name}: sold for {sold.total}, printed {paper.kind} of {paper.total}")


def _recorded(misses: Misses, name: str, record: Any, documents: dict[Any, Paper], receipt: Any) -> None:
    number, key, total = receipt
    if record is None or record[0] != number:
        misses.add("lost", f"receipt {name} is recorded without its record")
        return
    paper = documents.get((record[1], record[2]))
    if paper is None:
        misses.add("invented", f"receipt {name} is recorded as {record[2]}, which no journal holds")
    elif paper.owner != key:
        misses.add("another's", f"receipt {name} is recorded as document {record[2]} of {paper.owner or 'a stranger'}")
    elif paper.total != total or record[3] != total:
        misses.add("another sum", f"receipt {name}: {total} asked for, {paper.total} printed, {record[3]} recorded")


def _beside(run: Run, misses: Misses) -> None:
    """Attempts, strangers' documents, reports."""
    for number, what, state in rows(run, "SELECT id, what, state FROM attempt WHERE state = 'open'"):
        if not any(one.startswith("no rest") for one in misses.found):
            misses.add("open", f"attempt {number} ({what}) is {state} in the end")
    strangers = {(storage, number) for storage, number in rows(
        run, "SELECT storage_number, document_number FROM foreign_document WHERE what = 'receipt'")}
    recorded = {tuple(one) for one in rows(run, "SELECT storage_number, document_number FROM record")}
    for storage, number in strangers & recorded:
        misses.add("stranger", f"document {number} of {storage} is a receipt's and a stranger's")
    if run.plan.delivers and not misses.found:
        _told(run, misses)


def _told(run: Run, misses: Misses) -> None:
    heard = {(key, delivery) for key, _, delivery in run.heard}
    for key, state in rows(run, "SELECT source_key, state FROM receipt"):
        ids = {delivery for one, delivery in heard if one == key}
        if state in ("recorded", "confirmed", "refused") and not ids:
            misses.add("untold", f"nobody heard that receipt {key} is {state}")
    known = {row[0] for row in rows(run, "SELECT public_id FROM delivery")}
    for key, delivery in heard:
        if delivery not in known:
            misses.add("untold", f"receipt {key} was reported under an id that nobody knows")


def undecided(run: Run) -> list[str]:
    """Receipts that are uncertain although what can be read decides."""
    found = []
    for number, key, name, total in rows(
            run, "SELECT id, receipt_key, source_key, total FROM receipt WHERE state = 'uncertain'"):
        attempt = run.db.wire.execute(
            "SELECT register_id, storage_number, bookmark FROM attempt WHERE receipt_id = ? AND state = 'uncertain'",
            (number,)).fetchone()
        if attempt is None:
            found.append(f"receipt {name} is uncertain without an attempt")
            continue
        till = run.tills[attempt[0]]
        if till.storage != attempt[1]:
            continue  # what it was is in a storage that is gone
        after = [one for one in till.journal
                 if one.storage == till.storage and one.number > attempt[2] and one.what == "receipt"]
        if any(one.owner != key and not one.key and (not till.keyed or one.total == total) for one in after):
            continue  # a stranger's document that says nothing of whose it is
        found.append(f"receipt {name} is uncertain, but its storage can be read")
    return found
