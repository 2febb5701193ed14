"""Messages of the hub, checked: signature in constant time, not too old, any of the secrets that are valid."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

#: Seconds by which the message's time may differ from ours: a message that somebody recorded is worth nothing later.
TOLERANCE = 300


class WrongSignature(Exception):
    """The message is not the hub's, was changed, or is too old. Answer 400 and do nothing."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``id`` is the event's, the same on every try and replay: what is known already is skipped.
    ``receipt`` is the receipt as it was when the message was sent; None in a test message."""

    id: str
    type: str
    created_at: str
    receipt: dict[str, Any] | None


def verify_webhook(body: bytes, signature: str, secrets: str | Sequence[str], *, tolerance: float = TOLERANCE,
                   now: float | None = None) -> Message:
    """The message in a request's raw ``body``, when its ``Hub-Signature`` header is right under one of ``secrets``.

    During a rotation give both secrets, or either one: the hub signs with both. Raises WrongSignature.
    """
    moments, given = _parts(signature)
    if len(moments) != 1 or not given:
        raise WrongSignature("the header Hub-Signature is not of the form t=...,v1=...")
    message = f"{moments[0]}.".encode() + body
    right = False
    for secret in (secrets,) if isinstance(secrets, str) else secrets:
        expected = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest().encode()
        for one in given:
            # No early end: how long it takes says nothing about which of them was nearly right.
            right = hmac.compare_digest(expected, one.encode()) or right
    if not right:
        raise WrongSignature("the signature is of another secret, or the body was changed")
    if abs((time.time() if now is None else now) - moments[0]) > tolerance:
        raise WrongSignature("the message is too old, or a clock is wrong")
    try:
        data = json.loads(body)
        return Message(data["id"], data["type"], data["created_at"], data["receipt"])
    except (ValueError, KeyError, TypeError) as problem:
        raise WrongSignature("the body is no message of the hub") from problem


def _parts(signature: str) -> tuple[list[int], list[str]]:
    moments, given = [], []
    for part in signature.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t" and value.isascii() and value.isdigit() and len(value) < 16:
            moments.append(int(value))
        elif name == "v1":
            given.append(value)
    return moments, given
