"""A source's part in ``hub demo`` (:class:`Demo`), and demos of their own name (:class:`Scenario`): what happens over
there, and what is known there afterwards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from hub.contracts.source import Finding
from hub.fiscal import Money, Text


class RunningSimulator(Protocol):
    """A simulator's process, driven over its control surface (hub.testing.simulator.Running)."""

    url: str

    def state(self) -> Any:
        """What the other side knows."""

    def do(self, action: str, **params: Any) -> Any:
        """An act of a person over there."""

    def faults(self, *faults: Any) -> None:
        """Bad days to come, of hub.testing.simulator.Fault; replaces those that wait."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order made over there. ``number`` is what the receipt calls ``order_number``."""

    number: str
    total: Money


class Demo(ABC):
    """One source's story. The simulator sends real HTTP to the source's real address."""

    source: ClassVar[str]
    simulator: ClassVar[str]
    arguments: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def settings(self, simulator: RunningSimulator) -> Mapping[str, Any]:
        """Settings of the source for this running simulator."""

    @abstractmethod
    def act(self, simulator: RunningSimulator, address: str) -> tuple[Ordered, ...]:
        """Makes orders over there, which then calls ``address``."""

    def nudge(self, simulator: RunningSimulator) -> None:  # noqa: B027 - most systems need none
        """Called while waiting, for systems that ask by themselves."""

    @abstractmethod
    def told(self, simulator: RunningSimulator) -> Mapping[str, int]:
        """Order number -> number of the fiscal document, as the other side has been told."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What one thing that happened over there must come to. ``case`` is its line in the report, ``role`` the source,
    ``number`` what the receipt calls ``order_number``; several may share it (a prepayment and its settlement).

    ``printed`` False: refused with a reason, or, with ``cancelled``, taken back before it was printed. ``told`` False:
    the other side has no way to take the answer any more (its order is gone); then the owner is told why."""

    case: str
    role: str
    number: str
    total: Money
    back: bool = False
    printed: bool = True
    told: bool = True
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What the other side knows of one number: the fiscal documents, and why there is none."""

    documents: tuple[int, ...] = ()
    refused: str = ""


@dataclass(frozen=True, slots=True)
class PlayedRegister:
    """The register of a :class:`Scenario`: its driver, the words after ``hub simulate`` (``--journal`` and ``--inn``
    are added), and the driver's settings beside its address."""

    driver: str
    words: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    #: The organisation's format of fiscal documents.
    ffd: str = "1.05"


class Stage(Protocol):
    """What a :class:`Scenario` plays on: simulators, a register and a hub, all processes of their own."""

    #: By role, as :attr:`Scenario.simulators` names them.
    sites: Mapping[str, RunningSimulator]
    #: The register's hands: ``do("power_off")``, ``do("fault", kind=...)``.
    register: RunningSimulator
    #: Its factory number.
    serial: str

    def call(self, role: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """A call of the hub's own API by a shop of :attr:`Scenario.programs`: status and JSON. ``path`` is what follows
        the version, as in ``/receipts``."""

    def address(self, role: str) -> str:
        """The source's address."""

    def set_up(self, role: str) -> None:
        """The button "set up" on the source's page."""

    def look(self, role: str) -> None:
        """Polls the source now, and waits until that is done."""

    def states(self, role: str) -> Mapping[str, tuple[str, ...]]:
        """Order number -> the states of its receipts in the hub."""

    def findings(self, role: str) -> tuple[Finding, ...]:
        """What the source's page says that needs a person."""

    def wait(self, true: Callable[[], Any], what: str) -> None:
        """Until it is true. Raises TimeoutError with ``what`` when patience ends."""

    def expect(self, *ends: Expected) -> None:
        """Notes what something that happened over there must come to."""

    def settle(self, what: str) -> None:
        """Waits until all that was expected so far has its end on every side."""

    def say(self, words: str) -> None:
        """A line for whoever looks on."""


class Scenario(ABC):
    """A named demo, ``hub demo NAME``: one or more sources with a simulator each, and a day at them.

    Made once for each run. The core furnishes the hub, calls ``play``, waits until everything expected has its end,
    and holds the other side, the database and the register's journal against each other.
    """

    name: ClassVar[str]
    title: ClassVar[Text]
    #: Role -> the words after ``hub simulate``. Each role is a simulator and a source.
    simulators: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    #: Roles that are programs of the owner's own: shops of the hub's API, each with a key.
    programs: ClassVar[tuple[str, ...]] = ()
    #: The register, when it is not the emulated one.
    register: ClassVar[PlayedRegister | None] = None

    def source(self, role: str, stage: Stage) -> tuple[str, Mapping[str, Any]]:
        """(plugin's source, its settings) for the running simulator of a role."""
        raise LookupError(role)

    @abstractmethod
    def play(self, stage: Stage) -> None:
        """The day. May wait in between; the core waits for the end of all that it told the stage to expect."""

    def nudge(self, stage: Stage) -> None:  # noqa: B027 - most systems need none
        """Called while waiting, for systems that ask by themselves."""

    @abstractmethod
    def told(self, stage: Stage) -> Mapping[tuple[str, str], Told]:
        """(role, number) -> what the other side knows now."""

    def faults(self, stage: Stage) -> tuple[str, ...]:
        """What else is not as it should be at the end, one sentence each."""
        return ()


@dataclass(frozen=True)
class Till(ABC):
    """A register on which a :class:`Relay` ends. ``words`` are those after ``hub simulate``: the program prints one
    JSON line with ``ready`` first; ``{journal}`` in them is a file of its own, ``{inn}`` the organisation's."""

    driver: str
    title: Text
    words: tuple[str, ...]

    @abstractmethod
    def settings(self, ready: Mapping[str, Any]) -> Mapping[str, Any]:
        """The driver's settings for the running program, from its first line."""

    @abstractmethod
    def holds(self, ready: Mapping[str, Any], journal: Path) -> Iterable[tuple[str, int, int]]:
        """(storage, document, total in minor units) of every receipt that the register really holds: its own word."""


class Relay(ABC):
    """A gateway's demo, ``hub demo NAME``: the same traffic ends on one register after another, one setting apart.

    Made once for each run. The core furnishes the hub and starts the registers; then client, database and registers are
    held against each other.
    """

    name: ClassVar[str]
    title: ClassVar[Text]
    #: The gateway, and its settings.
    gateway: ClassVar[str]
    settings: ClassVar[Mapping[str, Any]]
    tills: ClassVar[tuple[Till, ...]]

    @abstractmethod
    def send(self, host: str, run: int) -> tuple[Ordered, ...]:
        """Sends the traffic of run number ``run`` to the hub at ``host``, as a client does; its numbers are new."""

    @abstractmethod
    def told(self, host: str, numbers: Sequence[str]) -> Mapping[str, tuple[str, int]]:
        """(storage, document) of each number that the hub says is printed."""
