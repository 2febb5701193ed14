"""Structured logs: one line an event, with the receipt's key bound to it; no secret and no personal data.

``HUB_LOG_FORMAT=json`` for machines. What a plugin or library logs goes through the same door.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

#: Incoming-webhook secrets in addresses, tokens in query strings, e-mail addresses, phone numbers.
_HIDDEN = (
    (re.compile(r"(/rest/\d+/)[^/\s]+"), r"\1***"),
    (re.compile(r"(/in/[a-z0-9_]+/src_[a-z0-9]+/)[^/\s?]+"), r"\1***"),
    (re.compile(r"((?:token|key|secret|password|auth)[=:]\s*)[^\s&,;]+", re.IGNORECASE), r"\1***"),
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+"), "***@***"),
    (re.compile(r"(?<![\w.])\+?[78][\s(-]*\d{3}[\s)-]*\d{3}[\s-]?\d{2}[\s-]?\d{2}(?!\d)"), "+***"),
)


def hide(text: str) -> str:
    """``text`` without secrets, e-mail addresses and phone numbers."""
    for pattern, instead in _HIDDEN:
        text = pattern.sub(instead, text)
    return text


def _hide_values(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str) and name not in ("timestamp", "level"):
            event[name] = hide(value)
    return event


def set_up(level: str = "INFO", form: str = "text", process: str = "hub") -> None:
    """Configures this process's logging, to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars, structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True), structlog.processors.format_exc_info, _hide_values]
    last: Any = structlog.processors.JSONRenderer(ensure_ascii=False) if form == "json" else \
        structlog.dev.ConsoleRenderer(colors=False, pad_event_to=24)
    number = getattr(logging, level, logging.INFO)
    structlog.configure(
        processors=[*shared, last], wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr), cache_logger_on_first_use=True)
    structlog.contextvars.bind_contextvars(process=process)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last], foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))
    # The server warns of every request that waits a moment for a thread.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
