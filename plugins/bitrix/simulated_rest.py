"""The REST methods of a simulated site's webhook (bitrix-site §3.1, §3.4, §4)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from hub_plugins.bitrix.simulated_shop import PAGE, Shop
from hub_plugins.bitrix.simulated_site import CheckRow, PhpTypeError, RestError, apply_result

from hub.contracts import Answer, Request, php_form

_REGISTER_FIELDS = ("ID", "NAME", "OFD", "EMAIL", "DATE_CREATE", "DATE_LAST_CHECK", "NUMBER_KKM", "KKM_ID", "ACTIVE",
                    "SORT", "USE_OFFLINE", "ENABLED")

#: First words of a method -> the webhook's right that it needs; binding events needs none of its own.
_SCOPES = {"sale.cashbox": "cashbox", "catalog.": "catalog", "sale.paysystem": "pay_system", "sale.": "sale"}


def scope_of(method: str) -> str:
    """The right that a method needs; empty when none."""
    return next((scope for start, scope in _SCOPES.items() if method.startswith(start)), "")


class RestSide:
    """What the site answers below ``/rest/``. The site itself holds the tables."""

    secret: str
    scopes: set[str]
    handlers: dict[int, dict[str, Any]]
    registers: dict[int, dict[str, Any]]
    checks: dict[int, CheckRow]
    vats: tuple[tuple[int, str, int | None], ...]
    #: Bound events: ``event`` and ``handler``.
    handled: list[dict[str, Any]]
    #: Whether a webhook may bind events; where it may not, only an application or a person can.
    binds = True
    orders: Shop
    lock: threading.RLock
    _ids: int

    def now(self) -> datetime:
        """The site's clock."""
        raise NotImplementedError

    def handle(self, request: Request) -> Answer:
        """``/rest/<user>/<secret>/<method>``."""
        parts = request.path.strip("/").split("/")
        if len(parts) != 4 or parts[0] != "rest":
            return Answer(404, b"<html>not found</html>", "text/html")
        method = parts[3].removesuffix(".json")
        try:
            if parts[2] != self.secret:
                raise RestError("INVALID_CREDENTIALS", "Invalid request credentials", 401)
            params = self._params(request, method)
            return Answer.json(self._paged(self._method(method)(params), params))
        except RestError as problem:
            return Answer.json({"error": problem.code, "error_description": problem.words}, problem.status)
        except PhpTypeError:
            return Answer.json({"error": "INTERNAL_SERVER_ERROR", "error_description": "Internal server error"}, 500)

    def _paged(self, result: Any, params: Mapping[str, Any]) -> dict[str, Any]:
        """A whole answer; a list method's rows page by page, with the site's own time beside them."""
        answer: dict[str, Any] = {"time": {"date_start": self.now().isoformat(timespec="seconds")}}
        if isinstance(result, tuple):
            key, rows = result
            start = max(0, _number(params.get("start") or 0))
            answer = {"result": {key: rows[start:start + PAGE]}, "total": len(rows), **answer}
            if start + PAGE < len(rows):
                answer["next"] = start + PAGE
            return answer
        return {"result": result, **answer}

    def _method(self, method: str) -> Callable[[dict[str, Any]], Any]:
        methods: dict[str, Callable[[dict[str, Any]], Any]] = {
            "sale.cashbox.handler.list": lambda params: list(self.handlers.values()),
            "sale.cashbox.handler.add": self._handler_add, "sale.cashbox.handler.update": self._handler_update,
            "sale.cashbox.list": self._register_list, "sale.cashbox.add": self._register_add,
            "sale.cashbox.update": self._register_update,
            "sale.cashbox.check.apply": lambda params: apply_result(self.checks, params),
            "catalog.vat.list": self._vat_list, "event.get": lambda params: list(self.handled),
            "event.bind": self._bind, "event.unbind": self._unbind, **self.orders.methods()}
        if method not in methods:
            raise RestError("ERROR_METHOD_NOT_FOUND", "Method not found!", 404)
        if (scope := scope_of(method)) and scope not in self.scopes:
            raise RestError("insufficient_scope", "The request requires higher privileges than provided", 403)
        chosen = methods[method]

        def locked(params: dict[str, Any]) -> Any:
            with self.lock:
                return chosen(params)
        return locked

    @staticmethod
    def _params(request: Request, method: str) -> dict[str, Any]:
        try:
            given = json.loads(request.body or b"{}") if request.content_type == "application/json" \
                else php_form(request.body)
        except ValueError:
            given = {}
        given = given if isinstance(given, dict) else {}
        shouted = _shouted(given) if method.startswith("sale.cashbox") else given
        return dict(shouted)

    def _handler_add(self, params: dict[str, Any]) -> int:
        settings = params.get("SETTINGS")
        _needs(params, "CODE", "NAME")
        if not settings or not isinstance(settings, dict):
            raise RestError("ERROR_CHECK_FAILURE", "Parameter SETTINGS is not defined or empty")
        for name in ("PRINT_URL", "CHECK_URL", "CONFIG"):
            if not settings.get(name):
                raise RestError("ERROR_CHECK_FAILURE", f"Parameter SETTINGS[{name}] is not defined")
        self._version(settings)
        if any(one["CODE"] == params["CODE"] for one in self.handlers.values()):
            raise RestError("ERROR_HANDLER_ALREADY_EXIST", "Handler already exists!")
        # Only SETTINGS.SUPPORTS_FFD105 is read, whatever the documentation says (§3.1).
        kept = {"SUPPORTS_FFD105": "N", **settings}
        row = {"CODE": params["CODE"], "NAME": params["NAME"], "SORT": params.get("SORT") or 100, "SETTINGS": kept}
        return int(self._insert(self.handlers, row)["ID"])

    def _handler_update(self, params: dict[str, Any]) -> bool:
        _needs(params, "ID")
        row = self.handlers.get(_number(params["ID"]))
        if row is None:
            raise RestError("ERROR_HANDLER_NOT_FOUND", "Handler not found")
        _needs(params, "FIELDS")
        unknown = set(params["FIELDS"]) - {"NAME", "CODE", "SORT", "SETTINGS"}
        if unknown:
            raise RestError("ERROR_HANDLER_UPDATE", f"unknown field: {', '.join(sorted(unknown))}")
        self._version(params["FIELDS"].get("SETTINGS", {}))
        row.update(_replaced(row, params["FIELDS"]))
        return True

    @staticmethod
    def _version(settings: Mapping[str, Any]) -> None:
        if settings.get("HTTP_VERSION", "1.1") not in ("1.0", "1.1"):
            raise RestError("ERROR_CHECK_FAILURE", "The value of SETTINGS[HTTP_VERSION] is not valid")

    def _register_list(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        return [{name: row.get(name, "") for name in _REGISTER_FIELDS} for row in self.registers.values()]

    def _register_add(self, params: dict[str, Any]) -> int:
        _needs(params, "NAME", "REST_CODE")
        if not any(one["CODE"] == params["REST_CODE"] for one in self.handlers.values()):
            raise RestError("ERROR_CHECK_FAILURE", f"Rest handler with code {params['REST_CODE']} not found")
        _needs(params, "EMAIL")
        row = {"NAME": params["NAME"], "EMAIL": params["EMAIL"], "NUMBER_KKM": params.get("NUMBER_KKM", ""),
               "OFD": params.get("OFD", ""), "ACTIVE": "Y" if params.get("ACTIVE") == "Y" else "N", "ENABLED": "Y",
               "SETTINGS": params.get("SETTINGS") or {}, "REST_CODE": params["REST_CODE"]}
        return int(self._insert(self.registers, row)["ID"])

    def _register_update(self, params: dict[str, Any]) -> bool:
        _needs(params, "ID")
        row = self.registers.get(_number(params["ID"]))
        if row is None:
            raise RestError("ERROR_CASHBOX_NOT_FOUND", "Cashbox not found")
        _needs(params, "FIELDS")
        row.update(_replaced(row, {name: value for name, value in params["FIELDS"].items()
                                   if name in (*_REGISTER_FIELDS, "SETTINGS") and name != "ID"}))
        return True

    def _bind(self, params: dict[str, Any]) -> bool:
        """One handler of an event at one address is bound once."""
        if not self.binds:
            raise RestError("WRONG_AUTH_TYPE", "Current authorization type is denied for this method", 403)
        event, address = str(params.get("event") or "").upper(), str(params.get("handler") or "")
        if not event or not address:
            raise RestError("ERROR_ARGUMENT", "The parameter event or handler is empty")
        if any(one["event"] == event and one["handler"] == address for one in self.handled):
            raise RestError("ERROR_EVENT_BINDING_EXISTS", "Unable to set event handler: Handler already binded")
        self.handled.append({"event": event, "handler": address, "auth_type": "0", "offline": 0})
        return True

    def _unbind(self, params: dict[str, Any]) -> dict[str, int]:
        left = [one for one in self.handled
                if (one["event"], one["handler"]) != (str(params.get("event")).upper(), params.get("handler"))]
        count, self.handled[:] = len(self.handled) - len(left), left
        return {"count": count}

    def _vat_list(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"vats": [{"id": number, "name": name, "rate": rate, "active": "Y"}
                         for number, name, rate in self.vats]}

    def _insert(self, table: dict[int, dict[str, Any]], row: dict[str, Any]) -> dict[str, Any]:
        self._ids += 1
        table[self._ids] = {"ID": self._ids, **row}
        return table[self._ids]


def _needs(params: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if not params.get(name) or (name == "FIELDS" and not isinstance(params[name], dict)):
            raise RestError("ERROR_CHECK_FAILURE", f"Parameter {name} is not defined")


def _number(value: Any) -> int:
    words = str(value)
    return int(words) if words.isascii() and words.isdigit() and len(words) < 10 else 0


def _shouted(value: Any) -> Any:
    """Names in upper case, at every depth, as the site does with what comes in."""
    if isinstance(value, dict):
        return {str(name).upper(): _shouted(below) for name, below in value.items()}
    return [_shouted(below) for below in value] if isinstance(value, list) else value


def _replaced(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """PHP's array_replace_recursive."""
    result = dict(old)
    for name, value in new.items():
        below = result.get(name)
        result[name] = _replaced(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result
