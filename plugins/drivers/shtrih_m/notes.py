"""What the driver remembers across its own death: which document open at the register is ours, what else it began.

A register does not say who opened a document, and the hub must cancel nobody else's. So a note is written before the
command that opens one. A note that is lost (the machine lost its power) makes our document a stranger's: then a person
is asked, and nothing is printed twice.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from hub.contracts import Bookmark


@dataclass(frozen=True, slots=True)
class Note:
    """``storage`` and ``document`` are the bookmark at which a document was opened; ``silent`` says that the register
    was told not to print the next document; ``drawer`` and ``moved`` are the cash in the drawer before a cash move and
    what was put in (negative: taken out)."""

    storage: str = ""
    document: int = -1
    silent: bool = False
    drawer: int = 0
    moved: int = 0

    def is_of(self, storage: str, document: int) -> bool:
        """Whether a document that is open now, after this last one, is the one that was noted."""
        return self.storage == storage and self.document == document and not self.moved

    @property
    def mark(self) -> Bookmark:
        """The bookmark."""
        return Bookmark(self.storage, self.document)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sales of a storage as far as the hub has counted them, for registers whose reports do not state them."""

    storage: str = ""
    sales: int = 0


class Notes:
    """The notes of one register, in files of its folder; in memory when it has none."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder) if folder else None
        self._note = Note(**self._read("note"))
        self._totals = Totals(**self._read("totals"))

    @property
    def now(self) -> Note:
        """The note as it stands."""
        return self._note

    def write(self, note: Note) -> None:
        """Keeps a note; it outlives this process, not the machine's power."""
        if note != self._note:
            self._keep("note", asdict(note))
            self._note = note

    def clear(self) -> None:
        """Nothing of ours is open."""
        self.write(Note(silent=self._note.silent))

    def sales(self, storage: str) -> int:
        """Sales of a storage before the shift that is open."""
        return self._totals.sales if self._totals.storage == storage else 0

    def count(self, storage: str, sales: int) -> None:
        """Keeps the sales of a storage after a shift."""
        self._totals = Totals(storage, sales)
        self._keep("totals", asdict(self._totals))

    def _read(self, what: str) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError):
            if self._folder is not None:
                found = json.loads((self._folder / f"shtrih-{what}.json").read_text(encoding="utf-8"))
                known = {one.name for one in fields({"note": Note, "totals": Totals}[what])}
                return {name: value for name, value in found.items() if name in known}
        return {}

    def _keep(self, what: str, data: dict[str, Any]) -> None:
        if self._folder is not None:
            draft = self._folder / f"shtrih-{what}.new"
            draft.write_text(json.dumps(data), encoding="utf-8")
            draft.replace(self._folder / f"shtrih-{what}.json")
