"""The emulator as a process of its own: over TCP, over a real pseudo-terminal, killed, restarted, run by the hub."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from hub_plugins.drivers.emulator import managed
from hub_plugins.drivers.emulator.control import RunningEmulator, emulator
from hub_plugins.drivers.emulator.driver import EmulatorDriver
from hub_plugins.drivers.emulator.journal import documents
from hub_plugins.drivers.emulator.managed import NotStarted

from hub.contracts import Refused, RegisterGone, Unavailable, Uncertain
from hub.fiscal import FiscalRecord
from tests.plugins.drivers.emulator.samples import CASHIER, StrictGuard, driver_for, job, receipt

GUARD = StrictGuard()
KEY = receipt().key
SMALL = receipt(amounts=(100,))


@pytest.fixture(params=["tcp", "pty"])
def register(request, tmp_path):
    """A register in a process of its own, on either kind of line, with its shift open."""
    line = ["--pty", "--link", str(tmp_path / "ttyEMU")] if request.param == "pty" else []
    with emulator("--journal", str(tmp_path / "j.jsonl"), "--ofd-delay", "0", *line) as running:
        running.do("cashier", command="shift_open")
        yield running


def reopened(driver: EmulatorDriver, seconds: float = 15.0) -> None:
    """Connects anew and brings the register to rest, as often as it takes."""
    until = time.monotonic() + seconds
    while True:
        try:
            driver.open()
            driver.settle(GUARD)
            return
        except RegisterGone:
            assert time.monotonic() < until, "the register never came back"
            time.sleep(0.02)


def test_a_day_at_the_register(register, tmp_path):
    driver = driver_for(register.address)
    identity = driver.open()
    assert identity.serial == register.serial
    bookmark = driver.bookmark()
    record = driver.fiscalise(job(), GUARD)
    assert isinstance(record, FiscalRecord)
    z = driver.close_shift(CASHIER, GUARD)
    assert z.sales == record.total
    found = driver.find(bookmark)
    assert found.complete and [one.what for one in found.documents] == ["receipt", "shift_close"]
    driver.close()
    (listed,) = register.documents("receipt")
    assert (listed["key"], listed["fp"], listed["total"], listed["ofd"]) == (KEY, record.fiscal_sign, 155_050, True)
    assert listed["qr"].startswith("t=2") and [line["amount"] for line in listed["lines"]] == [122_000, 33_050]
    assert [one["n"] for one in documents(tmp_path / "j.jsonl")] == [1, 2, 3, 4]
    state = register.state()
    assert state["identity"]["serial"] == register.serial
    assert (state["status"]["shift_open"], state["powered"]) == (False, True)


def test_one_client_at_a_time(register):
    first, second = driver_for(register.address), driver_for(register.address)
    first.open()
    with pytest.raises(RegisterGone) as caught:
        second.open()
    assert caught.value.code == "in_use"
    assert isinstance(first.fiscalise(job(), GUARD), FiscalRecord)
    first.close()
    second.open()
    assert second.bookmark().document_number == 3
    second.close()


FAULTS = [
    ({"kind": "lost_answer", "command": "finish"}, Uncertain, 1),
    ({"kind": "late_answer", "command": "finish", "seconds": 1.6}, Uncertain, 1),
    ({"kind": "slow", "command": "finish", "seconds": 1.6}, Uncertain, 1),
    ({"kind": "double_answer", "command": "finish"}, FiscalRecord, 1),
    ({"kind": "garbled_answer", "command": "finish"}, FiscalRecord, 1),
    ({"kind": "noise", "command": "finish"}, FiscalRecord, 1),
    ({"kind": "swallowed", "command": "finish"}, Uncertain, 0),
    ({"kind": "freezes", "command": "finish"}, Uncertain, 0),
    ({"kind": "power_cut", "at": "before_write"}, Uncertain, 0),
    ({"kind": "power_cut", "at": "mid_write"}, Uncertain, 0),
    ({"kind": "power_cut", "at": "after_write"}, Uncertain, 1),
    ({"kind": "power_cut", "at": "after_write", "reset": True}, Uncertain, 1),
    ({"kind": "paper_middle"}, Refused, 0), ({"kind": "paper_after"}, FiscalRecord, 1),
    ({"kind": "no_paper"}, Refused, 0), ({"kind": "cover_open"}, Refused, 0), ({"kind": "busy"}, Unavailable, 0),
    ({"kind": "storage_full"}, Refused, 0), ({"kind": "ofd_overdue"}, Refused, 0), ({"kind": "shift_old"}, Refused, 0),
    ({"kind": "frozen"}, RegisterGone, 0),
]


#: Every fault over TCP; those that touch the wire over the serial line too, which is slower to come to rest.
CASES = [(line, *case) for line in ("tcp", "pty") for case in FAULTS
         if line == "tcp" or case[0]["kind"] in ("lost_answer", "garbled_answer", "noise", "swallowed", "frozen")]


@pytest.mark.parametrize(("register", "fault", "outcome", "count"), CASES, indirect=["register"], ids=[
    "-".join((line, *(str(value) for value in fault.values()))) for line, fault, _, _ in CASES])
def test_each_fault_and_its_outcome(register, tmp_path, fault, outcome, count):
    driver = driver_for(register.address)
    driver.open()
    bookmark = driver.bookmark()
    register.do("fault", **fault)
    assert _attempt(driver) is outcome
    register.do("heal")
    register.do("load_paper")
    register.do("power_on")
    reopened(driver)
    assert driver.cancel_document(GUARD)
    found = driver.find(bookmark)
    assert found.complete
    assert [one.key for one in found.documents if one.what == "receipt"] == [KEY] * count
    assert len([one for one in documents(tmp_path / "j.jsonl") if one.get("key") == KEY]) == count
    driver.close()


def _attempt(driver: EmulatorDriver) -> type:
    try:
        return type(driver.fiscalise(job(SMALL), GUARD))
    except RegisterGone:
        return RegisterGone


def test_the_power_is_cut_at_bytes_all_over_a_receipt(register, tmp_path):
    """The sample of test_every_byte.py over a real line: each place in its own shift of fate, seeded."""
    driver = driver_for(register.address, answer_seconds=0.25)
    places = random.Random(7)
    seen = set()
    for number in range(8 if register.address.startswith("tcp") else 4):
        key, way = f"BYTE{number:012d}", places.choice(["in", "out"])
        reopened(driver)
        bookmark = driver.bookmark()
        register.do("fault", kind="power_cut", at=way, after=places.randrange(560 if way == "in" else 260),
                    reset=places.choice([True, False]))
        try:
            outcome = driver.fiscalise(job(receipt(key, (100,))), GUARD)
        except RegisterGone as gone:
            outcome = gone
        register.do("heal")
        register.do("power_on")
        reopened(driver)
        assert driver.cancel_document(GUARD)
        count = len([one for one in documents(tmp_path / "j.jsonl") if one.get("key") == key])
        found = driver.find(bookmark)
        assert found.complete and [one.key for one in found.documents if one.what == "receipt"] == [key] * count
        if isinstance(outcome, FiscalRecord):
            assert count == 1
        elif not isinstance(outcome, Uncertain):
            assert count == 0
        seen.add(type(outcome).__name__)
    driver.close()
    assert "Uncertain" in seen


@pytest.mark.parametrize("moment", ["before", "after"])
def test_kill_9_and_a_restart_on_the_same_journal(tmp_path, moment):
    journal = str(tmp_path / "j.jsonl")
    with emulator("--journal", journal) as first:
        first.do("cashier", command="shift_open")
        driver = driver_for(first.address, answer_seconds=5)
        identity = driver.open()
        driver.fiscalise(job(receipt("EARLIER")), GUARD)
        bookmark = driver.bookmark()
        first.do("fault", kind="slow" if moment == "before" else "late_answer", command="finish", seconds=30)
        threading.Timer(0.4, first.kill).start()
        assert isinstance(driver.fiscalise(job(), GUARD), Uncertain)
        driver.close()
    with emulator("--journal", journal) as second:
        again = driver_for(second.address)
        assert again.open() == identity
        assert again.settle(GUARD).shift_open
        found = again.find(bookmark)
        assert found.complete
        assert [one.key for one in found.documents] == ([] if moment == "before" else [KEY])
        record = again.fiscalise(job(receipt("LATER")), GUARD)
        assert record.document_number == bookmark.document_number + len(found.documents) + 1
        again.close()


def test_kill_9_in_the_middle_of_many_receipts(tmp_path):
    """What the driver was told and what the journal holds agree, at whatever moment the process dies."""
    journal = tmp_path / "j.jsonl"
    told = {}
    for life in range(3):
        with emulator("--journal", str(journal)) as running:
            driver = driver_for(running.address, answer_seconds=3)
            driver.open()
            assert driver.open_shift(CASHIER, GUARD) is None
            threading.Timer(0.15, running.kill).start()
            for number in range(100_000):
                key = f"L{life}N{number}"
                try:
                    told[key] = driver.fiscalise(job(receipt(key, (100,))), GUARD)
                except RegisterGone:
                    break
                if not isinstance(told[key], FiscalRecord):
                    break
            driver.close()
    written = {one["key"]: one for one in documents(journal) if one["what"] == "receipt"}
    assert len(written) == len([one for one in documents(journal) if one["what"] == "receipt"]) > 10
    for key, outcome in told.items():
        if isinstance(outcome, FiscalRecord):
            assert written[key]["fp"] == outcome.fiscal_sign
        else:
            assert isinstance(outcome, Uncertain)
    assert set(written) <= set(told)


@pytest.mark.parametrize("moment", ["begin", "finish"])
def test_sigterm_lets_the_document_in_hand_finish(register, moment):
    driver = driver_for(register.address, answer_seconds=5)
    driver.open()
    register.do("fault", kind="slow", command=moment, seconds=0.5)
    timer = threading.Timer(0.2, lambda: register.process.send_signal(signal.SIGTERM))
    timer.start()
    record = driver.fiscalise(job(), GUARD)
    assert isinstance(record, FiscalRecord)
    assert register.process.wait(10) == 0
    driver.close()


def test_a_second_emulator_on_one_journal_says_so(tmp_path):
    journal = ("--journal", str(tmp_path / "j"), "--lock-wait", "0.1")
    with emulator(*journal), pytest.raises(NotStarted) as caught, emulator(*journal):
        raise AssertionError("two own it")
    assert caught.value.code == "in_use"


def test_a_broken_journal_says_so(tmp_path):
    (tmp_path / "j").write_text("this is\nno journal\n")
    with pytest.raises(NotStarted) as caught, emulator("--journal", str(tmp_path / "j")):
        raise AssertionError("it started")
    assert caught.value.code == "broken"


def test_the_control_port_says_what_is_wrong(register):
    with pytest.raises(RuntimeError, match="earthquake"):
        register.do("fault", kind="earthquake")
    with pytest.raises(RuntimeError, match="no action"):
        register.do("dance")
    with pytest.raises(RuntimeError):
        register.do("replace_storage")
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{register.url}/receipt", timeout=5)


def test_a_silent_connection_is_dropped_when_the_model_does_so(tmp_path):
    with emulator("--idle-seconds", "0.1") as running:
        driver = driver_for(running.address)
        driver.open()
        driver._line._socket.settimeout(5)
        assert driver._line._socket.recv(1) == b""  # the register hangs up
        with pytest.raises(RegisterGone):
            driver.fiscalise(job(), GUARD)
        driver.open()
        driver.close()


def test_half_a_command_of_a_killed_host_does_not_disturb_the_next(register):
    """A host dies in the middle of a frame; on a serial line nobody tells the register."""
    from hub_plugins.drivers.emulator.protocol import pack

    from hub.registers import transports

    line = transports.transport(register.address)
    line.open()
    line.write(pack(7, {"c": "shift_close"})[:-3], 1)
    assert line.read(1, 5) == b"\x15"  # the register gives the frame up, and stays
    line.write(b"\x05", 1)
    assert line.read(1, 5) == b"\x15"
    line.write(pack(8, {"c": "shift_close"})[:-3], 1)
    line.close()
    driver = driver_for(register.address)
    reopened(driver)
    assert driver.status().shift_open
    driver.close()


def test_the_command_line_lists_documents(tmp_path):
    journal = tmp_path / "j.jsonl"
    with emulator("--journal", str(journal), "--inn", "7707083893") as running:
        running.do("cashier", command="shift_open")
        running.do("foreign_sale", amount=4_200)
        listed = subprocess.run([sys.executable, "-c", managed._PROGRAM, "--journal", str(journal), "--list"],
                                capture_output=True, text=True, timeout=30)
    assert listed.returncode == 0
    found = json.loads(listed.stdout)
    assert [one["what"] for one in found] == ["other", "shift_open", "receipt"]
    assert (found[2]["total"], found[2]["currency"]) == (4_200, "RUB") and "&s=42.00&" in found[2]["qr"]


def test_every_command_of_the_readme_works(register):
    """The examples of README.md are run as they stand there."""
    text = Path(managed.__file__).with_name("README.md").read_text(encoding="utf-8")
    commands = [json.loads(line.split("'")[1]) for line in text.splitlines() if "/_sim/do -d" in line]
    assert len(commands) >= 6
    for command in commands:
        if command.get("command") == "shift_open":
            register.do("cashier", command="shift_close")
        register.do(**command)
    assert register.documents("receipt")[-1]["total"] == 25_000


# -- run by the hub


@pytest.fixture
def home(tmp_path):
    yield tmp_path
    managed.stop(str(tmp_path / "emulator.jsonl"))


def test_without_an_address_the_hub_runs_the_register(home):
    driver = driver_for("", home, inn="7707083893", ofd_delay=0)
    identity = driver.open()
    assert identity.inn == "7707083893"
    assert driver.open_shift(CASHIER, GUARD) is None
    assert isinstance(driver.fiscalise(job(), GUARD), FiscalRecord)
    process = managed._RUNNING[str(home / "emulator.jsonl")].process
    driver.close()
    second = driver_for("", home, inn="7707083893", ofd_delay=0)
    assert second.open() == identity
    assert managed._RUNNING[str(home / "emulator.jsonl")].process is process  # the living one is used again
    second.close()
    changed = driver_for("", home, inn="500100732259", ofd_delay=0)
    again = changed.open()
    assert (again.serial, again.inn) == (identity.serial, "500100732259")
    assert process.poll() == 0
    assert changed.bookmark().document_number == 4  # registered anew
    changed.close()


def test_a_killed_register_of_the_hub_is_started_again(home):
    driver = driver_for("", home)
    driver.open()
    managed._RUNNING[str(home / "emulator.jsonl")].process.kill()
    with pytest.raises(RegisterGone):
        driver.fiscalise(job(), GUARD)
    reopened(driver)
    assert driver.open_shift(CASHIER, GUARD) is None
    driver.close()


def test_a_register_that_another_process_runs_is_in_use(home):
    with emulator("--journal", str(home / "emulator.jsonl")):
        driver = driver_for("", home)
        with pytest.raises(RegisterGone) as caught:
            driver.open()
    assert caught.value.code == "in_use"


def test_a_register_that_this_process_let_go_of_is_there_for_others(home):
    """The page tries the connection in one process, the worker then works in another."""
    driver = driver_for("", home)
    serial = driver.open().serial
    driver.close()
    with emulator("--journal", str(home / "emulator.jsonl")) as running:  # waits for the vacant one to end
        assert running.serial == serial


def test_the_register_dies_with_its_hub(tmp_path):
    """kill -9 of the hub: the emulator sees its standard input end."""
    program = ("import sys, time; from hub_plugins.drivers.emulator import managed; "
               "managed.address(sys.argv[1], []); "
               "print(managed._RUNNING[sys.argv[1]].process.pid, flush=True); time.sleep(60)")
    hub = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "j")], stdout=subprocess.PIPE, text=True)
    pid = int(hub.stdout.readline())
    hub.kill()
    hub.wait()
    hub.stdout.close()
    until = time.monotonic() + 10
    while _lives(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not _lives(pid)


def _lives(pid: int) -> bool:
    """Whether the process runs (one that ended may wait for its new parent to notice)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z")


def test_the_hubs_own_emulator_is_small():
    """It is one of the processes of the default stack, so it must not load the web and the database libraries."""
    program = ("import sys; import hub_plugins.drivers.emulator.simulator; "
               "print(sorted(name for name in ('requests', 'marshmallow', 'sqlalchemy', 'flask', 'http.server') "
               "if name in sys.modules))")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == "[]"


def test_rfc_2217_in_front_of_the_pseudo_terminal(tmp_path):
    """A serial-to-network converter: the hub speaks RFC 2217 to it, it speaks bytes to the register."""
    from tests.registers.test_transports import converter

    with emulator("--pty") as running:
        running.do("cashier", command="shift_open")
        with converter(running.address) as address:
            driver = driver_for(address)
            driver.open()
            assert isinstance(driver.fiscalise(job(), GUARD), FiscalRecord)
            assert running.documents("receipt")[0]["key"] == KEY
            driver.close()


def test_a_client_that_only_connects_does_not_block_for_ever(tmp_path):
    with emulator() as running:
        assert isinstance(running, RunningEmulator)
        host, port = running.address.removeprefix("tcp://").split(":")
        for _ in range(3):
            socket.create_connection((host, int(port)), timeout=5).close()
        driver = driver_for(running.address)
        reopened(driver)
        driver.close()


def test_a_cut_cable_leaves_the_power_on(tmp_path: Path) -> None:
    with emulator("--journal", str(tmp_path / "j.jsonl")) as register:
        register.do("fault", kind="cable_cut", at="in", after=1, note="f1")
        with socket.create_connection(("127.0.0.1", int(register.address.rpartition(":")[2])), 5) as wire:
            wire.sendall(b"\x05\x05\x05")
            with contextlib.suppress(ConnectionError):
                assert wire.recv(1) == b""
        assert register.do("condition") == {"powered": True, "conditions": [], "strikes": []}
        assert [one["note"] for one in register.do("hits")] == ["f1"]
