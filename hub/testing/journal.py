"""The journal of a simulated register, which stands for its fiscal storage: only what is in it was printed.

One JSON object a line, appended, forced to the disk before the register answers. A line counts when its newline is
there: what a power cut left of the last line is thrown away at the next start, as by anyone who reads the file
(:func:`documents`). A broken line in the middle means that somebody edited the file, and is refused.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol


class JournalInUse(Exception):
    """Another process owns this journal."""


class JournalBroken(Exception):
    """The file is no journal, or was changed by somebody else."""


class JournalFailed(Exception):
    """The line could not be written, and is surely not in the journal."""


class Journal(Protocol):
    """Where the register writes. ``position`` identifies a line; ``lasting``: other programs read it later."""

    name: str
    lasting: bool

    def append(self, line: bytes, sync: bool = True) -> int:
        """Writes one line (without newline), durably, and gives its position. JournalFailed: surely not written.
        OSError: nobody knows; the register must stop. ``sync`` off for what a power cut may take."""

    def tear(self, part: bytes) -> None:
        """What a power cut in mid-write leaves."""

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Every whole line with its position, after throwing away a torn last one."""

    def read(self, position: int) -> bytes:
        """The line at a position."""

    def close(self) -> None:
        """Gives the journal to others."""


class MemoryJournal:
    """A journal for benchmarks and tests in one process; gone when the process ends."""

    lasting = False

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self._lines: list[bytes] = []

    def append(self, line: bytes, sync: bool = True) -> int:
        self._lines.append(line)
        return len(self._lines) - 1

    def tear(self, part: bytes) -> None:
        """Nothing of a torn line is ever seen again."""

    def lines(self) -> Iterator[tuple[int, bytes]]:
        return iter(list(enumerate(self._lines)))

    def read(self, position: int) -> bytes:
        return self._lines[position]

    def close(self) -> None:
        """Nothing to give back."""


class FileJournal:
    """A journal in a file, owned by one process at a time (the lock ends with the process, however it ends).

    ``wait``: how many seconds to wait for an owner that is just ending. ``sync`` off trades durability for speed.
    """

    lasting = True

    def __init__(self, path: str | Path, sync: bool = True, wait: float = 0.0) -> None:
        self.name = str(path)
        self._sync = sync
        self._lock = threading.Lock()
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        fresh = not Path(path).exists()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
        try:
            self._own(wait)
            # Unbuffered: a buffer would remember bytes of a torn line that was cut off and written over.
            self._reader = Path(path).open("rb", buffering=0)  # noqa: SIM115 - lives as long as the journal
            self._end = self._recover()
        except BaseException:
            os.close(self._file)
            raise
        if fresh and sync:
            _sync_folder(Path(path).parent)

    def _own(self, wait: float) -> None:
        deadline = time.monotonic() + wait
        while not _locked(self._file):
            if time.monotonic() >= deadline:
                raise JournalInUse(self.name)
            time.sleep(0.05)

    def _recover(self) -> int:
        """Cuts a torn last line off. The file's end afterwards."""
        end = os.fstat(self._file).st_size
        keep, chunk = end, b""
        while keep and not chunk.endswith(b"\n"):
            start = max(0, keep - 65536)
            self._reader.seek(start)
            chunk = self._reader.read(keep - start)
            newline = chunk.rfind(b"\n")
            keep, chunk = (start + newline + 1, b"\n") if newline >= 0 else (start, b"")
        if keep != end:
            os.ftruncate(self._file, keep)
        return keep

    def append(self, line: bytes, sync: bool = True) -> int:
        with self._lock:
            position, data = self._end, line + b"\n"
            try:
                written = os.write(self._file, data)
                if written != len(data):
                    raise OSError(f"only {written} of {len(data)} bytes were written")
            except OSError as problem:
                os.ftruncate(self._file, position)  # if even this fails nobody knows: OSError
                raise JournalFailed(str(problem)) from problem
            if self._sync and sync:
                os.fsync(self._file)
            self._end = position + len(data)
            return position

    def tear(self, part: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):
            os.write(self._file, part)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        with self._lock:
            self._end = end = self._recover()
        position = 0
        while position < end:
            line = self.read(position)
            yield position, line
            position += len(line) + 1

    def read(self, position: int) -> bytes:
        with self._lock:
            self._reader.seek(position)
            line = bytearray()
            while (newline := line.find(b"\n")) < 0:
                chunk = self._reader.read(8192)
                if not chunk:
                    raise JournalBroken(f"{self.name} has no line at {position}")
                line += chunk
            return bytes(line[:newline])

    def close(self) -> None:
        with self._lock:
            self._reader.close()
            os.close(self._file)


def documents(path: str | Path) -> list[dict[str, Any]]:
    """Every document in a journal file, read without owning it: what was really printed, in order."""
    found = []
    for line in Path(path).read_bytes().split(b"\n")[:-1]:
        entry = json.loads(line)
        if entry.get("t") == "doc":
            found.append(entry)
    return found


def storages(path: str | Path) -> list[str]:
    """The numbers of all fiscal storages that a register ever had, oldest first, read as by :func:`documents`."""
    return [str(entry["fn"]) for entry in map(json.loads, Path(path).read_bytes().split(b"\n")[:-1])
            if entry.get("t") == "storage"]


if sys.platform == "win32":
    import msvcrt

    def _locked(file: int) -> bool:
        # A byte far behind the end: Windows locks are mandatory, and others may want to read the journal.
        os.lseek(file, 1 << 40, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _sync_folder(folder: Path) -> None:
        """Windows has no fsync for folders."""
else:
    import fcntl

    def _locked(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _sync_folder(folder: Path) -> None:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
