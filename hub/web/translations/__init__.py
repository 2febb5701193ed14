"""Words of the page in Russian. Source strings are English and stand in the code and templates; ``python -m
hub.web.translations`` extracts them, brings ``ru/LC_MESSAGES/messages.po`` in line and compiles it.

A test holds the catalogue against the source: nothing missing, empty, fuzzy, left over or not compiled.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po
from flask import Flask
from jinja2 import Environment, nodes
from jinja2.ext import babel_extract

HERE = Path(__file__).parent
PO = HERE / "ru" / "LC_MESSAGES" / "messages.po"
MO = PO.with_suffix(".mo")
#: Words that are the same in every language.
NAMES = re.compile(r"\b(?:kassahub|Python|doctype|html)\b", re.I)
_EXTRACT: Any = babel_extract
_WORD = re.compile(r"[A-Za-zА-Яа-яЁё]{2,}")
_SHOWN = re.compile(r"""\b(?:placeholder|title|aria-label|alt|data-tip|data-done)\s*=\s*["']([^"'{]*)["']""")


def templates() -> list[Path]:
    """The page templates."""
    return sorted(Path(str(files("hub_templates"))).joinpath("pages").glob("*.html"))


def code() -> list[Path]:
    """The modules of hub.web."""
    return sorted(HERE.parent.glob("*.py"))


def extracted() -> Catalog:
    """Every source string that is in the code and the templates now."""
    catalog = Catalog(locale="ru", project="kassahub", version="", copyright_holder="", fuzzy=False,
                      creation_date=datetime(2026, 1, 1, tzinfo=UTC))
    for path in code():
        _collect(catalog, extract("python", io.BytesIO(path.read_bytes()), DEFAULT_KEYWORDS))
    options = {"silent": "false", "trim_blocks": "true", "lstrip_blocks": "true"}
    for path in templates():
        _collect(catalog, extract(_EXTRACT, io.BytesIO(path.read_bytes()), DEFAULT_KEYWORDS, options=options))
    for words in of_the_api():
        catalog.add(words)
    return catalog


def of_the_api() -> Iterator[str]:
    """What the page to try the API shows of its document: that is English, as programs and their authors read it."""
    from hub.web.api import document
    from hub.web.api.app import described

    yield from document.prose(document.document(described(Flask("words"))))


def _collect(catalog: Catalog, found: Any) -> None:
    for _line, message, _comments, context in found:
        if message and (message[0] if isinstance(message, tuple) else message):
            catalog.add(message, context=context)


def stored() -> Catalog:
    """The Russian catalogue as it is on disk."""
    with PO.open("rb") as file:
        return read_po(file, locale="ru")


def compiled() -> Catalog:
    """What pages really use."""
    with MO.open("rb") as file:
        return read_mo(file)


def update() -> list[str]:
    """Brings catalogue and compiled file in line with the source; gives the strings that have no Russian yet."""
    fresh = extracted()
    old = stored() if PO.exists() else Catalog(locale="ru")
    for message in fresh:
        have = old.get(message.id, context=message.context) if message.id else None
        if have is not None and isinstance(have.string, str) != bool(message.pluralizable):
            message.string = have.string
    PO.parent.mkdir(parents=True, exist_ok=True)
    words, machine = io.BytesIO(), io.BytesIO()
    write_po(words, fresh, sort_output=True, no_location=True, width=110)
    write_mo(machine, fresh)
    PO.write_bytes(words.getvalue())
    MO.write_bytes(machine.getvalue())
    return [source(one) for one in fresh if one.id and not translated(one)]


def source(message: Message) -> str:
    """A message's English."""
    return message.id if isinstance(message.id, str) else message.id[0]


def translated(message: Message) -> bool:
    """Whether every form of a message has its Russian."""
    forms = message.string if isinstance(message.string, (list, tuple)) else (message.string,)
    wanted = 3 if message.pluralizable else 1
    return len(forms) == wanted and all(forms)


def bare_text(template: str) -> Iterator[str]:
    """Visible text of a template that does not go through gettext."""
    tree = Environment(extensions=["jinja2.ext.i18n"], autoescape=True).parse(template)
    whole = "".join(data.data if isinstance(data, nodes.TemplateData) else "\0"
                    for output in tree.find_all(nodes.Output) for data in output.nodes)
    for shown in _SHOWN.findall(whole):
        if _WORD.search(NAMES.sub("", shown)):
            yield shown
    text = re.sub(r"<(script|style|svg)\b.*?</\1>", "", whole, flags=re.S)
    text = re.sub(r"<!?/?[a-zA-Z][^<>]*>?", "", text)
    for piece in re.split(r"[\n\0]", text):
        words = NAMES.sub("", re.sub(r"&\w+;", "", piece))
        if _WORD.search(words) and "=" not in piece:
            yield piece.strip()
