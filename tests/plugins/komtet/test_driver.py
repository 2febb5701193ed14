"""The cloud's driver in the hub: many in flight, answers lost on the way, errors in words, callbacks, hub to hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.komtet import driver as module
from hub_plugins.komtet.checks import order_of
from hub_plugins.komtet.client import Heard as Answered
from hub_plugins.komtet.driver import KomtetDriver, record_of
from hub_plugins.komtet.outgoing import check_of
from hub_plugins.komtet.simulated_checks import Bad, checked
from hub_plugins.komtet.simulator import KomtetCloud
from sqlalchemy import select

from hub.contracts import Job, NoGuard, Refused, RegisterGone, Request, Submitted, Unavailable, Uncertain, load
from hub.dispatch.claims import REGISTER
from hub.fiscal import Ffd, FiscalRecord, Receipt, TaxSystem, Terms, build, codec
from hub.store import Database
from hub.testing.context import RegisterContext
from hub.testing.simulator import Fault
from tests.core.support import device, order, printed, wait_until
from tests.plugins.komtet import kinds
from tests.plugins.komtet.hubs import Hub, hurried, put, task
from tests.plugins.komtet.support import KEY, v1, v2
from tests.plugins.komtet.test_gateway import NOW
from tests.plugins.komtet.test_recorded import CASES, STRICTER


@pytest.fixture
def cloud() -> Iterator[KomtetCloud]:
    one = KomtetCloud(pace=0)
    one.start()
    yield one
    one.stop()


@pytest.fixture
def hub(tmp_path: Path, sqlite_template: Path, monkeypatch: Any) -> Iterator[Hub]:
    hurried(monkeypatch)
    one = Hub.started(tmp_path / "a", sqlite_template)
    yield one
    one.db.close()


def agrees(hub: Hub, cloud: KomtetCloud) -> None:
    """Every receipt is one printed task and every printed task is one receipt, under the ids of first attempts."""
    tasks = {one["external_id"]: one for one in cloud.state()["tasks"]}
    assert all(one.endswith("-1") for one in tasks), "a receipt was sent under a second id"
    records = {str(row.document_number): row.total for row in hub.read(select(hub_record()))}
    done = [one for one in tasks.values() if one["state"] == "done"]
    assert {one["fiscal_data"]["i"]: round(float(one["fiscal_data"]["s"]) * 100) for one in done} == records


def hub_record() -> Any:
    from hub.store.receipts import RECORD

    return RECORD


def all_in(hub: Hub, *states: str) -> None:
    wait_until(lambda: set(hub.states().values()) <= set(states), 40.0, hub.states)


# -- in the hub --------------------------------------------------------------------------------------------------------


def test_many_receipts_are_in_flight_at_once(hub: Hub, cloud: KomtetCloud) -> None:
    cloud.pace = 0.02
    hub.add_cloud(cloud.url)
    hub.accept(*[order(str(number), 10_000 + number) for number in range(12)])
    with hub.at_work():
        all_in(hub, "recorded")
    agrees(hub, cloud)


@pytest.mark.parametrize("version", [1, 2])
def test_every_kind_of_receipt_stands_in_the_cloud_as_it_was_sold(
        cloud: KomtetCloud, tmp_path: Path, sqlite_template: Path, monkeypatch: Any, version: int) -> None:
    """Sales, returns, purchases, corrections and marked goods, in both forms: lines, rates, codes, reasons; and back as
    records of the right kind."""
    hurried(monkeypatch)
    hub = Hub.started(tmp_path / "a", sqlite_template, ffd="1.2" if version == 2 else "1.05")
    hub.add_cloud(cloud.url, version=str(version))
    wanted = kinds.orders(version)
    hub.accept(*wanted.values())
    with hub.at_work():
        all_in(hub, "recorded")
    tasks = {one["check"]["intent"]: one for one in cloud.state()["tasks"]}
    assert set(tasks) == set(wanted) and len(cloud.tasks) == len(wanted)
    records = {str(row.document_number): row for row in hub.read(select(hub_record()))}
    for intent, one in tasks.items():
        kinds.agrees(one["check"], intent, version)
        record = records.pop(one["fiscal_data"]["i"])
        assert (codec.opened(FiscalRecord, record.document).kind, record.total) == (wanted[intent].kind, 420_50), intent
    assert not records
    hub.db.close()


@pytest.mark.parametrize("fault", [
    Fault("lost_answer", "/task$", 2), Fault("reset", "/task$", 2), Fault("status", "/task$", 2, status=500),
    Fault("half", "/task$"), Fault("garbage", "/task$"), Fault("empty", "/task$")], ids=lambda one: one.kind)
def test_an_unanswered_put_is_looked_up_by_its_id(hub: Hub, cloud: KomtetCloud, fault: Fault) -> None:
    """Taken or not, known or not: the same id again, until the cloud says which task it is."""
    hub.add_cloud(cloud.url)
    hub.accept(order("1", 5000), order("2", 6000))
    cloud.faults = [fault]
    with hub.at_work():
        all_in(hub, "recorded")
    agrees(hub, cloud)


def test_a_vendors_failure_is_repeated_under_its_id(hub: Hub, cloud: KomtetCloud) -> None:
    hub.add_cloud(cloud.url)
    cloud.do_refuse("SYS00", 2)
    hub.accept(order("1", 5000))
    with hub.at_work():
        all_in(hub, "recorded")
    agrees(hub, cloud)


def test_refusals_and_failures_are_told_in_words(hub: Hub, cloud: KomtetCloud) -> None:
    hub.add_cloud(cloud.url)
    cloud.do_refuse("VLD13")
    hub.accept(order("1", 5000))
    with hub.at_work():
        all_in(hub, "refused")
        assert "стоимость позиции" in hub.receipt("1")["reason"]["ru"]
        cloud.do_fail(words="Кончилась бумага")
        hub.accept(order("2", 6000))
        all_in(hub, "refused")
    assert "Кончилась бумага" in str(hub.receipt("2")["reason"])
    assert cloud.state()["printed"] == 0


def test_words_that_no_database_holds_are_read_past(
        cloud: KomtetCloud, db: Database, tmp_path: Path, monkeypatch: Any) -> None:
    """Half a character and a zero byte in the words of a callback and of a refusal, on either database."""
    hurried(monkeypatch)
    monkeypatch.setattr(module, "WITH_CALLBACKS", (3.0,))
    hub = Hub.on(db, tmp_path / "a")
    with hub.served():
        hub.add_cloud(cloud.url, callbacks=True)
        cloud.do_callbacks(late=0.1)
        cloud.do_fail(words="Нет \ud800бумаги\0")
        hub.accept(order("1", 5000))
        with hub.at_work():
            all_in(hub, "refused")
            cloud.do_refuse("VLD00\0\udfff")
            hub.accept(order("2", 6000))
            all_in(hub, "refused")
    assert "Нет \ufffdбумаги\ufffd" in str(hub.receipt("1")["reason"])
    wait_until(lambda: [one["status"] for one in cloud.callbacks] == [200], 20.0)


def test_a_wrong_key_stops_the_register_and_loses_nothing(hub: Hub, cloud: KomtetCloud) -> None:
    register = hub.add_cloud(cloud.url)
    hub.accept(order("1", 5000))
    cloud.do_secret("another")
    with hub.at_work():
        trouble = wait_until(lambda: hub.read(select(REGISTER.c.trouble, REGISTER.c.trouble_code))[0].trouble, 20.0)
        assert "секретный ключ" in trouble["ru"] and hub.state() == "queued"
        cloud.do_secret(KEY)
        all_in(hub, "recorded")
    assert hub.read(select(REGISTER.c.trouble_code).where(REGISTER.c.id == register))[0][0] == ""
    agrees(hub, cloud)


def test_a_passive_queue_leaves_receipts_here(hub: Hub, cloud: KomtetCloud) -> None:
    hub.add_cloud(cloud.url)
    cloud.do_register(online=False)
    hub.accept(order("1", 5000))
    with hub.at_work():
        wait_until(lambda: hub.read(select(REGISTER.c.trouble_code))[0][0] == "passive", 20.0)
        assert hub.state() == "queued" and cloud.state()["tasks"] == []
        cloud.do_register(online=True)
        all_in(hub, "recorded")


def test_callbacks_spare_the_questions(hub: Hub, cloud: KomtetCloud, monkeypatch: Any) -> None:
    """Doubled and late ones do no harm; one that is lost is made up for by a question."""
    monkeypatch.setattr(module, "WITH_CALLBACKS", (3.0,))
    cloud.pace = 0.01
    cloud.do_callbacks(lost=1, doubled=2, late=0.1)
    with hub.served() as host:
        hub.add_cloud(cloud.url, callbacks=True)
        assert host
        hub.accept(*[order(str(number), 1000 + number) for number in range(5)])
        with hub.at_work():
            all_in(hub, "recorded")
    agrees(hub, cloud)
    assert {one["status"] for one in cloud.callbacks} == {200}
    assert sum(cloud.polls.values()) == 1, "only the receipt whose callback was lost was asked for"


def test_hub_to_hub(hub: Hub, tmp_path: Path, sqlite_template: Path) -> None:
    """A shop's module calls our gateway, our driver calls another hub's gateway, and its register prints: three books
    with the same receipts. A repeat at the first door is the same receipt at the last."""
    other = Hub.started(tmp_path / "b", sqlite_template)
    one = device()
    other.add_register(one)
    with other.served() as far, hub.served() as near:
        hub.add_cloud(far, version="1", use_passive=True)
        position = {**v2()["positions"][0], "vat": "no"}
        ids = []
        for number in range(3):
            answer = put(near, v2(external_id=f"n-{number}", positions=[position]))
            assert answer.status_code == 200, answer.text
            ids.append(answer.json()["id"])
        again = put(near, v2(external_id="n-1", positions=[position]))
        assert (again.status_code, again.json()["task"]["id"]) == (422, ids[1])
        with hub.at_work(), other.at_work():
            wait_until(lambda: all(task(near, id)["state"] == "done" for id in ids), 60.0, lambda: str(hub.states()))
        told = [task(near, id)["fiscal_data"] for id in ids]
    papers = printed(one)
    assert sorted((int(data["i"]), data["fn"], data["fp"]) for data in told) == sorted(
        (paper["n"], paper["fn"], paper["fp"]) for paper in papers)
    assert len(papers) == 3
    other.judge(one)
    other.db.close()


# -- by itself ---------------------------------------------------------------------------------------------------------


def made(host: str, **settings: Any) -> KomtetDriver:
    given = {"host": host, "shop_id": "shop-1", "key": KEY, "queue": 7, **settings}
    return KomtetDriver(load(KomtetDriver.settings, given), RegisterContext("/tmp", address="http://hub.test/r"))


def receipt(check: Any = None, version: int = 2, ffd: Ffd = Ffd.V1_2) -> Receipt:
    given = order_of(check or v2(), version, today=NOW.date(), zone="Europe/Moscow")
    return build(given, Terms(tax_system=TaxSystem.OSN, ffd=ffd), "k" * 16, NOW)


def test_v1_has_a_word_of_its_own_for_marked_goods_and_none_for_what_came_later(cloud: KomtetCloud) -> None:
    """Its list of subjects ends at the resort fee (§6): the cloud refuses what stands in it of the other one."""
    position = {**v2()["positions"][0], "vat": "no"}
    for number, (subject, word) in enumerate({"tm": "product", "tnm": "product", "atm": "product_practical",
                                              "atnm": "product_practical", "sales_tax": "sales_tax"}.items()):
        code = {"mark_code": {"gs1m": kinds.CODE}} if subject in ("tm", "atm") else {}
        given = receipt(v2(positions=[{**position, **code, "payment_object": subject}]))
        outcome = made(cloud.url, version="1").fiscalise(Job(given, f"k-{number}"), NoGuard())
        assert isinstance(outcome, Submitted), subject
        assert cloud.state()["tasks"][number]["check"]["positions"][0]["calculation_subject"] == word
    later = made(cloud.url, version="1").fiscalise(
        Job(receipt(v2(positions=[{**position, "payment_object": "casino_payment"}])), "k-9"), NoGuard())
    assert isinstance(later, Refused) and "нет обозначения" in later.reason.say("ru")


@pytest.mark.parametrize(("version", "name", "value"), [
    ("v1", "calculation_subject", "tm"), ("v1", "calculation_subject", "casino_payment"),
    ("v2", "payment_object", "goods"), ("v2", "mark_code", {"gs1m": "1", "short": "1"}),
    ("v1", "nomenclature_code", {}), ("v1", "nomenclature_code", "01")])
def test_the_cloud_refuses_what_its_form_does_not_know(version: str, name: str, value: Any) -> None:
    check = v1() if version == "v1" else v2()
    checked(check, version)
    check["positions"][0][name] = value
    with pytest.raises(Bad, match=name):
        checked(check, version)


@pytest.mark.parametrize("reason", [None, {}, {"type": "forced", "base_date": "02.11.2026"},
                                    {"type": "self", "base_date": "2026-11-02"}])
def test_the_cloud_refuses_a_correction_without_a_reason_in_its_form(reason: Any) -> None:
    check = v2(intent="sellCorrection", correction_info={"type": "self", "base_date": "02.11.2026"})
    checked(check, "v2")
    with pytest.raises(Bad, match="correction_info"):
        checked({**check, "correction_info": reason}, "v2")


@pytest.mark.parametrize(("code", "again", "end"), [
    ("VLD00", False, Refused), ("VLD00", True, Refused), ("VLD12", False, Refused), ("AUT00", False, Unavailable),
    ("AUT00", True, Uncertain), ("SRV00", False, Unavailable), ("SRV00", True, Uncertain), ("SYS00", False, Uncertain),
    ("VLD11", False, Uncertain)])
def test_what_an_error_proves(cloud: KomtetCloud, code: str, again: bool, end: Any) -> None:
    """A wrong key proves nothing about what was sent before it was changed; ``VLD11`` without its task nothing at
    all."""
    cloud.do_refuse(code)
    outcome = made(cloud.url).fiscalise(Job(receipt(), "k-1", again), NoGuard())
    assert isinstance(outcome, end) and outcome.vendor_code == code and outcome.reason.say("ru")


def test_too_many_requests_are_nobodys_refusal(cloud: KomtetCloud) -> None:
    cloud.do_limit(1)
    one = made(cloud.url)
    assert one.open().serial == "komtet-7-shop-1"
    assert isinstance(one.fiscalise(Job(receipt(), "k-1"), NoGuard()), Unavailable)
    assert isinstance(one.fiscalise(Job(receipt(), "k-1", True), NoGuard()), Uncertain)


def test_nobody_listens_means_nothing_was_sent(cloud: KomtetCloud) -> None:
    cloud.stop()
    one = made("http://127.0.0.1:9")
    assert isinstance(one.fiscalise(Job(receipt(), "k-1"), NoGuard()), Unavailable)
    with pytest.raises(RegisterGone):
        one.open()


def test_questions_become_rarer(cloud: KomtetCloud) -> None:
    cloud.pace = 3600
    one = made(cloud.url)
    outcome = one.fiscalise(Job(receipt(), "k-1"), NoGuard())
    pauses = []
    for _ in range(9):
        assert isinstance(outcome, Submitted)
        pauses.append(outcome.ask_after)
        outcome = one.submitted(outcome.remote_id)
    assert pauses == [2, 3, 5, 8, 15, 30, 60, 60, 60]


def test_a_forged_or_unreadable_callback_is_not_believed() -> None:
    from hub_plugins.komtet.signature import sign

    settings = load(KomtetDriver.settings, {"shop_id": "shop-1", "key": KEY, "queue": 7})
    context = RegisterContext("/tmp", address="http://hub.test/r")

    def call(body: bytes, key: str = KEY) -> Any:
        url = "http://hub.test/r/result"
        return KomtetDriver.heard(settings, context, Request("POST", "/result", "", {
            "x-hmac-signature": sign(key, "POST", url, body)}, body, target="/r/result"))

    from hub.contracts import Unauthorised

    with pytest.raises(Unauthorised):
        call(b'{"id": 5, "state": "error"}', "guess")
    assert call(b"[]").answer.status == call(b"{").answer.status == call(b'{"id": "5"}').answer.status == 422
    for id in ("true", "-1", "9" * 40, "1e3", str(2**63)):
        assert call(f'{{"id": {id}, "state": "error"}}'.encode()).answer.status == 422, id
    assert call(b'{"id": 5, "state": "done", "fiscal_data": null}').about == ("5",)
    assert context.shelf("results").page()[1] == 0, "it is asked for instead"
    assert call(b'{"id": 5, "state": "error", "error_description": "x"}').about == ("5",)
    assert call(b'{"id": 5, "state": "done", "fiscal_data": {}}').about == ("5",)
    (kept,), count = context.shelf("results").page(label="5")
    assert count == 1 and kept.value["error_description"] == "x"


@pytest.mark.parametrize("data", [None, {}, {"i": "x"}, {"i": "1", "fn": "9", "t": "20261120T1200", "n": 9, "fp": "1",
                                                         "s": "1.00"}, []])
def test_fiscal_data_that_cannot_be_read_is_no_record(data: Any) -> None:
    assert record_of({"fiscal_data": data}, "Europe/Moscow") is None


@pytest.mark.parametrize(("name", "value"), [
    ("i", 10**30), ("i", -1), ("i", float("inf")), ("fp", 10**21), ("fn", "9" * 21), ("fn", "9\0"), ("s", "1e30"),
    ("s", 10**20), ("t", "00010101T0000"), ("sh", 2**63), ("shn", -1)], ids=str)
def test_fiscal_data_that_no_database_holds_is_no_record(name: str, value: Any) -> None:
    """Kept it could never be, told it would be on every poll: the register would stand still."""
    data = {"i": "1", "fn": "9999078900012345", "t": "20261120T1200", "n": 1, "fp": "1", "s": "1.00"}
    good = record_of({"fiscal_data": data, "receipt_url": "https://ofd.example/\ud800\0"}, "Europe/Moscow")
    assert good is not None and good.url == "https://ofd.example/\ufffd\ufffd"
    assert record_of({"fiscal_data": {**data, name: value}}, "Europe/Moscow") is None


@pytest.mark.parametrize("id", [True, 0, -5, 2**63, 10**400])
def test_a_task_without_a_usable_number_was_not_taken_for_one(id: Any, monkeypatch: Any) -> None:
    driver = made("http://cloud.test")
    monkeypatch.setattr(driver._api, "post", lambda path, check: Answered(200, {"id": id, "state": "new"}))
    assert isinstance(driver.fiscalise(Job(receipt(), "k"), NoGuard()), Uncertain)


ACCEPTED = [(file, case) for file, case in CASES if case["method"] == "POST" and case["path"].endswith("/task")
            and case["expect"]["code"] is None and (file, case["name"]) not in STRICTER]


@pytest.mark.parametrize("version", [1, 2])
def test_what_came_in_goes_out_as_the_same_receipt(version: int) -> None:
    """Every recorded check, through an order and a receipt, as a check of either form: read again it is the same
    receipt. (Sums, goods, rates, agents, properties; the buyer; not the spelling.)"""
    assert len(ACCEPTED) > 40
    for _, case in ACCEPTED:
        came = json.loads(case["body"])
        first = receipt(came, 1 if "/v1/" in case["url"] else 2)
        if version == 1 and any(line.subject.value > 18 or line.industry or line.planned_status or line.measure
                                for line in first.lines):
            continue  # v1 has no word for these
        out = json.loads(json.dumps(check_of(first, "k-1", version, paper=True)))
        second = receipt(out, version)
        for name in ("kind", "payments", "contact", "tax_system", "correction", "additional", "user_property",
                     "cashless",
                     "settlement_place", "total"):
            assert getattr(second, name) == getattr(first, name), (case["name"], name)
        assert second.customer.inn == first.customer.inn
        for before, after in zip(first.lines, second.lines, strict=True):
            for name in ("name", "price", "quantity", "amount", "vat", "method", "subject", "excise", "country",
                         "declaration", "supplier"):
                assert getattr(after, name) == getattr(before, name), (case["name"], name)
            assert bool(after.marking) == bool(before.marking)
            assert after.agent == (before.agent or first.agent)


def test_the_same_receipt_gives_the_same_bytes() -> None:
    one = receipt()
    assert json.dumps(check_of(one, "k-1", 2, False)) == json.dumps(check_of(receipt(), "k-1", 2, False))

