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

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.store.base import random_bytes

#: Before sealed bytes. The first mark is of versions that wrote Fernet's longer form.
_FERNET, _MARK = b"\0sealed ", b"\0sealed2 "
_NONCE = 12


class KeyMissing(Exception):
    """A secret was encrypted with a key that the key file does not hold."""


class Vault:
    """Encrypts small JSON objects; derives the keys of cookies and tokens from the same file."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)
        self.current = next(iter(self._keys))
        self._first = Fernet(self._keys[self.current])
        self._raw = self._aes(self.current)
        self._mark = _MARK + self.current.encode() + b" "

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
        sealed = self._first.encrypt(json.dumps(dict(value), ensure_ascii=False).encode("utf-8", "surrogatepass"))
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
        """Raw bytes that may hold a secret (a webhook's body with its token), encrypted; nothing stays nothing.

        On the way of every request: AES-GCM, in one call of the library, of a key derived for it; random nonces are
        good for four thousand million messages of a key.
        """
        if not data:
            return b""
        nonce = random_bytes(_NONCE)
        return self._mark + nonce + self._raw.encrypt(nonce, data, None)

    def unseal_bytes(self, stored: bytes) -> bytes:
        """The bytes that :meth:`seal_bytes` took; what was never sealed comes back as it is. KeyMissing names the
        key."""
        mark = next((one for one in (_MARK, _FERNET) if stored.startswith(one)), None)
        if mark is None:
            return stored
        named, _, sealed = stored.removeprefix(mark).partition(b" ")
        key_id = named.decode("ascii", "replace")
        if key_id not in self._keys:
            raise KeyMissing(f"the key {key_id!r} is not in the key file: add it from a backup")
        try:
            if mark == _FERNET:
                return Fernet(self._keys[key_id]).decrypt(sealed)
            return self._aes(key_id).decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
        except (InvalidToken, InvalidTag, ValueError) as problem:
            raise KeyMissing(f"the key {key_id!r} in the key file is another: restore it from a backup") from problem

    def _aes(self, key_id: str) -> AESGCM:
        return AESGCM(self._derived(key_id, "sealed bytes"))

    def derived(self, purpose: str) -> bytes:
        """32 bytes for one purpose (cookies, ...), stable as long as the first key stays."""
        return self._derived(self.current, purpose)

    def _derived(self, key_id: str, purpose: str) -> bytes:
        return hmac.new(base64.urlsafe_b64decode(self._keys[key_id]), purpose.encode(), hashlib.sha256).digest()
