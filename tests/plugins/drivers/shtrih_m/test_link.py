"""Protocol 1 and 2 over a scripted line: lost, late, doubled, garbled, and what must never be sent twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hub_plugins.drivers.shtrih_m import frames
from hub_plugins.drivers.shtrih_m.frames import Hearing2
from hub_plugins.drivers.shtrih_m.link import HELLO, Link1, Link2, Lost, is_answer

from tests.plugins.drivers.shtrih_m.scripted import Line

ASK, ANSWER = b"\x10\x1e\0\0\0", b"\x10\0\x1e"


def link(answer: Callable[[bytes], bytes | None] = lambda command: ANSWER) -> tuple[Link1, Line]:
    line = Line(answer)
    return Link1(line, 1.0, line.clock), line


def test_a_command_is_answered() -> None:
    one, line = link()
    assert one.exchange(ASK, 3.0) == ANSWER and line.heard == [ASK]
    assert one.exchange(ASK, 3.0) == ANSWER and not one.dirty


def test_an_answer_that_nobody_took_is_drained_and_is_no_reply() -> None:
    """The same code, the answer of somebody's earlier command: it must not be taken for ours."""
    one, line = link(lambda command: b"\x10\0" + bytes((len(line.heard),)))
    line.pending = frames.pack(b"\x10\0\x63")
    assert one.exchange(ASK, 3.0) == b"\x10\0\x01"


def test_a_lost_ack_leaves_a_copy_that_the_next_command_does_not_believe() -> None:
    one, line = link(lambda command: b"\x10\0" + bytes((len(line.heard),)))
    line.swallow_acks = 1
    assert one.exchange(ASK, 3.0) == b"\x10\0\x01"
    assert one.exchange(ASK, 3.0) == b"\x10\0\x02"


def test_a_garbled_answer_is_asked_for_again_and_executed_once() -> None:
    one, line = link()
    line.faults = [lambda frame: frame[:-1] + bytes((frame[-1] ^ 1,)), lambda frame: frame[:3]]
    assert one.exchange(ASK, 3.0, once=True) == ANSWER and line.heard == [ASK]


def test_a_swallowed_answer_is_asked_for_when_its_time_is_over() -> None:
    one, line = link()
    line.faults = [lambda frame: b""]
    assert one.exchange(ASK, 3.0, once=True) == ANSWER and line.heard == [ASK] and line.now >= 3.0


def test_an_answer_that_comes_twice_does_no_harm() -> None:
    one, line = link(lambda command: b"\x10\0" + bytes((len(line.heard),)))
    line.faults = [lambda frame: frame + frame]
    assert [one.exchange(ASK, 3.0) for _ in range(3)] == [b"\x10\0" + bytes((number,)) for number in (1, 2, 3)]


def test_the_ff_of_network_registers_is_skipped() -> None:
    one, line = link()
    line.faults = [lambda frame: b"\xff" + frame + b"\xff"] * 3
    assert [one.exchange(ASK, 3.0) for _ in range(3)] == [ANSWER] * 3


def test_silence_after_the_frame_is_lost_and_sent() -> None:
    one, line = link(lambda command: None)
    with pytest.raises(Lost) as lost:
        one.exchange(ASK, 3.0, once=True)
    assert lost.value.sent and one.dirty and line.heard == [ASK]


def test_nothing_is_sent_to_a_register_that_does_not_answer_enq() -> None:
    one, line = link()
    line._take = lambda byte: None  # type: ignore[method-assign]
    with pytest.raises(Lost) as lost:
        one.exchange(ASK, 3.0)
    assert not lost.value.sent and line.heard == []


def test_nothing_is_sent_when_the_lease_is_lost_at_the_last_moment() -> None:
    one, line = link()

    def lost() -> None:
        raise PermissionError

    with pytest.raises(PermissionError):
        one.exchange(ASK, 3.0, before=lost)
    assert line.heard == []


@pytest.mark.parametrize("once", [False, True])
def test_a_frame_that_was_refused_is_said_again_only_if_that_does_no_harm(once: bool) -> None:
    one, line = link()
    one.exchange(ASK, 3.0)
    take, broken = line._frame, []

    def refuse_first(whole: bytes) -> None:
        broken.append(whole)
        if len(broken) == 1:
            line._out.append(0x15)
        else:
            take(whole)

    line._frame = refuse_first  # type: ignore[method-assign]
    if once:
        with pytest.raises(Lost) as lost:
            one.exchange(ASK, 3.0, once=True)
        assert lost.value.sent and len(broken) == 1
    else:
        assert one.exchange(ASK, 3.0) == ANSWER and len(broken) == 2


def test_an_ack_that_arrives_as_nak_does_not_repeat_the_command() -> None:
    """06 became 15 on the way: the register works on the command, and says so when it is asked."""
    one, line = link()
    one.exchange(ASK, 3.0)
    say = line._frame

    def as_nak(whole: bytes) -> None:
        start = len(line._out)
        say(whole)
        line._out[start] = 0x15

    line._frame = as_nak  # type: ignore[method-assign]
    line.answers = lambda command: b"\xff\x45\0"
    assert one.exchange(b"\xff\x45" + bytes(4), 3.0) == b"\xff\x45\0"
    assert sum(command[:2] == b"\xff\x45" for command in line.heard) == 1


def test_noise_ends_in_an_error_and_not_in_a_loop() -> None:
    one, line = link()
    line.faults = [lambda frame: frame[:-1] + bytes((frame[-1] ^ 1,))] * 50
    with pytest.raises(Lost) as lost:
        one.exchange(ASK, 3.0)
    assert lost.value.code == "noise" and lost.value.sent


def test_a_line_that_breaks_says_whether_the_command_had_left() -> None:
    one, line = link()
    one.exchange(ASK, 3.0)
    line.gone = True
    with pytest.raises(Lost) as lost:
        one.exchange(ASK, 3.0)
    assert not lost.value.sent

    def breaks(command: bytes) -> bytes | None:
        line.gone = True
        return None

    line.gone, line.answers = False, breaks
    with pytest.raises(Lost) as lost:
        one.exchange(ASK, 3.0)
    assert lost.value.sent and lost.value.code == "lost"


@pytest.mark.parametrize(("command", "answer", "good"), [
    (b"\xff\x45", b"\xff\x45\0", True), (b"\xff\x45", b"\xff\x37", True), (b"\xff\x45", b"\xff\x46\0", False),
    (b"\xfe\xf3", b"\xfe\0", True), (b"\x10", b"\x11\0", False)])
def test_codes_of_answers(command: bytes, answer: bytes, good: bool) -> None:
    assert is_answer(command, answer) is good


# -- protocol 2 ------------------------------------------------------------------------------------------------------


class Numbered(Line):
    """Protocol 2 of the reference: executes only the number after the last one, repeats its last answer to others.
    ``losses`` are words for what happens to the next packets: "in" lost on the way in, "out" on the way back."""

    def __init__(self, answers: Callable[[bytes], bytes | None], number: int = 0) -> None:
        super().__init__(answers)
        self.number, self.last = number, frames.pack2(number, b"")
        self.losses: list[str] = []
        self._hearing = Hearing2()

    def write(self, data: bytes, timeout: float) -> None:
        for packet in self._hearing.feed(data):
            loss = self.losses.pop(0) if self.losses else ""
            if packet is None or loss == "in":
                continue
            if packet.number == (self.number + 1) & 0xFFFF:
                self.number = packet.number
                self.heard.append(packet.data)
                answer = self.answers(packet.data)
                assert answer is not None
                self.last = frames.pack2(self.number, answer)
            if loss != "out":
                self._out += self.last


def echo(command: bytes) -> bytes:
    return command[:2] + b"\0" if command[0] == 0xFF else command[:1] + b"\0"


def numbered(number: int = 0) -> tuple[Link2, Numbered]:
    line = Numbered(echo, number)
    return Link2(line, 1.0, line.clock), line


CLOSE = b"\xff\x45" + bytes(10)


def test_packets_are_numbered_from_where_the_register_is() -> None:
    one, line = numbered(65534)
    assert one.exchange(CLOSE, 3.0) == b"\xff\x45\0"
    assert line.heard[0] == HELLO and line.heard[-1] == CLOSE
    assert line.number == 0 and line.heard.count(CLOSE) == 1


@pytest.mark.parametrize("losses", [["in"], ["out"], ["in", "in"], ["out", "out"], ["in", "out", "in"],
                                    ["out", "in", "out"]])
def test_a_lost_packet_is_executed_once(losses: list[str]) -> None:
    one, line = numbered()
    one.sync(5.0)
    line.losses = losses
    assert one.exchange(CLOSE, 30.0, once=True) == b"\xff\x45\0"
    assert line.heard.count(CLOSE) == 1


def test_a_restart_in_the_middle_is_seen_and_nothing_is_repeated() -> None:
    one, line = numbered()
    one.sync(5.0)

    one.exchange(ASK, 3.0)
    said = line.write

    def write(data: bytes, timeout: float) -> None:
        said(data, timeout)
        if line.heard[-1] == CLOSE and line.number:  # executed, and then the power went and came back
            line.number, line.last = 0, frames.pack2(0, b"")
            line._out.clear()

    line.write = write  # type: ignore[method-assign]
    with pytest.raises(Lost) as lost:
        one.exchange(CLOSE, 10.0, once=True)
    assert lost.value.sent and line.heard.count(CLOSE) == 1


def test_a_number_that_a_dead_process_used_is_not_believed() -> None:
    """Its command was still at work when we asked for the last number; then our greeting had just its number."""
    one, line = numbered(7)
    line.number, line.last = 8, frames.pack2(8, b"\xff\x45\0")
    first = [frames.pack2(7, b"\x10\0")]
    said = line.write

    def write(data: bytes, timeout: float) -> None:
        if first and data == frames.SYNC:
            line._out += first.pop()
            return
        said(data, timeout)

    line.write = write  # type: ignore[method-assign]
    assert one.exchange(ASK, 3.0) == b"\x10\0"
    assert line.heard == [HELLO, ASK] and line.number == 10


def test_the_first_number_is_never_a_command_that_matters() -> None:
    one, line = numbered(65535)
    one.sync(5.0)
    assert line.number == 0
    assert one.exchange(CLOSE, 3.0, once=True) == b"\xff\x45\0"
    assert line.number == 2 and line.heard == [HELLO, HELLO, CLOSE]
