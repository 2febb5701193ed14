"""What needs a person at this site, kept until it is mended or seen: one small value in the source's own memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from hub.contracts import SourceContext

#: Entries that are kept; the oldest make room. A site in real trouble has a few causes, not a hundred.
MOST = 60
_NAME = "findings"

#: stuck: polls of checks without UUID; gone: a check or receipt whose order is gone; sums: lines and payments differ;
#: foreign: a check under another uuid; untold: the site has no check for a printed receipt; unpaid: a receipted
#: payment lost its mark "paid"; cancelled: a cancelled order still holds paid money; mixed: one payment of an
#: order is somebody else's to print, another is ours; other_way: print requests come although the connection works
#: another way; breaks: a result that breaks the site's poll; other: other contents under the number of a printed check;
#: taken_back: goods with a receipt lost their mark "shipped"; late_bonus: bonuses came after the goods' receipt.
What = Literal["stuck", "gone", "sums", "foreign", "untold", "unpaid", "cancelled", "mixed",
               "other_way", "breaks", "other", "taken_back", "late_bonus"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One of them: what, of which check or order, the words in its sentence, since when and how often."""

    what: What
    subject: str
    facts: Mapping[str, str]
    since: datetime
    last: datetime
    times: int


class Book:
    """Reads and writes the entries. Writing is best effort: nothing here may stop an answer to the site."""

    def __init__(self, context: SourceContext) -> None:
        self.context = context

    def entries(self) -> list[Entry]:
        """What is open, oldest first; empty when the memory cannot be read."""
        return [entry for row in self._rows() if (entry := _entry(row)) is not None]

    def note(self, what: What, subject: str, **facts: object) -> None:
        """Writes something down, or that it was met once more."""
        now = self.context.now().isoformat()

        def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            old = next((row for row in rows if (row.get("what"), row.get("subject")) == (what, subject)), None)
            others = [row for row in rows if row is not old]
            return [*others[-(MOST - 1):], {
                "what": what, "subject": subject, "facts": {name: str(value)[:200] for name, value in facts.items()},
                "since": old["since"] if old else now, "last": now, "times": int(old["times"]) + 1 if old else 1}]

        self._change(change)

    def drop(self, what: str, subject: str | None = None) -> bool:
        """Strikes an entry out, or all of a kind; whether there was one."""
        dropped = []

        def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            left = [row for row in rows if row.get("what") != what or (subject is not None
                                                                       and row.get("subject") != subject)]
            dropped.append(len(left) < len(rows))
            return left

        if self._rows():
            self._change(change)
        return any(dropped)

    def _change(self, change: Any) -> None:
        try:
            with self.context.lock(_NAME, 10.0) as got:
                if got:
                    rows = change(self._rows())
                    self.context.remember(_NAME, json.dumps(rows, ensure_ascii=False) if rows else "")
        except Exception:  # the database is away: the answer that is under way matters more
            return

    def _rows(self) -> list[dict[str, Any]]:
        try:
            rows = json.loads(self.context.recall(_NAME) or "[]")
        except Exception:  # the database is away, or an older version's words
            return []
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _entry(row: Mapping[str, Any]) -> Entry | None:
    try:
        return Entry(row["what"], str(row["subject"]), dict(row["facts"]), datetime.fromisoformat(row["since"]),
                     datetime.fromisoformat(row["last"]), int(row["times"]))
    except (KeyError, TypeError, ValueError):
        return None
