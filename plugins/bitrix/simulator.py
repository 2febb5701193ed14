"""A 1C-Bitrix site with a REST cash register, as a process: ``hub simulate bitrix``.

Its manager creates checks, presses buttons and lets time pass through the control surface; the site calls
PRINT_URL and CHECK_URL as a real one does and serves the REST methods of a webhook.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from hub_plugins.bitrix.simulated_checks import CASES, VATS, body, content, encoded
from hub_plugins.bitrix.simulated_http import post
from hub_plugins.bitrix.simulated_rest import RestSide
from hub_plugins.bitrix.simulated_rules import OPTIONS, automatic, content_of
from hub_plugins.bitrix.simulated_shop import Fired, Shop
from hub_plugins.bitrix.simulated_site import (
    OLD_TYPES,
    WINDOW,
    CheckRow,
    PhpTypeError,
    take_check_answer,
    take_print_answer,
)
from hub_plugins.bitrix.site_poll import PATH as POLL_PATH
from hub_plugins.bitrix.site_poll import Desk

from hub.contracts import Answer, Request
from hub.testing.simulator import HttpSimulator

#: ``auth[application_token]`` of its events.
EVENT_TOKEN = "event-token-0123456789"
#: All rights that the hub can use.
SCOPES = "cashbox,catalog,sale,pay_system"


class BitrixSite(RestSide, HttpSimulator):
    """A shop on 1C-Bitrix: Site Management."""

    name = "bitrix"

    def __init__(self, port: int = 0, host: str = "127.0.0.1", shop: str = "shop.example", secret: str = "secret",
                 encoding: str = "utf-8", first: int = 916, scopes: str = SCOPES, tick: float = 0.0,
                 patience: float = 60.0, clock: float = 0.0, poll_wait: float = 60.0) -> None:
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
        self.clock = timedelta(seconds=clock)
        self.orders = Shop(self.now)
        self.handled: list[dict[str, Any]] = []
        #: What becomes of events: sent, lost or doubled.
        self.events = "sent"
        #: ``check_type_on_pay`` when the site makes checks by itself, and what has one already.
        self.option = ""
        self.checked: set[tuple[str, int]] = set()
        #: The same shop's poll protocol (§2), with checks of its own.
        self.desk = Desk(shop, wait=poll_wait, clock=clock)
        self._ids = 0
        self._over = threading.Event()
        if tick > 0:
            threading.Thread(target=self._agent, args=(tick,), daemon=True).start()

    def handle(self, request: Request) -> Answer:
        """The poll protocol's page, or REST."""
        return self.desk.answer(request) if request.path == POLL_PATH else super().handle(request)

    def do_poll(self, act: str, **params: Any) -> Any:
        """What people do at the poll protocol's side: register, check, delete_order, restore, z, set."""
        return self.desk.do(act, **params)

    @classmethod
    def arguments(cls, parser: argparse.ArgumentParser) -> None:
        """What kind of site it is."""
        parser.add_argument("--poll-wait", type=float, default=60.0, help="seconds of a long poll without work")
        parser.add_argument("--shop", default="shop.example", help="host name in the checks' uuid")
        parser.add_argument("--secret", default="secret", help="secret in the webhook's address")
        parser.add_argument("--encoding", default="utf-8", choices=("utf-8", "cp1251"), help="the site's encoding")
        parser.add_argument("--first", type=int, default=916, help="number of the first check")
        parser.add_argument("--scopes", default=SCOPES, help="rights of the webhook")
        parser.add_argument("--tick", type=float, default=0.0, help="seconds between the agent's runs; 0: by hand")
        parser.add_argument("--clock", type=float, default=0.0, help="seconds that the site's clock is ahead")
        parser.add_argument("--patience", type=float, default=60.0, help="seconds to wait for an answer")

    def now(self) -> datetime:
        """The site's clock, which may be wrong."""
        return datetime.now(UTC) + self.clock

    def stop(self) -> None:
        """Stops the agent too."""
        self._over.set()
        super().stop()

    def state(self) -> Any:
        """Checks, handlers, registers and the bodies that were posted, in order."""
        with self.lock:
            return {"checks": [self.checks[number].view() for number in sorted(self.checks)],
                    "handlers": list(self.handlers.values()), "cashboxes": list(self.registers.values()),
                    "webhook": f"{self.url}/rest/1/{self.secret}/", "posted": list(self.bodies),
                    "orders": [deepcopy(row) for row in self.orders.orders.values()],
                    "events": list(self.handled), "poll": self.desk.state(),
                    "poll_url": f"{self.url}{POLL_PATH}?hash={self.desk.hash}"}

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

    def do_order(self, act: str, **params: Any) -> Any:
        """An act of :class:`Shop` (add, pay, unpay, give_back, ship, split, ship_one, cancel, delete, edit), with the
        events that it fires."""
        with self.lock:
            before = deepcopy(self.orders.orders.get(int(params.get("order") or 0), {}))
            result, fired = getattr(self.orders, act)(**params)
            result = deepcopy(result)
            rows = self._automatic(before)
        for row in rows:
            self._print(row, None)
        self._fire(fired)
        return result

    def do_automatic(self, option: str) -> Any:
        """``check_type_on_pay`` of the shop: sell, prepayment or advance. Off until it is chosen: then saved orders
        make their checks by themselves (§1.4)."""
        if option not in ("", *OPTIONS):
            raise LookupError(f"no option {option!r}")
        self.option = option
        return option

    def _automatic(self, before: Mapping[str, Any]) -> list[CheckRow]:
        order = self.orders.orders.get(int(before.get("id") or 0))
        if not self.option or order is None:
            return []
        ffd105 = self._register()[0]["SETTINGS"].get("SUPPORTS_FFD105") == "Y"
        rows = []
        for one in automatic(before, order, self.checked, self.option, ffd105):
            self.checked.add(one.entity)
            percents = {rate: number for number, _, rate in self.vats if rate}
            rows.append(CheckRow(self.next, content_of(order, one, percents)))
            self.checks[self.next], self.next = rows[-1], self.next + 1
        return rows

    def do_events(self, become: str) -> Any:
        """What becomes of events from now on: sent, lost or doubled. The vendor's queue repeats nothing."""
        self.events = become
        return become

    def do_fire(self, event: str, number: int, token: str = "") -> Any:
        """Sends one event by hand, with another token if wanted."""
        self._fire([(event, number)], token)
        return event

    def _fire(self, fired: list[Fired], token: str = "") -> None:
        if self.events == "lost":
            return
        for event, number in fired * (2 if self.events == "doubled" else 1):
            for one in [one for one in self.handled if one["event"] == event]:
                post(one["handler"], encoded({
                    "event": event, "event_handler_id": "1", "data": {"FIELDS": {"ID": number}},
                    "ts": int(self.now().timestamp()),
                    "auth": {"domain": self.shop, "member_id": "0123456789abcdef",
                             "application_token": token or EVENT_TOKEN}}), patience=self.patience)

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


def _merged(given: Mapping[str, Any], fields: Mapping[str, Any] | None) -> dict[str, Any]:
    both = {**given, **(fields or {})}
    return {name: value for name, value in both.items() if value is not None}


def main(argv: list[str]) -> int:
    """The program."""
    return BitrixSite.main(argv)
