"""Asks AlfaCRM for a payment and what belongs to it (alfacrm.md §2.6-§2.8, §3.4), around its hiding rules.

Not being found has many innocent reasons over there: another branch, an archived card, a lead instead of a client,
a type that the plain list leaves out. So each look-up repeats itself before it says "none", and an answer that was
no answer (a right that is missing, an address that changed) is never taken for "none".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, TypeVar

from hub_plugins.alfacrm import values
from hub_plugins.alfacrm.client import AlfaClient, Forbidden, Gone, Refused
from hub_plugins.alfacrm.orders import Around, Pay

from hub.contracts import NeedsAttention, Text
from hub.fiscal import Cashier

T = TypeVar("T")

#: How long names of branches, tariffs, subjects and teachers are kept, in seconds.
NAMES_SECONDS = 600.0
#: Archived and active, clients before leads: the default list hides half of the people (§2.7).
_PEOPLE: tuple[dict[str, int], ...] = ({"removed": 1, "is_study": 1}, {"removed": 1, "is_study": 0}, {"removed": 1})
#: Types that a look-up by id may not show by itself (§2.6).
_SHY_TYPES = (5, 6)
_NOTHING: list[dict[str, Any]] = []


class Reader:
    """Look-ups in one account."""

    def __init__(self, client: AlfaClient) -> None:
        self.client, self.rules, self.context = client, client.rules, client.context

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

    def payment(self, number: int, branch: int | None = None, kind: int | None = None,
                thorough: bool = True) -> Pay | None:
        """The payment of that id: in the branch that was named, then in the others; by id, then by id and type.

        ``thorough`` False looks by id only. None means that every branch answered and none has it.
        """
        shy = tuple(dict.fromkeys(one for one in (kind, *_SHY_TYPES) if one)) if thorough else ()
        tries: list[dict[str, Any]] = [{}] + [{"pay_type_id": one} for one in shy]
        found = self._anywhere("pay", number, branch, tries)
        return Pay.read(found[0], self.rules, found[1]) if found else None

    def confirmed(self, pay: Pay) -> bool:
        """Asks whether a payment that does not say so itself is confirmed: by the list's filter."""
        filters = {"is_confirmed": 1, **({"pay_type_id": pay.type} if pay.type else {})}
        return self.client.one(pay.branch, "pay", pay.id, filters) is not None

    def payments(self, branch: int, kind: int, since: date, until: date) -> list[Pay]:
        """The payments of one type dated within the window (``YYYY.MM.DD``, §2.5); rows outside are left out, in
        case the server ignores the dates."""
        rows = self.client.rows(branch, "pay", {"pay_type_id": kind, "date_from": since.strftime("%Y.%m.%d"),
                                                "date_to": until.strftime("%Y.%m.%d")})
        found = [Pay.read(one, self.rules, branch) for one in rows]
        return [one for one in found if one.id and (one.day is None or since <= one.day <= until)]

    # -- what belongs to a payment -------------------------------------------------------------------------------

    def around(self, pay: Pay, adder: int | None) -> Around:
        """The card, the subscription, the names and the cashier that go with a payment. ``adder`` is the user who
        is known to have added it."""
        card = self._card(pay)
        subscription = self._subscription(pay)
        tariff = values.whole((subscription or {}).get("tariff_id"))
        named = values.text((subscription or {}).get("tariff_name"))
        return Around(
            customer=card, subscription=subscription,
            tariff=self._name(pay.branch, "tariff", tariff) if tariff and not named else "",
            subjects=self._subjects(pay.branch, values.ids((subscription or {}).get("subject_ids"))),
            branch=self.branches().get(pay.branch, "") if pay.branch else "",
            teacher=self._name(pay.branch, "teacher", pay.teacher) if pay.teacher else "",
            cashier=self._cashier(pay, adder))

    def _card(self, pay: Pay) -> dict[str, Any] | None:
        if pay.customer is None:
            return None
        found = self._anywhere("customer", pay.customer, pay.branch, _PEOPLE)
        return found[0] if found else None

    def _subscription(self, pay: Pay) -> dict[str, Any] | None:
        """The customer-tariff row of a separate account; the customer's id goes in the query (§1)."""
        if pay.subscription is None or pay.customer is None:
            return None
        found = self._anywhere("customer-tariff", pay.subscription, pay.branch, [{}],
                               {"customer_id": str(pay.customer)})
        return found[0] if found else None

    def _subjects(self, branch: int | None, numbers: list[int]) -> str:
        if not numbers:
            return ""
        names = self._kept(f"subjects.{branch}", lambda: {
            str(values.whole(one.get("id"))): values.text(one.get("name"))
            for one in self._optional(lambda: self.client.rows(branch, "subject", {}), _NOTHING)})
        return ", ".join(names[str(number)] for number in numbers if names.get(str(number)))

    def _name(self, branch: int | None, entity: str, number: int) -> str:
        """The name of a tariff or teacher; empty when the API user cannot see it."""
        kept = self._kept(f"{entity}.{number}", lambda: {
            "name": values.text((self._optional(lambda: self.client.one(branch, entity, number), None) or {})
                                .get("name"))})
        return kept["name"]

    def _cashier(self, pay: Pay, adder: int | None) -> Cashier:
        """Who added the payment (§4.4), through the owner's table. The change log tells it when no webhook did."""
        if not self.rules.cashiers:
            return Cashier()
        if adder is None:
            rows = self._optional(lambda: self.client.rows(
                pay.branch, "log", {"entity": "Pay", "entity_id": pay.id}), _NOTHING)
            adder = next((values.whole(one.get("user_id")) for one in rows
                          if values.whole(one.get("event")) == 1
                          and values.whole(one.get("entity_id")) in (pay.id, None)), None)
        return self.rules.cashiers.get(adder, Cashier()) if adder is not None else Cashier()

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
        """Names that hardly change, shared by all workers for some minutes."""
        name = f"{name}.{self.client.scope}"
        known = self.context.recall(name)
        if known is not None:
            return {str(one): str(said) for one, said in json.loads(known).items()}
        found = ask()
        self.context.remember(name, json.dumps(found, ensure_ascii=False), NAMES_SECONDS)
        return found
