"""AlfaCRM's REST API v2 (alfacrm.md §1-§2): one request at a time per account, one login shared by all workers.

An error never looks like an empty page: whatever is not a whole, well-formed answer is an exception.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hub_plugins.alfacrm import kept, values
from hub_plugins.alfacrm.rules import Rules

from hub.contracts import NeedsAttention, Pace, Reply, SourceContext, Text, TryLater

TOKEN_HEADER = "X-ALFACRM-TOKEN"
#: Sources disagree about a token's life (§1: 14 min to 12 h, most say an hour).
TOKEN_SECONDS = 50 * 60
TOKEN = "token"
#: A turn outlasts one request (5 s to connect, 25 s to read) and its pause; a turn is waited for a few times a few
#: seconds, because whoever has much to ask takes the next turn quickly.
TURN_SECONDS, TURN_TRIES = 45.0, 6
#: Seconds between two requests where the settings say none; and how long a write may wait for its turn.
NO_PAUSE, LONGEST_WRITE_PAUSE = 0.0001, 12.0
PAGE_SIZE = 50
MOST_PAGES = 400
#: Times a list is read again because its length changed meanwhile: a row that was taken away moved another one over
#: the edge of two pages.
MOST_AGAIN = 2
#: A write waits so long for a moment without readers, in seconds, and a poll's page so long; looking so often.
WRITE_BEHIND, POLL_BEHIND, LOOK = 8.0, 2.0, 0.05
#: Quiet after a 429 that does not say how long.
QUIET_SECONDS = 2.0
#: A sentence of the other side is cut here.
LONGEST_WORDS = 300


class Refused(NeedsAttention):
    """The CRM said no with HTTP 200 (``success: false``, §2.3). ``fields`` are those it complains about."""

    def __init__(self, reason: Text, fields: frozenset[str]) -> None:
        super().__init__(reason, code="success=false")
        self.fields = fields


class Gone(NeedsAttention):
    """404: no such record, entity or branch."""


class Forbidden(NeedsAttention):
    """401 or 403 with a fresh token: the API user may not do this."""


class AlfaClient:
    """Calls one account. ``sleep`` (seconds) comes from outside."""

    def __init__(self, rules: Rules, context: SourceContext, sleep: Callable[[float], None] = time.sleep) -> None:
        self.rules, self.context, self.sleep = rules, context, sleep
        headers = (f"{name}: {value}" for name, value in sorted(rules.headers.items()))
        whose = "\n".join((rules.origin, rules.email, rules.api_key, *headers))
        #: Names what is remembered for this very account, so that new settings never use an old token.
        self.scope = hashlib.sha256(whose.encode()).hexdigest()[:16]
        # One login for all sources of this API user; one request at a time for whoever calls this host (§1, §2.4).
        self.shared, self._door = context.account(whose), context.account(rules.origin)
        self._account: kept.Account | None = None
        # The limits are the account's (§2.4): all sources, workers and machines that call this host share them.
        self._pace = Pace(context, rules.origin, 1 / max(rules.read_pause, NO_PAUSE), sleep=sleep)
        self._writes = Pace(context, f"{rules.origin} write", 1 / max(rules.write_pause, NO_PAUSE), sleep=sleep,
                            longest=LONGEST_WRITE_PAUSE)

    @property
    def account(self) -> kept.Account:
        """What this process keeps of the account."""
        if self._account is None:
            self._account = kept.account(self.shared, self.scope)
        return self._account

    # -- what the rest of the plugin uses ------------------------------------------------------------------------

    def login(self) -> None:
        """Logs in anew, whatever is remembered. Raises NeedsAttention on a wrong address, e-mail or key."""
        self._login(self._token())

    def rows(self, branch: int | None, entity: str, filters: Mapping[str, Any],
             query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """All rows of an ``index`` (§2.1-§2.2), each id once.

        Never believes its page size was honoured: reads until it has ``total`` rows, or an empty page, or a page
        with nothing new. A list whose length changed while it was read is read again. Raises NeedsAttention when the
        list does not end.
        """
        found: dict[Any, dict[str, Any]] = {}
        for _ in range(1 + MOST_AGAIN):
            if self._whole(branch, entity, filters, query, found):
                break
        return list(found.values())

    def _whole(self, branch: int | None, entity: str, filters: Mapping[str, Any], query: Mapping[str, str] | None,
               found: dict[Any, dict[str, Any]]) -> bool:
        """Reads the list once into ``found``; whether it kept its length all the while."""
        seen: set[Any] = set()
        first: int | None = None
        for page in range(MOST_PAGES):
            items, total = self.page(branch, entity, filters, page, query)
            if page == 0:
                first = total
            new = {values.whole(one.get("id")): one for one in items}
            fresh = new.keys() - seen
            seen |= new.keys()
            found.update({number: one for number, one in new.items() if number not in found})
            if not items or not fresh or (total is not None and len(seen) >= total):
                return total == first
        raise NeedsAttention(Text("AlfaCRM's list “{entity}” does not end after {pages} pages.",
                                  "Список «{entity}» в АльфаCRM не кончается и после {pages} страниц.",
                                  params={"entity": entity, "pages": MOST_PAGES}))

    def page(self, branch: int | None, entity: str, filters: Mapping[str, Any], page: int,
             query: Mapping[str, str] | None = None) -> tuple[list[dict[str, Any]], int | None]:
        """One page of an ``index`` and how many rows the list says it has. The size is asked for in two of the four
        ways that are in use (§2.2), so that whichever the server knows is there."""
        body = {**filters, "page": page, "pageSize": PAGE_SIZE}
        return self._page(branch, entity, body, {**(query or {}), "per-page": str(PAGE_SIZE)})

    def one(self, branch: int | None, entity: str, number: int, filters: Mapping[str, Any] | None = None,
            query: Mapping[str, str] | None = None) -> dict[str, Any] | None:
        """The row of that id under those filters, or None. A server that ignores the filter fools nobody: the id
        is compared."""
        items, _ = self._page(branch, entity, {"id": number, **(filters or {})}, query)
        return next((one for one in items if values.whole(one.get("id")) == number), None)

    def update(self, branch: int, entity: str, number: int, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Changes fields of a record; the ``model`` of the answer, if it has one. Raises :class:`Refused`,
        :class:`Gone`, :class:`Forbidden` or TryLater."""
        self.after_others()
        data = self._call(f"{branch}/{entity}/update", changes, {"id": str(number)}, write=True)
        self.account.shelf(entity).drop(number)
        _not_refused(data)
        if data.get("success") is not True and "model" not in data:
            raise _strange(entity)
        return values.mapping(data.get("model"))

    def create(self, branch: int, entity: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """A new record; its ``model``. Raises as :meth:`update`."""
        self.after_others()
        data = self._call(f"{branch}/{entity}/create", fields, {}, write=True)
        _not_refused(data)
        if data.get("success") is not True:
            raise _strange(entity)
        return values.mapping(data.get("model"))

    def may_change(self, branch: int, entity: str) -> bool:
        """Whether the API user may change such records: an update of none (there is no number 0) is either forbidden,
        or answered as one of a record that is not there, in a way that nobody has described. Changes nothing."""
        try:
            self._call(f"{branch}/{entity}/update", {}, {"id": "0"}, write=True)
        except Forbidden:
            return False
        except (NeedsAttention, TryLater):
            pass
        return True

    def after_others(self, most: float = WRITE_BEHIND) -> None:
        """Lets this process's readers go first for a while: a receipt is more urgent than word of it, and than looking
        for more."""
        waited = 0.0
        while self.account.readers and waited < most:
            self.sleep(LOOK)
            waited += LOOK

    # -- one answer ----------------------------------------------------------------------------------------------

    def _page(self, branch: int | None, entity: str, body: Mapping[str, Any],
              query: Mapping[str, str] | None) -> tuple[list[dict[str, Any]], int | None]:
        path = f"{entity}/index" if branch is None else f"{branch}/{entity}/index"
        data = self._call(path, body, query or {})
        items = data.get("items")
        if isinstance(items, Mapping):  # PHP makes an object of a list with holes
            items = list(items.values())
        total = values.whole(data.get("total"))
        if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
            _not_refused(data)
            raise _strange(entity, _messages(data)[0])
        if not items and total and not body.get("page"):
            raise _strange(entity)
        return items, total

    def _call(self, path: str, body: Mapping[str, Any], query: Mapping[str, str], write: bool = False) \
            -> dict[str, Any]:
        """One call with a token, re-login once on 401 and 403; the decoded object of a good answer."""
        if write:
            self._writes.wait()
        token = self._token()
        if token:
            with self._turn(write):
                reply = self._post(path, body, query, token)
            if _status(reply) not in (401, 403):
                return self._read(reply, path)
        token = self._login(token)
        with self._turn(write):
            reply = self._post(path, body, query, token)
        return self._read(reply, path)

    def _read(self, reply: Reply, path: str) -> dict[str, Any]:
        """As :func:`_read`; an answer of "too many" quietens everybody who calls this account."""
        if _status(reply) == 429:
            self.context.quiet(self.rules.origin, _seconds(reply) or QUIET_SECONDS)
        return _read(reply, path)

    def _token(self) -> str:
        return self.shared.recall(TOKEN) or ""

    def _login(self, stale: str) -> str:
        """A token other than ``stale``, kept for all workers and sources of this API user: who finds that another has
        logged in meanwhile takes that token instead of logging in too."""
        with self._turn():
            known = self._token()
            if known and known != stale:
                return known
            self.shared.remember(TOKEN, "", 0.0)
            reply = self._post("auth/login", {"email": self.rules.email, "api_key": self.rules.api_key}, {}, "")
            status = _status(reply)
            if status in (400, 401, 403, 422):
                raise _bad_pair(status)
            data = self._read(reply, "auth/login")
            token = values.text(data.get("token"))
            if not token:
                if data.get("success") is False or data.get("errors"):
                    raise _bad_pair(status)
                raise _strange("auth/login")
            self.shared.remember(TOKEN, token, TOKEN_SECONDS)
            return token

    @contextmanager
    def _turn(self, write: bool = False) -> Iterator[None]:
        """The account's lock, shared by all workers and sources: one request at a time (§2.4), the next when the
        account bears it. Threads of this process stand in line before it."""
        account = self.account
        account.reading(0 if write else 1)
        try:
            with account.line:
                for _ in range(TURN_TRIES):
                    with self._door.lock("api", TURN_SECONDS) as got:
                        if got:
                            self._pace.wait()
                            yield
                            return
        finally:
            account.reading(0 if write else -1)
        raise TryLater(Text("Other work is talking to this AlfaCRM account.",
                            "С этим аккаунтом АльфаCRM занята другая работа."), 2.0)

    def _post(self, path: str, body: Mapping[str, Any], query: Mapping[str, str], token: str) -> Reply:
        """One request."""
        headers = {"Accept": "application/json", "Content-Type": "application/json", **self.rules.headers}
        if token:
            headers[TOKEN_HEADER] = token
        started = time.monotonic()
        try:
            return self.context.client().call("POST", f"{self.rules.origin}/v2api/{path}", json=dict(body),
                                              headers=headers, params=dict(query) or None)
        finally:
            # Turns are booked by the clock: whoever asks next, of whatever process, hears how late this one may be.
            self._pace.arrived(started + self.account.late(path, time.monotonic() - started))


# -- reading answers ---------------------------------------------------------------------------------------------


def _object(reply: Reply) -> dict[str, Any] | None:
    try:
        data = reply.json()
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _status(reply: Reply) -> int:
    """The HTTP status, or the one inside a framework error that came with 200 (§2.3)."""
    if reply.status == 200:
        data = _object(reply)
        if data is not None and not data.keys() & {"items", "model", "token", "success"}:
            inside = values.whole(data.get("status")) or values.whole(data.get("code"))
            if inside is not None and 400 <= inside <= 599:
                return inside
    return reply.status


def _read(reply: Reply, path: str) -> dict[str, Any]:
    """The object in a good answer; every other answer is an exception by its status."""
    status, data = _status(reply), _object(reply)
    entity = path.rpartition("/")[0]
    words, _ = _messages(data or {})
    said = {"status": status, "words": words or "-", "entity": entity or path}
    if status == 429:
        raise TryLater(Text("AlfaCRM limits the number of requests (429).", "АльфаCRM ограничивает частоту запросов "
                            "(429)."), _seconds(reply))
    if status >= 500 or status == 408:
        raise TryLater(Text("AlfaCRM has a fault of its own (HTTP {status}).", "Сбой на стороне АльфаCRM "
                            "(HTTP {status}).", params=said), _seconds(reply))
    if status in (401, 403):
        raise Forbidden(Text("The API user may not use “{entity}”. Give its role this right in AlfaCRM.",
                             "У пользователя API нет доступа к «{entity}». Дайте его роли это право в АльфаCRM.",
                             params=said), "email", str(status))
    if status == 404:
        raise Gone(Text("AlfaCRM knows no “{entity}” (404). Check the address and the branch numbers.",
                        "АльфаCRM не знает «{entity}» (404). Проверьте адрес и номера филиалов.", params=said),
                   "host", "404")
    if 300 <= status < 400:
        raise NeedsAttention(Text("This address leads elsewhere (HTTP {status}). Copy the address anew.",
                                  "Этот адрес ведёт в другое место (HTTP {status}). Скопируйте адрес заново.",
                                  params=said), "host", str(status))
    if status != 200 and status >= 400:
        raise NeedsAttention(Text("AlfaCRM did not accept the request (HTTP {status}): {words}",
                                  "АльфаCRM не приняла запрос (HTTP {status}): {words}", params=said),
                             code=str(status))
    if data is None:
        raise _strange(entity or path)
    return data


def _not_refused(data: Mapping[str, Any]) -> None:
    """Raises :class:`Refused` for an answer of 200 that says no (§2.3)."""
    if data.get("success") is False or data.get("errors"):
        words, fields = _messages(data)
        raise Refused(Text("AlfaCRM refused: {words}", "АльфаCRM отказала: {words}",
                           params={"words": words or "-"}), fields)


def _messages(data: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    """What an error answer says, as one text, and the fields it names: ``errors`` as an object of lists, a list of
    texts or one text, or ``error``/``message`` (§2.3)."""
    errors = data.get("errors")
    parts: list[str] = []
    named: set[str] = set()
    if isinstance(errors, Mapping):
        for field, said in errors.items():
            named.add(str(field))
            parts.append(f"{field}: {values.text(said) or '-'}")
    elif isinstance(errors, Sequence):
        parts += values.texts(errors)
    for name in ("error", "message"):
        parts += values.texts(data.get(name))
    words = "; ".join(dict.fromkeys(parts))
    return (words if len(words) <= LONGEST_WORDS else words[:LONGEST_WORDS - 1] + "…"), frozenset(named)


def _seconds(reply: Reply) -> float | None:
    """``Retry-After`` in seconds, if it is there and sane (nobody has seen one yet, §2.4)."""
    asked = values.whole(reply.headers.get("retry-after"))
    return float(asked) if asked is not None and 0 < asked <= 3600 else None


def _strange(entity: str, words: str = "") -> TryLater:
    return TryLater(Text("AlfaCRM answered “{entity}” with something that is no answer. {words}",
                         "АльфаCRM ответила на «{entity}» непонятно чем. {words}",
                         params={"entity": entity, "words": words}))


def _bad_pair(status: int) -> NeedsAttention:
    return NeedsAttention(Text("AlfaCRM does not accept this e-mail and API key. Copy both anew from the user's card.",
                               "АльфаCRM не принимает эту почту и ключ API. Скопируйте их заново из карточки "
                               "пользователя."), "api_key", str(status))
