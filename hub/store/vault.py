"""Secrets encrypted at rest. The key lives in a file outside the database; each ciphertext names its key.

The file holds one key a line, ``<id> <key>``; the first encrypts, all decrypt, so a key is replaced by putting a new
line on top. A database without its key file gives no secret away, and says which key it misses.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

_MARK = b"\0sealed "


class KeyMissing(Exception):
    """A secret was encrypted with a key that the key file does not hold."""


class Vault:
    """Encrypts small JSON objects; derives the keys of cookies and tokens from the same file."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)
        self.current = next(iter(self._keys))
        self._first = Fernet(self._keys[self.current])

    @classmethod
    def open(cls, file: Path) -> Vault:
        """Reads the key file; makes one (mode 0600) when there is none. ValueError when it cannot be read as one."""
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            line = f"{secrets.token_hex(4)} {Fernet.generate_key().decode()}\n"
            temporary = file.with_name(f".{file.name}.{os.getpid()}")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(descriptor, line.encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            try:
                # link() fails if another process was first: then its key is the installation's key.
                os.link(temporary, file)
            except FileExistsError:
                pass
            finally:
                temporary.unlink()
        keys = {}
        for line in file.read_text("ascii").splitlines():
            name, _, key = line.strip().partition(" ")
            if name and key:
                try:
                    Fernet(key)
                except ValueError as problem:
                    raise ValueError(f"{file} holds a line that is no key: restore the file from a backup") from problem
                keys[name] = key.encode()
        if not keys:
            raise ValueError(f"{file} holds no key: restore it from a backup")
        return cls(keys)

    def seal(self, value: Mapping[str, Any]) -> tuple[str, str]:
        """(ciphertext, key id) of a JSON object."""
        sealed = self._first.encrypt(json.dumps(dict(value), ensure_ascii=False).encode())
        return sealed.decode(), self.current

    def unseal(self, sealed: str, key_id: str) -> dict[str, Any]:
        """The JSON object; an empty ciphertext is an empty object. KeyMissing names the key."""
        if not sealed:
            return {}
        key = self._keys.get(key_id)
        if key is None:
            raise KeyMissing(f"the key {key_id!r} is not in the key file: add it from a backup")
        try:
            value: dict[str, Any] = json.loads(Fernet(key).decrypt(sealed.encode()))
        except InvalidToken as problem:
            raise KeyMissing(f"the key {key_id!r} in the key file is another: restore it from a backup") from problem
        return value

    def seal_bytes(self, data: bytes) -> bytes:
        """Raw bytes that may hold a secret (a webhook's body with its token), encrypted; nothing stays nothing."""
        if not data:
            return b""
        return _MARK + self.current.encode() + b" " + self._first.encrypt(data)

    def unseal_bytes(self, stored: bytes) -> bytes:
        """The bytes that :meth:`seal_bytes` took; what was never sealed comes back as it is. KeyMissing names the
        key."""
        if not stored.startswith(_MARK):
            return stored
        key_id, _, sealed = stored.removeprefix(_MARK).partition(b" ")
        key = self._keys.get(key_id.decode("ascii", "replace"))
        if key is None:
            raise KeyMissing(f"the key {key_id!r} is not in the key file: add it from a backup")
        try:
            return Fernet(key).decrypt(sealed)
        except InvalidToken as problem:
            raise KeyMissing(f"the key {key_id!r} in the key file is another: restore it from a backup") from problem

    def derived(self, purpose: str) -> bytes:
        """32 bytes for one purpose (cookies, ...), stable as long as the first key stays."""
        return hmac.new(base64.urlsafe_b64decode(self._keys[self.current]), purpose.encode(), hashlib.sha256).digest()
