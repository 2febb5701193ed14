"""What the emulator does beside receipts, as a person at the register would see it; and what a log keeps of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub_plugins.drivers.emulator import protocol
from hub_plugins.drivers.emulator.control import RunningEmulator, emulator
from hub_plugins.drivers.emulator.driver import EmulatorDriver
from hub_plugins.drivers.emulator.masking import masked
from hub_plugins.drivers.emulator.settings import EmulatorSettings
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.contracts import Job, NoGuard, load
from hub.fiscal import FiscalRecord
from hub.registers import transports
from hub.registers.recording import Played, Recorder, Recording, Turn
from hub.testing.context import RegisterContext
from tests.plugins.drivers.emulator.samples import CASHIER, receipt


@contextmanager
def running(tmp_path: Path, *more: str) -> Iterator[tuple[RunningEmulator, EmulatorDriver]]:
    with emulator("--journal", str(tmp_path / "j.jsonl"), *more) as register:
        driver = EmulatorDriver(load(EmulatorSettings, {"address": register.address}), RegisterContext(str(tmp_path)))
        try:
            yield register, driver
        finally:
            driver.close()


def test_discovery_leaves_a_receipt_that_is_being_entered_alone(tmp_path):
    """Somebody at the counter has begun a receipt: after discovery it is still there, to be finished."""
    with running(tmp_path, "--pty") as (register, _):
        register.do("cashier", command="shift_open")
        register.do("leave_open", key="AAAABBBBCCCCDDDD")
        line = transports.transport(register.address)
        line.open()
        try:
            identity = EmulatorDriver.probe(line)
        finally:
            line.close()
        assert identity is not None and identity.serial == register.serial
        assert register.state()["status"]["document"] == {"owner": "counter", "key": "AAAABBBBCCCCDDDD"}


def test_a_recorded_session_plays_again_without_the_register(tmp_path):
    """Recorded and masked over a real line, a sale and all: the same calls get the same answers from the file."""
    turns: list[Turn] = []
    job = Job(receipt(), "job-1")

    def session(driver: EmulatorDriver) -> tuple[object, ...]:
        identity = driver.open()
        assert driver.open_shift(CASHIER, NoGuard()) is None
        mark = driver.bookmark()
        record = driver.fiscalise(job, NoGuard())
        found = driver.find(mark)
        return identity, mark, record, found.complete, len(found.documents)

    with running(tmp_path, "--pty") as (_, driver):
        recorder = Recorder(turns.append, EmulatorDriver.masked)
        with transports.wrapped(recorder.around):
            first = session(driver)
            driver.close()
    assert isinstance(first[2], FiscalRecord)
    text = Recording(tuple(turns), "emulator").text()
    assert CASHIER.name.encode() not in b"".join(turn.data for turn in turns)
    played = Played(Recording.read(text), EmulatorDriver.masked)
    driver = EmulatorDriver(load(EmulatorSettings, {}), RegisterContext(str(tmp_path)))
    driver._make = lambda: played
    assert session(driver) == first
    assert played.differs == "" and played.finished


def test_names_are_masked_and_the_frame_stays_good():
    whole = protocol.pack(7, {"c": "begin", "cashier": 'И"ванова', "buyer": "Пётр", "to": "a@b.ru", "key": "K"})
    kept = masked(b"\x06" + whole + b"\x15")
    assert len(kept) == len(whole) + 2 and kept[:1] + kept[-1:] == b"\x06\x15"
    frame = protocol.unpack(kept[1:-1])
    assert frame is not None
    body = protocol.read_body(frame.body)
    assert set(body["cashier"]) | set(body["buyer"]) | set(body["to"]) == {"x"} and body["key"] == "K"


def test_a_frame_that_came_broken_stays_broken():
    whole = bytearray(protocol.pack(7, {"c": "hello"}))
    whole[-1] ^= 0xFF
    assert masked(bytes(whole)) == bytes(whole)


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 40))
def test_anything_keeps_its_length(data, cut):
    whole = data + protocol.pack(1, {"c": "begin", "buyer": "Пётр"})[cut:] + data
    assert len(masked(whole)) == len(whole)
