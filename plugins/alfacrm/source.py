"""The AlfaCRM source: webhooks on ``Pay``, a poll that finds what no webhook told, the result written back.

Webhooks carry no signature (alfacrm.md §3.3): the core has checked our unguessable address, and the body is only a
hint which payment to read over the API before anything is printed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from hub_plugins.alfacrm import connect, listing, orders, rule_words, values, verdict, writeback
from hub_plugins.alfacrm.client import AlfaClient
from hub_plugins.alfacrm.kept import KEPT_SECONDS
from hub_plugins.alfacrm.poll import WINDOW_DAYS, Poller
from hub_plugins.alfacrm.reader import AFTER_EVENT, Reader
from hub_plugins.alfacrm.rules import Rules
from hub_plugins.alfacrm.settings import AlfaCrmSettings

from hub.contracts import (
    Answer,
    Check,
    Event,
    Finding,
    Instead,
    Malformed,
    NoOrder,
    Polled,
    ReceiptView,
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
from hub.fiscal import Invalid, Kind, Order, Problem

#: States of a receipt that leave its payment without one.
UNDONE = frozenset({"invalid", "refused", "cancelled"})
#: States of one that nothing was sent of yet, and reasons for which a printed one has no payment any more.
WAITING = frozenset({"accepted", "queued"})
TAKEN_BACK = frozenset({"unconfirmed", "zero", "negative"})
#: How a payment is remembered that was there no more.
GONE = "gone"
#: What a webhook asks when somebody emptied our own field.
REFRESH = "refresh"
#: How old a row may be that a poll read, when its event is worked on, in seconds. Older ones are read anew.
POLLED_SECONDS = KEPT_SECONDS
#: How far ahead payments may be dated that were entered before the hub came.
AHEAD = timedelta(days=366)


class AlfaCrmSource(Source):
    """Payments of an AlfaCRM account."""

    name = "alfacrm"
    title = Text("AlfaCRM", "АльфаCRM")
    summary = Text("Receipts for payments that a school enters in AlfaCRM, in place of its own register integration.",
                   "Чеки на платежи, которые школа заносит в АльфаCRM, — вместо встроенной онлайн-кассы.")
    settings = AlfaCrmSettings
    works_without_inbound = True
    only_steps = True
    poll_every = 300
    reads_back = True
    reports = frozenset({"recorded", "invalid", "refused", "cancelled"})
    template = orders.TEMPLATE
    tags: ClassVar[Mapping[str, Text]] = orders.TAGS
    tag_prefixes = ("custom_",)

    def __init__(self, settings: Mapping[str, Any], context: SourceContext, *,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        super().__init__(settings, context)
        self.rules = Rules.read(AlfaCrmSettings, settings, context.zone)
        self.client = AlfaClient(self.rules, context, sleep)
        self.reader = Reader(self.client)
        self._looked: tuple[int, tuple[ReceiptView, ...]] = (0, ())

    # -- what comes in -------------------------------------------------------------------------------------------

    def receive(self, request: Request) -> Reception:
        """A webhook of any of the captured shapes (§3.2): of 2018 without ``branch_id`` or ``fields_rel``, of 2020."""
        if request.method != "POST":
            return Reception(Answer.text("POST only", 405), keep=False,
                             ignored=Text("Not a webhook: AlfaCRM sends POST.", "Это не вебхук: АльфаCRM шлёт POST."))
        body = _body(request)
        entity, number = values.text(body.get("entity")), values.whole(body.get("entity_id"))
        if not entity:
            raise Malformed(Text("The webhook does not say what it is about (“entity”).",
                                 "В вебхуке не сказано, о чём он (нет «entity»)."), "entity")
        if entity != "Pay":
            return Reception(Answer.text("ignored"), ignored=Text(
                "A webhook about {entity}; the hub needs only those about payments (Pay).",
                "Вебхук о «{entity}»; хабу нужны только вебхуки о платежах (Pay).", params={"entity": entity[:60]}))
        if number is None or number <= 0:
            raise Malformed(Text("The webhook does not say which payment it is about (“entity_id”).",
                                 "В вебхуке нет номера платежа («entity_id»)."), "entity_id")
        word = values.text(body.get("event")).lower() or "update"
        new, old = values.mapping(body.get("fields_new")), values.mapping(body.get("fields_old"))
        if word == "update" and writeback.asks_again(self.rules, self.context, number, new, old):
            word = REFRESH
        elif word == "update" and writeback.only_ours(self.rules, self.context, number, old, new):
            return Reception(Answer.text("ok"), ignored=Text(
                "This is what the hub itself wrote to payment {id}.",
                "Это запись самого хаба в платёж {id}.", params={"id": number}))
        data = {"id": number, "event": word[:20],
                "branch": values.whole(body.get("branch_id")) or values.whole(new.get("branch_id")),
                "user": values.whole(body.get("user_id")), "type": values.whole(new.get("pay_type_id")),
                "at": self.context.now().timestamp()}
        return Reception(Answer.text("ok"), (Event(f"pay:{number}", word[:20], data),))

    @classmethod
    def answer_instead(cls, why: Instead, request: Request) -> Answer:
        """A wrong address answers like no address at all (§3.3)."""
        return Answer.text("not found", 404) if why == "unauthorised" else super().answer_instead(why, request)

    # -- orders --------------------------------------------------------------------------------------------------

    def fetch(self, event: Event) -> Order | NoOrder | Withdrawn:
        """Reads the payment anew and makes its order, or says in words why it gets no receipt."""
        number, data = int(event.data["id"]), event.data
        self._looked = (0, ())
        deleted = data.get("event") == "delete"
        branch = values.whole(data.get("branch"))
        if self.rules.branches and branch not in self.rules.branches:
            branch = None
        anew = event.tried or self._overtaken(number, data)
        pay = self.reader.payment(number, branch, values.whole(data.get("type")), thorough=not deleted,
                                  since=None if anew else self._good_since(event))
        if pay is not None and data.get("mark") not in (None, pay.fingerprint):
            pay = self.reader.payment(number, pay.branch, pay.type)  # changed since the poll saw it
        if pay is None:
            self._seen_as(number, GONE)
            return self._missing(number, deleted)
        if data.get("event") == REFRESH:
            return self._refreshed(pay)
        try:
            made = self._order(pay, event)
        except Invalid as problem:  # told under the receipt's own key, so that a repeat mends the same one
            kind = self.rules.kinds.get(pay.type or 0)
            if kind is None:
                raise
            raise Invalid(problem.problems, orders.key(number, kind), str(number)) from problem
        if data.get("event") != "poll":
            # The poll need not ask again for what is as it was here.
            self._seen_as(number, pay.fingerprint)
        return made

    def _seen_as(self, number: int, mark: str) -> None:
        self.context.remember(f"seen.{number}", mark, (WINDOW_DAYS + 1) * 86400.0)

    def _overtaken(self, number: int, data: Mapping[str, Any]) -> bool:
        """Whether a webhook's event told another state of a payment than the page that a poll's event stands on, maybe
        in another process, and so maybe a newer one."""
        if not data.get("mark"):
            return False
        return self.context.recall(f"seen.{number}") not in (None, data["mark"])

    def _good_since(self, event: Event) -> float | None:
        """From which moment of ``time.monotonic`` on a row that was read already serves this event; None: it is read
        anew."""
        data, at = event.data, event.data.get("at")
        if not isinstance(at, (int, float)):
            return None
        if data.get("event") == "poll" and data.get("mark"):
            # The page that it was seen on, or a later one: another process may have read an older one. Whatever a clock
            # that jumps makes of it, a row that says something else than the page is read anew.
            return time.monotonic() - min(POLLED_SECONDS, max(0.0, self.context.now().timestamp() - at))
        if event.known_at is None:
            return None
        waited = self.context.now().timestamp() - at - (time.monotonic() - event.known_at)
        return event.known_at + AFTER_EVENT - min(AFTER_EVENT, max(0.0, waited))

    def _order(self, pay: orders.Pay, event: Event) -> Order | NoOrder | Withdrawn:
        number = pay.id
        button = values.text(event.data.get("button")) or self._sent(number)
        if event.data.get("event") == "create":
            self._entered_now(number)
        said = self._judged(pay, button)
        if said.verdict == "receipt" and self.rules.only_confirmed and not button and pay.confirmed is None \
                and not self.reader.confirmed(pay):
            return self._none(pay, verdict.unconfirmed(pay), "unconfirmed")
        if said.verdict == "receipt" and self.rules.companies:
            card = self.reader.card(pay) or {}
            said = self._judged(pay, button, values.whole(card.get("company_id")) or 0)
        if said.code == "correction" and not self._begun(number):
            raise Invalid([Problem("plugin", "corrections", {"words": said.why})])
        if said.verdict != "receipt" or said.kind is None:
            return self._none(pay, said.why, said.code)
        other = self._done(number, Kind.SALE if said.kind.is_return else Kind.SALE_RETURN)
        if other:
            return NoOrder(Text("Payment {id} was changed between sale and return after its receipt {receipt} had "
                                "been made. Make the return of that receipt by hand.",
                                "Платёж {id} сменил тип (приход или возврат) уже после чека {receipt}. Оформите "
                                "возврат этого чека вручную.", params={"id": number, "receipt": other}))
        adder = values.whole(event.data.get("user")) if event.data.get("event") == "create" else None
        around = self.reader.around(pay, adder, self._has_receipt if said.kind.is_return else None)
        return orders.order(pay, around, self.rules, said.kind, self.context.currency, button)

    def _listed(self, pay: orders.Pay, button: str) -> verdict.Judged:
        """The rule's word for a list: as :meth:`fetch` would have it, whose student's legal entity is looked up."""
        said = self._judged(pay, button)
        if not self.rules.companies or said.verdict == "skip":
            return said
        card = self.reader.card(pay) or {}
        return self._judged(pay, button, values.whole(card.get("company_id")) or 0)

    def _judged(self, pay: orders.Pay, button: str, company: int | None = None) -> verdict.Judged:
        """The rule's word. What was begun stays ours whatever its day; a receipt's day is asked for once."""
        free = bool(button) or self.context.rehearsing or self._begun(pay.id)
        since, before = (None, 0) if free else (self._since(), self._before())
        return verdict.judge(pay, self.rules, self.context.currency, since, company, button, before)

    def _none(self, pay: orders.Pay, reason: Text, code: str) -> NoOrder | Withdrawn:
        """No receipt, and what that means for one that was made before the payment changed."""
        receipts = [view for view in self._views(pay.id) if view.state not in UNDONE]
        if not receipts:
            return NoOrder(reason)
        if code in TAKEN_BACK or all(view.state in WAITING for view in receipts):
            return Withdrawn(tuple(view.key for view in receipts), reason)
        return NoOrder(Text("{reason} Its receipt {receipt} exists: if it should not, make its return.",
                            "{reason} Чек {receipt} по нему есть: если он лишний, оформите его возврат.",
                            params={"reason": reason, "receipt": _numbered(receipts[0])}))

    def _missing(self, number: int, deleted: bool) -> NoOrder | Withdrawn:
        receipt = self._done(number, Kind.SALE) or self._done(number, Kind.SALE_RETURN)
        said = {"id": number, "receipt": receipt}
        if receipt:
            return Withdrawn(orders.keys(number), Text(
                "Payment {id} was deleted in AlfaCRM. If the money was given back after its receipt {receipt} had been "
                "printed, make the return of that receipt.",
                "Платёж {id} удалён в АльфаCRM. Если чек {receipt} по нему пробит, а деньги вернули, оформите возврат "
                "этого чека.", params=said))
        if deleted:
            return NoOrder(Text("Payment {id} was deleted in AlfaCRM before it had a receipt.",
                                "Платёж {id} удалён в АльфаCRM, чека по нему не было.", params=said))
        return NoOrder(Text("There is no payment {id} in the branches that the API user sees: it was deleted, or it "
                            "is in another branch.",
                            "Платежа {id} нет в филиалах, которые видит пользователь API: его удалили или он в другом "
                            "филиале.", params=said))

    def _refreshed(self, pay: orders.Pay) -> NoOrder:
        """Somebody emptied our field over there, which asks for it anew: the other way round of «Обновить
        состояние» (§4.3)."""
        told = self._views(pay.id)
        for view in told:
            writeback.write(self.client, self.reader, view, again=True)
        if told:
            return NoOrder(Text("The state of payment {id} was written to it again.",
                                "Состояние платежа {id} записано в него снова.", params={"id": pay.id}))
        return NoOrder(Text("Payment {id} has no receipt here whose state could be written to it.",
                            "По платежу {id} здесь нет чека, состояние которого можно записать.",
                            params={"id": pay.id}))

    def _done(self, number: int, kind: Kind) -> str:
        """The number of the payment's receipt of that kind, unless it came to nothing."""
        return next((_numbered(view) for view in self._views(number)
                     if view.key == orders.key(number, kind) and view.state not in UNDONE), "")

    def _has_receipt(self, number: int) -> bool:
        return bool(self._done(number, Kind.SALE))

    def _sent(self, number: int) -> str:
        """The button with which a person sent the payment, if one did: it goes on counting when the payment is read
        again."""
        return next((word for view in self._views(number) if (word := values.text(view.origin.get("button")))), "")

    def _views(self, number: int) -> tuple[ReceiptView, ...]:
        """The payment's receipts, in whatever state; looked up once while one payment is worked on."""
        if self._looked[0] != number:
            views = (self.context.receipt(one) for one in orders.keys(number))
            self._looked = (number, tuple(view for view in views if view is not None))
        return self._looked[1]

    def _since(self) -> date:
        """The first day whose payments get receipts: of the settings, or when this source was first at work (not when
        it was set up: until then another system prints). Without it the first poll would print what that has."""
        known = self.client.account.begun.get(self.context.public_id)
        return self.rules.start or (known and known[0]) or values.day(self.context.recall("since")) or self._today()

    def _before(self) -> int:
        """The highest number of the payments that were there when the hub was first at work: the CRM knows a payment's
        day alone, and another system may have printed that day's. 0 where the settings name the first day.

        It dies between the two notes: the day is noted the next time."""
        if self.rules.start:
            return 0
        if (begun := self.client.account.begun.get(self.context.public_id)) is not None:
            return begun[1]
        known, since = self.context.recall("before") or "", self.context.recall("since")
        if not known.isdigit():
            known = "0" if since else str(self._highest())
            self.context.remember("before", known)
        if not since:
            self.context.remember("since", self._today().isoformat())
        return int(known)

    def _entered_now(self, number: int) -> None:
        """A webhook told that a payment was just entered: it and all with higher numbers came after the hub, also when
        the first look at the account was later."""
        if self._before() >= number and not self._begun(number):
            self.context.remember("before", str(number - 1))
            begun = self.client.account.begun
            if (known := begun.get(self.context.public_id)) is not None:
                begun[self.context.public_id] = (known[0], number - 1)

    def _highest(self) -> int:
        """The highest number of today's payments, and of those that are dated ahead."""
        today = self._today()
        return max((pay.id for branch in self.reader.branches() for kind in self.rules.polled_types
                    for pay in self.reader.payments(branch, kind, today, today + AHEAD)), default=0)

    def _today(self) -> date:
        return self.context.now().astimezone(self.rules.zone).date()

    # -- polling -------------------------------------------------------------------------------------------------

    def poll(self, cursor: str) -> Polled:
        """Payments of the last days that are new or changed since ``cursor``, and those that are there no more."""
        # Only here are they kept in the process: a page's look at a connection that rests decides nothing.
        account, before = self.client.account, self._before()
        if not self.rules.start:
            account.begun[self.context.public_id] = (self._since(), before)
        poller = Poller(self.reader, self._since(), self._begun, lambda number: self.context.recall(f"seen.{number}"),
                        lambda day: connect.note_missed(self.context, day))
        return poller.step(cursor, self.context.now())

    def polling(self) -> int:
        return self.rules.poll_seconds

    def _begun(self, number: int) -> bool:
        """Whether a receipt of the payment exists, in whatever state."""
        return bool(self._views(number))

    # -- payments as a list --------------------------------------------------------------------------------------

    def payments(self, since: datetime, until: datetime) -> Iterable[SourcePayment]:
        """The payments of the days from ``since`` on, all branches and types, as the pages come."""
        return listing.payments(self.reader, self._listed, since, until)

    def rule(self) -> tuple[Text, ...]:
        return rule_words.in_words(self.reader, self._since(), self._before())

    def event_of(self, subject: str, button: str = "") -> Event:
        return listing.event_of(subject, button)

    def serves(self) -> str:
        """The account's host; :meth:`overlaps` says who shares it."""
        return self.rules.origin.partition("://")[2]

    def overlaps(self, other: Source) -> bool:
        """The same account, and neither branches nor legal entities keep the two apart; none named means all."""
        if not isinstance(other, AlfaCrmSource) or other.rules.origin != self.rules.origin:
            return False
        named = ((set(self.rules.branches), set(other.rules.branches)),
                 (set(self.rules.companies), set(other.rules.companies)))
        return all(not mine or not theirs or mine & theirs for mine, theirs in named)

    # -- the other direction -------------------------------------------------------------------------------------

    def report(self, report: Report) -> None:
        """Writes state, link and fiscal document to the payment (§5); reads first, so repeats write nothing."""
        writeback.write(self.client, self.reader, report.receipt, again=report.attempt > 1)
        writeback.tell_address(self.rules, self.context, report)

    def state(self) -> tuple[Finding, ...]:
        """Whether results stand in fields of their own."""
        return (*connect.missed(self.context), *connect.state(writeback.fields_missing(self.client)))

    def mend(self, action: str) -> Text:
        if action == connect.MISSED:
            return connect.looked_at(self.context)
        if action != connect.FIELDS:
            raise LookupError(action)
        writeback.forget_fields(self.client)
        return Text("The next result is written to the fields.", "Следующий результат хаб запишет в поля.")

    def check(self) -> Check:
        """Logs in, lists branches, reads payments and customers; names the field or right that is wrong."""
        writeback.forget_fields(self.client)
        return connect.check(self.client)

    def setup(self) -> tuple[Step, ...]:
        """AlfaCRM has no API for webhooks, so a person pastes our address there."""
        return connect.steps(self.rules, self.context.address)


def _numbered(view: ReceiptView) -> str:
    """As people know it: by the fiscal document's number, and before there is one by the hub's."""
    return f"№ {view.record.document_number}" if view.record is not None else view.number or "№ —"


def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise Malformed(Text("The webhook's body is no JSON.", "Тело вебхука — не JSON.")) from None
    if not isinstance(body, dict):
        raise Malformed(Text("The webhook's body is no JSON object.", "Тело вебхука — не объект JSON."))
    return body
