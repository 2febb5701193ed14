"""What one web process holds, and the few lines every view begins with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from flask import abort, current_app, g, request
from flask_login import current_user

from hub.bell import Bell
from hub.config import Config
from hub.intake.doors import Doors
from hub.intake.sources import Sources
from hub.plugins import Catalogue
from hub.store import Database, Organisation, User
from hub.store.vault import Vault


@dataclass(frozen=True, slots=True)
class Hub:
    """The parts of the core that pages work with."""

    config: Config
    db: Database
    vault: Vault
    catalogue: Catalogue
    bell: Bell
    sources: Sources
    doors: Doors


def the_hub() -> Hub:
    """The hub of the current application."""
    return cast(Hub, current_app.extensions["hub"])


def user() -> User:
    """The person who is logged in."""
    return cast(User, current_user.row)


def organisation() -> Organisation:
    """The organisation of the person who is logged in."""
    return cast(Organisation, current_user.organisation)


def actor() -> str:
    """Who the audit and the receipts' history name."""
    return f"user:{user().login}"


def is_owner() -> bool:
    """Whether the person may change settings."""
    return bool(current_user.is_authenticated) and user().role == "owner"


def zone() -> ZoneInfo:
    """The zone in which times are shown: a register's or receipt's own when the view set one, else the
    organisation's."""
    found = g.get("zone")
    if found is None:
        found = g.zone = ZoneInfo(organisation().zone if current_user.is_authenticated else "Europe/Moscow")
    return cast(ZoneInfo, found)


def public_url() -> str:
    """How other systems reach this hub: as configured, else as this browser does."""
    return the_hub().config.public_url or request.host_url.rstrip("/")


def reachable() -> bool:
    """Whether our address means this hub on other machines, too."""
    return urlsplit(public_url()).hostname not in ("127.0.0.1", "localhost", "::1", "0.0.0.0", None)


def found(row: Any) -> Any:
    """``row``, or 404 when there is none."""
    if row is None:
        abort(404)
    return row
