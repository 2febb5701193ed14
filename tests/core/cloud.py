"""A fiscal cloud whose memory is a folder: it outlives every worker, and each of its acts is one atomic file.

The same external id sent again is the same receipt. It says "still at work" once for each receipt, then has printed it,
or refused it when its folder holds ``refuses``.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hub.contracts import (
    Bookmark,
    Capabilities,
    Driver,
    Found,
    Guard,
    Identity,
    Job,
    Outcome,
    PluginSettings,
    Refused,
    ShiftReport,
    Status,
    StoredDocument,
    Submitted,
    Unavailable,
    Uncertain,
)
from hub.fiscal import Cashier, FiscalRecord, Kind, Money, Text

STORAGE = "9999000000000001"


class FolderCloud(Driver):
    """The client of the cloud in ``<data folder>/../../cloud``."""

    name, title, summary = "cloud", Text("Cloud", "Облако"), Text("A cloud.", "Облако.")
    settings = PluginSettings
    capabilities = Capabilities(max_in_flight=2, longest_command=0.2, carries_key=True, shifts=False)

    @property
    def folder(self) -> Path:
        return Path(self.context.data_dir).parents[1] / "cloud"

    # -- the cloud's memory --------------------------------------------------------------------------------------

    def jobs(self) -> list[dict[str, Any]]:
        """What it took, in the order of its document numbers."""
        found = [json.loads(one.read_text()) for one in self.folder.glob("*.json")]
        return sorted(found, key=lambda one: int(one["n"]))

    def _take(self, job: Job) -> None:
        file = self.folder / f"{job.external_id}.json"
        if not file.exists():
            data = {"n": len(self.jobs()) + 1, "id": job.external_id, "key": job.receipt.key,
                    "total": job.receipt.total.amount, "kind": job.receipt.kind.value}
            aside = file.with_suffix(".part")
            aside.write_text(json.dumps(data))
            aside.rename(file)

    def _has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def _record(self, job: dict[str, Any]) -> FiscalRecord:
        return FiscalRecord(
            document_number=job["n"], storage_number=STORAGE, fiscal_sign=str(1000 + job["n"]),
            printed_at=datetime(2026, 1, 1, 12, job["n"], tzinfo=UTC), total=Money(job["total"], "RUB"),
            kind=Kind(job["kind"]), ofd_confirmed=True)

    def printed(self) -> list[dict[str, Any]]:
        """The receipts that it did not refuse and has told the end of."""
        return [one for one in self.jobs() if self._has(f"{one['id']}.asked") and not self._has("refuses")]

    # -- the driver ----------------------------------------------------------------------------------------------

    def open(self) -> Identity:
        self.folder.mkdir(exist_ok=True)
        return Identity("CLOUD1", "cloud", STORAGE, ffd="1.2")

    def close(self) -> None:
        """Nothing is held."""

    def status(self) -> Status:
        return Status(STORAGE, len(self.printed()), at_rest=True)

    def settle(self, guard: Guard) -> Status:
        return self.status()

    def bookmark(self) -> Bookmark:
        return Bookmark(STORAGE, len(self.printed()))

    def fiscalise(self, job: Job, guard: Guard) -> Outcome:
        guard.check(0.2)
        self._take(job)
        return Submitted(job.external_id)

    def submitted(self, remote_id: str) -> Outcome:
        job = next(one for one in self.jobs() if one["id"] == remote_id)
        asked = self.folder / f"{remote_id}.asked"
        if not asked.exists():
            os.close(os.open(asked, os.O_CREAT | os.O_WRONLY))
            return Submitted(remote_id)
        if self._has("refuses"):
            return Refused(Text("no such VAT", "нет такой ставки"), vendor_code="VLD1")
        return self._record(job)

    def find(self, bookmark: Bookmark) -> Found:
        """What it has printed after the bookmark. One that is still at work leaves the reading incomplete; asking
        lets its time pass."""
        at_work = [one for one in self.jobs() if not self._has(f"{one['id']}.asked")]
        for one in at_work:
            self.submitted(one["id"])
        done = () if self._has("refuses") else tuple(
            StoredDocument(self._record(one), one["n"], "receipt", Kind(one["kind"]), Money(one["total"], "RUB"),
                           key=one["key"]) for one in self.printed() if one["n"] > bookmark.document_number)
        return Found(STORAGE, done, not at_work)

    def open_shift(self, cashier: Cashier, guard: Guard) -> Refused | Unavailable | Uncertain | None:
        return None

    def close_shift(self, cashier: Cashier, guard: Guard) -> ShiftReport | Refused | Unavailable | Uncertain:
        return Refused(Text("no shifts", "без смен"))
