"""The byte log: whole turns, masked; a file that plays again."""

from __future__ import annotations

import socket
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.contracts.wire import mask
from hub.registers import transports
from hub.registers.recording import (
    LARGEST_TURN,
    BadRecording,
    Played,
    Recorder,
    Recording,
    Turn,
)
from hub.registers.transports import TransportClosed, TransportTimeout

START = datetime(2026, 11, 20, 11, 5, tzinfo=UTC)
CONTACT = b"buyer@example.org"


class Clock:
    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at


def echo(answers: list[bytes]) -> tuple[str, threading.Thread]:
    """A device on a socket: for each byte 05 that it gets, its next answer."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        client, _ = listener.accept()
        with client, listener:
            while data := client.recv(1024):
                for _ in range(data.count(b"\x05")):
                    client.sendall(answers.pop(0))

    thread = threading.Thread(target=serve)
    thread.start()
    return f"tcp://127.0.0.1:{listener.getsockname()[1]}", thread


def test_a_log_holds_every_byte_in_turns_with_contacts_masked():
    kept: list[Turn] = []
    recorder = Recorder(kept.append, now=Clock())
    address, device = echo([b"\x15", b"to " + CONTACT + b"."])
    with transports.wrapped(recorder.around):
        line = transports.transport(address)
    line.open()
    line.write(b"\x05", 5.0)
    assert line.read(1, 5.0) == b"\x15"
    line.write(b"\x02buyer@exa", 5.0)
    line.write(b"mple.org\x05", 5.0)
    assert line.read(3, 5.0) + line.read(len(CONTACT) + 1, 5.0) == b"to " + CONTACT + b"."
    line.close()
    device.join()
    assert [(one.sent, one.data) for one in kept if not one.note] == [
        (True, b"\x05"), (False, b"\x15"), (True, b"\x02" + b"x" * 17 + b"\x05"), (False, b"to " + b"x" * 17 + b".")]
    assert [one.note.split()[0] for one in kept if one.note] == ["opened", "closed"]


def test_a_log_that_is_off_keeps_nothing_and_can_be_switched_on_in_between():
    kept: list[Turn] = []
    recorder = Recorder(kept.append, now=Clock(), on=False)
    address, device = echo([b"one", b"two", b"three"])
    with transports.wrapped(recorder.around):
        line = transports.transport(address)
    line.open()
    for number, on in enumerate((False, True, False)):
        recorder.switch(on)
        line.write(b"\x05", 5.0)
        line.read((3, 3, 5)[number], 5.0)
    line.close()
    device.join()
    assert [one.data for one in kept] == [b"\x05", b"two"]


def test_what_breaks_stands_in_the_log():
    kept: list[Turn] = []
    recorder = Recorder(kept.append, now=Clock())
    address, device = echo([b"half"])
    with transports.wrapped(recorder.around):
        line = transports.transport(address)
    line.open()
    line.write(b"\x05", 5.0)
    with pytest.raises(TransportTimeout):
        line.read(9, 0.2)
    line.close()
    device.join()
    assert [one.data for one in kept if one.data] == [b"\x05", b"half"]
    gone = transports.transport(address)
    with pytest.raises(TransportClosed):
        recorder.around(gone).open()
    assert kept[-1].note.startswith("not opened")


def test_a_mask_that_fails_keeps_nothing_of_the_turn():
    kept: list[Turn] = []

    def broken(data: bytes, sent: bool) -> bytes:
        raise ValueError(data)

    recorder = Recorder(kept.append, broken, Clock())
    recorder.add(CONTACT, True)
    recorder.flush()
    assert [(one.data, one.note) for one in kept] == [(b"", "17 bytes could not be masked: ValueError")]


def test_a_turn_without_end_is_ended():
    kept: list[Turn] = []
    recorder = Recorder(kept.append, now=Clock())
    for _ in range(5):
        recorder.add(b"\xfe" * (LARGEST_TURN // 2), False)
    assert max(len(one.data) for one in kept) <= LARGEST_TURN


turns = st.lists(st.builds(
    Turn, st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)), st.booleans(),
    st.binary(min_size=1, max_size=40)), max_size=8)


@settings(deadline=None)
@given(turns)
def test_a_file_is_read_as_it_was_written(made):
    recording = Recording(tuple(made), "till", "/dev/ttyUSB0")
    assert Recording.read(recording.text()) == recording


@settings(deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_what_is_no_recording_is_said(text):
    with pytest.raises(BadRecording):
        Recording.read(text)


@pytest.mark.parametrize(("line", "words"), [
    ("{}", "line 2"), ('{"at": "x", "d": ">", "x": "05"}', "line 2"), ('{"at": 0, "d": "?", "x": "05"}', "line 2"),
    ('{"at": 0, "d": ">", "x": "5"}', "line 2"), ("[]", "line 2: no object"), ("nonsense", "line 2: no JSON")])
def test_a_wrong_line_is_named(line, words):
    head = Recording(()).text()
    with pytest.raises(BadRecording, match=words):
        Recording.read(head + line + "\n")


# -- playing ---------------------------------------------------------------------------------------------------------


def session(*said: tuple[bool, bytes]) -> Recording:
    return Recording(tuple(Turn(START + timedelta(seconds=at), sent, data) for at, (sent, data) in enumerate(said)))


def test_a_recording_answers_as_the_device_did():
    line = Played(session((True, b"\x05"), (False, b"\x15"), (True, b"\x02ab"), (False, b"\x06"), (False, b"ok")))
    line.open()
    line.write(b"\x05", 1.0)
    assert line.read(1, 1.0) == b"\x15"
    line.write(b"\x02", 1.0)
    with pytest.raises(TransportTimeout):
        line.read(1, 1.0)
    line.write(b"ab", 1.0)
    assert line.read_some(9, 1.0) == b"\x06ok"
    assert line.finished and not line.differs


def test_a_driver_that_says_something_else_is_told_where():
    line = Played(session((True, b"\x02abcd"), (False, b"ok")))
    line.open()
    with pytest.raises(TransportClosed) as problem:
        line.write(b"\x02abXd", 1.0)
    assert problem.value.code == "differs"
    assert line.differs == "turn 1 differs at byte 3: 58 64 instead of 63 64"


def test_a_masked_recording_is_compared_masked():
    line = Played(session((True, mask(b"\x02" + CONTACT)), (False, b"ok")))
    line.open()
    line.write(b"\x02other@example.org", 1.0)
    assert line.drain(0.1) == b"ok"


# -- masks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contact", ["a@b.ru", "+79161234567", "89161234567", "+7 (916) 123-45-67", "почта@домен.рф"])
@pytest.mark.parametrize("code_page", ["cp866", "cp1251", "utf-8"])
def test_contacts_are_masked_in_every_code_page(contact, code_page):
    data = b"\x02\x00" + contact.encode(code_page) + b"\x00"
    assert mask(data) == b"\x02\x00" + b"x" * len(contact.encode(code_page)) + b"\x00"


@pytest.mark.parametrize("number", ["9999078900006364", "7707083893", "770708389312", "0000000001234567",
                                    "2026.112015"])
def test_numbers_that_are_nobodys_telephone_stay(number):
    assert mask(number.encode()) == number.encode()


def test_the_tags_of_a_document_that_name_a_person_are_masked():
    cashier, name = "Иванова А. П.".encode("cp866"), "Чай".encode("cp866")
    data = (1021).to_bytes(2, "little") + len(cashier).to_bytes(2, "little") + cashier + \
        (1030).to_bytes(2, "little") + len(name).to_bytes(2, "little") + name
    assert mask(data) == data.replace(cashier, b"x" * len(cashier))


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_a_mask_keeps_the_length_of_anything(data):
    assert len(mask(data)) == len(data)
