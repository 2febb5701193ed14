"""Every recorded answer, replayed against the simulated site: it must store what the real one stored."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hub_plugins.bitrix.simulated_checks import CASES, content
from hub_plugins.bitrix.simulated_http import read
from hub_plugins.bitrix.simulated_site import (
    CheckRow,
    PhpTypeError,
    RestError,
    apply_result,
    take_check_answer,
    take_print_answer,
)

from tests.plugins.bitrix.helpers import ANSWERS

#: What ``sale.cashbox.check.apply`` was called with; the recordings hold only what became of it.
RESULT = {"REG_NUMBER_KKT": "0001234567012345", "FISCAL_DOC_ATTR": "3010203040", "FISCAL_DOC_NUMBER": "512",
          "FISCAL_RECEIPT_NUMBER": "7", "FN_NUMBER": "9999078900004312", "SHIFT_NUMBER": "3"}


def of_stage(stage: str) -> list[Any]:
    return [pytest.param(one, id=one["answer"]) for one in ANSWERS if one["stage"] == stage]


def check(recorded: dict[str, Any], uuid: str | None = None) -> CheckRow:
    """The check that the answer met: 150 roubles, handed out."""
    number = int(recorded["uuid"].split("-")[1]) if re.match(r"hub-\d+-", recorded["uuid"] or "") else 900
    return CheckRow(number, content(CASES["sell-one-line"]), "P", uuid)


def raw_answer(recorded: dict[str, Any]) -> bytes:
    """The answer as sent. The recorder wrote its texts down afterwards: the uuid it made for each check and the
    time of each receipt are put back from what the site stored."""
    text: str = recorded.get("answer_text", "")
    if recorded["stage"] == "print" and recorded["answer"] in ("uuid", "redirect"):
        text = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + json.dumps({"UUID": recorded["uuid"]})
    if recorded["link"] and recorded["link"]["doc_time"]:
        text = text.replace("1795168863", str(recorded["link"]["doc_time"]))
    return text.encode()


def stored(row: CheckRow) -> dict[str, Any]:
    return {"status": row.status, "uuid": row.uuid, "error": row.error, "link": row.link}


def expected(recorded: dict[str, Any]) -> dict[str, Any]:
    return {name: recorded[name] for name in ("status", "uuid", "error", "link")}


@pytest.mark.parametrize("recorded", of_stage("print"))
def test_print_answers(recorded: dict[str, Any]) -> None:
    row = check(recorded)
    died = None
    try:
        take_print_answer(row, raw_answer(recorded))
    except PhpTypeError as problem:
        died = str(problem)
    assert stored(row) == expected(recorded)
    assert died == recorded.get("exception")


def test_a_redirect_is_followed_to_another_answer() -> None:
    [recorded] = [one for one in ANSWERS if one["answer"] == "redirect"]
    heard = read(recorded["answer_text"].encode())
    assert heard.status == 302 and heard.headers["location"] == "/elsewhere"


@pytest.mark.parametrize("recorded", of_stage("check"))
def test_check_answers(recorded: dict[str, Any]) -> None:
    row = check(recorded, recorded["uuid"])
    died = None
    try:
        take_check_answer({row.number: row}, row, raw_answer(recorded))
    except PhpTypeError as problem:
        died = str(problem)
    assert stored(row) == expected(recorded)
    assert died == recorded["exception"]
    if recorded["answer"] == "wait":
        assert row.log == [recorded["log"]]


@pytest.mark.parametrize("recorded", [one for one in of_stage("nouuid") if "answer_text" in one.values[0]])
def test_answers_to_a_check_without_uuid(recorded: dict[str, Any]) -> None:
    row = check(recorded)
    take_check_answer({row.number: row}, row, recorded["answer_text"].encode())
    assert stored(row) == expected(recorded)
    assert row.log == [recorded["log"]]


@pytest.mark.parametrize("recorded", of_stage("apply"))
def test_applied_results(recorded: dict[str, Any]) -> None:
    row = check(recorded, recorded["uuid"])
    at = recorded["link"]["doc_time"] if recorded["link"] else 1795168784
    whole = {**RESULT, "UUID": row.uuid, "PRINT_END_TIME": at}
    params: dict[str, Any] = {
        "lower-keys": {name.lower(): value for name, value in whole.items()},
        "iso-time": {**RESULT, "UUID": row.uuid, "PRINT_END_TIME": "2026-11-20T12:00:00+03:00"},
        "status-error": {"UUID": row.uuid, "STATUS": "ERROR", "ERROR": recorded["error"]},
        "no-uuid": {**RESULT, "PRINT_END_TIME": at},
    }[recorded["answer"]]
    returned, died = None, None
    try:
        returned = apply_result({row.number: row}, params)
    except PhpTypeError as problem:
        died = str(problem)
    except RestError as problem:
        died = f"{problem} [{problem.status} Bad Request]"
    assert stored(row) == expected(recorded)
    assert (returned, died) == (recorded["returned"], recorded["exception"])


def test_page_answers_that_nobody_recorded() -> None:
    """Rows of §3.2's table that only the page has."""
    for body, status, uuid, error in (
            (b'{"ERRORS": ["a", "b"]}', "E", None, "a\nb"), (b'{"UUID": "u", "errors": ["a"]}', "E", None, "a"),
            (b'{"uuid": "u"}', "P", "u", None), (b'{"UUID": null}', "P", None, None),
            (b'\xef\xbb\xbf{"UUID": "u"}', "E", None, "Response decoding error")):
        row = CheckRow(1, content(CASES["sell-one-line"]), "P")
        take_print_answer(row, b"HTTP/1.1 200 OK\r\n\r\n" + body)
        assert (row.status, row.uuid, row.error) == (status, uuid, error), body
    row = CheckRow(1, content(CASES["sell-one-line"]), "P")
    take_print_answer(row, b"hello\r\n\r\n")
    assert (row.status, row.uuid) == ("P", None)


def test_two_checks_under_one_uuid() -> None:
    """Every result goes to the first, the second stays P for ever."""
    rows = {number: CheckRow(number, content(CASES["sell-one-line"]), "P", "same") for number in (1, 2)}
    for row in rows.values():
        take_check_answer(rows, row, b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps({"STATUS": "DONE"}).encode())
    assert (rows[1].status, rows[2].status) == ("Y", "P")


def test_a_printed_check_stays_printed() -> None:
    row = CheckRow(1, content(CASES["sell-one-line"]), "Y", "u", {"fn_number": "1"})
    assert apply_result({1: row}, {"UUID": "u", "STATUS": "ERROR", "ERROR": "late"}) is True
    assert (row.status, row.link, row.error) == ("Y", {"fn_number": "1"}, None)


def test_nothing_recorded_is_left_out() -> None:
    assert {one["stage"] for one in ANSWERS} == {"print", "check", "nouuid", "apply"}
    assert [one["answer"] for one in ANSWERS if one["stage"] == "nouuid" and "answer_text" not in one] == \
        ["five-dead-then-one-healthy"], "replayed against the process in test_round_trip.py"
