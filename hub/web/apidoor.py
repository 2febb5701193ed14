"""The door in front of the pages that leads to the API.

The API with its schemas and its document is loaded by the first call: many an owner never has one, and a hub on a small
machine is up a second earlier and some megabytes lighter without it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from hub.api.keys import Keys
from hub.api.own import BASE
from hub.web.state import Hub

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class ApiDoor:
    """Gives what begins with the API's address to its application; everything else goes on."""

    def __init__(self, pages: WsgiApp, hub: Hub, keys: Keys) -> None:
        self.pages, self.keys, self._hub = pages, keys, hub
        self._app: Flask | None = None
        self._lock = threading.Lock()

    @property
    def app(self) -> Flask:
        """The API's application."""
        if self._app is None:
            with self._lock:
                if self._app is None:
                    from hub.web.api.app import create_api

                    self._app = create_api(self._hub, self.keys)
        return self._app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == BASE or path.startswith(f"{BASE}/"):
            return self.app(environ, start_response)
        return self.pages(environ, start_response)
