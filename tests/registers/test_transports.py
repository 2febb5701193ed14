"""The wires: TCP, a serial port (a real pseudo-terminal), RFC 2217; and what is said when they break."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import threading
import time
import tty
from collections.abc import Iterator

import pytest
import serial
import serial.rfc2217

from hub.fiscal import Text
from hub.registers import transports
from hub.registers.transports import Address, BadAddress, TransportClosed, TransportError, TransportTimeout, parse


class Pty:
    """A pseudo-terminal; ``master`` is the device's end."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)

    def send(self, data: bytes) -> None:
        os.write(self.master, data)

    def got(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += os.read(self.master, count - len(data))
        return data

    def unplug(self) -> None:
        os.close(self.master)

    def close(self) -> None:
        for one in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(one)


class Tcp:
    """A device on a TCP port that takes one connection."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.path = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        self._client: socket.socket | None = None

    @property
    def client(self) -> socket.socket:
        if self._client is None:
            self._client, _ = self.listener.accept()
        return self._client

    def send(self, data: bytes) -> None:
        self.client.sendall(data)

    def got(self, count: int) -> bytes:
        return self.client.recv(count, socket.MSG_WAITALL)

    def unplug(self) -> None:
        self.client.close()

    def close(self) -> None:
        self.listener.close()
        if self._client:
            self._client.close()


class Converter(Pty):
    """A serial-to-network converter in front of a pseudo-terminal."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = contextlib.ExitStack()
        self.path = self._stack.enter_context(converter(self.path))

    def close(self) -> None:
        self._stack.close()
        super().close()


class PlainPort(serial.Serial):
    """A port without modem lines, which a pseudo-terminal does not have."""

    def _update_dtr_state(self) -> None:
        pass

    _update_rts_state = _update_dtr_state


@contextlib.contextmanager
def converter(port: str) -> Iterator[str]:
    """An RFC 2217 server for one client in front of a serial port; its address."""
    device = PlainPort(port, timeout=0.05)
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        client, _ = listener.accept()
        lock = threading.Lock()

        class Connection:
            @staticmethod
            def write(data: bytes) -> None:
                with lock, contextlib.suppress(OSError):
                    client.sendall(data)

        manager = serial.rfc2217.PortManager(device, Connection)
        manager.check_modem_lines = lambda **_: None  # a pseudo-terminal has none

        def outwards() -> None:
            while not stop.is_set():
                with contextlib.suppress(serial.SerialException, OSError):
                    data = device.read(device.in_waiting or 1)
                    if data:
                        Connection.write(b"".join(manager.escape(data)))

        pump = threading.Thread(target=outwards)
        pump.start()
        with client:
            while True:
                data = client.recv(1024)
                if not data:
                    break
                device.write(b"".join(manager.filter(data)))
        stop.set()
        pump.join()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"rfc2217://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join(10)
        listener.close()
        device.close()


@pytest.fixture(params=[Pty, Tcp, Converter], ids=["serial", "tcp", "rfc2217"])
def ends(request):
    """(the device's end, an open transport)."""
    device = request.param()
    line = transports.transport(device.path)
    line.open()
    yield device, line
    line.close()
    device.close()


# -- addresses


@pytest.mark.parametrize(("text", "address"), [
    ("tcp://10.0.0.5:7778", Address("tcp", "10.0.0.5", 7778)), ("10.0.0.5:7778", Address("tcp", "10.0.0.5", 7778)),
    (" TCP://till.local:7778 ", Address("tcp", "till.local", 7778)), ("tcp://[::1]:80", Address("tcp", "::1", 80)),
    ("/dev/ttyUSB0", Address("serial", "/dev/ttyUSB0")), ("COM3", Address("serial", "COM3")),
    ("/dev/ttyUSB0?baud=9600", Address("serial", "/dev/ttyUSB0", 0, {"baud": "9600"})),
    ("com12?baud=4800&parity=e", Address("serial", "com12", 0, {"baud": "4800", "parity": "e"})),
    ("rfc2217://10.0.0.7:4001?baud=57600", Address("rfc2217", "10.0.0.7", 4001, {"baud": "57600"})),
])
def test_addresses(text, address):
    assert parse(text) == address


@pytest.mark.parametrize("text", ["", "tcp://", "tcp://10.0.0.5", "tcp://10.0.0.5:99999", "tcp://:7778", "http://x:1",
                                  "ttyUSB0", "COM", "/dev/ttyUSB0?baud=fast", "/dev/ttyUSB0?speed=9600",
                                  "COM3?parity=X", "rfc2217://x", "loop://"])
def test_what_is_no_address_is_said_in_words(text):
    with pytest.raises(BadAddress) as caught:
        parse(text)
    assert isinstance(caught.value.reason, Text)
    assert "{" not in caught.value.reason.say("ru") + caught.value.reason.say("en")


# -- bytes


def test_bytes_pass_in_both_directions(ends):
    device, line = ends
    every = bytes(range(256)) * 8
    line.write(every, 5)
    assert device.got(len(every)) == every
    device.send(every)
    assert line.read(1000, 5) + line.read(len(every) - 1000, 5) == every


def test_read_some_takes_what_is_there(ends):
    device, line = ends
    device.send(b"abc")
    got = b""
    while len(got) < 3:
        got += line.read_some(2, 5)
    assert got == b"abc"


def test_a_read_that_lacks_bytes_times_out_and_hands_over_what_came(ends):
    device, line = ends
    device.send(b"ab")
    begun = time.monotonic()
    with pytest.raises(TransportTimeout) as caught:
        line.read(3, 0.3)
    assert 0.25 < time.monotonic() - begun < 3
    assert (caught.value.partial, caught.value.code) == (b"ab", "timeout")
    assert line.address in str(caught.value)
    device.send(b"c")
    assert line.read(1, 5) == b"c"


def test_nothing_at_all_times_out(ends):
    _, line = ends
    with pytest.raises(TransportTimeout):
        line.read_some(10, 0.05)
    with pytest.raises(TransportTimeout):
        line.read(1, 0)


def test_draining_takes_late_bytes_until_silence(ends):
    device, line = ends
    device.send(b"one")

    def late() -> None:
        time.sleep(0.1)
        device.send(b"two")

    thread = threading.Thread(target=late)
    thread.start()
    assert line.drain(0.4) == b"onetwo"
    thread.join()
    assert line.drain(0.05) == b""


def test_draining_a_line_that_never_falls_silent_ends(ends):
    device, line = ends
    stop = threading.Event()

    def babble() -> None:
        while not stop.is_set():
            device.send(b"x")
            time.sleep(0.02)

    thread = threading.Thread(target=babble)
    thread.start()
    with pytest.raises(TransportTimeout) as caught:
        line.drain(0.3, limit=0.6)
    stop.set()
    thread.join()
    assert caught.value.partial.startswith(b"xx")


def test_closing_twice_and_using_what_is_closed(ends):
    _, line = ends
    line.close()
    line.close()
    for call in (lambda: line.write(b"x", 1), lambda: line.read(1, 1), lambda: line.read_some(1, 1),
                 lambda: line.drain(0.1)):
        with pytest.raises(TransportClosed):
            call()


def test_late_bytes_of_an_old_connection_are_forgotten():
    device = Tcp()
    line = transports.transport(device.path)
    line.open()
    device.send(b"late")
    assert line.read(1, 5) == b"l"
    device._client, old = None, device._client
    line.open()
    with pytest.raises(TransportTimeout):
        line.read(1, 0.05)
    line.close()
    old.close()
    device.close()


@pytest.mark.parametrize("kind", [Pty, Tcp], ids=["serial", "tcp"])
def test_a_peer_that_goes_is_noticed(kind):
    device = kind()
    line = transports.transport(device.path)
    line.open()
    device.send(b"bye")
    assert line.read(3, 5) == b"bye"
    device.unplug()
    with pytest.raises(TransportClosed) as caught:
        line.read(1, 5)
    assert caught.value.code == "lost" and line.address in str(caught.value)
    with pytest.raises(TransportError):
        for _ in range(20):
            line.write(b"x", 1)
    line.close()
    device.close()


@pytest.mark.parametrize("kind", [Pty, Tcp], ids=["serial", "tcp"])
def test_a_peer_that_does_not_take_bytes_times_out(kind):
    device = kind()
    line = transports.transport(device.path)
    line.open()
    with pytest.raises(TransportTimeout):
        for _ in range(100):
            line.write(b"x" * 1_000_000, 0.2)
    line.close()
    device.close()


def test_a_process_with_very_many_files_still_talks():
    """``select`` knows the first 1,024 alone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(2048, hard)), hard))
    others = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        device = Pty()
        line = transports.transport(device.path)
        line.open()
        line.write(b"hello", 1.0)
        assert device.got(5) == b"hello"
        device.send(b"there")
        assert line.read(5, 2.0) == b"there"
        line.close()
        device.close()
    finally:
        for one in others:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# -- opening


def test_a_serial_port_has_one_owner():
    device = Pty()
    first, second = transports.transport(device.path), transports.transport(device.path)
    first.open()
    with pytest.raises(TransportClosed) as caught:
        second.open()
    assert caught.value.code == "in_use"
    first.close()
    second.open()
    second.close()
    device.close()


@pytest.mark.parametrize(("address", "code"), [
    ("tcp://127.0.0.1:1", "refused"), ("tcp://no-such-host.invalid:80", "no_host"), ("/dev/no-such-port", "no_port"),
    ("rfc2217://127.0.0.1:1", "refused")])
def test_what_cannot_be_opened_is_said_in_words(address, code):
    line = transports.transport(address)
    with pytest.raises(TransportClosed) as caught:
        line.open()
    assert caught.value.code == code
    for language in ("ru", "en"):
        said = caught.value.reason.say(language)
        assert address in said and "{" not in said


def test_a_host_that_never_answers_is_given_up():
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = listener.getsockname()[1]
    crowd = []
    with contextlib.suppress(OSError):
        for _ in range(4):  # until the backlog is full and connecting hangs
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
            crowd.append(one)
    line = transports.transport(f"tcp://127.0.0.1:{port}", connect=0.3)
    begun = time.monotonic()
    with pytest.raises(TransportClosed) as caught:
        line.open()
    assert caught.value.code == "timeout"
    assert time.monotonic() - begun < 5
    for one in (*crowd, listener):
        one.close()


def test_no_right_to_a_port(tmp_path, monkeypatch):
    port = tmp_path / "tty"
    port.touch()

    def denied(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(serial.serialposix.os, "open", denied)
    with pytest.raises(TransportClosed) as caught:
        transports.transport(str(port)).open()
    assert caught.value.code == "no_right" and "dialout" in str(caught.value)


def test_the_speed_of_the_address_is_set():
    device = Pty()
    line = transports.transport(f"{device.path}?baud=9600&parity=E&stop=2&bits=7")
    line.open()
    assert (line._port.baudrate, line._port.parity, line._port.stopbits, line._port.bytesize) == (9600, "E", 2, 7)
    line.close()
    device.close()
