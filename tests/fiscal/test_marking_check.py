"""Answers about marking codes: registers' results and the check before sale (fiscal-domain §10)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.fiscal import IndustryProperty, Kind, PlannedStatus
from hub.fiscal.marking import (
    assigned_status,
    check_result,
    local_check,
    oism_answer,
    permissive,
    permissive_verdict,
    request_code,
    request_result,
)

CODE = "010460000000001521AbC1234567890"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(("value", "sign"), [
    (0, "[M]"), (1, "[M-]"), (3, "[M]"), (5, "[M-]"), (7, "[M-]"), (15, "[M+]"), (16, "[M]"), (17, "[M-]"), (19, "[M]"),
])
def test_the_values_of_tag_2106(value: int, sign: str) -> None:
    result = check_result(value)
    assert (result.sign, result.wrong, result.value) == (sign, sign == "[M-]", value)
    assert result.words.say("ru") and result.words.say("kk") != result.words.say("ru")


def test_each_value_has_its_own_words() -> None:
    assert len({check_result(value).words.en for value in (0, 1, 3, 7, 15, 16)}) == 6
    assert check_result(5).words == check_result(1).words and check_result(19).words == check_result(16).words


@given(st.integers())
def test_any_value_of_tag_2106_is_read(value: int) -> None:
    result = check_result(value)
    assert result.sign in ("[M]", "[M+]", "[M-]") and result.words.ru
    # Only a whole check with a good end may say that all is well.
    assert (result.sign == "[M+]") == (value & 31 == 15)
    assert request_result(value) == result


def test_the_storages_own_check() -> None:
    assert (local_check(3).checked, local_check(3).positive, local_check(3).reason) == (True, True, None)
    assert not local_check(1).positive and not local_check(0, 2).checked
    words = [local_check(0, reason).reason for reason in (1, 2, 3, 4, 99)]
    assert all(words) and len({str(one) for one in words}) == 4 and words[3] == words[4]


def test_numbers_of_the_request_and_the_answer() -> None:
    assert len({str(request_code(value)) for value in range(3)}) == 3
    assert len({str(oism_answer(value)) for value in range(1, 4)}) == 3
    assert "77 (tag 2105)" in str(request_code(77)) and "77 (tag 2109)" in str(oism_answer(77))
    assert assigned_status(1) is PlannedStatus.PIECE_SOLD and assigned_status(255) is PlannedStatus.UNCHANGED
    assert assigned_status(9) is None


# -- the check before sale -------------------------------------------------------------------------------------------


def answer(**flags: Any) -> dict[str, Any]:
    return {"code": 0, "description": "ok", "reqId": "11111111-2222-3333-4444-555555555555",
            "reqTimestamp": 1700000000123,
            "codes": [{"cis": "another", "found": False}, {"cis": CODE, "found": True, "valid": True, **flags}]}


def test_the_trace_of_a_check_as_an_industry_property() -> None:
    assert permissive("11111111-2222-3333-4444-555555555555", 1700000000123) == IndustryProperty(
        "030", date(2023, 11, 21), "1944", "UUID=11111111-2222-3333-4444-555555555555&Time=1700000000123")


def test_a_good_code() -> None:
    verdict = permissive_verdict(answer(sold=False, expired=False, isBlocked=False), CODE)
    assert (verdict.answered, verdict.may_go_on, verdict.found, verdict.valid, verdict.sold, verdict.expired,
            verdict.blocked) == (True, True, True, True, False, False, False)
    assert verdict.property == permissive("11111111-2222-3333-4444-555555555555", 1700000000123)


@pytest.mark.parametrize(("flags", "words"), [
    ({"found": False}, "does not know"), ({"valid": False}, "structure"), ({"sold": True}, "sold already"),
    ({"expired": True}, "past their date"), ({"blocked": True}, "forbidden"), ({"isBlocked": True}, "forbidden"),
    ({"sold": "true"}, "sold already"), ({"sold": 1}, "sold already"),
    ({"expireDate": "2026-11-19T00:00:00Z"}, "past their date"), ({"expireDate": "2026-11-19"}, "past their date"),
])
def test_a_code_that_may_not_be_sold(flags: dict[str, Any], words: str) -> None:
    verdict = permissive_verdict(answer(**flags), CODE, now=NOW)
    assert (verdict.answered, verdict.may_go_on) == (True, False) and words in str(verdict.words)
    assert verdict.property is not None and verdict.words.kk


@pytest.mark.parametrize("flags", [
    {}, {"sold": None}, {"sold": "?"}, {"expireDate": "tomorrow"}, {"expireDate": "2026-11-21T00:00:00Z"},
    {"expireDate": "2026-11-20"}, {"expireDate": 5},
])
def test_what_is_not_said_is_no_obstacle(flags: dict[str, Any]) -> None:
    verdict = permissive_verdict(answer(**flags), CODE, now=NOW)
    assert (verdict.answered, verdict.may_go_on) == (True, True)


def test_a_return_is_not_held_up_by_the_sale_it_returns() -> None:
    assert permissive_verdict(answer(sold=True, expired=True), CODE, Kind.SALE_RETURN).may_go_on
    assert not permissive_verdict(answer(blocked=True), CODE, Kind.SALE_RETURN).may_go_on


@pytest.mark.parametrize("down", [None, "", [], 503, "<html>", {}, {"code": 5000}, {"codes": []},
                                  {"code": 0, "reqId": ""}])
def test_a_service_that_is_down_stops_no_sale(down: Any) -> None:
    verdict = permissive_verdict(down, CODE)
    assert (verdict.answered, verdict.may_go_on, verdict.property) == (False, True, None)
    assert "may go on" in str(verdict.words)


def test_an_answer_without_this_code() -> None:
    said = answer()
    said["codes"] = [{"cis": "a", "sold": True}, {"cis": "b", "sold": True}]
    verdict = permissive_verdict(said, CODE)
    assert (verdict.answered, verdict.may_go_on) == (True, True) and verdict.property is not None
    said["codes"] = [{"cis": "a", "sold": True}]
    assert not permissive_verdict(said, CODE).may_go_on  # the only row is about the only code asked


anything = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=30), lambda some: (
    st.lists(some, max_size=3) | st.dictionaries(st.sampled_from([
        "code", "codes", "reqId", "reqTimestamp", "cis", "found", "sold", "expireDate", "isBlocked"]), some)),
    max_leaves=9)


@given(anything)
def test_any_answer_is_read(said: Any) -> None:
    verdict = permissive_verdict(said, CODE, now=NOW)
    assert verdict.words.ru and (verdict.answered or verdict.may_go_on)
