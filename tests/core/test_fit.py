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

#: What a register's model and registration say beyond: one after the other over all the others.
MORE: list[dict[str, Any]] = [
    {"countries": list(countries), "marking": marking, "agent_signs": signs, "electronic_only": paperless}
    for countries, marking, signs, paperless in itertools.product(
        (("RU", "KZ"), ("RU",)), (None, True, False), (None, 0, 32), (True, False))]


def value(column: Any) -> Any:
    """Something for a column that may not be empty and is of no interest here."""
    kind = column.type.python_type
    return {int: 0, str: "", bool: False, datetime: NOW, bytes: b""}.get(kind, {})


def test_the_claim_takes_exactly_what_has_no_misfit() -> None:
    engine = create_engine("sqlite://")
    RECEIPT.metadata.create_all(engine, tables=[RECEIPT, claims.FOREIGN])
    asked = [{"tax_system": system, "ffd": ffd.value, "internet": internet, "settlement_place": place,
              "country": "RU", "marking": False, "agent_signs": 0, "electronic_only": False}
             for system, ffd, internet, place in itertools.product((0, 1, 2, 32), Ffd, (True, False), PLACES)]
    plain = {"tax_system": 1, "ffd": "1.05", "internet": True, "settlement_place": ""}
    asked += [{**plain, "country": country, "marking": marked, "agent_signs": signs, "electronic_only": paperless}
              for country, marked, signs, paperless in itertools.product(
                  ("RU", "KZ"), (True, False), (0, 32, 33), (True, False))]
    needed = {one.name: value(one) for one in RECEIPT.columns
              if not one.nullable and not one.primary_key and one.default is None}
    turn = itertools.cycle(range(len(MORE)))
    compared: dict[bool, int] = {True: 0, False: 0}
    said: set[str] = set()
    with engine.connect() as connection:
        for number, one in enumerate(asked, 1):
            own = {"id": number, "public_id": f"rcp_{number}", "source_key": f"key-{number}",
                   "receipt_key": f"k{number}", "state": "queued", "due_at": NOW, "queued_at": NOW, "queue_id": 1,
                   "organisation_id": 1}
            connection.execute(insert(RECEIPT).values({
                **needed, **{name: set_ for name, set_ in {**own, **one}.items() if name in RECEIPT.c}}))
        for systems, ffd, internet, place in itertools.product((0, 1, 3, 32), Ffd, (True, False, None), PLACES):
            identity = {"tax_systems": systems, "ffd": ffd.value, "internet": internet, "settlement_place": place}
            more = MORE[next(turn)]
            identity.update(more)
            taken = set(connection.execute(claims._fitting().limit(None), {
                "queue": 1, "now": NOW, "before": NOW, "register": 1, "organisation": 1, "tax_systems": systems,
                "newest_ffd": ffd.value, "countries": " ".join(more["countries"]),
                "anywhere": int(internet is not True), "place": place, "marks": int(more["marking"] is not False),
                "paperless": int(more["electronic_only"]), "other_agents": 0 if more["agent_signs"] is None
                else claims.ALL_AGENTS & ~more["agent_signs"]}).scalars())
            for number, one in enumerate(asked, 1):
                reason = misfit(one, {"identity": identity, "title": "Касса 1"})
                assert (number in taken) == (reason is None), (one, identity, reason)
                compared[reason is None] += 1
                if reason is not None:
                    said.add(reason.en)
                    assert "Касса 1" in reason.say("ru") and reason.kk
    assert min(compared.values()) > 300 and len(said) == 8, said


def test_a_register_that_has_not_answered_yet_says_so() -> None:
    reason = misfit({"tax_system": 1, "ffd": "1.05", "internet": True, "settlement_place": ""},
                    {"identity": None, "title": "Касса 1"})
    assert isinstance(reason, Text) and reason.en == NEVER_ANSWERED.en


def test_the_next_receipt_is_found_in_the_order_of_the_index() -> None:
    """A claim must not sort all that waits: that costs more with every receipt."""
    engine = create_engine("sqlite://")
    RECEIPT.metadata.create_all(engine, tables=[RECEIPT, claims.FOREIGN])
    query = claims._fitting().compile(engine)
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {query}", tuple(None for _ in query.positiontup or ())).all()
    steps = [row[-1] for row in plan]
    assert any("ix_receipt_waiting" in step for step in steps), steps
    assert not any("TEMP B-TREE" in step for step in steps), steps
