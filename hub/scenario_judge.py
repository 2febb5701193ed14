"""The judge of a scenario: what the day must come to, what the other side was told, the database and the journal.

Reads what a demo left in its folder and nothing else. Every disagreement is one sentence; none means that they agree.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from hub import config
from hub.fiscal import Money
from hub.store import Database, Delivery, ReceiptRow, Record

#: The file that a played scenario leaves for its judge.
PLAYED = "played.json"
PRINTED, REFUSED = ("recorded", "confirmed"), ("invalid", "refused")
CANCELLED = "cancelled"
#: States of a receipt after which nothing happens by itself.
ENDS = (*PRINTED, *REFUSED, CANCELLED)
#: The journal's kinds of a receipt (tag 1054) and ours.
_KINDS = {1: "SALE", 2: "SALE_RETURN", 3: "PURCHASE", 4: "PURCHASE_RETURN"}
#: (kind, total): what a document is, beside its number.
Shape = tuple[str, int]


@dataclass(frozen=True)
class Printed:
    """One receipt of the database. ``why``: its reason in words; ``telling``: its deliveries' states."""

    source_id: int
    number: str
    state: str
    shape: Shape
    document: tuple[str, int] | None
    why: str
    telling: tuple[str, ...]


def judge(folder: Path, journal: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """``agree``, ``cases`` and ``totals`` with counts, ``disagreements`` in words."""
    played = json.loads((folder / PLAYED).read_text("utf-8"))
    receipts = _receipts(folder)
    papers = {(str(one["fn"]), int(one["n"])): (_KINDS.get(int(one["kind"]), "?"), int(one["total"]))
              for one in journal if one["what"] in ("receipt", "correction")}
    faults = [*played["faults"], *_journal(receipts, papers)]
    roles = {number: role for role, number in played["sources"].items()}
    by_number: dict[tuple[str, str], list[Printed]] = defaultdict(list)
    for one in receipts:
        by_number[roles.get(one.source_id, "?"), one.number].append(one)
    expected: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in played["expected"]:
        expected[row["role"], row["number"]].append(row)
    told = {(one["role"], one["number"]): one for one in played["told"]}
    cases: dict[str, Counter[str]] = defaultdict(Counter)
    for key in sorted({*by_number, *expected}):
        faults += [f"{key[0]} {key[1]}: {fault}" for fault in _one(
            expected.get(key, []), by_number.get(key, []), told.get(key, {}), cases)]
    rows = {case: _row(count) for case, count in sorted(cases.items())}
    return {"agree": not faults, "cases": rows, "totals": _row(sum(cases.values(), Counter())),
            "journal": len(papers), "disagreements": faults}


def _row(count: Counter[str]) -> dict[str, int]:
    return {name: count[name] for name in ("expected", "printed", "refused", "told")}


def _receipts(folder: Path) -> list[Printed]:
    db = Database(config.load({"HUB_DATA_DIR": str(folder)}).database_url)
    try:
        with db.session() as session:
            telling: dict[int, list[str]] = defaultdict(list)
            for receipt_id, state in session.execute(
                    select(Delivery.receipt_id, Delivery.state).where(Delivery.target == "source")):
                telling[receipt_id].append(state)
            found = session.execute(select(ReceiptRow, Record).join(
                Record, Record.id == ReceiptRow.record_id, isouter=True).order_by(ReceiptRow.id)).all()
            return [Printed(
                row.source_id, row.order_number, row.state, (row.kind, int(row.total or 0)),
                (record.storage_number, record.document_number) if record is not None else None,
                json.dumps(row.problems or row.reason or "", ensure_ascii=False).strip('"'),
                tuple(sorted(telling[row.id]))) for row, record in found]
    finally:
        db.close()


def _journal(receipts: Iterable[Printed], papers: Mapping[tuple[str, int], Shape]) -> list[str]:
    """The database against the journal, document by document."""
    faults = []
    left = dict(papers)
    for one in receipts:
        if (one.state in PRINTED) != (one.document is not None):
            faults.append(f"the database says {one.number} is {one.state}, with the record {one.document}")
        if one.document is None:
            continue
        paper = left.pop(one.document, None)
        if paper is None:
            faults.append(f"document {one.document[1]} of {one.number} is in the database but not in the journal")
        elif paper != one.shape:
            faults.append(f"document {one.document[1]}: the journal says {_said(paper)}, "
                          f"the database {_said(one.shape)}")
    faults += [f"document {number} in the journal ({_said(shape)}) belongs to no receipt"
               for (_, number), shape in sorted(left.items())]
    return faults


def _one(expected: list[dict[str, Any]], receipts: list[Printed], told: Mapping[str, Any],
         cases: dict[str, Counter[str]]) -> list[str]:
    """One number of one source: what it must come to, what it came to, and what the other side was told."""
    faults = []
    wanted = Counter(("SALE_RETURN" if row["back"] else "SALE", row["total"]) for row in expected if row["printed"])
    printed = [one for one in receipts if one.state in PRINTED]
    have = Counter(one.shape for one in printed)
    faults += [f"{count} × {_said(shape)} expected and not printed" for shape, count in (wanted - have).items()]
    faults += [f"{count} × {_said(shape)} printed and not expected" for shape, count in (have - wanted).items()]
    refused = [one for one in receipts if one.state in REFUSED]
    if len(refused) != sum(not row["printed"] and not row["cancelled"] for row in expected):
        faults.append(f"{len(refused)} refused receipts, "
                      f"{sum(not row['printed'] and not row['cancelled'] for row in expected)} expected")
    taken_back = sum(one.state == CANCELLED for one in receipts)
    if taken_back != sum(row["cancelled"] for row in expected):
        faults.append(f"{taken_back} cancelled receipts, {sum(row['cancelled'] for row in expected)} expected")
    faults += [f"refused without a reason ({one.state})" for one in refused if not one.why]
    faults += [f"left {one.state}" for one in receipts if one.state not in ENDS]
    documents = {one.document[1] for one in printed if one.document}
    heard = set(told.get("documents", ()))
    hears = all(row["told"] for row in expected if row["printed"])
    if heard - documents or (hears and heard != documents):
        faults.append(f"the other side was told of documents {sorted(heard)}, printed are {sorted(documents)}")
    deaf = [row for row in expected if not row["told"] and not row["cancelled"]]
    if any(not row["printed"] and row["told"] for row in expected) and not told.get("refused"):
        faults.append("the other side was not told why nothing is printed")
    given_up = sum("given_up" in one.telling for one in receipts)
    if given_up != len(deaf):
        faults.append(f"{given_up} answers given up, {len(deaf)} expected")
    left = have.copy()
    for row in expected:
        shape = ("SALE_RETURN" if row["back"] else "SALE", row["total"])
        count = cases[row["case"]]
        count["expected"] += 1
        if row["printed"] and left[shape] > 0:
            left[shape] -= 1
            count["printed"] += 1
        count["refused"] += int(not row["printed"] and bool(taken_back if row["cancelled"] else refused))
        count["told"] += int(row["told"] and bool(heard if row["printed"] else told.get("refused")))
    return faults


def _said(shape: Shape) -> str:
    return f"{shape[0]} {Money(shape[1], 'RUB').plain()}"
