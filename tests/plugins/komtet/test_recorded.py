"""Every recorded request of the vendor's own clients, byte for byte over a socket to a hub with its own intake and
database: accepted or refused as it was then, and stored."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, insert, select, update

from hub.store import Inbox, ReceiptRow, ShelfItem, table
from tests.plugins.komtet.conftest import Live, opened
from tests.plugins.komtet.support import signed, v1

FOLDER = Path(__file__).parent / "recorded"
CASES = [(file.stem, case) for file in sorted(FOLDER.glob("*.json")) for case in json.loads(file.read_text())]
RECEIPT, SHELVED, INBOX = table(ReceiptRow), table(ShelfItem), table(Inbox)

#: Invented values that no register would take, and the vendor's server did not look at: our rules refuse them in
#: words, and the receipt stands among the owner's as invalid.
STRICTER = {
    ("komtet-php-sdk-v1", "v1-post-queues-task-sell-a"): "есть код маркировки, поэтому количество",
    ("komtet-php-sdk-v2", "v2-post-queues-task-sell-a"): "предмет расчёта 4 — не товар",
    ("komtet-python-sdk-v1", "v1-post-queues-task-sell-mark"): "Контрольная цифра номера",
    ("komtet-python-sdk-v2", "v2-post-queues-task-sell-mark"): "тот же код маркировки"}


@pytest.fixture(scope="module")
def hubs(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Mapping[str, Live]]:
    """Shops whose registers are of either format: FFD 1.05 knows no corrections of returns, and v2 is of FFD 1.2."""
    folder = tmp_path_factory.mktemp("recorded")
    with opened(folder / "old", sqlite_template, ffd="1.05") as old, \
            opened(folder / "new", sqlite_template, ffd="1.2") as new:
        yield {"1.05": old, "1.2": new}


def hub_for(hubs: Mapping[str, Live], case: Mapping[str, Any]) -> Live:
    return hubs["1.2" if "/v2/" in case["url"] or "ReturnCorrection" in (case["body"] or "") else "1.05"]


def send(live: Live, method: str, target: str, headers: Any, body: bytes) -> tuple[int, Any]:
    """The request as it was written on the wire; (status, decoded answer, null when it is empty)."""
    where = urlsplit(live.host)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    with socket.create_connection((str(where.hostname), where.port or 80), timeout=20) as line:
        line.sendall(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body)
        answer = HTTPResponse(line, method=method)
        answer.begin()
        told = answer.read()
    assert answer.getheader("Content-Type", "").startswith("application/json")
    return answer.status, json.loads(told) if told else None


def replayed(live: Live, case: Mapping[str, Any]) -> tuple[int, Any]:
    parts = urlsplit(case["url"])
    return send(live, case["method"], parts.path + (f"?{parts.query}" if parts.query else ""), case["headers"],
                (case["body"] or "").encode())


def ours(live: Live, path: str, body: Any) -> Any:
    """An answer to a request of the tests' own."""
    one = signed("POST", path, body)
    status, told = send(live, "POST", path, [*one.headers.items(), ("Content-Length", len(one.body))], one.body)
    assert status == 200, told
    return told


def rows(live: Live, statement: Any) -> list[Any]:
    with live.world.db.read() as connection:
        return list(connection.execute(statement).all())


def provide(live: Live, file: str, case: Mapping[str, Any]) -> None:
    """What the case's path names is there: made through the door, then given the number that was recorded."""
    path = urlsplit(case["url"]).path
    number = next((int(one) for one in path.split("/") if one.isdigit() and int(one) not in (7, 99999999)), 0)
    kept = RECEIPT if "/tasks/" in path else SHELVED
    if not number or rows(live, select(kept.c.id).where(kept.c.id == number)):
        return
    if kept is RECEIPT:
        made = ours(live, "/api/shop/v1/queues/7/task", v1(external_id=f"for-{number}"))
        (row,) = rows(live, select(RECEIPT).where(RECEIPT.c.id == made["id"]))
        copy = {**row._mapping, "id": number, **dict.fromkeys(("public_id", "source_key", "receipt_key"), f"{number}")}
        live.world.db.submit(lambda connection: connection.execute(insert(RECEIPT).values(copy)))
        return
    if "/employees/" in path:
        made = ours(live, "/api/shop/v1/employees", {"type": "courier", "name": "К", "login": f"u{number}",
                                                     "password": "p", "pos_id": "1"})
    else:
        first = next(one for stem, one in CASES if stem == file and one["name"].endswith("post-orders-o"))
        _, made = replayed(live, first)
    live.world.db.submit(lambda connection: connection.execute(
        update(SHELVED).where(SHELVED.c.id == made["id"]).values(id=number)))


def test_all_recordings_are_here() -> None:
    assert len(CASES) == 94


@pytest.mark.parametrize(("file", "case"), CASES, ids=[f"{file}-{one['name']}" for file, one in CASES])
def test_recorded(file: str, case: dict[str, Any], hubs: Mapping[str, Live]) -> None:
    live, code = hub_for(hubs, case), case["expect"]["code"]
    provide(live, file, case)
    if code == "VLD11":
        # Recorded when it was sent the second time.
        assert replayed(live, case)[0] in (200, 422)
    before = {one.id for one in rows(live, select(RECEIPT.c.id))}
    kept = rows(live, select(func.count()).select_from(INBOX))[0][0]
    status, told = replayed(live, case)
    stored = [one for one in rows(live, select(RECEIPT).order_by(RECEIPT.c.id)) if one.id not in before]
    refused = rows(live, select(func.count()).select_from(INBOX))[0][0] - kept
    if (file, case["name"]) in STRICTER:
        assert status == 422 and set(told) == {"title", "code", "description"} and told["code"] == "VLD00"
        assert STRICTER[file, case["name"]] in told["description"]
        (one,) = stored
        assert one.state == "invalid" and one.problems and not refused
    elif code is not None:
        assert (status, told["code"]) == (case["expect"]["status"], code), told
        assert {"title", "description"} <= set(told) and told["description"] and not stored
        if code == "VLD11":
            assert told["task"]["id"] in before and not refused
        elif code == "VLD00":
            assert refused == 1, "the owner sees what was refused"
    else:
        assert (status, refused) == (200, 0), told
        accepted(case, told, stored)


def accepted(case: Mapping[str, Any], told: Any, stored: list[Any]) -> None:
    """The whole answer, and what stands in the database."""
    path, body = urlsplit(case["url"]).path, json.loads(case["body"]) if case["body"] else None
    if path.endswith(("/task", "/multi-tasks")):
        checks = body if isinstance(body, list) else [body]
        answers = list(told.values()) if isinstance(body, list) else [told]
        assert len(answers) == len(checks) == len(stored)
        if isinstance(body, list):
            assert list(told) == [str(one["external_id"]) for one in checks]
        for check, answer, row in zip(checks, answers, stored, strict=True):
            assert answer == {"id": row.id, "uuid": answer["uuid"], "external_id": check["external_id"],
                              "print_queue_id": 7, "state": "new", "error_description": None, "fiscal_data": None,
                              "receipt_url": None}
            assert len(answer["uuid"]) == 36 and row.state == "queued"
            assert row.total == round(sum(one["sum"] for one in check["payments"]) * 100)
        return
    assert not stored
    if path.endswith("/queues/7"):
        assert told["id"] == 7 and told["state"] in ("active", "passive") and told["name"]
    elif "/tasks/" in path:
        assert (told["id"], told["state"], told["fiscal_data"]) == (int(path.rpartition("/")[2]), "new", None)
    elif case["method"] == "DELETE":
        assert told is None, "an empty body"
    elif path.endswith("/orders") and case["method"] == "GET":
        assert set(told) == {"orders", "meta"} and set(told["meta"]) == {"total", "total_pages"}
    elif path.endswith("/employees"):
        assert set(told) == {"account_employees", "meta"}
    elif "/employees/" in path:
        assert told["id"] == int(path.rpartition("/")[2]) and "password" not in told
    else:
        assert told["id"] and told["state"] == "new" and told["items"], "an order"
