"""The simulated portal's wire: bodies of any kind, envelopes, PHP's empties, filters, paging, batch (§1, §2)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from hub_plugins.bitrix24.simulator_portal import Json

from hub.contracts import Answer, Request, php_form

PAGE, MOST_COMMANDS = 50, 50
_OPERATORS = (">=", "<=", "!=", "!@", ">", "<", "@", "!", "=")


class RestError(Exception):
    """An error of the REST interface: HTTP status, code, words."""

    def __init__(self, status: int, code: Any, words: str) -> None:
        super().__init__(words)
        self.status, self.code, self.words = status, code, words

    def to_json(self) -> Json:
        return {"error": self.code, "error_description": self.words}


class Listed:
    """A page of a list: ``wrapper`` names the key it sits under ("" for a bare list)."""

    def __init__(self, rows: Iterable[Json], params: Mapping[str, Any], wrapper: str = "") -> None:
        every, start = list(rows), int(params.get("start") or 0)
        self.total = 0 if start == -1 else len(every)
        begin = max(0, start)
        page = every[begin:begin + PAGE]
        self.result: Any = {wrapper: page} if wrapper else page
        self.next = begin + PAGE if start != -1 and begin + PAGE < len(every) else None


class Bucket:
    """The portal's limit for each client address: leaks ``rate`` requests a second, blocks above ``burst``."""

    def __init__(self, rate: float = 2.0, burst: int = 50) -> None:
        self.rate, self.burst = rate, burst
        self._levels: dict[str, tuple[float, float]] = {}

    def full(self, address: str) -> bool:
        """Counts one request; True when it must be refused (a refused one does not fill the bucket)."""
        now = time.monotonic()
        level, at = self._levels.get(address, (0.0, now))
        level = max(0.0, level - (now - at) * self.rate)
        over = level + 1 > self.burst
        self._levels[address] = (level if over else level + 1, now)
        return over


def params_of(request: Request) -> Json:
    """The parameters from query, form or JSON body, the body winning."""
    params: Json = php_form(request.query.encode()) if request.query else {}
    if request.body[:1] == b"{":
        params |= json.loads(request.body)
    elif request.body and request.content_type != "application/json":
        params |= php_form(request.body)
    return params


def times(clock: Callable[[], datetime], started: float) -> Json:
    """The envelope's ``time``, with the cloud's account of operating time."""
    took = time.time() - started
    return {"start": started, "finish": started + took, "duration": took, "processing": took,
            "date_start": clock().isoformat(timespec="seconds"), "date_finish": clock().isoformat(timespec="seconds"),
            "operating_reset_at": int(started) + 600, "operating": took}


def good(result: Any, time_: Json) -> Answer:
    """A success as the portal writes it."""
    body: Json = {"result": result.result, "total": result.total} if isinstance(result, Listed) else {"result": result}
    if isinstance(result, Listed) and result.next is not None:
        body["next"] = result.next
    return _json({**body, "time": time_}, 200)


def bad(problem: RestError) -> Answer:
    """An error as the portal writes it."""
    return _json(problem.to_json(), problem.status)


def _json(value: Any, status: int) -> Answer:
    words = json.dumps(value, ensure_ascii=False, default=_number).replace("/", "\\/")
    return Answer(status, words.encode(), "application/json; charset=utf-8")


def _number(value: Any) -> Any:
    """Decimals as PHP writes its floats: whole ones without a point."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"not JSON: {value!r}")


# -- filters -----------------------------------------------------------------------------------------------------


def matches(row: Mapping[str, Any], wanted: Any) -> bool:
    """Whether a row passes a filter such as ``{">id": 5, "@stageId": ["WON"]}``."""
    if not isinstance(wanted, Mapping):
        return True
    for key, value in wanted.items():
        sign = next((one for one in _OPERATORS if str(key).startswith(one)), "")
        if not _passes(row.get(str(key)[len(sign):]), sign or "=", value):
            return False
    return True


def _passes(have: Any, sign: str, want: Any) -> bool:
    if isinstance(want, (list, Mapping)):
        found = any(_order(have, one) == 0 for one in (want.values() if isinstance(want, Mapping) else want))
        return found != sign.startswith("!")
    order = _order(have, want)
    return {">=": order >= 0, "<=": order <= 0, ">": order > 0, "<": order < 0, "!=": order != 0, "!": order != 0,
            "=": order == 0, "@": order == 0, "!@": order != 0}[sign]


def _order(have: Any, want: Any) -> int:
    for read in (_as_time, _as_number):
        left, right = read(have), read(want)
        if left is not None and right is not None:
            return int(left > right) - int(left < right)
    words, wanted = "" if have is None else str(have), "" if want is None else str(want)
    return int(words > wanted) - int(words < wanted)


def _as_time(value: Any) -> Any:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) and "T" in value else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo else None


def _as_number(value: Any) -> Any:
    try:
        return None if value in (None, "") or isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        return None


def ordered(rows: Iterable[Json], order: Any) -> list[Json]:
    """Rows sorted by the first field of ``order``, by id when none is given."""
    found = list(rows)
    name, direction = next(iter(order.items())) if isinstance(order, Mapping) and order else ("id", "asc")
    if found and name not in found[0]:
        name = next((one for one in found[0] if one.lower() == str(name).lower()), name)
    return sorted(found, key=lambda one: (_as_number(one.get(name)) or 0, str(one.get(name) or "")),
                  reverse=str(direction).lower() == "desc")


# -- batch -------------------------------------------------------------------------------------------------------

_MACRO = re.compile(r"\$result((?:\[[^\[\]]*\])+)")


def run_batch(params: Mapping[str, Any], call: Callable[[str, Json], Any], time_: Callable[[], Json]) -> Json:
    """All commands in order. The first 50 are executed, only the surplus fails; a nested batch fails alone (§2)."""
    cmd = params.get("cmd") or {}
    commands = cmd if isinstance(cmd, Mapping) else dict(enumerate(cmd))
    halt = str(params.get("halt") or "0") not in ("0", "false", "")
    out: dict[str, Json] = {name: {} for name in ("result", "result_error", "result_total", "result_next",
                                                  "result_time")}
    for index, (key, command) in enumerate((str(key), str(one)) for key, one in commands.items()):
        method, _, query = command.partition("?")
        try:
            if index >= MOST_COMMANDS:
                raise RestError(400, "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
            if method.lower().removesuffix(".json") == "batch":
                raise RestError(400, "ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage")
            done = call(method, _replaced(php_form(query.encode()), out["result"]))
        except RestError as problem:
            out["result_error"][key] = problem.to_json()
            if halt:
                break
            continue
        out["result"][key] = done.result if isinstance(done, Listed) else done
        if isinstance(done, Listed):
            out["result_total"][key] = done.total
            if done.next is not None:
                out["result_next"][key] = done.next
        out["result_time"][key] = time_()
    # PHP cannot tell an empty map from an empty list; a map with keys 0..n-1 becomes a list as well.
    return {name: _php(value) for name, value in out.items()}


def _php(value: Json) -> Any:
    return list(value.values()) if all(key == str(index) for index, key in enumerate(value)) else value


def _replaced(value: Any, results: Json) -> Any:
    """Macros filled in: a whole value keeps its type, inside a longer text only scalars are put (§2)."""
    if isinstance(value, dict):
        return {key: _replaced(below, results) for key, below in value.items()}
    if isinstance(value, list):
        return [_replaced(below, results) for below in value]
    if not isinstance(value, str) or "$result" not in value:
        return value
    whole = _MACRO.fullmatch(value)
    if whole:
        return _found(whole[1], results)
    return _MACRO.sub(lambda one: _scalar(_found(one[1], results)), value)


def _found(path: str, results: Any) -> Any:
    for key in re.findall(r"\[([^\[\]]*)\]", path):
        if isinstance(results, list):
            results = results[int(key)] if key.isdigit() and int(key) < len(results) else None
        else:
            results = results.get(key) if isinstance(results, Mapping) else None
    return results


def _scalar(value: Any) -> str:
    return "" if value is None or isinstance(value, (dict, list)) else str(value)


