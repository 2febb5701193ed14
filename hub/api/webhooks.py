"""Webhooks out: who hears what, under which secrets, and what is sent (again). hub.delivery.webhooks sends it.

A message is signed with HMAC-SHA256 over ``<time>.<body>``: ``Hub-Signature: t=1764500000,v1=<hex>``. During a
rotation there is a ``v1`` of each valid secret, so a receiver that knows either of them goes on.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from hub.api.shapes import Json, moment, receipts, say
from hub.contracts.outgoing import url_problem
from hub.fiscal import Text
from hub.office import Wrong
from hub.store import Webhook, WebhookDelivery, new_public_id, table, utcnow
from hub.store.audit import noted
from hub.store.receipts import RECEIPT, TOLD
from hub.store.vault import Vault

WEBHOOK, DELIVERY = table(Webhook), table(WebhookDelivery)
EVENTS = tuple(sorted(f"receipt.{one}" for one in TOLD))
TEST = "test"
SECRET_PREFIX = "hubsec_"
#: For how long the secret before a rotation still signs unless told otherwise.
OVERLAP = timedelta(hours=24)
#: Most webhooks of one shop: each is a message for every receipt.
MOST = 20

TOO_MANY = Text("A shop has at most {most} webhooks. Take one away.", "У магазина не больше {most} вебхуков. Уберите "
                                                                      "лишний.")


def new_secret() -> str:
    """A secret with 190 random bits."""
    return SECRET_PREFIX + secrets.token_urlsafe(24)


def opened(vault: Vault, row: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    """The secrets that sign now, the current one first. Raises KeyMissing."""
    kept = vault.unseal(row["secrets"], row["key_id"])
    until = row["previous_until"]
    return (kept["current"], *((kept["previous"],) if kept.get("previous") and until and until > now else ()))


def sign(body: bytes, keys: Sequence[str], at: int) -> str:
    """The header's value."""
    message = f"{at}.".encode() + body
    return ",".join([f"t={at}", *(f"v1={hmac.new(one.encode(), message, hashlib.sha256).hexdigest()}"
                                  for one in keys)])


# -- webhooks --------------------------------------------------------------------------------------------------------


def checked(url: str | None, events: Sequence[str] | None) -> None:
    """Raises Wrong for an address or events that cannot be used. Whether the address is public is known only when it
    is called."""
    wrong: dict[str, Text] = {}
    problem = None if url is None else url_problem(url)
    if problem is not None:
        wrong["url"] = problem
    if events is not None and set(events) - set(EVENTS):
        wrong["events"] = Text("Choose from: {events}.", "Выберите из: {events}.",
                               params={"events": ", ".join(EVENTS)})
    if wrong:
        raise Wrong(wrong)


def subscribe(connection: Connection, vault: Vault, place: tuple[int, int], actor: str, url: str, title: str = "",
              events: Sequence[str] = ()) -> tuple[str, str]:
    """A new webhook of a source; ``place`` is (organisation id, source id). Its public id and secret. Raises Wrong."""
    checked(url, events)
    have = connection.execute(select(WEBHOOK.c.id).where(WEBHOOK.c.source_id == place[1],
                                                         WEBHOOK.c.archived_at.is_(None)).limit(MOST)).all()
    if len(have) >= MOST:
        raise Wrong({"url": TOO_MANY.with_(most=MOST)})
    secret, public_id = new_secret(), new_public_id("whk")
    sealed, key_id = vault.seal({"current": secret})
    connection.execute(insert(WEBHOOK).values(
        organisation_id=place[0], source_id=place[1], title=title.strip()[:128], url=url, events=sorted(set(events)),
        secrets=sealed, key_id=key_id, enabled=True, failures=0, public_id=public_id, created_at=utcnow(),
        row_version=1))
    noted(connection, place[0], actor, "webhook.add", public_id)
    return public_id, secret


def change(connection: Connection, row: Mapping[str, Any], actor: str, values: Mapping[str, Any]) -> None:
    """Changes url, title, events or enabled. What waits is due at once: the cause may be mended. Raises Wrong."""
    checked(values.get("url"), values.get("events"))
    new = {name: values[name] for name in ("url", "title", "events", "enabled") if name in values}
    if "events" in new:
        new["events"] = sorted(set(new["events"]))
    if new:
        connection.execute(update(WEBHOOK).where(WEBHOOK.c.id == row["id"]).values(**new, failures=0, last_error=None))
        connection.execute(update(DELIVERY).where(DELIVERY.c.webhook_id == row["id"], DELIVERY.c.state == "pending")
                           .values(due_at=utcnow()))
        noted(connection, row["organisation_id"], actor, "webhook.change", row["public_id"], fields=sorted(new))


def rotate(connection: Connection, vault: Vault, row: Mapping[str, Any], actor: str,
           overlap: timedelta = OVERLAP) -> str:
    """A new secret; the one that was current signs too until ``overlap`` has passed. Raises KeyMissing."""
    old = vault.unseal(row["secrets"], row["key_id"])
    secret = new_secret()
    sealed, key_id = vault.seal({"current": secret, "previous": old["current"]})
    connection.execute(update(WEBHOOK).where(WEBHOOK.c.id == row["id"]).values(
        secrets=sealed, key_id=key_id, previous_until=utcnow() + overlap))
    noted(connection, row["organisation_id"], actor, "webhook.rotate", row["public_id"])
    return secret


def archive(connection: Connection, row: Mapping[str, Any], actor: str) -> None:
    """Takes a webhook away; what waits is not sent."""
    connection.execute(update(WEBHOOK).where(WEBHOOK.c.id == row["id"]).values(archived_at=utcnow(), enabled=False))
    noted(connection, row["organisation_id"], actor, "webhook.archive", row["public_id"])


def one(connection: Connection, source_id: int, public_id: str) -> Mapping[str, Any] | None:
    """A source's webhook that was not taken away."""
    row = connection.execute(select(WEBHOOK).where(
        WEBHOOK.c.source_id == source_id, WEBHOOK.c.public_id == public_id,
        WEBHOOK.c.archived_at.is_(None)).with_for_update()).mappings().first()
    return None if row is None else dict(row)


def listed(connection: Connection, source_id: int) -> Sequence[Mapping[str, Any]]:
    """A source's webhooks, oldest first."""
    return [dict(row) for row in connection.execute(select(WEBHOOK).where(
        WEBHOOK.c.source_id == source_id, WEBHOOK.c.archived_at.is_(None)).order_by(WEBHOOK.c.id)).mappings()]


def webhook_json(row: Mapping[str, Any], language: str) -> Json:
    """A webhook without its secrets."""
    return {"id": row["public_id"], "title": row["title"], "url": row["url"], "events": list(row["events"]),
            "enabled": bool(row["enabled"]), "created_at": moment(row["created_at"]),
            "last_ok_at": moment(row["last_ok_at"]), "failures": row["failures"],
            "last_error": say(row["last_error"], language),
            "old_secret_until": moment(row["previous_until"]) if row["previous_until"] and
            row["previous_until"] > utcnow() else None}


# -- deliveries ------------------------------------------------------------------------------------------------------


def test(connection: Connection, row: Mapping[str, Any]) -> str:
    """Plans a message that says nothing, to try the way; its public id."""
    now, public_id = utcnow(), new_public_id("whd")
    connection.execute(insert(DELIVERY).values(
        organisation_id=row["organisation_id"], webhook_id=row["id"], receipt_id=None, event=TEST,
        event_id=new_public_id("evt"), state="pending", tries=0, due_at=now, status=0, note="", public_id=public_id,
        created_at=now, row_version=1))
    return public_id


def replay(connection: Connection, row: Mapping[str, Any], actor: str, *, delivery: str = "",
           since: datetime | None = None, until: datetime | None = None, failed_only: bool = False) -> int:
    """Sends one delivery again, or those of a period, with all their tries before them; how many. What is being sent
    this moment is left alone."""
    mine = (DELIVERY.c.webhook_id == row["id"]) & DELIVERY.c.state.in_(
        ("given_up",) if failed_only else ("done", "given_up", "skipped", "pending"))
    if delivery:
        mine &= DELIVERY.c.public_id == delivery
    if since is not None:
        mine &= DELIVERY.c.created_at >= since
    if until is not None:
        mine &= DELIVERY.c.created_at < until
    count = connection.execute(update(DELIVERY).where(mine).values(
        state="pending", tries=0, due_at=utcnow(), claimed_until=None, done_at=None, error=None, note="")).rowcount
    noted(connection, row["organisation_id"], actor, "webhook.replay", row["public_id"], deliveries=count)
    return int(count)


def deliveries(connection: Connection, condition: Any, language: str, most: int) -> list[tuple[int, Json]]:
    """(row id, delivery), newest first."""
    rows = connection.execute(
        select(DELIVERY, RECEIPT.c.public_id.label("receipt"))
        .join(RECEIPT, RECEIPT.c.id == DELIVERY.c.receipt_id, isouter=True).where(condition)
        .order_by(DELIVERY.c.id.desc()).limit(most)).mappings().all()
    return [(row["id"], {
        "id": row["public_id"], "event": row["event"], "event_id": row["event_id"], "receipt": row["receipt"],
        "state": row["state"], "tries": row["tries"], "status": row["status"], "error": say(row["error"], language),
        "created_at": moment(row["created_at"]), "due_at": moment(row["due_at"]), "done_at": moment(row["done_at"])})
        for row in rows]


def message(connection: Connection, row: Mapping[str, Any], public_url: str) -> bytes | None:
    """The body of a delivery: the event, and the receipt as it is now (it may be further than the event says). None
    when the receipt is gone."""
    shown: Json | None = None
    if row["receipt_id"] is not None:
        found = receipts(connection, RECEIPT.c.id == row["receipt_id"], "en", public_url)
        if not found:
            return None
        shown = found[0]
    return json.dumps({"id": row["event_id"], "type": row["event"], "created_at": moment(row["created_at"]),
                       "receipt": shown}, ensure_ascii=False).encode()
