"""The doors: what happens between a request and its answer.

Events are durable before the answer goes out. The process dies before the commit: the sender got no answer and, if it
repeats, is served then; if it never repeats, a poll finds the event. It dies after the commit: the event is in the
inbox and the ticker rings for it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, bindparam, insert, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from hub import steps
from hub.bell import Bell
from hub.contracts import (
    Accepted,
    Answer,
    Conflict,
    Duplicate,
    Event,
    Malformed,
    NeedsAttention,
    Problems,
    ReceiptView,
    Reception,
    Request,
    Submission,
    Unauthorised,
)
from hub.fiscal import Order, Text
from hub.fiscal.plain import keepable
from hub.intake.context import PATIENCE, SourceFacts
from hub.intake.orders import Prepared, Stored, prepare, store
from hub.intake.sources import Sources
from hub.intake.spool import Spool
from hub.intake.standby import Standby
from hub.intake.strangers import Strangers
from hub.store import Database, DatabaseAway, Inbox, RawRequest, SourceRow, new_public_id, table, utcnow
from hub.store.hot import Hot
from hub.store.receipts import CANCELLABLE, RECEIPT, change, view
from hub.store.vault import KeyMissing

LARGEST_BODY = 10 * 1024 * 1024
#: Raw requests are kept so long for the owner, then erased: they hold personal data.
KEEP_RAW = timedelta(days=30)

#: Seconds that acceptance waits for the database; then the request goes to the spool. Some senders wait 60 s, and take
#: a timeout for a failure although it may be stored.
ACCEPT_SECONDS = PATIENCE

#: Headers that are kept beside a raw request; the others say nothing about what was sent or may hold secrets.
KEPT_HEADERS = ("content-type", "content-length", "user-agent", "host")

#: Name under which all headers of a kept request stand, encrypted.
SEALED = "sealed"

TOO_LARGE = Text(
    "A request of more than 10 MB came. It was refused and is not kept: its sender must send less at once.",
    "Пришёл запрос больше 10 МБ. Он отклонён и не сохранён: отправитель должен присылать меньше за раз.")
assert LARGEST_BODY == 10 * 1024 * 1024, "the sentence above says it"

UNKEPT = Text("It holds a character, a number or a text that cannot be stored.",
              "В нём есть символ, число или строка, которые нельзя сохранить.")
BROKE = Text("The plugin could not read this request: {error}", "Плагин не смог прочитать этот запрос: {error}")

#: The same request that is refused again within this time is counted on the row that it has: a shop that repeats
#: itself all night fills no disk and no page.
COUNTED = timedelta(hours=1)

#: A gateway's source is marked as heard so often.
HEARD_SECONDS = 60.0

_inbox, _raw, _source = table(Inbox), table(RawRequest), table(SourceRow)
log = structlog.get_logger("hub.intake")


class Doors:
    """Answers the requests of sources and gateways. Thread-safe."""

    def __init__(self, sources: Sources, bell: Bell, spool: Spool, standby: Standby | None = None) -> None:
        self.sources, self.bell, self.spool, self.standby = sources, bell, spool, standby
        self.db: Database = sources.db
        self.strangers = Strangers(sources.db)
        self.counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        #: Source -> when it was last marked as heard, on the monotonic clock.
        self._heard: dict[int, float] = {}
        #: Source -> when its owner was last told of a request that was too large.
        self._told: dict[int, float] = {}

    def answer(self, plugin: str, public_id: str, token: str, request: Request) -> Answer | None:
        """The answer to a request at ``/in/<plugin>/<public id>/<token>``; None when there never was such a plugin."""
        kind, public_id, token = self.sources.catalogue.connector(plugin), keepable(public_id), keepable(token)
        if kind is None:
            self._count(plugin, "set_aside")
            return None if self.standby is None else self.standby.answer(plugin, request)
        if len(request.body) > LARGEST_BODY:
            return self._too_large(plugin, kind, request, lambda: [
                one for one in (self.sources.by_public_id(public_id),) if one is not None and one.plugin == plugin
                and hmac.compare_digest(one.token.encode(), token.encode())])
        try:
            source = self.sources.by_public_id(public_id)
        except (DatabaseAway, KeyMissing):
            if plugin in self.sources.catalogue.gateways:
                return self._instead(kind, "unavailable", request)
            # Without its key the secret cannot be compared: the import does so when the key file is restored.
            return self._spooled(kind, plugin, public_id, token, request)
        if source is None or source.plugin != plugin or not hmac.compare_digest(
                source.token.encode(), token.encode()):
            self._unauthorised(plugin, source, public_id)
            return self._instead(kind, "unauthorised", request)
        if not source.enabled:
            self._count(plugin, "disabled")
            return self._instead(kind, "disabled", request)
        if plugin in self.sources.catalogue.gateways:
            return self._gateway(kind, source, request)
        return self._receive(kind, source, request, token)

    def note_heard(self, connection: Connection, source: SourceFacts) -> None:
        """Notes that a gateway's shop is alive, at most once a minute: its receipts pass the inbox by. A row that
        another transaction holds is left alone, so that batches never wait for each other here."""
        now = time.monotonic()
        if now - self._heard.get(source.id, -HEARD_SECONDS) < HEARD_SECONDS:
            return
        self._heard[source.id] = now
        free = select(_source.c.id).where(_source.c.id == source.id).with_for_update(key_share=True, skip_locked=True)
        connection.execute(update(_source).where(_source.c.id.in_(free)).values(last_event_at=utcnow()))

    def at_root(self, plugin: str, request: Request) -> Answer:
        """The answer of a gateway at one of its paths at the hub's root: there the request names its account."""
        kind = self.sources.catalogue.gateways[plugin]
        if len(request.body) > LARGEST_BODY:
            return self._too_large(
                plugin, kind, request, lambda: self.sources.of_account(plugin, kind.account(request)))
        try:
            account = keepable(kind.account(request))
            named = self.sources.of_account(plugin, account)
        except (DatabaseAway, KeyMissing):
            return self._instead(kind, "unavailable", request)
        paused = [one for one in named if not one.enabled]
        for source in named:
            # Two owners may have given their connection the same name: whose key fits is meant.
            if source.enabled and (answer := self._handled(kind, source, request)) is not None:
                return answer
        if named and len(paused) == len(named):
            self._count(plugin, "disabled")
            return self._instead(kind, "disabled", request)
        self._unauthorised(plugin, next((one for one in named if one.enabled), None), account)
        return self._instead(kind, "unauthorised", request)

    def _too_large(self, plugin: str, kind: Any, request: Request,
                   meant: Callable[[], Sequence[SourceFacts]]) -> Answer:
        """The answer to more than is taken. Its owner is told, at most once a minute: nobody's signature over all of it
        can be checked."""
        self._count(plugin, "too_large")
        try:
            sources = meant()
        except (DatabaseAway, KeyMissing):
            sources = ()
        now = time.monotonic()
        for source in sources:
            if now - self._told.get(source.id, -HEARD_SECONDS) >= HEARD_SECONDS:
                self._told[source.id] = now
                self._keep(source, replace(request, body=b""), Event(subject="", kind="malformed"), "malformed",
                           TOO_LARGE)
        return self._instead(kind, "too_large", request)

    # -- sources -------------------------------------------------------------------------------------------------

    def _receive(self, kind: Any, source: SourceFacts, request: Request, token: str) -> Answer:
        try:
            reception = self.sources.receiver(source).receive(request)
        except Unauthorised:
            self._unauthorised(source.plugin, source)
            return self._instead(kind, "unauthorised", request)
        except Malformed as problem:
            self._count(source.plugin, "malformed")
            self._keep(source, request, Event(subject="", kind="malformed"), "malformed", problem.reason)
            answer = self._instead(kind, "malformed", request)
            if answer.status == 400:
                return Answer.text(f"{problem.field + ': ' if problem.field else ''}{problem.reason}", 400)
            return answer
        except DatabaseAway:
            return self._spooled(kind, source.plugin, source.public_id, token, request)
        except Exception as problem:
            # A plugin's own fault loses nothing: the request is kept, shown, and received again after the repair.
            log.error("receive_failed", source=source.public_id, plugin=source.plugin, error=repr(problem))
            self._count(source.plugin, "failed")
            if not self._keep(source, request, Event(subject="", kind="failed"), "failed",
                              BROKE.with_(error=repr(problem)[:200])):
                return self._spooled(kind, source.plugin, source.public_id, token, request)
            return self._instead(kind, "failed", request)
        if not reception.events and not (reception.keep and reception.ignored):
            return reception.answer
        steps.at("received")
        try:
            self.store_events(source, reception, request)
        except DatabaseAway:
            return self._spooled(kind, source.plugin, source.public_id, token, request, reception.answer)
        steps.at("inbox_kept")
        self._count(source.plugin, "accepted")
        if reception.events:
            self.bell.ring("jobs", f"source:{source.id}")
        return reception.answer

    def store_events(self, source: SourceFacts, reception: Reception, request: Request, via: str = "webhook") -> None:
        """Durably stores the raw request and its events; ignored ones with their reason. Raises DatabaseAway."""
        raw = self._sealed(source, request)
        digest = request_digest(request)

        def work(connection: Connection) -> None:
            raw_id = put_raw(connection, raw)
            if reception.events:
                put_events(connection, source, reception.events, via, raw_id, digest)
            elif reception.ignored is not None:
                put(connection, source, Event(subject="", kind="ignored"), via, raw_id, digest, "ignored",
                    reception.ignored)

        self.db.submit(work, within=ACCEPT_SECONDS)

    def _keep(self, source: SourceFacts, request: Request, event: Event, state: str, reason: Text) -> bool:
        """Stores a request that made no event, for the owner; one that is there already is counted. False while the
        database is away. Nothing that a request may hold makes it fail."""
        raw, digest = self._sealed(source, request), request_digest(request)
        # It may have to be received again after the repair, with all it came with: secrets too, so they are sealed.
        sealed, key_id = self.sources.vault.seal(dict(request.headers))
        raw["headers"] = {**raw["headers"], SEALED: f"{key_id} {sealed}"}

        def work(connection: Connection) -> None:
            if not counted(connection, source, digest, state, reason):
                put(connection, source, event, "webhook", put_raw(connection, raw), digest, state, reason)

        try:
            self.db.submit(work, within=ACCEPT_SECONDS)
        except DatabaseAway:
            return False
        return True

    def _sealed(self, source: SourceFacts, request: Request) -> dict[str, Any]:
        """Columns of a raw request, its body encrypted: many systems put their token into it."""
        values = raw_values(source, request)
        values["body"] = self.sources.vault.seal_bytes(request.body)
        return values

    def receive_again(self, organisation_id: int, inbox_id: int) -> Text | None:
        """Receives a kept request once more, after the plugin or its settings were mended. None when its events are
        in the inbox now; a sentence when it still cannot be read. Raises DatabaseAway."""
        with self.db.read() as connection:
            row = connection.execute(
                select(_inbox.c.source_id, _raw)
                .join(_raw, _raw.c.id == _inbox.c.raw_id)
                .where(_inbox.c.id == inbox_id, _inbox.c.organisation_id == organisation_id,
                       _inbox.c.subject == "")).mappings().first()
        source = None if row is None else self.sources.by_id(row["source_id"])
        if row is None or source is None or not row["method"]:
            return Text("The request is no longer kept.", "Запрос больше не хранится.")
        key_id, _, sealed = str((row["headers"] or {}).get(SEALED, "")).partition(" ")
        headers = self.sources.vault.unseal(sealed, key_id) or dict(row["headers"] or {})
        body = self.sources.vault.unseal_bytes(bytes(row["body"]))
        request = Request(row["method"], row["path"], row["query"], headers, body, row["remote"])
        try:
            reception = self.sources.instance(source).receive(request)
        except Malformed as problem:
            return problem.reason
        except Unauthorised:
            return Text("The secret in the request is not the one in the settings.",
                        "Секрет в запросе не тот, что в настройках.")
        except NeedsAttention as problem:
            return problem.reason
        except DatabaseAway:
            raise
        except Exception as problem:
            return Text("The plugin still cannot read it: {error}", "Плагин всё ещё не может его прочитать: {error}",
                        params={"error": repr(problem)[:200]})
        if not reception.events:
            return reception.ignored or Text("There is nothing to print in it.", "Печатать в нём нечего.")

        def work(connection: Connection) -> None:
            put_events(connection, source, reception.events, "again", row["id"], request_digest(request))
            connection.execute(update(_inbox).where(_inbox.c.id == inbox_id).values(
                state="done", done_at=utcnow(), reason=None))

        self.db.submit(work)
        self.bell.ring("jobs", f"source:{source.id}")
        return None

    def _spooled(self, kind: Any, plugin: str, public_id: str, token: str, request: Request,
                 answer: Answer | None = None) -> Answer:
        """The database is away: the raw request is kept on disk and imported later."""
        if not getattr(kind, "worth_keeping", lambda _: True)(request):
            return self._instead(kind, "unavailable", request)
        try:
            self.spool.keep(plugin, public_id, token, request)
        except OSError as problem:
            log.error("spool_failed", plugin=plugin, error=str(problem))
            self._count(plugin, "lost")
            return self._instead(kind, "lost", request)
        steps.at("spooled")
        self._count(plugin, "spooled")
        return answer if answer is not None else self._instead(kind, "unavailable", request)

    @staticmethod
    def _instead(kind: Any, why: Any, request: Request) -> Answer:
        answer: Answer = kind.answer_instead(why, request)
        return answer

    def _unauthorised(self, plugin: str, source: SourceFacts | None, account: str = "") -> None:
        """A request that nobody's secret fits: noted at its connection, or under the name that it gave."""
        self._count(plugin, "unauthorised")
        if source is None:
            self.strangers.note(plugin, account)
            return
        try:
            self.db.submit(lambda connection: connection.execute(
                update(_source).where(_source.c.id == source.id)
                .values(wrong_secrets=_source.c.wrong_secrets + 1)), within=ACCEPT_SECONDS)
        except DatabaseAway:
            pass

    def _count(self, plugin: str, what: str) -> None:
        with self._lock:
            self.counts[plugin, what] += 1

    # -- gateways ------------------------------------------------------------------------------------------------

    def _gateway(self, kind: Any, source: SourceFacts, request: Request) -> Answer:
        answer = self._handled(kind, source, request)
        if answer is None:
            self._unauthorised(source.plugin, source)
            return self._instead(kind, "unauthorised", request)
        return answer

    def _handled(self, kind: Any, source: SourceFacts, request: Request) -> Answer | None:
        """The gateway's answer; None when the request was not meant for it."""
        try:
            return self.sources.gateway(source, SourceIntake(self, source)).handle(request)
        except Unauthorised:
            return None
        except Malformed as problem:
            self._count(source.plugin, "malformed")
            self._keep(source, request, Event(subject="", kind="malformed"), "malformed", problem.reason)
            return self._instead(kind, "malformed", request)
        except DatabaseAway:
            # Synchronous: the shop is told to repeat. Nothing was accepted, so nothing needs keeping.
            return self._instead(kind, "unavailable", request)
        except Exception as problem:
            # A plugin's own fault: the shop repeats, and the owner sees that it does.
            log.error("gateway_failed", source=source.public_id, plugin=source.plugin, error=repr(problem))
            self._count(source.plugin, "failed")
            self._keep(source, request, Event(subject="", kind="failed"), "failed",
                       BROKE.with_(error=repr(problem)[:200]))
            return self._instead(kind, "failed", request)

    # -- the spool -----------------------------------------------------------------------------------------------

    def import_spool(self, most: int = 200) -> int:
        """Receives what waited on disk; how many were done. A file leaves the spool after its events are durable:
        dying in between imports it twice, which the source keys make harmless."""
        done = 0
        for file, kept, request in self.spool.waiting():
            if done >= most:
                break
            try:
                source = self.sources.by_public_id(kept["source"])
            except DatabaseAway:
                return done
            except KeyMissing:
                continue
            kind = self.sources.catalogue.connector(kept["plugin"])
            if source is None or kind is None or not hmac.compare_digest(source.token.encode(),
                                                                         str(kept["token"]).encode()):
                log.warning("spool_refused", file=file.name, plugin=kept["plugin"])
                file.rename(file.with_suffix(".refused"))
                continue
            try:
                reception = self.sources.instance(source).receive(request)
                if reception.events or (reception.keep and reception.ignored):
                    self.store_events(source, reception, request, "spool")
                    self.bell.ring("jobs", f"source:{source.id}")
            except DatabaseAway:
                return done
            except Exception as problem:
                if not self._keep(source, request, Event(subject="", kind="failed"), "failed", Text(
                        "A kept request could not be read: {error}", "Отложенный запрос не удалось прочитать: {error}",
                        params={"error": repr(problem)[:200]})):
                    return done
            steps.at("spool_stored")
            # Another process with the same folder may have imported it at the same time.
            file.unlink(missing_ok=True)
            done += 1
        return done


@dataclass(frozen=True, slots=True)
class Ready:
    """An order that only has to be stored, with its raw request's columns."""

    prepared: Prepared
    raw: dict[str, Any]


class SourceIntake:
    """The :class:`~hub.contracts.Intake` facade of one gateway: submit, status, cancel, all synchronous."""

    def __init__(self, doors: Doors, source: SourceFacts) -> None:
        self._doors, self._source = doors, source

    def ready(self, order: Order, raw: Request) -> Ready:
        """The order built and the request sealed: all that can be done before the transaction."""
        doors = self._doors
        return Ready(prepare(self._source, order, doors.sources.catalogue, utcnow()), doors._sealed(self._source, raw))

    def put(self, connection: Connection, ready: Ready, actor: str = "") -> Stored:
        """Stores what is ready inside a transaction of the caller, who calls :meth:`rung` after its commit."""
        raw_id = put_raw(connection, ready.raw)
        self._doors.note_heard(connection, self._source)
        return store(connection, self._source, ready.prepared, actor=actor or f"gateway:{self._source.plugin}",
                     raw_id=raw_id)

    def rung(self, stored: Stored) -> None:
        """The receipt is durable: whoever prints it hears of it."""
        if stored.ring:
            self._doors.bell.ring("registers", f"queue:{self._source.queue_id}")

    def submit(self, order: Order, raw: Request) -> Submission:
        try:
            return self._submit(order, raw)
        except UnicodeError as problem:
            raise Malformed(UNKEPT) from problem
        except DBAPIError as problem:
            if type(problem.orig).__name__ != "DataError":
                raise
            raise Malformed(UNKEPT) from problem

    def _submit(self, order: Order, raw: Request) -> Submission:
        ready = self.ready(order, raw)

        def work(connection: Connection) -> tuple[Stored, ReceiptView]:
            stored = self.put(connection, ready)
            if stored.outcome == "accepted":
                # All of it is known: the writer, whom everybody waits for, need not read it back.
                return stored, ReceiptView(
                    order.key, stored.state, stored.public_id,  # type: ignore[arg-type]
                    order_number=order.number[:100], origin=dict(order.origin), id=stored.receipt_id)
            seen = view(connection, stored.receipt_id)
            assert seen is not None
            return stored, seen

        steps.at("built")
        stored, seen = self._doors.db.submit(work, within=ACCEPT_SECONDS)
        steps.at("accepted")
        self.rung(stored)
        if stored.outcome == "invalid":
            return Problems(seen, stored.problems)
        if stored.outcome == "conflict":
            return Conflict(seen)
        return Duplicate(seen) if stored.outcome == "duplicate" else Accepted(seen)

    def status(self, key: str) -> ReceiptView | None:
        return self._doors.sources.context(self._source).receipt(key)

    def numbered(self, id: int) -> ReceiptView | None:
        return self._doors.sources.context(self._source).numbered(id)

    def turn_down(self, raw: Request, reason: Text) -> None:
        doors = self._doors
        doors._count(self._source.plugin, "malformed")
        if not doors._keep(self._source, raw, Event(subject="", kind="malformed"), "malformed", reason):
            raise DatabaseAway("the request could not be kept")

    def cancel(self, key: str) -> ReceiptView | None:
        source = self._source

        def work(connection: Connection) -> ReceiptView | None:
            receipt_id = connection.execute(select(RECEIPT.c.id).where(
                RECEIPT.c.source_id == source.id, RECEIPT.c.source_key == key)).scalar()
            if receipt_id is None:
                return None
            change(connection, source.organisation_id, int(receipt_id), CANCELLABLE, "cancelled",
                   f"gateway:{source.plugin}", "cancelled")
            return view(connection, int(receipt_id))

        return self._doors.db.submit(work)


_insert_raw = insert(_raw).values({name: bindparam(name) for name in (
    "organisation_id", "source_id", "method", "path", "query", "headers", "body", "remote", "erase_after", "public_id",
    "created_at", "row_version")})
_INSERT_RAW = {True: Hot(_insert_raw), False: Hot(_insert_raw.returning(_raw.c.id))}
_INBOX_COLUMNS = ("organisation_id", "source_id", "subject", "kind", "data", "again", "digest", "raw_id", "via",
                  "state", "reason", "deliveries", "tries", "due_at", "public_id", "created_at", "row_version")


def request_digest(request: Request) -> str:
    """What makes two deliveries the same request: path, query and body."""
    digest = hashlib.sha256(request.path.encode("utf-8", "surrogatepass") + b"\0"
                            + request.query.encode("utf-8", "surrogatepass") + b"\0")
    digest.update(request.body)
    return digest.hexdigest()


def raw_values(source: SourceFacts, request: Request) -> dict[str, Any]:
    """Columns of a raw request."""
    now = utcnow()
    return {"organisation_id": source.organisation_id, "source_id": source.id, "method": keepable(request.method[:8]),
            "path": keepable(request.path[:256]), "query": keepable(request.query),
            "headers": {name: request.headers[name] for name in KEPT_HEADERS if name in request.headers},
            "body": request.body, "remote": keepable(request.remote[:64]), "erase_after": now + KEEP_RAW,
            "public_id": new_public_id("raw"), "created_at": now, "row_version": 1}


def put_raw(connection: Connection, values: Mapping[str, Any]) -> int:
    """Stores a raw request; its id. SQLite's driver knows it by itself, and RETURNING costs there as much again."""
    sqlite_ = connection.dialect.name == "sqlite"
    cursor = _INSERT_RAW[sqlite_].run(connection, values)
    return int(cursor.lastrowid if sqlite_ else cursor.fetchone()[0])


def put_events(connection: Connection, source: SourceFacts, events: Sequence[Event], via: str, raw_id: int | None,
               digest: str) -> None:
    """Adds pending events to the inbox. An identical one that still waits is only counted."""
    for index, event in enumerate(events):
        put(connection, source, event, via, raw_id, f"{digest[:56]}{index:08d}" if index else digest)


def counted(connection: Connection, source: SourceFacts, digest: str, state: str, reason: Text) -> bool:
    """Whether the very same request was refused a moment ago: then it is one more on that row. Two at the same moment
    may be two rows."""
    found = connection.execute(
        select(_inbox.c.id).where(
            _inbox.c.source_id == source.id, _inbox.c.created_at > utcnow() - COUNTED, _inbox.c.digest == digest,
            _inbox.c.subject == "", _inbox.c.state == state)
        .order_by(_inbox.c.id.desc()).limit(1)).scalar()
    if found is None:
        return False
    connection.execute(update(_inbox).where(_inbox.c.id == found).values(
        deliveries=_inbox.c.deliveries + 1, reason=reason.to_json()))
    return True


def event_digest(event: Event) -> str:
    """The digest of an event that came without a request (polls)."""
    return hashlib.sha256(json.dumps([event.subject, event.kind, dict(event.data)], sort_keys=True,
                                     ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


def put(connection: Connection, source: SourceFacts, event: Event, via: str, raw_id: int | None, digest: str,
        state: str = "pending", reason: Text | None = None) -> None:
    """One inbox row in a state."""
    now = utcnow()
    values: Mapping[str, Any] = {
        "organisation_id": source.organisation_id, "source_id": source.id, "subject": keepable(event.subject[:200]),
        "kind": keepable(event.kind[:80]), "data": dict(event.data), "again": event.again, "digest": digest,
        "raw_id": raw_id, "via": via, "state": state, "reason": reason.to_json() if reason else None, "deliveries": 1,
        "tries": 0, "due_at": now, "public_id": new_public_id("evt"), "created_at": now, "row_version": 1}
    if state != "pending":
        connection.execute(insert(_inbox), values)
        return
    _PUT_PENDING[connection.dialect.name == "sqlite"].run(connection, values)


def _put_pending(dialect: Any) -> Any:
    statement = dialect.insert(_inbox).values({name: bindparam(name) for name in _INBOX_COLUMNS})
    return Hot(statement.on_conflict_do_update(
        index_elements=["source_id", "digest"], index_where=_inbox.c.state == literal_column("'pending'"),
        set_={"deliveries": _inbox.c.deliveries + 1}))


_PUT_PENDING = {True: _put_pending(sqlite), False: _put_pending(postgresql)}
