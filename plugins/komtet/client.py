"""The shop API as we call it: one signed call, and each way in which it can end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import requests
from hub_plugins.komtet.signature import sign

from hub.contracts import Client, Reply, TryLater

#: Seconds for a connection and for an answer. Longer than the cloud ever needs, shorter than a lease.
CONNECT, READ = 5.0, 25.0
TIMEOUT = CONNECT + READ


class NotSent(Exception):
    """No connection came about: the cloud knows nothing of the call."""

    def __init__(self, problem: TryLater) -> None:
        super().__init__(str(problem))
        self.reason = problem.reason


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer: ``body`` is the JSON object in it, empty when there is none. ``code`` is the vendor's."""

    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str:
        return str(self.body.get("code") or "")

    @property
    def words(self) -> str:
        """The vendor's own words, cut."""
        return str(self.body.get("description") or self.body.get("title") or f"HTTP {self.status}")[:300]


class ShopApi:
    """Calls of one shop, from one thread."""

    def __init__(self, host: str, shop: str, key: str, version: int) -> None:
        self.base, self.shop, self.key = f"{host.rstrip('/')}/api/shop/v{version}", shop, key
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "kassahub"
        self._client = Client(self._session, CONNECT, READ)

    def close(self) -> None:
        """Gives the connections back."""
        self._session.close()

    def get(self, path: str) -> Heard:
        """Raises TryLater (NotSent when not even a connection came about)."""
        return self._call("GET", path, b"")

    def post(self, path: str, body: Any) -> Heard:
        """Raises NotSent when nothing left, TryLater when the answer is missing."""
        return self._call("POST", path, json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())

    def _call(self, method: str, path: str, data: bytes) -> Heard:
        url = self.base + path
        headers = {"Authorization": self.shop, "Accept": "application/json",
                   "X-HMAC-Signature": sign(self.key, method, url, data)}
        if data:
            headers["Content-Type"] = "application/json"
        try:
            return _read(self._client.call(method, url, data=data or None, headers=headers))
        except TryLater as problem:
            if _is_unsent(problem):
                raise NotSent(problem) from problem
            raise


def _read(reply: Reply) -> Heard:
    try:
        body = reply.json()
    except (ValueError, RecursionError):
        body = {}
    return Heard(reply.status, body if isinstance(body, dict) else {})


def _is_unsent(problem: TryLater) -> bool:
    """Whether the connection itself failed: then no byte of the call has left."""
    cause = problem.__cause__
    if isinstance(cause, requests.exceptions.ConnectTimeout):
        return True
    inner = getattr(cause, "args", None) or (None,)
    reason = getattr(inner[0], "reason", None)
    return isinstance(cause, requests.exceptions.ConnectionError) and type(reason).__name__ in (
        "NewConnectionError", "NameResolutionError", "ConnectTimeoutError")
