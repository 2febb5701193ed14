"""A Bitrix24 portal as far as the hub can see: REST by an incoming webhook, events by an outgoing one.

    hub simulate bitrix24 --port 8024          # prints {"ready": "http://127.0.0.1:8024"}

``state()["webhook"]`` is the address to give the hub. Acts of people over there (``POST /_sim/do``): configure, field,
create_deal, set_rows, update, move, touch, add_payment, pay, unpay, contact, comment, remove_deal, drop_events, later,
reset.
"""

from __future__ import annotations

import argparse
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from hub_plugins.bitrix24.simulator_events import Sender
from hub_plugins.bitrix24.simulator_portal import Json, PortalState
from hub_plugins.bitrix24.simulator_rest import Rest
from hub_plugins.bitrix24.simulator_wire import Bucket, RestError, bad, good, params_of, run_batch, times

from hub.contracts import Answer, Request
from hub.testing.simulator import HttpSimulator

SECRET = "simulated0secret"
#: Portals write their times with the offset of the account.
ZONE = timezone(timedelta(hours=3))
_DOOR = re.compile(r"/rest/(\d+)/([^/]+)/([\w.]+)/?")


class Bitrix24Simulator(HttpSimulator):
    """Plays a Bitrix24 portal."""

    name = "bitrix24"

    def __init__(self, port: int = 0, host: str = "127.0.0.1", secret: str = SECRET, now: str = "",
                 tls_cert: str = "", tls_key: str = "", clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(port, host)
        self.secret, self.tls = secret, ""
        start, began = datetime.fromisoformat(now) if now else datetime.now(ZONE), time.monotonic()
        self._ticking = clock or (lambda: start + timedelta(seconds=time.monotonic() - began))
        self._fresh()
        self._secure = self._second_door(host, tls_cert, tls_key) if tls_cert else None

    def _fresh(self) -> None:
        """An empty portal."""
        self.passed, self.moved_to = timedelta(), ""
        self.calls: dict[str, int] = {}
        self.bucket, self.sender = Bucket(), Sender()
        self.sender.domain = urlsplit(self.url).netloc
        self.portal = PortalState(self.clock, self.sender.put)
        self.rest = Rest(self.portal)

    def clock(self) -> datetime:
        """The portal's time."""
        return (self._ticking() + self.passed).astimezone(ZONE)

    @classmethod
    def arguments(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--secret", default=SECRET, help="secret of the incoming webhook")
        parser.add_argument("--now", default="", help="time at which the portal's clock starts, ISO 8601 with offset")
        parser.add_argument("--tls-cert", default="", help="serve https too, with this certificate (PEM)")
        parser.add_argument("--tls-key", default="", help="its private key (PEM)")

    def _second_door(self, host: str, cert: str, key: str) -> Any:
        """A TLS listener beside the plain one, for clients that speak only https."""
        server = type(self._server)((host, 0), self._server.RequestHandlerClass)
        server.simulator = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key or None)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        self.tls = f"https://localhost:{server.server_address[1]}"
        return server

    def start(self) -> None:
        super().start()
        if self._secure:
            threading.Thread(target=self._secure.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        super().stop()
        if self._secure:
            self._secure.shutdown()
            self._secure.server_close()

    # -- the protocol --------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Answer:
        host = request.headers.get("host", "")
        if self.moved_to and host != urlsplit(self.moved_to).netloc:
            return Answer(302, b"<html>Moved</html>", "text/html", {"Location": self.moved_to + request.path})
        door = _DOOR.fullmatch(request.path)
        if not door:
            return Answer(404, b"<html><body>Not found</body></html>", "text/html")
        started = time.time()
        with self.lock:
            try:
                if self.bucket.full(request.remote):
                    raise RestError(503, "QUERY_LIMIT_EXCEEDED", "Too many requests")
                if door[2] != self.secret:
                    raise RestError(401, "INVALID_CREDENTIALS", "Invalid request credentials")
                return good(self._run(door[3], params_of(request)), times(self.clock, started))
            except RestError as problem:
                return bad(problem)
            except json.JSONDecodeError:
                return bad(RestError(400, "INVALID_REQUEST", "Invalid JSON"))

    def _run(self, method: str, params: Json) -> Any:
        if method.lower().removesuffix(".json") == "batch":
            return run_batch(params, self._counted, lambda: times(self.clock, time.time()))
        return self._counted(method, params)

    def _counted(self, method: str, params: Json) -> Any:
        name = method.lower().removesuffix(".json")
        self.calls[name] = self.calls.get(name, 0) + 1
        return self.rest.call(method, params)

    # -- acts of people over there -------------------------------------------------------------------------------

    def do(self, action: str, **params: Any) -> Any:
        with self.lock:
            return super().do(action, **params)

    def do_configure(self, **switches: Any) -> Json:
        """``handler_url``, ``application_token``, ``events`` (names), ``delay``, ``duplicate``, ``reorder``, ``lose``;
        ``scopes``, ``denied`` and ``missing`` (methods); ``rate``, ``burst``; ``moved_to`` (a renamed portal's URL);
        ``comment_touches``, ``payment_touches``, ``rows_touch``: what else counts as a change of the deal."""
        places: dict[str, tuple[Any, Callable[[Any], Any]]] = {
            "handler_url": (self.sender, str), "application_token": (self.sender, str), "domain": (self.sender, str),
            "delay": (self.sender, float), "duplicate": (self.sender, bool), "reorder": (self.sender, bool),
            "lose": (self.sender, int), "events": (self.sender, lambda names: {str(one).upper() for one in names}),
            "scopes": (self.rest, list), "denied": (self.rest, _lower), "missing": (self.rest, _lower),
            "rate": (self.bucket, float), "burst": (self.bucket, int), "moved_to": (self, str),
            "comment_touches": (self.portal, bool), "payment_touches": (self.portal, bool),
            "rows_touch": (self.portal, bool)}
        for name, value in switches.items():
            if name not in places:
                raise LookupError(f"there is no switch {name!r}: {', '.join(sorted(places))}")
            owner, read = places[name]
            setattr(owner, name, read(value))
        return {"ok": True}

    def do_create_deal(self, title: str = "Сделка", rows: list[Json] | None = None, stage: str = "NEW",
                       contact: Json | None = None, company: Json | None = None, currency: str = "RUB",
                       opportunity: Any = None, fields: Json | None = None) -> Json:
        """A deal. Rows: name, price, quantity, tax_rate, type, measure_code. Contact: name, last_name, email, phone."""
        person = self.portal.add_person("contact", contact) if contact else 0
        firm = self.portal.add_person("company", company) if company else 0
        number = self.portal.add_deal(title, stage, currency, rows or [], opportunity, person, firm, fields or {})
        return {"id": number, "contact": person, "company": firm}

    def do_set_rows(self, deal: int, rows: list[Json]) -> Json:
        """Replaces the products of a deal."""
        self.portal.set_rows(deal, rows)
        return {"sum": str(self.portal.deals[deal]["opportunity"])}

    def do_update(self, deal: int, fields: Json) -> Json:
        """Changes fields of a deal."""
        return {"changed": self.portal.update_deal(deal, fields)}

    def do_move(self, deal: int, stage: str) -> Json:
        """Moves a deal to a stage."""
        return {"changed": self.portal.update_deal(deal, {"stageId": stage})}

    def do_touch(self, deal: int, times: int = 1) -> Json:
        """Changes something unimportant in a deal, so many times."""
        for _ in range(times):
            self.portal.touch(deal)
        return {"times": times}

    def do_add_payment(self, deal: int, sum: Any = None, pay_system: int = 2) -> Json:
        """An unpaid payment. Payment systems: 1 cash, 2 card on the site, 3 by invoice."""
        return {"id": self.portal.add_payment(deal, sum, pay_system)}

    def do_pay(self, payment: int) -> Json:
        """Marks a payment as paid."""
        self.portal.pay(payment)
        return {"ok": True}

    def do_unpay(self, payment: int) -> Json:
        """Takes the mark back."""
        self.portal.pay(payment, False)
        return {"ok": True}

    def do_contact(self, contact: int, **fields: Any) -> Json:
        """Gives a contact another e-mail or phone."""
        item = self.portal.contacts[contact]
        kept = [one for one in item["fm"] if one["typeId"].lower() not in fields]
        item["fm"] = kept + [{"id": 90 + index, "typeId": name.upper(), "valueType": "WORK", "value": value}
                             for index, (name, value) in enumerate(fields.items()) if value]
        return {"ok": True}

    def do_field(self, name: str, type: str = "string", title: str = "", multiple: bool = False) -> Json:
        """Adds an own field to deals."""
        self.portal.fields[name] = {"type": type, "title": title or name, "multiple": multiple}
        for item in self.portal.deals.values():
            item.setdefault(name, None)
        return {"ok": True}

    def do_drop_events(self, n: int = 1) -> Json:
        """The next ``n`` events are lost on the way."""
        self.sender.lose += n
        return {"ok": True}

    def do_later(self, seconds: float) -> Json:
        """Lets time pass over there."""
        self.passed += timedelta(seconds=seconds)
        return {"now": self.clock().isoformat()}

    def do_comment(self, deal: int, text: str) -> Json:
        """Somebody writes a comment into a deal's timeline."""
        return {"id": self.portal.comment(deal, text)}

    def do_reset(self) -> Json:
        """Forgets everything: deals, switches, events, faults."""
        self._fresh()
        self.faults, self.requests = [], []
        return {"ok": True}

    def do_remove_deal(self, deal: int) -> Json:
        """Deletes a deal."""
        del self.portal.deals[deal]
        return {"ok": True}

    def state(self) -> Any:
        """The webhook's address, every deal with rows, payments, comments and stages, the events, calls by method."""
        with self.lock:
            known = {"webhook": f"{self.url}/rest/1/{self.secret}/",
                     "tls": f"{self.tls}/rest/1/{self.secret}/" if self.tls else "",
                     "deals": {str(number): self.portal.story(number) for number in self.portal.deals},
                     "events": {"sent": self.sender.sent, "pending": self.sender.pending}, "calls": self.calls,
                     "notices": self.portal.notices}
            return json.loads(json.dumps(known, default=_plain))


def _lower(names: Sequence[str]) -> set[str]:
    return {one.lower() for one in names}


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    raise TypeError(f"not JSON: {value!r}")


def main(argv: list[str]) -> int:
    """Runs the portal until it is told to stop."""
    return Bitrix24Simulator.main(argv)
