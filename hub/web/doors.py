"""``/in/<plugin>/<public id>/<token>[/<rest>]`` and gateways' paths at the root: what other systems call.

Plain WSGI in front of Flask: no session, no language, no template, no cookie. This is the hot path, and its answers
go out byte for byte as the plugin gave them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import structlog

from hub.contracts import Answer, Request
from hub.intake.doors import LARGEST_BODY, Doors
from hub.intake.register_doors import RegisterDoors
from hub.store.lent import ADDRESS

PREFIX = "/in/"
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
log = structlog.get_logger("hub.web")

_REASONS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class DoorsApp:
    """Answers what begins with ``/in/`` or is a gateway's path at the root; everything else goes to the pages."""

    def __init__(self, pages: WsgiApp, doors: Doors) -> None:
        self.pages, self.doors = pages, doors
        self._roots = {root: name for name, kind in doors.sources.catalogue.gateways.items() for root in kind.roots}
        drivers = doors.sources.catalogue.drivers
        self._driver_roots = {root: name for name, kind in drivers.items() for root in kind.roots}
        self._registers = RegisterDoors(doors.sources, doors.bell)
        self._prefixes = (PREFIX, ADDRESS, *self._roots, *self._driver_roots)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(self._prefixes):
            return self.pages(environ, start_response)
        answer = self.answer(environ, path)
        # Nobody looks for a body in an answer to HEAD, and a server may take it for the next answer.
        body = b"" if environ["REQUEST_METHOD"] == "HEAD" else answer.body
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
        headers += [(name, value) for name, value in answer.headers.items()
                    if name.lower() not in ("content-type", "content-length")]
        start_response(_REASONS.get(answer.status, f"{answer.status} Status"), headers)
        return [body]

    def answer(self, environ: dict[str, Any], path: str) -> Answer:
        """The plugin's answer; its ``answer_instead("failed")`` whatever breaks."""
        whole = path.encode("latin-1").decode("utf-8", "replace")
        parts = whole[len(PREFIX):].split("/", 3)
        at_root = not whole.startswith(PREFIX)
        if whole.startswith((ADDRESS, *self._driver_roots)):
            return self._register(environ, whole)
        if at_root:
            plugin, rest = next(name for root, name in self._roots.items() if whole.startswith(root)), whole[1:]
        elif len(parts) < 3 or not parts[2]:
            return Answer.text("not found", 404)
        else:
            plugin, rest = parts[0], parts[3].lstrip("/") if len(parts) > 3 else ""
        body, broken = b"", None
        try:
            body = _body(environ)
        except Exception as problem:
            broken = problem
        request = Request(environ["REQUEST_METHOD"], f"/{rest}" if rest else "", environ.get("QUERY_STRING", ""),
                          _headers(environ), body, environ.get("REMOTE_ADDR", ""),
                          environ.get("REQUEST_URI", ""), environ.get("wsgi.url_scheme", ""))
        try:
            if broken is not None:
                raise broken
            answer = self.doors.at_root(plugin, request) if at_root \
                else self.doors.answer(plugin, parts[1], parts[2], request)
        except Exception as problem:
            log.error("door_failed", plugin=plugin, error=repr(problem))
            answer = self._failed(plugin, request)
        return Answer.text("not found", 404) if answer is None else answer

    def _register(self, environ: dict[str, Any], whole: str) -> Answer:
        """A request to a register: at its own address, or at a path of its driver's at the root."""
        root = next((one for one in self._driver_roots if whole.startswith(one)), "")
        public_id, _, rest = whole[len(ADDRESS):].partition("/")
        request = Request(environ["REQUEST_METHOD"], whole if root else f"/{rest}" if rest else "",
                          environ.get("QUERY_STRING", ""), _headers(environ), b"", environ.get("REMOTE_ADDR", ""),
                          environ.get("REQUEST_URI", ""), environ.get("wsgi.url_scheme", ""))
        driver = self._driver_roots.get(root, "")
        try:
            request = replace(request, body=_body(environ))
            return self._registers.at_root(driver, request) if root else self._registers.answer(public_id, request)
        except Exception as problem:
            log.error("register_door_failed", error=repr(problem))
            return self._registers.failed(driver, request)

    def _failed(self, plugin: str, request: Request) -> Answer:
        kind = self.doors.sources.catalogue.connector(plugin)
        try:
            return Answer.text("failed", 500) if kind is None else kind.answer_instead("failed", request)
        except Exception as problem:
            log.error("answer_instead_failed", plugin=plugin, error=repr(problem))
            return Answer.text("failed", 500)


@lru_cache(maxsize=512)
def _header(name: str) -> str:
    """The header of a variable of the environment; empty for one that is none. Requests have nearly all the same."""
    return name[5:].replace("_", "-").lower() if name.startswith("HTTP_") else ""


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    headers = {header: value for name, value in environ.items() if (header := _header(name))}
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    if environ.get("CONTENT_LENGTH"):
        headers["content-length"] = environ["CONTENT_LENGTH"]
    return headers


def _body(environ: dict[str, Any]) -> bytes:
    """The body, at most one byte more than is taken: that byte makes it "too large" for the doors."""
    stream, length = environ["wsgi.input"], environ.get("CONTENT_LENGTH", "")
    if length.isdigit():
        wanted = min(int(length), LARGEST_BODY + 1)
    elif environ.get("wsgi.input_terminated"):
        wanted = LARGEST_BODY + 1
    else:
        return b""
    pieces, size = [], 0
    while size < wanted and (piece := stream.read(wanted - size)):
        pieces.append(piece)
        size += len(piece)
    if length.isdigit() and size < wanted:
        raise ConnectionError(f"the body broke off after {size} of {wanted} bytes")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
