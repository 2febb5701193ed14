"""The suite that every order source passes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from hub_plugins.bitrix.events import STARTED
from hub_plugins.bitrix.simulated_checks import CASES, body, content, encoded
from hub_plugins.bitrix.simulated_site import CheckRow
from hub_plugins.bitrix.simulator import EVENT_TOKEN, BitrixSite
from hub_plugins.bitrix.source import BitrixSource
from hub_plugins.bitrix.wire import CheckId, fields_of

from hub.contracts import Request
from hub.testing.context import MemoryContext
from hub.testing.simulator import HttpSimulator
from hub.testing.source import SourceContract
from tests.plugins.bitrix.helpers import FORM, posted

SECRET = "abcdefgh12345678"
REGISTER = {"NUMBER_KKM": "KKM-1", "EMAIL": "kassa@shop.example", "SETTINGS": {"AUTH": {"KEY": "the-registers-key"}}}


class TestBitrix(SourceContract):
    source = BitrixSource
    settings = {"rest_url": f"http://shop.example/rest/1/{SECRET}/", "config_key": "the-registers-key",
                "vat": "2 = vat22\n3 = vat10\n4 = vat22\n1 = none\n5 = vat5\n6 = vat0",
                "register_email": "kassa@shop.example"}
    calls_out = frozenset({"report", "check", "setup"})

    def good_request(self) -> Request:
        form = encoded(body(content(CASES["sell-card-delivery"]), 916, 1795168777, "shop.example", REGISTER))
        return posted("/print", form, FORM)

    def forged_requests(self) -> Iterable[Request]:
        good = self.good_request()
        return [replace(good, body=good.body.replace(b"the-registers-key", b"guessed")),
                replace(good, body=good.body.split(b"&cashbox_params")[0])]

    def other_side(self) -> HttpSimulator:
        """A site that has our UUID for the good request's check. Its row 2 is 20 %, which ended in 2025."""
        site = BitrixSite(secret=SECRET)
        uuid = CheckId.of(fields_of(self.good_request())).uuid
        site.checks[916] = CheckRow(916, content(CASES["sell-card-delivery"]), "P", uuid)
        site.vats = tuple((number, name, 22 if number == 2 else rate) for number, name, rate in site.vats)
        return site


class TestOrdersWay(SourceContract):
    """The same suite by the way of orders: an event of a paid order at the simulated site."""

    source = BitrixSource
    settings = {"way": "orders", "rest_url": f"http://shop.example/rest/1/{SECRET}/", "event_token": EVENT_TOKEN}
    calls_out = frozenset({"fetch", "report", "check", "poll", "setup", "payments"})
    bends = 10
    #: The simulated site pays by the clock of today.
    period = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))

    def good_request(self) -> Request:
        form = f"event=ONSALEORDERSAVED&data[FIELDS][ID]=391&ts=1795168777&auth[application_token]={EVENT_TOKEN}"
        return posted("/event", form, FORM)

    def forged_requests(self) -> Iterable[Request]:
        good = self.good_request()
        return [replace(good, body=good.body.replace(EVENT_TOKEN.encode(), b"guessed")),
                replace(good, body=good.body.split(b"&auth")[0])]

    def other_side(self) -> HttpSimulator:
        """A site with one order, number 391, paid by card."""
        site = BitrixSite(secret=SECRET)
        site.orders.add()
        site.orders.pay(391)
        return site

    def ready(self, context: MemoryContext, other: HttpSimulator) -> None:
        """The hub looks after this site since long: the payment is not older than it."""
        context.remember(STARTED, "2026-01-01T00:00:00+03:00")

    def edit(self, other: HttpSimulator) -> bool:
        """Somebody types another sum into the payment."""
        assert isinstance(other, BitrixSite)
        other.orders.orders[391]["payments"][0]["sum"] = 999.0
        return True

    def take_back(self, other: HttpSimulator) -> Request | None:
        """The mark "paid" is taken off."""
        assert isinstance(other, BitrixSite)
        other.orders.orders[391]["payments"][0]["paid"] = "N"
        return self.good_request()

    def without_right(self, other: HttpSimulator) -> str:
        assert isinstance(other, BitrixSite)
        other.scopes.discard("sale")
        return "sale"
