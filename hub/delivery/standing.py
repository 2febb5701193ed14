"""What stands wrong with registers, sources and receipts now: computed from the rows, never remembered by whoever saw
it happen, so a process that dies between two looks has forgotten nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, func, select

from hub.contracts import Status
from hub.fiscal import Text
from hub.registers.health import status_of
from hub.registers.shifts import LONGEST, age
from hub.registers.storage import OF_LIFE, OFD_LIMIT, STORAGE_NOW, STORAGE_SOON, WARNINGS, forecast, ofd_step
from hub.store import Alarm, Evidence, Organisation, QueueRegister, ReceiptRow, Register, SourceRow, table

_register, _receipt, _source = table(Register), table(ReceiptRow), table(SourceRow)
_organisation, _evidence, _serves = table(Organisation), table(Evidence), table(QueueRegister)
_alarm = table(Alarm)

#: States of a receipt that a register still has to print.
WAITING = ("accepted", "queued", "printing")
#: A register whose worker is gone says nothing at all; its owner looks every few seconds.
UNHEARD = timedelta(minutes=3)

Level = Literal["amber", "red"]

#: Kinds a person may mute, with what the page calls them.
KINDS: Mapping[str, Text] = {
    "register_off": Text("The register does not answer", "Касса не отвечает"),
    "register_stuck": Text("The register needs a person", "Кассе нужен человек"),
    "register_alarm": Text("Figures contradict each other: a Z report, a second document",
                           "Цифры расходятся: Z-отчёт, второй документ"),
    "no_paper": Text("No paper, or the cover is open", "Нет бумаги или открыта крышка"),
    "shift_over": Text("A shift is longer than 24 hours", "Смена длиннее 24 часов"),
    "ofd_queue": Text("Receipts do not reach the OFD", "Чеки не доходят до ОФД"),
    "storage_life": Text("The fiscal storage comes to its end", "Фискальный накопитель кончается"),
    "late": Text("A receipt is late, or will be in a moment", "Чек опаздывает или вот-вот опоздает"),
    "uncertain": Text("It is unknown whether a receipt was printed", "Неизвестно, пробит ли чек"),
    "refused": Text("A receipt was refused or has an error", "Чек отклонён или в нём ошибка"),
    "source_failing": Text("A connection fails", "Подключение не работает"),
    "no_receipts": Text("No receipts for three days", "Три дня нет чеков"),
}

SILENT = timedelta(hours=72)
#: A failing source is an alarm after so many failures in a row.
FAILURES = 3
#: People are told of a receipt that waits when so little of its time is left: a register needs seconds, so whatever
#: still waits then waits for somebody. Of a short time, at most so much of it.
SOON, SOON_SHARE = timedelta(minutes=2), 0.4
#: Refused receipts of an organisation of which each is told; the page shows all.
EACH = 200
#: Rows that are read at a time where they may be many.
PIECE = 200

@dataclass(frozen=True, slots=True)
class Standing:
    """One condition that holds now. ``subject`` is a public id, with a step where a worsening is told again."""

    organisation_id: int
    kind: str
    subject: str
    level: Level
    words: Text


# -- what is wrong ---------------------------------------------------------------------------------------------------


def standing(connection: Connection, now: datetime, last: Mapping[int, datetime],
             paces: Mapping[int, float | None] | None = None) -> list[Standing]:
    """Every condition that holds now, of all organisations. ``last`` is each register's newest record's time,
    ``paces`` the documents a day of each register's storage."""
    return [*_registers(connection, now, last, paces or {}), *_contradictions(connection),
            *_receipts(connection, now), *_sources(connection)]


def _registers(connection: Connection, now: datetime, last: Mapping[int, datetime],
               paces: Mapping[int, float | None]) -> Iterator[Standing]:
    rows = connection.execute(
        select(_register, _organisation.c.country)
        .join(_organisation, _organisation.c.id == _register.c.organisation_id)
        .where(_register.c.archived_at.is_(None), _organisation.c.archived_at.is_(None))).mappings().all()
    # A spare that prints nothing for days is as it should be.
    usual = set(connection.execute(select(_serves.c.register_id).where(_serves.c.after_seconds == 0)).scalars())
    for row in rows:
        one = _Watched(dict(row), now, last.get(row["id"]), paces.get(row["id"]), row["id"] in usual)
        status = status_of(row["status"])
        if row["enabled"]:
            yield from _register_of(one)
        elif status is not None:
            # Nobody looks at it, but its shift grows old all the same.
            yield from _shift(one, status)


@dataclass(frozen=True, slots=True)
class _Watched:
    """A register's row with what is known beside it."""

    row: Mapping[str, Any]
    now: datetime
    last: datetime | None
    pace: float | None
    usual: bool

    def one(self, kind: str, level: Level, en: str, ru: str, step: object = "", **params: Any) -> Standing:
        """A condition of this register."""
        subject = f"{self.row['public_id']}{f':{step}' if step != '' else ''}"
        return Standing(self.row["organisation_id"], kind, subject, level,
                        Text(en, ru, params={"title": self.row["title"], **params}))


def _register_of(one: _Watched) -> Iterator[Standing]:
    row = one.row
    status = status_of(row["status"])
    if row["alarm"]:
        yield one.one("register_alarm", "red", "Register “{title}”: {words}", "Касса «{title}»: {words}",
                      words=Text.from_json(row["alarm"]))
    if status is not None and (status.paper is False or bool(status.cover_open)):
        yield one.one("no_paper", "red", "Register “{title}” has no paper or its cover is open. Receipts wait.",
                      "В кассе «{title}» нет бумаги или открыта крышка. Чеки ждут.")
    elif row["trouble"]:
        kind = "register_stuck" if status is not None and status.blocked is not None else "register_off"
        yield one.one(kind, "red", "Register “{title}”: {words}", "Касса «{title}»: {words}",
                      words=Text.from_json(row["trouble"]))
    elif row["status_at"] is not None and one.now - row["status_at"] > UNHEARD and (
            row["lease_until"] is None or row["lease_until"] < one.now):
        yield one.one("register_off", "red", "Nobody has heard of register “{title}” for {minutes} min. Is the hub's "
                      "worker running where the register stands?", "О кассе «{title}» ничего не слышно {minutes} мин. "
                      "Работает ли хаб там, где стоит касса?",
                      minutes=int((one.now - row["status_at"]).total_seconds() // 60))
    if status is not None:
        yield from _shift(one, status)
        yield from _ofd(one, status)
        yield from _storage(one, status)
    since = one.last or row["created_at"]
    if one.usual and one.now - since > SILENT:
        yield one.one("no_receipts", "amber", "Register “{title}” has printed no receipt for {days} days. Are payments "
                      "coming in?", "Касса «{title}» не пробивала чеков дней: {days}. Оплаты приходят?",
                      days=(one.now - since).days)


def _shift(one: _Watched, status: Status) -> Iterator[Standing]:
    """A shift goes on growing old while its register does not answer."""
    seconds, at = age(status), one.row["status_at"]
    if seconds is None:
        return
    counts = one.row["country"] != "KZ" or seconds > 0
    silent = (one.now - at).total_seconds() if at is not None and counts else 0.0
    if seconds + max(0.0, silent) >= LONGEST:
        yield one.one("shift_over", "red", "The shift of register “{title}” is over 24 hours old; it prints nothing "
                      "until it is closed.", "Смене кассы «{title}» больше 24 часов: пока её не закроют, чеков не "
                      "будет.")


def _ofd(one: _Watched, status: Status) -> Iterator[Standing]:
    country = one.row["country"]
    if status.ofd_unsent and status.ofd_oldest is not None:
        age_ = one.now - status.ofd_oldest
        steps = ofd_step(country, age_)
        level: Level = "red" if steps > 1 else "amber"
        if steps and country == "KZ":
            left = max(timedelta(0), OFD_LIMIT["KZ"] - age_)
            yield one.one("ofd_queue", level, "Register “{title}” has been without the OFD for {hours} h; in {left} h "
                          "it stops. Unsent: {n}. Look at its Internet connection.",
                          "Касса «{title}» без ОФД уже {hours} ч; через {left} ч она остановится. Не отправлено: {n}. "
                          "Проверьте её интернет.", hours=int(age_.total_seconds() // 3600),
                          left=int(left.total_seconds() // 3600), n=status.ofd_unsent, step=steps)
        elif steps:
            left = max(timedelta(0), OFD_LIMIT["RU"] - age_)
            yield one.one("ofd_queue", level, "Register “{title}” has sent nothing to the OFD for {days} days; in "
                          "{left} days it stops. Unsent: {n}. Look at its Internet connection.",
                          "Касса «{title}» не передаёт чеки в ОФД дней: {days}; через {left} дн. она остановится. "
                          "Не отправлено: {n}. Проверьте её интернет.", days=age_.days, left=left.days,
                          n=status.ofd_unsent, step=steps)
    if "ofd_late" in status.warnings:
        yield one.one("ofd_queue", "red", "Register “{title}”: {words}", "Касса «{title}»: {words}",
                      words=WARNINGS["ofd_late"], step="warning")


def _storage(one: _Watched, status: Status) -> Iterator[Standing]:
    """Its term, its memory, the pace at which it fills, and what it says itself."""
    now = one.now
    if status.storage_until is not None and (left := status.storage_until - now) < STORAGE_SOON:
        urgent = left < STORAGE_NOW
        yield one.one("storage_life", "red" if urgent else "amber",
                      "The fiscal storage of register “{title}” has {days} days left. Order a new one.",
                      "Накопителю кассы «{title}» осталось дней: {days}. Закажите новый.", days=max(left.days, 0),
                      step="3" if urgent else "30")
    if status.storage_documents and status.storage_capacity:
        share = status.storage_documents * 100 // status.storage_capacity
        seen = forecast(status.storage_documents, status.storage_capacity, status.storage_until, one.pace, now)
        if share >= 90:
            yield one.one("storage_life", "red" if share >= 99 else "amber",
                          "The fiscal storage of register “{title}” is {share} % full. Order a new one.",
                          "Накопитель кассы «{title}» заполнен на {share} %. Закажите новый.", share=share,
                          step="full" if share >= 99 else "filling")
        elif seen.full_on is not None and seen.full_on - now < STORAGE_SOON:
            yield one.one("storage_life", "amber",
                          "The fiscal storage of register “{title}” takes {pace} documents a day and will be full in "
                          "{days} days. Order a new one.",
                          "Накопитель кассы «{title}» получает документов в день: {pace}, и заполнится через {days} "
                          "дн. Закажите новый.", pace=round(seen.per_day or 0), days=(seen.full_on - now).days,
                          step="pace")
    for name in OF_LIFE:
        if name in status.warnings:
            yield one.one("storage_life", "red" if name == "replace_now" else "amber", "Register “{title}”: {words}",
                          "Касса «{title}»: {words}", words=WARNINGS[name], step=name)


def _contradictions(connection: Connection) -> Iterator[Standing]:
    """Evidence that nobody has settled: a Z whose total does not follow, two documents for one receipt. What people
    were told of stays; with new ones up to ``EACH`` of an organisation."""
    told = select(_alarm.c.id).where(
        _alarm.c.organisation_id == _evidence.c.organisation_id, _alarm.c.kind == "register_alarm",
        _alarm.c.subject == _evidence.c.public_id, _alarm.c.cleared_at.is_(None)).exists()
    found: list[Any] = []
    for organisation_id in connection.execute(select(_organisation.c.id)).scalars().all():
        mine = select(_evidence.c.organisation_id, _evidence.c.public_id, _evidence.c.what, _register.c.title) \
            .join(_register, _register.c.id == _evidence.c.register_id, isouter=True) \
            .where(_evidence.c.organisation_id == organisation_id, _evidence.c.settled_at.is_(None))
        stand = connection.execute(mine.where(told)).all()
        found += stand
        if len(stand) < EACH:
            found += connection.execute(mine.where(~told).order_by(_evidence.c.id.desc())
                                        .limit(EACH - len(stand))).all()
    for row in found:
        z = row.what == "cumulative_differs"
        yield Standing(row.organisation_id, "register_alarm", row.public_id, "red", Text(
            "The Z report of register “{title}” does not follow from the one before. Compare them."
            if z else "Figures of register “{title}” contradict ours. Compare them on the page Today.",
            "Z-отчёт кассы «{title}» не сходится с прошлым. Сверьте их." if z else
            "Цифры кассы «{title}» расходятся с нашими. Сверьте их на странице «Сегодня».",
            params={"title": row.title or "—"}))


def _receipts(connection: Connection, now: datetime) -> Iterator[Standing]:
    late = connection.execute(
        select(_receipt.c.organisation_id, func.count(), func.min(_receipt.c.deadline))
        .where(_receipt.c.state.in_(WAITING), _receipt.c.deadline <= now)
        .group_by(_receipt.c.organisation_id)).all()
    for organisation_id, count, first in late:
        yield Standing(organisation_id, "late", "receipts", "red", Text(
            "Receipts that are late: {n}, the oldest by {minutes} min. Look whether the registers answer.",
            "Опаздывают чеки: {n}, самый старый на {minutes} мин. Проверьте, отвечают ли кассы.",
            params={"n": count, "minutes": int((now - first).total_seconds() // 60)}))
    yield from _soon(connection, now)
    for organisation_id, public_id, state, number, key in _wrong(connection):
        doubt = state == "uncertain"
        yield Standing(organisation_id, "uncertain" if doubt else "refused", public_id, "red", Text(
            "It is unknown whether the receipt of order {order} was printed. Compare it with the register."
            if doubt else "There is no receipt for order {order}: it needs a person.",
            "Неизвестно, пробит ли чек заказа {order}. Сверьте его с кассой."
            if doubt else "У заказа {order} нет чека: нужно решение человека.", params={"order": number or key}))


#: States of a receipt that wait for a person, by the kind of their alarm.
_DOUBT, _NO = ("uncertain",), ("refused", "invalid")


def _wrong(connection: Connection) -> Iterator[Any]:
    """Receipts that need a person. What people were told of stays as long as it is so, however many came since: each
    doubt, and of the others those that stand, with new ones up to ``EACH`` of an organisation."""
    columns = (_receipt.c.organisation_id, _receipt.c.public_id, _receipt.c.state, _receipt.c.order_number,
               _receipt.c.source_key)
    told = select(_alarm.c.id).where(
        _alarm.c.organisation_id == _receipt.c.organisation_id, _alarm.c.kind == "refused",
        _alarm.c.subject == _receipt.c.public_id, _alarm.c.cleared_at.is_(None)).exists()
    for organisation_id in connection.execute(select(_organisation.c.id)).scalars().all():
        mine = select(*columns).where(_receipt.c.organisation_id == organisation_id)
        yield from connection.execute(mine.where(_receipt.c.state.in_(_DOUBT)).order_by(_receipt.c.id)).all()
        stand = connection.execute(mine.where(_receipt.c.state.in_(_NO), told)).all()
        yield from stand
        if len(stand) < EACH:
            yield from connection.execute(mine.where(_receipt.c.state.in_(_NO), ~told).order_by(
                _receipt.c.id.desc()).limit(EACH - len(stand))).all()


def _soon(connection: Connection, now: datetime) -> Iterator[Standing]:
    """Receipts that will be late in a moment: the time in which a person may still mend it. Read piece by piece: after
    an outage they may be thousands."""
    near: dict[int, tuple[int, datetime]] = {}
    for row in connection.execute(
            select(_receipt.c.organisation_id, _receipt.c.deadline, _receipt.c.queued_at, _receipt.c.created_at)
            .where(_receipt.c.state.in_(WAITING), _receipt.c.deadline > now, _receipt.c.deadline <= now + SOON)
            .execution_options(yield_per=PIECE)):
        if row.deadline - now <= SOON_SHARE * (row.deadline - (row.queued_at or row.created_at)):
            count, first = near.get(row.organisation_id, (0, row.deadline))
            near[row.organisation_id] = count + 1, min(first, row.deadline)
    for organisation_id, (count, first) in near.items():
        yield Standing(organisation_id, "late", "receipts:soon", "amber", Text(
            "Receipts that will be late in a moment: {n}, the first in {seconds} s. There is still time: look whether "
            "the registers answer and have paper.",
            "Вот-вот опоздают чеки: {n}, первый через {seconds} с. Время ещё есть: проверьте, отвечают ли кассы и есть "
            "ли бумага.", params={"n": count, "seconds": int((first - now).total_seconds())}))


def _sources(connection: Connection) -> Iterator[Standing]:
    for row in connection.execute(select(
            _source.c.organisation_id, _source.c.public_id, _source.c.title, _source.c.last_error)
            .where(_source.c.enabled.is_(True), _source.c.archived_at.is_(None),
                   _source.c.failures >= FAILURES)).all():
        yield Standing(row.organisation_id, "source_failing", row.public_id, "red", Text(
            "The connection “{title}” fails: {words}", "Подключение «{title}» не работает: {words}",
            params={"title": row.title, "words": Text.from_json(row.last_error) if row.last_error else ""}))
