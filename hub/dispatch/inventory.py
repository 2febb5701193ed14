"""What is known of registers: identity, storages over time, status, trouble; and why receipts wait."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, bindparam, insert, select, update

from hub.contracts import Capabilities, Driver, Identity, RegisterGone, Status
from hub.dispatch.claims import FOREIGN, PERIOD, REGISTER, STORAGE, Owner
from hub.fiscal import Text, fit
from hub.registers.health import obstacle, status_json
from hub.store import Database, Organisation, QueueRegister, Register, new_public_id, table, utcnow
from hub.store.receipts import RECEIPT, RECORD

log = structlog.get_logger("hub.dispatch")

#: Capabilities that the page has a button for.
ABILITIES = ("shifts", "x_report", "cash_moves", "copies", "cuts", "drawer", "sets_clock", "reads_documents",
             "checks_settings")

#: Documents of a storage that is new to us are fetched up to so many; beyond, its history stays its own.
FETCH_HISTORY = 200

OTHER_REGISTER = Text("Another register answers here: serial {found}, expected {expected}. Correct the address, or add "
                      "it as a register of its own.",
                      "Здесь отвечает другая касса: заводской номер {found}, ожидался {expected}. Исправьте адрес или "
                      "добавьте её как отдельную кассу.")
OTHER_OWNER = Text("The register is registered for INN {found}, the organisation has {expected}. A receipt of one "
                   "organisation must not be printed on another's register.",
                   "Касса зарегистрирована на ИНН {found}, у организации {expected}. Чек одной организации нельзя "
                   "пробить на кассе другой.")
TAKEN = Text("The register with serial {found} is already added.", "Касса с номером {found} уже добавлена.")


@dataclass
class Known:
    """What an owner remembers of its register between looks."""

    storage: str
    document: int
    signature: str = ""
    shift: tuple[str, int] = ("", 0)


_TWIN = select(REGISTER.c.id).where(
    REGISTER.c.serial == bindparam("serial"), REGISTER.c.archived_at.is_(None), REGISTER.c.id != bindparam("register"))
_STORAGE_ID = select(STORAGE.c.id).where(STORAGE.c.number == bindparam("storage"))
_PERIOD_NOW = select(PERIOD.c.id, PERIOD.c.storage_id).where(
    PERIOD.c.register_id == bindparam("register"), PERIOD.c.until.is_(None))
_LAST = select(REGISTER.c.last_document).where(REGISTER.c.id == bindparam("register"))


def new_identity(db: Database, owner: Owner, row: Register, organisation: Organisation, identity: Identity,
                 capabilities: Capabilities) -> Known:
    """Checks who answered and keeps it; a storage that was replaced closes the old period. Raises RegisterGone when
    it is not the register that we know, or another organisation's."""
    if row.serial and row.serial != identity.serial:
        raise RegisterGone(OTHER_REGISTER.with_(found=identity.serial, expected=row.serial), field="address")
    if identity.inn and identity.inn != organisation.tax_id:
        raise RegisterGone(OTHER_OWNER.with_(found=identity.inn, expected=organisation.tax_id))

    def work(connection: Connection) -> Known:
        twin = connection.execute(_TWIN, {"serial": identity.serial, "register": owner.register_id}).first()
        if twin is not None:
            raise RegisterGone(TAKEN.with_(found=identity.serial))
        now = utcnow()
        storage_id = connection.execute(_STORAGE_ID, {"storage": identity.storage_number}).scalar()
        new = storage_id is None
        if new:
            storage_id = connection.execute(insert(STORAGE).values(
                organisation_id=owner.organisation_id, number=identity.storage_number, public_id=new_public_id("fst"),
                created_at=now, row_version=1).returning(STORAGE.c.id)).scalar_one()
        current = connection.execute(_PERIOD_NOW, {"register": owner.register_id}).first()
        if current is None or current.storage_id != storage_id:
            connection.execute(update(PERIOD).where(PERIOD.c.register_id == owner.register_id,
                                                    PERIOD.c.until.is_(None)).values(until=now))
            connection.execute(insert(PERIOD).values(
                organisation_id=owner.organisation_id, storage_id=storage_id, register_id=owner.register_id,
                since=now, public_id=new_public_id("stp"), created_at=now, row_version=1))
        values: dict[str, Any] = {"serial": identity.serial, "identity": {
            **asdict(identity), "countries": list(capabilities.countries),
            "electronic_only": capabilities.electronic_only, "abilities": able(capabilities)}, "trouble": None,
                                  "trouble_code": ""}
        same = row.storage_number == identity.storage_number
        if not same:
            values.update(storage_number=identity.storage_number, last_document=0, storage_fill=0)
        connection.execute(update(REGISTER).where(REGISTER.c.id == owner.register_id).values(**values))
        last = connection.execute(_LAST, {"register": owner.register_id}).scalar_one() if same else (
            -1 if new else _highest(connection, identity))
        return Known(identity.storage_number, int(last))

    return db.submit(work)


def new_checks(db: Database, owner: Owner, driver: Driver) -> None:
    """Reads the settings of the device that receipts depend on and keeps what was found. A driver that stumbles over
    its own check holds up no receipt; RegisterGone is raised as ever."""
    if not driver.abilities().checks_settings:
        return
    try:
        found = driver.checks()
    except RegisterGone:
        raise
    except Exception:
        log.exception("checks_failed", register=owner.register_id)
        return
    rows = [{"title": one.title.to_json(), "found": one.found.to_json(), "wanted": one.wanted.to_json(),
             "level": one.level, "advice": one.advice.to_json() if one.advice else None} for one in found]
    db.submit(lambda connection: connection.execute(update(REGISTER).where(
        REGISTER.c.id == owner.register_id).values(device_checks=rows, device_checked_at=utcnow())))


def able(capabilities: Capabilities) -> list[str]:
    """What the model can do beside receipts, by the names of the capabilities: the page offers these."""
    return [name for name in ABILITIES if getattr(capabilities, name)]


def _highest(connection: Connection, identity: Identity) -> int:
    """The highest document of a storage that we have met before."""
    return max(connection.execute(select(RECORD.c.document_number).where(
        RECORD.c.storage_number == identity.storage_number)
        .order_by(RECORD.c.document_number.desc()).limit(1)).scalar() or 0,
        connection.execute(select(FOREIGN.c.document_number).where(
            FOREIGN.c.storage_number == identity.storage_number)
            .order_by(FOREIGN.c.document_number.desc()).limit(1)).scalar() or 0)


def new_status(db: Database, owner: Owner, known: Known, status: Status) -> None:
    """Keeps a status; writes only when something that is shown has changed, or every half minute."""
    if known.document < 0:
        # First sight of this storage: a long history before us stays its own, a short one is fetched.
        known.document = 0 if status.last_document <= FETCH_HISTORY else status.last_document
    data = status_json(status)
    signature = str({name: value for name, value in data.items() if name not in ("clock", "shift_seconds")})
    now = utcnow()
    if signature == known.signature and now.second % 30 >= 5:
        return
    known.signature = signature
    values: dict[str, Any] = {"status": data, "status_at": now, "shift_number": status.shift_number,
                              "shift_opened_at": status.shift_opened_at, "trouble": None, "trouble_code": "",
                              "ready": not obstacle(status)}
    if status.storage_documents is not None:
        values["storage_fill"] = status.storage_documents
    if status.blocked is not None:
        values["trouble"] = status.blocked.to_json()

    def work(connection: Connection) -> None:
        connection.execute(update(REGISTER).where(REGISTER.c.id == owner.register_id).values(**values))
        if status.storage_capacity or status.storage_until:
            connection.execute(update(STORAGE).where(STORAGE.c.number == status.storage_number).values(
                capacity=status.storage_capacity, valid_until=status.storage_until))

    db.submit(work)


def trouble(db: Database, register_id: int, reason: Text, code: str) -> None:
    """Why the register does not work, for its card."""
    db.submit(lambda connection: connection.execute(
        update(REGISTER).where(REGISTER.c.id == register_id)
        .values(trouble=reason.to_json(), trouble_code=code[:32], status_at=utcnow(), ready=False)))


# -- why receipts wait -----------------------------------------------------------------------------------------------

NO_REGISTER = Text("No register serves this queue. Add a register, or let one serve the queue.",
                   "Эту очередь не обслуживает ни одна касса. Добавьте кассу или назначьте её очереди.")
PINNED_AWAY = Text("The receipt is bound to register “{title}”, which is paused, taken away, or does not serve this "
                   "queue. Let it go on, or let any register print the receipt.",
                   "Чек закреплён за кассой «{title}», а она на паузе, убрана или не обслуживает эту очередь. "
                   "Включите её или снимите закрепление.")
UNREAD = Text("The database is older than what register “{title}” has printed: a copy was put back. Receipts wait "
              "until the register can be read. Mend it, or pause it: then what it printed meanwhile may come "
              "out again.",
              "База старше того, что напечатала касса «{title}»: её восстановили из копии. Чеки ждут, пока касса не "
              "ответит. Почините её или поставьте на паузу: тогда напечатанное ею за это время может выйти снова.")
NEVER_ANSWERED = Text("The register “{title}” has not answered yet.", "Касса «{title}» ещё не отвечала.")


#: Columns of a receipt that decide which registers it fits; the names are those of hub.fiscal.fit.Asked.
ASKED = ("country", "tax_system", "ffd", "internet", "settlement_place", "marking", "agent_signs", "electronic_only")


def misfit(receipt: Mapping[str, Any], register: Mapping[str, Any]) -> Text | None:
    """Why a register may not print a receipt; None when it may. The same conditions as the claim, in words."""
    identity, title = register["identity"] or {}, register["title"]
    if not identity:
        return NEVER_ANSWERED.with_(title=title)
    wanted = fit.Asked(**{name: receipt[name] for name in ASKED if name in receipt})
    has = fit.Registration(
        title, "", identity.get("tax_systems", 0), identity.get("ffd", ""), identity.get("internet"),
        identity.get("settlement_place", ""), identity.get("marking"), identity.get("agent_signs"),
        tuple(identity.get("countries", ())), identity.get("electronic_only"))
    first = next(fit.of(wanted, has), None)
    return first.text if first is not None else None


def explain_waiting(db: Database, most: int = 200) -> Iterator[tuple[int, Text | None]]:
    """(receipt id, reason) of queued receipts whose reason has changed; None when a register fits."""
    link = table(QueueRegister)
    with db.read() as connection:
        rows = connection.execute(
            select(RECEIPT.c.id, RECEIPT.c.organisation_id, RECEIPT.c.queue_id, RECEIPT.c.misfit,
                   RECEIPT.c.pinned_register_id, REGISTER.c.title.label("pinned_title"),
                   *(RECEIPT.c[name] for name in ASKED))
            .join(REGISTER, REGISTER.c.id == RECEIPT.c.pinned_register_id, isouter=True)
            .where(RECEIPT.c.state == "queued", RECEIPT.c.state_at <= utcnow() - timedelta(seconds=3))
            .order_by(RECEIPT.c.id).limit(most)).mappings().all()
        registers: dict[int, list[Mapping[str, Any]]] = {}
        unread = {row.organisation_id: row.title for row in connection.execute(
            select(REGISTER.c.organisation_id, REGISTER.c.title).where(
                REGISTER.c.unread.is_(True), REGISTER.c.enabled.is_(True), REGISTER.c.archived_at.is_(None)))}
        for row in connection.execute(
                select(link.c.queue_id, REGISTER.c.id, REGISTER.c.identity, REGISTER.c.title)
                .join(REGISTER, REGISTER.c.id == link.c.register_id)
                .where(REGISTER.c.enabled.is_(True), REGISTER.c.archived_at.is_(None))).mappings():
            registers.setdefault(row["queue_id"], []).append(dict(row))
    for receipt in rows:
        pinned = receipt["pinned_register_id"]
        serving = [one for one in registers.get(receipt["queue_id"], []) if pinned in (None, one["id"])]
        reasons = [misfit(dict(receipt), one) for one in serving]
        reason = None if None in reasons else reasons[0] if reasons else \
            NO_REGISTER if pinned is None else PINNED_AWAY.with_(title=receipt["pinned_title"])
        if receipt["organisation_id"] in unread:
            reason = UNREAD.with_(title=unread[receipt["organisation_id"]])
        if (reason.to_json() if reason else None) != receipt["misfit"]:
            yield receipt["id"], reason
