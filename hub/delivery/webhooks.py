"""The drain of webhooks: one target each, so a receiver that is dead delays nobody but itself.

The process dies after the other side was told: it is told again under the same delivery and event ids.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from typing import Any

import structlog
from sqlalchemy import select, update

from hub import __version__, retry
from hub.api import webhooks
from hub.api.webhooks import DELIVERY, WEBHOOK
from hub.bell import Bell
from hub.contracts import NeedsAttention, Reply, TryLater
from hub.delivery.rounds import Rounds, Row
from hub.dispatch import steps
from hub.fiscal import Text
from hub.intake.sources import Sources
from hub.store import utcnow

#: Seconds for the connection and for the answer: a receiver answers first and works afterwards.
CONNECT, READ = 5.0, 10.0
#: So many failures in a row mean that the receiver is down: everything that waits for it waits.
DOWN = 2
#: An address that must not be called is looked at again so often: a person has to change it.
ATTENTION_SECONDS = 1800.0

ANSWERED = Text("{host} answered {status} instead of 2xx.", "{host} ответил {status}, а не 2xx.")
log = structlog.get_logger("hub.delivery")


@dataclass
class _Receiver:
    """One webhook in one drain."""

    row: Row
    secrets: tuple[str, ...]
    failures: int
    misses: int = 0


class Webhooks(Rounds):
    """Messages to programs: "webhook:<webhook id>"."""

    kind = "webhook"
    rows = DELIVERY
    wanted = ("id", "public_id", "receipt_id", "event", "event_id", "created_at", "tries")

    def __init__(self, sources: Sources, bell: Bell) -> None:
        super().__init__(sources.db, bell)
        self.sources = sources

    def _mine(self, number: int) -> Any:
        return DELIVERY.c.webhook_id == number

    def _teller(self, number: int) -> Callable[[Row], bool] | None:
        with self.db.read() as connection:
            row = connection.execute(select(WEBHOOK).where(WEBHOOK.c.id == number)).mappings().first()
        if row is None:
            return None
        if row["archived_at"] is not None:
            return self._gone
        if not row["enabled"]:
            return None
        receiver = _Receiver(dict(row), webhooks.opened(self.sources.vault, dict(row), utcnow()), row["failures"])
        return partial(self._tell, receiver)

    def _gone(self, row: Row) -> bool:
        self._end(row, "skipped", "the webhook was taken away")
        return True

    def _tell(self, receiver: _Receiver, row: Row) -> bool:
        """One message. False when the receiver should be left in peace for now."""
        with structlog.contextvars.bound_contextvars(webhook=receiver.row["public_id"], event=row["event"]):
            with self.db.read() as connection:
                body = webhooks.message(connection, row, self.sources.public_url)
            if body is None:
                self._end(row, "skipped", "the receipt is gone")
                return True
            try:
                reply = self._send(receiver, row, body)
            except TryLater as problem:
                return self._failed(receiver, row, problem.reason, problem.after, 0)
            except NeedsAttention as problem:
                receiver.misses = DOWN
                return self._failed(receiver, row, problem.reason, ATTENTION_SECONDS, 0)
            if not 200 <= reply.status < 300:
                host = receiver.row["url"].split("/")[2]
                return self._failed(receiver, row, ANSWERED.with_(host=host, status=reply.status), _after(reply),
                                    reply.status)
            steps.at("reported")
            self._told(receiver, row, reply.status)
            log.info("webhook_told", tries=row["tries"])
            return True

    def _send(self, receiver: _Receiver, row: Row, body: bytes) -> Reply:
        now = int(time.time())
        return self.sources.outgoing.client(CONNECT, READ).call("POST", receiver.row["url"], data=body, headers={
            "Content-Type": "application/json", "User-Agent": f"kassahub/{__version__}", "Hub-Event": row["event"],
            "Hub-Delivery": row["public_id"], "Hub-Attempt": str(row["tries"]),
            "Hub-Signature": webhooks.sign(body, receiver.secrets, now)})

    # -- outcomes ------------------------------------------------------------------------------------------------

    def _told(self, receiver: _Receiver, row: Row, status: int) -> None:
        now = utcnow()
        receiver.misses = receiver.failures = 0

        def work(connection: Any) -> None:
            connection.execute(update(DELIVERY).where(DELIVERY.c.id == row["id"]).values(
                state="done", done_at=now, claimed_until=None, error=None, status=status))
            connection.execute(update(WEBHOOK).where(WEBHOOK.c.id == receiver.row["id"]).values(
                last_ok_at=now, failures=0, last_error=None))

        self.db.submit(work)

    def _failed(self, receiver: _Receiver, row: Row, reason: Text, after: float | None, status: int) -> bool:
        """Puts one message off, or gives it up after too many tries; False when the rest waits, too."""
        receiver.misses += 1
        receiver.failures += 1
        tries, now = int(row["tries"]), utcnow()
        rest = receiver.misses >= DOWN
        log.warning("webhook_later", tries=tries, status=status, reason=str(reason))

        def work(connection: Any) -> None:
            connection.execute(update(DELIVERY).where(DELIVERY.c.id == row["id"]).values(
                state="given_up" if retry.give_up(tries) else "pending", claimed_until=None, status=status,
                due_at=now + retry.delay(tries, after), error=reason.to_json()))
            connection.execute(update(WEBHOOK).where(WEBHOOK.c.id == receiver.row["id"]).values(
                failures=receiver.failures, last_error=reason.to_json(), last_error_at=now))
            if rest:
                due = now + retry.delay(receiver.failures, after)
                connection.execute(update(DELIVERY).where(
                    DELIVERY.c.webhook_id == receiver.row["id"], DELIVERY.c.state.in_(("pending", "claimed")),
                    DELIVERY.c.due_at < due).values(due_at=due))

        self.db.submit(work)
        return not rest


def _after(reply: Reply) -> float | None:
    """What ``Retry-After`` asks for, in seconds or as a date; None without one."""
    asked = reply.headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked[:9])
    try:
        at = email.utils.parsedate_to_datetime(asked) if asked else None
    except (ValueError, TypeError):
        return None
    return None if at is None else max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - utcnow()).total_seconds())
