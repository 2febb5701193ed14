"""The drain of notices: a buyer is told about their recorded receipt through a notifier.

A dead service delays nobody but its own notices. A notice that is sent again, because the process died after it was
sent, has the same key: the delivery's public id. The buyer's contact, and sentences that may hold it, never go to logs.
"""

from __future__ import annotations

import textwrap
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from sqlalchemy import and_, select, update

from hub import retry, steps
from hub.bell import Bell
from hub.contracts import NeedsAttention, Notice, Notifier, TryLater
from hub.delivery.rounds import Rounds, Row
from hub.fiscal import Country, FiscalRecord, Kind, Receipt, Text, codec
from hub.fiscal.money import quantity_text
from hub.fiscal.paper import as_text, clean, paper
from hub.intake.sources import validated
from hub.plugins import Catalogue
from hub.store import Database, DatabaseAway, NotifierRow, table, utcnow
from hub.store.receipts import BUYER, DELIVERY, RECEIPT, RECORD, REGISTER, ofd_url, whole_receipt
from hub.store.vault import KeyMissing, Vault

NOTIFIER = table(NotifierRow)
#: What a person must mend is tried again so often.
ATTENTION_SECONDS = 1800.0
#: So many notices in a row that failed mean that the service is down, and not that a mailbox is full.
DOWN = 2
LONGEST_LINE = 160

WHAT: Mapping[Kind, str] = {Kind.SALE: "Чек", Kind.SALE_RETURN: "Чек возврата", Kind.PURCHASE: "Чек выплаты",
                            Kind.PURCHASE_RETURN: "Чек возврата выплаты"}
log = structlog.get_logger("hub.delivery")


def opened(catalogue: Catalogue, plugin: str, settings: Mapping[str, Any]) -> Notifier:
    """A notifier's object. NeedsAttention when it is not installed or its settings are wrong."""
    kind = catalogue.notifiers.get(plugin)
    if kind is None:
        raise NeedsAttention(Text("The plugin “{name}” is not installed or set aside.",
                                  "Плагин «{name}» не установлен или отложен.", params={"name": plugin}))
    return kind(validated(kind, settings))


@dataclass
class _Desk:
    """One notifier in one drain: how often it failed, in all and in a row."""

    row: NotifierRow
    notifier: Notifier
    failures: int
    misses: int = 0


class Letters(Rounds):
    """What all drains of notices share: the notifier of a target, and what becomes of one that fails."""

    def __init__(self, db: Database, bell: Bell, vault: Vault, catalogue: Catalogue, public_url: str) -> None:
        super().__init__(db, bell)
        self.vault, self.catalogue, self.public_url = vault, catalogue, public_url

    @abstractmethod
    def _notice(self, row: Row, notifier: Notifier) -> tuple[str, Notice | str]:
        """What it is about (for the log), and the notice or the reason why there is none."""

    def _teller(self, number: int) -> Callable[[Row], bool] | None:
        with self.db.session() as session:
            row = session.get(NotifierRow, number)
        if row is None:
            return None
        if row.archived_at is not None:
            return self._gone
        if not row.enabled:
            return None
        try:
            notifier = opened(self.catalogue, row.plugin, {**row.settings,
                                                           **self.vault.unseal(row.secrets, row.key_id)})
        except NeedsAttention as problem:
            self._hold(row, row.failures + 1, problem.reason, ATTENTION_SECONDS)
            return None
        except KeyMissing as problem:
            self._hold(row, row.failures + 1, Text(
                "The notifier's secrets cannot be opened: {words}.", "Секреты уведомлений не открыть: {words}.",
                params={"words": str(problem)}), ATTENTION_SECONDS)
            return None
        return partial(self._tell, _Desk(row, notifier, row.failures))

    def _gone(self, row: Row) -> bool:
        self._end(row, "skipped", "the notifier was taken away")
        return True

    # -- one notice ----------------------------------------------------------------------------------------------

    def _tell(self, desk: _Desk, row: Row) -> bool:
        """One notice. False when the service should be left in peace for now."""
        number, notice = self._notice(row, desk.notifier)
        with structlog.contextvars.bound_contextvars(receipt=number, notifier=desk.row.public_id):
            if isinstance(notice, str):
                self._end(row, "skipped", notice)
                return True
            try:
                desk.notifier.send(notice)
            except TryLater as problem:
                return self._failed(desk, row, problem.reason, problem.after)
            except NeedsAttention as problem:
                if problem.field:
                    # A setting is wrong: every other notice would fail alike.
                    desk.misses = DOWN
                    return self._failed(desk, row, problem.reason, ATTENTION_SECONDS)
                # This one address: nobody can mend it, the receipt is recorded.
                self._end(row, "given_up", "", problem.reason)
                log.warning("notice_refused", code=problem.code)
                return True
            except DatabaseAway:
                raise
            except Exception as problem:
                # Neither its words nor its traceback: both may hold the buyer's address.
                log.error("notice_failed", plugin=desk.row.plugin, error=type(problem).__name__)
                return self._failed(desk, row, Text(
                    "The plugin failed while sending: {error}", "Плагин не справился с отправкой: {error}",
                    params={"error": type(problem).__name__}), None)
            steps.at("reported")
            self._sent(desk, row)
            log.info("notice_sent", tries=row["tries"])
            return True

    # -- outcomes ------------------------------------------------------------------------------------------------

    def _sent(self, desk: _Desk, row: Row) -> None:
        now = utcnow()
        desk.misses = desk.failures = 0

        def work(connection: Any) -> None:
            connection.execute(update(self.rows).where(self.rows.c.id == row["id"]).values(
                state="done", done_at=now, claimed_until=None, error=None, note=""))
            connection.execute(update(NOTIFIER).where(NOTIFIER.c.id == desk.row.id).values(
                last_ok_at=now, failures=0, last_error=None))

        self.db.submit(work)
        steps.at("report_kept")

    def _failed(self, desk: _Desk, row: Row, reason: Text, after: float | None) -> bool:
        """Puts one notice off, or gives it up after too many tries; False when the rest waits, too."""
        desk.misses += 1
        desk.failures += 1
        tries = int(row["tries"])
        state = "given_up" if retry.give_up(tries) else "pending"
        log.warning("notice_later", tries=tries)
        self.db.submit(lambda connection: connection.execute(
            update(self.rows).where(self.rows.c.id == row["id"])
            .values(state=state, due_at=utcnow() + retry.delay(tries, after), claimed_until=None,
                    error=reason.to_json())))
        self._hold(desk.row, desk.failures, reason, after, rest=desk.misses >= DOWN)
        return desk.misses < DOWN

    def _hold(self, row: NotifierRow, failures: int, reason: Text, after: float | None, rest: bool = True) -> None:
        """Notes a failure on the notifier's card; with ``rest`` everything that waits for it waits longer."""
        now = utcnow()
        due = now + retry.delay(failures, after)

        def work(connection: Any) -> None:
            connection.execute(update(NOTIFIER).where(NOTIFIER.c.id == row.id).values(
                failures=failures, last_error=reason.to_json(), last_error_at=now))
            if rest:
                connection.execute(update(self.rows).where(
                    self.rows.c.notifier_id == row.id, self.rows.c.state.in_(("pending", "claimed")),
                    self.rows.c.due_at < due).values(due_at=due))

        self.db.submit(work)


class Notices(Letters):
    """Notices to buyers: "notice:<notifier id>"."""

    kind = "notice"

    def _mine(self, number: int) -> Any:
        return and_(DELIVERY.c.notifier_id == number, DELIVERY.c.target == "buyer")

    def _notice(self, row: Row, notifier: Notifier) -> tuple[str, Notice | str]:
        """The receipt's public id, and the notice or the reason why there is none."""
        with self.db.read() as connection:
            found = connection.execute(
                select(RECEIPT.c.public_id, RECEIPT.c.state, RECEIPT.c.document, RECORD.c.document.label("record"),
                       REGISTER.c.identity)
                .join(RECORD, RECORD.c.id == RECEIPT.c.record_id)
                .join(REGISTER, REGISTER.c.id == RECORD.c.register_id, isouter=True)
                .where(RECEIPT.c.id == row["receipt_id"])).mappings().first()
            buyer = connection.execute(select(BUYER).where(BUYER.c.receipt_id == row["receipt_id"])).mappings().first()
        if found is None or found["document"] is None:
            return "", "the receipt is gone"
        contact = str(buyer["contact"]) if buyer is not None else ""
        if not contact:
            return found["public_id"], "the buyer left no contact"
        if not notifier.reaches(contact):
            return found["public_id"], "the buyer's contact is of another kind"
        record = codec.opened(FiscalRecord, found["record"])
        return found["public_id"], notice_of(
            whole_receipt(found["document"], buyer), record, contact, str(row["public_id"]),
            f"{self.public_url}/r/{found['public_id']}",
            ofd_url(found["state"], record, found["document"], found["identity"]))


# -- words -----------------------------------------------------------------------------------------------------------


def notice_of(receipt: Receipt, record: FiscalRecord, to: str, key: str, url: str, ofd: str = "") -> Notice:
    """What a buyer is told, in Russian in both countries (a Kazakh receipt itself is printed in both languages).

    ``ofd`` is the operator's page, empty until the receipt is confirmed: then a Kazakh code, which is that page's
    address, is left out as well, because a letter makes a link of it that leads nowhere yet.
    """
    what, total = WHAT[receipt.kind], record.total.human()
    seller = clean(receipt.seller_name)
    head = f"{what} на {total}" + (f" от {seller}" if seller else "")
    kazakh = receipt.country is Country.KZ
    text = "\n\n".join((
        f"{head}\n{record.printed_at:%d.%m.%Y %H:%M}\n{bought(receipt)}",
        as_text(paper(receipt, record, language="ru", qr=bool(ofd) or not kazakh)).rstrip(),
        f"Этот чек на нашей странице: {url}"
        + (f"\nОн же у оператора фискальных данных: {ofd}" if ofd else "")))
    return Notice(to=to, subject=head, text=text + "\n", key=key, url=url)


def bought(receipt: Receipt) -> str:
    """The names of the lines in one line that fits a phone: ``Кружка × 2; Доставка``."""
    names = (clean(one.name) + (f" × {quantity_text(one.quantity)}" if one.quantity != 1 else "")
             for one in receipt.lines)
    return textwrap.shorten("; ".join(names), LONGEST_LINE, placeholder=" …")
