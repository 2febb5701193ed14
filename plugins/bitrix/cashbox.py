"""The site's REST cash register (bitrix-site §3): its print requests, its questions, and telling it the result."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hub_plugins.bitrix import registration, wire
from hub_plugins.bitrix.book import Book
from hub_plugins.bitrix.client import Site, SiteError
from hub_plugins.bitrix.glance import glance
from hub_plugins.bitrix.orders import order_of
from hub_plugins.bitrix.settings import table_of

from hub.contracts import (
    Answer,
    Event,
    Malformed,
    NeedsAttention,
    NoOrder,
    ReceiptView,
    Reception,
    Report,
    Request,
    SourceContext,
    TryLater,
    Unauthorised,
)
from hub.fiscal import Invalid, Order, Text

#: States that end a receipt without printing, until a person acts.
ENDED = ("invalid", "refused", "cancelled")
#: Seconds until a result that must not be told yet is looked at again.
SETTLING = 15.0
#: Reports that find no check are early (PRINT_URL's answer is still on its way) for so many tries, then wrong.
EARLY_TRIES, EARLY_ERRORS = 8, 3
#: Seconds within which empty questions belong to one run of the site's agent (every 120 s).
RUN = 60.0
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
POLLED = Text("This check was taken by polling the site before: it has its receipt.",
              "Этот чек уже взят опросом сайта: документ по нему есть.")
NOT_POSTED = Text(
    "The print request came without its data: the address in the site's handler redirects, usually from http to "
    "https. Put the hub's final address there.",
    "Запрос печати пришёл без данных: адрес в обработчике кассы перенаправляется, обычно с http на https. Укажите "
    "конечный адрес хаба.")


class Cashbox:
    """The register's part of the source. Made anew for each source object; keeps nothing in itself."""

    def __init__(self, config: Mapping[str, Any], context: SourceContext) -> None:
        self.config, self.context = config, context

    # -- the site calls us ---------------------------------------------------------------------------------------

    def print(self, request: Request) -> Reception:
        """Answers with the check's UUID, or at once with what is wrong with it. An event either way: a refused
        check is shown to the owner, who may mend a setting and repeat it.

        A check whose receipt is under way or printed gets its UUID whatever is wrong with it now: it was E on the
        site because our answer was lost, and the result that exists must reach it (§6.5)."""
        posted(request)
        seen = glance(request.body, table_of(self.config), self.context.currency)
        if seen is not None:
            self._authorise(seen.key)
            return Reception(wire.taken(seen.check), (
                Event(seen.check.key, "print", {"form": seen.form}, again=True),))
        fields = wire.fields_of(request)
        self._authorise(_key_in(fields))
        fields.pop("cashbox_params", None)  # holds our key, which is nobody's business after this
        check = wire.CheckId.of(fields)
        # ``again``: a site prints each check once; it repeats only when somebody pressed "print again" (§3.2).
        event = Event(check.key, "print", {"fields": fields}, again=True)
        try:
            order_of(fields, self.config, self.context.currency, check)
        except Invalid as problem:
            if any(one.code in ("no_lines", "nothing_to_pay") for one in problem.problems):
                Book(self.context).note("gone", check.key, number=check.number)
            if not self.alive(check):
                return Reception(wire.refused(*(one.text.say("ru") for one in problem.problems)), (event,))
        return Reception(wire.taken(check), (event,))

    def asked(self, request: Request) -> Reception:
        """DONE or ERROR only when that is the end, else WAIT (§3.3)."""
        if request.method != "POST":
            return Reception(wire.waiting(), keep=False)
        uuid = wire.uuid_asked(wire.fields_of(request))
        if not uuid:
            self._stuck()
            return Reception(wire.waiting(), ignored=STUCK, keep=self._first_in_a_while("stuck"))
        check = wire.CheckId.of_uuid(uuid)
        if check is None:
            return Reception(wire.waiting(), ignored=NOT_OURS, keep=False)
        return Reception(self._result(check), keep=False)

    def _stuck(self) -> None:
        """Counts the empty questions of one run of the site's agent: five of them leave no room for others."""
        book, now = Book(self.context), self.context.now()
        before = next((one for one in book.entries() if one.what == "stuck"), None)
        run = int(before.facts.get("run", "0") or 0) if before and (now - before.last).total_seconds() < RUN else 0
        book.note("stuck", "polls", run=run + 1)

    def _result(self, check: wire.CheckId) -> Answer:
        """``refused`` and ``invalid`` are told as ERROR, though ERROR is final on the site (§1.1): from there its
        manager sees the reason and can print again, which re-arms the receipt here. WAIT would show nobody
        anything and keep one of the five places of the agent. ``uncertain`` waits: ERROR would invite a second
        check for a payment that may have its receipt. So does a check whose contents are not its receipt's, until
        a person has said whose they are, and one whose print request is still to be taken up: after "print again"
        the old ending would make it E while it is being printed, and the result of other contents (a restored site,
        an edited order) is not its own."""
        try:
            # In this order: what was taken up in between is then seen in the receipt.
            waits = self.context.waits(check.key)
            view = self._receipt(check)
        except Exception:  # the database is away, whatever its library calls that: not an answer to the question
            return wire.waiting()
        if waits or view is None or view.disputed:
            return wire.waiting()
        if view.state in ("recorded", "confirmed") and view.record is not None:
            return wire.printed(view.record, self.context.zone)
        words = wire.why_not(view)
        return wire.failed(words) if words else wire.waiting()

    def _authorise(self, key: str) -> None:
        """The register's own key, if one is set; the secret in the address was checked before."""
        wanted = str(self.config.get("config_key") or "")
        if wanted and not hmac.compare_digest(key.encode(), wanted.encode()):
            raise Unauthorised(registration.KEY)

    def _receipt(self, check: wire.CheckId) -> ReceiptView | None:
        """The check's receipt, also one that the poll way has printed."""
        view = self.context.receipt(check.key)
        if view is None and (other := self.context.recall(f"polled:{check.key}")):
            return self.context.receipt(other)
        return view

    def _polled(self, check: wire.CheckId, fields: Mapping[str, Any]) -> ReceiptView | None:
        """The receipt of this check from the poll way: the site has moved it from one register to the other (§6.8), or
        the owner has changed the way. That way knows less of a check's type, so its key may be another."""
        other = wire.plainly(check, fields)
        view = self.context.receipt(other.key)
        if view is None or "zn" not in view.origin:
            return None
        if other != check:
            self.context.remember(f"polled:{check.key}", other.key)
        return view

    def alive(self, check: wire.CheckId) -> bool:
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

    # -- the hub's own work --------------------------------------------------------------------------------------

    def fetch(self, event: Event) -> Order | NoOrder:
        """The order of a print request; everything came with it. Raises hub.fiscal.Invalid."""
        fields = fields_in(event) if event.kind == "print" else None
        if fields is None:
            return NoOrder(Text("This is not a print request.", "Это не запрос печати."))
        try:
            # The check that the site was told of: whatever else its fields may be taken for, that UUID has an end.
            check = wire.CheckId.of_key(event.subject) or wire.CheckId.of(fields)
            order = order_of(fields, self.config, self.context.currency, check)
        except Malformed as problem:
            return NoOrder(problem.reason)
        polled = self._polled(check, fields)
        if polled is not None and polled.state not in ENDED:
            return NoOrder(POLLED)
        key = order.key if polled is None else polled.key
        return replace(order, key=key, origin={**order.origin, "form": wire.digest(fields)})

    def report(self, report: Report) -> None:
        """``sale.cashbox.check.apply`` (§3.4); without a webhook the site asks by itself. Harmless when repeated:
        a check that is Y stays as it is."""
        check = wire.CheckId.of_key(report.receipt.key)
        site = site_of(self.config, self.context)
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
                Book(self.context).note("untold", check.key, number=check.number)
                raise NeedsAttention(Text(
                    "The receipt is printed, but the site has no check {number} with our UUID: it was deleted there, "
                    "or our answer was lost. If it shows an error, press “print again” there: the hub will answer "
                    "with the receipt that exists.",
                    "Чек напечатан, но на сайте нет чека {number} с нашим UUID: его удалили или наш ответ потерялся. "
                    "Если на сайте он в ошибке, нажмите там «Напечатать повторно»: хаб ответит уже пробитым чеком.",
                    params={"number": check.number}), code=problem.code) from problem
            raise problem.attention("") from problem
        if report.attempt > 1:
            Book(self.context).drop("untold", check.key)
        if done is not True:
            raise TryLater(Text("The site did not confirm that it saved the result.",
                                "Сайт не подтвердил, что сохранил результат."))

    def _tell_failed(self, site: Site, check: wire.CheckId, report: Report) -> None:
        again = self.context.waits(check.key)
        current = self.context.receipt(check.key)
        if current is not None and current.state not in ENDED:
            return  # re-armed since: the site will hear how that ends
        if again:
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


def _key_in(fields: Mapping[str, Any]) -> str:
    """The key of the site's register in a print request, empty if there is none."""
    section: Any = fields.get("cashbox_params")
    for name in (registration.SECTION, registration.KEY):
        section = section.get(name) if isinstance(section, dict) else None
    return str(section or "")


def fields_in(event: Event) -> dict[str, Any] | None:
    """The fields of a print request that was kept: as they were read, or the form itself."""
    form = event.data.get("form")
    if isinstance(form, str):
        try:
            return wire.form_of(form.encode("latin-1", "replace"))
        except ValueError:
            return None
    fields = event.data.get("fields")
    return fields if isinstance(fields, dict) else None


def posted(request: Request) -> None:
    """Raises Malformed for a request that lost its body: PHP follows a 302 with GET, without the form."""
    if request.method != "POST":
        raise Malformed(NOT_POSTED)


def check_of(request: Request) -> wire.CheckId:
    """Which check a print request is about. Raises Malformed when it does not say, or came without its form."""
    posted(request)
    return wire.CheckId.of(wire.fields_of(request))


def site_of(config: Mapping[str, Any], context: SourceContext) -> Site | None:
    """The site's REST; None without a webhook."""
    address = str(config.get("rest_url") or "")
    return Site(context.client(), address) if address else None
