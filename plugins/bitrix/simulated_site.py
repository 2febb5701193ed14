"""The site's side of the REST cashbox as the unmodified core behaves, faults included (bitrix-site §3.1-§3.4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub_plugins.bitrix.simulated_http import Heard, read

#: Length of EXTERNAL_UUID; longer ones are cut.
UUID_LENGTH = 100
#: Checks that one run of the agent asks for.
WINDOW = 5

#: CHECK_URL's and check.apply's keys -> LINK_PARAMS (§1.2).
_LINK = {"REG_NUMBER_KKT": "reg_number_kkt", "FISCAL_DOC_ATTR": "fiscal_doc_attribute",
         "FISCAL_DOC_NUMBER": "fiscal_doc_number", "FISCAL_RECEIPT_NUMBER": "fiscal_receipt_number",
         "FN_NUMBER": "fn_number", "SHIFT_NUMBER": "shift_number"}

#: Types that exist without FFD 1.05 (§3.1).
OLD_TYPES = ("sell", "sellreturn", "sellreturncash")


class PhpTypeError(Exception):
    """The page or the agent run dies here, as PHP 8 does with a TypeError."""


class RestError(Exception):
    """A REST method's refusal."""

    def __init__(self, code: str, words: str, status: int = 400) -> None:
        super().__init__(f"{code}: {words}")
        self.code, self.words, self.status = code, words, status


@dataclass
class CheckRow:
    """A row of b_sale_cashbox_check. ``content`` is the order behind it, ``died`` the last PHP exception."""

    number: int
    content: dict[str, Any]
    status: str = "N"
    uuid: str | None = None
    link: dict[str, Any] | None = None
    error: str | None = None
    died: str | None = None
    log: list[str] = field(default_factory=list)
    sent: int = 0

    @property
    def sum(self) -> float | int:
        """SUM as PHP shows it: 150, not 150.0."""
        value = float(self.content.get("total_sum") or 0)
        return int(value) if value == int(value) else value

    def view(self) -> dict[str, Any]:
        """The row as the tests and the page of ``hub demo`` read it."""
        return {"ID": self.number, "TYPE": self.content.get("type"), "STATUS": self.status,
                "EXTERNAL_UUID": self.uuid, "LINK_PARAMS": self.link, "ERROR_MESSAGE": self.error, "SUM": self.sum,
                "exception": self.died, "log": list(self.log), "sent": self.sent}


def take_print_answer(row: CheckRow, raw: bytes) -> None:
    """What becomes of a check (already P) after PRINT_URL's answer. Raises PhpTypeError like the order page."""
    heard = read(raw)
    if not heard.raw:
        return _fail(row, "Empty response from the server.")
    if heard.status != 200:
        return None  # also garbage instead of HTTP, 201, 4xx: P without a UUID for ever
    try:
        value = _json(heard.body)
    except ValueError:
        return _fail(row, "Response decoding error")
    data = _upper(row, value)
    errors = data.get("ERRORS")
    if isinstance(errors, (list, dict)) and errors:
        return _fail(row, "\n".join(str(one) for one in (errors.values() if isinstance(errors, dict) else errors)))
    uuid = data.get("UUID")
    row.uuid = None if uuid is None else str(uuid)[:UUID_LENGTH]
    return None


def take_check_answer(rows: Mapping[int, CheckRow], row: CheckRow, raw: bytes) -> None:
    """What becomes of a check after CHECK_URL's answer. A body counts only under status 200, and whether there was
    an answer at all is not looked at: everything but exactly WAIT and ERROR marks it as printed, a 503 with a WAIT
    in it and a refused connection too. Raises PhpTypeError."""
    heard: Heard = read(raw)
    try:
        value = _json(heard.body) if heard.status == 200 else []
    except ValueError:
        value = []
    data = _upper(row, value)
    if data.get("STATUS") == "WAIT":
        row.log.append("Чек в процессе печати")
        return
    target = by_uuid(rows, row.uuid)
    if target is None:
        row.log.append("Некорректный ID чека")
        return
    _save(target, data, row)


def apply_result(rows: Mapping[int, CheckRow], params: Mapping[str, Any]) -> bool:
    """``sale.cashbox.check.apply``; keys come in any case. A check that is E may still become Y."""
    data = {str(name).upper(): value for name, value in params.items()}
    if not data.get("UUID"):
        raise RestError("ERROR_CHECK_FAILURE", "Parameter UUID is not defined")
    row = by_uuid(rows, str(data["UUID"]))
    if row is None:
        raise RestError("ERROR_CHECK_NOT_FOUND", "Check not found")
    failed = _save(row, data, row)
    if failed is not None:
        raise RestError("ERROR_CHECK_APPLY", failed)
    return True


def by_uuid(rows: Mapping[int, CheckRow], uuid: str | None) -> CheckRow | None:
    """The first check with that UUID: with a second one under it, every result goes to the first."""
    return next((rows[number] for number in sorted(rows) if uuid and rows[number].uuid == uuid), None)


def _save(row: CheckRow, data: Mapping[str, Any], asked: CheckRow) -> str | None:
    """Stores a result; the words of the failure when it was one. Y is final."""
    at = data.get("PRINT_END_TIME", 0)
    if isinstance(at, str) and at.strip().isdigit():
        at = int(at)
    if not isinstance(at, (int, float)) or isinstance(at, bool):
        raise _died(asked, "DateTime::setTimestamp(): Argument #1 ($timestamp) must be of type int, "
                           f"{_php_type(at)} given")
    if row.status == "Y":
        return None
    if data.get("STATUS") == "ERROR":
        words = data.get("ERROR")
        _fail(row, None if words is None else str(words))
        sentence = f"Ошибка при печати чека #{row.number}" + (f": {words}" if words else "")
        row.log.append(sentence)
        return sentence
    link = {name: data[key] for key, name in _LINK.items() if data.get(key) is not None}
    back = "return" in str(row.content.get("type"))
    row.link = {**link, "doc_sum": row.sum, "doc_time": int(at),
                "calculation_attribute": "consumption" if back else "income"}
    row.status, row.error = "Y", None
    return None


def _fail(row: CheckRow, words: str | None) -> None:
    row.status, row.error = "E", words


def _upper(row: CheckRow, value: Any) -> dict[str, Any]:
    """PHP's array_change_key_case: of a list the keys stay numbers, of anything else the call dies."""
    if isinstance(value, dict):
        return {name.upper(): below for name, below in value.items()}
    if isinstance(value, list):
        return {str(index): below for index, below in enumerate(value)}
    raise _died(row, f"array_change_key_case(): Argument #1 ($array) must be of type array, {_php_type(value)} given")


def _died(row: CheckRow, words: str) -> PhpTypeError:
    row.died = f"TypeError: {words}"
    return PhpTypeError(row.died)


def _php_type(value: Any) -> str:
    return {type(None): "null", bool: "bool", int: "int", float: "float", str: "string", list: "array",
            dict: "array"}.get(type(value), "mixed")


def _json(body: bytes) -> Any:
    """PHP's json_decode: no byte order mark, no NaN, nothing empty."""
    def refuse(word: str) -> Any:
        raise ValueError(word)
    return json.loads(body.decode("utf-8"), parse_constant=refuse)
