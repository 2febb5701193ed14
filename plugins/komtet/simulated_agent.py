"""A register with KOMTET's agent, played: calls the hub, keeps its task, prints into a storage of its own
(komtet-kassa.md §11). Written from the reference; shares no code with the hub's side of it."""

from __future__ import annotations

import hashlib
import hmac
import json
import urllib.error
import urllib.request
from typing import Any


class Agent:
    """One agent. ``turn`` is one round of its loop; the caller decides when."""

    def __init__(self, base: str, key: str, secret: str, serial: str = "00106700000001") -> None:
        self.base, self.key, self.secret, self.serial = base, key, secret, serial
        self.storage = "9999078900012345"
        self.task: dict[str, Any] | None = None
        self.report: dict[str, Any] | None = None
        self.journal: list[dict[str, Any]] = []
        #: Bad days: the register does not answer, refuses, or the answer of a call is lost.
        self.unreachable, self.refuses, self.loses = "", "", 0

    def call(self, path: str, body: Any, signed_with: str) -> tuple[int, Any]:
        """One POST; (status, decoded answer)."""
        return self.post(path, b"" if body is None else json.dumps(body).encode(), signed_with)

    def post(self, path: str, data: bytes, signed_with: str) -> tuple[int, Any]:
        """The same with bytes."""
        url = f"{self.base}/api/pos/v1{path}"
        signature = hmac.new(signed_with.encode(), b"POST" + url.encode() + data, hashlib.md5).hexdigest()
        request = urllib.request.Request(url, data, {
            "Authorization": self.key, "X-HMAC-Signature": signature, "Content-Type": "application/json"},
            method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as problem:
            return problem.code, json.loads(problem.read() or b"null")

    def activate(self) -> tuple[int, Any]:
        """As the agent does once."""
        return self.call("/pos/activate", {"hwid": self.serial, "rent_station": None}, self.secret)

    def turn(self, limit: int = 1) -> int:
        """Prints the task on disk, reports, takes the next. The status of the call."""
        if self.task is not None and self.report is None and not self.unreachable:
            self.report = self._print(self.task)
        printer = {"serial_number": self.serial, "fiscal_id": self.storage, "reg_till": "2028-01-01T00:00:00",
                   "fn_state": 0, "rent_station": None}
        if self.unreachable:
            printer = {"error_description": self.unreachable, "rent_station": None}
        status, answer = self.call(f"/tasks?limit={limit}", {
            "printer": printer, "check": self.report, "version": "linux-6.5.0"}, self.secret + self.serial)
        if self.loses:
            # The hub took it, the agent never heard: it says the same again.
            self.loses -= 1
            return 0
        if status == 200:
            if self.report is not None:
                self.task = self.report = None
            if answer and answer["checks"]:
                self.task = answer["checks"][0]
        return status

    def _print(self, task: dict[str, Any]) -> dict[str, Any]:
        if self.refuses:
            words, self.refuses = self.refuses, ""
            return {"id": task["id"], "error_description": words}
        total = sum(round(float(one["total"]) * 100) for one in task["positions"])
        self.journal.append({"n": len(self.journal) + 1, "external_id": task["external_id"], "total": total})
        return {"id": task["id"], "inn": task.get("inn") or task["company"]["inn"], "kkt_serial_number": self.serial,
                "kkt_reg_number": "0000000000000001", "fiscal_drive_id": self.storage,
                "fiscal_document_number": str(len(self.journal)), "sum": total / 100, "fiscal_id": "1234567890",
                "time": "2026-11-30T12:00:00", "session": 1, "session_check": len(self.journal), "sno": "1"}
