"""Settings, the connection test that really tries, the steps of setting up, and the plugin's front door."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hub_plugins.alfacrm as plugin
import pytest
from hub_plugins.alfacrm.rules import Rules, origin
from hub_plugins.alfacrm.settings import AlfaCrmSettings
from hub_plugins.alfacrm.simulator import API_KEY
from marshmallow import ValidationError

from hub.contracts import describe, load, masked
from hub.fiscal import Cashier, Kind
from hub.testing.quality import quality_problems
from hub.testing.simulator import Fault
from tests.plugins.alfacrm.conftest import Desk

GOOD = {"host": "school", "email": "api@school.ru", "api_key": "k" * 36}


@pytest.mark.parametrize(("given", "wanted"), [
    ("school", "https://school.s20.online"), (" School.S20.online ", "https://school.s20.online"),
    ("12345", "https://12345.s20.online"), ("https://school.s20.online/company/1/pay/index?x=1",
                                            "https://school.s20.online"),
    ("school.s20.online/company", "https://school.s20.online"), ("x.alfacrm.pro", "https://x.alfacrm.pro"),
    ("http://127.0.0.1:8080/v2api", "http://127.0.0.1:8080"), ("http://simulator:8080", "http://simulator:8080")])
def test_address_in_every_form(given: str, wanted: str) -> None:
    assert origin(given) == wanted
    assert Rules.read(AlfaCrmSettings, load(AlfaCrmSettings, {**GOOD, "host": given}), "Europe/Moscow").origin == wanted


BAD: list[tuple[str, Any]] = [
    ("host", ""), ("host", "школа"), ("host", "http://"), ("host", "ftp://x.y"), ("host", "http://school.s20.online"),
    ("host", "http://crm.example.com"), ("host", "http://8.8.8.8"),
    ("host", "a b"), ("api_key", "short"), ("branches", ["x"]), ("branches", [0]), ("zone", "Moscow"),
    ("extra_headers", "no colon"), ("accounts", {"2": "card"}), ("accounts", {"x": "cash"}), ("corrections", "yes"),
    ("start_date", "вчера"), ("vat", "vat21"), ("subject", "x"), ("cashiers", {"2": ""}),
    ("cashiers", {"2": "Иванова, 500100732250"}), ("state_field", "статус"), ("return_types", [1, 5]),
    ("read_pause_ms", 6000)]


@pytest.mark.parametrize(("field", "value"), BAD, ids=str)
def test_wrong_settings_are_named(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        load(AlfaCrmSettings, {**GOOD, field: value})
    assert field in caught.value.messages


def test_defaults_are_those_of_the_guide() -> None:
    rules = Rules.read(AlfaCrmSettings, load(AlfaCrmSettings, GOOD), "Asia/Omsk")
    assert rules.kinds == {1: Kind.SALE, 9: Kind.SALE, 5: Kind.SALE_RETURN} and rules.polled_types == (1, 5, 6, 9)
    assert rules.own_fields == {"custom_kkt_status", "custom_kkt_url", "custom_kkt_fd"}
    assert rules.zone.key == "Asia/Omsk" and rules.only_confirmed and rules.write_note
    assert Rules.read(AlfaCrmSettings, GOOD, "Asia/Omsk") == rules, "also from settings without their defaults"


def test_maps_and_headers_are_read() -> None:
    rules = Rules.read(AlfaCrmSettings, load(AlfaCrmSettings, {
        **GOOD, "extra_headers": "X-APP-KEY: abc\n\n X-Other:1 ", "cashiers": {"2": "Иванова Мария; 500100732259",
                                                                             "3": "Пётр, Павлов"},
        "state_field": "chek", "url_field": ""}), "Europe/Moscow")
    assert rules.headers == {"X-APP-KEY": "abc", "X-Other": "1"}
    assert rules.cashiers == {2: Cashier("Иванова Мария", "500100732259"), 3: Cashier("Пётр, Павлов")}
    assert (rules.state_field, rules.url_field) == ("custom_chek", "")


def test_secrets_are_masked() -> None:
    shown = masked(AlfaCrmSettings, {**GOOD, "extra_headers": "X-APP-KEY: abc"})
    assert "abc" not in str(shown) and "k" * 36 not in str(shown)
    assert all(spec.label.ru != spec.label.en for spec in describe(AlfaCrmSettings))


def test_a_good_connection_lists_what_the_form_asks_for(desk: Desk) -> None:
    check = desk.source().check()
    assert check.ok
    facts = {label.en: words for label, words in check.facts}
    assert facts["Branches"] == "1 Центр, 2 Север, 3 Закрытый"
    assert facts["Pay accounts"] == "1 Наличные, 2 Расчётный счёт, 3 Терминал, 4 Интернет-банк"
    assert facts["Payment types"].startswith("1 Доход, 5 Возврат")


def test_check_really_logs_in(desk: Desk) -> None:
    assert desk.source().check().ok and desk.source().check().ok
    assert desk.school.state()["logins"] == 2
    wrong = desk.source(api_key="x" * 36).check()
    assert (wrong.ok, wrong.field) == (False, "api_key")
    assert desk.source(email="other@school.ru").check().field == "api_key"


def test_check_names_the_branch_and_the_right(desk: Desk) -> None:
    unknown = desk.source(branches=[1, 9]).check()
    assert (unknown.ok, unknown.field) == (False, "branches") and "9" in unknown.message.say("ru")
    assert "Центр" in unknown.message.say("ru")
    for entity, word in (("pay", "платежи"), ("customer", "клиентов"), ("customer-tariff", "абонементы")):
        desk.school.do("configure", forbidden=[entity])
        closed = desk.source().check()
        assert not closed.ok and closed.field == "email" and word in closed.message.say("ru")
    desk.school.do("configure", forbidden=["pay/update"])
    closed = desk.source().check()
    assert not closed.ok and [one.say("ru") for one in closed.missing] == ["изменение платежей"]
    assert desk.source(state_field="", url_field="", record_field="", write_note=False).check().ok, "nothing is written"
    desk.school.faults(Fault("status", path="/pay/update", status=500))
    assert desk.source(branches=[1]).check().ok, "an odd answer about a payment that is not there is no missing right"
    desk.school.do("configure", forbidden=["pay-account", "pay-type"])
    assert desk.source().check().ok, "what only helps to fill in the form is not needed"


@pytest.mark.parametrize(("fault", "field"), [
    (Fault("reset"), "host"), (Fault("status", status=500), "host"), (Fault("status", status=404), "host"),
    (Fault("status", status=301), "host"), (Fault("garbage"), "host"), (Fault("status", status=403), "api_key")])
def test_check_puts_each_failure_on_its_field(desk: Desk, fault: Fault, field: str) -> None:
    desk.school.faults(fault)
    check = desk.source().check()
    assert (check.ok, check.field) == (False, field)
    assert API_KEY not in str(check)


def test_setup_gives_the_address_and_the_fields(desk: Desk) -> None:
    steps = desk.source(url_field="").setup()
    copies = [one.copy for one in steps if one.copy]
    assert copies == [desk.context.address, "kkt_status", "kkt_fd"]
    words = " ".join(one.text.say("ru") for one in steps)
    assert "Pay" in words and all(one in words for one in ("create", "update", "delete", "Онлайн касса"))
    assert not desk.school.requests(), "there is nothing to register over there"
    assert desk.source().setup() == desk.source().setup()


@pytest.mark.parametrize(("mine", "theirs", "twins"), [
    ({}, {}, True), ({}, {"branches": [2]}, True), ({"branches": [1, 2]}, {"branches": [2, 3]}, True),
    ({"branches": [1]}, {"branches": [2]}, False), ({"companies": [1]}, {"companies": [2]}, False),
    ({"branches": [1], "companies": [1]}, {"branches": [1], "companies": [2]}, False),
    ({}, {"host": "http://127.0.0.1:1"}, False)])
def test_two_connections_are_twins_unless_they_share_the_account_out(desk: Desk, mine: dict[str, Any],
                                                                     theirs: dict[str, Any], twins: bool) -> None:
    one, other = desk.source(**mine), desk.source(**theirs)
    assert one.overlaps(other) is twins is other.overlaps(one)


def test_the_front_door() -> None:
    (source,) = plugin.hub_sources()
    assert source.name == "alfacrm" and source.works_without_inbound and source.poll_every == 300
    assert set(plugin.hub_simulators()) == {"alfacrm"}
    folder = Path(plugin.__file__).parent
    assert not quality_problems((folder / "quality.yaml").read_text(encoding="utf-8"))
    assert "вебхук" in (folder / "README.md").read_text(encoding="utf-8")
