"""One installation's settings, read from the environment once, with defaults that need nothing.

Every variable is documented in docs/operators/configuration.md; a test holds the two against each other.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class Misconfigured(ValueError):
    """A variable has a value that cannot be used; the message names it, the reason and what is allowed."""


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of one process. Paths are absolute."""

    data_dir: Path
    database_url: str
    redis_url: str
    host: str
    port: int | None
    public_url: str
    trusted_proxies: int
    key_file: Path
    web_threads: int
    log_level: str
    log_format: str
    plugins_off: frozenset[str]
    keep_personal_days: int
    outgoing_allow: tuple[Any, ...] = ()
    devices: tuple[str, ...] = ()

    @property
    def spool_dir(self) -> Path:
        """Where raw requests wait while the database is away."""
        return self.data_dir / "spool"

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    def masked(self) -> dict[str, str]:
        """The settings for logs and ``hub doctor``, passwords in addresses replaced."""
        shown = {name: str(getattr(self, name)) for name in self.__slots__}
        for name in ("database_url", "redis_url"):
            parts = urlsplit(shown[name])
            if parts.password:
                shown[name] = shown[name].replace(f":{parts.password}@", ":***@")
        return shown


def load(environ: Mapping[str, str] | None = None) -> Config:
    """Reads ``HUB_*`` from ``environ`` (the process's own by default)."""
    env = os.environ if environ is None else environ
    data = Path(env.get("HUB_DATA_DIR") or "data").expanduser().absolute()
    url = env.get("HUB_DATABASE_URL") or f"sqlite:///{data / 'hub.db'}"
    if url.startswith(("postgres://", "postgresql://")):
        url = "postgresql+psycopg://" + url.split("://", 1)[1]
    if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise Misconfigured("HUB_DATABASE_URL must start with sqlite:/// or postgresql://")
    public = (env.get("HUB_PUBLIC_URL") or "").rstrip("/")
    if public and urlsplit(public).scheme not in ("http", "https"):
        raise Misconfigured(f"HUB_PUBLIC_URL must start with https:// (or http://), not {public!r}")
    return Config(
        data_dir=data, database_url=url, redis_url=env.get("HUB_REDIS_URL", ""),
        host=env.get("HUB_HOST") or "127.0.0.1", port=_number(env, "HUB_PORT", None, 1, 65535), public_url=public,
        trusted_proxies=_number(env, "HUB_TRUSTED_PROXIES", 0, 0, 10) or 0,
        key_file=Path(env.get("HUB_KEY_FILE") or data / "secret.key").expanduser().absolute(),
        web_threads=_number(env, "HUB_WEB_THREADS", 16, 2, 256) or 16,
        log_level=(env.get("HUB_LOG_LEVEL") or "INFO").upper(), log_format=env.get("HUB_LOG_FORMAT") or "text",
        plugins_off=frozenset(name.strip() for name in env.get("HUB_PLUGINS_OFF", "").split(",") if name.strip()),
        keep_personal_days=_number(env, "HUB_KEEP_PERSONAL_DAYS", 1827, 1, 36500) or 1827,
        outgoing_allow=_networks(env, "HUB_OUTGOING_ALLOW"),
        devices=tuple(one.strip() for one in env.get("HUB_DEVICES", "").split(",") if one.strip()))


def networks(text: str) -> tuple[Any, ...]:
    """Networks of a list with commas or spaces (``10.0.0.0/8, fd00::/8, 192.168.1.7``). Raises ValueError."""
    return tuple(ipaddress.ip_network(one) for one in text.replace(",", " ").split())


def _networks(env: Mapping[str, str], name: str) -> tuple[Any, ...]:
    try:
        return networks(env.get(name, ""))
    except ValueError as problem:
        raise Misconfigured(f"{name} must be networks with commas, 10.0.0.0/8 or 192.168.1.7: {problem}") from problem


def _number(env: Mapping[str, str], name: str, default: int | None, low: int, high: int) -> int | None:
    text = env.get(name, "")
    if not text:
        return default
    if not text.isdigit() or not low <= int(text) <= high:
        raise Misconfigured(f"{name} must be a whole number from {low} to {high}, not {text!r}")
    return int(text)
