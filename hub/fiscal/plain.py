"""Text and JSON that every database takes and gives back, of whatever somebody sent.

JSON may hold what cannot be kept: halves of characters (``"\\ud800"``), NULs (PostgreSQL has no such text), numbers
that JSON has no word for, lists in lists beyond what can be written. None of that may make keeping fail: a request that
is refused is kept so that its owner sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Stands where a character stood that cannot be kept.
LOST = "\ufffd"
#: What lies deeper is left out.
DEEPEST = 40
#: A whole number beyond this is written as a text: nobody's counter, and Python writes none of over 4300 digits.
LARGEST = 10 ** 1000


def keepable(text: str) -> str:
    """The text with a mark for each character that cannot be kept; the same object when there is none, as nearly
    always."""
    if text.isascii():
        return text if "\0" not in text else text.replace("\0", LOST)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Two halves that belong together are one character.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\0", LOST)


def plain(value: Any, depth: int = 0) -> Any:
    """JSON that can be written, of anything that was read from JSON."""
    if isinstance(value, str):
        return keepable(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -LARGEST < value < LARGEST else LOST
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if depth >= DEEPEST:
        return LOST
    if isinstance(value, Mapping):
        return {keepable(str(name)): plain(below, depth + 1) for name, below in value.items()}
    return [plain(one, depth + 1) for one in value] if isinstance(value, (list, tuple)) else keepable(str(value))
