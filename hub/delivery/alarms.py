"""Alarms: what stands wrong, told to people once when it is lost and once when it is back.

The ticker looks every few seconds. What is wrong is computed from the rows, never remembered by whoever saw it
happen: a process that dies between two looks has forgotten nothing. A condition must stand for a while before it is
raised, so that a cable that is moved wakes nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, and_, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.bell import Bell
from hub.fiscal import Text
from hub.registers.health import status_of
from hub.registers.shifts import LONGEST
from hub.store import (
    Alarm,
    AlarmNotice,
    Database,
    NotifierRow,
    Organisation,
    ReceiptRow,
    Record,
    Register,
    SourceRow,
    Watcher,
    new_public_id,
    table,
    utcnow,
)

ALARM, NOTICE, WATCHER = table(Alarm), table(AlarmNotice), table(Watcher)
_register, _receipt, _record, _source = table(Register), table(ReceiptRow), table(Record), table(SourceRow)
_organisation, _notifier = table(Organisation), table(NotifierRow)

Level = Literal["amber", "red"]

#: Kinds a person may mute, with what the page calls them.
KINDS: Mapping[str, Text] = {
    "register_off": Text("The register does not answer", "Касса не отвечает"),
    "register_stuck": Text("The register needs a person", "Кассе нужен человек"),
    "register_alarm": Text("The register's figures contradict ours", "Цифры кассы расходятся с нашими"),
    "no_paper": Text("No paper, or the cover is open", "Нет бумаги или открыта крышка"),
    "shift_over": Text("A shift is longer than 24 hours", "Смена длиннее 24 часов"),
    "ofd_queue": Text("Receipts do not reach the OFD", "Чеки не доходят до ОФД"),
    "storage_life": Text("The fiscal storage comes to its end", "Фискальный накопитель кончается"),
    "late": Text("A receipt is late", "Чек опаздывает"),
    "uncertain": Text("It is unknown whether a receipt was printed", "Неизвестно, пробит ли чек"),
    "refused": Text("A receipt was refused or has an error", "Чек отклонён или в нём ошибка"),
    "source_failing": Text("A connection fails", "Подключение не работает"),
    "no_receipts": Text("No receipts for three days", "Три дня нет чеков"),
}

#: How long a condition stands before people are told.
GRACE = {"register_off": timedelta(minutes=2), "source_failing": timedelta(minutes=10),
         "no_paper": timedelta(seconds=30), "register_stuck": timedelta(minutes=1), "late": timedelta(0)}
SILENT = timedelta(hours=72)
#: A failing source is an alarm after so many failures in a row.
FAILURES = 3
#: Days without the OFD: a storage blocks after 30 (fiscal-domain §8). Kazakhstan: 72 hours (webkassa §9, §11).
OFD_DAYS = (3, 20, 25)
OFD_HOURS_KZ = (24, 48, 66)


@dataclass(frozen=True, slots=True)
class Standing:
    """One condition that holds now. ``subject`` is a public id, with a step where a worsening is told again."""

    organisation_id: int
    kind: str
    subject: str
    level: Level
    words: Text


# -- what is wrong ---------------------------------------------------------------------------------------------------


def standing(connection: Connection, now: datetime, last: Mapping[int, datetime]) -> list[Standing]:
    """Every condition that holds now, of all organisations. ``last`` is each register's newest record's time."""
    return [*_registers(connection, now, last), *_receipts(connection, now), *_sources(connection)]


def _registers(connection: Connection, now: datetime, last: Mapping[int, datetime]) -> Iterator[Standing]:
    rows = connection.execute(
        select(_register, _organisation.c.country)
        .join(_organisation, _organisation.c.id == _register.c.organisation_id)
        .where(_register.c.archived_at.is_(None), _organisation.c.archived_at.is_(None),
               _register.c.enabled.is_(True))).mappings().all()
    for row in rows:
        yield from _register_of(dict(row), now, last.get(row["id"]))


def _register_of(row: Mapping[str, Any], now: datetime, last: datetime | None) -> Iterator[Standing]:
    def one(kind: str, level: Level, en: str, ru: str, step: object = "", **params: Any) -> Standing:
        subject = f"{row['public_id']}{f':{step}' if step != '' else ''}"
        return Standing(row["organisation_id"], kind, subject, level,
                        Text(en, ru, params={"title": row["title"], **params}))

    status = status_of(row["status"])
    stuck = status is not None and (status.paper is False or bool(status.cover_open))
    if row["alarm"]:
        yield one("register_alarm", "red", "Register “{title}”: {words}", "Касса «{title}»: {words}",
                  words=Text.from_json(row["alarm"]))
    if stuck:
        yield one("no_paper", "red", "Register “{title}” has no paper or its cover is open. Receipts wait.",
                  "В кассе «{title}» нет бумаги или открыта крышка. Чеки ждут.")
    elif row["trouble"]:
        kind = "register_stuck" if status is not None and status.blocked is not None else "register_off"
        yield one(kind, "red", "Register “{title}”: {words}", "Касса «{title}»: {words}",
                  words=Text.from_json(row["trouble"]))
    if status is None:
        return
    if status.shift_open and (status.shift_seconds or 0) >= LONGEST:
        yield one("shift_over", "red", "The shift of register “{title}” is over 24 hours old; it prints nothing until "
                  "it is closed.", "Смене кассы «{title}» больше 24 часов: пока её не закроют, чеков не будет.")
    yield from _ofd(row, status.ofd_unsent, status.ofd_oldest, now, one)
    if status.storage_until is not None and (left := (status.storage_until - now).days) < 30:
        yield one("storage_life", "red" if left < 3 else "amber",
                  "The fiscal storage of register “{title}” has {days} days left. Order a new one.",
                  "Накопителю кассы «{title}» осталось дней: {days}. Закажите новый.", days=max(left, 0),
                  step="3" if left < 3 else "30")
    if status.storage_documents and status.storage_capacity:
        share = status.storage_documents * 100 // status.storage_capacity
        if share >= 90:
            yield one("storage_life", "red" if share >= 99 else "amber",
                      "The fiscal storage of register “{title}” is {share} % full. Order a new one.",
                      "Накопитель кассы «{title}» заполнен на {share} %. Закажите новый.", share=share,
                      step="full" if share >= 99 else "filling")
    if last is not None and now - last > SILENT:
        yield one("no_receipts", "amber", "Register “{title}” has printed no receipt for {days} days. Are payments "
                  "coming in?", "Касса «{title}» не пробивала чеков дней: {days}. Оплаты приходят?",
                  days=(now - last).days)


def _ofd(row: Mapping[str, Any], unsent: int | None, oldest: datetime | None, now: datetime,
         one: Any) -> Iterator[Standing]:
    if not unsent or oldest is None:
        return
    age = now - oldest
    if row["country"] == "KZ":
        passed = [hours for hours in OFD_HOURS_KZ if age >= timedelta(hours=hours)]
        if passed:
            yield one("ofd_queue", "amber" if passed[-1] == OFD_HOURS_KZ[0] else "red",
                      "Register “{title}” has been without the OFD for {hours} h; after 72 h it stops. Unsent: {n}.",
                      "Касса «{title}» без ОФД уже {hours} ч; через 72 ч она остановится. Не отправлено: {n}.",
                      hours=int(age.total_seconds() // 3600), n=unsent, step=passed[-1])
        return
    passed = [days for days in OFD_DAYS if age >= timedelta(days=days)]
    if passed:
        yield one("ofd_queue", "amber" if passed[-1] == OFD_DAYS[0] else "red",
                  "Register “{title}” has sent nothing to the OFD for {days} days; after 30 days it stops. "
                  "Unsent: {n}.",
                  "Касса «{title}» не передаёт чеки в ОФД дней: {days}; через 30 дней она остановится. "
                  "Не отправлено: {n}.", days=age.days, n=unsent, step=passed[-1])


def _receipts(connection: Connection, now: datetime) -> Iterator[Standing]:
    late = connection.execute(
        select(_receipt.c.organisation_id, func.count(), func.min(_receipt.c.deadline))
        .where(_receipt.c.state.in_(("accepted", "queued", "printing")), _receipt.c.deadline < now)
        .group_by(_receipt.c.organisation_id)).all()
    for organisation_id, count, first in late:
        yield Standing(organisation_id, "late", "receipts", "red", Text(
            "Receipts that are late: {n}, the oldest by {minutes} min. Look whether the registers answer.",
            "Опаздывают чеки: {n}, самый старый на {minutes} мин. Проверьте, отвечают ли кассы.",
            params={"n": count, "minutes": int((now - first).total_seconds() // 60)}))
    wrong = connection.execute(
        select(_receipt.c.organisation_id, _receipt.c.public_id, _receipt.c.state, _receipt.c.order_number,
               _receipt.c.source_key)
        .where(_receipt.c.state.in_(("uncertain", "refused", "invalid"))).order_by(_receipt.c.id.desc())
        .limit(200)).all()
    for organisation_id, public_id, state, number, key in wrong:
        doubt = state == "uncertain"
        yield Standing(organisation_id, "uncertain" if doubt else "refused", public_id, "red", Text(
            "It is unknown whether the receipt of order {order} was printed. Compare it with the register."
            if doubt else "There is no receipt for order {order}: it needs a person.",
            "Неизвестно, пробит ли чек заказа {order}. Сверьте его с кассой."
            if doubt else "У заказа {order} нет чека: нужно решение человека.", params={"order": number or key}))


def _sources(connection: Connection) -> Iterator[Standing]:
    for row in connection.execute(select(
            _source.c.organisation_id, _source.c.public_id, _source.c.title, _source.c.last_error)
            .where(_source.c.enabled.is_(True), _source.c.archived_at.is_(None),
                   _source.c.failures >= FAILURES)).all():
        yield Standing(row.organisation_id, "source_failing", row.public_id, "red", Text(
            "The connection “{title}” fails: {words}", "Подключение «{title}» не работает: {words}",
            params={"title": row.title, "words": Text.from_json(row.last_error) if row.last_error else ""}))


# -- raising and clearing --------------------------------------------------------------------------------------------


class Watch:
    """Compares what stands with what was known; opens, raises and clears alarms, and plans the notices."""

    def __init__(self, db: Database, bell: Bell) -> None:
        self.db, self.bell = db, bell
        #: Each register's newest record, and the id up to which the records were read: each is read once.
        self._last: dict[int, datetime] = {}
        self._read = 0

    def _newest(self, connection: Connection) -> Mapping[int, datetime]:
        for register_id, at, number in connection.execute(
                select(_record.c.register_id, func.max(_record.c.created_at), func.max(_record.c.id))
                .where(_record.c.id > self._read).group_by(_record.c.register_id)).all():
            self._last[register_id] = at
            self._read = max(self._read, number)
        return self._last

    def look(self) -> int:
        """One look; how many alarms changed. Dying before the commit: the next look sees the same and does it then."""
        now = utcnow()
        with self.db.read() as connection:
            held = standing(connection, now, self._newest(connection))
            open_ = [dict(row) for row in connection.execute(
                select(ALARM).where(ALARM.c.cleared_at.is_(None))).mappings().all()]
            unwatched = not connection.execute(select(WATCHER.c.id).limit(1)).first()
        known = {(row["organisation_id"], row["kind"], row["subject"]): row for row in open_}
        now_held = {(one.organisation_id, one.kind, one.subject): one for one in held}
        fresh = [one for key, one in now_held.items() if key not in known]
        ripe = [row for key, row in known.items() if key in now_held and row["raised_at"] is None
                and now - row["since"] >= GRACE.get(row["kind"], timedelta(0))]
        over = [row for key, row in known.items() if key not in now_held]
        #: What only went on to its next step (20 days instead of 3) is not told as over.
        worse = {(one.organisation_id, one.kind, one.subject.partition(":")[0]) for one in held}
        if not fresh and not ripe and not over:
            return 0
        rung: set[int] = set()

        def work(connection: Connection) -> None:
            rung.clear()
            for one in fresh:
                _open(connection, one, now)
            for row in ripe:
                raised = connection.execute(update(ALARM).where(
                    ALARM.c.id == row["id"], ALARM.c.raised_at.is_(None), ALARM.c.cleared_at.is_(None))
                    .values(raised_at=now)).rowcount
                if raised and not unwatched:
                    rung.update(_tell(connection, row, "raised", now))
            for row in over:
                cleared = connection.execute(update(ALARM).where(
                    ALARM.c.id == row["id"], ALARM.c.cleared_at.is_(None)).values(cleared_at=now)).rowcount
                moved = (row["organisation_id"], row["kind"], row["subject"].partition(":")[0]) in worse
                if cleared and row["raised_at"] is not None and not moved and not unwatched:
                    rung.update(_tell(connection, row, "cleared", now))

        self.db.submit(work)
        for notifier_id in rung:
            self.bell.ring("jobs", f"alarm:{notifier_id}")
        return len(fresh) + len(ripe) + len(over)


def _open(connection: Connection, one: Standing, now: datetime) -> None:
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(dialect.insert(ALARM).values(
        organisation_id=one.organisation_id, kind=one.kind, subject=one.subject, level=one.level,
        words=one.words.to_json(), since=now, public_id=new_public_id("alm"), created_at=now, row_version=1)
        .on_conflict_do_nothing(index_elements=["organisation_id", "kind", "subject"],
                                index_where=ALARM.c.cleared_at.is_(None)))


def _tell(connection: Connection, row: Mapping[str, Any], about: str, now: datetime) -> Iterable[int]:
    """Plans a notice for each person who wants this kind. Whoever had not yet been told of the loss is told of
    neither."""
    people = connection.execute(
        select(WATCHER, _organisation.c.zone)
        .join(_notifier, and_(_notifier.c.id == WATCHER.c.notifier_id, _notifier.c.archived_at.is_(None)))
        .join(_organisation, _organisation.c.id == WATCHER.c.organisation_id)
        .where(WATCHER.c.organisation_id == row["organisation_id"], WATCHER.c.archived_at.is_(None))).mappings().all()
    rung: set[int] = set()
    for person in people:
        if row["kind"] in (person["muted"] or ()):
            continue
        if about == "cleared":
            waiting = connection.execute(update(NOTICE).where(
                NOTICE.c.alarm_id == row["id"], NOTICE.c.watcher_id == person["id"], NOTICE.c.about == "raised",
                NOTICE.c.state == "pending", NOTICE.c.tries == 0)
                .values(state="skipped", done_at=now)).rowcount
            told = connection.execute(select(NOTICE.c.id).where(
                NOTICE.c.alarm_id == row["id"], NOTICE.c.watcher_id == person["id"],
                NOTICE.c.about == "raised", NOTICE.c.state != "skipped")).first()
            if waiting or told is None:
                continue
        connection.execute(insert(NOTICE).values(
            organisation_id=row["organisation_id"], alarm_id=row["id"], watcher_id=person["id"],
            notifier_id=person["notifier_id"], about=about, state="pending", tries=0,
            due_at=after_quiet(now, person["quiet_from"], person["quiet_until"], ZoneInfo(person["zone"])),
            public_id=new_public_id("aln"), created_at=now, row_version=1))
        rung.add(int(person["notifier_id"]))
    return rung


def after_quiet(now: datetime, begin: int, end: int, zone: ZoneInfo) -> datetime:
    """``now``, or the end of the quiet hours it falls into. ``begin`` and ``end`` are minutes of the local day; a
    night goes over midnight; equal means no quiet hours."""
    if begin == end:
        return now
    local = now.astimezone(zone)
    minute = local.hour * 60 + local.minute
    quiet = begin <= minute < end if begin < end else minute >= begin or minute < end
    if not quiet:
        return now
    over = local.replace(hour=end // 60, minute=end % 60, second=0, microsecond=0)
    if over <= local:
        over += timedelta(days=1)
    return over.astimezone(now.tzinfo)
