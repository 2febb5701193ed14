"""What a site posts to us and reads back, byte for byte (bitrix-site §3.2, §3.3): bodies, identity, answers."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hub.contracts import Answer, Malformed, ReceiptView, Request, php_form
from hub.fiscal import FiscalRecord, NotANumber, Text, decimal

#: The only field that holds bytes, not text: tag 1162 as it goes into the storage (§3.2 [R]).
BINARY = "nomenclature_code"
#: Deeper than any body a site sends; a body beyond it is no check.
DEEPEST = 12
#: Characters of an ERROR text; the site keeps it in a text column and mails it.
LONGEST_ERROR = 500
KOPECK = Decimal("0.01")

_DIGITS = re.compile(r"[0-9]{1,18}")
_UUID = re.compile(r"hub-([0-9]{1,18})-([0-9a-f]{16})")


# -- bodies ------------------------------------------------------------------------------------------------------


def fields_of(request: Request) -> dict[str, Any]:
    """The body as nested maps, lists and texts; the same for a form and for the same data as JSON.

    Form bodies follow PHP's rules (``items[0][name]``) and are decoded value by value as UTF-8, else cp1251 (§3.2
    [D]: sites in windows-1251). ``nomenclature_code`` stays bytes, written in base64. Raises Malformed.
    """
    body = request.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    try:
        if body[:1] in (b"{", b"["):
            tree = json.loads(_decoded(body), parse_float=str, parse_int=str, parse_constant=str)
            result = _plain(tree, "")
        else:
            result = form_of(request.body)
    except (ValueError, RecursionError) as problem:
        raise Malformed(Text("The body of the request cannot be read: it is neither a form nor JSON.",
                             "Тело запроса не читается: это не форма и не JSON.")) from problem
    if not isinstance(result, dict):
        raise Malformed(Text("The body of the request is not a check.", "В теле запроса не чек."))
    return result


def form_of(body: bytes) -> dict[str, Any]:
    """The fields of a form. ValueError when it has too many."""
    return php_form(body, _from_form)


def _plain(value: Any, name: str, depth: int = 0) -> Any:
    """``value`` with every leaf a clean text; nulls are left out, as PHP leaves them out of a form."""
    if depth > DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        named = {_clean(key): below for key, below in value.items() if below is not None}
        return {key: _plain(below, key, depth + 1) for key, below in named.items()}
    if isinstance(value, list):
        return [_plain(below, name, depth + 1) for below in value]
    if value is None:
        return ""
    return _from_json({True: "1", False: "0"}[value] if isinstance(value, bool) else value, name)


def _from_form(raw: bytes, name: str) -> str:
    """A form's value: decoded bytes hold no lone surrogates, so only zero bytes are to be taken out."""
    if name == BINARY:
        return base64.b64encode(raw).decode()
    return _decoded(raw.replace(b"\0", b"") if b"\0" in raw else raw)


def _from_json(value: str, name: str) -> str:
    if name == BINARY:
        return base64.b64encode(value.encode("utf-8" if any(ord(one) > 255 for one in value) else "latin-1",
                                             "replace")).decode()
    return _clean(value)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1251", "replace")


def _clean(text: str) -> str:
    """Without what databases and encoders refuse: zero bytes and lone surrogates. GS in marking codes stays."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


# -- identity ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CheckId:
    """Which check of the site this is: its row id there, and a fingerprint of its type and total.

    Not the site's uuid: that carries the time and the host name and changes with every repeat (§2.2, §2.6). Not
    the row id alone: a site restored from a backup gives the same ids to other checks. Not the whole content
    either: "print again" builds the check anew from the order (§1.1), so a product renamed in the meantime, or a
    corrected VAT, would look like another check and one payment could be printed twice. What a payment is worth
    and whether it is taken or returned does not change with that. A restored site's other check of the very same
    type and sum meets the core's stored conflict, which shows both to a person.

    The uuid we answer says all this by itself, so that it can be computed while the database is away and read
    back by CHECK_URL without a table. It fits the site's 100 characters and is unique over its checks (§3.2).
    """

    number: str
    mark: str

    @property
    def key(self) -> str:
        """The source key, also the subject of its events."""
        return f"check:{self.number}:{self.mark}"

    @property
    def uuid(self) -> str:
        return f"hub-{self.number}-{self.mark}"

    @classmethod
    def of_uuid(cls, uuid: object) -> CheckId | None:
        """What :attr:`uuid` said; None for a uuid that is not ours."""
        found = _UUID.fullmatch(str(uuid).strip())
        return cls(found[1], found[2]) if found else None

    @classmethod
    def of_key(cls, key: str) -> CheckId | None:
        """What :attr:`key` said; None for another key."""
        kind, _, rest = key.partition(":")
        return cls.of_uuid("hub-" + rest.replace(":", "-", 1)) if kind == "check" else None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> CheckId:
        """The identity of a check's fields. Raises Malformed when they do not say which check it is."""
        number = str(fields.get("unique_id", "")).strip()
        if not _DIGITS.fullmatch(number):
            parts = str(fields.get("uuid", "")).split("|")
            number = parts[2] if len(parts) > 2 and parts[0] == "check" and _DIGITS.fullmatch(parts[2]) else ""
        if not number or not int(number):
            raise Malformed(Text("The request does not say which check it is: there is no unique_id.",
                                 "В запросе нет номера чека (unique_id), поэтому напечатать его нельзя."), "unique_id")
        total = str(fields.get("total_sum", "")).strip()
        try:
            # In whole kopecks: 1780.9999999999998 is 1781 to whoever prints it, and must be the same check.
            total = format(decimal(total[:40]).quantize(KOPECK, ROUND_HALF_UP).normalize(), "f")
        except NotANumber:
            pass
        content = json.dumps([str(fields.get("type", "")).strip().lower(), total])
        return cls(str(int(number)), hashlib.sha256(content.encode()).hexdigest()[:16])


#: What a check says of its payment; the rest changes with every sending (§3.2).
_SAID = ("type", "items", "payments", "client_email", "client_phone", "total_sum")


def digest(fields: Mapping[str, Any]) -> str:
    """A fingerprint of what is to be printed: of a repeat it is the same."""
    said = {name: fields.get(name) for name in _SAID}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def plainly(check: CheckId, fields: Mapping[str, Any]) -> CheckId:
    """The check as the poll way names it: that one knows no types but sale and return (§2.5)."""
    back = "return" in str(fields.get("type", "")).lower()
    return CheckId.of({**fields, "unique_id": check.number, "type": "sellreturn" if back else "sell"})


def asks_result(request: Request) -> bool:
    """Whether this is CHECK_URL's question. The path decides; without one the body does, and in doubt it is:
    WAIT is the one answer that does no harm (§3.3)."""
    path = request.path.rstrip("/").lower()
    if path.endswith("/print"):
        return False
    if path.endswith("/check"):
        return True
    try:
        fields = fields_of(request)
    except Malformed:
        return True
    return not (fields.get("items") and (fields.get("unique_id") or fields.get("type")))


def uuid_asked(fields: Mapping[str, Any]) -> str:
    """The uuid of a poll: real sites send ``uuid``, the vendor's sample server reads ``UUID`` (§3.3)."""
    found = [value for name, value in fields.items() if name.lower() == "uuid" and isinstance(value, str)]
    return found[0].strip() if found else ""


# -- answers -----------------------------------------------------------------------------------------------------


def taken(check: CheckId) -> Answer:
    """PRINT_URL: the site keeps the uuid and asks for the result."""
    return Answer.json({"UUID": check.uuid})


def refused(*sentences: str) -> Answer:
    """PRINT_URL: the check becomes E, its manager sees the sentences and may print it again (§3.2)."""
    return Answer.json({"ERRORS": [one[:LONGEST_ERROR] for one in sentences]})


def waiting() -> Answer:
    """CHECK_URL: nothing changes. The only safe answer to anything uncertain: every answer but exactly WAIT or
    ERROR, a 4xx and a 5xx too, makes the site mark the check as printed with empty fiscal data (§3.3)."""
    return Answer.json({"STATUS": "WAIT"})


def failed(words: str) -> Answer:
    """CHECK_URL: the check becomes E, for good unless somebody prints it again."""
    return Answer.json({"STATUS": "ERROR", "ERROR": words})


def printed(record: FiscalRecord, zone: str) -> Answer:
    """CHECK_URL: the check becomes Y with these data."""
    return Answer.json({"STATUS": "DONE", **fiscal_data(record, zone)})


def fiscal_data(record: FiscalRecord, zone: str) -> dict[str, str | int]:
    """What the site keeps of a receipt and builds the operator's link from (§1.2).

    PRINT_END_TIME is a whole number of unix seconds, always: any text there kills the site's agent run (§3.3).
    """
    at: datetime = record.printed_at
    if at.tzinfo is None:
        at = at.replace(tzinfo=ZoneInfo(zone))
    return {"REG_NUMBER_KKT": record.registration_number, "FISCAL_DOC_ATTR": record.fiscal_sign,
            "FISCAL_DOC_NUMBER": str(record.document_number), "FISCAL_RECEIPT_NUMBER": str(record.receipt_in_shift),
            "FN_NUMBER": record.storage_number, "SHIFT_NUMBER": str(record.shift_number),
            "PRINT_END_TIME": int(at.timestamp())}


_ENDINGS = {
    "invalid": "В чеке ошибка, он не напечатан. Подробности — в хабе чеков.",
    "refused": "Касса отказалась печатать чек. Подробности — в хабе чеков.",
    "cancelled": "Чек отменён в хабе чеков и не напечатан. Если он нужен, создайте на сайте новый.",
}


def why_not(view: ReceiptView) -> str:
    """Why a receipt was not printed, in Russian, for the site's manager; empty in states that are no failure."""
    if view.state not in _ENDINGS:
        return ""
    words = [one.text.say("ru") for one in view.problems]
    if not words and view.reason is not None:
        words = [view.reason.say("ru")]
    return " ".join(words or [_ENDINGS[view.state]])[:LONGEST_ERROR]
