"""Asks AlfaCRM for a payment and what belongs to it (alfacrm.md §2.6-§2.8, §3.4), around its hiding rules.

Not being found has many innocent reasons over there: another branch, an archived card, a lead instead of a client,
a type that the plain list leaves out. So each look-up repeats itself before it says "none", and an answer that was
no answer (a right that is missing, an address that changed) is never taken for "none".

One payment is one look-up; a crowd of them is read in pages (``kept``).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any, TypeVar

from hub_plugins.alfacrm import kept, values
from hub_plugins.alfacrm.client import AlfaClient, Forbidden, Gone, Refused
from hub_plugins.alfacrm.orders import Around, Pay, amount, contact, key
from hub_plugins.alfacrm.rules import Rules

from hub.contracts import NeedsAttention, Text
from hub.fiscal import Cashier, Invalid, Kind, Money

T = TypeVar("T")

#: How long names of branches, tariffs, subjects and the like are kept, in seconds, and before one process looks again
#: at what all share.
NAMES_SECONDS, NEAR_SECONDS = 3600.0, 60.0
#: How long a card, a subscription and the name of who added a payment are good for the next payments.
CARD_SECONDS = kept.KEPT_SECONDS
#: A row serves the event of a webhook only if it was read so long after it: the CRM may send before it has written.
AFTER_EVENT = 1.0
#: Seconds between two pages of payments for a crowd: each page then holds all that came in between.
PAGE_EVERY = 1.0
#: Pages of the newest payments that are looked through for one, before it is looked up by itself.
PAGES_BACK = 6
#: Pages of cards or subscriptions that are read on for one of a crowd, before it is looked up by itself.
PAGES_ON = 3
#: Days before and after today among which a crowd's payments are looked for.
CROWD_DAYS = timedelta(days=3)
#: Archived and active, clients before leads: the default list hides half of the people (§2.7).
_PEOPLE: tuple[dict[str, int], ...] = ({"removed": 1, "is_study": 1}, {"removed": 1, "is_study": 0}, {"removed": 1})
#: Types that a look-up by id may not show by itself (§2.6).
_SHY_TYPES = (5, 6)
#: What a list is asked whose rows do not say which payments are confirmed (§2.6).
_CONFIRMED: Mapping[str, int] = {"is_confirmed": 1}
_NOTHING: list[dict[str, Any]] = []


class Reader:
    """Look-ups in one account."""

    def __init__(self, client: AlfaClient) -> None:
        self.client, self.context = client, client.context
        self.rules: Rules = client.rules

    def _now(self) -> float:
        """Of the clock that never jumps: only what was read after something happened is good for it."""
        return time.monotonic()

    def _shelf(self, entity: str) -> kept.Shelf:
        return self.client.account.shelf(entity)

    # -- payments ------------------------------------------------------------------------------------------------

    def branches(self) -> dict[int, str]:
        """Number and name of the branches to look in: those of the settings, or all active ones."""
        names = {int(number): name for number, name in self._kept("branches", self._branches).items()}
        if self.rules.branches:
            return {number: names.get(number, "") for number in self.rules.branches}
        if not names:
            raise NeedsAttention(Text("The API user sees no branch. Give it access to the branches in AlfaCRM.",
                                      "Пользователь API не видит ни одного филиала. Дайте ему доступ к филиалам в "
                                      "АльфаCRM."), "branches")
        return names

    def _branches(self) -> dict[str, str]:
        rows = self.client.rows(None, "branch", {})
        return {str(values.whole(one.get("id"))): values.text(one.get("name")) for one in rows
                if values.flag(one.get("is_active", "")) is not False and values.whole(one.get("id"))}

    def payment(self, number: int, branch: int | None = None, kind: int | None = None, *, thorough: bool = True,
                since: float | None = None) -> Pay | None:
        """The payment of that id: in the branch that was named, then in the others; by id, then by id and type.

        ``since`` (of ``time.monotonic``): a row asked for then or later is good enough; None reads anew. ``thorough``
        False looks by id and the type that is known only. None means that every branch answered and none has it.
        """
        known = self._known_payment(number, branch, kind, since) if since is not None else None
        if known is not None:
            return Pay.read(known[0], self.rules, known[1])
        shy = tuple(dict.fromkeys(one for one in (kind, *(_SHY_TYPES if thorough else ())) if one))
        tries: list[dict[str, Any]] = [{}] + [{"pay_type_id": one} for one in shy]
        asked_at = self._now()
        found = self._anywhere("pay", number, branch, tries)
        # What was read before is out of date now, for whichever event of this payment comes next.
        shelf = self._shelf("pay")
        if found is None:
            shelf.drop(number)
        else:
            shelf.put(found[1], [found[0]], asked_at)
        return Pay.read(found[0], self.rules, found[1]) if found else None

    def _known_payment(self, number: int, branch: int | None, kind: int | None,
                       since: float) -> tuple[Mapping[str, Any], int] | None:
        """From what was read already, or from the pages that a crowd is worth."""
        shelf, now = self._shelf("pay"), self._now()
        found = shelf.get(number, since)
        if found is not None or branch is None or kind is None or not shelf.crowd(now):
            return found
        if now - shelf.last_page < PAGE_EVERY:
            self.client.sleep(min(PAGE_EVERY, max(0.0, PAGE_EVERY - (now - shelf.last_page))))
        today = self.context.now().astimezone(self.rules.zone).date()
        filters = _window(kind, today - CROWD_DAYS, today + CROWD_DAYS)
        page, size, seen = 0, 1, set[int]()
        for _ in range(PAGES_BACK):
            seen.add(page)
            shelf.last_page = self._now()
            items, total = self.client.page(branch, "pay", filters, page)
            shelf.put(branch, items, shelf.last_page)
            numbers = [values.whole(one.get("id")) or 0 for one in items]
            if not items or min(numbers) <= number <= max(numbers) or (page == 0 and number > max(numbers)):
                break
            # The newest stand first: whoever is far behind finds its page at once, and its neighbours with it, instead
            # of reading all that came since and giving up.
            size = max(size, len(items))
            away = max(1, (max(numbers) - number) // size) if number < max(numbers) else -1
            page = max(0, min(page + away, ((total or 0) - 1) // size))
            if page in seen:
                break
        found = shelf.get(number, since)
        shelf.helped(found is not None, self._now())
        return found

    def confirmed(self, pay: Pay) -> bool:
        """Asks whether a payment that does not say so itself is confirmed: by the list's filter."""
        filters = {**_CONFIRMED, **({"pay_type_id": pay.type} if pay.type else {})}
        return self.client.one(pay.branch, "pay", pay.id, filters) is not None

    def page_of_payments(self, branch: int, kind: int, since: date | None, until: date | None, page: int,
                         confirmed: bool = False) -> tuple[list[Pay], int | None]:
        """One page of the payments of one type dated within the window (``YYYY.MM.DD``, §2.5), or of all, and how many
        there are. Rows outside the window are among them when the server ignores the dates. ``confirmed``: only those
        that are."""
        filters = {**_window(kind, since, until), **(_CONFIRMED if confirmed else {})}
        asked_at = self._now()
        items, total = self.client.page(branch, "pay", filters, page)
        self._shelf("pay").put(branch, items, asked_at)
        return [one for one in (Pay.read(row, self.rules, branch) for row in items) if one.id], total

    def payments(self, branch: int, kind: int, since: date, until: date, confirmed: bool = False) -> Iterator[Pay]:
        """The payments of one type dated within the window, each once, as the pages come; or the confirmed ones."""
        seen: set[int] = set()
        for page in range(MOST_LISTED):
            rows, total = self.page_of_payments(branch, kind, since, until, page, confirmed)
            new = [one for one in rows if one.id not in seen]
            seen.update(one.id for one in new)
            yield from (one for one in new if one.day is None or since <= one.day <= until)
            if not new or (total is not None and len(seen) >= total):
                return

    def sale_before(self, pay: Pay, printed: Callable[[int], bool]) -> int | None:
        """The sale whose money a refund gave back, as far as can be seen: the newest of the same student, on the same
        subscription, of at least that sum, that has a receipt here. Only a guess of what to wait for."""
        if pay.customer is None or pay.branch is None:
            return None
        sales = [number for number, kind in self.rules.kinds.items() if not kind.is_return]
        found: list[Pay] = []
        for kind in sales:
            rows, _ = self.client.page(pay.branch, "pay", {"customer_id": pay.customer, "pay_type_id": kind}, 0)
            found += [Pay.read(one, self.rules, pay.branch) for one in rows]
        given = amount(pay, Kind.SALE_RETURN, self.context.currency)
        mine = [one for one in found if one.customer == pay.customer and one.subscription == pay.subscription
                and one.id < pay.id and (one.day is None or pay.day is None or one.day <= pay.day)
                and self._covers(one, given)]
        return next((one.id for one in sorted(mine, key=lambda one: -one.id) if printed(one.id)), None)

    def _covers(self, sale: Pay, given: Money) -> bool:
        try:
            return amount(sale, Kind.SALE, self.context.currency) >= given
        except Invalid:
            return False

    # -- what belongs to a payment -------------------------------------------------------------------------------

    def around(self, pay: Pay, adder: int | None, printed: Callable[[int], bool] | None = None) -> Around:
        """The card, the subscription, the names and the cashier that go with a payment. ``adder`` is the user who
        is known to have added it. ``printed`` (given for returns) says which sales have a receipt."""
        card = self.card(pay)
        subscription = self._subscription(pay) or {}
        tariff = values.whole(subscription.get("tariff_id"))
        names = self._tariffs(pay.branch, tariff) if tariff else {}
        lessons = next((count for count in (
            values.whole(subscription.get("lessons_count")), values.whole(subscription.get("lesson_count")),
            values.whole(names.get("lessons"))) if count and count > 0), None)
        base = self.sale_before(pay, printed) if printed is not None else None
        return Around(
            base_key=key(base, Kind.SALE) if base is not None else "", customer=card,
            subscription=subscription or None, tariff=names.get("name", ""), lessons=lessons,
            subjects=self._subjects(pay.branch, values.ids(subscription.get("subject_ids"))),
            branch=self.branches().get(pay.branch, "") if pay.branch else "",
            teacher=self.name(pay.branch, "teacher", pay.teacher),
            article=self.name(pay.branch, "pay-item", pay.item),
            account=self.name(pay.branch, "pay-account", pay.account), cashier=self._cashier(pay, adder))

    def card(self, pay: Pay) -> dict[str, Any] | None:
        """The student's card. A kept one without a valid contact is read again: somebody may have mended it."""
        if pay.customer is None:
            return None
        shelf, now = self._shelf("customer"), self._now()
        known = shelf.get(pay.customer, now - CARD_SECONDS)
        if known is not None and any(contact(known[0])):
            return dict(known[0])
        if pay.branch is not None and shelf.crowd(now):
            known = self._in_pages("customer", pay.branch, _PEOPLE[0], pay.customer, now)
            if known is not None:
                return dict(known[0])
        found = self._anywhere("customer", pay.customer, pay.branch, _PEOPLE)
        if found is None:
            return None
        shelf.put(found[1], [found[0]], now)
        return found[0]

    def _subscription(self, pay: Pay) -> dict[str, Any] | None:
        """The customer-tariff row of a separate account; the customer's id goes in the query (§1). A crowd's are read
        in pages of the whole branch, which the CRM gives without a customer's id."""
        if pay.subscription is None or pay.customer is None:
            return None
        shelf, now = self._shelf("customer-tariff"), self._now()
        known = shelf.get(pay.subscription, now - CARD_SECONDS)
        if known is None and pay.branch is not None and shelf.crowd(now):
            known = self._optional(lambda: self._in_pages("customer-tariff", pay.branch or 0, {},
                                                          pay.subscription or 0, now), None)
        if known is not None:
            return dict(known[0])
        found = self._anywhere("customer-tariff", pay.subscription, pay.branch, [{}],
                               {"customer_id": str(pay.customer)})
        if found is None:
            return None
        shelf.put(found[1], [found[0]], now)
        return found[0]

    def _in_pages(self, entity: str, branch: int, filters: Mapping[str, Any], number: int,
                  since: float) -> tuple[Mapping[str, Any], int] | None:
        """The row, if it stands on one of the next few pages."""
        shelf = self._shelf(entity)
        for _ in range(PAGES_ON):
            self._next_page(entity, branch, filters)
            if (found := shelf.get(number, since)) is not None:
                return found
        return None

    def _next_page(self, entity: str, branch: int, filters: Mapping[str, Any]) -> None:
        """Reads on in the list of all, page by page and round again: after a few, most of a crowd are known."""
        shelf, which = self._shelf(entity), f"{branch}"
        page = shelf.next_page(which)
        asked_at = self._now()
        items, total = self.client.page(branch, entity, filters, page)
        shelf.put(branch, items, asked_at)
        if not items or (total is not None and (page + 1) * max(1, len(items)) >= total):
            shelf.next_page(which, ended=True)

    def _subjects(self, branch: int | None, numbers: list[int]) -> str:
        if not numbers:
            return ""
        names = (self.name(branch, "subject", number) for number in numbers)
        return ", ".join(name for name in names if name)

    def _tariffs(self, branch: int | None, number: int) -> dict[str, str]:
        """Name and lessons of a tariff; empty when the API user cannot see it."""
        def ask() -> dict[str, str]:
            row = self._optional(lambda: self.client.one(branch, "tariff", number), None) or {}
            count = values.whole(row.get("lesson_count")) or values.whole(row.get("lessons_count"))
            return {"name": values.text(row.get("name")), "lessons": str(count or "")}

        return self._kept(f"tariff.{number}", ask)

    def name(self, branch: int | None, entity: str, number: int | None) -> str:
        """The name of a pay account, an article, a subject or a teacher; empty when there is none or it cannot be
        seen. A number that is not in the list makes it read again once: it may be new."""
        if not number or not branch:
            return ""
        names = self._kept(f"{entity}.{branch}", lambda: self._list(branch, entity))
        if str(number) not in names:
            names = {**self._list(branch, entity)}
            self._keep(f"{entity}.{branch}", {str(number): "", **names})
        return names.get(str(number), "")

    def _list(self, branch: int, entity: str) -> dict[str, str]:
        """Number -> name of a short list over there; empty when the API user may not read it."""
        return {str(values.whole(one.get("id"))): values.text(one.get("name"))
                for one in self._optional(lambda: self.client.rows(branch, entity, {}), _NOTHING)}

    def pay_types(self, branch: int) -> dict[str, str]:
        """Number -> name of the payment types."""
        return self._kept(f"pay-type.{branch}", lambda: self._list(branch, "pay-type"))

    def _cashier(self, pay: Pay, adder: int | None) -> Cashier:
        """Who added the payment (§4.4), through the owner's table. The change log tells it when no webhook did."""
        if not self.rules.cashiers:
            return Cashier()
        if adder is None:
            adder = self._optional(lambda: self._adder(pay), None)
        return self.rules.cashiers.get(adder, Cashier()) if adder is not None else Cashier()

    def _adder(self, pay: Pay) -> int | None:
        """The user who added a payment, from the change log (§3.4); for a crowd in pages of it."""
        shelf, now = self._shelf("added"), self._now()
        known = shelf.get(pay.id, 0.0)
        if known is None and pay.branch is not None and shelf.crowd(now):
            which = f"{pay.branch}"
            page = shelf.next_page(which)
            items, total = self.client.page(pay.branch, "log", {"entity": "Pay", "event": 1}, page)
            shelf.put(pay.branch, _added(items), now)
            if not items or (total is not None and (page + 1) * max(1, len(items)) >= total):
                shelf.next_page(which, ended=True)
            known = shelf.get(pay.id, 0.0)
        if known is not None:
            return values.whole(known[0].get("user_id"))
        rows = self.client.rows(pay.branch, "log", {"entity": "Pay", "entity_id": pay.id})
        return next((values.whole(one.get("user_id")) for one in rows
                     if values.whole(one.get("event")) == 1
                     and values.whole(one.get("entity_id")) in (pay.id, None)), None)

    # -- how to look ---------------------------------------------------------------------------------------------

    def _anywhere(self, entity: str, number: int, branch: int | None,
                  tries: Iterable[Mapping[str, Any]], query: Mapping[str, str] | None = None) \
            -> tuple[dict[str, Any], int] | None:
        """The row of that id in the given branch, else in the others, under each set of filters in turn.

        A branch that is closed to the API user is passed over, but "none" is only said when no branch was closed
        and at least one answered: else its complaint is raised.
        """
        forbidden: Forbidden | None = None
        gone: Gone | None = None
        answered = False
        for where in self._order(branch):
            try:
                for filters in tries:
                    found = self.client.one(where, entity, number, filters, query)
                    answered = True
                    if found is not None:
                        return found, where
            except Forbidden as problem:
                forbidden = problem
            except Gone as problem:
                gone = problem
        if forbidden is not None:
            raise forbidden
        if gone is not None and not answered:
            raise gone
        return None

    def _order(self, first: int | None) -> Iterable[int]:
        """The branch that was named, then all others. They are asked for only if the first has nothing."""
        if first is not None:
            yield first
        yield from (one for one in self.branches() if one != first)

    @staticmethod
    def _optional(ask: Callable[[], T], otherwise: T) -> T:
        """Things a receipt can do without: a missing right leaves them out, an outage does not."""
        try:
            return ask()
        except (Forbidden, Refused):
            return otherwise

    def _kept(self, name: str, ask: Callable[[], dict[str, str]]) -> dict[str, str]:
        """Names that hardly change, shared by all workers and sources for an hour; this process looks at them each
        minute."""
        near, now = self.client.account.names.get(name), self._now()
        if near is not None and near[0] > now:
            return near[1]
        known = self.client.shared.recall(name)
        if known is None:
            return self._keep(name, ask())
        found = {str(one): str(said) for one, said in json.loads(known).items()}
        self.client.account.names[name] = (now + NEAR_SECONDS, found)
        return found

    def _keep(self, name: str, found: dict[str, str]) -> dict[str, str]:
        self.client.shared.remember(name, json.dumps(found, ensure_ascii=False), NAMES_SECONDS)
        self.client.account.names[name] = (self._now() + NEAR_SECONDS, found)
        return found


#: Pages of one list of payments that a page of the hub asks for at most.
MOST_LISTED = 400


def _window(kind: int, since: date | None, until: date | None) -> dict[str, Any]:
    dates = {"date_from": since, "date_to": until}
    return {"pay_type_id": kind, **{name: one.strftime("%Y.%m.%d") for name, one in dates.items() if one is not None}}


def _added(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The log's rows of additions by the payment they are about."""
    return [{"id": one.get("entity_id"), "user_id": one.get("user_id")} for one in rows
            if values.whole(one.get("event")) == 1 and values.text(one.get("entity")) in ("Pay", "")]
