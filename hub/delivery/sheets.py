"""The drain of sheets: copies of receipts, slips and tests on plain printers. "printer:<printer id>".

What a printer does is never a receipt's business: the fact was recorded before its copy was planned, and a printer that
is switched off for a day holds up nothing but its own sheets. A process that dies while a sheet is being printed prints
it once more: two copies do no harm, none would be missed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection, select, update

from hub import retry, steps
from hub.bell import Bell
from hub.contracts import NeedsAttention, Printer, Sheet, TryLater
from hub.delivery.rounds import Rounds, Row
from hub.dispatch.printing import JOB, PRINTER
from hub.fiscal import Cashier, Country, FiscalRecord, Form, Money, Text, codec, links
from hub.fiscal import paper as papers
from hub.fiscal.levels import Level, resolve
from hub.fiscal.paper_shift import Slip, Till, slip_form
from hub.intake.sources import validated
from hub.plugins import Catalogue
from hub.store import Database, DatabaseAway, Organisation, Picture, Register, SourceRow, fiscal, table, utcnow
from hub.store.receipts import BUYER, RECEIPT, RECORD, REGISTER, whole_receipt
from hub.store.vault import KeyMissing, Vault

log = structlog.get_logger("hub.delivery")
SOURCE, ORGANISATION, PICTURE = table(SourceRow), table(Organisation), table(Picture)

#: A copy that is older than this is of no use to anybody at the counter.
STALE = timedelta(hours=24)
#: What a person must mend is tried again so often; a printer without paper or power sooner: it stands beside them.
ATTENTION_SECONDS, LATER_SECONDS = 600.0, 15.0
MISSING = Text("The plugin “{name}” is not installed or set aside.", "Плагин «{name}» не установлен или отложен.")
TEST = Text("Test print", "Проверка печати")


def opened(catalogue: Catalogue, plugin: str, settings: Mapping[str, Any]) -> Printer:
    """A printer's object. NeedsAttention when it is not installed or its settings are wrong."""
    kind = catalogue.printers.get(plugin)
    if kind is None:
        raise NeedsAttention(MISSING.with_(name=plugin))
    return kind(validated(kind, settings))


class Sheets(Rounds):
    """Sheets of one printer after another, in the order in which they were planned."""

    kind = "printer"
    rows = JOB
    wanted = ("id", "public_id", "organisation_id", "receipt_id", "register_id", "what", "content", "tries",
              "created_at")

    def __init__(self, db: Database, bell: Bell, vault: Vault, catalogue: Catalogue) -> None:
        super().__init__(db, bell)
        self.vault, self.catalogue = vault, catalogue

    def _mine(self, number: int) -> Any:
        return JOB.c.printer_id == number

    def _teller(self, number: int) -> Callable[[Row], bool] | None:
        with self.db.read() as connection:
            row = connection.execute(select(PRINTER).where(PRINTER.c.id == number)).mappings().first()
        if row is None:
            return None
        if row["archived_at"] is not None:
            return self._gone
        if not row["enabled"]:
            return None
        try:
            printer = opened(self.catalogue, row["plugin"], {**row["settings"],
                                                             **self.vault.unseal(row["secrets"], row["key_id"])})
        except NeedsAttention as problem:
            self._hold(number, problem.reason, ATTENTION_SECONDS)
            return None
        except KeyMissing as problem:
            self._hold(number, Text("The printer's secrets cannot be opened: {words}.",
                                    "Секреты принтера не открыть: {words}.", params={"words": str(problem)}),
                       ATTENTION_SECONDS)
            return None
        return partial(self._print, number, printer)

    def _gone(self, row: Row) -> bool:
        self._end(row, "skipped", "the printer was taken away")
        return True

    # -- one sheet -----------------------------------------------------------------------------------------------

    def _print(self, number: int, printer: Printer, row: Row) -> bool:
        """One sheet. False when the printer should be left in peace for now."""
        if utcnow() - row["created_at"] > STALE:
            self._end(row, "given_up", "older than a day")
            return True
        sheet = self._sheet(printer, row)
        if isinstance(sheet, str):
            self._end(row, "skipped", sheet)
            return True
        try:
            printer.print(sheet)
        except TryLater as problem:
            return self._later(number, row, problem.reason, problem.after or LATER_SECONDS)
        except NeedsAttention as problem:
            if problem.field:
                return self._later(number, row, problem.reason, ATTENTION_SECONDS)
            self._end(row, "given_up", "", problem.reason)
            log.warning("sheet_refused", printer=number, code=problem.code)
            return True
        except DatabaseAway:
            raise
        except Exception as problem:
            log.exception("print_failed", printer=number)
            return self._later(number, row, Text(
                "The plugin failed while printing: {error}", "Плагин не справился с печатью: {error}",
                params={"error": type(problem).__name__}), ATTENTION_SECONDS)
        steps.at("reported")
        now = utcnow()

        def work(connection: Connection) -> None:
            connection.execute(update(JOB).where(JOB.c.id == row["id"]).values(
                state="done", done_at=now, claimed_until=None, error=None))
            connection.execute(update(PRINTER).where(PRINTER.c.id == number).values(
                last_ok_at=now, failures=0, last_error=None))

        self.db.submit(work)
        return True

    def _later(self, number: int, row: Row, reason: Text, after: float) -> bool:
        state = "given_up" if retry.give_up(int(row["tries"])) else "pending"
        due = utcnow() + timedelta(seconds=after)
        log.warning("sheet_later", printer=number, tries=row["tries"], reason=str(reason))
        self.db.submit(lambda connection: connection.execute(
            update(JOB).where(JOB.c.id == row["id"])
            .values(state=state, due_at=due, claimed_until=None, error=reason.to_json())))
        self._hold(number, reason, after)
        return False

    def _hold(self, number: int, reason: Text, after: float) -> None:
        """Notes a failure on the printer's card; what waits for it waits longer."""
        now = utcnow()
        due = now + timedelta(seconds=after)

        def work(connection: Connection) -> None:
            connection.execute(update(PRINTER).where(PRINTER.c.id == number).values(
                failures=PRINTER.c.failures + 1, last_error=reason.to_json(), last_error_at=now))
            connection.execute(update(JOB).where(
                JOB.c.printer_id == number, JOB.c.state.in_(("pending", "claimed")), JOB.c.due_at < due)
                .values(due_at=due))

        self.db.submit(work)

    # -- words ---------------------------------------------------------------------------------------------------

    def _sheet(self, printer: Printer, row: Row) -> Sheet | str:
        """The sheet, or why there is none."""
        with self.db.read() as connection:
            if row["what"] == "receipt":
                found = receipt_form(connection, int(row["receipt_id"]))
            else:
                other = _other_form(connection, row)
                found = None if other is None else (other, False)
        if found is None:
            return "there is nothing to print any more"
        form, cash = found
        return Sheet(papers.on(form, printer.columns), str(row["public_id"]), cash, int(row["tries"]))


def receipt_form(connection: Connection, receipt_id: int) -> tuple[papers.Form, bool] | None:
    """What the copy of a recorded receipt says, the same as the page's picture of a copy, and whether it was paid in
    cash; None when it has no record."""
    found = connection.execute(
        select(RECEIPT.c.organisation_id, RECEIPT.c.document, RECEIPT.c.order_number, RECEIPT.c.source_id,
               RECORD.c.document.label("record"), REGISTER.c.identity)
        .join(RECORD, RECORD.c.id == RECEIPT.c.record_id)
        .join(REGISTER, REGISTER.c.id == RECORD.c.register_id, isouter=True)
        .where(RECEIPT.c.id == receipt_id)).mappings().first()
    if found is None or found["document"] is None:
        return None
    buyer = connection.execute(select(BUYER).where(BUYER.c.receipt_id == receipt_id)).mappings().first()
    receipt, record = whole_receipt(found["document"], buyer), codec.opened(FiscalRecord, found["record"])
    identity = found["identity"] or {}
    if not receipt.settlement_place:
        receipt = replace(receipt, settlement_place=str(identity.get("settlement_place") or ""))
    kz, ofd_name = receipt.country is Country.KZ, str(identity.get("ofd_name") or "")
    of = links.operator_of(ofd_name or (record.url if kz else ""))
    extras = papers.Extras(order_number=found["order_number"] if kz else "",
                           ofd_name=ofd_name or (of.name if of else ""), ofd_site=of.site if of else "")
    look = look_of(connection, int(found["organisation_id"]), int(found["source_id"]))
    form = papers.form(receipt, record, language="ru", duplicate=True, look=look, extras=extras)
    cash = any(one.form is Form.CASH and one.amount for one in receipt.payments)
    return form, cash


def look_of(connection: Connection, organisation_id: int, source_id: int | None = None) -> papers.Look:
    """The owner's picture, and the words below a receipt: the source's own win over the organisation's."""
    logo = connection.execute(select(PICTURE.c.content).where(
        PICTURE.c.organisation_id == organisation_id, PICTURE.c.name == "logo")).scalar()
    look = papers.Look(bytes(logo or b""))
    if source_id is None:
        return look
    organisation = connection.execute(select(ORGANISATION).where(
        ORGANISATION.c.id == organisation_id)).mappings().one()
    of_source = connection.execute(select(SOURCE.c.fiscal).where(SOURCE.c.id == source_id)).scalar()
    said = resolve((Level.ORGANISATION, fiscal.of_organisation(dict(organisation))),
                   (Level.SOURCE, fiscal.opened(of_source)))
    return replace(look, below=said.advertising.value)


def _other_form(connection: Connection, row: Row) -> papers.Form | None:
    organisation = connection.execute(select(ORGANISATION).where(
        ORGANISATION.c.id == row["organisation_id"])).mappings().one()
    look = look_of(connection, int(organisation["id"]))
    if row["what"] == "test":
        return test_form(str(organisation["name"]), look)
    register = connection.execute(select(table(Register)).where(
        REGISTER.c.id == row["register_id"])).mappings().first()
    if register is None:
        return None
    return slip_form(slip_of(row["what"], row["content"], organisation["currency"], ZoneInfo(register["zone"])),
                     till_of(dict(organisation), dict(register)), duplicate=True, look=look)


def slip_of(what: Any, content: Mapping[str, Any], currency: str, zone: ZoneInfo) -> Slip:
    """The slip that hub.dispatch.printing planned."""
    def money(name: str) -> Money | None:
        return Money(int(content[name]), currency) if content.get(name) is not None else None

    return Slip(what, datetime.fromisoformat(content["at"]).astimezone(zone), int(content.get("shift") or 0),
                int(content.get("document") or 0), str(content.get("sign") or ""),
                Cashier(str(content.get("cashier") or "")), money("amount"), receipts=content.get("receipts"),
                sales=money("sales"), returns=money("returns"), cash_in_drawer=money("cash"),
                cumulative=money("cumulative"))


def till_of(organisation: Mapping[str, Any], register: Mapping[str, Any]) -> Till:
    """Whose register it is, for the head of a slip."""
    identity = register["identity"] or {}
    return Till(Country(organisation["country"]), organisation["name"], organisation["tax_id"],
                register["serial"] or "", str(identity.get("registration_number") or ""), register["storage_number"],
                "", str(identity.get("settlement_place") or ""), str(identity.get("ofd_name") or ""))


def test_form(organisation: str, look: papers.Look) -> papers.Form:
    """A sheet that shows whether every letter, the width, the code and the picture come out right."""
    from hub.fiscal.paper_rows import Centred, Gap, Logo, Pair, QrCode, Rule, Words

    blocks: list[Any] = [Logo(look.logo)] if look.logo else []
    blocks += [
        Centred((organisation,)), Centred((TEST.ru.upper(),), bold=True), Rule(),
        Words("АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ"), Words("абвгдеёжзийклмнопрстуфхцчшщъыьэюя"),
        Words("ӘҒҚҢӨҰҮҺІ әғқңөұүһі"), Words("«Ёлка» № 5 — 1 480,00 ₽ × 2 ½"), Rule(),
        Pair("Жирная строка", "=0.00", bold=True), Pair("ИТОГ", "=1480.00", bold=True, double=True), Gap(),
        QrCode("https://kassahub.example/test"), Words("Чек с таким кодом есть только здесь: это проверка.")]
    return papers.Form(tuple(blocks), "ru", TEST.ru)
