"""1C-Bitrix Site Management as an order source, through its REST cashbox (bitrix-site §3)."""

from __future__ import annotations

import hmac
from typing import Any

from hub_plugins.bitrix import registration, wire
from hub_plugins.bitrix.client import Site, SiteError
from hub_plugins.bitrix.orders import order_of
from hub_plugins.bitrix.settings import BitrixSettings

from hub.contracts import (
    Answer,
    Check,
    Event,
    Instead,
    Malformed,
    NeedsAttention,
    NoOrder,
    Reception,
    Report,
    Request,
    Source,
    Step,
    TryLater,
    Unauthorised,
)
from hub.fiscal import Invalid, Order, Text

#: States that end a receipt without printing, until a person acts.
ENDED = ("invalid", "refused", "cancelled")
#: How long "print again" hides the receipt's old ending from the site: until the drain takes it up, then a little.
AGAIN, SETTLING = 600.0, 15.0
#: Reports that find no check are early (PRINT_URL's answer is still on its way) for so many tries, then wrong.
EARLY_TRIES, EARLY_ERRORS = 8, 3
#: An owner is told of a stuck check once in so many seconds, not at each poll of the site's agent.
STUCK_EVERY = 3600.0

STUCK = Text(
    "The site asks for a check that has no UUID: an earlier answer of PRINT_URL did not reach it whole. Nothing will "
    "end that check, and five of them stop all others. Delete it on the site (Shop → Cash registers → Checks) and, "
    "if its payment has no receipt, make a new one.",
    "Сайт спрашивает о чеке без UUID: ответ на запрос печати когда-то не дошёл до него целиком. Сам такой чек не "
    "закончится, а пять таких останавливают все остальные. Удалите его на сайте (Магазин → Кассы ККМ → Чеки) и, если "
    "на оплату нет чека, создайте новый.")
NOT_OURS = Text("The site asks for a check that this hub does not know.",
                "Сайт спрашивает о чеке, которого этот хаб не знает.")
NOT_POSTED = Text(
    "The print request came without its data: the address in the site's handler redirects, usually from http to "
    "https. Put the hub's final address there.",
    "Запрос печати пришёл без данных: адрес в обработчике кассы перенаправляется, обычно с http на https. Укажите "
    "конечный адрес хаба.")

_INSTEAD = {
    "unauthorised": "Хаб чеков не принял запрос: адрес печати или ключ кассы неверен. Скопируйте их из подключения.",
    "disabled": "Подключение сайта в хабе чеков выключено. Включите его и напечатайте чек снова.",
    "malformed": "Хаб чеков не смог прочитать запрос печати. Подробности — в журнале подключения.",
    "too_large": "Запрос печати больше 10 МБ. Уменьшите заказ.",
    "lost": "Хаб чеков сейчас не может принять запрос: нет ни базы, ни места на диске. Напечатайте чек позже.",
}


class BitrixSource(Source):
    """The site posts each check to ``/print`` and asks for its result at ``/check``; with a webhook the hub sets
    up the register and pushes results."""

    name = "bitrix"
    title = Text("1C-Bitrix: Site Management", "1С-Битрикс: Управление сайтом")
    summary = Text("Prints the receipts that the online shop makes for its payments, and tells it the result.",
                   "Печатает чеки, которые интернет-магазин создаёт по оплатам, и сообщает ему результат.")
    settings = BitrixSettings
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
    }
    tag_prefixes = ("property_",)

    # -- the site calls us ---------------------------------------------------------------------------------------

    def receive(self, request: Request) -> Reception:
        """PRINT_URL or CHECK_URL, told apart by the end of the path."""
        return self._asked(request) if wire.asks_result(request) else self._print(request)

    def _print(self, request: Request) -> Reception:
        """Answers with the check's UUID, or at once with what is wrong with it. An event either way: a refused
        check is shown to the owner, who may mend a setting and repeat it.

        A check whose receipt is under way or printed gets its UUID whatever is wrong with it now: it was E on the
        site because our answer was lost, and the result that exists must reach it (§6.5)."""
        _posted(request)
        fields = wire.fields_of(request)
        self._authorise(fields)
        fields.pop("cashbox_params", None)  # holds our key, which is nobody's business after this
        check = wire.CheckId.of(fields)
        # ``again``: a site prints each check once; it repeats only when somebody pressed "print again" (§3.2).
        event = Event(check.key, "print", {"fields": fields}, again=True)
        try:
            order_of(fields, self.config, self.context.currency)
        except Invalid as problem:
            if not self._alive(check):
                return Reception(wire.refused(*(one.text.say("ru") for one in problem.problems)), (event,))
        self._hide_ending(check)
        return Reception(wire.taken(check), (event,))

    def _asked(self, request: Request) -> Reception:
        """DONE or ERROR only when that is the end, else WAIT (§3.3)."""
        if request.method != "POST":
            return Reception(wire.waiting(), keep=False)
        uuid = wire.uuid_asked(wire.fields_of(request))
        if not uuid:
            return Reception(wire.waiting(), ignored=STUCK, keep=self._first_in_a_while("stuck"))
        check = wire.CheckId.of_uuid(uuid)
        if check is None:
            return Reception(wire.waiting(), ignored=NOT_OURS, keep=False)
        return Reception(self._result(check), keep=False)

    def _result(self, check: wire.CheckId) -> Answer:
        """``refused`` and ``invalid`` are told as ERROR, though ERROR is final on the site (§1.1): from there its
        manager sees the reason and can print again, which re-arms the receipt here. WAIT would show nobody
        anything and keep one of the five places of the agent. ``uncertain`` waits: ERROR would invite a second
        check for a payment that may have its receipt."""
        try:
            view = self.context.receipt(check.key)
            hidden = view is not None and view.state in ENDED and self.context.recall(f"again:{check.key}")
        except Exception:  # the database is away, whatever its library calls that: not an answer to the question
            return wire.waiting()
        if view is None or hidden:
            return wire.waiting()
        if view.state in ("recorded", "confirmed") and view.record is not None:
            return wire.printed(view.record, self.context.zone)
        words = wire.why_not(view)
        return wire.failed(words) if words else wire.waiting()

    def _authorise(self, fields: dict[str, Any]) -> None:
        """The register's own key, if one is set; the secret in the address was checked before."""
        wanted = str(self.config.get("config_key") or "")
        if not wanted:
            return
        section: Any = fields.get("cashbox_params")
        for name in (registration.SECTION, registration.KEY):
            section = section.get(name) if isinstance(section, dict) else None
        if not hmac.compare_digest(str(section or "").encode(), wanted.encode()):
            raise Unauthorised(registration.KEY)

    def _hide_ending(self, check: wire.CheckId) -> None:
        """After "print again" the site may ask before the drain has re-armed the receipt; its old ending would
        make the check E while it is being printed."""
        try:
            view = self.context.receipt(check.key)
            if view is not None and view.state in ENDED:
                self.context.remember(f"again:{check.key}", "1", AGAIN)
        except Exception:  # the database is away: the answer needs none, and the request is kept by the core
            return

    def _alive(self, check: wire.CheckId) -> bool:
        """Whether the check has a receipt that is printed, may be, or will be."""
        try:
            view = self.context.receipt(check.key)
        except Exception:  # the database is away: then nothing is known of it
            return False
        return view is not None and view.state not in ENDED

    def _first_in_a_while(self, name: str) -> bool:
        try:
            if self.context.recall(name):
                return False
            self.context.remember(name, "1", STUCK_EVERY)
        except Exception:  # without a database nothing can be kept anyway
            return False
        return True

    @classmethod
    def worth_keeping(cls, request: Request) -> bool:
        """Print requests; the site asks for results again by itself."""
        return not wire.asks_result(request)

    @classmethod
    def answer_instead(cls, why: Instead, request: Request) -> Answer:
        """CHECK_URL: always WAIT, for the wrong secret too, because any other answer marks a check as printed.

        PRINT_URL: always 200, because any other status leaves the check in P without a UUID, which nothing ever
        ends (§3.2). "unavailable" and "failed" mean that the request is kept and will be worked on, so the check
        must wait for its result: ERRORS would show the manager a failure while the hub prints, and invite a second
        check for the same payment. The UUID is computed from the request alone. Whatever will not be worked on is
        answered with ERRORS: the manager reads why, and can print again once it is mended.
        """
        if wire.asks_result(request):
            return wire.waiting()
        if why in ("unavailable", "failed", "malformed"):
            try:
                check = _check_of(request)
            except Malformed as problem:
                return wire.refused(problem.reason.say("ru"))
            return wire.taken(check) if why != "malformed" else wire.refused(_INSTEAD[why])
        return wire.refused(_INSTEAD[why])

    # -- the hub's own work --------------------------------------------------------------------------------------

    def fetch(self, event: Event) -> Order | NoOrder:
        """The order of a print request; everything came with it."""
        fields = event.data.get("fields")
        if event.kind != "print" or not isinstance(fields, dict):
            return NoOrder(Text("This is not a print request.", "Это не запрос печати."))
        mark = f"again:{event.subject}"
        hidden = self.context.recall(mark)
        try:
            order = order_of(fields, self.config, self.context.currency)
        except Malformed as problem:
            return NoOrder(problem.reason)
        except Invalid:
            if hidden:
                self.context.remember(mark, "")
            raise
        if hidden:
            # The core re-arms the receipt right after this; until then its old ending stays hidden.
            self.context.remember(mark, "1", SETTLING)
        return order

    def report(self, report: Report) -> None:
        """``sale.cashbox.check.apply`` (§3.4); without a webhook the site asks by itself. Harmless when repeated:
        a check that is Y stays as it is."""
        check = wire.CheckId.of_key(report.receipt.key)
        site = self._site()
        if site is None or check is None:
            return
        if report.receipt.record is not None and report.receipt.state in ("recorded", "confirmed"):
            self._tell_printed(site, check, report)
        elif report.receipt.state in ENDED:
            self._tell_failed(site, check, report)

    def _tell_printed(self, site: Site, check: wire.CheckId, report: Report) -> None:
        record = report.receipt.record
        assert record is not None
        try:
            done = site.call("sale.cashbox.check.apply", UUID=check.uuid,
                             **wire.fiscal_data(record, self.context.zone))
        except SiteError as problem:
            if problem.code.upper() == "ERROR_CHECK_NOT_FOUND" and report.attempt < EARLY_TRIES:
                raise TryLater(Text("The site does not know check {number} yet.", "Сайт ещё не знает чек {number}.",
                                    params={"number": check.number}), 3.0 * report.attempt) from problem
            if problem.code.upper() == "ERROR_CHECK_NOT_FOUND":
                raise NeedsAttention(Text(
                    "The receipt is printed, but the site has no check {number} with our UUID: it was deleted there, "
                    "or our answer was lost. If it shows an error, press “print again” there: the hub will answer "
                    "with the receipt that exists.",
                    "Чек напечатан, но на сайте нет чека {number} с нашим UUID: его удалили или наш ответ потерялся. "
                    "Если на сайте он в ошибке, нажмите там «Напечатать повторно»: хаб ответит уже пробитым чеком.",
                    params={"number": check.number}), code=problem.code) from problem
            raise problem.attention("") from problem
        if done is not True:
            raise TryLater(Text("The site did not confirm that it saved the result.",
                                "Сайт не подтвердил, что сохранил результат."))

    def _tell_failed(self, site: Site, check: wire.CheckId, report: Report) -> None:
        current = self.context.receipt(check.key)
        if current is not None and current.state not in ENDED:
            return  # re-armed since: the site will hear how that ends
        if self.context.recall(f"again:{check.key}"):
            raise TryLater(Text("The check is being printed again.", "Чек печатается повторно."), SETTLING)
        try:
            site.call("sale.cashbox.check.apply", UUID=check.uuid, STATUS="ERROR",
                      ERROR=wire.why_not(report.receipt), PRINT_END_TIME=int(self.context.now().timestamp()))
        except SiteError as problem:
            code = problem.code.upper()
            if code == "ERROR_CHECK_NOT_FOUND" and report.attempt < EARLY_ERRORS:
                raise TryLater(Text("The site does not know check {number} yet.", "Сайт ещё не знает чек {number}.",
                                    params={"number": check.number}), 5.0) from problem
            # The site saves the error and then answers 400 ERROR_CHECK_APPLY with its text (§3.4). No such check:
            # it was refused by PRINT_URL's answer already and never got our UUID.
            if code not in ("ERROR_CHECK_APPLY", "ERROR_CHECK_NOT_FOUND"):
                raise problem.attention("") from problem

    def check(self) -> Check:
        """Tries the webhook and compares the VAT table with the site's rates."""
        return registration.check(self._site(), self.config, self.context)

    def setup(self) -> tuple[Step, ...]:
        """Sets up handler and register by REST, or says what to do by hand."""
        site = self._site()
        if site is None:
            return registration.by_hand(self.context)
        return registration.register(site, self.config, self.context)

    def _site(self) -> Site | None:
        address = str(self.config.get("rest_url") or "")
        return Site(self.context.client(), address) if address else None


def _posted(request: Request) -> None:
    """Raises Malformed for a request that lost its body: PHP follows a 302 with GET, without the form."""
    if request.method != "POST":
        raise Malformed(NOT_POSTED)


def _check_of(request: Request) -> wire.CheckId:
    _posted(request)
    return wire.CheckId.of(wire.fields_of(request))
