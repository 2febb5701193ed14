"""The tolerant readers: every format of alfacrm.md §2.5, and nonsense."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hub_plugins.alfacrm import values

from hub.fiscal import Invalid, Money


@pytest.mark.parametrize(("given", "wanted"), [
    (145, 145), ("145", 145), (" 145 ", 145), (145.0, 145), (-1, -1), (True, None), (None, None), ("", None),
    ("x", None), (1.5, None), (float("inf"), None), (10**30, None), ("1" * 30, None), ([], None), ("١٢", None)])
def test_ids(given: Any, wanted: int | None) -> None:
    assert values.whole(given) == wanted


@pytest.mark.parametrize(("yes", "no"), [(1, 0), ("1", "0"), (True, False), ("true", "false"), ("True", "False")])
def test_flags(yes: Any, no: Any) -> None:
    assert values.flag(yes) is True and values.flag(no) is False


@pytest.mark.parametrize("given", ["", None, "maybe", 2, [], {}])
def test_what_is_no_flag(given: Any) -> None:
    assert values.flag(given) is None


@pytest.mark.parametrize("given", ["05.10.2026", "2026-10-05", "2026.10.05", "5.10.2026", "2026-10-05 14:38:36",
                                   "2026-10-05T14:38:36", " 05.10.2026 "])
def test_days(given: str) -> None:
    assert values.day(given) == date(2026, 10, 5)


@pytest.mark.parametrize("given", ["", None, "00.00.0000", "0000-00-00", "31.02.2026", "01.01.1970", "1999-12-31",
                                   "завтра", 20261005, [], "05.10.26"])
def test_what_is_no_day(given: Any) -> None:
    assert values.day(given) is None


@pytest.mark.parametrize(("given", "kopecks"), [("575.00", 57500), ("1 480,50", 148050), (10, 1000), ("10", 1000),
                                                (0.1, 10), ("", 0), (None, 0), ("-5", -500)])
def test_sums(given: Any, kopecks: int) -> None:
    assert values.money(given, "income", "RUB") == Money(kopecks)


@pytest.mark.parametrize("given", ["много", True, {}, [], "1e3"])
def test_what_is_no_sum(given: Any) -> None:
    with pytest.raises(Invalid) as caught:
        values.money(given, "income", "RUB")
    assert caught.value.problems[0].field == "income"


def test_lists_objects_and_texts() -> None:
    assert values.texts(["a@b.ru", "", None, " c "]) == ["a@b.ru", "c"] and values.texts("a@b.ru") == ["a@b.ru"]
    assert values.texts(None) == [] and values.ids(["3", 4, "x"]) == [3, 4] and values.ids(3) == [3]
    assert values.mapping([]) == {} and values.mapping('{"a": 1}') == {"a": 1} and values.mapping("[") == {}
    assert values.text([1, "b", None]) == "1, b" and values.text({"a": 1}) == "" and values.text(True) == "1"
    assert values.dotted(date(2026, 10, 5)) == "05.10.2026" and values.dotted(None) == ""
