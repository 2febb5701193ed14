"""1C-Bitrix Site Management as an order source: its REST cashbox (bitrix-site §3) or its orders (§4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from hub_plugins.bitrix import condition, listing, poll_setup, registration, sales_setup, wire
from hub_plugins.bitrix.book import Book
from hub_plugins.bitrix.cashbox import ENDED, Cashbox, check_of, site_of
from hub_plugins.bitrix.events import PATH, took
from hub_plugins.bitrix.poll import NOTE, PRINT, Polling
from hub_plugins.bitrix.sales import POLL, SUBJECTS, Sales
from hub_plugins.bitrix.settings import BitrixSettings

from hub.contracts import (
    Answer,
    Call,
    Check,
    Event,
    Exchanged,
    Finding,
    Instead,
    Malformed,
    NeedsAttention,
    NoOrder,
    Polled,
    Reception,
    Reply,
    Report,
    Request,
    Source,
    SourceContext,
    SourcePayment,
    Step,
    TryLater,
    Withdrawn,
)
from hub.fiscal import Order, Text

OTHER_WAY = Text(
    "The site prints through its REST register, but this connection works another way. Switch that register off "
    "(Shop → Cash registers → List), or choose “REST cash register” in the connection's settings.",
    "Сайт печатает через кассу REST, а подключение работает другим способом. Выключите эту кассу (Магазин → Кассы "
    "ККМ → Список касс) или выберите в настройках подключения «касса REST».")
NO_EVENTS = Text("Events are read only when the hub follows the site's orders.",
                 "События читаются, только когда хаб сам следит за заказами сайта.")

NO_LIST = Text(
    "The site sends the checks that it decided to print, and has no list of payments that says which check belongs to "
    "which. So payments cannot be shown beside receipts here: a payment for which the site makes no check (several "
    "payments of one order, a part of its price) does not reach the hub. Chosen “By orders” in the settings, the hub "
    "reads payments itself, and this page appears.",
    "Сайт присылает чеки, которые сам решил напечатать, а списка оплат с их чеками не отдаёт. Поэтому оплаты рядом с "
    "чеками здесь не показать: оплата, на которую сайт не создал чек (несколько оплат в заказе, часть суммы), до хаба "
    "не дойдёт. Если в настройках выбрать «по заказам», хаб читает оплаты сам, и эта страница появится.")
SET_ASIDE = "Хаб чеков сейчас не может принять чек: его часть для 1С-Битрикс не загрузилась. Напечатайте чек позже."

_INSTEAD = {
    "unauthorised": "Хаб чеков не принял запрос: адрес печати или ключ кассы неверен. Скопируйте их из подключения.",
    "disabled": "Подключение сайта в хабе чеков выключено. Включите его и напечатайте чек снова.",
    "malformed": "Хаб чеков не смог прочитать запрос печати. Подробности — в журнале подключения.",
    "too_large": "Запрос печати больше 10 МБ. Уменьшите заказ.",
    "lost": "Хаб чеков сейчас не может принять запрос: нет ни базы, ни места на диске. Напечатайте чек позже.",
}


class BitrixSource(Source):
    """A site. By way of its REST register it posts each check to ``/print`` and asks for its result at ``/check``;
    by way of its orders it tells of changes at ``/event`` and the hub reads them; see ``settings.WAYS``.

    What came by one way is finished by it after the owner chose another: CHECK_URL is answered for ever.
    """

    name = "bitrix"
    title = Text("1C-Bitrix: Site Management", "1С-Битрикс: Управление сайтом")
    summary = Text("Prints the receipts that the online shop makes for its payments, and tells it the result.",
                   "Печатает чеки, которые интернет-магазин создаёт по оплатам, и сообщает ему результат.")
    settings = BitrixSettings
    #: Two of its ways do: the hub asks the site.
    works_without_inbound = True
    #: Only orders are looked for; see :meth:`polling`.
    poll_every = POLL
    #: The poll way holds a conversation; see :meth:`exchanging`.
    exchanges = True
    #: ``cancelled`` too: a check that waits for ever would keep one of the five places of the site's agent (§3.3).
    reports = frozenset({"recorded", *ENDED})
    tags = {
        "check.id": Text("Number of the check on the site", "Номер чека на сайте"),
        "check.type": Text("Type of the check (sell, prepayment …)", "Тип чека (sell, prepayment …)"),
        "check.register": Text("Number of the register on the site", "Номер кассы на сайте"),
        "barcode": Text("Bar code of the goods", "Штрихкод товара"),
        "nomenclature_code": Text("Goods code, tag 1162, in base64", "Код товара, тег 1162, в base64"),
        "supplier.name": Text("Supplier of the goods", "Поставщик товара"),
        "supplier.inn": Text("Supplier's INN", "ИНН поставщика"),
        "order.id": Text("Number of the order in the site's database", "Номер заказа в базе сайта"),
        "order.status": Text("Status of the order (code)", "Статус заказа (код)"),
        "order.site": Text("Site of the order (code)", "Сайт заказа (код)"),
        "line": Text("Basket row or shipment of the line", "Строка корзины или отгрузка"),
    }
    tag_prefixes = ("property_",)
    #: A 404 here would tell the site that a check is printed (bitrix-site §3.3).
    standby = {"/check": wire.waiting(), "/print": wire.refused(SET_ASIDE)}

    def __init__(self, settings: Mapping[str, Any], context: SourceContext) -> None:
        super().__init__(settings, context)
        self.cashbox, self.sales = Cashbox(settings, context), Sales(settings, context)
        self.poller = Polling(settings, context)
        self.way = str(settings.get("way") or "rest")
        self._noted = False

    # -- the site calls us ---------------------------------------------------------------------------------------

    def receive(self, request: Request) -> Reception:
        """PRINT_URL, CHECK_URL or an event, told apart by the end of the path."""
        if tells(request):
            return self.sales.receive(request) if self.way == "orders" else \
                Reception(Answer.text("ok"), ignored=NO_EVENTS)
        if wire.asks_result(request):
            return self.cashbox.asked(request)
        if self.way != "rest":
            return self._other_way(request)
        reception = self.cashbox.print(request)
        if reception.events:
            self._took()
        return reception

    def _took(self) -> None:
        """Notes the way at once, before the owner may change it; fetching notes it again. Once for each object: it
        is made anew whenever the settings may have changed, and this stands between a site and its answer."""
        if self._noted:
            return
        try:
            took(self.context, self.way)
        except Exception:  # the database is away: the answer to the site matters more
            return
        self._noted = True

    def _other_way(self, request: Request) -> Reception:
        """A check for a connection that works another way is not printed: the other way prints the payment. One
        that was taken before gets its UUID, so that its result finds it."""
        check = check_of(request)
        if self.cashbox.alive(check):
            return Reception(wire.taken(check), keep=False)
        Book(self.context).note("other_way", "print")
        return Reception(wire.refused(OTHER_WAY.say("ru")), ignored=OTHER_WAY)

    @classmethod
    def worth_keeping(cls, request: Request) -> bool:
        """Print requests and events; the site asks for results again by itself."""
        return tells(request) or not wire.asks_result(request)

    @classmethod
    def answer_instead(cls, why: Instead, request: Request) -> Answer:
        """CHECK_URL: always WAIT, for the wrong secret too, because any other answer marks a check as printed.

        PRINT_URL: always 200, because any other status leaves the check in P without a UUID, which nothing ever
        ends (§3.2). "unavailable" and "failed" mean that the request is kept and will be worked on, so the check
        must wait for its result: ERRORS would show the manager a failure while the hub prints, and invite a second
        check for the same payment. The UUID is computed from the request alone. Whatever will not be worked on is
        answered with ERRORS: the manager reads why, and can print again once it is mended.
        """
        if tells(request):
            return super().answer_instead(why, request)
        if wire.asks_result(request):
            return wire.waiting()
        if why in ("unavailable", "failed", "malformed"):
            try:
                check = check_of(request)
            except Malformed as problem:
                return wire.refused(problem.reason.say("ru"))
            return wire.taken(check) if why != "malformed" else wire.refused(_INSTEAD[why])
        return wire.refused(_INSTEAD[why])

    # -- the hub's own work --------------------------------------------------------------------------------------

    def fetch(self, event: Event) -> Order | tuple[Order | Withdrawn, ...] | NoOrder:
        """The order of a print request, or the receipts that are due for an order."""
        took(self.context, self.way)
        if event.kind in (PRINT, NOTE):
            return self.poller.fetch(event)
        what, _, number = event.subject.partition(":")
        if what in SUBJECTS:
            try:
                return self.sales.fetch(event)
            finally:
                if what == "order":
                    condition.was_read(self.context, number)
        return self.cashbox.fetch(event)

    def poll(self, cursor: str) -> Polled:
        """Orders that changed since the last look; nothing by another way."""
        if self.way != "orders":
            return Polled((), cursor)
        took(self.context, self.way)
        polled = self.sales.poll(cursor)
        return replace(polled, events=(*condition.events_again(self.context), *polled.events))

    def polling(self) -> int:
        """Orders are looked for; a register's checks come by themselves."""
        return POLL if self.way == "orders" else 0

    def exchanging(self) -> bool:
        """Whether the hub asks this site for its checks."""
        return self.poller.exchanging

    def next_call(self, state: str, reports: tuple[Report, ...]) -> Call | None:
        """The next poll (bitrix-site §2)."""
        return self.poller.next_call(state, reports)

    def called(self, state: str, call: Call, reply: Reply) -> Exchanged:
        """What the site handed out and acknowledged."""
        return self.poller.called(state, call, reply)

    # -- payments as a list --------------------------------------------------------------------------------------

    def lists_payments(self) -> bool:
        """By orders. A register's checks come by themselves, and the site has no list of payments with their checks."""
        return self.way == "orders" and bool(self.config.get("rest_url"))

    def no_list(self) -> Text | None:
        return None if self.lists_payments() else NO_LIST

    def payments(self, since: datetime, until: datetime) -> Iterable[SourcePayment]:
        if self.way != "orders":
            raise NeedsAttention(NO_LIST, "way")
        return self.sales.payments(since, until)

    def event_of(self, subject: str, button: str = "") -> Event:
        return listing.event_of(subject, button)

    def rule(self) -> tuple[Text, ...]:
        return listing.rule(self.config)

    def report(self, report: Report) -> None:
        """Into the order's comment, or to the register on the site; by the poll way results travel in the polls."""
        if self.way == "poll":
            raise TryLater(Text("The site hears this in the next poll.", "Сайт узнает об этом при следующем опросе."))
        if report.receipt.key.startswith("order:"):
            self.sales.report(report)
        else:
            self.cashbox.report(report)

    def state(self) -> tuple[Finding, ...]:
        """What needs a person at this site."""
        return condition.findings(self.context)

    def mend(self, action: str) -> Text:
        """What the button of a finding does."""
        return condition.mend(action, self.cashbox, self.context)

    def serves(self) -> str:
        """The site's name."""
        address = self.config.get("poll_url" if self.way == "poll" else "rest_url")
        return condition.host(str(address or ""))

    def check(self) -> Check:
        """Tries each right that the way needs and holds the settings against the site's."""
        if self.way == "poll":
            return poll_setup.check(self.config, self.context)
        if self.way == "orders":
            return sales_setup.check(site_of(self.config, self.context), self.config, self.context)
        return registration.check(site_of(self.config, self.context), self.config, self.context)

    def setup(self) -> tuple[Step, ...]:
        """Sets up what the hub may set up by REST, and says in steps what is left to a person."""
        if self.way == "poll":
            return poll_setup.setup(self.config, self.context)
        if self.way == "orders":
            return sales_setup.setup(site_of(self.config, self.context), self.config, self.context)
        site = site_of(self.config, self.context)
        if site is None:
            return registration.by_hand(self.context)
        return registration.register(site, self.config, self.context)


def tells(request: Request) -> bool:
    """Whether a request brings an event; only the path says so, because CHECK_URL must never be taken for one."""
    return request.path.rstrip("/").lower().endswith(PATH)
