"""Signatures (komtet-kassa.md §2): hex HMAC-MD5 over METHOD + URL + BODY, the URL being the client's own string.

What the client typed is not what reaches us: a proxy changes the scheme and drops a port, an HTTP library encodes a
blank. So every URL that the client may have signed is tried. Which one fits proves nothing that the key does not.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from urllib.parse import unquote, urlsplit

from hub.contracts import Request

HEADER = "x-hmac-signature"


def sign(key: str, method: str, url: str, body: bytes = b"") -> str:
    """The signature of one request."""
    return hmac.digest(key.encode(), method.upper().encode() + url.encode() + body, "md5").hex()


def is_signed(request: Request, keys: Iterable[str], bases: Iterable[str]) -> bool:
    """Whether the request carries a signature under one of the keys over one of the URLs it may have been sent to."""
    given = request.headers.get(HEADER, "").strip().lower().encode("utf-8", "replace")
    if len(given) != 32:
        return False
    keys = tuple(keys)
    return any(hmac.compare_digest(sign(key, request.method, url, request.body).encode(), given)
               for url in urls(request, bases) for key in keys)


def urls(request: Request, bases: Iterable[str]) -> Iterator[str]:
    """The URLs that may have been signed, likeliest first, each once. ``bases`` are the addresses (without a slash at
    their end) under which clients were told to call us: before the path that follows them."""
    rest = request.path + (f"?{request.query}" if request.query else "")
    target = request.target or rest
    if "://" in target:
        # The absolute form of a request line, as through a forward proxy.
        parts = urlsplit(target)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
    schemes = ("https", "http") if request.scheme == "https" else ("http", "https")
    host = request.headers.get("host", "")
    usual = f"{schemes[0]}://{host}{target}"
    if host:
        yield usual
    targets, hosts, seen = [target, unquote(target)], [host], {usual}
    hosts += [one.strip() for one in request.headers.get("x-forwarded-host", "").split(",")[:3]]
    hosts += [host.rpartition(":")[0] for host in hosts if ":" in host and not host.endswith("]")]
    for url in (*(f"{scheme}://{host}{one}" for host in hosts if host for scheme in schemes for one in targets),
                *(f"{base}{one}" for base in bases for one in (rest, unquote(rest), *targets))):
        if url not in seen:
            seen.add(url)
            yield url
