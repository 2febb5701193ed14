"""What the doors answer for a plugin that is set aside: its own words from when it worked last.

Some systems take every error for success (a 404 on "is it printed?" means yes to them), so a broken plugin may not
turn its addresses into errors. While a plugin works, the answers that do no harm are written to a file; when it cannot
be loaded, the doors answer from there. Nothing of such a request is kept: nobody here can read it.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import structlog

from hub.contracts import Answer, Request
from hub.plugins import Catalogue

FILE = "standby.json"
log = structlog.get_logger("hub.intake")


class Standby:
    """The answers of all plugins that ever worked here. Read once, at the start of a process."""

    def __init__(self, folder: Path, catalogue: Catalogue) -> None:
        self._file = folder / FILE
        self._known = self._read()
        fresh = {name: _rows(name, kind) for name, kind in {**catalogue.sources, **catalogue.gateways}.items()}
        if {**self._known, **fresh} != self._known:
            self._known = {**self._known, **fresh}
            self._write()

    def answer(self, plugin: str, request: Request) -> Answer | None:
        """The plugin's own answer to that path; "later" where it gave none; None for a plugin that never was here."""
        rows = self._known.get(plugin)
        if rows is None:
            return None
        path = request.path.rstrip("/").lower()
        for ending, status, content_type, body in rows:
            if path.endswith(ending):
                return Answer(int(status), base64.b64decode(body), str(content_type))
        return Answer.text("try again later", 503)

    def _read(self) -> dict[str, list[list[Any]]]:
        try:
            tree = json.loads(self._file.read_text("utf-8"))
            return {str(name): [list(one) for one in rows] for name, rows in tree.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, TypeError) as problem:
            log.error("standby_unreadable", error=str(problem))
            return {}

    def _write(self) -> None:
        """Dying before the rename leaves the old file; two processes write the same."""
        try:
            new = self._file.with_name(f"{FILE}.{os.getpid()}")
            new.write_text(json.dumps(self._known), "utf-8")
            new.replace(self._file)
        except OSError as problem:
            log.error("standby_unwritten", error=str(problem))


def _rows(name: str, kind: Any) -> list[list[Any]]:
    """A plugin's answers as they are written; none when they are not what the contract says."""
    try:
        return [[str(ending), int(answer.status), str(answer.content_type), base64.b64encode(answer.body).decode()]
                for ending, answer in kind.standby.items()]
    except Exception as problem:
        log.error("standby_broken", plugin=name, error=repr(problem))
        return []
