"""The journal: what is in it was printed, what a power cut left of the last line was not."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hub_plugins.drivers.emulator.engine import Engine
from hub_plugins.drivers.emulator.journal import (
    FileJournal,
    JournalBroken,
    JournalFailed,
    JournalInUse,
    documents,
)

from tests.plugins.drivers.emulator.samples import Clock, in_process, job, printed, receipt


def test_lines_come_back(tmp_path):
    journal = FileJournal(tmp_path / "deep" / "j.jsonl")
    places = [journal.append(line) for line in (b"one", b"", b"x" * 100_000)]
    assert [journal.read(place) for place in places] == [b"one", b"", b"x" * 100_000]
    journal.close()
    again = FileJournal(tmp_path / "deep" / "j.jsonl")
    assert [line for _, line in again.lines()] == [b"one", b"", b"x" * 100_000]
    again.close()


def test_a_torn_line_is_cut_off_and_written_over(tmp_path):
    path = tmp_path / "j.jsonl"
    journal = FileJournal(path)
    journal.append(b"whole")
    journal.tear(b"half a li")
    assert [line for _, line in journal.lines()] == [b"whole"]
    place = journal.append(b"next")
    assert journal.read(place) == b"next"
    assert path.read_bytes() == b"whole\nnext\n"
    journal.close()


@pytest.mark.parametrize("torn", [b"x", b"x" * 65_535, b"x" * 65_536, b"x" * 200_000])
def test_torn_lines_of_every_length_go(tmp_path, torn):
    path = tmp_path / "j.jsonl"
    path.write_bytes(b"whole\n" + torn)
    journal = FileJournal(path)
    journal.close()
    assert path.read_bytes() == b"whole\n"


def test_a_file_that_is_only_a_torn_line_becomes_empty(tmp_path):
    path = tmp_path / "j.jsonl"
    path.write_bytes(b"{" * 70_000)
    FileJournal(path).close()
    assert path.read_bytes() == b""


def test_two_processes_never_own_one_journal(tmp_path):
    path = tmp_path / "j.jsonl"
    journal = FileJournal(path)
    program = ("import sys\nfrom hub_plugins.drivers.emulator.journal import FileJournal, JournalInUse\n"
               "try: FileJournal(sys.argv[1])\nexcept JournalInUse: sys.exit(7)")
    assert subprocess.run([sys.executable, "-c", program, str(path)], timeout=30).returncode == 7
    with pytest.raises(JournalInUse):
        FileJournal(path, wait=0.1)
    journal.close()
    assert subprocess.run([sys.executable, "-c", program, str(path)], timeout=30).returncode == 0


def test_each_document_is_forced_to_the_disk_unless_told_otherwise(tmp_path, monkeypatch):
    forced = []
    monkeypatch.setattr(os, "fsync", lambda handle: forced.append(handle))
    journal = FileJournal(tmp_path / "a")
    forced.clear()
    journal.append(b"one")
    assert len(forced) == 1
    journal.close()
    loose = FileJournal(tmp_path / "b", sync=False)
    forced.clear()
    loose.append(b"one")
    assert not forced
    loose.close()


def test_a_disk_that_is_full_refuses_and_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "j.jsonl"
    journal = FileJournal(path)
    journal.append(b"one")
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, data[:2]))
    with pytest.raises(JournalFailed):
        journal.append(b"two")
    monkeypatch.undo()
    assert path.read_bytes() == b"one\n"
    journal.append(b"three")
    assert path.read_bytes() == b"one\nthree\n"
    journal.close()


def test_a_power_cut_at_every_byte_of_a_receipts_line(tmp_path):
    """Whatever length of the last line reached the disk: it counts exactly when its newline is there, and numbers
    go on as if the rest had never been."""
    path = tmp_path / "j.jsonl"
    engine = Engine(path, clock=Clock())
    engine.shift_open({})
    before = path.read_bytes()
    engine.begin(sale())
    engine.finish({"total": 100, "pay": {"1031": 100}})
    engine.close()
    whole = path.read_bytes()
    for length in range(len(before), len(whole) + 1):
        path.write_bytes(whole[:length])
        again = Engine(path, clock=Clock(), sync=False)
        assert len(printed(again, "K")) == (length == len(whole)), length
        assert again.books.last == 2 + (length == len(whole))
        assert again.books.drawer == (100 if length == len(whole) else 0)
        again.begin(sale())
        assert again.finish({"total": 100, "pay": {"1031": 100}})["n"] == again.books.last
        again.close()


def sale() -> dict:
    return {"kind": 1, "key": "K", "owner": "t", "lines": [["Чай", 100, "1", 100, "none", 0, 4, 1, 0, ""]], "tax": 1,
            "to": "", "cashier": "", "net": False, "paperless": False}


def test_a_line_changed_in_the_middle_is_refused(tmp_path):
    path = tmp_path / "j.jsonl"
    engine = Engine(path)
    engine.shift_open({})
    engine.close()
    good = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(good[:2]) + b"{broken\n" + b"".join(good[2:]))
    with pytest.raises(JournalBroken):
        Engine(path)


def test_a_document_taken_out_of_the_middle_is_noticed(tmp_path):
    path = tmp_path / "j.jsonl"
    engine = Engine(path)
    engine.shift_open({})
    engine.shift_close({})
    engine.close()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if b"shift_open" not in line))
    with pytest.raises(JournalBroken):
        Engine(path)


def test_a_journal_belongs_to_one_register(tmp_path):
    Engine(tmp_path / "j", {"serial": "EMU1"}).close()
    with pytest.raises(JournalBroken, match="EMU1"):
        Engine(tmp_path / "j", {"serial": "EMU2"})


def test_a_write_that_failed_is_a_refusal_and_one_that_nobody_knows_of_stops_the_register(tmp_path, monkeypatch):
    from hub_plugins.drivers.emulator.device import Device

    from hub.contracts import Refused, Uncertain

    device = Device(Engine(tmp_path / "j"))
    with in_process(device) as (driver, _):
        real = os.write
        monkeypatch.setattr(os, "write", lambda handle, data: real(handle, data[:5]))
        refused = driver.fiscalise(job(), Guard())
        monkeypatch.undo()
        assert isinstance(refused, Refused) and refused.vendor_code == "E65" and not printed(device.engine)

        def broken(handle):
            raise OSError("the disk is gone")

        monkeypatch.setattr(os, "fsync", broken)
        unknown = driver.fiscalise(job(), Guard())
        monkeypatch.undo()
        assert isinstance(unknown, Uncertain)
        assert not device.powered


def test_what_goes_wrong_behind_the_write_never_looks_like_a_refusal(monkeypatch):
    from hub_plugins.drivers.emulator.books import Books

    from hub.contracts import Uncertain

    def broken(*_: object) -> None:
        raise ValueError("a mistake in the emulator")

    with in_process() as (driver, device):
        monkeypatch.setattr(Books, "_receipt", broken)
        assert isinstance(driver.fiscalise(job(), Guard()), Uncertain)
        assert not device.powered and len(printed(device.engine, job().receipt.key)) == 1


def test_the_journal_can_be_read_while_its_register_works(tmp_path):
    path = tmp_path / "j"
    engine = Engine(path, clock=Clock())
    engine.shift_open({})
    engine.journal.tear(b'{"t":"doc"')
    assert [one["what"] for one in documents(path)] == ["other", "shift_open"]
    assert all(json.dumps(one) for one in documents(path))
    engine.close()


class Guard:
    def check(self, timeout: float) -> None: ...

    def progress(self) -> None: ...


def test_receipts_of_the_driver_are_in_the_file(tmp_path):
    from hub_plugins.drivers.emulator.device import Device

    device = Device(Engine(tmp_path / "j"))
    with in_process(device) as (driver, _):
        record = driver.fiscalise(job(receipt("K" * 16)), Guard())
    (found,) = [one for one in documents(tmp_path / "j") if one["what"] == "receipt"]
    assert (found["n"], found["fp"], found["key"]) == (record.document_number, record.fiscal_sign, "K" * 16)
