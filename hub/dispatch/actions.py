"""What a person may do to a receipt or a register from the page: only what is safe in its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from hub.bell import Bell
from hub.contracts import Bookmark
from hub.dispatch import claims
from hub.dispatch.approval import deadline_of, returns_need_approval
from hub.dispatch.commands import ORDERS
from hub.dispatch.doubt import candidates, give_up, resolve_not_printed, resolve_printed
from hub.fiscal import (
    Cashier,
    Customer,
    Form,
    Invalid,
    Money,
    Order,
    OrderLine,
    Payment,
    Problem,
    Receipt,
    Text,
    return_of,
)
from hub.fiscal.build import left_of
from hub.fiscal.codes import Country, Method, Subject
from hub.fiscal.sameness import content_hash
from hub.fiscal.vat import rates_on
from hub.intake.context import facts, serving
from hub.intake.orders import URGENT, USUAL, fits, prepare, store
from hub.plugins import Catalogue
from hub.store import (
    Attempt,
    Audit,
    Database,
    ForeignDocument,
    Inbox,
    KeyConflict,
    Organisation,
    QueueRegister,
    Record,
    Register,
    RegisterOrder,
    SourceRow,
    new_public_id,
    table,
    utcnow,
)
from hub.store.audit import noted
from hub.store.receipts import (
    BUYER,
    RECEIPT,
    buyer_values,
    change,
    happened,
    receipt_key,
    strip_order,
    strip_receipt,
    tell,
    whole_order,
)
from hub.store.vault import Vault

#: The only buttons that are safe in a state (page.md, "States of a receipt").
SAFE: Mapping[str, frozenset[str]] = {
    "accepted": frozenset({"approve"}), "queued": frozenset({"cancel"}), "printing": frozenset(),
    "recorded": frozenset({"return"}), "confirmed": frozenset({"return"}),
    "invalid": frozenset({"retry", "cancel"}), "refused": frozenset({"retry", "cancel"}),
    "uncertain": frozenset({"resolve"}), "cancelled": frozenset()}

ATTEMPT, FOREIGN, REGISTER, INBOX = table(Attempt), table(ForeignDocument), table(Register), table(Inbox)
RECORD, CONFLICT, ORDER = table(Record), table(KeyConflict), table(RegisterOrder)
AUDIT = table(Audit)
REPLACED = Text("It had not begun when a person ordered something else of the register.",
                "Команда не началась: человек дал кассе другую.")

#: A source that no plugin stands behind: receipts that people make on the page belong to it.
MANUAL = "manual"


def cancel(db: Database, organisation_id: int, receipt_id: int, actor: str) -> bool:
    """Cancels a receipt that nobody prints yet: a conditional update, so a register that was faster wins."""

    def work(connection: Connection) -> bool:
        done = change(connection, organisation_id, receipt_id, ("queued", "invalid", "refused"), "cancelled", actor,
                      "cancelled")
        if done:
            noted(connection, organisation_id, actor, "receipt.cancel", str(receipt_id))
            source_id = connection.execute(select(RECEIPT.c.source_id).where(RECEIPT.c.id == receipt_id)).scalar_one()
            tell(connection, organisation_id, receipt_id, int(source_id), "cancelled")
        return done

    return db.submit(work)


def retry(db: Database, bell: Bell, organisation_id: int, receipt_id: int, actor: str) -> bool:
    """Tries an invalid or refused receipt again. An invalid one is read from its source again, where the cause may
    have been mended; a refused one goes back to the queue. False in any other state."""

    def work(connection: Connection) -> tuple[bool, str]:
        row = connection.execute(select(RECEIPT.c.state, RECEIPT.c.inbox_id, RECEIPT.c.source_id, RECEIPT.c.queue_id)
                                 .where(RECEIPT.c.id == receipt_id,
                                        RECEIPT.c.organisation_id == organisation_id)).first()
        if row is None or row.state not in ("invalid", "refused"):
            return False, ""
        noted(connection, organisation_id, actor, "receipt.retry", str(receipt_id))
        if row.state == "refused":
            now = utcnow()
            change(connection, organisation_id, receipt_id, ("refused",), "queued", actor, "again", due_at=now,
                   reason=None, queued_at=now, deadline=deadline_of(connection, int(row.source_id), now))
            return True, f"queue:{row.queue_id}"
        if row.inbox_id is None:
            return False, ""
        connection.execute(update(INBOX).where(INBOX.c.id == row.inbox_id)
                           .values(state="failed", due_at=utcnow(), tries=0))
        happened(connection, (organisation_id, receipt_id), "invalid", "invalid", actor, "again")
        return True, f"source:{row.source_id}"

    done, target = db.submit(work)
    if target:
        bell.ring("registers" if target.startswith("queue") else "jobs", target)
    return done


# -- where and when it is printed ------------------------------------------------------------------------------------

NOT_SERVING = Text("This register does not serve the receipt's queue.", "Эта касса не обслуживает очередь чека.")


def pin(db: Database, bell: Bell, organisation_id: int, receipt_id: int, register_id: int | None,
        actor: str) -> Text | bool:
    """Binds a receipt that waits to one register, or with None lets any register print it again. False when it waits
    no more, a sentence when that register cannot have it."""

    def work(connection: Connection) -> Text | int:
        row = connection.execute(select(RECEIPT.c.state, RECEIPT.c.queue_id).where(
            RECEIPT.c.id == receipt_id, RECEIPT.c.organisation_id == organisation_id).with_for_update()).first()
        if row is None or row.state != "queued":
            return 0
        if register_id is not None and register_id not in serving_ids(connection, row.queue_id):
            return NOT_SERVING
        change(connection, organisation_id, receipt_id, ("queued",), "queued", actor,
               "pinned" if register_id is not None else "unpinned", {"register": register_id},
               pinned_register_id=register_id, misfit=None)
        noted(connection, organisation_id, actor, "receipt.pin", str(receipt_id), register=register_id)
        return int(row.queue_id)

    done = db.submit(work)
    if isinstance(done, int) and done:
        bell.ring("registers", f"queue:{done}")
    return done if isinstance(done, Text) else bool(done)


def serving_ids(connection: Connection, queue_id: int) -> set[int]:
    """The registers that serve a queue and are not taken away."""
    link = table(QueueRegister)
    return set(connection.execute(
        select(link.c.register_id).join(REGISTER, REGISTER.c.id == link.c.register_id)
        .where(link.c.queue_id == queue_id, REGISTER.c.archived_at.is_(None))).scalars())


def hurry(db: Database, bell: Bell, organisation_id: int, receipt_id: int, urgent: bool, actor: str) -> bool:
    """A buyer waits for this receipt: it is printed before others; or no longer. False when it waits no more."""

    def work(connection: Connection) -> int:
        if not change(connection, organisation_id, receipt_id, ("queued",), "queued", actor,
                      "hurried" if urgent else "unhurried", priority=URGENT if urgent else USUAL):
            return 0
        noted(connection, organisation_id, actor, "receipt.hurry", str(receipt_id), urgent=urgent)
        return int(connection.execute(select(RECEIPT.c.queue_id).where(RECEIPT.c.id == receipt_id)).scalar_one())

    queue_id = db.submit(work)
    if queue_id:
        bell.ring("registers", f"queue:{queue_id}")
    return bool(queue_id)


# -- contradictions --------------------------------------------------------------------------------------------------

NOT_AGAIN = Text(
    "This order is no longer kept whole, so no receipt can be made of it here. Make it anew in its system, under "
    "another number.",
    "Этот заказ больше не хранится целиком, поэтому чек по нему здесь не сделать. Создайте его заново в его системе, "
    "под другим номером.")


def settle_contradiction(db: Database, bell: Bell, organisation_id: int, public_id: str, another: bool,
                         actor: str) -> Text | None:
    """A person has compared an order with the receipt under its key. The same one: the receipt stands for both.
    ``another``: the order is worked on again and gets a receipt of its own. None when done or decided before; a
    sentence when it cannot be.

    The decision and the event's second turn are one transaction; the receipt's is the drain's (see KeyConflict).
    """

    def work(connection: Connection) -> tuple[Text | None, int]:
        row = connection.execute(select(CONFLICT, RECEIPT.c.source_id, RECEIPT.c.state).join(
            RECEIPT, RECEIPT.c.id == CONFLICT.c.receipt_id).where(
            CONFLICT.c.public_id == public_id, CONFLICT.c.organisation_id == organisation_id)
            .with_for_update(of=[CONFLICT])).mappings().first()
        if row is None or row["became_id"] is not None or row["decision"] == "same":
            return None, 0
        if another:
            told = connection.execute(
                update(INBOX).where(INBOX.c.id == row["inbox_id"], INBOX.c.state == "done")
                .values(state="failed", due_at=utcnow(), tries=0, again=True).returning(INBOX.c.id)).first()
            if told is None:
                return NOT_AGAIN, 0
        word = "another" if another else "same"
        connection.execute(update(CONFLICT).where(CONFLICT.c.id == row["id"]).values(
            decision=word, settled_at=utcnow()))
        happened(connection, (organisation_id, row["receipt_id"]), row["state"], row["state"], actor,
                 f"conflict_{word}")
        noted(connection, organisation_id, actor, f"conflict.{word}", public_id)
        return None, int(row["source_id"]) if another else 0

    problem, source_id = db.submit(work)
    if source_id:
        bell.ring("jobs", f"source:{source_id}")
    return problem


# -- returns ---------------------------------------------------------------------------------------------------------


def _returns(connection: Connection, receipt_id: int) -> list[Receipt]:
    """Returns of a receipt that are printed or may still be."""
    rows = connection.execute(select(RECEIPT.c.id).where(
        RECEIPT.c.base_id == receipt_id, RECEIPT.c.state.not_in(("cancelled", "invalid")))).scalars().all()
    return [one for one in (claims.receipt_of(connection, row) for row in rows) if one is not None]


def returnable(db: Database, organisation_id: int, receipt_id: int) -> list[Decimal]:
    """How much of each line may still be returned; empty when the receipt is not printed."""
    with db.read() as connection:
        base = _printed(connection, organisation_id, receipt_id)
        return [] if base is None else [count for count, _ in left_of(base, _returns(connection, receipt_id))]


def _printed(connection: Connection, organisation_id: int, receipt_id: int) -> Receipt | None:
    state = connection.execute(select(RECEIPT.c.state).where(
        RECEIPT.c.id == receipt_id, RECEIPT.c.organisation_id == organisation_id)).scalar()
    return claims.receipt_of(connection, receipt_id) if state in ("recorded", "confirmed") else None


def make_return(db: Database, bell: Bell, organisation_id: int, receipt_id: int,
                quantities: dict[int, Decimal] | None, form: Form | None, actor: str, by_owner: bool = True) -> int:
    """A return of a printed receipt, whole or by lines and quantities; the new receipt's id. Raises Invalid. One that
    is not made ``by_owner`` waits for the owner where the settings say so.

    Two people who press the button at once make one return of the same goods: what is left is counted and the return
    stored in one transaction, under a key that counts the returns so far.
    """

    def work(connection: Connection) -> tuple[int, str]:
        return return_within(connection, organisation_id, receipt_id, quantities, form, actor, by_owner)

    new_id, target = db.submit(work)
    if target:
        bell.ring("registers", target)
    return new_id


def return_within(connection: Connection, organisation_id: int, receipt_id: int, quantities: dict[int, Decimal] | None,
                  form: Form | None, actor: str, by_owner: bool, source_key: str = "",
                  origin: Mapping[str, Any] | None = None) -> tuple[int, str]:
    """:func:`make_return` inside a transaction of the caller: the new receipt's id, and the queue to ring for after
    the commit, empty when it waits for the owner. ``source_key`` is the caller's own and must be free; ``origin`` is
    kept with the order, beside what its sale's source noted."""
    base_row = connection.execute(select(RECEIPT).where(RECEIPT.c.id == receipt_id).with_for_update()) \
        .mappings().one()
    base = _printed(connection, organisation_id, receipt_id)
    if base is None:
        raise Invalid([Problem("not_printed_yet")])
    earlier = _returns(connection, receipt_id)
    so_far = connection.execute(select(func.count()).select_from(RECEIPT).where(
        RECEIPT.c.base_id == receipt_id)).scalar_one()
    source_key = source_key or f"return:{base_row['public_id']}:{so_far + 1}"
    public = connection.execute(select(SourceRow.public_id).where(
        SourceRow.id == base_row["source_id"])).scalar_one()
    receipt = return_of(base, receipt_key(public, source_key), quantities, form, earlier)
    waits = not by_owner and returns_need_approval(connection, base_row["source_id"])
    new_id = _store_return(connection, dict(base_row), receipt, source_key, actor, waits, origin or {})
    noted(connection, organisation_id, actor, "receipt.return", str(receipt_id), made=new_id)
    return new_id, "" if waits else f"queue:{base_row['queue_id']}"


def _store_return(connection: Connection, base: Mapping[str, Any], receipt: Receipt, source_key: str,
                  actor: str, waits: bool, origin: Mapping[str, Any]) -> int:
    now = utcnow()
    state = "accepted" if waits else "queued"
    buyer = connection.execute(select(BUYER).where(BUYER.c.receipt_id == base["id"])).mappings().first()
    order = whole_order(base["order_data"], dict(buyer) if buyer else None)
    order = replace(order, key=source_key, kind=receipt.kind, origin={**order.origin, **origin})
    new_id = int(connection.execute(insert(RECEIPT).values(
        organisation_id=base["organisation_id"], source_id=base["source_id"], source_key=source_key,
        content_hash=content_hash(order), order_number=base["order_number"], receipt_key=receipt.key, state=state,
        kind=receipt.kind.name, country=base["country"], ffd=base["ffd"], currency=base["currency"],
        total=receipt.total.amount, internet=base["internet"], tax_system=base["tax_system"],
        settlement_place=base["settlement_place"], **fits(receipt), document=strip_receipt(receipt),
        order_data=strip_order(order),
        snapshot_id=base["snapshot_id"], queue_id=base["queue_id"], base_id=base["id"], depends_on_id=base["id"],
        priority=USUAL, deadline=None if waits else deadline_of(connection, base["source_id"], now), due_at=now,
        state_at=now, tries=0, problems=[],
        public_id=new_public_id("rcp"), created_at=now, row_version=1).returning(RECEIPT.c.id)).scalar_one())
    connection.execute(insert(BUYER).values(
        organisation_id=base["organisation_id"], receipt_id=new_id, public_id=new_public_id("buy"),
        created_at=now, row_version=1, **buyer_values(order, receipt.contact)))
    happened(connection, (base["organisation_id"], new_id), "", state, actor, "returned",
             {"base": base["public_id"]}, now)
    if waits:
        happened(connection, (base["organisation_id"], new_id), state, state, "hub", "needs_approval", None, now)
    return new_id


# -- registers and the sample order ----------------------------------------------------------------------------------


class Waiting(Exception):
    """The register has an order of a person that it has not begun; ``command`` is which."""

    def __init__(self, command: str) -> None:
        super().__init__(command)
        self.command = command


#: Orders of a register among which a form that is sent twice is looked for.
PRESSES = 50


def order_register(db: Database, bell: Bell, organisation_id: int, register_id: int, command: str,
                   params: Mapping[str, Any], actor: str, press: str = "") -> bool:
    """Orders X, Z, cash in or out, or a look at the state; the register's owner runs it once. ``press`` is the form
    that it comes from: the same one again (a second click) orders nothing, and is False. Raises Waiting: what a person
    ordered and the register has not begun is never replaced in silence. ValueError for an unknown command."""
    if command not in ORDERS:
        raise ValueError(f"no such command: {command}")

    def work(connection: Connection) -> bool:
        row = connection.execute(select(REGISTER.c.command, REGISTER.c.command_params).where(
            REGISTER.c.id == register_id, REGISTER.c.organisation_id == organisation_id).with_for_update()).first()
        if row is None or (press and _pressed(connection, organisation_id, register_id, command, press)):
            return False
        if row.command and not (row.command_params or {}).get("order"):
            raise Waiting(str(row.command))
        connection.execute(update(REGISTER).where(
            REGISTER.c.id == register_id, REGISTER.c.organisation_id == organisation_id)
            .values(command=command, command_params={**params, "actor": actor}))
        # A program's order that has not begun gives way to a person's.
        connection.execute(update(ORDER).where(ORDER.c.register_id == register_id, ORDER.c.state == "waiting").values(
            state="refused", ended_at=utcnow(), result={"refused": REPLACED.to_json()}))
        noted(connection, organisation_id, actor, f"register.order.{command}", str(register_id),
              **({"press": press} if press else {}))
        return True

    done = db.submit(work)
    if done:
        bell.ring("registers", f"register:{register_id}")
    return done


def _pressed(connection: Connection, organisation_id: int, register_id: int, command: str, press: str) -> bool:
    rows = connection.execute(select(AUDIT.c.details).where(
        AUDIT.c.organisation_id == organisation_id, AUDIT.c.object_id == str(register_id),
        AUDIT.c.action == f"register.order.{command}").order_by(AUDIT.c.id.desc()).limit(PRESSES)).scalars()
    return any((one or {}).get("press") == press for one in rows)


def withdraw_order(db: Database, organisation_id: int, register_id: int, actor: str) -> bool:
    """Takes back what was ordered of a register and has not begun; False when there is nothing, or it has begun."""
    def work(connection: Connection) -> bool:
        row = connection.execute(select(REGISTER.c.command, REGISTER.c.command_params).where(
            REGISTER.c.id == register_id, REGISTER.c.organisation_id == organisation_id).with_for_update()).first()
        if row is None or not row.command:
            return False
        connection.execute(update(REGISTER).where(REGISTER.c.id == register_id, REGISTER.c.command == row.command)
                           .values(command="", command_params={}))
        connection.execute(update(ORDER).where(ORDER.c.register_id == register_id, ORDER.c.state == "waiting").values(
            state="refused", ended_at=utcnow(), result={"refused": REPLACED.to_json()}))
        noted(connection, organisation_id, actor, "register.withdraw", str(register_id), command=row.command)
        return True

    return db.submit(work)


def manual_source(connection: Connection, organisation_id: int, queue_id: int) -> int:
    """The organisation's own source for receipts that people make on the page."""
    source = table(SourceRow)
    found = connection.execute(select(source.c.id).where(source.c.organisation_id == organisation_id,
                                                         source.c.plugin == MANUAL)).scalar()
    if found is not None:
        return int(found)
    return int(connection.execute(insert(source).values(
        organisation_id=organisation_id, plugin=MANUAL, title="Хаб", settings={}, settings_version=1, secrets="",
        key_id="", template="", queue_id=queue_id, enabled=True, cursor="", failures=0, wrong_secrets=0,
        public_id=new_public_id("src"), created_at=utcnow(), row_version=1).returning(source.c.id)).scalar_one())


def submit_test_order(db: Database, bell: Bell, catalogue: Catalogue, vault: Vault, organisation_id: int,
                      actor: str) -> int:
    """"Try it": a sample order of a few coins through everything; its receipt's id."""
    from hub.office import first_queue

    with db.write() as session:
        queue = first_queue(session, organisation_id)
        source_id = manual_source(session.connection(), organisation_id, queue.id)
    with db.session() as session:
        row, organisation = session.execute(
            select(SourceRow, Organisation).join(Organisation, Organisation.id == SourceRow.organisation_id)
            .where(SourceRow.id == source_id)).one()
        source = facts(row, organisation, vault, serving(session, row.queue_id))
    currency = str(source.organisation["currency"])
    country = Country(source.organisation["country"])
    vat = source.organisation["default_vat"]
    if vat not in {one.key for one in rates_on(utcnow().date(), country)}:
        vat = "none"
    one = Money(100, currency)
    now = utcnow()
    order = Order(
        key=f"try:{new_public_id('t')}", number=f"{now:%H%M%S}", currency=currency, internet=False,
        electronic_only=False, cashier=Cashier(), customer=Customer(), settled_at=now,
        lines=(OrderLine("Пробный чек" if country is Country.RU else "Сынақ чегі", one, vat=vat,
                         subject=Subject.SERVICE, method=Method.FULL_PAYMENT),),
        payments=(Payment(Form.ELECTRONIC, one),), origin={"try": True})
    prepared = prepare(source, order, catalogue, now)
    stored = db.submit(lambda connection: store(connection, source, prepared, actor=actor))
    bell.ring("registers", f"queue:{source.queue_id}")
    return stored.receipt_id


__all__ = ["MANUAL", "SAFE", "Bookmark", "Waiting", "cancel", "candidates", "give_up", "hurry", "make_return",
           "manual_source", "order_register", "pin", "resolve_not_printed", "resolve_printed", "retry", "return_within",
           "returnable", "settle_contradiction", "submit_test_order"]
