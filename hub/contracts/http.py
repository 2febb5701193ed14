"""HTTP as plugins see it: what came in, what to answer, and a client that cannot hang.

Pure data, but for :class:`Client`, a thin guard over requests: every call has a timeout, no redirect is followed
with a POST, an answer has a size limit, and each way to fail is one exception type.
"""

from __future__ import annotations

import json
import re
from binascii import a2b_qp
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests

from hub.contracts.errors import NeedsAttention, TryLater
from hub.fiscal import Text, codec

LARGEST_ANSWER = 10 * 1024 * 1024
MOST_FIELDS = 20_000
#: Hosts whose surroundings a session keeps.
MOST_HOSTS = 1000


_written = codec.writer()


@dataclass(frozen=True, slots=True)
class Request:
    """A request to one of a source's addresses. ``path`` is what follows the source's own address (``/print``);
    header names are lower case; ``body`` is the raw bytes. ``target`` is the whole path and query as the sender wrote
    them, percent signs and all, and ``scheme`` what it reached us by: for signatures over the URL. Both may be empty
    (a request that was kept and is received again)."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    remote: str = ""
    target: str = ""
    scheme: str = ""

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    def args(self) -> dict[str, str]:
        """The query string's parameters, the last value of each."""
        return dict(parse_qsl(self.query, keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side gets back, byte for byte."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def text(cls, words: str, status: int = 200) -> Answer:
        return cls(status, words.encode("utf-8", "replace"))

    @classmethod
    def json(cls, value: Any, status: int = 200) -> Answer:
        # What is wrong is often named as it came, and that may hold half a character.
        return cls(status, _written(value).encode("utf-8", "replace"), "application/json")


@dataclass(frozen=True, slots=True)
class Reply:
    """The other side's answer to one of our calls."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The decoded body; ``ValueError`` when it is no JSON."""
        return json.loads(self.body.decode("utf-8-sig"))


class HttpSession(requests.Session):
    """A session that asks the environment once for a host, not at every call, which proxy and which certificates it
    names: reading all of it costs a fifth of a call. What is set on the session is set before its first call."""

    def __init__(self) -> None:
        super().__init__()
        self._surroundings: dict[tuple[Any, ...], Any] = {}

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        if proxies or verify is not None or cert is not None:
            return super().merge_environment_settings(url, proxies, stream, verify, cert)
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc, stream, self.verify, self.trust_env)
        known = self._surroundings.get(key)
        if known is None:
            if len(self._surroundings) >= MOST_HOSTS:
                self._surroundings.clear()
            known = self._surroundings[key] = super().merge_environment_settings(url, proxies, stream, verify, cert)
        return known


class Client:
    """Calls another system. ``connect`` and ``read`` are seconds; one client serves one thread at a time."""

    def __init__(self, session: requests.Session | None = None, connect: float = 5.0, read: float = 25.0) -> None:
        self.session = session or HttpSession()
        self.timeouts = (connect, read)

    def call(self, method: str, url: str, *, json: Any = None, data: Any = None,
             headers: Mapping[str, str] | None = None, params: Mapping[str, str] | None = None) -> Reply:
        """One call, once. Raises :class:`TryLater` when no whole answer came; any status is a :class:`Reply`."""
        host = _host(url)
        try:
            with self.session.request(method, url, json=json, data=data, headers=dict(headers or {}), params=params,
                                      timeout=self.timeouts, allow_redirects=False, stream=True) as answer:
                # requests has read a redirect's body by itself, to learn where it leads.
                body = (answer.content if answer.is_redirect
                        else answer.raw.read(LARGEST_ANSWER + 1, decode_content=True))
                status, names = answer.status_code, {name.lower(): value for name, value in answer.headers.items()}
        except NeedsAttention:  # an address that must not be called (hub.contracts.outgoing)
            raise
        except requests.exceptions.Timeout as problem:
            raise TryLater(Text("{host} did not answer in time.", "{host} не ответил вовремя.",
                                params={"host": host})) from problem
        except requests.exceptions.SSLError as problem:
            raise TryLater(Text("The certificate of {host} is not trusted.",
                                "Сертификат {host} не вызывает доверия.", params={"host": host})) from problem
        except (requests.exceptions.RequestException, OSError, ValueError) as problem:
            raise TryLater(Text("No connection to {host}.", "Нет связи с {host}.",
                                params={"host": host})) from problem
        except Exception as problem:  # urllib3 raises its own errors when an answer breaks off in the middle
            raise TryLater(Text("{host} broke off in the middle of its answer.",
                                "{host} оборвал ответ на середине.", params={"host": host})) from problem
        if len(body) > LARGEST_ANSWER:
            raise TryLater(Text("{host} sent an answer over 10 MB.", "{host} прислал ответ больше 10 МБ.",
                                params={"host": host}))
        expected = names.get("content-length", "")
        if expected.isascii() and expected.isdigit() and "content-encoding" not in names and len(body) < int(expected):
            raise TryLater(Text("{host} broke off in the middle of its answer.",
                                "{host} оборвал ответ на середине.", params={"host": host}))
        return Reply(status, names, body)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or url
    except ValueError:
        return url


def form_pairs(body: bytes, encoding: str = "latin-1") -> list[tuple[str, str]]:
    """The pairs of a form-encoded body in order, percent escapes decoded in ``encoding`` (bytes survive latin-1)."""
    return parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding=encoding, max_num_fields=MOST_FIELDS)


def php_form(body: bytes, decode: Callable[[bytes, str], str] | None = None) -> dict[str, Any]:
    """A form-encoded body by PHP's rules: ``items[0][name]=..`` becomes nested maps, maps keyed 0..n-1 lists.

    ``a[]=`` appends; scalars stay text; ``decode(bytes, name) -> str`` reads each value (UTF-8 with replacement if
    not given), because some senders put raw bytes in a form; ``name`` is the value's own key. The depth is limited
    to 20. Names hold no zero byte.
    """
    read = decode or _as_utf8
    pieces = body.split(b"&")
    if len(pieces) > MOST_FIELDS:
        raise ValueError(f"a form of more than {MOST_FIELDS} fields")
    tree: dict[str, Any] = {}
    #: Fields of one map follow each other: its place is looked up once for all of them.
    known: tuple[str, ...] | None = None
    spot = tree
    for piece in pieces:
        if not piece:
            continue
        name, _, value = piece.partition(b"=")
        above, last = _php_keys(name) if len(name) <= LONGEST_KEPT else _keys_of(name)
        if above is not known:
            spot, known = tree, above
            for key in above:
                if not key:
                    key, known = str(len(spot)), None
                below = spot.get(key)
                if type(below) is not dict:
                    below = spot[key] = {}
                spot = below
        if not last and above:
            last = str(len(spot))
        spot[last] = read(_unescaped(value) if b"%" in value or b"+" in value else value, last)
    return {name: _lists(value) if type(value) is dict else value for name, value in tree.items()}


def _as_utf8(raw: bytes, _: str) -> str:
    return raw.decode("utf-8", "replace")


#: Escapes that follow each other: each letter of a Russian name is two. Decoded together, at a third of the cost.
_ESCAPES = re.compile(rb"(?:%[0-9a-fA-F]{2})+")


def _unescaped(raw: bytes) -> bytes:
    if b"+" in raw:
        raw = raw.replace(b"+", b" ")
    signs = raw.count(b"%")
    if not signs:
        return raw
    if b"=" not in raw and b"\n" not in raw and b"\r" not in raw:
        # Mail's quoted printable is the same with another sign, and is read in C. Had any sign been left as it is,
        # what comes out would be longer.
        read = a2b_qp(raw.replace(b"%", b"="))
        if len(read) == len(raw) - 2 * signs:
            return read
    return _ESCAPES.sub(_bytes_of, raw)


def _bytes_of(escapes: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escapes[0].replace(b"%", b"").decode("ascii"))


#: Names longer than this are nobody's usual ones, and are not kept in memory.
LONGEST_KEPT = 300


def _keys_of(raw: bytes) -> tuple[tuple[str, ...], str]:
    *above, last = _split_keys(_unescaped(raw).replace(b"\0", b"").decode("latin-1"))
    return tuple(above), last


@lru_cache(maxsize=4096)
def _php_keys(raw: bytes) -> tuple[tuple[str, ...], str]:
    """(keys above, last key) in a field's name; a shop's requests repeat the same names. The same keys above are the
    same object."""
    above, last = _keys_of(raw)
    return _same(above), last


@lru_cache(maxsize=1024)
def _same(keys: tuple[str, ...]) -> tuple[str, ...]:
    return keys


def _split_keys(name: str) -> list[str]:
    first, bracket, rest = name.partition("[")
    if not bracket or "]" not in rest:
        return [name]
    keys = [first]
    while bracket and len(keys) < 20:
        key, closing, rest = rest.partition("]")
        if not closing:
            break
        keys.append(key.encode("latin-1", "replace").decode("utf-8", "replace"))
        if not rest.startswith("["):
            break
        rest = rest[1:]
    return keys


def _lists(value: dict[str, Any]) -> Any:
    """A map below the top, and all maps in it: one whose keys are 0..n-1 in order is a list."""
    for key, below in value.items():
        if type(below) is dict:
            value[key] = _lists(below)
    if "0" in value and all(key == str(index) for index, key in enumerate(value)):
        return list(value.values())
    return value
