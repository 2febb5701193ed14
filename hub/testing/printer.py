"""The contract suite of plain printers. A plugin's test file subclasses it in a few lines:

    class TestRoll(PrinterContract):
        printer = RollPrinter

        def start(self, folder): self.machine = Machine(); return {"address": self.machine.address}
        def stop(self): self.machine.stop()
        def printed(self): return self.machine.slips()          # the text of every whole sheet on paper
        def make_gone(self): self.machine.stop()                # from now on nobody answers
        def make_refuse(self): self.machine.paper = False       # the next sheet surely does not come out whole
        def mend(self): self.machine.paper = True
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hub.contracts import Check, NeedsAttention, Printer, Sheet, Text, TryLater, load
from hub.fiscal import paper as papers
from hub.fiscal.paper_rows import Centred, Gap, Pair, QrCode, Rule, Words
from hub.registers import transports
from hub.testing.driver_faults import spread
from hub.testing.shape import class_problems
from hub.testing.wire_faults import Plan

PANGRAM = "Съешь же ещё этих мягких французских булок, да выпей чаю"


def form() -> papers.Form:
    """A sheet with one of everything."""
    return papers.Form((
        Centred(("Копия чека",), bold=True), Rule(), Words(PANGRAM), Pair("Чай чёрный", "=1480.00"),
        Pair("ИТОГ", "=1480.00", bold=True, double=True), Gap(), QrCode("t=20261120T1405&s=1480.00&fn=1&i=2&fp=3&n=1"),
        Words("Спасибо")), "ru", "Проверка")


class PrinterContract:
    """Subclass it with a name that begins with ``Test``. What an author gives stands first, the tests below."""

    printer: ClassVar[type[Printer]]
    #: Settings that are named like a secret and are none.
    not_secret: ClassVar[frozenset[str]] = frozenset()
    #: The printer says when its paper is out; one that says nothing is believed to have printed.
    tells: ClassVar[bool] = True

    def start(self, folder: Path) -> Mapping[str, Any]:
        """Starts a fresh printer in working order; gives the settings."""
        raise NotImplementedError("give start(folder) -> settings")

    def stop(self) -> None:
        """Ends the printer."""

    def printed(self) -> Sequence[str]:
        """The text of every whole sheet that lies in front of the printer, oldest first."""
        raise NotImplementedError("give printed() -> texts")

    def make_gone(self) -> None:
        """From now on the printer does not answer: unplugged, switched off."""
        raise NotImplementedError("give make_gone()")

    def make_refuse(self) -> None:
        """The printer cannot print the next sheet (no paper)."""
        raise NotImplementedError("give make_refuse()")

    def mend(self) -> None:
        """The cause of :meth:`make_refuse` is gone."""
        raise NotImplementedError("give mend()")

    def test_class_is_complete(self) -> None:
        problems = class_problems(self.printer, "printer", self.not_secret)
        assert not problems, "; ".join(problems)

    def test_prints_what_the_page_shows(self, tmp_path: Path) -> None:
        """Every row of the paper, in its order and its letters."""
        with self._at_work(tmp_path) as printer:
            assert printer.columns >= papers.NARROWEST
            sheet = self._sheet(printer)
            printer.print(sheet)
            text = self._only(1)
            at = 0
            for row in papers.as_text(sheet.paper).splitlines():
                if row.strip() and "QR:" not in row and not row.startswith("t="):
                    for word in row.split():
                        found = text.find(word, at)
                        assert found >= 0, f"{word!r} of the row {row!r} is not on the paper: {text!r}"
                        at = found

    def test_prints_one_after_another(self, tmp_path: Path) -> None:
        with self._at_work(tmp_path) as printer:
            for number in range(1, 4):
                printer.print(self._sheet(printer))
                self._only(number)

    def test_says_that_it_is_ready(self, tmp_path: Path) -> None:
        with self._at_work(tmp_path) as printer:
            check = printer.check()
            assert isinstance(check, Check) and check.ok and isinstance(check.message, Text), check
            assert not self.printed(), "check() prints nothing"

    def test_gone_is_later(self, tmp_path: Path) -> None:
        with self._at_work(tmp_path) as printer:
            self.make_gone()
            for run in (lambda: printer.print(self._sheet(printer)), printer.check):
                with pytest.raises((TryLater, NeedsAttention)) as problem:
                    run()
                reason: object = getattr(problem.value, "reason", None)
                assert isinstance(reason, Text)

    def test_no_paper_is_later_and_loses_nothing(self, tmp_path: Path) -> None:
        if not self.tells:
            return
        with self._at_work(tmp_path) as printer:
            self.make_refuse()
            with pytest.raises(TryLater) as problem:
                printer.print(self._sheet(printer))
            assert isinstance(problem.value.reason, Text)
            self.mend()
            printer.print(self._sheet(printer))
            assert self.printed(), "the sheet never came"

    def test_a_cut_cable_is_later_and_the_next_try_prints(self, tmp_path: Path) -> None:
        """At many bytes of the way to the printer; a copy may come twice, but never is one believed that did not."""
        plan = Plan()
        with transports.wrapped(plan.around), self._at_work(tmp_path) as printer:
            plan.arm()
            printer.print(self._sheet(printer))
            length, whole = plan.sent, self._only(1)
            for at in spread(length, 12):
                before = len(self.printed())
                plan.arm("cut_out", at)
                with pytest.raises(TryLater):
                    printer.print(self._sheet(printer))
                plan.disarm()
                printer.print(replace(self._sheet(printer), tries=2))
                now = self.printed()
                assert len(now) > before and now[-1].endswith(whole[-40:]), f"cut at byte {at}: {now[before:]!r}"

    @contextmanager
    def _at_work(self, folder: Path) -> Iterator[Printer]:
        settings = load(self.printer.settings, self.start(folder))
        try:
            yield self.printer(settings)
        finally:
            self.stop()

    def _sheet(self, printer: Printer) -> Sheet:
        return Sheet(papers.on(form(), printer.columns), "job_1")

    def _only(self, number: int) -> str:
        now = self.printed()
        assert len(now) == number, f"{len(now)} sheets lie there, not {number}: {now!r}"
        return now[-1]
