"""The source: what the core calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from hub_plugins.bitrix24 import listing, probe
from hub_plugins.bitrix24.buyers import PREFIX, TAGS
from hub_plugins.bitrix24.client import Portal, as_int
from hub_plugins.bitrix24.deals import deal_of_payment, read_deal
from hub_plugins.bitrix24.events import read_event
from hub_plugins.bitrix24.orders import OrderMaker
from hub_plugins.bitrix24.poll import look
from hub_plugins.bitrix24.settings import Bitrix24Settings
from hub_plugins.bitrix24.writeback import notify, own, tell

from hub.contracts import (
    Check,
    Event,
    NoOrder,
    Polled,
    Reception,
    Report,
    Request,
    Source,
    SourceContext,
    SourcePayment,
    Step,
    Text,
    Withdrawn,
)
from hub.fiscal import Order

_OWN = Text("Only the hub's own write-back has changed deal {deal}.",
            "В сделке {deal} изменилось только то, что записал сам хаб.")
_NOTHING = Text("The event names no deal.", "Событие не называет сделку.")


class Bitrix24Source(Source):
    """Deals of a Bitrix24 portal: told by an outgoing webhook, read and answered by an incoming one."""

    name: ClassVar[str] = "bitrix24"
    title: ClassVar[Text] = Text("Bitrix24", "Битрикс24")
    summary: ClassVar[Text] = Text(
        "Receipts for paid deals; the result comes back into the deal's timeline.",
        "Чеки по оплаченным сделкам; результат возвращается в ленту сделки.")
    settings = Bitrix24Settings
    #: Polling finds every paid deal, two minutes later than an event would.
    works_without_inbound: ClassVar[bool] = True
    only_steps: ClassVar[bool] = True
    poll_every: ClassVar[int] = 120
    reads_back: ClassVar[bool] = True
    tags: ClassVar[Mapping[str, Text]] = TAGS
    tag_prefixes: ClassVar[tuple[str, ...]] = (PREFIX,)

    def __init__(self, settings: Mapping[str, Any], context: SourceContext) -> None:
        super().__init__(settings, context)
        self.portal = Portal(settings["webhook"], context, settings["enterprise"])

    def receive(self, request: Request) -> Reception:
        """Events of the outgoing webhook; those that say nothing about payment are ignored with a reason."""
        return read_event(request, self.config["application_token"], self.config["paid_by_payment"])

    def fetch(self, event: Event) -> Order | tuple[Order | Withdrawn, ...] | NoOrder:
        """Reads the deal and makes its orders; the same deal gives the same keys however often it changes.

        A change that is only our own write-back gives none. That is said only when the deal was last changed by our
        write *and* every order it means now is, to the letter, one that already has its receipt: a real change
        before, between or after our writes makes another order and is not lost.
        """
        deal = as_int(event.data.get("deal"))
        if deal is None:
            payment = as_int(event.data.get("payment"))
            found = deal_of_payment(self.portal, payment) if payment else NoOrder(_NOTHING)
            if isinstance(found, NoOrder):
                return found
            deal = found
        state = read_deal(self.portal, deal, self.config["paid_by_payment"])
        orders = OrderMaker(state, self.config, self.context, event.kind == listing.BY_PERSON).orders()
        if isinstance(orders, NoOrder):
            return orders
        if state.updated and state.updated == self.context.recall(own(deal)) and all(map(self._known, orders)):
            return NoOrder(_OWN.with_(deal=deal))
        return orders

    def _known(self, order: Order | Withdrawn) -> bool:
        if isinstance(order, Withdrawn):
            return False
        view = self.context.receipt(order.key)
        return view is not None and view.origin.get("print") == order.origin["print"]

    def poll(self, cursor: str) -> Polled:
        """Deals that reached a paid stage, deals that changed, payments made: whatever no event told."""
        return look(self.portal, self.config, self.context, cursor)

    def payments(self, since: datetime, until: datetime) -> Iterable[SourcePayment]:
        """Payments, and deals in a paid stage, with what the settings make of them."""
        return listing.payments(self.portal, self.config, self.context, since, until)

    def event_of(self, subject: str, button: str = "") -> Event:
        """``deal:54`` or ``payment:7``."""
        return listing.event_of(subject, button)

    def report(self, report: Report) -> None:
        """A comment in the deal's timeline and the deal's field, each once however often this is called."""
        tell(self.portal, report, self.config, self.context)

    def tells_person(self) -> bool:
        """When the owner wants it: it needs the right ``im``."""
        return bool(self.config["notify"])

    def tell_person(self, report: Report) -> None:
        """A notice to the employee who is responsible for the deal."""
        notify(self.portal, report, self.config, self.context)

    def check(self) -> Check:
        """Calls the portal: key, rights, stages, field."""
        return probe.check(self.portal, self.config)

    def setup(self) -> tuple[Step, ...]:
        """What to click: an incoming webhook cannot register events itself (bitrix24.md §3.1)."""
        return probe.steps(self.context.address, self.config["paid_by_payment"])
