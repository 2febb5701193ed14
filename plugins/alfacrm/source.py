"""The AlfaCRM source: webhooks on ``Pay``, a poll that finds what no webhook told, the result written back.

Webhooks carry no signature (alfacrm.md §3.3): the core has checked our unguessable address, and the body is only a
hint which payment to read over the API before anything is printed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any, ClassVar

from hub_plugins.alfacrm import connect, orders, values, writeback
from hub_plugins.alfacrm.client import AlfaClient
from hub_plugins.alfacrm.reader import Reader
from hub_plugins.alfacrm.settings import CORRECTION_TYPE, AlfaCrmSettings, Rules

from hub.contracts import (
    Answer,
    Check,
    Event,
    Instead,
    Malformed,
    NoOrder,
    Polled,
    Reception,
    Report,
    Request,
    Source,
    SourceContext,
    Step,
    Text,
)
from hub.fiscal import Invalid, Kind, Order, Problem

#: Days before today that a poll looks at (§3.4).
WINDOW_DAYS = 3
#: Payments a cursor remembers at most, the newest by id.
MOST_SEEN = 5000
#: States of a receipt that leave its payment without one.
UNDONE = frozenset({"invalid", "refused", "cancelled"})


class AlfaCrmSource(Source):
    """Payments of an AlfaCRM account."""

    name = "alfacrm"
    title = Text("AlfaCRM", "АльфаCRM")
    summary = Text("Receipts for payments that a school enters in AlfaCRM, in place of its own register integration.",
                   "Чеки на платежи, которые школа заносит в АльфаCRM, — вместо встроенной онлайн-кассы.")
    settings = AlfaCrmSettings
    works_without_inbound = True
    poll_every = 300
    reports = frozenset({"recorded", "invalid", "refused", "cancelled"})
    template = orders.TEMPLATE
    tags: ClassVar[Mapping[str, Text]] = orders.TAGS
    tag_prefixes = ("custom_",)

    def __init__(self, settings: Mapping[str, Any], context: SourceContext, *,
                 sleep: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(settings, context)
        self.rules = Rules.read(settings, context.zone)
        self.client = AlfaClient(self.rules, context, sleep, clock)
        self.reader = Reader(self.client)

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
        if word == "update" and writeback.only_ours(self.rules, self.context, number, old, new):
            return Reception(Answer.text("ok"), ignored=Text(
                "This is what the hub itself wrote to payment {id}.",
                "Это запись самого хаба в платёж {id}.", params={"id": number}))
        data = {"id": number, "event": word[:20],
                "branch": values.whole(body.get("branch_id")) or values.whole(new.get("branch_id")),
                "user": values.whole(body.get("user_id")), "type": values.whole(new.get("pay_type_id"))}
        return Reception(Answer.text("ok"), (Event(f"pay:{number}", word[:20], data),))

    @classmethod
    def answer_instead(cls, why: Instead, request: Request) -> Answer:
        """A wrong address answers like no address at all (§3.3)."""
        return Answer.text("not found", 404) if why == "unauthorised" else super().answer_instead(why, request)

    # -- orders --------------------------------------------------------------------------------------------------

    def fetch(self, event: Event) -> Order | NoOrder:
        """Reads the payment anew and makes its order, or says in words why it gets no receipt."""
        number = int(event.data["id"])
        deleted = event.data.get("event") == "delete"
        branch = values.whole(event.data.get("branch"))
        if self.rules.branches and branch not in self.rules.branches:
            branch = None
        pay = self.reader.payment(number, branch, values.whole(event.data.get("type")), thorough=not deleted)
        if pay is None:
            return self._missing(number, deleted)
        try:
            made = self._order(pay, event)
            # The poll need not ask again for what is as it was here.
            self.context.remember(f"seen.{number}", pay.fingerprint, (WINDOW_DAYS + 1) * 86400.0)
            return made
        except Invalid as problem:  # told under the receipt's own key, so that a repeat mends the same one
            kind = self.rules.kinds.get(pay.type or 0)
            if kind is None:
                raise
            raise Invalid(problem.problems, orders.key(number, kind), str(number)) from problem

    def _order(self, pay: orders.Pay, event: Event) -> Order | NoOrder:
        number = pay.id
        reason = self._not_ours(pay) or orders.refusal(pay, self.rules, self.context.currency)
        if reason is None and self.rules.only_confirmed and pay.confirmed is None and not self.reader.confirmed(pay):
            reason = NoOrder(Text("Payment {id} is not confirmed yet. It is looked at again when it is.",
                                  "Платёж {id} ещё не подтверждён. Когда подтвердят, чек будет пробит.",
                                  params={"id": number}))
        if reason is not None:
            return self._with_receipt(number, reason)
        other = self._done(number, Kind.SALE if self.rules.kinds[pay.type or 0].is_return else Kind.SALE_RETURN)
        if other:
            return NoOrder(Text("Payment {id} was changed between sale and return after its receipt {receipt} had "
                                "been made. Make the return of that receipt by hand.",
                                "Платёж {id} сменил тип (приход или возврат) уже после чека {receipt}. Оформите "
                                "возврат этого чека вручную.", params={"id": number, "receipt": other}))
        adder = values.whole(event.data.get("user")) if event.data.get("event") == "create" else None
        return orders.order(pay, self.reader.around(pay, adder), self.rules, self.context.currency)

    def _missing(self, number: int, deleted: bool) -> NoOrder:
        receipt = self._done(number, Kind.SALE) or self._done(number, Kind.SALE_RETURN)
        said = {"id": number, "receipt": receipt}
        if receipt:
            return NoOrder(Text("Payment {id} was deleted in AlfaCRM, but its receipt {receipt} exists. If the money "
                                "was given back, make the return of that receipt.",
                                "Платёж {id} удалён в АльфаCRM, а чек {receipt} по нему есть. Если деньги вернули, "
                                "оформите возврат этого чека.", params=said))
        if deleted:
            return NoOrder(Text("Payment {id} was deleted in AlfaCRM before it had a receipt.",
                                "Платёж {id} удалён в АльфаCRM, чека по нему не было.", params=said))
        return NoOrder(Text("There is no payment {id} in the branches that the API user sees: it was deleted, or it "
                            "is in another branch.",
                            "Платежа {id} нет в филиалах, которые видит пользователь API: его удалили или он в другом "
                            "филиале.", params=said))

    def _not_ours(self, pay: orders.Pay) -> NoOrder | None:
        """Branches and days that the settings leave out, and corrections to ask about."""
        if self.rules.branches and pay.branch not in self.rules.branches:
            return NoOrder(Text("Payment {id} belongs to branch {branch}, which the settings leave out.",
                                "Платёж {id} относится к филиалу {branch}, которого нет в настройках.",
                                params={"id": pay.id, "branch": pay.branch}))
        since = self._since()
        if pay.day and pay.day < since and not self._begun(pay.id):
            return NoOrder(Text("Payment {id} is dated {day}, before {since}, the first day of the hub's receipts. "
                                "The day is in the settings.",
                                "Платёж {id} датирован {day}, а хаб печатает чеки с {since}. Этот день можно "
                                "изменить в настройках.", params={"id": pay.id, "day": values.dotted(pay.day),
                                                                  "since": values.dotted(since)}))
        if pay.type == CORRECTION_TYPE and CORRECTION_TYPE not in self.rules.kinds \
                and not self.rules.ignore_corrections and not pay.fiscal:
            raise Invalid([Problem("plugin", "corrections", {"words": Text(
                "Payment {id} is a correction; whether money moved is not to be seen. If it was given back, enter a "
                "refund in AlfaCRM; if corrections never need receipts, say so in the settings.",
                "Платёж {id} — корректировка, и не видно, двигались ли деньги. Если их вернули, оформите в АльфаCRM "
                "возврат; если корректировкам чеки не нужны, укажите это в настройках.", params={"id": pay.id})})])
        return None

    def _with_receipt(self, number: int, reason: NoOrder) -> NoOrder:
        """The same reason, with what to do about a receipt that was made before the payment changed."""
        receipt = self._done(number, Kind.SALE) or self._done(number, Kind.SALE_RETURN)
        if not receipt:
            return reason
        return NoOrder(Text("{reason} Its receipt {receipt} exists: if it should not, make its return.",
                            "{reason} Чек {receipt} по нему есть: если он лишний, оформите его возврат.",
                            params={"reason": reason.reason, "receipt": receipt}))

    def _done(self, number: int, kind: Kind) -> str:
        """The number of the payment's receipt of that kind, unless it came to nothing."""
        receipt = self.context.receipt(orders.key(number, kind))
        return (receipt.number or "№ —") if receipt is not None and receipt.state not in UNDONE else ""

    def _since(self) -> date:
        """The first day whose payments get receipts: of the settings, or when this source was first at work.
        Without it the first poll would print what another system has printed before us."""
        if self.rules.start:
            return self.rules.start
        known = values.day(self.context.recall("since"))
        if known is None:
            known = self._today()
            self.context.remember("since", known.isoformat())
        return known

    def _today(self) -> date:
        return self.context.now().astimezone(self.rules.zone).date()

    # -- polling -------------------------------------------------------------------------------------------------

    def poll(self, cursor: str) -> Polled:
        """Payments dated within the last days, per branch and type (§3.4), that are new or changed since
        ``cursor``, and those that are there no more. After the owner changed which payments get receipts, also those
        that have none.

        The cursor is JSON: ``{"v": 1, "rules": "…", "seen": {"731": "fingerprint/2026-10-05"}}``, only what the
        window showed. A failure anywhere raises, and the old cursor stays.
        """
        today, (rules, before) = self._today(), _seen(cursor)
        start = max(today - timedelta(days=WINDOW_DAYS), min(self._since(), today))
        found: dict[int, orders.Pay] = {}
        for branch in self.reader.branches():
            for kind in self.rules.polled_types:
                found.update({pay.id: pay for pay in self.reader.payments(branch, kind, start, today)})
        other_rules = rules not in ("", self.rules.choice)
        events = [Event(f"pay:{number}", "poll", {"id": number, "event": "poll", "branch": pay.branch, "user": None,
                                                  "type": pay.type})
                  for number, pay in sorted(found.items())
                  if self._is_news(pay, before.get(number)) or (other_rules and not self._begun(number))]
        events += [Event(f"pay:{number}", "delete", {"id": number, "event": "delete", "branch": None, "user": None,
                                                     "type": None})
                   for number, (_, dated) in sorted(before.items())
                   if number not in found and dated is not None and start <= dated <= today]
        newest = sorted(found, reverse=True)[:MOST_SEEN]
        seen = {str(number): f"{found[number].fingerprint}/{found[number].day or ''}" for number in sorted(newest)}
        return Polled(tuple(events), json.dumps({"v": 1, "rules": self.rules.choice, "seen": seen},
                                                separators=(",", ":")))

    def polling(self) -> int:
        return self.rules.poll_seconds

    def _is_news(self, pay: orders.Pay, before: tuple[str, date | None] | None) -> bool:
        """Whether a payment differs from what the last poll saw, or from what was read for a webhook since."""
        return (before[0] if before else self.context.recall(f"seen.{pay.id}")) != pay.fingerprint

    def _begun(self, number: int) -> bool:
        """Whether a receipt of the payment exists, in whatever state."""
        return any(self.context.receipt(orders.key(number, kind)) for kind in (Kind.SALE, Kind.SALE_RETURN))

    # -- the other direction -------------------------------------------------------------------------------------

    def report(self, report: Report) -> None:
        """Writes state, link and fiscal document to the payment (§5); reads first, so repeats write nothing."""
        writeback.write(self.client, self.reader, report.receipt)

    def check(self) -> Check:
        """Logs in, lists branches, reads payments and customers; names the field or right that is wrong."""
        self._since()
        return connect.check(self.client)

    def setup(self) -> tuple[Step, ...]:
        """AlfaCRM has no API for webhooks, so a person pastes our address there."""
        self._since()
        return connect.steps(self.rules, self.context.address)


def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise Malformed(Text("The webhook's body is no JSON.", "Тело вебхука — не JSON.")) from None
    if not isinstance(body, dict):
        raise Malformed(Text("The webhook's body is no JSON object.", "Тело вебхука — не объект JSON."))
    return body


def _seen(cursor: str) -> tuple[str, dict[int, tuple[str, date | None]]]:
    """By which rules an earlier poll looked, and what it saw; an unreadable cursor is an empty one, because repeats
    are harmless."""
    try:
        kept = json.loads(cursor or "{}")
        pairs = {int(number): str(said).partition("/") for number, said in kept.get("seen", {}).items()}
        return str(kept.get("rules", "")), {number: (parts[0], values.day(parts[2])) for number, parts in pairs.items()}
    except (ValueError, AttributeError):
        return "", {}
