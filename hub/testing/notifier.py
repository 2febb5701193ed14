"""The contract suite of notifiers that speak HTTP. A plugin's test file subclasses it in a few lines:

    from hub.testing.notifier import NotifierContract
    from kassahub_chat.notifier import Chat
    from kassahub_chat.simulator import Service, TOKEN

    class TestChat(NotifierContract):
        notifier = Chat
        settings = {"url": "https://chat.example/notices", "token": TOKEN}

        def other_side(self): return Service()                       # fresh for each test
        def told(self, other): return len(other.state()["notices"])  # how many notices really arrived

Whatever address the settings name, the suite's bench (hub.testing.faults) stands in for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest

from hub.contracts import Answer, Check, NeedsAttention, Notice, Notifier, Request, TryLater, load
from hub.testing.faults import TROUBLES, Bench, Toy, Trouble, bent_answers
from hub.testing.shape import class_problems
from hub.testing.simulator import HttpSimulator
from hub.testing.work import end_of, honest, keeps_secrets

OPERATIONS = ("send", "check")
ENDS: dict[str, tuple[type[Any], ...]] = {"send": (type(None),), "check": (Check,)}


@dataclass
class _Work:
    notifier: Notifier
    other: HttpSimulator
    bench: Bench


class NotifierContract:
    """Subclass it with a name that begins with ``Test``. What an author gives stands first, the tests below."""

    notifier: ClassVar[type[Notifier]]
    #: Settings that work against :meth:`other_side`.
    settings: ClassVar[Mapping[str, Any]] = {}
    #: Settings that are named like a secret and are none.
    not_secret: ClassVar[frozenset[str]] = frozenset()

    def other_side(self) -> HttpSimulator:
        """The service, fresh for each test: the plugin's simulator (it need not serve)."""
        return Toy(self.serve)

    def serve(self, request: Request) -> Answer:
        """The service as one function, for plugins without a simulator."""
        return Answer.text("there is no such page", 404)

    def told(self, other: HttpSimulator) -> int:
        """How many notices the service really holds: the witness."""
        raise NotImplementedError("give told(other) -> int")

    def notice(self) -> Notice:
        """An ordinary notice to an address that the service knows."""
        return Notice("buyer@example.org", "Чек № 57", "Спасибо за покупку.", "ntc_1", url="http://hub.test/r/57")

    def allowed(self, operation: str, trouble: Trouble, call: int) -> tuple[type[Any], ...]:
        """How ``operation`` may end when its call number ``call`` and all later ones meet ``trouble``."""
        return (Check, TryLater, NeedsAttention) if operation == "check" else trouble.ends

    # -- tests ---------------------------------------------------------------------------------------------------

    def test_class_is_complete(self) -> None:
        problems = class_problems(self.notifier, "notifier", self.not_secret)
        assert not problems, "; ".join(problems)

    def test_notice_arrives(self) -> None:
        with self._at_work() as work:
            work.notifier.send(self.notice())
            assert self.told(work.other) == 1, "the service does not hold exactly one notice"
            assert work.bench.calls, "send() made no call"
            assert not work.bench.strays, f"send() went past Client: {work.bench.strays}"

    def test_repeat_does_no_harm(self) -> None:
        """The first answer was lost, so the same notice comes again, perhaps from another worker."""
        with self._at_work() as work:
            work.notifier.send(self.notice())
            self._fresh().send(self.notice())
            assert self.told(work.other) >= 1

    @pytest.mark.parametrize("changes", [
        {"subject": ""}, {"subject": "a\r\nBcc: everybody@example.org"}, {"text": "x" * 100_000}, {"text": ""},
        {"text": "<b>&amp;*_`[ 🧾"}, {"html": "<p>Чек</p>"}, {"url": ""}, {"to": ""}, {"to": "?!\n"}],
        ids=lambda changes: " ".join(changes))
    def test_odd_notices_end_in_words(self, changes: Mapping[str, str]) -> None:
        """Whatever stands in a notice: it is sent, or it needs attention."""
        with self._at_work() as work:
            end = end_of(lambda: work.notifier.send(replace(self.notice(), **changes)))
            honest(end, (type(None), NeedsAttention), f"send() of a notice with {dict(changes)!r:.60}")

    def test_check_is_good(self) -> None:
        with self._at_work() as work:
            check = work.notifier.check()
            assert isinstance(check, Check) and check.ok, f"the good settings do not pass check(): {check!r}"
            assert self.told(work.other) == 0, "check() told somebody something"
            assert work.bench.calls, "check() made no call"

    @pytest.mark.parametrize("name", list(TROUBLES))
    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_fault(self, operation: str, name: str) -> None:
        """The fault at the first call, at the second ...: an honest exception, never a notice taken for sent."""
        trouble = TROUBLES[name]
        for call in range(self._calls(operation)):
            with self._at_work() as work:
                work.bench.plan(trouble, call)
                end = end_of(self._run(work, operation))
                where = f"{operation}() met {trouble} at call {call + 1}"
                honest(end, self.allowed(operation, trouble, call), where)
                keeps_secrets(end, self.notifier.settings, self.settings, where)

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_bent_answers_end_in_words(self, operation: str) -> None:
        """One place of one JSON answer spoiled at a time."""
        for call in range(self._calls(operation)):
            with self._at_work() as work:
                self._run(work, operation)()
                bends = bent_answers(work.bench.answers[call]) if call < len(work.bench.answers) else []
            for what, answer in bends:
                with self._at_work() as work:
                    work.bench.bend(call, answer)
                    end = end_of(self._run(work, operation))
                    ends = (*ENDS[operation], TryLater, NeedsAttention)
                    assert isinstance(end, ends), f"{operation}() met an answer with {what}: {end!r}"

    # -- machinery -----------------------------------------------------------------------------------------------

    bench: ClassVar[Bench]

    @classmethod
    def setup_class(cls) -> None:
        """One server for all tests of the class."""
        cls.bench = Bench()
        cls.bench.start()

    @classmethod
    def teardown_class(cls) -> None:
        cls.bench.stop()

    @contextmanager
    def _at_work(self) -> Iterator[_Work]:
        other = self.other_side()
        with self.bench.connect(other) as bench:
            yield _Work(self._fresh(), other, bench)

    def _fresh(self) -> Notifier:
        return self.notifier(load(self.notifier.settings, self.settings))

    def _run(self, work: _Work, operation: str) -> Callable[[], object]:
        return work.notifier.check if operation == "check" else lambda: work.notifier.send(self.notice())

    def _calls(self, operation: str) -> int:
        with self._at_work() as work:
            self._run(work, operation)()
            return work.bench.calls
