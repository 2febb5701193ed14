"""Order -> stored receipt: build, identify, store. Receipt and key are one transaction (design.md §2.3, §5)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub import __version__, templating
from hub.fiscal import Invalid, Order, OrderLine, Problem, Receipt, Terms, codec, fit, sameness
from hub.fiscal import build as fiscal_build
from hub.fiscal.codes import Country, Ffd
from hub.fiscal.levels import Level, agreed, resolve
from hub.fiscal.rules import check
from hub.fiscal.sameness import content_hash, digest_of, hash_of
from hub.intake.context import SourceFacts
from hub.intake.withdrawing import paid_again
from hub.plugins import Catalogue
from hub.store import KeyConflict, Snapshot, new_public_id, table, utcnow
from hub.store.hot import Hot, unjson
from hub.store.receipts import (
    BUYER,
    RECEIPT,
    another_key,
    begun,
    buyer_values,
    change,
    happened,
    receipt_key,
    strip_order,
    strip_receipt,
    tell,
    whole_order,
)

#: Priorities of what waits: a buyer who waits at the counter; everybody else. Lower goes first.
URGENT, USUAL = 50, 100
#: A payment that is told to be older than this was told too late, or without its hour: its minutes run from now.
FRESH = timedelta(hours=1)

#: States in which nothing of a receipt has been sent anywhere and a repeat may change it.
MENDABLE = ("invalid", "refused")
#: Those in which nothing of it was sent yet: what its source reads back now replaces it.
WAITING = ("accepted", "queued")

_snapshot, _conflict = table(Snapshot), table(KeyConflict)

Outcome = Literal["accepted", "duplicate", "conflict", "invalid", "rearmed"]


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of an order. ``ring`` says that its queue has something new; ``at`` is when a new receipt was
    stored."""

    outcome: Outcome
    receipt_id: int
    state: str
    public_id: str
    problems: tuple[Problem, ...] = ()
    at: datetime | None = None

    @property
    def ring(self) -> bool:
        return self.outcome in ("accepted", "rearmed") and self.state == "queued"


@dataclass(frozen=True, slots=True)
class Prepared:
    """An order with its receipt or its problems, ready to be stored. No database was touched yet."""

    order: Order
    receipt: Receipt | None
    problems: tuple[Problem, ...]
    content_hash: str
    terms: Mapping[str, Any]
    approval: bool = False
    within: int = 5
    urgent: bool = False
    register_id: int | None = None
    #: Of ``terms``, where it was made with them.
    terms_digest: str = ""
    #: Whether it is how things stand over there now (hub.contracts.Source.reads_back).
    newest: bool = False
    #: Whether it is the check itself as its sender wrote it, not what was read of an order: then another buyer under
    #: the same key is another check (hub.fiscal.sameness).
    sent: bool = False
    #: The order as it is stored, if it is known already.
    written: Mapping[str, Any] | None = None

    @property
    def order_data(self) -> Mapping[str, Any]:
        """The order as it is stored."""
        return strip_order(self.order) if self.written is None else self.written


@dataclass(frozen=True, slots=True)
class Ruled:
    """What organisation, source and registers say of a source's receipts. ``snapshot`` is what is kept of it with
    each receipt; ``approval``: its returns wait for the owner; ``within`` and ``urgent``: minutes until they must be
    recorded, and whether its buyers wait for them."""

    terms: Terms
    snapshot: Mapping[str, Any]
    approval: bool
    within: int
    urgent: bool
    digest: str


#: What was made of each source's facts last: they are read anew every few seconds, orders come faster.
_ruled: dict[int, tuple[SourceFacts, Ruled]] = {}


def ruled(source: SourceFacts, register_id: int | None = None) -> Ruled:
    """The rules of a source's receipts; of one that is pinned to a register when ``register_id`` is given."""
    seen = _ruled.get(source.id)
    if seen is not None and seen[0] is source and register_id is None:
        return seen[1]
    organisation, agreement = source.organisation, agreed(source.registers, register_id)
    effective = resolve(*source.levels, (Level.REGISTER, agreement.settings))
    terms = effective.terms(
        Country(organisation["country"]), Ffd(organisation["ffd"]), seller_name=organisation["name"],
        seller_inn=organisation["tax_id"], zone=organisation["zone"])
    snapshot = {"terms": codec.to_json(terms), "template": source.template, "rules": __version__,
                "settings": {"approve_returns": effective.approve_returns.value,
                             "advertising": effective.advertising.value},
                "levels": effective.origins(), "disputed": sorted(agreement.disputed)}
    made = Ruled(terms, snapshot, effective.approve_returns.value, effective.record_within.value,
                 effective.urgent.value, digest_of(snapshot))
    if register_id is None:
        if len(_ruled) > 10_000:
            _ruled.clear()
        _ruled[source.id] = (source, made)
    return made


def terms_of(source: SourceFacts, register_id: int | None = None) -> Terms:
    """What :func:`hub.fiscal.build` needs to know beside the order."""
    return ruled(source, register_id).terms


@lru_cache(maxsize=256)
def _template(text: str) -> templating.Template:
    return templating.compile(text)


def prepare(source: SourceFacts, order: Order, catalogue: Catalogue, now: datetime,
            register_id: int | None = None) -> Prepared:
    """Builds the receipt, pinned to a register when ``register_id`` names one. Pure but for plugins' hooks; never
    raises for what an order may hold."""
    problems: tuple[Problem, ...] = ()
    receipt = None
    if order.register and register_id is None:
        register_id = source.names.get(order.register)
        if register_id is None:
            problems = (Problem("value_unknown", "register", {
                "field": "register", "value": order.register[:64],
                "valid": ", ".join(sorted(source.names)) or "-"}),)
    rules = ruled(source, register_id)
    extra = catalogue.tags(order)
    if extra:
        order = replace(order, tags={**extra, **order.tags})
    try:
        template = _template(source.template) if source.template else None
        organisation, zone = str(source.organisation["name"]), ZoneInfo(str(source.organisation["zone"]))
        due = templating.total_of(order) if template is not None else None

        def name(whole: Order, line: OrderLine) -> str:
            # A source that names its lines keeps those names unless the owner's template uses the line's name.
            if template is None or (line.name and "line.name" not in template.tags):
                return line.name
            return template.render(templating.values_of(whole, line, organisation, zone=zone, total=due))

        built = fiscal_build(order, rules.terms, receipt_key(source.public_id, order.key), now, name)
        changed = catalogue.built(built, order)
        if changed is not built and (wrong := check(changed, today=rules.terms.day_of(now))):
            # A plugin's last change is held to the same rules as everybody's.
            raise Invalid(wrong)
        receipt = changed if not problems else None
    except Invalid as problem:
        problems = (*problems, *problem.problems)
    except templating.TemplateError as problem:
        problems = (Problem("template_broken", "template", {"reason": problem.text}),)
    kind = catalogue.sources.get(source.plugin)
    written = strip_order(order)
    return Prepared(order, receipt, problems, hash_of(written["data"]), rules.snapshot,
                    rules.approval and order.kind.is_return, rules.within,
                    rules.urgent if order.urgent is None else order.urgent, register_id, rules.digest,
                    kind is not None and kind.reads_back, kind is None, written)


def store(connection: Connection, source: SourceFacts, prepared: Prepared, *, actor: str, raw_id: int | None = None,
          inbox_id: int | None = None, again: bool = False) -> Stored:
    """Stores a prepared order under its source key: a new receipt, the same one, a conflict, or a mended one.

    Runs inside one write transaction. It dies before the commit: the inbox row or the spool still holds the event.
    It dies after: the receipt is queued and the ticker rings for it.
    """
    order = prepared.order
    now = utcnow()
    state = _first_state(prepared)
    values = _columns(source, prepared)
    public_id = new_public_id("rcp")
    # Nearly every order is new: so it is not looked for first. Its key decides, also between two workers.
    made = _INSERT[connection.dialect.name == "sqlite"].run(connection, {
        **values, "organisation_id": source.organisation_id, "source_id": source.id, "source_key": order.key,
        "public_id": public_id, "state": state, "queue_id": source.queue_id, "raw_id": raw_id, "inbox_id": inbox_id,
        "deadline": _deadline(state, now, prepared), "due_at": now, "state_at": now, "created_at": now,
        "priority": URGENT if prepared.urgent else USUAL, "pinned_register_id": prepared.register_id,
        "tries": 0, "row_version": 1, "base_id": None, "depends_on_id": None, "queued_at": now,
        "organisation": source.organisation_id, "terms": prepared.terms_digest if prepared.receipt else None,
        **_base(connection, source, order)}).fetchone()
    if made is None:
        existing = _existing(connection, source, order.key, lock=True)
        assert existing is not None, f"a drawn id met one that exists, and not the key {order.key!r}: come again"
        return _again(connection, source, prepared, existing, actor, raw_id, inbox_id, again)
    receipt_id = int(made[0])
    if made[1] is None and prepared.receipt:  # the first receipt under these settings
        connection.execute(update(RECEIPT).where(RECEIPT.c.id == receipt_id).values(
            snapshot_id=_snapshot_id(connection, source, prepared, now)))
    contact = prepared.receipt.contact if prepared.receipt else ""
    _INSERT_BUYER.run(connection, {
        "organisation_id": source.organisation_id, "receipt_id": receipt_id, "public_id": new_public_id("buy"),
        "created_at": now, "row_version": 1, **buyer_values(order, contact)})
    place = (source.organisation_id, receipt_id)
    if state != "invalid":
        begun(connection, place, state, actor, order.number, "built" if state == "queued" else "needs_approval", now)
        return Stored("accepted", receipt_id, state, public_id, at=now)
    happened(connection, place, "", "accepted", actor, "received", {"order": order.number}, now)
    _is_invalid(connection, source, receipt_id, prepared.problems)
    happened(connection, place, "accepted", "invalid", "hub", "rules",
             {"problems": [one.to_json() for one in prepared.problems]}, now)
    return Stored("invalid", receipt_id, state, public_id, prepared.problems)


def fits(receipt: Receipt | None) -> dict[str, Any]:
    """Columns that only the choice of a register reads (hub.fiscal.fit)."""
    if receipt is None:
        return {"marking": False, "agent_signs": 0, "electronic_only": False}
    wanted = fit.asked(receipt)
    return {"marking": wanted.marking, "agent_signs": wanted.agent_signs, "electronic_only": wanted.electronic_only}


def _first_state(prepared: Prepared) -> str:
    """A receipt goes to the queue; a return that needs the owner's word stays ``accepted`` until it is given."""
    if prepared.receipt is None:
        return "invalid"
    return "accepted" if prepared.approval else "queued"


def _deadline(state: str, now: datetime, prepared: Prepared) -> datetime | None:
    """By when the receipt must be recorded. The minutes run from the payment where its moment is known, but not while a
    person thinks. A full hour is no moment: systems that know the day only fill in noon or midnight."""
    if state == "accepted":
        return None
    if prepared.order.record_by is not None:
        return prepared.order.record_by
    paid = prepared.order.settled_at
    known = paid is not None and now - FRESH < paid <= now and (paid.minute or paid.second or paid.microsecond)
    return (paid if paid is not None and known else now) + timedelta(minutes=prepared.within)


def store_unbuilt(connection: Connection, source: SourceFacts, problem: Invalid, *, actor: str,
                  raw_id: int | None, inbox_id: int | None) -> Stored:
    """Stores an order that its source could not even read, under the key that the source gave with the problem."""
    empty = Order(key=problem.key, number=problem.number, lines=(), payments=(),
                  currency=str(source.organisation["currency"]))
    prepared = Prepared(empty, None, tuple(problem.problems), content_hash(empty), {})
    return store(connection, source, prepared, actor=actor, raw_id=raw_id, inbox_id=inbox_id)


def _existing(connection: Connection, source: SourceFacts, key: str, lock: bool = False) -> Mapping[str, Any] | None:
    """The receipt under a key. Locked for whoever may mend it: its state holds until the commit."""
    row = _LOOK[lock].run(connection, {"source": source.id, "key": key}).fetchone()
    return None if row is None else dict(zip(("id", "state", "content_hash", "public_id", "withdrawn"),
                                                   (*row[:-1], unjson(row[-1])), strict=True))


_look = select(RECEIPT.c.id, RECEIPT.c.state, RECEIPT.c.content_hash, RECEIPT.c.public_id, RECEIPT.c.withdrawn) \
    .where(RECEIPT.c.source_id == bindparam("source"), RECEIPT.c.source_key == bindparam("key"))
_LOOK = {False: Hot(_look), True: Hot(_look.with_for_update())}
_INSERTED = (
    "content_hash", "order_number", "receipt_key", "kind", "country", "ffd", "currency", "total", "internet",
    "tax_system", "settlement_place", "marking", "agent_signs", "electronic_only", "document", "order_data", "problems",
    "reason", "organisation_id", "source_id", "source_key", "public_id", "state", "queue_id", "raw_id",
    "inbox_id", "deadline", "due_at", "state_at", "created_at", "priority", "tries", "row_version", "base_id",
    "depends_on_id", "queued_at", "pinned_register_id")
_INSERTED_BUYER = ("organisation_id", "receipt_id", "public_id", "created_at", "row_version", "erase_after", "name",
                   "email", "phone", "inn", "contact", "tags", "details")
# A statement that is compiled once fills in no default: each column that has one must be among the values.
for _table, _given in ((RECEIPT, _INSERTED), (BUYER, _INSERTED_BUYER)):
    assert all(one.default is None or one.name in _given for one in _table.columns), f"a default of {_table.name}"
#: Its settings are found on the way.
_KNOWN = select(_snapshot.c.id).where(_snapshot.c.organisation_id == bindparam("organisation"),
                                      _snapshot.c.digest == bindparam("terms"))
#: No target beside the conflict: the receipt's key says the same as the source's, and PostgreSQL raises for an index
#: that is not the target when two insert at once.
_INSERT = {one is sqlite: Hot(
    one.insert(RECEIPT).values({**{name: bindparam(name) for name in _INSERTED},
                                "snapshot_id": _KNOWN.scalar_subquery()})
    .on_conflict_do_nothing().returning(RECEIPT.c.id, RECEIPT.c.snapshot_id))
    for one in (sqlite, postgresql)}
_INSERT_BUYER = Hot(insert(BUYER).values({name: bindparam(name) for name in _INSERTED_BUYER}))
_FIND_SNAPSHOT = Hot(select(_snapshot.c.id).where(_snapshot.c.organisation_id == bindparam("organisation"),
                                                  _snapshot.c.digest == bindparam("digest")))


def _columns(source: SourceFacts, prepared: Prepared) -> dict[str, Any]:
    order, receipt = prepared.order, prepared.receipt
    return {
        "content_hash": prepared.content_hash, "order_number": order.number[:100],
        "receipt_key": receipt.key if receipt else receipt_key(source.public_id, order.key), "kind": order.kind.name,
        "country": source.organisation["country"], "ffd": source.organisation["ffd"], "currency": order.currency,
        "total": receipt.total.amount if receipt else None, "internet": receipt.internet if receipt else False,
        "tax_system": receipt.tax_system.value if receipt and receipt.tax_system else 0,
        "settlement_place": receipt.settlement_place if receipt else "", **fits(receipt),
        "document": strip_receipt(receipt) if receipt else None, "order_data": prepared.order_data,
        "problems": [one.to_json() for one in prepared.problems], "reason": None}


def _snapshot_id(connection: Connection, source: SourceFacts, prepared: Prepared, now: datetime) -> int:
    content = prepared.terms
    digest = prepared.terms_digest or digest_of(content)
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    look = {"organisation": source.organisation_id, "digest": digest}
    found = _FIND_SNAPSHOT.run(connection, look).fetchone()
    if found is None:
        connection.execute(dialect.insert(_snapshot).values(
            organisation_id=source.organisation_id, digest=digest, content=dict(content), created_at=now,
            public_id=new_public_id("snp"), row_version=1)
            .on_conflict_do_nothing(index_elements=["organisation_id", "digest"]))
        found = _FIND_SNAPSHOT.run(connection, look).fetchone()
    assert found is not None
    return int(found[0])


def _base(connection: Connection, source: SourceFacts, order: Order) -> dict[str, Any]:
    """A return names its sale and waits until that is recorded."""
    if not order.base_key:
        return {}
    base = _existing(connection, source, order.base_key)
    return {} if base is None else {"base_id": base["id"], "depends_on_id": base["id"]}


def _is_invalid(connection: Connection, source: SourceFacts, receipt_id: int, problems: tuple[Problem, ...]) -> None:
    digest = hashlib.sha256(json.dumps([one.to_json() for one in problems], sort_keys=True).encode()).hexdigest()
    tell(connection, source.organisation_id, receipt_id, source.id, f"invalid:{digest[:16]}")


def _again(connection: Connection, source: SourceFacts, prepared: Prepared, existing: Mapping[str, Any], actor: str,
           raw_id: int | None, inbox_id: int | None, again: bool) -> Stored:
    """The key is known: a repeat, a repaired receipt, or a contradiction."""
    receipt_id, state = int(existing["id"]), existing["state"]
    back = existing["withdrawn"] is not None
    if back:
        paid_again(connection, source, receipt_id, state, actor)
    # Kept by a version that asked no source who paid.
    same = existing["content_hash"] == prepared.content_hash or (
        bool(prepared.order.payer)
        and existing["content_hash"] == content_hash(replace(prepared.order, payer=None)))
    differs = _for_somebody_else(connection, receipt_id, prepared) if same and prepared.sent else ()
    mark = prepared.content_hash if not differs else digest_of(
        {"content": prepared.content_hash, **sameness.parties(prepared.order)})
    decided = connection.execute(select(_conflict.c.id, _conflict.c.became_id).where(
        _conflict.c.receipt_id == receipt_id, _conflict.c.content_hash == mark,
        _conflict.c.decision == "another")).first()
    if decided is not None and existing["content_hash"] != mark:
        return _another(connection, source, prepared, receipt_id, decided, actor, raw_id, inbox_id, again)
    if state == "invalid" or (state == "refused" and again) or (state == "cancelled" and back):
        return _mend(connection, source, prepared, existing, actor, raw_id, inbox_id)
    if same and not differs:
        if state in WAITING and prepared.newest and _reworded(connection, receipt_id, prepared):
            return _mend(connection, source, prepared, existing, actor, raw_id, inbox_id, "edited")
        return Stored("duplicate", receipt_id, state, existing["public_id"])
    if state in WAITING and prepared.newest:
        return _mend(connection, source, prepared, existing, actor, raw_id, inbox_id, "edited")
    return _contradicted(connection, source, prepared, existing, mark, differs, actor, raw_id, inbox_id)


def _contradicted(connection: Connection, source: SourceFacts, prepared: Prepared, existing: Mapping[str, Any],
                  mark: str, differs: tuple[str, ...], actor: str, raw_id: int | None,
                  inbox_id: int | None) -> Stored:
    """Keeps another content under a known key once, for a person to compare. Of who is meant only the parts are named
    that differ: whose they are stands in the request, and goes with it when its time has come."""
    receipt_id, state = int(existing["id"]), existing["state"]
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    new = connection.execute(dialect.insert(_conflict).values(
        organisation_id=source.organisation_id, receipt_id=receipt_id, content_hash=mark,
        order_data={**prepared.order_data, **({"differs": list(differs)} if differs else {})}, raw_id=raw_id,
        inbox_id=inbox_id, decision="", public_id=new_public_id("cfl"), created_at=utcnow(), row_version=1)
        .on_conflict_do_nothing(index_elements=["receipt_id", "content_hash"]).returning(_conflict.c.id)).first()
    if new is not None:
        happened(connection, (source.organisation_id, receipt_id), state, state, actor, "conflict",
                 {"order": prepared.order.number})
    return Stored("conflict", receipt_id, state, existing["public_id"])


def _for_somebody_else(connection: Connection, receipt_id: int, prepared: Prepared) -> tuple[str, ...]:
    """In which parts buyer, agent or supplier are others than those of the receipt (hub.fiscal.sameness)."""
    row = connection.execute(
        select(BUYER, RECEIPT.c.order_data).join(RECEIPT, RECEIPT.c.id == BUYER.c.receipt_id)
        .where(BUYER.c.receipt_id == receipt_id)).mappings().first()
    if row is None or not row["order_data"]:
        return ()
    return sameness.differing(whole_order(row["order_data"], dict(row)), prepared.order)


def _reworded(connection: Connection, receipt_id: int, prepared: Prepared) -> bool:
    """Whether the lines of a receipt that waits are called otherwise now: somebody mended a note or a name that stands
    in them. The sums are the same; once it is printed that is no contradiction."""
    stored = connection.execute(select(RECEIPT.c.document).where(RECEIPT.c.id == receipt_id)).scalar()
    if stored is None or prepared.receipt is None:
        return False
    return [one["name"] for one in stored["data"]["lines"]] != [one.name for one in prepared.receipt.lines]


def _another(connection: Connection, source: SourceFacts, prepared: Prepared, receipt_id: int, decided: Any, actor: str,
             raw_id: int | None, inbox_id: int | None, again: bool) -> Stored:
    """The receipt of an order of which a person said that it is another one than the receipt ``receipt_id`` under the
    same key. Made once: ``became_id`` and the new receipt are one transaction, under a key that counts the orders."""
    if decided.became_id is None:
        so_far = connection.execute(select(func.count()).select_from(_conflict).where(
            _conflict.c.receipt_id == receipt_id, _conflict.c.became_id.is_not(None))).scalar_one()
        key = another_key(prepared.order.key, int(so_far) + 2)
    else:
        look = select(RECEIPT.c.source_key).where(RECEIPT.c.id == decided.became_id)
        key = str(connection.execute(look).scalar_one())
    receipt = prepared.receipt and replace(prepared.receipt, key=receipt_key(source.public_id, key))
    stored = store(connection, source, replace(prepared, order=replace(prepared.order, key=key), receipt=receipt),
                   actor=actor, raw_id=raw_id, inbox_id=inbox_id, again=again)
    if decided.became_id is None:
        connection.execute(update(_conflict).where(_conflict.c.id == decided.id).values(became_id=stored.receipt_id))
    return stored


def _mend(connection: Connection, source: SourceFacts, prepared: Prepared, existing: Mapping[str, Any], actor: str,
          raw_id: int | None, inbox_id: int | None, cause: str = "mended") -> Stored:
    """Builds an ``invalid`` or ``refused`` receipt, or one that still waits, anew under its key. Nothing of it was ever
    printed: the row is locked, and whoever prints it changes its state first."""
    now = utcnow()
    receipt_id, state, public_id = int(existing["id"]), existing["state"], existing["public_id"]
    values = _columns(source, prepared)
    values["snapshot_id"] = _snapshot_id(connection, source, prepared, now) if prepared.receipt else None
    if raw_id is not None:
        values["raw_id"] = raw_id
    if inbox_id is not None:
        values["inbox_id"] = inbox_id
    target = _first_state(prepared)
    if target == "accepted" and state == "refused" and existing["content_hash"] == prepared.content_hash:
        target = "queued"  # the owner has approved this very return before
    if target == state == "invalid":
        connection.execute(update(RECEIPT).where(RECEIPT.c.id == receipt_id).values(**values))
    else:
        change(connection, source.organisation_id, receipt_id, (state,), target, actor,
               {"queued": cause, "accepted": "needs_approval"}.get(target, "rules"),
               {"problems": values["problems"]} if target == "invalid" else None,
               deadline=_deadline(target, now, prepared), queued_at=now, due_at=now, misfit=None, **values)
    contact = prepared.receipt.contact if prepared.receipt else ""
    connection.execute(update(BUYER).where(BUYER.c.receipt_id == receipt_id)
                       .values(**buyer_values(prepared.order, contact)))
    if target == "invalid":
        _is_invalid(connection, source, receipt_id, prepared.problems)
        return Stored("invalid", receipt_id, target, public_id, prepared.problems)
    return Stored("rearmed", receipt_id, target, public_id)


def rearm_reads_source(state: str) -> bool:
    """Whether a state may be mended by reading the order again."""
    return state in MENDABLE
