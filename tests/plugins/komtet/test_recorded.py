"""Every recorded request of the vendor's own clients, byte for byte: accepted or refused as it was then."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hub_plugins.komtet.gateway import KomtetGateway

from hub.contracts import Answer, ReceiptView, Request, Unauthorised, load
from hub.fiscal import Ffd, TaxSystem, Terms
from hub.testing.context import MemoryContext
from hub.testing.intake import MemoryIntake
from tests.plugins.komtet.support import SETTINGS

FOLDER = Path(__file__).parent / "recorded"
CASES = [(file.stem, case) for file in sorted(FOLDER.glob("*.json")) for case in json.loads(file.read_text())]
#: The day they were made: rates of VAT hang on it.
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


#: Invented values that no register would take, and the vendor's server did not look at: our rules refuse them in
#: words, and the receipt stands among the owner's as invalid.
STRICTER = {
    ("komtet-php-sdk-v1", "v1-post-queues-task-sell-a"): "есть код маркировки, поэтому количество",
    ("komtet-php-sdk-v2", "v2-post-queues-task-sell-a"): "предмет расчёта 4 — не товар",
    ("komtet-python-sdk-v1", "v1-post-queues-task-sell-mark"): "Контрольная цифра номера",
    ("komtet-python-sdk-v2", "v2-post-queues-task-sell-mark"): "тот же код маркировки"}


def request_of(case: dict[str, Any]) -> Request:
    parts = urlsplit(case["url"])
    headers = {name.lower(): value for name, value in dict(case["headers"]).items()}
    return Request(case["method"], parts.path, parts.query, headers, (case["body"] or "").encode(),
                   target=parts.path + (f"?{parts.query}" if parts.query else ""), scheme=parts.scheme)


def gateway_for(case: dict[str, Any]) -> tuple[KomtetGateway, MemoryIntake]:
    """A shop in which whatever the case's path names is there."""
    number = next((int(one) for one in urlsplit(case["url"]).path.split("/") if one.isdigit() and one != "7"), 1)
    context = MemoryContext(clock=lambda: NOW, numbers=count(number), tax_id="7700000016")
    # FFD 1.05 knows no corrections of returns, so such a shop has a newer register.
    ffd = Ffd.V1_2 if "/v2/" in case["url"] or "ReturnCorrection" in (case["body"] or "") else Ffd.V1_05
    intake = MemoryIntake(Terms(tax_system=TaxSystem.OSN, ffd=ffd), context)
    intake.views["x"] = ReceiptView("x", "queued", "R-0", origin={"external_id": "x"}, id=number)
    if "/orders/" in case["url"]:
        context.shelf("orders").add({"state": "new"})
    if "/employees/" in case["url"]:
        context.shelf("employees").add({"type": "courier", "login": "u"}, "courier")
    return KomtetGateway(load(KomtetGateway.settings, SETTINGS), context, intake), intake


def answered(gateway: KomtetGateway, request: Request) -> Answer:
    try:
        return gateway.handle(request)
    except Unauthorised:
        return gateway.answer_instead("unauthorised", request)


def test_all_recordings_are_here() -> None:
    assert len(CASES) == 94


@pytest.mark.parametrize(("file", "case"), CASES, ids=[f"{file}-{one['name']}" for file, one in CASES])
def test_recorded(file: str, case: dict[str, Any]) -> None:
    gateway, intake = gateway_for(case)
    request = request_of(case)
    answer = answered(gateway, request)
    code = case["expect"]["code"]
    if (file, case["name"]) in STRICTER:
        told = json.loads(answer.body)
        assert (answer.status, told["code"]) == (422, "VLD00") and STRICTER[file, case["name"]] in told["description"]
        assert [one.state for one in intake.views.values()] == ["queued", "invalid"]
        return
    if code == "VLD11":
        # Recorded when it was sent the second time.
        assert answer.status == 200
        answer = answered(gateway, request)
        assert json.loads(answer.body)["task"]["id"] == intake.views[next(reversed(intake.views))].id
    told = json.loads(answer.body) if answer.body else {}
    assert (answer.status, told.get("code")) == (case["expect"]["status"], code), told
    if code is None:
        assert not intake.turned_down
        if case["method"] == "POST" and "/task" in case["url"]:
            checks = json.loads(request.body)
            checks = checks if isinstance(checks, list) else [checks]
            assert len(intake.receipts) == len(checks)
            for check, receipt in zip(checks, intake.receipts.values(), strict=True):
                paid = sum(one["sum"] for one in check["payments"])
                assert receipt.total.amount == round(paid * 100)
    elif code != "VLD11":
        assert len(intake.receipts) == 0
        assert bool(intake.turned_down) == (code != "AUT00"), "the owner sees what was refused"
