"""``hub devices record`` and ``hub devices replay``: a look at a register as a file for a bug report, and that file
played without any register: against its driver here, or on a line of its own against a hub at work.

The look only reads: who it is, its state, its last document, the settings that receipts depend on. Its file holds no
personal data (:meth:`hub.contracts.Driver.masked`). What a register at work says is taken from its card instead: its
byte log is the same kind of file.
"""

from __future__ import annotations

import json
import signal
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hub import devices
from hub.config import Config
from hub.contracts import Driver, RegisterGone, Transport, load
from hub.fiscal import Text
from hub.plugins import discover
from hub.registers import discovery, transports
from hub.registers.deck import Deck
from hub.registers.health import status_json
from hub.registers.recording import BadRecording, Played, Recorder, Recording, Turn
from hub.testing.context import RegisterContext
from hub.testing.lines import PtyLine, TcpLine

AT_WORK = Text(
    "“{title}” is at work at {address}, so it is not opened. Switch its byte log on, on its card: that is such a file, "
    "too.",
    "По адресу {address} работает «{title}», порт не открыт. Включите журнал обмена на её карточке: он того же вида.")
NOBODY = Text("Nobody answers at {address}. Name the driver with --driver to record even that.",
              "По адресу {address} никто не отвечает. Чтобы записать и это, назовите драйвер: --driver.")
NO_DRIVER = Text("There is no driver “{name}” for registers on a wire.", "Драйвера «{name}» для касс на проводе нет.")


class Unfit(Exception):
    """What was asked cannot be done: ``reason`` says why."""

    def __init__(self, reason: Text) -> None:
        super().__init__(str(reason))
        self.reason = reason


def record(config: Config, address: str, file: Path, driver: str = "") -> list[str]:
    """Looks at the register at ``address`` and writes what passed to ``file``; what was seen, for a terminal. Raises
    Unfit, BadAddress, DatabaseAway, OSError."""
    drivers = discover(config.plugins_off).drivers
    place = discovery.Place(address, address, transports.parse(address))
    known = devices.known(config)
    owner = discovery.owners(known, [place]).get(place.key)
    if owner is not None:
        raise Unfit(AT_WORK.with_(title=owner.title, address=address))
    if not driver:
        found = discovery.ask(place, [one for one in drivers.values() if one.probing.bauds or one.probing.addresses])
        if found.state != "found":
            raise Unfit(found.reason or NOBODY.with_(address=address))
        driver, address = found.driver, found.text
    kind = _kind(drivers, driver)
    turns: list[Turn] = []
    recorder = Recorder(turns.append, kind.masked)
    seen = _look(kind, address, recorder.around)
    recorder.flush()
    file.write_text(Recording(tuple(turns), driver, address).text(), "utf-8")
    return seen


def replay(config: Config, file: Path) -> tuple[list[str], str]:
    """Plays a recording against its driver: what the driver saw, and where it said something else than was recorded
    (empty when nowhere). Raises Unfit, BadRecording, OSError."""
    recording = Recording.read(file.read_text("utf-8"))
    kind = _kind(discover(config.plugins_off).drivers, recording.driver)
    played = Played(recording, kind.masked)
    seen = _look(kind, "tcp://127.0.0.1:1", lambda line: played)
    return seen, played.differs


def serve(config: Config, file: Path, port: int | None, say: Callable[[str], None]) -> tuple[list[str], str]:
    """Plays a recording to whoever connects, a hub at work say: on a TCP port (0 takes a free one), without one on a
    pseudo-terminal. ``say`` hears the address as JSON, then everything that was not recorded like that. Until SIGTERM
    or Ctrl-C. Raises Unfit, BadRecording, OSError."""
    recording = Recording.read(file.read_text("utf-8"))
    kind = _kind(discover(config.plugins_off).drivers, recording.driver)
    deck = Deck(recording, kind.masked, say, kind.unheard)
    line = PtyLine(deck) if port is None else TcpLine(deck, "127.0.0.1", port)
    done = threading.Event()
    before = [(number, signal.signal(number, lambda *_: done.set())) for number in (signal.SIGTERM, signal.SIGINT)]
    line.start()
    say(json.dumps({"ready": line.address, "turns": len(deck.tape), "driver": recording.driver}))
    done.wait()
    line.stop()
    for number, handler in before:
        signal.signal(number, handler)
    return [f"said otherwise than on the tape: {deck.strange}"], ""


def _kind(drivers: dict[str, type[Driver]], name: str) -> type[Driver]:
    kind = drivers.get(name)
    if kind is None or "address" not in kind.settings().fields:
        raise Unfit(NO_DRIVER.with_(name=name))
    return kind


def _look(kind: type[Driver], address: str, around: Callable[[Transport], Transport]) -> list[str]:
    """Reads what there is to read, each thing in a line; a driver that stumbles says so, and the bytes are there."""
    seen: list[str] = []

    def read(title: str, call: Callable[[], Any]) -> Any:
        try:
            value = call()
        except RegisterGone as problem:
            seen.append(f"{title}: {problem.reason}")
            return None
        except Exception as problem:  # what a bug report is about
            seen.append(f"{title}: {type(problem).__name__}: {problem}")
            return None
        seen.append(f"{title}: {_plain(value)}")
        return value

    with tempfile.TemporaryDirectory() as folder, transports.wrapped(around):
        driver = kind(load(kind.settings, {"address": address}), RegisterContext(folder))
        try:
            if read("open", driver.open) is not None:
                read("status", driver.status)
                mark = read("bookmark", driver.bookmark)
                read("checks", driver.checks)
                if mark is not None and mark.document_number and driver.abilities().reads_documents:
                    read("document", lambda: driver.read_document(mark.document_number))
        finally:
            with suppress(Exception):
                driver.close()
    return seen


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return "; ".join(f"{one.title} = {one.found} ({one.level})" for one in value) or "-"
    if hasattr(value, "at_rest"):
        value = status_json(value)
    elif hasattr(value, "__dataclass_fields__"):
        value = asdict(value)
    return ", ".join(f"{name}={one}" for name, one in value.items() if one not in (None, "", b"")) \
        if isinstance(value, dict) else str(value)


__all__ = ["BadRecording", "Unfit", "record", "replay", "serve"]
