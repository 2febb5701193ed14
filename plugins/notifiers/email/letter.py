"""A notice as a letter: plain text and the same as HTML; every header is built by the standard library's message."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Mapping
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from hub.contracts import Notice
from hub.fiscal.contact import email

LONGEST_SUBJECT = 200

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")
_LINK = re.compile(r"https?://[^\s<>\"]+")


def address(contact: str) -> str:
    """The e-mail address as it travels (an international domain in its ASCII form); empty when it is none, or when
    what stands before the @ needs SMTPUTF8, which few servers take."""
    local, _, domain = email(contact).rpartition("@")
    if not local or not local.isascii() or not local.isprintable():
        return ""
    try:
        name = domain.encode("idna").decode("ascii")
        Address(addr_spec=f"{local}@{name}")
    except (UnicodeError, ValueError, IndexError):
        return ""
    return f"{local}@{name}"


def message_id(key: str, sender: str) -> str:
    """``<key@domain>``: the same on every try of one notice, so that a repeat is recognisable."""
    local = key if _KEY.fullmatch(key) else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:32]
    return f"<{local}@{sender.rpartition('@')[2]}>"


def letter(config: Mapping[str, Any], notice: Notice, to: str, now: datetime) -> EmailMessage:
    """The message. ``to`` is an :func:`address`. Nothing of the notice can begin a header of its own: breaks of lines
    and control characters leave the subject, and the message refuses them in all headers."""
    message = EmailMessage(policy=SMTP)
    sender = address(config["sender"])
    message["From"] = Address(display_name=config["sender_name"], addr_spec=sender)
    message["To"] = Address(addr_spec=to)
    message["Subject"] = _one_line(notice.subject) or "Чек"
    message["Message-ID"] = message_id(notice.key, sender)
    message["Date"] = now
    # RFC 3834 §5: holidays' answering machines leave it alone.
    message["Auto-Submitted"] = "auto-generated"
    text = _whole(notice.text or notice.url or notice.subject)
    message.set_content(text)
    message.add_alternative(as_html(text), subtype="html")
    return message


def _one_line(text: str) -> str:
    clean = "".join(one if one.isprintable() else " " for one in _whole(text))
    return " ".join(clean.split())[:LONGEST_SUBJECT].strip()


def _whole(text: str) -> str:
    """Text that UTF-8 can carry."""
    return text.encode("utf-8", "replace").decode().replace("\0", " ")


def as_html(text: str) -> str:
    """The text with every character escaped, its columns kept, its addresses links."""
    parts, last = [], 0
    for found in _LINK.finditer(text):
        link = html.escape(found[0])
        parts += [html.escape(text[last:found.start()]), f'<a href="{link}">{link}</a>']
        last = found.end()
    parts.append(html.escape(text[last:]))
    return ('<!doctype html><html lang="ru"><head><meta charset="utf-8"></head><body>'
            '<pre style="font:13px/1.4 Menlo,Consolas,monospace;white-space:pre-wrap">'
            f'{"".join(parts)}</pre></body></html>\n')
