"""The journal that stands for the fiscal storage: the one of all simulated registers."""

from __future__ import annotations

from hub.testing.journal import (
    FileJournal,
    Journal,
    JournalBroken,
    JournalFailed,
    JournalInUse,
    MemoryJournal,
    documents,
    storages,
)

__all__ = ["FileJournal", "Journal", "JournalBroken", "JournalFailed", "JournalInUse", "MemoryJournal", "documents",
           "storages"]
