"""A look at a register becomes a file, and the file plays against the driver when the register is long gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.drivers.shtrih_m.driver import ShtrihDriver

from hub.cli import main
from hub.registers import discovery, transports
from hub.registers.deck import Deck
from hub.registers.recording import Recorder, Recording, Turn
from hub.testing.lines import PtyLine, TcpLine
from tests.plugins.drivers.emulator.samples import CASHIER, StrictGuard, job, receipt
from tests.plugins.drivers.shtrih_m.simulated import driver, settled, simulated


def said(capsys: pytest.CaptureFixture[str], *arguments: str, ends: int = 0) -> dict[str, Any]:
    assert main(["devices", *arguments, "--json"]) == ends
    out = capsys.readouterr().out
    return dict(json.loads(out)) if out else {}


@pytest.mark.parametrize("line", [(), ("--pty",)], ids=["tcp", "pty"])
def test_a_recorded_session_plays_again_without_the_register(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
        line: tuple[str, ...]) -> None:
    monkeypatch.setenv("HUB_DATA_DIR", str(tmp_path / "data"))
    file, guard = tmp_path / "look.wire", StrictGuard()
    with simulated(*line, "--ofd-delay", "0") as running:
        made = settled(driver(running, tmp_path), guard)
        assert made.open_shift(CASHIER, guard) is None
        made.fiscalise(job(), guard)
        made.close()
        before = running.state()["documents"]
        seen = said(capsys, "record", running.address, str(file))["seen"]
        assert running.state()["documents"] == before, "it only looks"
    assert f"serial={running.serial}" in seen[0] and [one.partition(":")[0] for one in seen] == [
        "open", "status", "bookmark", "checks", "document"]
    recording = Recording.read(file.read_text("utf-8"))
    whole = b"".join(one.data for one in recording.turns)
    assert recording.driver == "shtrih_m" and recording.masked and b"buyer@shop.example" not in whole
    again = said(capsys, "replay", str(file))
    assert again["differs"] == "" and again["seen"][0] == seen[0] and again["seen"][2] == seen[2]

    lines = file.read_text("utf-8").splitlines()
    spoilt = next(number for number, one in enumerate(lines) if '"d": ">"' in one and len(one) > 60)
    turn = json.loads(lines[spoilt])
    turn["x"] = turn["x"][:-2] + f"{int(turn['x'][-2:], 16) ^ 1:02x}"
    (tmp_path / "other.wire").write_text("\n".join([*lines[:spoilt], json.dumps(turn), *lines[spoilt + 1:]]), "utf-8")
    assert "differs at byte" in said(capsys, "replay", str(tmp_path / "other.wire"), ends=1)["differs"]


@pytest.mark.parametrize("arguments", [(), ("--pty",)], ids=["tcp", "pty"])
def test_a_sale_that_was_logged_is_played_to_another_hub(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    turns: list[Turn] = []
    recorder, guard = Recorder(turns.append, ShtrihDriver.masked), StrictGuard()
    with simulated(*arguments) as running, transports.wrapped(recorder.around):
        made = settled(driver(running, ""), guard)
        made.status()
        assert made.open_shift(CASHIER, guard) is None
        made.bookmark()
        record = made.fiscalise(job(), guard)
        made.status()
        made.close()
    recorder.flush()
    told: list[str] = []
    deck = Deck(Recording(tuple(turns), "shtrih_m"), ShtrihDriver.masked, told.append, ShtrihDriver.unheard)
    line = PtyLine(deck) if arguments else TcpLine(deck, "127.0.0.1", 0)
    line.start()
    try:
        running.address = line.address
        # Another hub looks more often, and its receipt has a key and a buyer of its own.
        made = settled(driver(running, ""), guard)
        for _ in range(5):
            assert made.status().storage_number == record.storage_number
        assert made.open_shift(CASHIER, guard) is None
        made.bookmark()
        again = made.fiscalise(job(receipt("ZZZZYYYYXXXXWWWW", contact="somebody@else.example")), guard)
        assert again == record, told
        assert made.status().last_document == record.document_number
        told.clear()
        assert made.read_document(1) is None and "refused" in told[0], "nobody asked for it then"
        made.close()
    finally:
        line.stop()
    assert deck.strange <= 4, "key, contact, and what was never asked for"


def test_what_cannot_be_recorded_or_played_says_why(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HUB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(discovery, "CONNECT", 0.2)
    file = tmp_path / "x.wire"
    for arguments, ends in ((("record", "nonsense", str(file)), 2), (("record", "127.0.0.1:1", str(file)), 1),
                            (("record", "127.0.0.1:1", str(file), "--driver", "nobody"), 1),
                            (("replay", str(file)), 2)):
        assert main(["devices", *arguments]) == ends, arguments
        assert capsys.readouterr().err.startswith("hub: ")
    file.write_text("{}\n", "utf-8")
    assert main(["devices", "replay", str(file)]) == 2 and "line 1" in capsys.readouterr().err
    file.write_text(Recording((), "nobody").text(), "utf-8")
    assert main(["devices", "replay", str(file)]) == 1
