"""Found on a real pseudo-terminal: by `hub devices`, and by the worker that prints on another one meanwhile."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.drivers.shtrih_m.driver import ShtrihDriver
from hub_plugins.drivers.shtrih_m.settings import ShtrihSettings
from sqlalchemy import select

from hub import office
from hub.cli import main
from hub.dispatch import devices, owner
from hub.dispatch.devices import REPORT
from hub.dispatch.owner import Keepers
from hub.registers import discovery
from hub.store import Database, schema
from tests.core.support import REGISTER, Shop, order, wait_until
from tests.plugins.drivers.shtrih_m.simulated import QUICK, receipts, simulated


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, Any]]:
    """``hub devices --json``: its places by address."""
    assert main(["devices", "--json", *arguments]) == 0
    return {one["address"]: one for one in json.loads(capsys.readouterr().out)}


def answering(capsys: pytest.CaptureFixture[str], *places: str) -> dict[str, dict[str, Any]]:
    """The same when all of the places answer: on a busy machine a simulator may be heard only when asked again."""
    for _ in range(4):
        found = listed(capsys)
        if all(found[one]["state"] != "silent" for one in places):
            break
    return found


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of data, and no port of the machine that runs the tests."""
    monkeypatch.setenv("HUB_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(discovery.usb, "listed", list)
    return tmp_path


def test_the_command_finds_it_on_a_port_and_leaves_ours_alone(
        alone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with simulated("--pty") as one, simulated("--pty") as other:
        monkeypatch.setenv("HUB_DEVICES", f"{one.address},{other.address}")
        found = answering(capsys, one.address, other.address)
        assert found[one.address]["state"] == "found" and found[one.address]["driver"] == "shtrih_m"
        assert found[one.address]["register"]["serial"] == one.serial
        assert found[other.address]["register"]["serial"] == other.serial
        assert main(["devices", "--language", "en"]) == 0
        said = capsys.readouterr().out
        assert f"serial number {one.serial}" in said and f"Address for its settings: {one.address}" in said

        db = Database(f"sqlite:///{alone / 'hub.db'}")
        schema.upgrade(db)
        shop = Shop(db, alone)
        with db.write() as session:
            office.add_register(session, shop.vault, "test", shop.organisation_id, "shtrih_m", "Прилавок",
                                ShtrihSettings, {"address": one.address})
        db.close()
        found = answering(capsys, other.address)
        assert found[one.address]["state"] == "ours" and found[one.address]["kept"]["title"] == "Прилавок"
        assert found[other.address]["state"] == "found"
        assert listed(capsys, "--list")[other.address]["state"] == "waiting", "nobody is asked"


def test_nothing_is_opened_when_nobody_knows_whose_the_ports_are(
        alone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    opened: list[str] = []
    monkeypatch.setattr(discovery.transports, "transport", lambda *_: opened.append("x"))
    (alone / "hub.db").write_bytes(b"no database at all, but a file of that name" * 100)
    assert main(["devices", "--address", "/dev/pts/99"]) == 1
    assert "none was opened" in capsys.readouterr().err and not opened
    (alone / "hub.db").unlink()
    assert main(["devices", "--address", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


def test_a_search_while_another_register_prints_disturbs_nothing(
        sqlite_db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker that owns the printing register looks for others at the same time."""
    little_shop = Shop(sqlite_db, tmp_path)
    for name, seconds in (("LOOK_SECONDS", 0.02), ("STATUS_SECONDS", 0.05)):
        monkeypatch.setattr(owner, name, seconds)
    monkeypatch.setattr(discovery.usb, "listed", list)
    opened: list[str] = []
    make = discovery.transports.transport

    def noted(text: str, connect: float = 5.0) -> Any:
        # The owner may open its own register anew at any time; what must not is the search.
        if threading.current_thread().name.startswith("discovery"):
            opened.append(text)
        return make(text, connect)

    with simulated("--pty") as busy, simulated("--pty") as free:
        with little_shop.db.write() as session:
            office.add_register(session, little_shop.vault, "test", little_shop.organisation_id, "shtrih_m", "Касса",
                                ShtrihSettings, {"address": busy.address, **QUICK})
        little_shop.catalogue.drivers["shtrih_m"] = ShtrihDriver
        keepers = Keepers(little_shop.db, little_shop.vault, little_shop.catalogue, little_shop.bell, "host-a",
                          little_shop.folder, devices=(busy.address, free.address))
        little_shop.bell.listen(keepers.ring)
        try:
            keepers.look()
            wait_until(lambda: little_shop.read(select(REGISTER.c.status_at))[0][0])
            for number in range(6):
                little_shop.accept(order(str(number)))
            monkeypatch.setattr(discovery.transports, "transport", noted)
            devices.ask(little_shop.db, little_shop.organisation_id, (), "user:anna")
            keepers.look()
            told = wait_until(lambda: little_shop.read(select(REPORT).where(REPORT.c.ended_at.is_not(None)))[:1])[0]
            monkeypatch.setattr(discovery.transports, "transport", make)
            wait_until(lambda: all(little_shop.state(str(number)) in ("recorded", "confirmed") for number in range(6)))
        finally:
            assert keepers.stop(15.0)
            little_shop.bell._listeners.clear()
        places = {one["address"]: one for one in told.places}
        assert places[busy.address]["state"] == "ours" and places[free.address]["register"]["serial"] == free.serial
        assert free.address in opened and busy.address not in opened
        assert len(receipts(busy)) == 6
