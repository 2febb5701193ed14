"""What is stored as JSON is what is read, to the kopeck and the digit."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.fiscal import (
    FiscalRecord,
    Form,
    Kind,
    Money,
    Order,
    OrderLine,
    Payment,
    Problem,
    Receipt,
    Text,
    build,
    codec,
    return_of,
    verbatim,
)
from hub.fiscal.codec import VERSION, envelope, from_json, opened, to_json
from hub.fiscal.problems import SENTENCES
from tests.fiscal.strategies import NOW, TERMS, Case, cases, order
from tests.fiscal.test_qr import records

T = TypeVar("T")


def there_and_back(value: T) -> T:
    """Through real JSON text, as a database keeps it."""
    return from_json(type(value), json.loads(json.dumps(to_json(value))))


@settings(max_examples=100, deadline=None)
@given(cases())
def test_orders_and_receipts_come_back_as_they_were(case: Case) -> None:
    receipt = build(case.order, TERMS, "0123456789abcdef", NOW)
    back = return_of(receipt, "fedcba9876543210")
    assert there_and_back(case.order) == case.order
    assert there_and_back(receipt) == receipt
    assert there_and_back(back) == back
    assert json.loads(json.dumps(to_json(there_and_back(receipt)))) == json.loads(json.dumps(to_json(receipt)))


@given(records)
def test_records_come_back_as_they_were(record: FiscalRecord) -> None:
    again = there_and_back(record)
    assert again == record and again.printed_at.utcoffset() == record.printed_at.utcoffset()


@given(st.decimals(allow_nan=False, allow_infinity=False), st.integers())
def test_numbers_keep_every_digit(quantity: Decimal, kopecks: int) -> None:
    again = there_and_back(OrderLine("Чай", Money(kopecks), quantity))
    assert str(again.quantity) == str(quantity) and again.price == Money(kopecks)


def test_moments_keep_their_zone() -> None:
    for moment in (NOW, datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5))),
                   datetime(2026, 1, 1, 0, 0, 0, 5, UTC)):
        assert str(there_and_back(order(settled_at=moment)).settled_at) == str(moment)


words = st.text(min_size=1, max_size=20)
params = st.dictionaries(st.sampled_from(["name", "vat", "total"]), st.one_of(
    words, st.integers(), st.decimals(allow_nan=False), st.integers().map(Money), st.builds(Text, words, words, words)))


@given(st.builds(Text, words, words, words | st.just(""), params))
def test_texts_say_the_same_again(text: Text) -> None:
    for again in (Text.from_json(json.loads(json.dumps(text.to_json()))), there_and_back(text)):
        for language in ("ru", "en", "kk", "de"):
            assert again.say(language) == text.say(language)
        assert Text.from_json(json.loads(json.dumps(again.to_json()))) == again


@given(st.sampled_from(sorted(SENTENCES)), st.text(max_size=10), params)
def test_problems_say_the_same_again(code: str, field: str, values: dict[str, Any]) -> None:
    values = {name: value for name, value in values.items() if not isinstance(value, Text)}
    problem = Problem(code, field, values)
    for again in (Problem.from_json(json.loads(json.dumps(problem.to_json()))), there_and_back(problem)):
        assert (again.code, again.field) == (code, field)
        assert all(again.text.say(one) == problem.text.say(one) for one in ("ru", "en", "kk"))
        assert Problem.from_json(again.to_json()) == again


def test_a_word_inside_a_problem_stays_in_every_language() -> None:
    problem = Problem("template_broken", "lines[0].name", {"reason": Text("no tag", "нет тега", "тег жоқ")})
    again = Problem.from_json(json.loads(json.dumps(problem.to_json())))
    assert [again.text.say(one).rpartition(": ")[2] for one in ("en", "ru", "kk")] == ["no tag", "нет тега", "тег жоқ"]


def test_an_older_row_takes_the_defaults() -> None:
    stored = json.loads(json.dumps(to_json(order(OrderLine("Чай", Money(100))))))
    for name in ("note", "tags", "discount", "cashier"):
        stored.pop(name, None)
    stored["added_by_a_later_hub"] = 1
    assert from_json(Order, stored) == order(OrderLine("Чай", Money(100)))


def test_an_envelope_says_what_it_holds() -> None:
    made = order(OrderLine("Чай", Money(100)))
    stored = json.loads(json.dumps(envelope(made)))
    assert (stored["schema"], stored["version"]) == ("Order", VERSION) and stored["by"]
    assert opened(Order, stored) == made
    with pytest.raises(ValueError, match="is not Receipt"):
        opened(Receipt, stored)
    with pytest.raises(ValueError, match="is not Order"):
        opened(Order, {**stored, "version": VERSION + 1})


def test_the_shape_of_stored_json() -> None:
    """A change here is a change of what is in people's databases: raise ``VERSION`` and read the old shape too."""
    made = order(OrderLine("Чай", Money(150), Decimal("1.50")), settled_at=NOW, kind=Kind.SALE_RETURN,
                 payments=(Payment(Form.CASH, Money(225)),))
    stored = to_json(made)
    assert stored["lines"][0]["price"] == [150, "RUB"] and stored["lines"][0]["quantity"] == "1.50"
    assert stored["payments"] == [{"form": "CASH", "amount": [225, "RUB"]}]
    assert (stored["kind"], stored["settled_at"]) == ("SALE_RETURN", "2026-11-20T08:45:00+00:00")


def test_words_of_others_are_never_a_format() -> None:
    assert verbatim("{0.__class__} {x}").say("ru") == "{0.__class__} {x}"
    assert there_and_back(verbatim("{name}")).say("en") == "{name}"
    assert Text("Broken {", "Сломано {", params={"a": 1}).say("ru") == "Сломано {"
    with pytest.raises(ValueError, match="needs its English"):
        Text("", "по-русски")


_JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                     lambda below: st.lists(below) | st.dictionaries(st.text(), below), max_leaves=10)


@given(_JSON, st.booleans(), st.sampled_from([(", ", ": "), (",", ":")]))
def test_a_writer_writes_what_the_library_writes(value: object, sort_keys: bool, separators: tuple[str, str]) -> None:
    assert codec.writer(sort_keys=sort_keys, separators=separators)(value) == json.dumps(
        value, ensure_ascii=False, sort_keys=sort_keys, separators=separators)


def test_a_writer_takes_nothing_that_is_no_json() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        codec.writer()({"day": date(2026, 11, 1)})
