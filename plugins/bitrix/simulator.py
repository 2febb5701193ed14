"""A 1C-Bitrix site with a REST cash register, as a process: ``hub simulate bitrix``.

Its manager creates checks, presses buttons and lets time pass through the control surface; the site calls
PRINT_URL and CHECK_URL as a real one does and serves the REST methods of a webhook.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from hub_plugins.bitrix.simulated_checks import CASES, VATS, body, content, encoded
from hub_plugins.bitrix.simulated_http import post
from hub_plugins.bitrix.simulated_site import (
    OLD_TYPES,
    WINDOW,
    CheckRow,
    PhpTypeError,
    RestError,
    apply_result,
    take_check_answer,
    take_print_answer,
)

from hub.contracts import Answer, Request, php_form
from hub.testing.simulator import HttpSimulator

_REGISTER_FIELDS = ("ID", "NAME", "OFD", "EMAIL", "DATE_CREATE", "DATE_LAST_CHECK", "NUMBER_KKM", "KKM_ID", "ACTIVE",
                    "SORT", "USE_OFFLINE", "ENABLED")


class BitrixSite(HttpSimulator):
    """A shop on 1C-Bitrix: Site Management."""

    name = "bitrix"

    def __init__(self, port: int = 0, host: str = "127.0.0.1", shop: str = "shop.example", secret: str = "secret",
                 encoding: str = "utf-8", first: int = 916, scopes: str = "cashbox,catalog", tick: float = 0.0,
                 patience: float = 60.0) -> None:
        super().__init__(port, host)
        self.shop, self.secret, self.encoding, self.patience = shop, secret, encoding, patience
        self.scopes = {one for one in scopes.split(",") if one}
        self.handlers: dict[int, dict[str, Any]] = {}
        self.registers: dict[int, dict[str, Any]] = {}
        self.checks: dict[int, CheckRow] = {}
        self.next = first
        #: Rows of the catalogue's VAT table: id, name, rate.
        self.vats: tuple[tuple[int, str, int | None], ...] = VATS
        self.bodies: list[str] = []
        self._ids = 0
        self._over = threading.Event()
        if tick > 0:
            threading.Thread(target=self._agent, args=(tick,), daemon=True).start()

    @classmethod
    def arguments(cls, parser: argparse.ArgumentParser) -> None:
        """What kind of site it is."""
        parser.add_argument("--shop", default="shop.example", help="host name in the checks' uuid")
        parser.add_argument("--secret", default="secret", help="secret in the webhook's address")
        parser.add_argument("--encoding", default="utf-8", choices=("utf-8", "cp1251"), help="the site's encoding")
        parser.add_argument("--first", type=int, default=916, help="number of the first check")
        parser.add_argument("--scopes", default="cashbox,catalog", help="rights of the webhook")
        parser.add_argument("--tick", type=float, default=0.0, help="seconds between the agent's runs; 0: by hand")
        parser.add_argument("--patience", type=float, default=60.0, help="seconds to wait for an answer")

    def stop(self) -> None:
        """Stops the agent too."""
        self._over.set()
        super().stop()

    def state(self) -> Any:
        """Checks, handlers, registers and the bodies that were posted, in order."""
        with self.lock:
            return {"checks": [self.checks[number].view() for number in sorted(self.checks)],
                    "handlers": list(self.handlers.values()), "cashboxes": list(self.registers.values()),
                    "webhook": f"{self.url}/rest/1/{self.secret}/", "posted": list(self.bodies)}

    # -- what a manager does -------------------------------------------------------------------------------------

    def do_configure(self, print_url: str, check_url: str, http_version: str = "1.1", ffd105: str = "Y",
                     key: str = "invented-secret", number_kkm: str = "KKM-1",
                     email: str = "kassa@shop.example") -> Any:
        """Puts a handler and an active register into the database, as an application's installer would; again to
        change them."""
        with self.lock:
            for table, field in ((self.handlers, "CODE"), (self.registers, "REST_CODE")):
                for number in [number for number, row in table.items() if row[field] == "by_hand"]:
                    del table[number]
            handler = self._insert(self.handlers, {"CODE": "by_hand", "NAME": "by hand", "SORT": 100, "SETTINGS": {
                "PRINT_URL": print_url, "CHECK_URL": check_url, "HTTP_VERSION": http_version,
                "SUPPORTS_FFD105": ffd105}})
            return self._insert(self.registers, {
                "NAME": "by hand", "EMAIL": email, "NUMBER_KKM": number_kkm, "ACTIVE": "Y", "ENABLED": "Y",
                "SETTINGS": {"AUTH": {"KEY": key}}, "REST_CODE": handler["CODE"]})

    def do_break_off(self, number: int) -> Any:
        """The answer of PRINT_URL never came: E on the site, whatever the hub did with the request (§3.2)."""
        with self.lock:
            row = self.checks[number]
            take_print_answer(row, b"")
            return row.view()

    def do_lose_uuid(self, number: int) -> Any:
        """PRINT_URL was answered with something else than 200, once: a dead check in P."""
        with self.lock:
            row = self.checks[number]
            row.uuid, row.status = None, "P"
            return row.view()

    def do_create_check(self, case: str = "sell-card-delivery", fields: Mapping[str, Any] | None = None,
                        at: int | None = None, number: int | None = None) -> Any:
        """Makes a check and hands it to the register. ``fields`` replaces parts of the case's content (null takes
        a part away); ``at`` and ``number`` set the time and the id that else go on by themselves."""
        given = _merged(content(CASES[case]), fields)
        with self.lock:
            handler, _ = self._register()
            if given.get("type") not in OLD_TYPES and handler["SETTINGS"].get("SUPPORTS_FFD105") != "Y":
                raise LookupError(f"the shop has no check of type {given.get('type')}: a register lacks FFD 1.05")
            number = number or self.next
            self.next = max(self.next, number) + 1
            row = self.checks[number] = CheckRow(number, given)
        return self._print(row, at)

    def do_edit(self, number: int, fields: Mapping[str, Any]) -> Any:
        """Changes the order behind a check; "print again" builds the check from it anew."""
        with self.lock:
            row = self.checks[number]
            row.content = _merged(row.content, fields)
            return row.view()

    def do_print_again(self, number: int, at: int | None = None) -> Any:
        """The button that a failed check has: the same id, a new uuid."""
        with self.lock:
            row = self.checks[number]
            if row.status != "E":
                raise LookupError(f"check {number} is {row.status}: only a failed check can be printed again")
        return self._print(row, at)

    def do_restore(self, number: int, case: str = "sell-one-line", fields: Mapping[str, Any] | None = None,
                   at: int | None = None) -> Any:
        """The site comes back from a backup: this id and all later ones are free again and go to new checks."""
        with self.lock:
            for one in [one for one in self.checks if one >= number]:
                del self.checks[one]
            self.next = number
        return self.do_create_check(case, fields, at)

    def do_ask(self, number: int) -> Any:
        """The button "check the state" of one check."""
        row = self.checks[number]
        self._ask(row)
        return row.view()

    def do_tick(self) -> Any:
        """One run of the agent (every 120 s on a site): at most five checks in P, dead ones among them."""
        with self.lock:
            waiting = [row for _, row in sorted(self.checks.items()) if row.status == "P"][:WINDOW]
        asked = []
        for row in waiting:
            asked.append(row.number)
            if not self._ask(row):
                break  # a TypeError ends the agent's run before the checks behind it
        return asked

    def _agent(self, every: float) -> None:
        while not self._over.wait(every):
            if self.registers:
                self.do_tick()

    def _register(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """(handler, register) that prints: the first active register whose handler exists."""
        for register in self.registers.values():
            for handler in self.handlers.values():
                if register["ACTIVE"] == "Y" and handler["CODE"] == register["REST_CODE"]:
                    return handler, register
        raise LookupError("the shop has no active register")

    def _print(self, row: CheckRow, at: int | None) -> Any:
        """PRINT_URL, once; the lock is free meanwhile, because the hub may call back before it answers."""
        with self.lock:
            handler, register = self._register()
            row.status, row.error, row.died, row.sent = "P", None, None, row.sent + 1
            fields = body(row.content, row.number, int(time.time()) if at is None else at, self.shop, register)
            form = encoded(fields, self.encoding)
            self.bodies.append(form.decode())
        raw = post(handler["SETTINGS"]["PRINT_URL"], form, handler["SETTINGS"].get("HTTP_VERSION", "1.0"),
                   patience=self.patience)
        with self.lock:
            try:
                take_print_answer(row, raw)
            except PhpTypeError:
                pass  # seen in row.died: the order page broke off
            return row.view()

    def _ask(self, row: CheckRow) -> bool:
        """CHECK_URL; False when the answer killed the run. A check without UUID is asked for with an empty body."""
        with self.lock:
            settings = self._register()[0]["SETTINGS"]
            form = encoded({"uuid": row.uuid})
        raw = post(settings["CHECK_URL"], form, settings.get("HTTP_VERSION", "1.0"), patience=self.patience)
        with self.lock:
            try:
                take_check_answer(self.checks, row, raw)
            except PhpTypeError:
                return False
        return True

    # -- REST ----------------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Answer:
        """``/rest/<user>/<secret>/<method>``."""
        parts = request.path.strip("/").split("/")
        if len(parts) != 4 or parts[0] != "rest":
            return Answer(404, b"<html>not found</html>", "text/html")
        method = parts[3].removesuffix(".json")
        try:
            if parts[2] != self.secret:
                raise RestError("INVALID_CREDENTIALS", "Invalid request credentials", 401)
            return Answer.json({"result": self._method(method)(self._params(request, method))})
        except RestError as problem:
            return Answer.json({"error": problem.code, "error_description": problem.words}, problem.status)
        except PhpTypeError:
            return Answer.json({"error": "INTERNAL_SERVER_ERROR", "error_description": "Internal server error"}, 500)

    def _method(self, method: str) -> Callable[[dict[str, Any]], Any]:
        methods: dict[str, Callable[[dict[str, Any]], Any]] = {
            "sale.cashbox.handler.list": lambda params: list(self.handlers.values()),
            "sale.cashbox.handler.add": self._handler_add, "sale.cashbox.handler.update": self._handler_update,
            "sale.cashbox.list": self._register_list, "sale.cashbox.add": self._register_add,
            "sale.cashbox.update": self._register_update,
            "sale.cashbox.check.apply": lambda params: apply_result(self.checks, params),
            "catalog.vat.list": self._vat_list}
        if method not in methods:
            raise RestError("ERROR_METHOD_NOT_FOUND", "Method not found!", 404)
        if ("catalog" if method.startswith("catalog") else "cashbox") not in self.scopes:
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


def _merged(given: Mapping[str, Any], fields: Mapping[str, Any] | None) -> dict[str, Any]:
    both = {**given, **(fields or {})}
    return {name: value for name, value in both.items() if value is not None}


def main(argv: list[str]) -> int:
    """The program."""
    return BitrixSite.main(argv)
