"""The audit on the paths that have a connection and no ORM session (hub.office has one)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert

from hub.store.base import new_public_id, table, utcnow
from hub.store.organisation import Audit

_AUDIT = table(Audit)


def noted(connection: Connection, organisation_id: int, actor: str, action: str, object_id: str,
          **details: Any) -> None:
    """Appends who did what. Details must hold no secret and no personal data."""
    connection.execute(insert(_AUDIT).values(
        organisation_id=organisation_id, actor=actor, action=action, object_id=object_id, details=details,
        at=utcnow(), public_id=new_public_id("aud"), created_at=utcnow(), row_version=1))
