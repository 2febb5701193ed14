"""The source of docs/authors/sources.md passes the suite; what the page tells of the suite is cut from here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

from hub.contracts import Request
from hub.testing.faults import Toy
from hub.testing.simulator import HttpSimulator
from hub.testing.source import SourceContract
from hub.testing.work import NOW
from tests.testing.corner_school import CornerSchool, Desk

KEY = "the-desks-own-key"


# region contract
class TestCornerSchool(SourceContract):
    source = CornerSchool
    settings: ClassVar[dict[str, Any]] = {"url": "https://school.example", "key": KEY}
    calls_out = frozenset({"fetch", "report", "check", "payments", "tell_person"})

    def other_side(self) -> HttpSimulator:
        self.desk = Desk(NOW)
        return Toy(self.desk.serve)

    def good_request(self) -> Request:
        headers = {"content-type": "application/json", "x-key": KEY}
        return Request("POST", "", "", headers, json.dumps({"id": 7}).encode())

    def forged_requests(self) -> Iterable[Request]:
        return [replace(self.good_request(), headers={"x-key": "guessed"})]

    def edit(self, other: HttpSimulator) -> bool:
        self.desk.rows["7"]["sum"] = "999.00"
        return True

    def take_back(self, other: HttpSimulator) -> Request | None:
        self.desk.rows["7"]["deleted"] = True
        return self.good_request()

    def without_right(self, other: HttpSimulator) -> str:
        self.desk.rights.remove("messages")
        return "messages"
# endregion
