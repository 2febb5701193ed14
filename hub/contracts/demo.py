"""A source's part in ``hub demo``: what happens over there, and what is known there afterwards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from hub.fiscal import Money


class RunningSimulator(Protocol):
    """A simulator's process, driven over its control surface (hub.testing.simulator.Running)."""

    url: str

    def state(self) -> Any:
        """What the other side knows."""

    def do(self, action: str, **params: Any) -> Any:
        """An act of a person over there."""


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
