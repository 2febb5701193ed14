"""The claim's conditions in SQL and the domain's fit in words agree: what a register may take has no misfit, and what
it may not take has one that says why."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import create_engine, insert

from hub.dispatch import claims
from hub.dispatch.inventory import NEVER_ANSWERED, misfit
from hub.fiscal import Ffd, Text
from hub.store.receipts import RECEIPT

NOW = datetime(2026, 11, 20, tzinfo=UTC)
PLACES = ("", "Склад", "Магазин")


def value(column: Any) -> Any:
    """Something for a column that may not be empty and is of no interest here."""
    kind = column.type.python_type
    return {int: 0, str: "", bool: False, datetime: NOW, bytes: b""}.get(kind, {})


def test_the_claim_takes_exactly_what_has_no_misfit() -> None:
    engine = create_engine("sqlite://")
    RECEIPT.metadata.create_all(engine, tables=[RECEIPT, claims.FOREIGN])
    asked = [{"tax_system": system, "ffd": ffd.value, "internet": internet, "settlement_place": place}
             for system, ffd, internet, place in itertools.product((0, 1, 2, 32), Ffd, (True, False), PLACES)]
    needed = {one.name: value(one) for one in RECEIPT.columns
              if not one.nullable and not one.primary_key and one.default is None}
    compared: dict[bool, int] = {True: 0, False: 0}
    said: set[str] = set()
    with engine.connect() as connection:
        for number, one in enumerate(asked, 1):
            own = {"id": number, "public_id": f"rcp_{number}", "source_key": f"key-{number}",
                   "receipt_key": f"k{number}", "state": "queued", "due_at": NOW, "queue_id": 1,
                   "organisation_id": 1, "country": "RU"}
            connection.execute(insert(RECEIPT).values({
                **needed, **{name: set_ for name, set_ in {**own, **one}.items() if name in RECEIPT.c}}))
        for systems, ffd, internet, place in itertools.product((0, 1, 3, 32), Ffd, (True, False, None), PLACES):
            identity = {"tax_systems": systems, "ffd": ffd.value, "internet": internet, "settlement_place": place}
            taken = set(connection.execute(claims._fitting().limit(None), {
                "queue": 1, "now": NOW, "register": 1, "organisation": 1, "tax_systems": systems,
                "newest_ffd": ffd.value, "countries": "RU KZ", "anywhere": int(internet is not True),
                "place": place}).scalars())
            for number, one in enumerate(asked, 1):
                reason = misfit(one, {"identity": identity, "title": "Касса 1"})
                assert (number in taken) == (reason is None), (one, identity, reason)
                compared[reason is None] += 1
                if reason is not None:
                    said.add(reason.en)
                    assert "Касса 1" in reason.say("ru") and reason.kk
    assert min(compared.values()) > 300 and len(said) == 4, compared


def test_a_register_that_has_not_answered_yet_says_so() -> None:
    reason = misfit({"tax_system": 1, "ffd": "1.05", "internet": True, "settlement_place": ""},
                    {"identity": None, "title": "Касса 1"})
    assert isinstance(reason, Text) and reason.en == NEVER_ANSWERED.en
