"""Settings, "test connection" and "set up"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hub_plugins.bitrix.settings import BitrixSettings, addresses, table_of, vat_table
from hub_plugins.bitrix.simulator import BitrixSite
from hub_plugins.bitrix.source import BitrixSource
from marshmallow import ValidationError

from hub.contracts import NeedsAttention, TryLater, describe, load, masked
from hub.testing.simulator import Fault
from tests.plugins.bitrix.helpers import VAT, context, print_request, said, source

SECRET = "abcdefgh12345678"


@pytest.fixture
def site() -> Iterator[BitrixSite]:
    made = BitrixSite(secret=SECRET)
    made.start()
    yield made
    made.stop()


def made(site: BitrixSite, **more: Any) -> BitrixSource:
    return source(rest_url=f"{site.url}/rest/1/{SECRET}/", **{"register_email": "kassa@shop.example", **more})


# -- settings ----------------------------------------------------------------------------------------------------


def test_vat_lines_in_every_spelling() -> None:
    assert vat_table("2 = vat22\n 3=10%\n\n4: 5 %  # old goods\n1 = Без НДС\n06 = 0") == {
        "2": "vat22", "3": "vat10", "4": "vat5", "1": "none", "6": "vat0"}
    assert table_of({}) == {"0": "none"} and table_of({"vat": "0 = vat0"}) == {"0": "vat0"}


@pytest.mark.parametrize("lines", ["2 = vat21", "2", "= vat22", "x = vat22", "2 = vat122", "2 = 20/120",
                                   "2 = vat22\n2 = vat10", "2 =", "2 = {}"])
def test_wrong_vat_lines_name_the_line(lines: str) -> None:
    with pytest.raises(ValidationError) as caught:
        load(BitrixSettings, {"vat": lines})
    [text] = caught.value.messages["vat"]  # type: ignore[index]
    assert text.say("ru").startswith("Строка ") and "{" not in text.say("ru").replace("{}", "")


@pytest.mark.parametrize("url", ["shop.example", "https://shop.example/", "https://shop.example/rest/1/",
                                 "https://shop.example/rest/1/a b/", "ftp://shop.example/rest/1/abc/",
                                 "https://shop.example/rest/1/abc/profile.json"])
def test_wrong_webhooks(url: str) -> None:
    with pytest.raises(ValidationError):
        load(BitrixSettings, {"rest_url": url})


def test_the_form_and_its_secrets() -> None:
    specs = {spec.name: spec for spec in describe(BitrixSettings)}
    assert {name for name, spec in specs.items() if spec.secret} == {
        "rest_url", "config_key", "event_token", "poll_url"}
    assert specs["vat"].multiline and not any(spec.required for spec in specs.values())
    shown = masked(BitrixSettings, load(BitrixSettings, {"rest_url": f"https://s.example/rest/1/{SECRET}/"}))
    assert SECRET not in str(shown)
    assert addresses(" A@b.example; c@d.example,e@f.example ") == {"a@b.example", "c@d.example", "e@f.example"}


# -- test connection ---------------------------------------------------------------------------------------------


def test_without_a_webhook_there_is_nothing_to_try() -> None:
    check = source().check()
    assert check.ok and "вебхука" in check.message.say("ru")


def test_check_shows_the_rates(site: BitrixSite) -> None:
    check = made(site, vat=VAT).check()
    assert check.ok and "Настроить" in check.message.say("ru")
    [(_, rates)] = check.facts
    assert "№ 4 НДС 22% → vat22" in rates


def test_check_warns_of_unmatched_rates_by_name(site: BitrixSite) -> None:
    check = made(site, vat="1 = none\n2 = vat20\n3 = vat10").check()
    words = check.message.say("ru")
    assert check.ok and "4 = vat22  # НДС 22%" in words and "5 = vat5" in words and "6 = vat0 | none" in words
    assert "НДС 10%" not in words


def test_check_without_any_match_is_not_good(site: BitrixSite) -> None:
    check = made(site, vat="").check()
    assert not check.ok and check.field == "vat" and "2 = vat20  # НДС 20%" in check.message.say("ru")


def test_check_sees_a_rate_that_is_another(site: BitrixSite) -> None:
    check = made(site, vat=VAT.replace("4 = vat22", "4 = vat20")).check()
    assert not check.ok and check.field == "vat" and "НДС 22%" in check.message.say("ru")


@pytest.mark.parametrize(("fault", "words"), [
    (Fault("status", status=401, body='{"error": "INVALID_CREDENTIALS"}'), "не принимает вебхук"),
    (Fault("status", status=403, body='{"error": "insufficient_scope"}'), "cashbox"),
    (Fault("status", "vat", status=403, body='{"error": "insufficient_scope"}'), "catalog"),
    (Fault("status", status=403, body='{"error": "ACCESS_DENIED"}'), "администратора"),
    (Fault("status", status=404), "нет REST"), (Fault("reset"), "127.0.0.1"), (Fault("garbage"), "не так"),
    (Fault("status", "vat", status=400, body='{"error": "0", "error_description": "Fatal"}'), "Fatal"),
    (Fault("status", status=301, body=""), "перенаправляет")])
def test_each_failure_has_its_field_and_sentence(site: BitrixSite, fault: Fault, words: str) -> None:
    site.faults = [fault]
    check = made(site, vat=VAT).check()
    assert not check.ok and check.field == "rest_url"
    assert words in check.message.say("ru") and SECRET not in check.message.say("ru") + check.message.say("en")


def test_a_wrong_secret_is_found(site: BitrixSite) -> None:
    check = source(rest_url=f"{site.url}/rest/1/wrong/").check()
    assert not check.ok and check.field == "rest_url" and "Создайте вебхук заново" in check.message.say("ru")


def test_missing_rights_are_named() -> None:
    poor = BitrixSite(secret=SECRET, scopes="cashbox")
    poor.start()
    try:
        check = made(poor, vat=VAT).check()
    finally:
        poor.stop()
    assert not check.ok and "«catalog»" in check.message.say("ru")


# -- set up ------------------------------------------------------------------------------------------------------


def test_set_up_adds_handler_and_register(site: BitrixSite) -> None:
    steps = made(site, config_key="k1", ofd="bx_ofdruofd").setup()
    [handler], [register] = site.state()["handlers"], site.state()["cashboxes"]
    assert handler["CODE"] == "kassahub_src_test"
    assert handler["SETTINGS"] == {
        "PRINT_URL": "http://hub.test/in/bitrix/src_test/token/print",
        "CHECK_URL": "http://hub.test/in/bitrix/src_test/token/check", "HTTP_VERSION": "1.1", "SUPPORTS_FFD105": "Y",
        "CONFIG": {"AUTH": {"LABEL": "Хаб чеков", "ITEMS": {"KEY": {
            "TYPE": "STRING", "LABEL": "Ключ", "REQUIRED": "Y"}}}}}
    assert register["ACTIVE"] == "Y" and register["NUMBER_KKM"] == "src_test" and register["OFD"] == "bx_ofdruofd"
    assert register["SETTINGS"] == {"AUTH": {"KEY": "k1"}}
    assert [one.copy for one in steps][:2] == [handler["SETTINGS"]["PRINT_URL"], handler["SETTINGS"]["CHECK_URL"]]
    [add] = [one for one in site.requests if one["path"].endswith("handler.add")]
    assert add["body"].count('"SUPPORTS_FFD105": "Y"') == 2, "read in SETTINGS, documented at the top level: in both"


def test_set_up_twice_changes_nothing(site: BitrixSite) -> None:
    first = made(site).setup()
    before = site.state()
    site.requests.clear()
    assert made(site).setup() == first and site.state() == before
    assert not any(one["path"].endswith(("handler.add", "handler.update", "cashbox.add")) for one in site.requests)


def test_set_up_corrects_addresses_and_settings(site: BitrixSite) -> None:
    made(site).setup()
    moved = context(address="https://hub.example/in/bitrix/src_test/new")
    other = source(moved, rest_url=f"{site.url}/rest/1/{SECRET}/", register_email="new@shop.example", config_key="k2")
    assert "другому адресу" in source(moved, rest_url=f"{site.url}/rest/1/{SECRET}/").check().message.say("ru")
    other.setup()
    [handler], [register] = site.state()["handlers"], site.state()["cashboxes"]
    assert handler["SETTINGS"]["PRINT_URL"] == "https://hub.example/in/bitrix/src_test/new/print"
    assert handler["SETTINGS"]["CONFIG"]["AUTH"]["ITEMS"]["KEY"]["REQUIRED"] == "Y"
    assert (register["EMAIL"], register["SETTINGS"]) == ("new@shop.example", {"AUTH": {"KEY": "k2"}})


def test_a_register_that_the_owner_switched_off_stays_off(site: BitrixSite) -> None:
    made(site).setup()
    next(iter(site.registers.values()))["ACTIVE"] = "N"
    steps = made(site).setup()
    assert any("выключена" in one.text.say("ru") for one in steps)
    assert site.state()["cashboxes"][0]["ACTIVE"] == "N"


def test_other_active_registers_are_named(site: BitrixSite) -> None:
    site.do_configure("http://127.0.0.1:1/print", "http://127.0.0.1:1/check")
    steps = made(site).setup()
    assert "by hand" in steps[-1].text.say("ru")


def test_a_lost_answer_of_add_is_found_again(site: BitrixSite) -> None:
    site.faults = [Fault("lost_answer", "handler.add")]
    with pytest.raises(TryLater):
        made(site).setup()
    made(site).setup()
    assert len(site.state()["handlers"]) == len(site.state()["cashboxes"]) == 1


def test_two_workers_at_once_make_one_handler(site: BitrixSite, monkeypatch: pytest.MonkeyPatch) -> None:
    made(site).setup()
    answers = iter([[], list(site.handlers.values())])
    real = site._method
    monkeypatch.setattr(site, "_method", lambda method: (lambda params: next(answers))
                        if method.endswith("handler.list") else real(method))
    made(site).setup()
    assert len(site.handlers) == 1


def test_a_hidden_handler_is_explained(site: BitrixSite, monkeypatch: pytest.MonkeyPatch) -> None:
    made(site).setup()
    real = site._method
    monkeypatch.setattr(site, "_method", lambda method: (lambda params: [])
                        if method.endswith("handler.list") else real(method))
    with pytest.raises(NeedsAttention) as caught:
        made(site).setup()
    assert caught.value.field == "rest_url"


def test_set_up_needs_an_email(site: BitrixSite) -> None:
    with pytest.raises(NeedsAttention) as caught:
        made(site, register_email=" ").setup()
    assert caught.value.field == "register_email"


def test_set_up_by_hand_gives_both_addresses() -> None:
    steps = source().setup()
    assert [one.copy for one in steps if one.copy] == ["http://hub.test/in/bitrix/src_test/token/print",
                                                      "http://hub.test/in/bitrix/src_test/token/check"]
    assert all("{" not in one.text.say(language) for one in steps for language in ("ru", "en"))


def test_what_set_up_made_prints(site: BitrixSite) -> None:
    """The key that it gave the register comes back in the print request."""
    hub = made(site, config_key="invented-secret", vat=VAT)
    hub.setup()
    assert list(said(hub.receive(print_request("sell-one-line")).answer)) == ["UUID"]
