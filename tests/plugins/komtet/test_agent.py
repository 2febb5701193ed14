"""The register-side API: an agent fetches its tasks from the hub, over real HTTP, on good days and bad ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.komtet import agent as module
from hub_plugins.komtet.agent import KomtetAgent
from hub_plugins.komtet.signature import sign
from hub_plugins.komtet.simulated_agent import Agent
from sqlalchemy import select

from hub import office
from hub.contracts import TURNED_AWAY
from hub.dispatch.claims import REGISTER
from hub.fiscal import FiscalRecord, Text, codec
from hub.fiscal.codes import Subject
from hub.intake.doors import LARGEST_BODY
from hub.store import Database
from hub.store.receipts import RECORD
from hub.store.shelves import StoredShelf
from tests.core.support import INN, order, wait_until
from tests.plugins.komtet import kinds
from tests.plugins.komtet.hubs import Hub, hurried

POS, SECRET = "pos-key-1", "pos-s3cr3t"


@pytest.fixture
def hub(tmp_path: Path, sqlite_template: Path, monkeypatch: Any) -> Iterator[Hub]:
    hurried(monkeypatch)
    one = with_agent(Hub.started(tmp_path / "a", sqlite_template))
    yield one
    one.db.close()


def with_agent(hub: Hub, version: str = "1") -> Hub:
    """The hub with a register behind an agent."""
    hub.catalogue.drivers["komtet_agent"] = KomtetAgent
    with hub.db.write() as session:
        office.add_register(session, hub.vault, "test", hub.organisation_id, "komtet_agent", "Касса",
                            KomtetAgent.settings, {"pos_key": POS, "pos_secret": SECRET, "version": version})
    return hub


def trouble(hub: Hub) -> str:
    return str(hub.read(select(REGISTER.c.trouble_code))[0][0])


def traces(hub: Hub) -> list[dict[str, Any]]:
    """What the core kept of calls that it turned away."""
    row = hub.read(select(REGISTER))[0]
    shelf = StoredShelf(hub.db, hub.vault, row.organisation_id, ("register_id", row.id), TURNED_AWAY)
    return [dict(one.value) for one in shelf.page()[0]]


def turns(hub: Hub, agent: Agent, *states: str) -> None:
    """The agent's loop, until every receipt is in one of the states."""
    def turn() -> bool:
        agent.turn()
        return set(hub.states().values()) <= set(states)

    wait_until(turn, 40.0, hub.states)


def test_the_vector_of_the_reference() -> None:
    body = b'{"printer":null,"check":null,"version":"x"}'
    assert sign("s3cr3t-key" + "00106700000001", "POST", "https://hub.example.ru/api/pos/v1/tasks?limit=1", body) \
        == "7bed53891b953ffecbfb747b18d7254d"


def test_an_agent_prints_the_hubs_receipts(hub: Hub) -> None:
    hub.accept(*[order(str(number), 1000 + number) for number in range(3)])
    with hub.served() as host, hub.at_work():
        wait_until(lambda: trouble(hub) == "never", 20.0)
        agent = Agent(host, POS, SECRET)
        assert agent.activate()[0] == 200
        turns(hub, agent, "recorded")
    records = hub.read(select(RECORD.c.document_number, RECORD.c.storage_number, RECORD.c.total))
    assert sorted((one["n"], agent.storage, one["total"]) for one in agent.journal) == sorted(map(tuple, records))
    assert hub.read(select(REGISTER.c.serial))[0][0] == agent.serial


@pytest.mark.parametrize("version", [1, 2])
def test_an_agent_gets_every_kind_of_receipt_in_the_form_of_its_register(
        tmp_path: Path, sqlite_template: Path, monkeypatch: Any, version: int) -> None:
    """Returns, purchases, corrections, marked goods; what the reference adds for agents (§11); records of each kind."""
    hurried(monkeypatch)
    hub = with_agent(Hub.started(tmp_path / "a", sqlite_template, ffd="1.2" if version == 2 else "1.05"), str(version))
    wanted = kinds.orders(version)
    hub.accept(*wanted.values())
    tasks: dict[str, Any] = {}
    with hub.served() as host, hub.at_work():
        agent = Agent(host, POS, SECRET)
        agent.activate()

        def turn() -> bool:
            agent.turn()
            if agent.task is not None:
                tasks[agent.task["intent"]] = agent.task
            return set(hub.states().values()) == {"recorded"}

        wait_until(turn, 40.0, hub.states)
    assert set(tasks) == set(wanted) and len(agent.journal) == len(wanted)
    for intent, task in tasks.items():
        kinds.agrees(task, intent, version, at_agent=True)
        assert task["version"] == f"v{version}"
        if version == 2:
            assert set(task["company"]) == {"inn", "name", "sno", "payment_address", "place_address"}
            assert set(task["cashier"]) == {"name", "inn"} and task["company"]["inn"] == INN
        else:
            assert task["inn"] == INN and isinstance(task["cashier"], str) and isinstance(task["cashier_inn"], str)
            assert {"org_name", "org_address"} <= set(task)
    records = [codec.opened(FiscalRecord, one.document) for one in hub.read(select(RECORD))]
    assert sorted(one.kind.name for one in records) == sorted(one.kind.name for one in wanted.values())
    assert {one.total.amount for one in records} == {420_50}
    hub.db.close()


def test_what_the_form_has_no_word_for_is_refused_in_words(hub: Hub) -> None:
    with hub.served() as host, hub.at_work():
        agent = Agent(host, POS, SECRET)
        agent.activate()
        agent.turn()
        whole = order("1", 5000)
        hub.accept(replace(whole, lines=(replace(whole.lines[0], subject=Subject.CASINO_PAYMENT),)))
        turns(hub, agent, "refused")
    assert "нет обозначения" in str(hub.receipt("1")["reason"]) and agent.journal == []


def test_a_lost_answer_prints_nothing_twice(hub: Hub) -> None:
    """Task given and not heard: the same task again. Report taken and not acknowledged: the same report again."""
    hub.accept(order("1", 5000), order("2", 6000))
    with hub.served() as host, hub.at_work():
        agent = Agent(host, POS, SECRET)
        agent.activate()
        agent.turn()
        for _ in range(6):
            agent.loses = 1
            agent.turn()
            agent.turn()
        turns(hub, agent, "recorded")
    assert sorted(one["total"] for one in agent.journal) == [5000, 6000]


def test_a_refusal_and_an_unreachable_register_in_words(hub: Hub) -> None:
    with hub.served() as host, hub.at_work():
        agent = Agent(host, POS, SECRET)
        agent.activate()
        agent.turn()
        agent.refuses = "Нет бумаги"
        hub.accept(order("1", 5000))
        turns(hub, agent, "refused")
        assert "Нет бумаги" in str(hub.receipt("1")["reason"]) and agent.journal == []
        agent.unreachable = "Порт занят"
        agent.turn()
        wait_until(lambda: trouble(hub) == "unreachable", 20.0)
        hub.accept(order("2", 6000))
        agent.turn()
        assert hub.state("2") == "queued" and agent.task is None
        agent.unreachable = ""
        turns(hub, agent, "refused", "recorded")
    assert hub.state("2") == "recorded"


def test_strangers_get_no_tasks(hub: Hub) -> None:
    with hub.served() as host:
        assert Agent(host, POS, "guess").activate()[0] == 403
        assert Agent(host, "another", SECRET).activate()[0] == 403
        agent = Agent(host, POS, SECRET)
        assert agent.activate()[0] == 200 and agent.turn() == 200
        thief = Agent(host, POS, SECRET, serial="99900000000001")
        assert thief.turn() == 403, "the secret goes with the register's number"
        assert thief.activate()[0] == 422, "the key belongs to one register"
        assert agent.call("/pos/deactivate", None, SECRET)[0] == 200 and thief.activate()[0] == 200
        assert thief.call("/nothing", {}, SECRET + thief.serial)[0] == 422
        assert agent.call("/tasks?limit=0", {"printer": None}, SECRET)[0] == 403


def test_a_wrong_key_is_told_to_the_caller_and_to_the_owner(hub: Hub, monkeypatch: Any) -> None:
    with hub.served() as host, hub.at_work():
        wait_until(lambda: trouble(hub) == "never", 20.0)
        stranger = Agent(host, POS, "guess")
        for call in range(5):
            status, said = stranger.activate()
            assert status == 403 and said["code"] == "AUT00" and {"title", "description"} <= set(said), call
        wait_until(lambda: trouble(hub) == "wrong_key", 20.0)
        told = hub.read(select(REGISTER.c.trouble))[0][0]
        assert "неверным ключом" in Text.from_json(told).say("ru") and "wrong key at" in Text.from_json(told).say("en")
        (trace,) = traces(hub)
        assert trace["why"] == "unauthorised" and trace["at"], "one trace, however often it knocks"
        agent = Agent(host, POS, SECRET)
        assert agent.activate()[0] == agent.turn() == 200
        wait_until(lambda: trouble(hub) == "", 20.0)
        monkeypatch.setattr(module, "SILENCE", -1.0)
        wait_until(lambda: trouble(hub) == "silent", 20.0)  # the key is right since then
        assert len(traces(hub)) == 1


def test_a_call_that_is_too_large_is_answered_in_the_vendors_form_and_leaves_a_trace(hub: Hub) -> None:
    with hub.served() as host:
        agent = Agent(host, POS, SECRET)
        assert agent.activate()[0] == 200
        status, said = agent.call("/tasks", {"printer": {"x": "0" * LARGEST_BODY}}, SECRET + agent.serial)
        assert status == 413 and said["code"] == "VLD00" and said["description"]
        assert [one["why"] for one in traces(hub)] == ["too_large"]
        assert agent.turn() == 200, "the next one is taken"


def test_what_no_database_holds_is_read_past_in_words_and_refused_in_numbers(
        db: Database, tmp_path: Path, monkeypatch: Any) -> None:
    """Half a character and a zero byte, on either database. A report is taken whatever else is wrong in its call."""
    hurried(monkeypatch)
    hub = with_agent(Hub.on(db, tmp_path / "a"))
    with hub.served() as host, hub.at_work():
        agent = Agent(host, POS, SECRET)
        status, said = agent.call("/pos/activate", {"hwid": "1\ud800"}, SECRET)
        assert status == 422 and said["code"] == "VLD00" and "заводской номер" in said["description"]
        assert traces(hub)[0]["why"] == "malformed"
        assert agent.activate()[0] == agent.turn() == 200
        hub.accept(order("1", 5000), order("2", 6000))
        agent.refuses = "Нет \ud800бумаги\0"
        turns(hub, agent, "refused", "recorded")
        assert "Нет \ufffdбумаги\ufffd" in str(hub.receipt("1")["reason"])
        for storage in ("\ud800", "1\x002", ["1"], {"a": 1}, "9" * 33):
            agent.storage = storage  # type: ignore[assignment]
            assert agent.turn() == (200 if isinstance(storage, (list, dict)) else 422), storage
        agent.storage = "9999078900012345"
        hub.accept(order("3", 7000))
        wait_until(lambda: agent.turn() == 200 and agent.task is not None, 20.0)
        agent.report, agent.storage = agent._print(agent.task or {}), "\0"
        assert agent.turn() == 422, "the number is refused"
        wait_until(lambda: hub.state("3") == "recorded", 20.0)  # and the report beside it was taken
        agent.storage, agent.unreachable = "9999078900012345", "Порт \udcffзанят\0"
        agent.turn()
        wait_until(lambda: trouble(hub) == "unreachable", 20.0)
        for body in (b"[]", b"{", b"null", b"[" * 100_000):
            assert agent.post("/tasks", body, SECRET + agent.serial)[0] == 422, body[:9]


def test_an_agent_that_falls_silent_is_said_so(hub: Hub, monkeypatch: Any) -> None:
    with hub.served() as host:
        agent = Agent(host, POS, SECRET)
        agent.activate()
        agent.turn()
        monkeypatch.setattr(module, "SILENCE", -1.0)
        with hub.at_work():
            wait_until(lambda: trouble(hub) == "silent", 20.0)
