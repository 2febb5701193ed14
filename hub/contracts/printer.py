"""What a printer is: plain paper beside the register. It fiscalises nothing, so nothing it does or fails to do touches
a receipt: each sheet is a row of its own with its own retries (hub.delivery.sheets)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from hub.contracts.settings import PluginSettings
from hub.contracts.source import Check
from hub.fiscal import Text

if TYPE_CHECKING:
    from hub.fiscal.paper import Paper


@dataclass(frozen=True, slots=True)
class Sheet:
    """One thing to print. ``paper`` is laid for :attr:`Printer.columns`, by the renderer that draws the page's
    picture; ``key`` is the same on every try of one sheet; ``cash`` says that it is a receipt paid in cash, with
    which a drawer may open. ``tries`` counts from 1: on a later one the printer may still stand in the middle of what
    came before."""

    paper: Paper
    key: str
    cash: bool = False
    tries: int = 1


class Printer(ABC):
    """Prints sheets. A sheet may be printed twice (its end was not heard of), never be lost: it is a copy, and says so.

    ``print`` and ``check`` raise TryLater when the printer does not answer, is out of paper or busy; NeedsAttention
    with a field when a setting is wrong, without one when it is this sheet that can never be printed.
    """

    name: ClassVar[str]
    title: ClassVar[Text]
    summary: ClassVar[Text]
    settings: ClassVar[type[PluginSettings]]

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.config = settings

    @property
    @abstractmethod
    def columns(self) -> int:
        """Letters of the usual font in one row, at least 24 (hub.fiscal.paper)."""

    @abstractmethod
    def print(self, sheet: Sheet) -> None:
        """Prints one sheet. Returns when the printer has it all, as far as the model can say."""

    @abstractmethod
    def check(self) -> Check:
        """Asks the real printer how it is; prints nothing."""
