"""A shelf: numbered things that a source or register keeps in the hub, shared by all its processes.

For what a vendor's API has beside receipts (delivery orders, employees) and for what a register's inbound door must
hand to its driver (tasks, callbacks). Values are JSON, encrypted at rest, and go the way of personal data
(``HUB_KEEP_PERSONAL_DAYS``). What becomes a receipt goes to the intake, never here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

#: Longest ``label`` and ``at``.
LABEL, AT = 120, 32


@dataclass(frozen=True, slots=True)
class Item:
    """One thing. ``label`` and ``at`` are what it is looked up by; they are not encrypted, so they name nobody."""

    id: int
    value: Mapping[str, Any]
    label: str = ""
    at: str = ""


class Shelf(Protocol):
    """Items of one source or register under one name. Every method is one transaction."""

    def add(self, value: Mapping[str, Any], label: str = "", at: str = "") -> int:
        """A new item; its number, which no other item of the hub has. After a drop it may be given again: what becomes
        a key needs more than the number."""

    def get(self, id: int) -> Item | None:
        """The item of that number."""

    def put(self, id: int, value: Mapping[str, Any], label: str = "", at: str = "") -> bool:
        """Replaces an item; False when there is none."""

    def drop(self, id: int) -> bool:
        """Takes an item away; False when there is none."""

    def page(self, start: int = 0, limit: int = 10, label: str | None = None, since: str = "") -> \
            tuple[tuple[Item, ...], int]:
        """(items ``start`` to ``start + limit`` in the order of their numbers, how many there are), of those with
        that ``label`` and an ``at`` of at least ``since``."""
