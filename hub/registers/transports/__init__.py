"""Wires to registers: a serial port, a TCP socket, a serial port behind an RFC 2217 server.

One address text chooses among them:

    tcp://192.168.1.50:7778            also written without tcp://
    /dev/ttyUSB0?baud=115200           also COM3, /dev/serial/by-id/..., a pty
    rfc2217://10.0.0.7:4001?baud=9600  a serial-to-network converter that speaks RFC 2217

A serial address may name its USB port as well, ``/dev/ttyUSB0?usb=0403:6001:A50285BI``: vendor, product and, where it
has one, serial number. The port is then found wherever the system calls it after a restart or another cable. Without
it a port behind which a register was once found is found again by the same numbers, after a restart too.

Every call has a timeout in seconds; every error says in words what broke (``reason``) and in one word what kind of
break it was (``code``). A transport is used by one thread and belongs to one owner: serial ports are locked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from hub.contracts.wire import Transport
from hub.registers.transports.address import Address, BadAddress, Kind, parse
from hub.registers.transports.line import TransportClosed, TransportError, TransportTimeout
from hub.registers.transports.serial_line import BAUD, STEP, SerialTransport
from hub.registers.transports.tcp import CONNECT, TcpTransport

Wrap = Callable[[Transport], Transport]
_wraps: ContextVar[tuple[Wrap, ...]] = ContextVar("wraps", default=())


def transport(text: str, connect: float = CONNECT) -> Transport:
    """The transport that an address text chooses, not yet open. BadAddress when it names none."""
    address = parse(text)
    line: Transport = TcpTransport(address, connect) if address.kind == "tcp" else SerialTransport(address)
    for wrap in _wraps.get():
        line = wrap(line)
    return line


@contextmanager
def wrapped(wrap: Wrap) -> Iterator[None]:
    """Puts ``wrap`` around every transport that is made inside: a log of the bytes, a fault, a recording that plays.
    It holds for this thread, whose driver need not know of it."""
    before = _wraps.get()
    token = _wraps.set((*before, wrap))
    try:
        yield
    finally:
        _wraps.reset(token)


__all__ = ["BAUD", "CONNECT", "STEP", "Address", "BadAddress", "Kind", "SerialTransport", "TcpTransport", "Transport",
           "TransportClosed", "TransportError", "TransportTimeout", "Wrap", "parse", "transport", "wrapped"]
