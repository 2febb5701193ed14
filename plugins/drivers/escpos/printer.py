"""The printer: a sheet's bytes handed over, and honest words about paper, cover and cable.

Status is asked in real time with ``DLE EOT n`` (point-of-sale §3); that all before it was printed is asked with
``GS r 1``, which a printer answers when its turn comes. Models that answer neither are believed to have printed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from hub_plugins.drivers.escpos import places
from hub_plugins.drivers.escpos.composing import Composer
from hub_plugins.drivers.escpos.places import Place
from hub_plugins.drivers.escpos.settings import EscposSettings

from hub.contracts import Check, Printer, Sheet, Text, TryLater

#: ``DLE EOT n``: 1 the printer, 2 why it is off line, 3 error, 4 paper. Its answers have bits 1 and 4 set, 0 and 7 not.
STATUS = {number: bytes((0x10, 0x04, number)) for number in (1, 2, 3, 4)}
FIXED, FIXED_VALUE = 0x93, 0x12
OFFLINE, COVER, PAPER_STOP, ERROR, PAPER_END, NEAR_END = 0x08, 0x04, 0x20, 0x40, 0x60, 0x0C
#: ``GS r 1``: answered when everything before it is done.
DONE = b"\x1dr\x01"
#: Seconds: for an answer in real time; for a sheet to be printed.
ANSWER, PRINTING = 1.0, 20.0

NO_PAPER = Text("The printer is out of paper. Load a new roll: the copy comes by itself.",
                "В принтере кончилась бумага. Вставьте рулон, копия напечатается сама.")
COVER_OPEN = Text("The printer's cover is open. Close it.", "Крышка принтера открыта. Закройте её.")
BROKEN = Text("The printer shows an error. Switch it off and on; look whether paper is jammed at the cutter.",
              "Принтер сообщает об ошибке. Выключите и включите его, проверьте, не замята ли бумага у ножа.")
OFF_LINE = Text("The printer is off line. Press its FEED button or switch it off and on.",
                "Принтер не готов. Нажмите на нём FEED или выключите и включите его.")


class EscposPrinter(Printer):
    """A receipt printer that speaks ESC/POS."""

    name = "escpos"
    title = Text("Receipt printer (ESC/POS)", "Чековый принтер (ESC/POS)")
    summary = Text("Prints copies of receipts and reports on plain paper where there is no register. The register at "
                   "the head office fiscalises, printers at the counters copy.",
                   "Печатает копии чеков и отчётов на обычной бумаге там, где кассы нет. Пробивает касса в главном "
                   "офисе, копии печатают принтеры на точках.")
    settings = EscposSettings

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self._composer = Composer(settings)

    @property
    def columns(self) -> int:
        return self._composer.width.columns

    def print(self, sheet: Sheet) -> None:
        data = self._composer.sheet(sheet)
        with self._open() as place:
            answers = self.config["status"] and self._ready(place)
            place.write(data)
            if answers:
                self._wait(place)

    def _wait(self, place: Place) -> None:
        """Until the printer has done all of the sheet. TryLater when it stopped; without a word within the time of a
        long sheet it is taken for one that knows no such question."""
        for _ in range(int(PRINTING / ANSWER)):
            if place.ask(DONE, ANSWER) is not None:
                return
            self._ready(place)

    def check(self) -> Check:
        with self._open() as place:
            if not self._ready(place):
                return Check(True, Text(
                    "The printer is reached, but does not say how it is. Try a test print.",
                    "Связь с принтером есть, но он не сообщает своё состояние. Попробуйте пробную печать."))
            low = self._asked(place, 4)
        if low is not None and low & NEAR_END:
            return Check(True, Text("The printer is ready; its paper comes to an end soon.",
                                    "Принтер готов, но бумага скоро кончится."))
        return Check(True, Text("The printer is ready.", "Принтер готов."))

    @contextlib.contextmanager
    def _open(self) -> Iterator[Place]:
        place = places.opened(self.config["address"])
        try:
            yield place
        finally:
            place.close()

    def _ready(self, place: Place) -> bool:
        """Whether the printer says how it is. TryLater when what it says is that it cannot print."""
        state = self._asked(place, 1)
        if state is None:
            return False
        paper = self._asked(place, 4)
        if paper is not None and paper & PAPER_END:
            raise TryLater(NO_PAPER)
        if state & OFFLINE:
            why = self._asked(place, 2) or 0
            raise TryLater(COVER_OPEN if why & COVER else NO_PAPER if why & PAPER_STOP
                           else BROKEN if why & ERROR else OFF_LINE)
        return True

    @staticmethod
    def _asked(place: Place, number: int) -> int | None:
        """A status byte; what is none of its shape is no answer."""
        answer = place.ask(STATUS[number], ANSWER)
        return answer if answer is not None and answer & FIXED == FIXED_VALUE else None
