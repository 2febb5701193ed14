"""What the judge of the torture is told of a school's reports."""

from __future__ import annotations

import json
from typing import Any

from hub_plugins.alfacrm.torture import told


def write(number: int, words: str, path: str = "/v2api/1/pay/update") -> dict[str, Any]:
    return {"path": path, "query": f"id={number}", "body": json.dumps({"custom_kkt_fd": words})}


def test_two_reports_that_differ_are_both_told_and_a_repeat_once() -> None:
    """The field of the payment holds only the last one."""
    first, second = "ФД 3, ФН 9999000000000001, ФП 77", "ФД 4, ФН 9999000000000001, ФП 78"
    found = told([write(7, first), write(7, first), write(7, second), write(8, ""),
                  write(9, first, "/v2api/1/pay/index")])
    assert found == [{"number": "7", "document": 3, "storage": "9999000000000001", "sign": "77"},
                     {"number": "7", "document": 4, "storage": "9999000000000001", "sign": "78"}]
