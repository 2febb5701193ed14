"""Requests that came while the database was away: one fsynced file each, imported later.

Some senders never repeat, and one takes every error for "printed": so a request is kept before it is answered even
when there is nothing to keep it in but the disk.
"""

from __future__ import annotations

import base64
import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hub.contracts import Request


class Spool:
    """A folder of requests. Files appear whole (written aside, fsynced, renamed, folder fsynced) or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, plugin: str, public_id: str, token: str, request: Request) -> None:
        """Returns after the request is durable. OSError when the disk cannot take it."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
        data = {"plugin": plugin, "source": public_id, "token": token, "method": request.method,
                "path": request.path, "query": request.query, "headers": dict(request.headers),
                "body": base64.b64encode(request.body).decode(), "remote": request.remote}
        aside = self.folder / f".{name}.part"
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(json.dumps(data, ensure_ascii=False).encode())
                file.flush()
                os.fsync(file.fileno())
            aside.rename(self.folder / f"{name}.json")
            self._sync_folder()
        except OSError:
            aside.unlink(missing_ok=True)
            raise

    def _sync_folder(self) -> None:
        if not hasattr(os, "O_DIRECTORY"):
            return
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def waiting(self) -> Iterator[tuple[Path, dict[str, Any], Request]]:
        """The kept requests in the order in which they came. A file that cannot be read is set aside as ``.bad``."""
        if not self.folder.is_dir():
            return
        for file in sorted(self.folder.glob("*.json")):
            try:
                data = json.loads(file.read_bytes())
                yield file, data, Request(data["method"], data["path"], data["query"], data["headers"],
                                          base64.b64decode(data["body"]), data["remote"])
            except FileNotFoundError:
                continue  # another process with the same folder has just imported it
            except (ValueError, KeyError):
                file.rename(file.with_suffix(".bad"))

    def count(self) -> int:
        """How many wait."""
        return sum(1 for _ in self.folder.glob("*.json")) if self.folder.is_dir() else 0
