"""The table of rules against the law's list, the receipts of tests/receipts, and what people may type."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from hub import cli
from hub.fiscal import (
    Agent,
    AgentSign,
    Country,
    Ffd,
    Form,
    Kind,
    Money,
    Payment,
    Supplier,
    TaxSystem,
    codec,
    fit,
    rules,
)
from hub.fiscal.build import Terms, build
from hub.fiscal.checking import Unreadable, judge
from hub.fiscal.codes import LONGEST
from hub.fiscal.order import Cashier, Customer, Order, OrderLine
from hub.fiscal.problems import SENTENCES, Invalid
from hub.fiscal.rule import View
from hub.fiscal.tags import TAGS
from tests.fiscal.obligations import OBLIGATIONS
from tests.receipts import make

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "tests" / "receipts").glob("*.json"))
NOW = datetime(2026, 11, 20, 8, 45, tzinfo=UTC)
#: Every id that a receipt, a cash move or a misfit may be told by.
IDS = {*rules.BY_ID, *rules.CASH_MOVE, *fit.IDS}
#: What an order and its terms can show before there is a receipt; other ids beyond those need a story or a source.
OF_ORDERS = {"discount_too_big", "discount_negative", "markup_negative", "given_twice", "percent_wrong",
             "nothing_to_pay", "marked_price"}


def read(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((ROOT / "tests" / "receipts" / f"{name}.json").read_text("utf-8"))
    return data


# -- the table -------------------------------------------------------------------------------------------------------

def test_every_obligation_has_a_rule_or_a_reason_and_every_rule_an_obligation() -> None:
    ids = [one.id for one in OBLIGATIONS]
    assert len(set(ids)) == len(ids) and len(ids) > 90
    for one in OBLIGATIONS:
        assert bool(one.rules) != bool(one.reason), one.id
        assert len(one.says) > 10
    assert {rule for one in OBLIGATIONS for rule in one.rules} == IDS


def test_every_reason_that_names_a_place_names_one_that_is_there() -> None:
    named = {path for one in OBLIGATIONS for path in re.findall(r"\b(?:hub|docs)/[\w/]+\.(?:py|md)", one.reason)}
    assert len(named) > 8
    assert [one for one in named if not (ROOT / one).exists()] == []


@pytest.mark.parametrize("id", sorted(IDS))
def test_a_rule_speaks_three_languages(id: str) -> None:
    text = SENTENCES[id]
    assert text.en and text.ru and text.kk and text.en.endswith((".", "}")) and text.ru.endswith((".", "}"))


def test_a_rule_knows_what_it_is_about() -> None:
    for rule in rules.RULES:
        assert rule.field and rule.law and rule.ffd and rule.countries and rule.kinds, rule.id
        assert all(tag in TAGS for tag in rule.tags), rule.id


def test_lengths_are_those_of_the_tags() -> None:
    assert {tag: most for tag, most in LONGEST.items() if TAGS[tag].most != most} == {}


# -- the receipts ----------------------------------------------------------------------------------------------------

def test_the_files_are_what_the_script_writes() -> None:
    written = {one.name: one.read_text("utf-8") for one in FILES}
    assert written == dict(make.texts()), "run: python -m tests.receipts.make"


def test_there_is_every_kind_both_countries_each_format_and_each_rule_broken_alone() -> None:
    assert len(FILES) >= 200
    alone: Counter[str] = Counter()
    sorts = set()
    for file in FILES:
        data = json.loads(file.read_text("utf-8"))
        if len(data["expect"]) == 1:
            alone[data["expect"][0]] += 1
        if "receipt" in data and not data["expect"]:
            made = data["receipt"]
            sorts.add((made.get("country", "RU"), made.get("ffd", "V1_05"), made["kind"], "correction" in made))
    assert set(alone) == IDS | OF_ORDERS
    for ffd in Ffd:
        for kind in Kind:
            assert ("RU", ffd.name, kind.name, False) in sorts
            assert ("RU", ffd.name, kind.name, True) in sorts or (ffd is Ffd.V1_05 and kind.is_return)
    assert all(("KZ", "V1_05", kind.name, False) in sorts for kind in Kind)


def test_hub_check_says_exactly_what_each_file_expects(capsys: pytest.CaptureFixture[str]) -> None:
    status = cli.main(["check", "--json", *map(str, FILES)])
    said = json.loads(capsys.readouterr().out)
    wrong = [(Path(one["file"]).name, one["error"], sorted({found["id"] for found in one["problems"]}), one["expected"])
             for one in said if not one["ok"]]
    assert wrong == [] and status == 0 and len(said) == len(FILES)
    for one in said:
        assert sorted({found["id"] for found in one["problems"]}) == one["expected"]
        assert all(found["text"] and "{" not in found["text"] for found in one["problems"]), one["file"]


def test_the_command_itself_ends_with_one_when_a_register_would_refuse(tmp_path: Path) -> None:
    data = read("broken-sums-differ")
    del data["expect"]
    file = tmp_path / "r.json"
    file.write_text(json.dumps(data), "utf-8")
    done = subprocess.run([sys.executable, "-m", "hub", "check", str(file), "--language", "en"], capture_output=True,
                          text=True, timeout=60, cwd=ROOT, env={"PYTHONIOENCODING": "utf-8", "PATH": ""})
    assert done.returncode == 1, done.stderr
    assert "payments (sums_differ): The lines come to" in done.stdout and "Correct the order" in done.stdout


def checked(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | bytes, *options: str) -> tuple[int, str]:
    file = tmp_path / "one.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    status = cli.main(["check", str(file), *options])
    return status, capsys.readouterr().out


def test_warnings_are_told_but_refuse_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = read("broken-price-zero")
    del data["expect"]
    status, out = checked(tmp_path, capsys, json.dumps(data), "--language", "kk")
    assert status == 0 and "(price_zero): «Доставка» бағасы 0" in out and "! lines[1].price" in out


def test_another_expectation_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = {**read("broken-sums-differ"), "expect": ["no_lines"]}
    status, out = checked(tmp_path, capsys, json.dumps(data))
    assert status == 1 and "expected: no_lines; found: sums_differ" in out


@pytest.mark.parametrize(("content", "said"), [
    ("{", "line 1 column 2"),
    (b"\xff\xfe", "utf-8"),
    ("[]", "a JSON object is expected"),
    ("{}", "one of receipt, order, cash_move"),
    ('{"receipt": {}, "order": {}}', "one of receipt, order, cash_move"),
    ('{"receipt": {"kind": "SALE", "key": "k", "lines": [], "payments": [], "payment": 1}}',
     "receipt.payment: there is no such field; the nearest is payments"),
    ('{"receipt": {"kind": "SALE", "lines": [], "payments": []}}', "receipt.key: is missing"),
    ('{"receipt": {"kind": "SELL", "key": "k", "lines": [], "payments": []}}', "receipt.kind: 'SELL' cannot be read"),
    ('{"receipt": {"kind": true, "key": "k", "lines": [], "payments": []}}', "receipt.kind: True cannot be read"),
    ('{"receipt": {"kind": 1, "key": 5, "lines": [], "payments": []}}', "receipt.key: 5 is not text"),
    ('{"receipt": {"kind": 1, "key": "k", "lines": {}, "payments": []}}', "receipt.lines: a list is expected"),
    ('{"receipt": {"kind": 1, "key": "k", "lines": [7], "payments": []}}', "receipt.lines[0]: an object is expected"),
    ('{"receipt": {"kind": 1, "key": "k", "lines": [], "payments": [{"form": "CASH", "amount": "1e99"}]}}',
     "receipt.payments[0].amount: '1e99' cannot be read as a sum"),
    ('{"receipt": {"kind": 1, "key": "k", "lines": [], "payments": [{"form": "CASH", "amount": [1.5, "RUB"]}]}}',
     "receipt.payments[0].amount: [1.5, 'RUB'] cannot be read"),
    ('{"receipt": {"kind": 1, "key": "k", "lines": [], "payments": [], "settled_at": "today"}}', "settled_at"),
    ('{"receipt": {"kind": 1, "key": "k", "lines": [], "payments": []}, "expect": "x"}', "a list of rule ids"),
    ('{"cash_move": {}}', "cash_move.amount: is missing"),
    ("[" * 100_000, "recursion"),
])
def test_a_file_that_is_no_receipt_is_told_where(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                 content: str | bytes, said: str) -> None:
    status, out = checked(tmp_path, capsys, content, "--language", "en")
    assert status == 2 and said in out, out


SALE = '{"receipt": {"kind": "SALE", "key": "k", "lines": [], "payments": []%s}}'
ORDER = '{"order": {"lines": [], "payments": []%s}, "terms": {%s}}'


@pytest.mark.parametrize(("content", "said"), [
    (SALE % ', "settled_at": "9999-12-31T23:59:59+00:00"', "receipt.settled_at:"),
    (SALE % ', "settled_at": "0001-01-01T00:00:00+03:00"', "receipt.settled_at:"),
    (ORDER % (', "settled_at": "9999-12-31T23:59:59+00:00"', ""), "order.settled_at:"),
    (ORDER % ("", '"zone": "Mars/Base"'), "terms.zone: 'Mars/Base' is no time zone"),
    (ORDER % ("", '"zone": "."'), "terms.zone: '.' is no time zone"),
    (ORDER % ("", '"zone": "\\u0000"'), "terms.zone: "),
    (ORDER % ("", '"zone": "\\ud83d"'), "terms.zone: "),
    ('{"cash_move": {"amount": [%s, "RUB"]}}' % ("9" * 4200), "cash_move.amount: "),
])
def test_what_no_calendar_or_map_has_is_unreadable_and_no_traceback(
        tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, said: str) -> None:
    status, out = checked(tmp_path, capsys, content, "--language", "en")
    assert status == 2 and said in out and "Traceback" not in out, out


@pytest.mark.parametrize(("content", "status", "said"), [
    (SALE % ', "contact": "\\ud83d"', 1, "contact_wrong"),
    (SALE % ', "contact": "a\\ud83d@b.ru"', 1, "contact_wrong"),
    (ORDER % (', "customer": {"email": "a\\ud83d@b.ru"}', '"tax_system": "OSN"'), 1, "contact_wrong"),
    (SALE % ', "\\ud83d": 1', 2, "\\ud83d"),
    ('{"\\ud83d": 1}', 2, "one of receipt, order, cash_move"),
    (SALE % ', "expect": ["\\ud83d"]', 2, "receipt.expect"),
    ('{"receipt": {"kind": 1, "key": "k", "lines": [], "payments": []}, "expect": ["\\ud83d"]}', 1, "\\ud83d"),
    ('{"receipt": {"kind": 1, "key": "k", "lines": [], "payments": [{"form": "CASH", "amount": [-1, "USD"]}]}}', 1,
     "foreign_currency"),
])
@pytest.mark.parametrize("shape", [[], ["--json"]])
def test_half_characters_and_strange_money_are_told_and_no_traceback(
        tmp_path: Path, content: str, status: int, said: str, shape: list[str]) -> None:
    """In a process of its own: only a real output refuses what it cannot encode."""
    file = tmp_path / "one.json"
    file.write_text(content)
    for encoding in ("utf-8", "ascii"):
        done = subprocess.run([sys.executable, "-m", "hub", "check", *shape, "--language", "en", str(file)],
                              capture_output=True, text=True, timeout=60,
                              env={**os.environ, "PYTHONIOENCODING": encoding}, check=False)
        assert (done.returncode, done.stderr) == (status, "") and said in done.stdout, done
        if shape:
            assert json.loads(done.stdout)[0]["file"] == str(file)


@pytest.mark.parametrize(("content", "en", "ru", "kk"), [
    ("{", "from here on this is no JSON", "отсюда это не JSON", "JSON емес"),
    (b"\xff", "the text is not utf-8", "текст не в utf-8", "мәтін utf-8 емес"),
    ("[" * 100_000, "nested too deeply", "слишком глубокая", "тым терең"),
    ("9" * 5_000, "a number in it is too long", "слишком длинное число", "тым ұзын сан"),
    ("[]", "a JSON object is expected", "ожидается объект JSON", "JSON нысаны керек"),
    (SALE % ', "paymets": 1', "there is no such field", "такого поля нет", "мұндай өріс жоқ"),
    (SALE % ', "internet": 5', "5 is not true or false", "это не true или false", "true немесе false емес"),
    (SALE % ', "ffd": "9"', "one of V1_05", "одно из: V1_05", "мыналардың бірі: V1_05"),
    (None, "there is no such file", "такого файла нет", "мұндай файл жоқ")])
def test_what_cannot_be_read_is_told_in_three_languages(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                        content: str | bytes | None, en: str, ru: str, kk: str) -> None:
    for language, said in (("en", en), ("ru", ru), ("kk", kk)):
        if content is None:
            status, out = cli.main(["check", str(tmp_path / "none.json"), "--language", language]), ""
            out = capsys.readouterr().out
        else:
            status, out = checked(tmp_path, capsys, content, "--language", language)
        assert status == 2 and said in out, out


def test_a_receipt_of_another_kind_of_json_is_read_too() -> None:
    """As the codec stores it, bare, and with its envelope."""
    bare = codec.to_json(make.receipt())
    assert judge(bare, NOW).ids == () and judge({"schema": "Receipt", "version": 1, "data": bare}, NOW).ids == ()
    with pytest.raises(Unreadable):
        judge({"schema": "FiscalRecord", "version": 1, "data": bare}, NOW)


# -- cash moves, days, speed -----------------------------------------------------------------------------------------

def test_blanks_around_an_inn_are_taken_off_when_a_receipt_is_built() -> None:
    supplier = Supplier(f" {make.OTHER_INN} ")
    agent = Agent(AgentSign.COMMISSION_AGENT, transfer_inn=f"{make.OTHER_INN} ")
    order = Order("k", "1", (OrderLine("Чай", Money(100), agent=agent, supplier=supplier),),
                  (Payment(Form.CASH, Money(100)),), customer=Customer("ООО", inn=f" {make.OTHER_INN}"),
                  agent=agent, supplier=supplier)
    made = build(order, Terms(tax_system=TaxSystem.OSN, internet=False, seller_inn="    7707083893",
                              cashier=Cashier("Иванова", f"{make.PERSON} ")), "key", NOW)
    line = made.lines[0]
    assert (made.seller_inn, made.customer.inn, made.cashier.inn) == ("7707083893", make.OTHER_INN, make.PERSON)
    for who, whose in ((made.agent, made.supplier), (line.agent, line.supplier)):
        assert who is not None and whose is not None
        assert (who.transfer_inn, whose.inn) == (make.OTHER_INN, make.OTHER_INN)


def test_an_order_names_every_line_of_which_nothing_is_printed() -> None:
    order = Order("k", "1", tuple(OrderLine(name, Money(100)) for name in ("", "\u0301", "Чай", "\ufe0f")),
                  (Payment(Form.CASH, Money(400)),))
    for terms in (Terms(tax_system=TaxSystem.OSN, internet=False), Terms(Country.KZ, internet=False)):
        sums = replace(order, currency=terms.country.currency, lines=tuple(
            replace(one, price=Money(100, terms.country.currency)) for one in order.lines), payments=(
                Payment(Form.CASH, Money(400, terms.country.currency)),))
        with pytest.raises(Invalid) as found:
            build(sums, terms, "key", NOW)
        assert [(one.code, one.field) for one in found.value.problems] == [
            ("name_missing", f"lines[{index}].name") for index in (0, 1, 3)]


def test_without_a_day_of_settlement_it_is_today() -> None:
    made = replace(make.receipt(make.line(vat="vat20")), settled_at=None)
    assert rules.check(made) == []
    # Evening in UTC is already the year of 22 % in Moscow.
    new_year = datetime(2025, 12, 31, 22, tzinfo=UTC)
    for today, codes in ((date(2025, 12, 31), []), (date(2026, 1, 1), ["vat_outdated"]), (new_year, ["vat_outdated"])):
        assert [one.code for one in rules.check(made, today=today)] == codes
    data = {"receipt": {key: value for key, value in codec.to_json(made).items() if key != "settled_at"}}
    assert judge(data, NOW).ids == ("vat_outdated",) and judge(data, datetime(2025, 6, 1, tzinfo=UTC)).ids == ()


def test_cash_moves() -> None:
    assert rules.check_cash_move(Money(500), None) == [] and rules.check_cash_move(Money(-500), Money(500)) == []
    assert [one.code for one in rules.check_cash_move(Money(-501), Money(500))] == ["cash_move_over"]
    # A register that does not say what it holds refuses by itself.
    assert rules.check_cash_move(Money(-501), None) == []
    assert [one.code for one in rules.check_cash_move(Money(1), None, Country.KZ)] == ["foreign_currency"]


def test_the_caller_may_know_the_day_better() -> None:
    made = make.receipt()
    day = datetime(2025, 12, 31).date()
    assert [one.code for one in rules.check(made, day)] == ["vat_outdated"] and rules.check(made) == []


def test_a_rule_looks_at_no_receipt_it_does_not_hold_for() -> None:
    assert not rules.BY_ID["correction_unknown"].holds_for(Country.RU, Ffd.V1_05, Kind.SALE, True)
    assert rules.BY_ID["correction_unknown"].holds_for(Country.KZ, Ffd.V1_05, Kind.SALE, True)
    assert not rules.BY_ID["correction_kind"].holds_for(Country.RU, Ffd.V1_05, Kind.SALE, False)
    assert not rules.BY_ID["unit_ignored"].holds_for(Country.RU, Ffd.V1_05, Kind.SALE, False)
    # Formats are Russia's: they switch nothing off elsewhere.
    assert rules.BY_ID["no_lines"].holds_for(Country.KZ, Ffd.V1_2, Kind.SALE, False)


def test_checking_is_linear_in_lines() -> None:
    """Counted in calls, not in seconds: machines are busy, and a square would be a hundred times."""
    def calls(count: int) -> int:
        made = make.receipt(*(make.line(f"Товар {one}", 100 + one) for one in range(count)))
        made_calls = 0

        def called(frame: object, event: str, argument: object) -> None:
            nonlocal made_calls
            made_calls += event in ("call", "c_call")

        assert rules.check(made) == []
        sys.setprofile(called)
        try:
            rules.check(made)
        finally:
            sys.setprofile(None)
        return made_calls

    small, large = calls(200), calls(2000)
    assert large <= 10 * small and large / 2000 < 100, (small, large)


def test_every_check_stands_an_empty_receipt() -> None:
    view = View(make.receipt(make.line()), None, None)
    for rule in rules.RULES:
        list(rule.check(view))
