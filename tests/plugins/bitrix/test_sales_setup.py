"""Setting up the way of orders: each right is tried, a second way is seen, events are bound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hub_plugins.bitrix.simulator import SCOPES, BitrixSite
from hub_plugins.bitrix.source import BitrixSource

from hub.testing.simulator import Fault
from tests.plugins.bitrix.helpers import source

SECRET = "abcdefgh12345678"


@pytest.fixture
def site() -> Iterator[BitrixSite]:
    made = BitrixSite(secret=SECRET)
    made.start()
    yield made
    made.stop()


def made(site: BitrixSite, **more: Any) -> BitrixSource:
    return source(way="orders", rest_url=f"{site.url}/rest/1/{SECRET}/", **more)


def test_without_a_webhook_the_steps_say_how_to_make_one() -> None:
    check = source(way="orders").check()
    assert not check.ok and check.field == "rest_url"
    assert "bitrix:rest.hook" in source(way="orders").setup()[0].text.say("ru")


def test_check_says_what_each_pay_system_is(site: BitrixSite) -> None:
    check = made(site, pay_systems="4 = бонусы\n5 = skip").check()
    [(_, systems)] = check.facts
    assert check.ok and "№ 2 Наличные курьеру → наличные" in systems and "№ 4 Бонусы → бонусы, скидка" in systems
    assert "№ 5 По счёту → пробивает другой" in systems and "Внимание" not in check.message.say("ru")


@pytest.mark.parametrize("scope", ["sale", "pay_system", "cashbox"])
def test_each_missing_right_is_named(scope: str) -> None:
    poor = BitrixSite(secret=SECRET, scopes=",".join(one for one in SCOPES.split(",") if one != scope))
    poor.start()
    check = made(poor).check()
    poor.stop()
    assert not check.ok and f"«{scope}»" in check.message.say("ru") and check.field == "rest_url"


def test_a_second_way_on_the_site_is_seen(site: BitrixSite) -> None:
    site.do_configure("http://127.0.0.1:1/print", "http://127.0.0.1:1/check")
    words = made(site).check().message.say("ru")
    assert "by hand" in words and "Банковская карта" in words and "два чека" in words
    assert "Банковская карта" not in made(site, pay_systems="3 = skip").check().message.say("ru")
    site.registers[next(iter(site.registers))]["ACTIVE"] = "N"
    assert "Внимание" not in made(site).check().message.say("ru")


def test_a_second_register_is_seen_by_the_registers_way(site: BitrixSite) -> None:
    site.do_configure("http://127.0.0.1:1/print", "http://127.0.0.1:1/check")
    check = source(rest_url=f"{site.url}/rest/1/{SECRET}/").check()
    assert check.ok and "by hand" in check.message.say("ru") and "дважды" in check.message.say("ru")


def test_set_up_binds_the_events_and_repeats_the_same(site: BitrixSite) -> None:
    first = made(site).setup()
    assert first == made(site).setup() and len(site.handled) == 4
    assert first[0].copy == "http://hub.test/in/bitrix/src_test/token/event"


def test_where_a_webhook_may_not_bind_a_person_is_told_how(site: BitrixSite) -> None:
    site.binds = False
    step = made(site).setup()[0]
    assert "исходящий вебхук" in step.text.say("ru") and "ONPAYMENTENTITYSAVED" in step.text.say("ru")
    assert step.copy.endswith("/event") and "двух минут" in step.text.say("ru")


@pytest.mark.parametrize(("fault", "words"), [
    (Fault("status", status=403, body='{"error": "ACCESS_DENIED"}'), "администратора"),
    (Fault("garbage"), "не так"), (Fault("half"), "оборвал"), (Fault("status", status=404), "нет REST"),
    (Fault("status", "payment", status=400, body='{"error": "200040300010"}'), "администратора")])
def test_each_failure_has_its_sentence(site: BitrixSite, fault: Fault, words: str) -> None:
    site.faults = [fault]
    check = made(site).check()
    assert not check.ok and check.field == "rest_url" and words in check.message.say("ru")
    assert SECRET not in check.message.say("ru")
