"""What a notifier is: a way to tell a person something (the buyer their receipt, the owner an alarm)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hub.contracts.settings import PluginSettings
from hub.contracts.source import Check
from hub.fiscal import Text


@dataclass(frozen=True, slots=True)
class Notice:
    """One message. ``to`` is an address in the notifier's terms, ``key`` the same on every try of one notice."""

    to: str
    subject: str
    text: str
    key: str
    html: str = ""
    url: str = ""


class Notifier(ABC):
    """Sends notices. Raises TryLater, or NeedsAttention: with a field when a setting is wrong, without one when it is
    this notice that the service will never take (the address does not exist)."""

    name: ClassVar[str]
    title: ClassVar[Text]
    summary: ClassVar[Text]
    settings: ClassVar[type[PluginSettings]]
    #: Whether it can reach buyers by the contact they leave. The owner's people give an address of their own.
    buyers: ClassVar[bool] = True
    #: What a person's address is, for the form ("chat number"); empty: an e-mail address.
    address: ClassVar[Text | None] = None

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.config = settings

    def reaches(self, contact: str) -> bool:
        """Whether this notifier can reach a buyer's ``contact`` (an e-mail address or a telephone with +)."""
        return bool(contact.strip())

    @abstractmethod
    def send(self, notice: Notice) -> None:
        """Sends one notice, once."""

    @abstractmethod
    def check(self) -> Check:
        """Tries the real service."""
