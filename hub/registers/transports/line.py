"""What all lines share: a buffer, deadlines, and sentences about what broke."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

from hub.fiscal import Text
from hub.registers.transports.address import Address


class TransportError(Exception):
    """Something on the wire broke. ``code``: refused, no_host, no_port, no_right, in_use, lost, timeout, failed."""

    def __init__(self, reason: Text, code: str) -> None:
        super().__init__(str(reason))
        self.reason, self.code = reason, code


class TransportClosed(TransportError):
    """There is no connection (any more): it could not be made, or the peer is gone."""


class TransportTimeout(TransportError):
    """The time ran out. ``partial`` is what had come by then; it is taken out of the line."""

    def __init__(self, reason: Text, partial: bytes = b"") -> None:
        super().__init__(reason, "timeout")
        self.partial = partial


class Line(ABC):
    """What all lines share: a buffer, deadlines on the monotonic clock, sentences about what broke."""

    def __init__(self, address: Address) -> None:
        self.parts = address
        self._late = bytearray()

    @property
    def address(self) -> str:
        if self.parts.kind == "serial":
            return self.parts.place
        host = f"[{self.parts.place}]" if ":" in self.parts.place else self.parts.place
        return f"{self.parts.kind}://{host}:{self.parts.port}"

    @abstractmethod
    def _receive(self, limit: int, timeout: float) -> bytes:
        """Some bytes, at most ``limit``, or none when ``timeout`` passed. TransportClosed when the peer is gone."""

    def read(self, count: int, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        while len(self._late) < count:
            left = deadline - time.monotonic()
            chunk = self._receive(count - len(self._late), max(left, 0.0))
            if not chunk and left <= 0:
                raise self._silent(timeout, self._take(count))
            self._late += chunk
        return self._take(count)

    def read_some(self, limit: int, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        while not self._late:
            left = deadline - time.monotonic()
            self._late += self._receive(limit, max(left, 0.0))
            if not self._late and left <= 0:
                raise self._silent(timeout, b"")
        return self._take(limit)

    def drain(self, quiet: float, limit: float = 5.0) -> bytes:
        deadline = time.monotonic() + limit
        taken = bytearray()
        while time.monotonic() < deadline:
            try:
                taken += self.read_some(65536, quiet)
            except TransportTimeout:
                return bytes(taken)
        raise TransportTimeout(Text(
            "The line {address} does not fall silent. Check that nothing else talks to the register.",
            "Линия {address} не умолкает. Проверьте, что с кассой не работает другая программа.",
            params={"address": self.address}), bytes(taken))

    def _take(self, limit: int) -> bytes:
        part = bytes(self._late[:limit])
        del self._late[:limit]
        return part

    def _silent(self, timeout: float, partial: bytes) -> TransportTimeout:
        return TransportTimeout(Text("{address} did not answer within {seconds} s.",
                                     "{address} не отвечает {seconds} с.",
                                     params={"address": self.address, "seconds": f"{timeout:g}"}), partial)

    def _lost(self, problem: object) -> TransportClosed:
        return TransportClosed(Text(
            "The connection to {address} is lost ({why}). Check the cable and that the register is switched on.",
            "Связь с {address} потеряна ({why}). Проверьте кабель и включена ли касса.",
            params={"address": self.address, "why": str(problem)}), "lost")

    def _unopened(self, code: str, problem: object = "") -> TransportClosed:
        words = _UNOPENED[code].with_(address=self.address, why=str(problem))
        return TransportClosed(words, "no_port" if code == "no_usb" else code)


_UNOPENED = {
    "refused": Text("{address} refuses the connection. Switch the register on and check the port in its settings.",
                    "{address} не принимает соединение. Включите кассу и проверьте порт в её настройках."),
    "no_host": Text("There is no {address} in the network. Check the address.",
                    "В сети нет {address}. Проверьте адрес."),
    "timeout": Text("{address} does not answer. Check the address and that the register is switched on.",
                    "{address} не отвечает. Проверьте адрес и включена ли касса."),
    "no_port": Text("There is no port {address}. Check that the cable is plugged in.",
                    "Порта {address} нет. Проверьте, подключён ли кабель."),
    "no_usb": Text("The USB port {why} of {address} is not there. Check that the cable is plugged in.",
                   "USB-порта {why} ({address}) нет. Проверьте, подключён ли кабель."),
    "no_right": Text("The hub has no right to open {address}. Add its user to the group that owns the port "
                     "(dialout on Debian).",
                     "У хаба нет прав на {address}. Добавьте его пользователя в группу порта (в Debian это dialout)."),
    "in_use": Text("{address} is in use by another program. Close that program.",
                   "{address} занят другой программой. Закройте её."),
    "failed": Text("{address} cannot be opened: {why}.", "{address} не открывается: {why}."),
}
