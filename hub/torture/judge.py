"""The judge of a torture run: a program of its own that imports nothing of the hub.

    python judge.py FOLDER [--database URL]

It reads what the sources say was paid and what they were told (``source-*.json``), what the registers' fiscal storages
hold (``register-*.json``), the database, the hub's log, and the list of faults (``run.json``), and holds them against
each other. It prints one JSON object and ends with 1 when anything is not as it must be.

Only the standard library; psycopg for PostgreSQL. An order is known again on paper by the words that its source put
into the name of a line, never by a key that the hub made.
"""

from __future__ import annotations

import argparse
import json
import re
import sqlite3
import sys
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

#: The words of an order, as the run makes them.
WORDS = re.compile(r"T\d+-\d+")
#: Seconds within which the system must come to rest by itself.
REST = 60.0
#: Causes in a receipt's history that only a bad day makes.
ODD = frozenset({"uncertain", "interrupted", "found", "found_printed", "not_printed", "unavailable", "refused",
                 "undecided", "document_taken", "key_taken", "lease_lost"})
PRINTED = ("recorded", "confirmed")
#: Seconds after a fault in which its consequences show.
AFTER = 75.0
#: Seconds after the end of a fault in which a statement or a command that met it may still fail.
SOON = 2.0
#: What the hub's log calls a statement, a commit or a file that failed.
DATABASE_FAILED = ("database_away", "spool_failed", "tick_failed", "drain_failed", "look_failed", "commit_failed",
                   "register_thread_failed", "keepers_failed")
#: So often a kind of fault must have been done before it is expected to have changed an outcome.
OFTEN = 5
#: What people do to payments: no faults.
PEOPLE = ("edited", "deleted")
#: Seconds by which an event may have been sent before the change that it tells of was noted; and within which two
#: moments of the hub's clock and of the world's are taken to be of the same clock (it jumps by ten minutes at least).
SLACK, SAME_DAY = 5.0, 300.0

#: What is read of the database.
TABLES = {
    "receipt": "id source_id order_number source_key receipt_key state total kind organisation_id record_id reason "
               "created_at",
    "receipt_event": "id receipt_id at state_from state_to actor cause details",
    "attempt": "id receipt_id register_id number state what storage_number bookmark fence created_at ended_at",
    "record": "id receipt_id register_id storage_number document_number total printed_at created_at",
    "delivery": "id receipt_id public_id target about state tries created_at done_at",
    "foreign_document": "id storage_number document_number",
    "inbox": "id source_id subject via state deliveries tries created_at done_at",
    "evidence": "id receipt_id register_id what details",
}
Row = dict[str, Any]


# -- reading ---------------------------------------------------------------------------------------------------------


def unix(value: Any) -> float:
    """A time of either database as seconds since 1970."""
    if value is None:
        return 0.0
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return float(value.timestamp())


class Reader:
    """Rows of the hub's database as mappings, by nothing but the driver."""

    def __init__(self, url: str) -> None:
        if url.startswith("sqlite"):
            self._connection: Any = sqlite3.connect(f"file:{url.removeprefix('sqlite:///')}?mode=ro", uri=True)
        else:
            import psycopg

            self._connection = psycopg.connect(url.replace("postgresql+psycopg", "postgresql"))

    def rows(self, table: str, *columns: str, where: str = "1 = 1") -> list[Row]:
        cursor = self._connection.cursor()
        cursor.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE {where} ORDER BY id")
        return [dict(zip(columns, row)) for row in cursor.fetchall()]

    def close(self) -> None:
        self._connection.close()


class World:
    """All that is known, by what it is looked up with."""

    def __init__(self, folder: Path, database: str = "") -> None:
        self.run = json.loads((folder / "run.json").read_text("utf-8"))
        self.sources = {one["id"]: one for one in self.run["sources"]}
        self.registers = {one["id"]: one for one in self.run["registers"]}
        self.said = {one["id"]: json.loads((folder / f"{one['name']}.json").read_text("utf-8"))
                     for one in self.run["sources"]}
        self.paper: list[Row] = []
        for one in self.run["registers"]:
            for document in json.loads((folder / f"{one['name']}.json").read_text("utf-8")):
                self.paper.append({**document, "register": one["id"]})
        self._read(Reader(database or self.run["database"]))
        self.log = sorted((line for file in folder.glob("*.log") for line in _lines(file)), key=lambda one: one["t"])
        self._log_times = [one["t"] for one in self.log]
        self._sort()

    def _read(self, reader: Reader) -> None:
        rows = {name: reader.rows(name, *columns.split()) for name, columns in TABLES.items()}
        reader.close()
        self.receipts, self.events, self.attempts = rows["receipt"], rows["receipt_event"], rows["attempt"]
        self.records, self.deliveries, self.inbox = rows["record"], rows["delivery"], rows["inbox"]
        self.evidence = rows["evidence"]
        self.foreign = {(one["storage_number"], one["document_number"]) for one in rows["foreign_document"]}
        for one in self.events:
            one["t"] = unix(one["at"])
        for one in self.attempts:
            one["t"], one["end"] = unix(one["created_at"]), unix(one["ended_at"])
        for one in self.inbox:
            one["t"], one["done"] = unix(one["created_at"]), unix(one["done_at"])

    def _sort(self) -> None:
        self.by_key = {one["receipt_key"]: one for one in self.receipts}
        self.by_order: dict[tuple[int, str], list[Row]] = defaultdict(list)
        for one in self.receipts:
            self.by_order[one["source_id"], one["order_number"]].append(one)
        self.history: dict[int, list[Row]] = defaultdict(list)
        for one in self.events:
            self.history[one["receipt_id"]].append(one)
        self.tries: dict[int, list[Row]] = defaultdict(list)
        for one in self.attempts:
            if one["receipt_id"] is not None:
                self.tries[one["receipt_id"]].append(one)
        self.record = {one["receipt_id"]: one for one in self.records}
        #: What was worked on of each order, by the number that its subject ends with.
        self.worked: dict[tuple[int, str], list[Row]] = defaultdict(list)
        for one in self.inbox:
            if one["state"] in ("done", "ignored") and one["via"] != "poll":  # a poll has read what it tells before
                self.worked[one["source_id"], one["subject"].rpartition(":")[2]].append(one)
        #: (Register, storage) -> when that was taken out of it, as the register itself knows; 0.0 for what is in it.
        self.storages = {(one["id"], each["number"]): each["out"] for one in self.run["registers"]
                         for each in one["storages"]}
        self.jumps = [one for one in self.run["faults"] if one["kind"] == "host_clock"]
        self.heard = {(source_id, one["number"], one["what"], one["at"]) for source_id, said in self.said.items()
                      for one in said["events"] if one["arrived"]}
        self.restored = max((one["until"] for one in self.run["faults"] if one["kind"] == "restored"), default=0.0)
        self.reports: dict[int, list[Row]] = defaultdict(list)
        for one in self.deliveries:
            if one["target"] == "source":
                self.reports[one["receipt_id"]].append(one)
        self.printed: dict[str, list[Row]] = defaultdict(list)
        self.strangers: list[Row] = []
        for one in self.paper:
            found = {match.group(0) for line in one["lines"] if (match := WORDS.search(line[0]))}
            if one["counter"]:
                continue
            if len(found) == 1:
                self.printed[found.pop()].append(one)
            else:
                self.strangers.append(one)

    def lines(self, since: float, until: float, *events: str) -> list[Row]:
        """What the hub's log says of these events between two moments."""
        return [one for one in self.log[bisect_left(self._log_times, since):bisect_right(self._log_times, until)]
                if one["event"] in events]

    def told_of(self, source_id: int, number: str, what: str, since: float) -> bool:
        """Whether the hub was told of a change of an order (its event arrived) and no backup took that away again."""
        return any(one[:3] == (source_id, number, what) and since - SLACK <= one[3] and one[3] > self.restored
                   for one in self.heard)

    def knew(self, source_id: int, number: str, receipt_id: int, since: float) -> bool:
        """Whether the hub had worked on an event that came after a change, before anything of the receipt was sent:
        then it knew what it printed. By the hub's own clock, so not where that had jumped."""
        begun = min((one["t"] for one in self.tries[receipt_id]), default=0.0)
        # In this order, too: one of the moments may be of a clock that had jumped back.
        return 0.0 < begun - since < SAME_DAY and any(
            since <= one["t"] <= one["done"] <= begun for one in self.worked[source_id, number])

    def before(self, noted: float, moment: float) -> bool:
        """Whether what the hub noted by its own clock, which may just have jumped, was before a moment of the world."""
        return noted <= moment + SLACK or any(
            one["at"] - SLACK <= noted - one["offset"] <= min(one["until"], moment) + SLACK for one in self.jumps)

    def odd(self, receipt_id: int, since: float, until: float) -> bool:
        """Whether a receipt's way was not the plain one then."""
        return any(one["cause"] in ODD and since <= one["t"] <= until for one in self.history[receipt_id])


def _lines(file: Path) -> list[Row]:
    found = []
    for line in file.read_text("utf-8", "replace").splitlines():
        try:
            one = json.loads(line)
            found.append({"t": unix(one["timestamp"].replace("Z", "+00:00")), "event": one.get("event", ""),
                          "register": one.get("register")})
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


# -- what must be ----------------------------------------------------------------------------------------------------


class Verdict:
    """What is not as it must be, each with the history of its receipt."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.misses: list[Row] = []
        self.undecided = self.taken_back = 0

    def miss(self, what: str, order: Row | None = None, receipt: Row | None = None, **more: Any) -> None:
        """One more."""
        world = self.world
        story: Row = {"what": what, **more}
        if order is not None:
            story["order"] = order
            story["paper"] = world.printed.get(order["words"], [])
        if receipt is not None:
            story["receipt"] = {name: str(value) for name, value in receipt.items()}
            story["history"] = [
                f"{one['at']} {one['state_from'] or '-'} -> {one['state_to']} by {one['actor']}: {one['cause']} "
                f"{one['details'] or ''}" for one in world.history[receipt["id"]]]
            story["attempts"] = [{name: str(value) for name, value in one.items()}
                                 for one in world.tries[receipt["id"]]]
            story["reports"] = [{name: str(value) for name, value in one.items()}
                                for one in world.reports[receipt["id"]]]
            story["evidence"] = [str(one) for one in world.evidence if one["receipt_id"] == receipt["id"]]
        self.misses.append(story)

    def orders(self) -> None:
        """Every order of every source."""
        known: set[tuple[int, str]] = set()
        for source_id, said in self.world.said.items():
            told: dict[str, list[Row]] = defaultdict(list)
            for one in said["told"]:
                told[one["number"]].append(one)
            for order in said["sent"]:
                known.add((source_id, order["number"]))
                self._order(source_id, order, told[order["number"]])
        wanted = {one["words"] for said in self.world.said.values() for one in said["sent"]}
        for words, documents in self.world.printed.items():
            if words not in wanted:
                self.miss("printed, and nobody ordered it", paper=documents)
        for document in self.world.strangers:
            self.miss("printed by the hub, and nobody knows what for", paper=[document])
        for (source_id, number), rows in self.world.by_order.items():
            if (source_id, number) not in known:
                self.miss("a receipt of an order that there is not", None, rows[0])

    def _order(self, source_id: int, order: Row, told: list[Row]) -> None:
        world, rows = self.world, self.world.by_order[source_id, order["number"]]
        papers = world.printed.get(order["words"], [])
        if len(papers) > 1:
            self.miss(f"printed {len(papers)} times", order, rows[0] if rows else None)
        if order.get("deleted") and (not rows or rows[0]["state"] == "cancelled"):
            self._taken_back(order, rows, papers)
            return
        if not rows:
            self.miss("lost: the hub knows nothing of the order", order)
            return
        if len(rows) > 1:
            self.miss(f"{len(rows)} receipts of one order", order, rows[0])
            return
        receipt = rows[0]
        for document in papers:
            self._document(source_id, order, receipt, document)
        if receipt["state"] == "uncertain":
            self._uncertain(order, receipt, papers)
        elif receipt["state"] == "refused" and papers and order.get("before") and self._shown(receipt, "key_taken"):
            self.undecided += 1  # a backup did not know what was printed, and then it was changed: a person decides
        elif receipt["state"] not in PRINTED:
            self.miss(f"not printed: {receipt['state']}" if not papers else f"printed, and {receipt['state']}", order,
                      receipt)
        elif not papers:
            self.miss("recorded, and not on paper", order, receipt)
        elif order.get("deleted"):
            self._deleted(source_id, order, receipt)
        else:
            self._report(order, receipt, papers[0], told)

    def _taken_back(self, order: Row, rows: list[Row], papers: list[Row]) -> None:
        """What was deleted has no receipt, or one that was cancelled; and then nothing on paper, unless the database
        that knew it was replaced by an older one."""
        if len(rows) > 1:
            self.miss(f"{len(rows)} receipts of one order", order, rows[0])
        elif not papers:
            self.taken_back += 1
        elif rows or order["deleted"] > self.world.restored:
            what = "printed, and cancelled" if rows else "printed and deleted, and the hub knows nothing of it"
            self.miss(what, order, rows[0] if rows else None)

    def _deleted(self, source_id: int, order: Row, receipt: Row) -> None:
        """What was deleted and is on paper all the same: the hub cannot have known better, and shows it."""
        gone = order["deleted"]
        if self.world.knew(source_id, order["number"], receipt["id"], gone):
            self.miss("printed, though the hub knew that it was deleted", order, receipt)
        if self.world.told_of(source_id, order["number"], "delete", gone) and not self._shown(receipt, "withdrawn"):
            self.miss("deleted after it was printed, and the hub does not show it", order, receipt)

    def _shown(self, receipt: Row, *causes: str) -> bool:
        return any(one["cause"] in causes for one in self.world.history[receipt["id"]])

    def _sums(self, source_id: int, order: Row, receipt: Row, document: Row) -> Row:
        """The sums that a document must have: of an order that was changed those it had at one time, all of one time.
        An earlier one's only if the hub cannot have known better; then it shows the change."""
        names = ("total", "cash", "card")
        for one in order.get("before", ()):
            if all(document[name] == one[name] for name in names) and any(one[name] != order[name] for name in names):
                if self.world.knew(source_id, order["number"], receipt["id"], one["until"]):
                    self.miss("printed with a sum that the hub knew to be changed", order, receipt)
                if self.world.told_of(source_id, order["number"], "update", one["until"]) \
                        and not self._shown(receipt, "conflict", "key_taken"):
                    self.miss("changed after it was printed, and the hub does not show it", order, receipt)
                return {**order, **one}
        return order

    def _document(self, source_id: int, order: Row, receipt: Row, document: Row) -> None:
        inn = self.world.sources[source_id]["inn"]
        if self.world.registers[document["register"]]["inn"] != inn or document["inn"] != inn:
            self.miss("printed on another organisation's register", order, receipt)
        order = self._sums(source_id, order, receipt, document)
        asked = {"kind": order["kind"], "total": order["total"], "cash": order["cash"], "card": order["card"]}
        written = {name: document[name] for name in asked}
        if asked != written:
            self.miss("printed with another sum or payment", order, receipt, asked=asked, written=written)
        if [line[1] for line in document["lines"]] != [order["total"]] \
                or order["words"] not in document["lines"][0][0]:
            self.miss("printed with other lines", order, receipt)
        record = self.world.record.get(receipt["id"])
        if receipt["state"] in PRINTED and (record is None or (record["storage_number"], record["document_number"])
                                            != (document["storage"], document["number"])):
            self.miss("the record names another document", order, receipt, record=str(record))

    def _report(self, order: Row, receipt: Row, document: Row, told: list[Row]) -> None:
        facts = {(one["storage"], one["document"]) for one in told}
        if facts != {(document["storage"], document["number"])}:
            self.miss("its source was not told of this document" if not facts else "its source was told another one",
                      order, receipt, told=told)
        rows = [one for one in self.world.reports[receipt["id"]] if one["about"] == "recorded"]
        if len(rows) != 1 or rows[0]["state"] != "done":
            self.miss("its report is not one that was done", order, receipt)

    def _uncertain(self, order: Row, receipt: Row, papers: list[Row]) -> None:
        """Doubt is right only about a storage that was really taken out of that register after the hub began to print:
        by the register's own books. What any storage that is still in place holds could have been found there."""
        world = self.world
        live = [one for one in world.tries[receipt["id"]] if one["state"] == "uncertain"]
        out = world.storages.get((live[0]["register_id"], live[0]["storage_number"]), 0.0) if len(live) == 1 else 0.0
        readable = any(not world.storages.get((one["register"], one["storage"]), 0.0) for one in papers)
        if out and not readable and world.before(live[0]["t"], out):
            self.undecided += 1
        else:
            self.miss("uncertain, though the storage could be read", order, receipt,
                      storages=self.world.run["registers"])

    def rests(self) -> None:
        """After each round everything is mended, and the system must come to rest by itself."""
        for one in self.world.run["rests"]:
            # A run with a safety off is not waited for: whoever gave up early has seen nothing of it.
            never = one["seconds"] is None and one.get("patience", REST) >= REST
            if never or (one["seconds"] or 0.0) > REST:
                self.miss(f"not at rest within {REST:.0f} s", waiting=one["waiting"], round=one["round"])


# -- what the faults did ---------------------------------------------------------------------------------------------


class Effects:
    """Whether a fault changed an outcome: whether a receipt, an event or a report went another way because of it. Each
    by rows or lines that name what it struck; a moment at which nothing was done has none of them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.hits: dict[str, list[Row]] = defaultdict(list)
        for one in world.run["hits"]:
            self.hits[one["note"]].append(one)
        self.events = {(one["source_id"], one["id"], one["subject"]): one for one in world.inbox}
        self.reports = {one["public_id"]: one for one in world.deliveries}

    def changed(self, fault: Row) -> bool:
        kind = fault["kind"]
        how = getattr(self, f"_{kind}", None)
        if how is not None:
            return bool(how(fault))
        return self._register(fault)

    # -- registers -----------------------------------------------------------------------------------------------

    def _register(self, fault: Row) -> bool:
        """A receipt that was in hand when it struck did not end at once with its record."""
        for hit in self.hits[fault["id"]]:
            receipt = self.world.by_key.get(hit.get("key", ""))
            if receipt is not None and self.world.odd(receipt["id"], hit["at"] - 1.0, hit["at"] + AFTER):
                return True
        return False

    def _cashier(self, fault: Row) -> bool:
        """The document is kept as a stranger's, between the hub's own."""
        return any((one.get("storage"), one.get("number")) in self.world.foreign for one in self.hits[fault["id"]])

    def _storage(self, fault: Row) -> bool:
        """It really was replaced then, and the receipt in hand went another way."""
        return self._register(fault) and any(
            register == fault["register"] and fault["at"] - 1.0 <= out <= fault["until"] + SOON
            for (register, _), out in self.world.storages.items())

    def _gone(self, fault: Row) -> bool:
        """The register stepped back while it lasted."""
        return any(one["register"] == fault["register"] for one in self.world.lines(
            fault["at"] - 0.5, fault["until"] + SOON, "register_gone"))

    def _paper_after(self, fault: Row) -> bool:
        """The receipt in hand did not end at once, or what came next waited for paper."""
        return self._register(fault) or self._gone(fault)

    def _register_clock(self, fault: Row) -> bool:
        """The register refused to work by that clock, or a document that was recorded then has another day's time."""
        return self._gone(fault) or any(
            one["register_id"] == fault["register"]
            and fault["at"] <= unix(one["created_at"]) <= fault["until"] + SOON
            and abs(unix(one["printed_at"]) - unix(one["created_at"])) > 600 for one in self.world.records)

    # -- processes -----------------------------------------------------------------------------------------------

    def _died(self, fault: Row) -> bool:
        """Somebody else went on with what the process had in hand when it died: the fate of its receipt was decided
        by another owner, an event or a report that it had claimed was done after it."""
        held = fault.get("held", {})
        return any(self._decided(*one) for one in held.get("attempts", ())) or any(
            self._done(self.events.get(tuple(one)), "done", "ignored") for one in held.get("events", ())) or any(
            self._done(self.reports.get(one), "done", "skipped") for one in held.get("reports", ()))

    def _decided(self, key: str, register: int, fence: int) -> bool:
        """Whether an open attempt went on under another owner than the one that had begun it."""
        if not key:
            return any(one["register_id"] == register and one["fence"] == fence and one["receipt_id"] is None
                       and one["state"] != "open" for one in self.world.attempts)
        receipt = self.world.by_key.get(key)
        owner = f"register:{register}#{fence}"
        return receipt is not None and any(
            one["cause"] in ODD and one["actor"].startswith("register:") and one["actor"] != owner
            for one in self.world.history[receipt["id"]])

    @staticmethod
    def _done(row: Row | None, *states: str) -> bool:
        return row is not None and row["state"] in states

    def _worker_killed(self, fault: Row) -> bool:
        return self._died(fault)

    def _killed_at_step(self, fault: Row) -> bool:
        return self._died(fault) or (fault.get("role", "").startswith("web") and self._web_killed(fault))

    def _register_killed(self, fault: Row) -> bool:
        """The receipt that it had in hand did not end at once with its record."""
        found = [self.world.by_key.get(key) for key, _, _ in fault.get("held", {}).get("attempts", ())]
        return any(self.world.odd(one["id"], fault["at"] - 1.0, fault["at"] + AFTER) for one in found if one)

    def _web_killed(self, fault: Row) -> bool:
        """An event did not get in, or got no answer, while it was away."""
        return any(not one["arrived"] and not one.get("lost") and fault["at"] - 0.2 <= one["at"] <= fault["until"]
                   for said in self.world.said.values() for one in said["events"])

    def _two_hosts(self, fault: Row) -> bool:
        """A receipt that one host had in hand was decided by the other."""
        receipt = self.world.by_key.get(fault.get("key", ""))
        return receipt is not None and len({one["fence"] for one in self.world.tries[receipt["id"]]}
                                           | {one["actor"] for one in self.world.history[receipt["id"]]
                                              if one["actor"].startswith("register:")}) > 1

    # -- what they stand on --------------------------------------------------------------------------------------

    def _redis_stopped(self, fault: Row) -> bool:
        """A ring was not sent, or not waited for, while it was away."""
        return bool(self.world.lines(fault["at"], fault["until"] + SOON, "bell_silent", "bell_away"))

    def _redis_flushed(self, fault: Row) -> bool:
        """A ring that waited to be heard was lost: what it told of was found by looking."""
        return bool(fault.get("rings"))

    def _database(self, fault: Row) -> bool:
        """A process noted that a statement or a commit failed while it lasted, or a request went to the spool."""
        since, until = fault["at"], fault["until"] + SOON
        return bool(self.world.lines(since, until, *DATABASE_FAILED)) or any(
            one["via"] == "spool" and since <= one["t"] <= until for one in self.world.inbox)

    def _database_locked(self, fault: Row) -> bool:
        return self._database(fault)

    _database_restarted = _disk_full = _database_locked

    def _restored(self, fault: Row) -> bool:
        """Receipts that the restored database did not know were found printed."""
        return any(one["cause"] == "found_printed" and one["t"] >= fault["at"] for one in self.world.events)

    def _host_clock(self, fault: Row) -> bool:
        """Something happened at a time that is not that of the day."""
        since, until = fault["at"] + fault["offset"] - 0.5, fault["until"] + fault["offset"] + 0.5
        return any(since <= one["t"] <= until for one in self.world.events)

    # -- sources -------------------------------------------------------------------------------------------------

    def _source(self, fault: Row) -> bool:
        """A request of the hub was spoiled by it, as that source itself noted: it was made again."""
        return bool(self.hits[fault["id"]])

    def _source_down(self, fault: Row) -> bool:
        return self._source(fault)

    _source_garbage = _report_unheard = _source_away = _source_down

    def _events_lost(self, fault: Row) -> bool:
        """An order of which no event arrived has its receipt."""
        arrived = {one["number"] for one in self.world.said[fault["source"]]["events"]
                   if one["arrived"] and one["what"] == "create"}
        return any(one["what"] == "create" and one["number"] not in arrived
                   and self.world.by_order.get((fault["source"], one["number"])) for one in self.hits[fault["id"]])

    def _thrice(self, fault: Row) -> bool:
        """One order's event came more than once, and has one receipt."""
        came = Counter(one["number"] for one in self.world.said[fault["source"]]["events"]
                       if one["arrived"] and one["what"] == "create")
        return any(count > 1 and len(self.world.by_order.get((fault["source"], number), ())) == 1
                   for number, count in came.items())

    def _reports_fail(self, fault: Row) -> bool:
        """A report failed at that source when it came first."""
        return any(one["source"] == fault["source"] for one in self.hits["trips"])

    # -- people --------------------------------------------------------------------------------------------------

    def _edited(self, fault: Row) -> bool:
        """Its receipt was made anew before anything of it was printed, or the change is shown beside it."""
        return self._noted(fault, "edited", "conflict")

    def _deleted(self, fault: Row) -> bool:
        """There is no receipt of it, it was cancelled, or it is shown that its payment is gone."""
        return not self.world.by_order.get((fault["source"], fault["number"])) or self._noted(fault, "withdrawn")

    def _noted(self, fault: Row, *causes: str) -> bool:
        return any(one["cause"] in causes for receipt in self.world.by_order.get((fault["source"], fault["number"]), ())
                   for one in self.world.history[receipt["id"]])


def judge(folder: Path, database: str = "") -> Row:
    """The verdict on a run."""
    world = World(folder, database)
    verdict = Verdict(world)
    verdict.orders()
    verdict.rests()
    effects = Effects(world)
    done, changed = Counter[str](), Counter[str]()
    for fault in world.run["faults"]:
        done[fault["kind"]] += 1
        changed[fault["kind"]] += effects.changed(fault)
    states = Counter(one["state"] for one in world.receipts)
    rests = [one["seconds"] for one in world.run["rests"]]
    vain = sorted(kind for kind in done if not changed[kind] and done[kind] >= OFTEN and not world.run["broken"])
    return {
        "agree": not verdict.misses, "done_in_vain": vain,
        "seed": world.run["seed"], "broken": world.run["broken"],
        "database": world.run["database"].partition(":")[0], "seconds": world.run["seconds"],
        "orders": sum(len(said["sent"]) for said in world.said.values()), "receipts": len(world.receipts),
        "states": dict(states), "documents": sum(map(len, world.printed.values())),
        "foreign": sum(one["counter"] for one in world.paper), "undecided": verdict.undecided,
        "taken_back": verdict.taken_back,
        "reports": sum(one["state"] == "done" for one in world.deliveries if one["target"] == "source"),
        "events": sum(len(said["events"]) for said in world.said.values()),
        "faults": {kind: {"done": done[kind], "changed": changed[kind]} for kind in sorted(done)},
        "faults_done": sum(done.values()), "faults_changed": sum(changed.values()),
        "faults_changed_without_people": sum(changed[kind] for kind in changed if kind not in PEOPLE),
        "under_five_minutes": world.run["seconds"] < 300,
        "kinds_without_effect": sorted(kind for kind in done if not changed[kind]),
        "worst_rest": None if None in rests else max(rests, default=None), "misses": verdict.misses}


def main(argv: list[str]) -> int:
    """The program."""
    parser = argparse.ArgumentParser(description="Judges a kept torture run.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--database", default="", help="instead of the address in run.json")
    options = parser.parse_args(argv)
    found = judge(options.folder, options.database)
    print(json.dumps(found, ensure_ascii=False, indent=1, default=str))
    return 0 if found["agree"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
