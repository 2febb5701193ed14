"""``hub doctor``: what is wrong and how to mend it, in sentences; for people and, with ``--json``, for programs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import func, select

from hub.bell import bell_for
from hub.config import Config
from hub.fiscal import Text
from hub.intake.spool import Spool
from hub.ladder import server_binary
from hub.plugins import discover
from hub.store import Database, DatabaseAway, Delivery, Evidence, ReceiptRow, Register, SourceRow, schema, utcnow
from hub.store.vault import KeyMissing, Vault

Level = Literal["good", "warning", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``way_out`` is what to do when it is not good."""

    what: str
    level: Level
    text: Text
    way_out: Text | None = None


def examine(config: Config) -> list[Finding]:
    """Looks at everything that can be looked at; never raises for what it finds."""
    found = [_python(), *_plugins(config), *_bell(config), *_disk(config)]
    vault: Vault | None = None
    file = config.data_dir / "hub.db"
    if not config.key_file.exists() and (not config.is_sqlite or not file.exists()):
        return [*found, Finding("installation", "bad", Text(
            "There is no hub in {folder}: neither its key file nor its database.",
            "В {folder} хаба нет: ни файла ключа, ни базы.", params={"folder": config.data_dir}), Text(
            "Set HUB_DATA_DIR to its folder, or start it with `hub up`.",
            "Укажите его папку в HUB_DATA_DIR или запустите его: `hub up`."))]
    try:
        vault = Vault.open(config.key_file)
        mode = config.key_file.stat().st_mode & 0o077
        found.append(Finding("key", "bad" if mode and os.name == "posix" else "good", Text(
            "Key file {file}.", "Файл ключа {file}.", params={"file": config.key_file}), Text(
            "Others can read it: chmod 600.", "Его могут прочитать другие: chmod 600.") if mode else None))
    except (ValueError, OSError) as problem:
        found.append(Finding("key", "bad", Text("The key file cannot be used: {words}.",
                                                "Файл ключа не читается: {words}.", params={"words": str(problem)}),
                             Text("Restore it from a backup: without it the secrets of connectors are lost.",
                                  "Восстановите его из копии: без него секреты подключений потеряны.")))
    return [*found, *_database(config, vault)]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "good", Text("Python {v}.", "Python {v}.", params={"v": version}))


def _plugins(config: Config) -> Iterator[Finding]:
    catalogue = discover(config.plugins_off)
    broken = [one for one in catalogue.plugins if one.reason is not None and one.name not in config.plugins_off]
    yield Finding("plugins", "good", Text("{n} plugins work.", "Плагинов работает: {n}.",
                                          params={"n": len(catalogue.plugins) - len(broken)}))
    for one in broken:
        assert one.reason is not None
        yield Finding(f"plugin:{one.name}", "bad", one.reason)


def _bell(config: Config) -> Iterator[Finding]:
    if config.redis_url:
        if bell_for(config.redis_url).ping():
            yield Finding("bell", "good", Text("Redis answers.", "Redis отвечает."))
        else:
            yield Finding("bell", "warning", Text("Redis at HUB_REDIS_URL does not answer; the tables are looked at "
                                                  "each second instead.",
                                                  "Redis по HUB_REDIS_URL не отвечает; вместо звонков таблицы "
                                                  "проверяются раз в секунду."),
                          Text("Start it or correct the address.", "Запустите его или исправьте адрес."))
        return
    binary = server_binary()
    if binary is None:
        yield Finding("bell", "good", Text(
            "No Redis: the tables are looked at each second. That is enough for one shop.",
            "Redis нет: таблицы проверяются раз в секунду. Одному магазину этого хватает."))
    else:
        yield Finding("bell", "good", Text("`hub up` starts {kind} by itself.", "`hub up` сам запускает {kind}.",
                                           params={"kind": binary[0]}))


def _disk(config: Config) -> Iterator[Finding]:
    folder = config.data_dir if config.data_dir.exists() else config.data_dir.parent
    free = shutil.disk_usage(folder).free // 2**20 if folder.exists() else 0
    yield Finding("disk", "bad" if free < 200 else "warning" if free < 1024 else "good", Text(
        "{mb} MB free for {folder}.", "Свободно {mb} МБ для {folder}.", params={"mb": free, "folder": config.data_dir}),
        Text("Make room: without it receipts cannot be accepted.", "Освободите место: без него чеки не принять.")
        if free < 1024 else None)
    waiting = Spool(config.spool_dir).count()
    if waiting:
        yield Finding("spool", "warning", Text(
            "{n} requests wait on disk for the database.", "На диске ждут базу запросов: {n}.", params={"n": waiting}),
            Text("They are imported by themselves once a worker runs.", "Они примутся сами, когда работает worker."))


def _database(config: Config, vault: Vault | None) -> Iterator[Finding]:
    db = Database(config.database_url, pool=2)
    try:
        at = schema.revision(db)
        if at != schema.HEAD:
            yield Finding("schema", "bad" if at else "warning", Text(
                "The database is at revision {at}, this version needs {head}.",
                "База на ревизии {at}, а нужна {head}.", params={"at": at or "-", "head": schema.HEAD}),
                Text("Run `hub db upgrade` (`hub up` does it by itself).",
                     "Выполните `hub db upgrade` (`hub up` делает это сам)."))
            return
        yield Finding("database", "good", Text("The database answers.", "База отвечает."))
        yield from _work(db, vault)
    except DatabaseAway as problem:
        yield Finding("database", "bad", Text("The database does not answer: {words}.",
                                              "База не отвечает: {words}.", params={"words": str(problem)[:200]}),
                      Text("Check HUB_DATABASE_URL and whether it runs; what comes meanwhile is kept on disk.",
                           "Проверьте HUB_DATABASE_URL и запущена ли база; пришедшее пока хранится на диске."))
    finally:
        db.close()


def _work(db: Database, vault: Vault | None) -> Iterator[Finding]:
    with db.session() as session:
        for source in session.scalars(select(SourceRow).where(SourceRow.archived_at.is_(None))):
            if vault is not None and source.secrets:
                try:
                    vault.unseal(source.secrets, source.key_id)
                except KeyMissing as problem:
                    yield Finding(f"source:{source.public_id}", "bad", Text(
                        "Secrets of “{title}” cannot be opened: {words}.",
                        "Секреты «{title}» не открыть: {words}.",
                        params={"title": source.title, "words": str(problem)}))
            if source.failures >= 3 and source.last_error:
                yield Finding(f"source:{source.public_id}", "warning", Text(
                    "“{title}”: {reason}", "«{title}»: {reason}",
                    params={"title": source.title, "reason": Text.from_json(source.last_error)}))
        for register in session.scalars(select(Register).where(Register.archived_at.is_(None))):
            if register.trouble:
                yield Finding(f"register:{register.public_id}", "bad", Text(
                    "“{title}”: {reason}", "«{title}»: {reason}",
                    params={"title": register.title, "reason": Text.from_json(register.trouble)}))
        late = session.scalar(select(func.count()).select_from(ReceiptRow).where(
            ReceiptRow.state.in_(("queued", "printing")), ReceiptRow.deadline < utcnow())) or 0
        uncertain = session.scalar(select(func.count()).select_from(ReceiptRow).where(
            ReceiptRow.state == "uncertain")) or 0
        alarms = session.scalar(select(func.count()).select_from(Evidence).where(Evidence.settled_at.is_(None))) or 0
        untold = session.scalar(select(func.count()).select_from(Delivery).where(
            Delivery.state.in_(("pending", "claimed")), Delivery.created_at < utcnow() - timedelta(hours=1))) or 0
    for number, name, text in (
            (late, "late", Text("{n} receipts are late.", "Опаздывающих чеков: {n}.")),
            (uncertain, "uncertain", Text("{n} receipts wait for a person to decide.", "Ждут решения человека: {n}.")),
            (alarms, "evidence", Text("{n} contradictions are not settled.", "Неразобранных противоречий: {n}.")),
            (untold, "reports", Text("{n} reports have not reached their system for an hour.",
                                     "Отчётов не доставлено больше часа: {n}."))):
        if number:
            yield Finding(name, "warning", text.with_(n=number), Text("See the page “Today”.", "Смотрите «Сегодня»."))
