"""Settings, «test connection», and the steps for a person."""

from __future__ import annotations

from typing import Any

import pytest
from hub_plugins.bitrix24.settings import Bitrix24Settings, webhook_base
from marshmallow import ValidationError

from hub.contracts import describe, load, masked
from hub.testing.simulator import Fault, Running
from tests.plugins.bitrix24.support import desk

GOOD = {"webhook": "https://acme.bitrix24.ru/rest/1/abcdef1234567890/", "paid_stages": ["WON"]}


@pytest.mark.parametrize("address", [
    "https://acme.bitrix24.ru/rest/1/abcdef1234567890/", "https://acme.bitrix24.ru/rest/1/abcdef1234567890",
    " https://acme.bitrix24.ru/rest/1/abcdef1234567890/profile.json ",
    "https://acme.bitrix24.ru/rest/1/abcdef1234567890/crm.deal.get/"])
def test_addresses_as_people_copy_them(address: str) -> None:
    assert load(Bitrix24Settings, {**GOOD, "webhook": address})["webhook"] == GOOD["webhook"]


@pytest.mark.parametrize("address", [
    "", "acme.bitrix24.ru", "https://acme.bitrix24.ru/", "http://acme.bitrix24.ru/rest/1/abcdef1234567890/",
    "https://acme.bitrix24.ru/rest/crm.deal.get", "https://u:p@acme.bitrix24.ru/rest/1/abcdef1234567890/",
    "https:///rest/1/abcdef1234567890/", "ftp://acme.bitrix24.ru/rest/1/abcdef1234567890/",
    "https://acme.bitrix24.ru/rest/x/abcdef1234567890/"])
def test_other_addresses(address: str) -> None:
    with pytest.raises(ValidationError) as caught:
        load(Bitrix24Settings, {**GOOD, "webhook": address})
    assert "webhook" in caught.value.normalized_messages()


def test_plain_http_only_to_this_machine() -> None:
    assert webhook_base("http://127.0.0.1:8024/rest/1/simulated0secret/").startswith("http://127.0.0.1:8024/")
    with pytest.raises(ValueError, match="webhook"):
        webhook_base("http://10.0.0.5/rest/1/simulated0secret/")


@pytest.mark.parametrize(("wrong", "field"), [
    ({"paid_stages": []}, "paid_stages"), ({"paid_stages": ["'; --"]}, "paid_stages"),
    ({"since": "20.11.2026"}, "since"), ({"form": "barter"}, "form"), ({"result_field": "title"}, "result_field"),
    ({"stage_forms": {"WON": "barter"}}, "stage_forms"), ({"max_age_days": -1}, "max_age_days"),
    ({"vat_when_none": "vat99"}, "vat_when_none")])
def test_wrong_settings_name_their_field(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        load(Bitrix24Settings, {**GOOD, **wrong})
    assert list(caught.value.normalized_messages()) == [field]


def test_lists_and_maps_as_text() -> None:
    read = load(Bitrix24Settings, {**GOOD, "paid_stages": "WON, C3:WON\nC5:FINAL_INVOICE",
                                   "payment_forms": "Наличные = cash\n2=skip", "stage_forms": "C3:WON=cash"})
    assert read["paid_stages"] == ["WON", "C3:WON", "C5:FINAL_INVOICE"]
    assert read["payment_forms"] == {"Наличные": "cash", "2": "skip"} and read["stage_forms"] == {"C3:WON": "cash"}


def test_everything_is_labelled_in_both_languages_and_secrets_are_masked() -> None:
    for spec in describe(Bitrix24Settings):
        assert spec.label.ru and spec.label.en and (spec.help is None or spec.help.ru)
    shown = masked(Bitrix24Settings, load(Bitrix24Settings, {**GOOD, "application_token": "t0ken"}))
    assert "abcdef" not in str(shown) and "t0ken" not in str(shown)


# -- test connection -----------------------------------------------------------------------------------------------


def test_a_good_portal_with_its_facts(sim: Running) -> None:
    sim.do("field", name="UF_CRM_KKT_LINK", type="url")
    here = desk(sim, result_field="UF_CRM_KKT_LINK", paid_stages=["WON", "C3:WON"], paid_by_payment=True)
    check = here.source.check()
    facts = {name.ru: value for name, value in check.facts}
    assert check.ok, check.message.ru
    assert facts["Действует от имени"] == "Анна Смирнова"
    assert facts["Права вебхука"] == "catalog, crm, im, pay_system, sale"
    assert facts["Стадии оплаты"] == "Сделка успешна (WON), Успешна (C3:WON)"
    assert here.requests() == 1


@pytest.mark.parametrize(("switches", "settings", "field", "words"), [
    ({"scopes": ["sale"]}, {}, "webhook", "«crm»"),
    ({"scopes": ["crm"]}, {"paid_by_payment": True}, "webhook", "«sale»"),
    ({"scopes": ["crm"]}, {"notify": True}, "webhook", "«im»"),
    ({"scopes": []}, {"paid_by_payment": True, "notify": True}, "webhook", "«crm», «sale», «im»"),
    ({"denied": ["crm.item.list"]}, {}, "webhook", "crm.item.list"),
    ({}, {"paid_stages": ["WON", "C7:PAID"]}, "paid_stages", "C7:PAID"),
    ({}, {"paid_stages": ["PAID"]}, "paid_stages", "WON (Сделка успешна)"),
    ({}, {"result_field": "UF_CRM_TYPO"}, "result_field", "UF_CRM_TYPO")])
def test_what_is_wrong_goes_to_its_field(sim: Running, switches: dict[str, Any], settings: dict[str, Any], field: str,
                                         words: str) -> None:
    sim.do("configure", **switches)
    check = desk(sim, **settings).source.check()
    assert not check.ok and check.field == field and words in check.message.say("ru")


@pytest.mark.parametrize("fault", [Fault("reset"), Fault("garbage"), Fault("status", status=401),
                                   Fault("status", status=404), Fault("status", status=502)])
def test_no_portal_there(sim: Running, fault: Fault) -> None:
    sim.faults(fault)
    check = desk(sim).source.check()
    assert not check.ok and check.field == "webhook" and check.message.ru


def test_stages_that_are_not_told_are_taken_on_trust(sim: Running) -> None:
    sim.do("configure", missing=["crm.status.list"])
    assert desk(sim, paid_stages=["C9:WON"]).source.check().ok


def test_steps_carry_our_address_once(sim: Running) -> None:
    here = desk(sim)
    steps = here.source.setup()
    assert [one.copy for one in steps if one.copy] == [here.context.address]
    assert "sale" not in " ".join(one.text.ru for one in steps) and here.requests() == 0
    more = " ".join(one.text.say("ru") for one in desk(sim, paid_by_payment=True).source.setup())
    assert "ONPAYMENTENTITYSAVED" in more and "(sale)" in more
