"""Rows as levels of settings (hub.fiscal.levels) and back.

An organisation keeps in columns what every receipt needs, and the rest in its ``fiscal``; a source and a register keep
all they say there. The JSON is an envelope with schema name and version; ``{}`` is a row that says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.fiscal import TaxSystem, codec
from hub.fiscal.levels import NAMES, Settings, without_empty

#: Values of an organisation that stand in columns: name of the value -> column.
COLUMNS: Mapping[str, str] = {
    "tax_system": "tax_system", "vat": "default_vat", "internet": "internet", "electronic_only": "electronic_only",
    "settlement_place": "settlement_place", "sender_email": "sender_email"}


def opened(stored: Mapping[str, Any] | None) -> Settings:
    """What a row's ``fiscal`` says. ``ValueError`` when a later version of the hub wrote it."""
    return codec.opened(Settings, stored) if stored else Settings()


def stored(settings: Settings) -> dict[str, Any]:
    """A row's ``fiscal``; an empty object when nothing is said."""
    settings = without_empty(settings)
    return codec.envelope(settings) if settings.said() else {}


def of_organisation(row: Mapping[str, Any]) -> Settings:
    """What an organisation's row (its columns by name) says."""
    rest = opened(row.get("fiscal"))
    columns: dict[str, Any] = {name: row[column] for name, column in COLUMNS.items()}
    columns["tax_system"] = TaxSystem[row["tax_system"]] if row["tax_system"] else None
    return without_empty(Settings(**{**{name: getattr(rest, name) for name in NAMES}, **columns}))


def beside_columns(settings: Settings) -> dict[str, Any]:
    """The ``fiscal`` of an organisation: what has no column of its own."""
    return stored(settings.only([name for name in NAMES if name not in COLUMNS]))
