"""The simulated register with its wire and its power switch: bytes in, bytes out (reference §1.1, §2).

One thread feeds it; people (the control port) may touch it at any time. What takes time (executing, an answer that is
late) waits for :meth:`Device.tick`, so that ENQ is heard meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub_plugins.drivers.shtrih_m import simulated_commands as commands
from hub_plugins.drivers.shtrih_m.simulated_errors import Halted
from hub_plugins.drivers.shtrih_m.simulated_faults import PowerCut, Strike, Strikes, is_condition
from hub_plugins.drivers.shtrih_m.simulated_frames import (
    ACK,
    ENQ,
    NAK,
    NOISE,
    START,
    STX,
    Packet,
    Packets,
    frame,
    lrc,
    packet,
)
from hub_plugins.drivers.shtrih_m.simulated_models import PROTOCOL_2
from hub_plugins.drivers.shtrih_m.simulated_register import Register

_ACK, _NAK, _NOISE = bytes((ACK,)), bytes((NAK,)), bytes((NOISE,))
#: Bytes of an exchange beside the two DATA: ENQ, NAK, two frames of STX, LEN and LRC, two ACK.
EXCHANGE = 10
#: How tag 1192 begins.
KEY_TAG = (1192).to_bytes(2, "little")
#: Commands at which paper_middle strikes.
LINES = frozenset({"8D", "80", "81", "82", "83", "FF46", "FF0D"})


@dataclass(slots=True)
class Work:
    """A command that is executing, or an answer on its way: what happens at ``at`` (monotonic seconds)."""

    at: float
    data: bytes = b""
    number: int = -1
    answer: bytes | None = None
    repeats: int = 0


class Device:
    """A :class:`Register` behind its wire.

    ``noise``: one FF after the host's ACK, as over TCP; ``keeps_answer``: an answer that nobody acknowledged outlives a
    TCP connection; ``byte_timeout``: seconds between bytes, None takes the register's own setting.
    """

    def __init__(self, register: Register, noise: bool = False, keeps_answer: bool = True,
                 byte_timeout: float | None = None, tcp: bool = False) -> None:
        self.register, self.strikes = register, Strikes()
        self.noise, self.keeps_answer, self.tcp = noise, keeps_answer, tcp
        self._byte_timeout = byte_timeout
        self.powered = True
        self._life = 0
        self._power_at: float | None = None
        self._plug_at: float | None = None
        self.emit: Callable[[bytes], None] = lambda data: None
        self.cut: Callable[[], None] = lambda: None
        #: The line's own cable, when it can be pulled out.
        self.pull: Callable[[], None] = lambda: None
        self.push: Callable[[], None] = lambda: None
        self._lock = threading.RLock()
        self.heard = self.said = 0
        #: Command -> how often it was executed, and the bytes of its exchanges: ENQ, NAK, frame, ACK, answer, ACK.
        self.exchanges: dict[str, list[int]] = {}
        self._forget()

    def _forget(self) -> None:
        self._buffer = bytearray()
        self._packets = Packets()
        self._protocol = 0
        self._fresh = True
        self._work: Work | None = None
        self._answer: bytes | None = None
        self._acked_by = 0.0
        self._number = 0
        self._last: bytes = b""
        self._name = ""

    # -- power and connection ------------------------------------------------------------------------------------

    def connected(self) -> None:
        """Somebody has connected over TCP: silent until ENQ."""
        with self._lock:
            self._buffer.clear()
            self._packets.clear()
            self._fresh, self._protocol = True, 0
            if not self.keeps_answer and self._work is None:
                self._answer = None

    def power_off(self, reset: bool = False, seconds: float = 0.0) -> None:
        """The power is cut; what was in the air is gone."""
        self.powered = False
        self._life += 1
        self._power_at = self.register.monotonic() + seconds if seconds else None
        self._forget()
        if reset:
            self.cut()

    def power_on(self) -> None:
        """Power returns: the register reads its journal again. Its network has forgotten every connection."""
        with self._lock:
            if not self.powered:
                self._forget()
                self.register.reload(woken=True)
                self.cut()
                self.powered, self._power_at = True, None

    def unplug(self, seconds: float = 0.0, hard: bool = False) -> None:
        """The cable is out; ``hard``: a serial adapter is pulled out of the computer, so that its port is gone."""
        self.register.conditions.add("unplugged")
        self._plug_at = self.register.monotonic() + seconds if seconds else None
        self._buffer.clear()
        self._packets.clear()
        self.cut()
        if hard:
            self.pull()

    def plug(self) -> None:
        """The cable is in again."""
        self.register.conditions.discard("unplugged")
        self._plug_at = None
        self.push()

    # -- time ----------------------------------------------------------------------------------------------------

    @property
    def byte_timeout(self) -> float:
        """Seconds of silence after which a frame is given up."""
        if self._byte_timeout is not None:
            return self._byte_timeout
        code = self.register.port[1]
        milliseconds = code if code <= 150 else (code - 149) * 150 if code <= 249 else (code - 248) * 15_000
        return max(milliseconds, 1) / 1000

    @property
    def in_hand(self) -> bool:
        """Whether a command is at work, an answer not acknowledged, or a receipt open."""
        return self.powered and (self._work is not None or self._answer is not None
                                 or self.register.receipt is not None)

    def due(self) -> float | None:
        """In how many seconds something happens by itself."""
        now, found = self.register.monotonic(), []
        if self._work is not None:
            found.append(self._work.at - now)
        if self._buffer or self._packets.midway:
            found.append(self.byte_timeout)
        found += [at - now for at in (self._power_at, self._plug_at) if at is not None]
        return max(min(found), 0.0) if found else None

    def tick(self) -> None:
        """The line was silent for as long as :meth:`due` said."""
        with self._lock:
            now = self.register.monotonic()
            if self._power_at is not None and now >= self._power_at:
                self.power_on()
            if self._plug_at is not None and now >= self._plug_at:
                self.plug()
            if not self.powered:
                return
            self._guarded(self._late)

    def _late(self) -> None:
        if self._work is not None:
            if self.register.monotonic() >= self._work.at:
                self._go_on()
        elif self._buffer and self._deaf():
            self._buffer.clear()
        elif self._buffer:
            self._buffer.clear()
            self._send(_NAK)
        self._packets.clear()

    def _deaf(self) -> bool:
        return bool(self.register.conditions & {"frozen", "unplugged"})

    # -- bytes ---------------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Takes bytes from the line and answers them."""
        with self._lock:
            if not self.powered or self._deaf():
                return
            self._guarded(lambda: self._take(data))

    def _guarded(self, act: Callable[[], None]) -> None:
        life = self._life
        try:
            act()
        except PowerCut as cut:
            if self._life == life:
                self.power_off(cut.reset, getattr(cut, "seconds", 0.0))
        except Halted:
            self.power_off()
        finally:
            self.register.trap = None

    def _take(self, data: bytes) -> None:
        struck = self.strikes.bytes_left("in", len(data)) if self.strikes.waiting else None
        if struck is not None:
            passed, strike = struck
            self.heard += passed
            if strike.kind == "power_cut":
                # The byte at which the power goes is not acted upon: only what came before it is.
                self._consume(data[:max(passed - 1, 0)])
                raise _power_cut(strike)
            # Nothing that the register says to these last bytes gets through either.
            self.register.conditions.add("unplugged")
            self._consume(data[:passed])
            self.unplug(strike.seconds)
            return
        self.heard += len(data)
        self._consume(data)

    def _send(self, data: bytes) -> None:
        if self._deaf():
            return
        waiting = self.strikes.waiting
        if waiting and data[0] in (ACK, NAK):
            stray = self.strikes.take("stray", "")
            if stray:
                data = _NOISE * max(stray.after, 1) + data
        struck = self.strikes.bytes_left("out", len(data)) if waiting else None
        if struck is None:
            self.said += len(data)
            self.emit(data)
            return
        passed, strike = struck
        self.said += passed
        if passed:
            self.emit(data[:passed])
        if strike.kind == "power_cut":
            raise _power_cut(strike)
        self.unplug(strike.seconds)

    def _consume(self, data: bytes) -> None:
        if self._protocol == 0:
            data = self._first(data)
        if self._protocol == 2:
            for one in self._packets.feed(data):
                self._packet(one)
        elif data:
            self._buffer += data
            self._stream()

    def _first(self, data: bytes) -> bytes:
        """The first byte that means something decides the protocol. Before it, protocol 1 is silent until ENQ."""
        for at, byte in enumerate(data):
            if byte == START and self.register.model.can(PROTOCOL_2):
                self._protocol = 2
                return data[at:]
            if byte == ENQ:
                self._protocol = 1
                return data[at:]
        return b""

    # -- protocol 1 ----------------------------------------------------------------------------------------------

    def _stream(self) -> None:
        buffer = self._buffer
        while buffer and self.powered:
            first = buffer[0]
            if self._work is not None:
                del buffer[0]
                if first == ENQ:
                    self._send(_ACK)  # "preparing an answer"; the answer itself follows
                continue
            if self._answer is not None:
                del buffer[0]
                self._pending(first)
                continue
            self._fresh = False
            if first != STX:
                del buffer[0]
                self._send(_NAK)
                continue
            if len(buffer) < 2:
                return
            size = buffer[1]
            if not size:
                buffer.clear()
                self._send(_NAK)
                return
            if len(buffer) < size + 3:
                return
            body, check = bytes(buffer[1:size + 2]), buffer[size + 2]
            del buffer[:size + 3]
            if lrc(body) == check:
                self._command(body[1:])
            else:
                self._send(_NAK)

    def _pending(self, byte: int) -> None:
        """An answer was sent and not acknowledged yet."""
        assert self._answer is not None
        in_time = self._acked_by and self.register.monotonic() <= self._acked_by
        if byte == ACK and in_time:
            if self.strikes.waiting and self.strikes.take("deaf", ""):
                return
            self._answer = None
            if self.noise:
                self._send(_NOISE)
        elif byte == ENQ:
            self._acked_by = self.register.monotonic() + self._ack_timeout()
            self._send(_ACK + self._on_the_wire(frame(self._answer)))
        else:
            self._acked_by = 0.0  # kept, until ENQ

    def _ack_timeout(self) -> float:
        return max(self.byte_timeout, 0.05)

    def _command(self, data: bytes) -> None:
        name = self.strikes.command = commands.name_of(data)
        if self.strikes.waiting and self._struck_frame(name):
            return
        self._send(_ACK)
        self._start(data, -1)

    # -- protocol 2 ----------------------------------------------------------------------------------------------

    def _packet(self, one: Packet) -> None:
        if self._work is not None:
            if one.number is not None and one.number == self._work.number:
                self._work.repeats += 1  # both copies are answered
            return
        if one.number is None or one.number != (self._number + 1) & 0xFFFF:
            self._send(packet(self._number, self._last))
            return
        if not one.data:
            return
        self.strikes.command = commands.name_of(one.data)
        if self.strikes.waiting and self._struck_frame(self.strikes.command):
            return
        self._start(one.data, one.number)

    # -- executing -----------------------------------------------------------------------------------------------

    def _struck_frame(self, name: str) -> bool:
        """Strikes that hit a command before it is executed. True when it is dealt with."""
        if self.strikes.take("swallowed", name):
            return True
        if self.strikes.take("nak", name):
            if self._protocol == 1:
                self._send(_NAK)
            return True
        if self.strikes.take("restart", name):
            self.power_off(True)
            self.power_on()
            return True
        return False

    def _start(self, data: bytes, number: int) -> None:
        name = commands.name_of(data)
        seconds = self.register.seconds(name)
        slow = self.strikes.take("slow", name) if self.strikes.waiting else None
        if slow:
            seconds += slow.seconds
        work = Work(self.register.monotonic() + seconds, data, number)
        if seconds:
            self._work = work
        else:
            self._execute(work)

    def _go_on(self) -> None:
        work, self._work = self._work, None
        assert work is not None
        if work.answer is None:
            self._execute(work)
        else:
            self._deliver(work, work.answer)

    def _execute(self, work: Work) -> None:
        name = self._name = commands.name_of(work.data)
        answer = b""
        if name == "8D" or KEY_TAG in work.data:
            self._note_key(name, work.data)
        if self.strikes.waiting:
            refused = self.strikes.take("refuse", name)
            if refused:
                head = work.data[:len(name) // 2]
                self.register.last_error = (refused.code, 0)
                answer = head + bytes((refused.code,))
            self.register.trap = lambda point, line: self._trapped(name, point, line)
        if not answer:
            answer = commands.execute(self.register, work.data)
            good = not answer[len(name) // 2:][:1].strip(b"\0")
            if self.strikes.waiting and good:
                self._struck_paper(name)
        self.register.trap = None
        count = self.exchanges.setdefault(name, [0, 0])
        count[0] += 1
        count[1] += len(work.data) + len(answer) + EXCHANGE
        if work.number >= 0:
            self._number, self._last = work.number, answer
        if self.strikes.waiting and self._struck_answer(name, work, answer):
            return
        self._deliver(work, answer)
        if self.strikes.waiting and self.strikes.take("double_answer", name):
            self._send(frame(answer) if work.number < 0 else packet(work.number, answer))
        if name == "FEF3":
            self.power_off(True)
            self.power_on()

    def _note_key(self, name: str, data: bytes) -> None:
        """The key of the receipt in hand, for :attr:`Strikes.hits`: what FF0C gives as tag 1192."""
        if name == "8D":
            self.strikes.key = ""
        elif name == "FF0C":
            start = data.index(KEY_TAG) + 4
            self.strikes.key = data[start:start + data[start - 2]].decode("cp866").rstrip()

    def _struck_paper(self, name: str) -> None:
        middle = name in LINES and self.strikes.take("paper_middle", name)
        if middle or (self.register.receipt is None and self.register.printed
                      and self.strikes.take("paper_after", name)):
            self.register.conditions.add("no_paper")
            self.register.interrupted = True

    def _struck_answer(self, name: str, work: Work, answer: bytes) -> bool:
        """Strikes that keep the answer from going out now."""
        if self.strikes.take("forgotten_answer", name):
            return True
        if self.strikes.take("lost_answer", name):
            if work.number < 0:
                self._answer, self._acked_by = answer, 0.0
            return True
        late = self.strikes.take("late_answer", name)
        if late:
            work.answer, work.at = answer, self.register.monotonic() + late.seconds
            self._work = work
            return True
        return False

    def _deliver(self, work: Work, answer: bytes) -> None:
        name = commands.name_of(work.data)
        whole = frame(answer) if work.number < 0 else packet(work.number, answer)
        if work.number < 0:
            self._answer = answer
            self._acked_by = self.register.monotonic() + self._ack_timeout()
        if self.strikes.waiting:
            if self.strikes.take("rubbish", name):
                whole = b"\xff\x00\x7e" + whole
            whole = self._on_the_wire(whole)
        self._send(whole)
        for _ in range(work.repeats):
            self._send(whole)

    def _on_the_wire(self, whole: bytes) -> bytes:
        """An answer as noise leaves it."""
        if self.strikes.waiting and self.strikes.take("garbled_answer", self._name):
            middle = len(whole) // 2
            whole = whole[:middle] + bytes((whole[middle] ^ 0x55,)) + whole[middle + 1:]
        return whole

    def _trapped(self, name: str, point: str, line: bytes) -> None:
        if point == "before_write":
            torn = self.strikes.take("power_cut", name, "mid_write")
            if torn:
                self.register.journal.tear(line[: len(line) // 2])
            struck = torn or self.strikes.take("power_cut", name, "before_write")
        else:
            struck = self.strikes.take("power_cut", name, "after_write")
            if struck:
                self.register.interrupted = not self.register.silent  # it was being printed
        if struck:
            raise _power_cut(struck)

    # -- what people do ------------------------------------------------------------------------------------------

    def fault(self, kind: str, **details: Any) -> None:
        """Switches a condition on (``on=False``: off) or adds a strike."""
        if not is_condition(kind):
            if isinstance(details.get("code"), str):
                details["code"] = int(details["code"], 16)
            details["command"] = str(details.get("command", "")).upper()
            self.strikes.add(Strike.read({"kind": kind, **details}))
            return
        on = details.pop("on", True)
        if kind == "unplugged":
            self.unplug(**details) if on else self.plug()
        elif details:
            raise ValueError(f"{kind} takes only on")
        else:
            (self.register.conditions.add if on else self.register.conditions.discard)(kind)

    def heal(self) -> None:
        """No condition and no strike any more. The power stays as it is."""
        if "unplugged" in self.register.conditions:
            self.plug()
        self.register.conditions.clear()
        self.strikes.waiting.clear()


def _power_cut(strike: Any) -> PowerCut:
    cut = PowerCut(strike.reset)
    cut.seconds = strike.seconds  # type: ignore[attr-defined]
    return cut
