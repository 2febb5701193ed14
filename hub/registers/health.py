"""Five lamps instead of one "online" (page.md): link, paper, shift, storage, OFD. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from hub.contracts import Status
from hub.registers.shifts import LONGEST
from hub.registers.storage import OF_LIFE, STORAGE_NOW, STORAGE_SOON, ofd_step

Lamp = Literal["green", "amber", "red", "unknown"]
NAMES = ("link", "paper", "shift", "storage", "ofd")


def lamps(status: Status | None, answers: bool | None, now: datetime, country: str = "RU") -> dict[str, Lamp]:
    """Colour of each lamp. ``answers`` None: never asked. ``country`` decides how long a register may work without the
    OFD."""
    link: Lamp = "unknown" if answers is None else "green" if answers else "red"
    if status is None:
        return {"link": link, "paper": "unknown", "shift": "unknown", "storage": "unknown", "ofd": "unknown"}
    return {"link": link, "paper": _paper(status), "shift": _shift(status), "storage": _storage(status, now),
            "ofd": _ofd(status, now, country)}


def obstacle(status: Status) -> bool:
    """Whether the register shows something that a person must do before it prints again."""
    return status.paper is False or bool(status.cover_open) or status.blocked is not None


def _paper(status: Status) -> Lamp:
    if status.cover_open:
        return "red"
    return "unknown" if status.paper is None else "green" if status.paper else "red"


def _shift(status: Status) -> Lamp:
    if status.shift_open is None:
        return "unknown"
    if not status.shift_open:
        return "green"
    age = status.shift_seconds or 0
    return "red" if age >= LONGEST else "amber" if age >= LONGEST - 3600 else "green"


def _storage(status: Status, now: datetime) -> Lamp:
    colours: list[Lamp] = []
    if status.storage_documents is not None and status.storage_capacity:
        share = status.storage_documents / status.storage_capacity
        colours.append("red" if share >= 0.99 else "amber" if share >= 0.9 else "green")
    if status.storage_until is not None:
        left = status.storage_until - now
        colours.append("red" if left < STORAGE_NOW else "amber" if left < STORAGE_SOON else "green")
    colours += ["red" if one == "replace_now" else "amber" for one in status.warnings if one in OF_LIFE]
    if status.blocked is not None:
        colours.append("red")
    for colour in ("red", "amber", "green"):
        if colour in colours:
            return colour
    return "unknown"


def _ofd(status: Status, now: datetime, country: str) -> Lamp:
    """A register stops after a while without the OFD: alarm long before (hub.registers.storage)."""
    if "ofd_late" in status.warnings:
        return "red"
    if status.ofd_unsent is None:
        return "unknown"
    if status.ofd_oldest is None:
        return "green"
    steps = ofd_step(country, now - status.ofd_oldest)
    return "red" if steps > 1 else "amber" if steps else "green"


def status_json(status: Status) -> dict[str, Any]:
    """A status as the register's row keeps it."""
    out: dict[str, Any] = {}
    for name in Status.__slots__:
        value = getattr(status, name)
        out[name] = value.isoformat() if isinstance(value, datetime) else \
            value.to_json() if hasattr(value, "to_json") else value
    return out


def status_of(data: dict[str, Any]) -> Status | None:
    """Reads what :func:`status_json` wrote; None for an empty object."""
    from hub.fiscal import Text

    if not data:
        return None
    values: dict[str, Any] = {name: data.get(name) for name in Status.__slots__ if name in data}
    for name in ("shift_opened_at", "storage_until", "ofd_oldest", "clock"):
        if values.get(name):
            values[name] = datetime.fromisoformat(values[name])
    values["warnings"] = tuple(values.get("warnings") or ())
    if values.get("blocked"):
        values["blocked"] = Text.from_json(values["blocked"])
    return Status(**values)
