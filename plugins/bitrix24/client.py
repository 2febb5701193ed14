"""The REST door of one portal (bitrix24.md §1-§2): one call, one batch, a renamed portal, a polite pace.

Nothing here writes a log, and no exception that leaves carries the address: its path is the secret.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from hub_plugins.bitrix24 import errors

from hub.contracts import NeedsAttention, Pace, Reply, SourceContext, Text, TryLater

#: Page of every list method, and commands in one batch (bitrix24.md §2).
PAGE = 50
MOST_COMMANDS = 50
_HOPS = 3

_SECRET = re.compile(r"(/rest/(?:api/)?)[^/\s?#'\"]+/[^/\s?#'\"]+")


def mask(words: str) -> str:
    """``words`` with user and secret of every webhook address replaced."""
    return _SECRET.sub(r"\1***/***", words)


class _Masking(logging.Filter):
    """Keeps the secret out of the debug log of the HTTP library, which prints the path of every call."""

    def filter(self, record: logging.LogRecord) -> bool:
        words = record.getMessage()
        if "/rest/" in words:
            record.msg, record.args = mask(words), ()
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_Masking())


def pace_of(base: str, enterprise: bool) -> tuple[float, int]:
    """What the portal's leaky bucket bears: it holds 50 and leaks 2 a second for all callers of one address (the
    Enterprise plan: 250 and 5; bitrix24.md §2). A little is left for others."""
    return (5.0, 200) if enterprise else (2.0, 40)


@dataclass(frozen=True, slots=True)
class Result:
    """A good answer: ``result`` as it came (numbers with a fraction are Decimal), ``next`` the start of the next page,
    ``time`` the portal's clock when it began to answer, in its own spelling."""

    result: Any
    next: int | None = None
    time: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """What the commands of one batch gave. A command that failed raises when its result is taken."""

    commands: Mapping[str, str]
    results: Mapping[str, Any]
    failures: Mapping[str, Any]
    pages: Mapping[str, Any] = field(default_factory=dict)
    time: str = ""

    def problem(self, key: str) -> TryLater | NeedsAttention | None:
        """Why the command failed, if it did. A command without any trace counts as an unreadable answer."""
        if key in self.failures:
            said = as_map(self.failures[key])
            return errors.of_code(said.get("error"), as_text(said.get("error_description")), self.commands[key])
        return None if key in self.results else errors.odd_answer(self.commands[key])

    def get(self, key: str) -> Any:
        """The command's result, or its exception."""
        problem = self.problem(key)
        if problem is not None:
            raise problem
        return self.results[key]

    def next(self, key: str) -> int | None:
        """Where the command's next page starts; None when there is none."""
        return as_int(self.pages.get(key))


class Portal:
    """Calls one portal by its incoming webhook. ``base`` is ``https://portal/rest/1/secret/``."""

    def __init__(self, base: str, context: SourceContext, enterprise: bool = False,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        self.base, self.context = base, context
        # By host: all sources and workers share what one portal bears.
        self._pace = Pace(context, urlsplit(base).netloc, *pace_of(base, enterprise), sleep=sleep)
        self._at = ""

    @property
    def host(self) -> str:
        """The portal's present address, for people."""
        return urlsplit(self._address()).netloc

    def call(self, method: str, params: Mapping[str, Any] | None = None) -> Result:
        """One method. Raises TryLater or NeedsAttention."""
        envelope = self._post(method, dict(params or {}))
        return Result(envelope["result"], as_int(envelope.get("next")), _clock_of(envelope))

    def batch(self, commands: Mapping[str, tuple[str, Mapping[str, Any]]], halt: bool = False) -> Batch:
        """Up to 50 methods in one request; values may be macros such as ``$result[deal][item][contactId]``."""
        if len(commands) > MOST_COMMANDS:
            raise ValueError("a batch holds 50 commands; the portal would drop the rest")
        cmd = {key: f"{method}?{php_query(params)}" for key, (method, params) in commands.items()}
        envelope = self._post("batch", {"halt": int(halt), "cmd": cmd})
        inner = envelope["result"]
        if not isinstance(inner, dict) or "result" not in inner:
            raise errors.odd_answer("batch")
        return Batch({key: method for key, (method, _) in commands.items()}, as_map(inner["result"]),
                     as_map(inner.get("result_error")), as_map(inner.get("result_next")), _clock_of(envelope))

    # -- the wire ------------------------------------------------------------------------------------------------

    def _post(self, method: str, body: Mapping[str, Any]) -> dict[str, Any]:
        start = address = self._address()
        for _ in range(_HOPS):
            reply = self._send(address + method + ".json", body)
            if not 300 <= reply.status < 400:
                envelope = self._read(reply, method)
                if address != start:
                    self._at = address
                    self.context.remember(_MOVED + urlsplit(self.base).netloc, urlsplit(address).netloc)
                return envelope
            address = _moved(address, method, reply.headers.get("location", ""))
        raise errors.odd_answer(method)

    def _read(self, reply: Reply, method: str) -> dict[str, Any]:
        """The envelope; where the portal asks for quiet, everybody keeps it."""
        try:
            return _envelope(reply, method, self.context.now().timestamp())
        except TryLater as problem:
            if problem.after is not None:
                self._pace.hold(problem.after)
            raise

    def _send(self, url: str, body: Mapping[str, Any]) -> Reply:
        """One POST. The client's exception holds the address in its chain, so another one is raised outside."""
        self._pace.wait()
        try:
            return self.context.client().call("POST", url, json=body, headers={"Accept": "application/json"})
        except TryLater as problem:
            reason, after = problem.reason, problem.after
        raise TryLater(reason, after)

    def _address(self) -> str:
        """The webhook's address, at the host to which the portal has moved since it was set."""
        if not self._at:
            parts = urlsplit(self.base)
            host = self.context.recall(_MOVED + parts.netloc) or parts.netloc
            self._at = urlunsplit((parts.scheme, host, parts.path, "", ""))
        return self._at


_MOVED = "moved:"
_ELSEWHERE = Text(
    "The portal sends the hub to another address that is not a webhook's. Copy the address of the incoming webhook "
    "once more.",
    "Портал отправляет хаб на другой адрес, и это не адрес вебхука. Скопируйте адрес входящего вебхука ещё раз.")


def _moved(address: str, method: str, location: str) -> str:
    """The webhook's address at the portal's new name (bitrix24.md §1: repeat the POST there).

    Only to the same path, because the path is the secret, and never from https to plain http.
    """
    old, new = urlsplit(address), urlsplit(location)
    same = new.path.rstrip("/") in (old.path + method + ".json", old.path + method)
    if not same or new.scheme != old.scheme or not new.hostname or new.username or new.netloc == old.netloc:
        raise NeedsAttention(_ELSEWHERE, "webhook", "302")
    return urlunsplit((new.scheme, new.netloc, old.path, "", ""))


def _envelope(reply: Reply, method: str, now: float) -> dict[str, Any]:
    """The decoded answer when it is a good one; else the exception that it means."""
    try:
        value = json.loads(reply.body.decode("utf-8-sig"), parse_float=Decimal)
    except (ValueError, RecursionError):
        value = None
    asked = reply.headers.get("retry-after", "")
    after = float(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 else None
    if isinstance(value, dict) and "error" in value:
        reset = as_int(as_map(value.get("time")).get("operating_reset_at"))
        if after is None and reset is not None and 0 < reset - now < 3600:
            after = reset - now
        raise errors.of_code(value["error"], as_text(value.get("error_description")), method, reply.status, after)
    if reply.status >= 300:
        raise errors.of_status(reply.status, after)
    if not isinstance(value, dict) or "result" not in value:
        raise errors.odd_answer(method)
    return value


def _clock_of(envelope: Mapping[str, Any]) -> str:
    return as_text(as_map(envelope.get("time")).get("date_start"))


def php_query(params: Mapping[str, Any]) -> str:
    """A query string as PHP's ``http_build_query`` writes it: nested keys in brackets, nulls left out, flags 1/0."""
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in _pairs(params, ""))


def _pairs(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, (Mapping, list, tuple)):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, below in items:
            yield from _pairs(below, f"{name}[{key}]" if name else str(key))
    elif isinstance(value, bool):
        yield name, str(int(value))
    elif value is not None:
        yield name, str(value)


# -- reading PHP's JSON: an empty map is written [], numbers come as text or as numbers ----------------------------


def as_map(value: Any) -> dict[str, Any]:
    """A map from a JSON object, from PHP's list for one with keys 0..n, from anything else an empty one."""
    if isinstance(value, dict):
        return value
    return {str(index): one for index, one in enumerate(value)} if isinstance(value, list) else {}


def as_rows(value: Any, method: str) -> list[dict[str, Any]]:
    """A list of objects, written as a list or as a map. An element that is no object makes the answer unreadable:
    a row silently left out would be goods left out of a receipt."""
    rows = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
        raise errors.odd_answer(method)
    return rows


def as_text(value: Any) -> str:
    """A scalar as text; nothing, objects and lists as an empty text."""
    if value is None or isinstance(value, (dict, list, bool)):
        return ""
    return format(value, "f") if isinstance(value, Decimal) and value.is_finite() else str(value)


def as_int(value: Any) -> int | None:
    """A whole number of up to 18 digits from a number or its text; else None."""
    text = as_text(value).strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None
