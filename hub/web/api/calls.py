"""What every call goes through: the key, its scope and rate, the idempotency key, the cursor."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar, cast

from flask import Response, current_app, g, request
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from hub.api.keys import KeyFacts, Keys
from hub.fiscal import Text
from hub.intake.context import SourceFacts
from hub.intake.doors import ACCEPT_SECONDS
from hub.store import OnceAnswer, new_public_id, table, utcnow
from hub.web.api.problems import MEDIA, Trouble
from hub.web.state import Hub

#: A repeat under the same idempotency key gets the same answer for so long.
KEEP_ANSWERS = timedelta(hours=24)
#: A call that met another one under its idempotency key looks again at most so often.
TRIES = 3

_once = table(OnceAnswer)
_WELL_KEYED = re.compile(r"[\x21-\x7e]{1,128}")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Api:
    """What the API works with."""

    hub: Hub
    keys: Keys
    rates: Rates


def the_api() -> Api:
    """Of the current application."""
    return cast(Api, current_app.extensions["hub_api"])


# -- keys and scopes -------------------------------------------------------------------------------------------------

NO_KEY = Text("Send a key: “Authorization: Bearer hubkey_…”. Keys are made on the shop's page under Connections.",
              "Передайте ключ: «Authorization: Bearer hubkey_…». Ключи создают на странице магазина в «Подключениях».")
BAD_KEY = Text("This key does not exist, was revoked or has expired. Make a new one on the shop's page.",
               "Такого ключа нет, он отозван или истёк. Создайте новый на странице магазина.")
NO_SCOPE = Text("The key lacks the scope “{scope}”. Make a key that has it on the shop's page.",
                "У ключа нет разрешения «{scope}». Создайте на странице магазина ключ с ним.")
OFF = Text("The shop is paused in the hub: nothing of it is taken now. Let it go on on its page.",
           "Магазин в хабе на паузе, от него ничего не принимают. Продолжите его работу на его странице.")
NO_ID = Text("No id holds such a character. Copy the id from an answer of the hub.",
             "Такого знака нет ни в одном id. Скопируйте id из ответа хаба.")
TOO_FAST = Text("More than {most} calls a minute with this key. Wait {seconds} s and send it again.",
                "Больше {most} вызовов в минуту с этим ключом. Подождите {seconds} с и повторите.")


def needs(scope: str) -> Callable[[F], F]:
    """Marks a view with the scope that its callers' keys must have."""
    def mark(view: F) -> F:
        view.scope = scope  # type: ignore[attr-defined]
        return view
    return mark


def admit() -> None:
    """Before each call: who it is, whether they may, whether they are too fast."""
    view = current_app.view_functions.get(request.endpoint or "")
    scope = getattr(view, "scope", None)
    if scope is None:
        return
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    challenge = {"WWW-Authenticate": 'Bearer realm="kassahub"'}
    if kind.lower() != "bearer" or not secret.strip():
        raise Trouble("unauthorised", NO_KEY, headers=challenge)
    api = the_api()
    key = api.keys.find(secret.strip())
    source = None if key is None else api.hub.sources.by_public_id(key.source)
    if key is None or source is None:
        raise Trouble("unauthorised", BAD_KEY, headers=challenge)
    g.key, g.source = key, source
    g.rate = api.rates.take(key)
    if g.rate.wait:
        raise Trouble("rate_limited", TOO_FAST.with_(most=key.per_minute, seconds=g.rate.wait),
                      headers={"Retry-After": str(g.rate.wait)})
    if scope and scope not in key.scopes:
        raise Trouble("forbidden", NO_SCOPE.with_(scope=scope))
    if not source.enabled:
        raise Trouble("forbidden", OFF)
    if any("\0" in str(value) for value in (request.view_args or {}).values()):
        # PostgreSQL takes no zero byte even to look for: here, for every address, such an id is nobody's.
        raise Trouble("not_found", NO_ID)


def the_key() -> KeyFacts:
    """The key of this call."""
    return cast(KeyFacts, g.key)


def the_shop() -> SourceFacts:
    """The shop of this call's key."""
    return cast(SourceFacts, g.source)


def our_url() -> str:
    """How others reach this hub: as configured, else as this caller does."""
    return the_api().hub.sources.public_url or request.host_url.rstrip("/")


# -- rates -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rate:
    """How a call stands: ``left`` calls at once, all of them back in ``reset`` seconds; ``wait`` above 0: too fast."""

    limit: int
    left: int
    reset: int
    wait: int = 0


class Rates:
    """Calls of each key in this process: a bucket of a minute's calls that fills evenly. Thread-safe.

    In memory: a limit protects this process, and a count in the database would cost more than the calls it counts.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        #: key -> (calls left at, that moment)
        self._buckets: dict[int, tuple[float, float]] = {}

    def take(self, key: KeyFacts) -> Rate:
        """Counts one call."""
        now, full = self._clock(), float(key.per_minute)
        with self._lock:
            if len(self._buckets) > 10_000:
                self._buckets.clear()
            left, at = self._buckets.get(key.id, (full, now))
            left = min(full, left + (now - at) * full / 60)
            wait = 0 if left >= 1 else max(1, -int(-(1 - left) * 60 // full))
            left = left if wait else left - 1
            self._buckets[key.id] = (left, now)
        return Rate(key.per_minute, int(left), -int(-(full - left) * 60 // full), wait)


def tell_rate(response: Response) -> Response:
    """After each call: how many are left."""
    rate: Rate | None = g.get("rate")
    if rate is not None:
        response.headers["RateLimit-Limit"] = str(rate.limit)
        response.headers["RateLimit-Remaining"] = str(rate.left)
        response.headers["RateLimit-Reset"] = str(rate.reset)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


# -- idempotency -----------------------------------------------------------------------------------------------------

BAD_ONCE = Text("“Idempotency-Key” must be 1 to 128 visible ASCII characters.",
                "«Idempotency-Key» — от 1 до 128 видимых знаков ASCII.")
REUSED = Text("Another call was made with this “Idempotency-Key”. Take a new one for each new call, and the same one "
              "only to repeat the very same.",
              "С этим «Idempotency-Key» уже был другой вызов. Берите новый для каждого нового вызова, а тот же — "
              "только чтобы повторить в точности то же самое.")


@dataclass
class Done:
    """What a call did: its answer, and what to ring after the commit."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    after: Callable[[], None] | None = None


def reply(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON."""
    return Response(json_bytes(body), status, content_type="application/json", headers=headers)


def once(work: Callable[[Connection], Done]) -> Response:
    """Runs ``work`` in a write transaction, and answers after it is durable.

    With an idempotency key the answer to a success is kept in the same transaction, unique in the database: a repeat
    gets it again, whatever process serves it. The process dies before the commit: nothing was done, and the repeat
    does it; after it: the repeat gets the answer. Two at once: the second waits for the first one's commit.
    ``work`` runs on another thread than the request's; what it raises undoes what it did.
    """
    api, source, key = the_api(), the_shop(), request.headers.get("Idempotency-Key")
    if key is None:
        done = api.hub.db.submit(work, within=ACCEPT_SECONDS)
    else:
        if not _WELL_KEYED.fullmatch(key):
            raise Trouble("invalid", BAD_ONCE, [("Idempotency-Key", "invalid", BAD_ONCE)])
        done = _kept(api.hub, source, key, work)
    if done.after is not None:
        done.after()
    return Response(json_bytes(done.body), done.status, headers=done.headers,
                    content_type="application/json" if done.status < 400 else MEDIA)


def _kept(hub: Hub, source: SourceFacts, key: str, work: Callable[[Connection], Done]) -> Done:
    asked = hashlib.sha256(b"\0".join((request.method.encode(), request.path.encode(), request.get_data()))).hexdigest()

    def both(connection: Connection) -> Done:
        seen = connection.execute(select(_once.c.request, _once.c.status, _once.c.headers, _once.c.body).where(
            _once.c.source_id == source.id, _once.c.key == key)).first()
        if seen is not None:
            if seen.request != asked:
                raise Trouble("key_reused", REUSED, [("Idempotency-Key", "key_reused", REUSED)])
            return Done(seen.status, hub.vault.unseal_bytes(bytes(seen.body)),
                        {**seen.headers, "Idempotency-Replayed": "true"})
        done = work(connection)
        if done.status < 300:
            now = utcnow()
            connection.execute(insert(_once).values(
                organisation_id=source.organisation_id, source_id=source.id, key=key, request=asked,
                status=done.status, headers=done.headers, body=hub.vault.seal_bytes(json_bytes(done.body)),
                erase_after=now + KEEP_ANSWERS, public_id=new_public_id("onc"), created_at=now, row_version=1))
        return done

    for _ in range(TRIES):
        try:
            return hub.db.submit(both, within=ACCEPT_SECONDS)
        except IntegrityError:
            continue  # another call under this key was faster: now its answer is there
    return hub.db.submit(both, within=ACCEPT_SECONDS)


def json_bytes(body: Any) -> bytes:
    """A body as it is sent, and kept for a repeat."""
    return body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()


# -- cursors ---------------------------------------------------------------------------------------------------------

BAD_CURSOR = Text("This is no cursor: give “next_cursor” of the page before, or none for the first page.",
                  "Это не курсор: передайте «next_cursor» предыдущей страницы или ничего для первой.")


def cursor_of(row_id: int) -> str:
    """What follows a row: a page ends at a row and not at a number of rows, so new ones move nothing."""
    return base64.urlsafe_b64encode(f"1.{row_id}".encode()).decode().rstrip("=")


def row_before(cursor: str | None) -> int | None:
    """The id that the next page's rows are below; None for the first page. Raises Trouble."""
    if cursor is None:
        return None
    try:
        version, _, number = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True) \
            .decode("ascii").partition(".")
        if version == "1" and number.isdigit() and len(number) < 19:
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise Trouble("invalid", BAD_CURSOR, [("cursor", "invalid", BAD_CURSOR)])
