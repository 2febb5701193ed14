"""A school in ``hub torture``: payments are entered, webhooks go astray, the API has bad days."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs

from hub_plugins.alfacrm.school import API_USER
from hub_plugins.alfacrm.simulator import API_KEY, EMAIL

from hub.contracts import TortureSource
from hub.contracts.torture import SOURCE_FAULTS
from hub.testing.simulator import Fault, Running, first_line

#: Seconds between two looks for payments whose webhooks did not arrive.
POLL = 15
#: Copies of each event beside the first, and the seconds among which all of them go out, in any order.
COPIES, SCATTER = 2, 4.0
CASH, CARD = 1, 2
SALE, REFUND = 1, 5
#: Requests that a fault of the API hits; seconds without an API; events that are lost at once.
MOST_HIT, AWAY, MOST_LOST = 12, (3.0, 8.0), 5
#: Requests that it answers in a second, and milliseconds between two of the hub's.
RATE, PAUSE_MS = 200, 6
_TOLD = re.compile(r"ФД (\d+), ФН (\d+), ФП (\d+)")
_UPDATE = r"/pay/update"
_FAULTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "source_down": (("status", ".*"), ("reset", ".*")),
    "source_garbage": (("garbage", ".*"), ("half", ".*"), ("empty", ".*")),
    "report_unheard": (("lost_answer", _UPDATE),),
}


class TorturedSchool(TortureSource):
    """A school of its own process; its payments are named by their note."""

    source: ClassVar[str] = "alfacrm"
    template: ClassVar[str] = "Занятие <note>"
    faults: ClassVar[frozenset[str]] = frozenset(SOURCE_FAULTS)
    edits: ClassVar[bool] = True

    def __init__(self, folder: Path, name: str, inn: str) -> None:
        super().__init__(folder, name, inn)
        self._running: Running | None = None
        #: Number -> the sums that it had before, and what was deleted as it was then.
        self._before: dict[str, list[dict[str, Any]]] = {}
        self._deleted: dict[str, dict[str, Any]] = {}

    def start(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "hub", "simulate", "alfacrm", "--port", "0", "--rate", str(RATE)],
            stdout=subprocess.PIPE, text=True, start_new_session=True)
        self._running = Running(process, first_line(process, 30.0))
        self.running.do("configure", custom_fields=["custom_kkt_status", "custom_kkt_url", "custom_kkt_fd"])

    @property
    def running(self) -> Running:
        assert self._running is not None, "it was not started"
        return self._running

    def settings(self) -> Mapping[str, Any]:
        return {"host": self.running.url, "email": EMAIL, "api_key": API_KEY, "branches": [1],
                "accounts": {str(CASH): "cash"}, "corrections": "ignore", "read_pause_ms": PAUSE_MS,
                "write_pause_ms": PAUSE_MS, "poll_seconds": POLL, "start_date": "01.01.2026"}

    def connect(self, address: str, troublesome: bool) -> None:
        options = {"duplicates": COPIES, "scatter": SCATTER, "trips": True} if troublesome else {}
        self.running.do("configure", webhook_url=address, **options)

    def pay(self, words: str, amount: int, back: bool, cash: bool) -> str:
        made = self.running.do("create_pay", pay_type_id=REFUND if back else SALE, note=words,
                               pay_account_id=CASH if cash else CARD, **{_field(back): _money(amount)})
        return str(made["id"])

    def edit(self, number: str, amount: int) -> bool:
        row = self._row(number)
        if row is None:
            return False
        self.running.do("update_pay", id=int(number), **{_field(_back(row)): _money(amount)})
        self._before.setdefault(number, []).append({**_sums(row), "until": time.time()})
        return True

    def delete(self, number: str) -> bool:
        row = self._row(number)
        if row is None:
            return False
        self.running.do("delete_pay", id=int(number))
        self._deleted[number] = {**row, "_at": time.time()}
        return True

    def _row(self, number: str) -> dict[str, Any] | None:
        row: dict[str, Any] | None = self.running.do("look", entity="pay", id=int(number))
        return row

    def stop(self) -> None:
        if self._running is None:
            return
        self.running.process.terminate()
        try:
            self.running.process.wait(10)
        except subprocess.TimeoutExpired:
            self.running.process.kill()
            self.running.process.wait()
        if self.running.process.stdout:
            self.running.process.stdout.close()

    # -- faults --------------------------------------------------------------------------------------------------

    def strike(self, kind: str, note: str, chance: random.Random) -> bool:
        if kind == "source_away":
            self.running.do("leave", seconds=chance.uniform(*AWAY), note=note)
            return True
        if kind == "events_lost":
            self.running.do("lose_webhooks", n=chance.randint(1, MOST_LOST), note=note)
            return True
        words, path = chance.choice(_FAULTS[kind])
        self.running.faults(Fault(words, path, chance.randint(2, MOST_HIT),  # type: ignore[arg-type]
                                  lasts=chance.uniform(*AWAY), note=note))
        return True

    def mend(self) -> None:
        self.running.faults()
        self.running.do("configure", trips=False)
        self.running.do("leave", seconds=0.0)
        self.running.do("lose_webhooks", n=0)

    def hits(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.running.hits()
        return found

    # -- what is known over there --------------------------------------------------------------------------------

    def sent(self) -> list[dict[str, Any]]:
        found = []
        for one in (*self.running.state()["payments"], *self._deleted.values()):
            number = str(one["id"])
            order = {"number": number, "words": one["note"], "kind": "return" if _back(one) else "sale", **_sums(one)}
            if number in self._before:
                order["before"] = self._before[number]
            if number in self._deleted:
                order["deleted"] = one["_at"]
            found.append(order)
        return found

    def events(self) -> list[dict[str, Any]]:
        # What the hub itself wrote comes back as an update, too: that tells nobody of a person's change.
        return [{"at": one.get("at", 0.0), "number": str(one["body"]["entity_id"]),
                 "what": "written" if one["body"]["user_id"] == API_USER else one["body"]["event"],
                 "arrived": one["status"] == 200, "lost": one["status"] == "lost"}
                for one in self.running.state()["webhooks"]]

    def told(self) -> list[dict[str, Any]]:
        # Every write as it came, not only what the field holds in the end: the wire has no key of the hub by which two
        # reports could be told apart, so two that say the same are one, and two that do not are seen.
        kept = {str(one["id"]) for one in self.running.state()["payments"]
                if _TOLD.search(one.get("custom_kkt_fd") or "")}
        return [one for one in told(self.running.requests()) if one["number"] in kept]


def told(requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a school was told of documents, of all requests that it handled: each fact once for each payment."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in requests:
        if not re.search(_UPDATE, one["path"]):
            continue
        body = json.loads(one["body"] or "{}")
        number = parse_qs(one["query"]).get("id", [str(body.get("id", ""))])[0]
        if match := _TOLD.search(str(body.get("custom_kkt_fd") or "")):
            found[number, match[0]] = {"number": number, "document": int(match[1]), "storage": match[2],
                                       "sign": match[3]}
    return [*found.values()]


def _back(row: Mapping[str, Any]) -> bool:
    return bool(row["pay_type_id"] == REFUND)


def _field(back: bool) -> str:
    return "expenditure" if back else "income"


def _money(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02d}"


def _sums(row: Mapping[str, Any]) -> dict[str, int]:
    total = round(float(row[_field(_back(row))]) * 100)
    cash = total if row["pay_account_id"] == CASH else 0
    return {"total": total, "cash": cash, "card": total - cash}
