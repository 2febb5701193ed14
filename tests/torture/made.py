"""A kept run that was made by hand, for what a played one seldom has: one register, one source, one order."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hub.torture import judge

INN, STORAGE, KEY, WORDS = "7707083893", "9999000000000001", "A1B2C3D4E5F60718", "T0-000001"


class Made:
    """The order is paid, printed, recorded and reported, ten seconds ago; change what should be otherwise, then ask
    for the :meth:`verdict`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.at = folder, time.time() - 10.0
        self.run: dict[str, Any] = {
            "seed": 1, "broken": "", "seconds": 10, "database": f"sqlite:///{folder / 'hub.db'}", "faults": [],
            "hits": [], "rests": [{"round": 1, "seconds": 1.0, "waiting": {}}],
            "registers": [{"id": 1, "name": "register-0", "inn": INN, "storages": [{"number": STORAGE, "out": 0.0}]}],
            "sources": [{"id": 1, "name": "source-0", "inn": INN}]}
        self.paper: list[dict[str, Any]] = [self.document()]
        self.source: dict[str, Any] = {
            "sent": [{"number": "7", "words": WORDS, "kind": "sale", "total": 500, "cash": 0, "card": 500}],
            "events": [{"at": self.at, "number": "7", "what": "create", "arrived": True}],
            "told": [{"number": "7", "storage": STORAGE, "document": 3, "sign": "1"}]}
        self.receipt: dict[str, Any] = {"id": 1, "source_id": 1, "order_number": "7", "receipt_key": KEY,
                                        "state": "recorded", "total": 500}
        self.attempt: dict[str, Any] = {"id": 1, "receipt_id": 1, "register_id": 1, "number": 1, "state": "recorded",
                                        "what": "receipt", "storage_number": STORAGE, "fence": 4,
                                        "created_at": self.moment(), "ended_at": self.moment()}
        self.rows: dict[str, list[dict[str, Any]]] = {
            "receipt": [self.receipt], "attempt": [self.attempt],
            "record": [{"id": 1, "receipt_id": 1, "register_id": 1, "storage_number": STORAGE, "document_number": 3,
                        "total": 500, "created_at": self.moment(), "printed_at": self.moment()}],
            "delivery": [{"id": 1, "receipt_id": 1, "public_id": "d1", "target": "source", "about": "recorded",
                          "state": "done", "tries": 1, "created_at": self.moment(), "done_at": self.moment()}]}
        self.log: list[dict[str, Any]] = []

    def moment(self, after: float = 0.0) -> str:
        """A time as the database has it, so many seconds after the receipt's."""
        return datetime.fromtimestamp(self.at + after, UTC).replace(tzinfo=None).isoformat(" ")

    def document(self, **other: Any) -> dict[str, Any]:
        """The order's document on paper."""
        return {"storage": STORAGE, "number": 3, "kind": "sale", "total": 500, "lines": [[f"Занятие {WORDS}", 500]],
                "cash": 0, "card": 500, "key": KEY, "counter": False, "inn": INN, "at": self.moment(), **other}

    def event(self, cause: str, after: float = 0.5, **more: Any) -> None:
        """One more line of the receipt's history."""
        events = self.rows.setdefault("receipt_event", [])
        events.append({"id": len(events) + 1, "receipt_id": 1, "at": self.moment(after), "state_from": "printing",
                       "state_to": "printing", "actor": "register:1#5", "cause": cause, **more})

    def fault(self, kind: str, **facts: Any) -> dict[str, Any]:
        """One more fault, two seconds long from the receipt's time."""
        found = {"id": f"f{len(self.run['faults']) + 1}", "kind": kind, "at": self.at, "until": self.at + 2.0, **facts}
        self.run["faults"].append(found)
        return found

    def verdict(self) -> dict[str, Any]:
        """What the judge says."""
        self.folder.mkdir(exist_ok=True)
        for name, value in (("run", self.run), ("register-0", self.paper), ("source-0", self.source)):
            (self.folder / f"{name}.json").write_text(json.dumps(value), "utf-8")
        (self.folder / "worker-a.log").write_text("".join(json.dumps(
            {**one, "timestamp": datetime.fromtimestamp(one["timestamp"], UTC).isoformat()}) + "\n"
            for one in self.log), "utf-8")
        (self.folder / "hub.db").unlink(missing_ok=True)
        with closing(sqlite3.connect(self.folder / "hub.db")) as database:
            for table, columns in judge.TABLES.items():
                names = columns.split()
                database.execute(f"CREATE TABLE {table} ({', '.join(names)})")
                for row in self.rows.get(table, ()):
                    assert row.keys() <= {*names}, row
                    database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
                                     [*row.values()])
            database.commit()
        return judge.judge(self.folder)

    def misses(self) -> list[str]:
        """What it misses, in its words."""
        return [one["what"] for one in self.verdict()["misses"]]
