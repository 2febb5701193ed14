"""A plugin's part in ``hub torture``: a register or an order source that is broken on purpose and mended again.

Each is a simulator in a process of its own, driven from outside. The core decides what breaks and when, from a seed;
the class knows how to break its own simulator in that way, and what the simulator really did: as plain JSON, because a
judge that imports nothing of the hub reads it.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

#: What can happen to a register -> what it means. A register names those that it can do.
REGISTER_FAULTS: Mapping[str, str] = {
    "cable_in": "the cable is cut when the N-th byte from now has come in",
    "cable_out": "the cable is cut when the N-th byte from now has gone out",
    "answer_lost": "a command is executed, its answer never comes",
    "answer_late": "a command is executed, its answer comes after the host has given up",
    "answer_twice": "a late answer comes twice, into whatever is asked next",
    "answer_garbled": "every copy of an answer has a wrong byte",
    "power_before": "the power goes just before the storage writes the receipt",
    "power_middle": "the power goes while the storage writes the receipt: half of it is there",
    "power_after": "the power goes just after the storage wrote the receipt",
    "paper_middle": "paper ends while a receipt is printed, before the storage writes it",
    "paper_after": "paper ends after the storage wrote the receipt",
    "frozen": "bytes are swallowed and nothing is answered",
    "cashier": "a person sells at the same register, past the hub",
    "storage": "the fiscal storage is replaced while a receipt's fate is unknown",
    "register_clock": "the register's clock jumps",
}

#: What can happen to the other side of an order source -> what it means.
SOURCE_FAULTS: Mapping[str, str] = {
    "source_down": "every request is answered with an error or cut off",
    "source_garbage": "answers are cut in half, empty, or no answers at all",
    "report_unheard": "what the hub writes arrives, but the hub is not told so",
    "source_away": "nothing of it answers for a while: its hour without an API, some seconds long here",
    "events_lost": "some events are never sent",
}


class Tortured(ABC):
    """One simulator under torture. ``folder`` is its own; ``name`` is unique in the run; ``inn`` is the organisation's
    tax number."""

    def __init__(self, folder: Path, name: str, inn: str) -> None:
        self.folder, self.name, self.inn = folder, name, inn

    @abstractmethod
    def start(self) -> None:
        """Starts the process, or starts it again after :meth:`kill`, at the same address and with what it knew."""

    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """Settings of the plugin for this simulator."""

    @abstractmethod
    def strike(self, kind: str, note: str, chance: random.Random) -> bool:
        """Does one fault of :attr:`faults`, now or at the next moment that it fits. ``note`` is given back by
        :meth:`hits`. False when it cannot be done now (a cashier finds the register at work)."""

    @abstractmethod
    def mend(self) -> None:
        """Takes every fault away: power and paper are back, nothing waits to happen any more."""

    @abstractmethod
    def hits(self) -> list[dict[str, Any]]:
        """The faults that came to pass: ``{"note", "at", "key"}``. ``at`` in seconds since 1970; ``key`` is what the
        receipt in hand carries in tag 1192, empty when none is known. A cashier's sale has the document instead:
        ``"storage"``, ``"number"``.

        A source tells each request of the hub that a fault spoiled, and each event that was lost, with its
        ``"number"`` and ``"what"`` as in :meth:`TortureSource.events`. Where reports fail when they come first, the
        note of those is "trips"."""

    @abstractmethod
    def stop(self) -> None:
        """Ends the process."""


class TortureRegister(Tortured):
    """A register: ``hub torture --drivers NAME``."""

    #: The driver that talks to it.
    driver: ClassVar[str]
    #: Names of :data:`REGISTER_FAULTS` that it can do.
    faults: ClassVar[frozenset[str]]

    @abstractmethod
    def kill(self) -> None:
        """kill -9. What the fiscal storage wrote stays."""

    @abstractmethod
    def pace(self, seconds: float) -> None:
        """How long printing takes from now on."""

    @abstractmethod
    def unplug(self) -> None:
        """Makes way for another host: cuts the connection that stands now, on models that talk to one host only."""

    def share(self) -> bool:
        """From the next start on it takes several hosts at once. False when the model does not."""
        return False

    @abstractmethod
    def storages(self) -> list[dict[str, Any]]:
        """Every fiscal storage that it ever had, oldest first: ``{"number", "out"}``; ``out`` is when it was taken
        out, in seconds since 1970 by the clock of the run, 0.0 for the one that is in."""

    @abstractmethod
    def documents(self) -> list[dict[str, Any]]:
        """Every receipt that its storages ever wrote, read from what they keep and not from what the hub says, oldest
        first: ``{"storage", "number", "kind", "total", "lines", "cash", "card", "key", "counter", "inn", "at"}``.

        ``kind`` is "sale" or "return"; sums in minor units; ``lines`` are ``[name, sum]``; ``counter`` is true for
        what a person sold past the hub; ``inn`` is the register's; ``at`` is the register's own time, ISO 8601.
        """


class TortureSource(Tortured):
    """An order source: ``hub torture --source NAME``. Its template must put the order's ``words`` into the name of a
    line: by them the judge knows an order again on paper, without believing any key of the hub."""

    #: The source plugin that talks to it, and the template of its receipts.
    source: ClassVar[str]
    template: ClassVar[str]
    #: Names of :data:`SOURCE_FAULTS` that it can do.
    faults: ClassVar[frozenset[str]]
    #: Whether people there change and delete what was paid (:meth:`edit`, :meth:`delete`).
    edits: ClassVar[bool] = False

    @abstractmethod
    def connect(self, address: str, troublesome: bool) -> None:
        """Where its events go. ``troublesome``: it sends each event three times and out of order, and fails each
        report when it comes for the first time."""

    @abstractmethod
    def pay(self, words: str, amount: int, back: bool, cash: bool) -> str:
        """Somebody pays (or gets money back): ``amount`` in minor units. ``words`` name what for. Returns its number
        after the other side has stored it."""

    def edit(self, number: str, amount: int) -> bool:
        """Somebody changes the sum of what was paid. False when it is not there any more."""
        return False

    def delete(self, number: str) -> bool:
        """Somebody deletes it. False when it is not there any more."""
        return False

    @abstractmethod
    def sent(self) -> list[dict[str, Any]]:
        """What was paid over there: ``{"number", "words", "kind", "total", "cash", "card"}``; ``number`` is what the
        receipt calls ``order_number``. What was changed has ``"before"`` too: its earlier sums, oldest first, each
        ``{"total", "cash", "card", "until"}``; what was deleted has ``"deleted"``, the moment."""

    @abstractmethod
    def events(self) -> list[dict[str, Any]]:
        """Every event that was sent to the hub: ``{"at", "number", "what", "arrived"}``; ``what`` is "create", "update"
        or "delete"; "written" for what the hub wrote itself. One that was lost on purpose
        has not arrived and is ``"lost"``."""

    @abstractmethod
    def told(self) -> list[dict[str, Any]]:
        """Every different thing that the other side was told of a document, in whatever report, for what it keeps one
        of: ``{"number", "storage", "document", "sign"}``."""
