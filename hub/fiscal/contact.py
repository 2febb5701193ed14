"""The buyer's contact (tag 1008): an e-mail address or a phone as ``+7XXXXXXXXXX``."""

from __future__ import annotations

import re

#: Half of a surrogate pair is no character and cannot be sent.
_EMAIL = re.compile(r"[^@\s,;<>\"\ud800-\udfff]{1,48}@[^@\s,;<>\"\ud800-\udfff]+\.[^@\s,;<>\".\ud800-\udfff]{2,}")
LONGEST = 64


def email(text: str) -> str:
    """The address without surrounding blanks, or an empty text when it is none (or longer than 64 bytes)."""
    text = text.strip()
    return text if _EMAIL.fullmatch(text) and len(text.encode()) <= LONGEST else ""


def phone(text: str) -> str:
    """``+79990000000`` from any spelling: blanks, brackets, a leading 8 or a bare ten-digit number.

    Numbers of other countries keep their digits; fewer than 10 or more than 15 digits give an empty text.
    """
    text = text.strip()
    if re.search(r"[^0-9\s()+\-.]", text):
        return ""
    digits = re.sub(r"[^0-9]", "", text)
    if len(digits) == 10 and not text.startswith("+"):
        digits = "7" + digits
    elif len(digits) == 11 and digits.startswith("8") and not text.startswith("+"):
        digits = "7" + digits[1:]
    return f"+{digits}" if 10 <= len(digits) <= 15 else ""


def contact(mail: str, telephone: str) -> str:
    """What goes into tag 1008: the e-mail if it is one, else the phone, else an empty text."""
    return email(mail) or phone(telephone)
