"""The register with its wire and its power switch: bytes in, bytes out (protocol.py), bad days included (faults.py).

One thread feeds it; people (the control port) may touch it at any time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from hub_plugins.drivers.emulator import errors, protocol
from hub_plugins.drivers.emulator.engine import Answer, Engine, Halted
from hub_plugins.drivers.emulator.errors import DeviceError
from hub_plugins.drivers.emulator.faults import CableCut, PowerCut, Strike, Strikes, is_condition
from hub_plugins.drivers.emulator.protocol import ACK, ENQ, HEAD, NAK, STX, Frame

from hub.testing import strikes

_ACK, _NAK = bytes((ACK,)), bytes((NAK,))
PRINTING = frozenset({"shift_open", "shift_close", "x_report", "cash", "finish", "copy"})
CONTROL = frozenset((ENQ, ACK, NAK))
LARGEST_COMMAND = protocol.LARGEST // 2


class Device:
    """An :class:`Engine` behind its wire.

    ``emit`` takes the bytes that go out; ``cut`` is called when a power cut also cuts the connection; ``pause``
    lets time pass while the register works.
    """

    def __init__(self, engine: Engine, pause: Callable[[float], None] = time.sleep) -> None:
        self.engine, self.pause = engine, pause
        self.strikes = Strikes()
        self.powered = True
        self._life = 0
        self.emit: Callable[[bytes], None] = lambda data: None
        self.cut: Callable[[], None] = lambda: None
        self._lock = threading.RLock()
        self._holder: object | None = None
        self._handlers: dict[str, Callable[[dict[str, Any]], Answer]] = {
            name: getattr(engine, name) for name in (*protocol.CHANGING - {"clock"}, "hello", "state", "last", "read")}
        self._handlers["clock"] = engine.clock_set  # the attribute ``clock`` is where its time comes from
        self._forget()

    def _forget(self) -> None:
        self._buffer = bytearray()
        self._session = False
        self._done: tuple[int, int] | None = None
        self._answer = b""
        self._pending = self._working = False
        self._command = ""

    # -- power and connection ------------------------------------------------------------------------------------

    def take(self, holder: object) -> bool:
        """Connects ``holder``; False while somebody else is connected."""
        with self._lock:
            if self._holder not in (None, holder):
                return False
            self._holder = holder
            return True

    def release(self, holder: object) -> None:
        """``holder`` has gone."""
        with self._lock:
            if self._holder is holder:
                self._holder = None

    def connected(self) -> None:
        """Somebody has connected: nothing of the one before counts any more."""
        self._forget()

    def power_off(self, reset: bool = False) -> None:
        """The power is cut; what was in the air is gone."""
        self.powered = False
        self._life += 1
        self._forget()
        if reset:
            self.cut()

    def power_on(self) -> None:
        """Power returns: the register reads its journal again. Its network has forgotten every connection."""
        if not self.powered:
            self._forget()
            self.engine.reload()
            self.cut()
            self.powered = True

    # -- bytes ---------------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Takes bytes from the line and answers them. Returns when all that they caused is done."""
        with self._lock:
            if not self.powered or "frozen" in self.engine.conditions:
                return
            life = self._life
            struck = self.strikes.bytes_left("in", len(data)) if self.strikes.waiting else None
            try:
                if struck:
                    # The byte at which the power goes is not acted upon: only what came before it is.
                    self._work(data[: max(struck[0] - 1, 0)])
                    raise _cut(struck[1])
                self._work(data)
            except PowerCut as cut:
                self._end(cut, life)
            except Halted:
                self.power_off()
            finally:
                self.engine.trap = None

    @property
    def in_hand(self) -> bool:
        """Whether a command is at work, an answer not acknowledged, or a receipt begun."""
        return self.powered and (self._working or self._pending or self.engine.document is not None)

    def due(self) -> float | None:
        """A frame that has begun is given up after ``protocol.QUIET`` seconds of silence."""
        return protocol.QUIET if self._buffer else None

    def quiet(self) -> None:
        """The line was silent for ``protocol.QUIET`` seconds: a frame that stopped in the middle is given up."""
        with self._lock:
            if self._buffer and self.powered:
                self._buffer.clear()
                try:
                    self._send(_NAK)
                except PowerCut as cut:
                    self._end(cut, self._life)

    def _end(self, cut: PowerCut, life: int) -> None:
        """What is left when the cable or the power went; nothing changes when somebody pulled the plug meanwhile."""
        if self._life != life:
            return
        if isinstance(cut, CableCut):
            self._forget()
            self.cut()
        else:
            self.power_off(cut.reset)

    tick = quiet

    def _work(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        while buffer and self.powered:
            first = buffer[0]
            if first != STX:
                del buffer[0]
                if first in CONTROL:
                    self._control(first)
                continue
            if len(buffer) < HEAD.size:
                return
            size = protocol.size(buffer)
            if not size:
                buffer.clear()
                self._send(_NAK)
                return
            if len(buffer) < size:
                return
            whole = bytes(buffer[:size])
            del buffer[:size]
            self._frame(whole)

    def _control(self, byte: int) -> None:
        if byte == ACK:
            self._pending = False
        elif byte == ENQ:
            self._send(_ACK + self._on_the_wire() if self._pending else _NAK)
        elif self._pending:
            self._send(self._on_the_wire())

    def _send(self, data: bytes) -> None:
        struck = self.strikes.bytes_left("out", len(data)) if self.strikes.waiting else None
        if struck is None:
            self.emit(data)
            return
        if struck[0]:
            self.emit(data[: struck[0]])
        raise _cut(struck[1])

    def _pass(self, seconds: float) -> None:
        """Time passes at work. What comes after it does not happen when somebody pulls the plug meanwhile."""
        life = self._life
        self.pause(seconds)
        if self._life != life:
            raise PowerCut

    # -- frames --------------------------------------------------------------------------------------------------

    def _frame(self, whole: bytes) -> None:
        if self.strikes.waiting and self._struck_frame(whole):
            return
        frame = protocol.unpack(whole)
        if frame is None:
            self._send(_NAK)
            return
        if self._session and self._done == (frame.sequence, frame.crc):
            self._pending = True
            self._send(_ACK + self._on_the_wire())
            return
        self._pending, self._working = False, True
        self._send(_ACK)
        life = self._life
        answer, command = self._execute(frame)
        if self._life != life:  # somebody pulled the plug meanwhile
            raise PowerCut
        self._answer = protocol.pack(frame.sequence, answer)
        self._done, self._pending, self._working = (frame.sequence, frame.crc), True, False
        if self.strikes.waiting:
            self._struck_answer(command)
        else:
            self._send(self._answer)

    def _execute(self, frame: Frame) -> tuple[Answer, str]:
        command = ""
        try:
            request = protocol.read_body(frame.body)
            command = str(request.get("c"))
            if len(frame.body) > LARGEST_COMMAND:  # what it becomes in the storage must fit into an answer
                raise ValueError("too large")
            handler = self._handlers.get(command)
            if handler is None:
                raise DeviceError(errors.UNKNOWN_COMMAND)
            self._command = self.strikes.command = command
            if command == "begin":
                self.strikes.key = str(request.get("key") or "")
            if command == "hello":
                self._session = True
            elif not self._session:
                raise DeviceError(errors.NO_SESSION)
            if self.strikes.waiting:
                self._struck_before(command)
            answer = handler(request)
            if self.strikes.waiting and command == "finish" and self.strikes.take("paper_after", command):
                self.engine.conditions.add("no_paper")
                self.engine.interrupted = answer["cut_short"] = True
            if self.engine.seconds_per_receipt and command in PRINTING:
                self._pass(self.engine.seconds_per_receipt)
            return answer, command
        except DeviceError as refused:
            return {"e": refused.code, "p": refused.params}, command
        except (KeyError, TypeError, ValueError, ArithmeticError) as problem:
            return {"e": errors.BAD_REQUEST, "p": {"why": repr(problem)}}, command

    # -- strikes -------------------------------------------------------------------------------------------------

    def _struck_frame(self, whole: bytes) -> bool:
        """Strikes that hit a command before it is understood. True when it is dealt with."""
        request = _request(protocol.unpack(whole))
        command = str(request.get("c"))
        if command == "begin":
            self.strikes.key = str(request.get("key") or "")
        if self.strikes.take("freezes", command):
            self.engine.conditions.add("frozen")
            return True
        if self.strikes.take("swallowed", command):
            return True
        if self.strikes.take("noise", command):
            self._send(_NAK)
            return True
        return False

    def _struck_before(self, command: str) -> None:
        slow = self.strikes.take("slow", command)
        if slow:
            self._pass(slow.seconds)
        refused = self.strikes.take("refuse", command)
        if refused:
            raise DeviceError(refused.code)
        if command == "finish" and self.strikes.take("paper_middle", command):
            self.engine.conditions.add("no_paper")
            self.engine.interrupted = True
        self.engine.trap = lambda point, line: self._trapped(command, point, line)

    def _trapped(self, command: str, point: str, line: bytes) -> None:
        if point == "before_write":
            torn = self.strikes.take("power_cut", command, "mid_write")
            if torn:
                self.engine.journal.tear(line[: len(line) // 2])
            struck = torn or self.strikes.take("power_cut", command, "before_write")
        else:
            struck = self.strikes.take("power_cut", command, "after_write")
        if struck:
            raise PowerCut(struck.reset)

    def _struck_answer(self, command: str) -> None:
        if self.strikes.take("lost_answer", command):
            self._pending, self._done = False, None
            return
        late = self.strikes.take("late_answer", command)
        if late:
            self._pass(late.seconds)
        self._send(self._on_the_wire())
        if self.strikes.take("double_answer", command):
            self._send(self._answer)

    def _on_the_wire(self) -> bytes:
        """The answer that waits to be acknowledged, as noise leaves it."""
        answer = self._answer
        if self.strikes.waiting and self.strikes.take("garbled_answer", self._command):
            middle = len(answer) // 2
            answer = answer[:middle] + bytes((answer[middle] ^ 0x55,)) + answer[middle + 1:]
        return answer

    # -- what people do ------------------------------------------------------------------------------------------

    def fault(self, kind: str, **details: Any) -> None:
        """Switches a condition on (``on=False``: off) or adds a strike."""
        if is_condition(kind):
            change = self.engine.conditions.add if details.pop("on", True) else self.engine.conditions.discard
            if details:
                raise ValueError(f"{kind} takes only on")
            change(kind)
        else:
            self.strikes.add(Strike.read({"kind": kind, **details}))

    def heal(self) -> None:
        """No condition and no strike any more."""
        self.engine.conditions.clear()
        self.strikes.waiting.clear()


def _request(frame: Frame | None) -> dict[str, Any]:
    try:
        return protocol.read_body(frame.body) if frame else {}
    except ValueError:
        return {}


def _cut(strike: strikes.Strike) -> PowerCut:
    return CableCut() if strike.kind == "cable_cut" else PowerCut(strike.reset)
