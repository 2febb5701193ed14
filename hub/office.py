"""What an owner does: organisations, users, connectors, registers, queues. Used by the pages, the CLI and the tests.

Every change is a row in the audit. Functions take an ORM session of a write transaction; the caller commits.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from marshmallow import ValidationError
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from hub.contracts import PluginSettings, load, split_secrets
from hub.contracts.settings import errors
from hub.fiscal import Country, TaxSystem, Text
from hub.fiscal import contact as contacts
from hub.fiscal import vat as vat_rates
from hub.fiscal.taxid import is_valid
from hub.registers.rules import ShiftRules
from hub.store import (
    AlarmNotice,
    Audit,
    Delivery,
    Inbox,
    Installation,
    NotifierRow,
    Organisation,
    Queue,
    QueueRegister,
    ReceiptRow,
    Register,
    Shift,
    SlipNotice,
    SourceRow,
    User,
    Watcher,
    utcnow,
)
from hub.store.vault import KeyMissing, Vault

ROLES = ("owner", "cashier")
SHORTEST_PASSWORD = 10
#: Wrong passwords before a login is closed, and for how long.
MOST_FAILURES, CLOSED = 8, timedelta(minutes=15)

_hasher = PasswordHasher()


class Wrong(Exception):
    """A value that cannot be used: ``{field: sentence}``."""

    def __init__(self, fields: Mapping[str, Text]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in fields.items()))
        self.fields = dict(fields)


def audit(session: Session, actor: str, action: str, object_id: str = "", organisation_id: int | None = None,
          **details: Any) -> None:
    """Appends who did what. Details must hold no secret and no personal data."""
    session.add(Audit(organisation_id=organisation_id, actor=actor, action=action, object_id=object_id,
                      details=details))


# -- set-up ----------------------------------------------------------------------------------------------------------


def is_set_up(session: Session) -> bool:
    """Whether anybody can log in."""
    return session.scalar(select(func.count()).select_from(User).where(User.archived_at.is_(None))) != 0


def setup_token(session: Session) -> str:
    """A new one-time set-up token; the last one printed is the one that works."""
    token = secrets.token_urlsafe(24)
    session.merge(Installation(name="setup_token", value=_hasher.hash(token)))
    return token


def setup_token_is_right(session: Session, token: str) -> bool:
    """Whether ``token`` is the set-up token that was given last and not used."""
    stored = session.get(Installation, "setup_token")
    return stored is not None and bool(stored.value) and _verified(stored.value, token)


def use_setup_token(session: Session) -> None:
    """The token was used: it works no more."""
    session.merge(Installation(name="setup_token", value=""))


def organisation_problems(values: Mapping[str, Any]) -> dict[str, Text]:
    """What is wrong with an organisation's values, by field."""
    wrong: dict[str, Text] = {}
    if not str(values.get("name", "")).strip():
        wrong["name"] = Text("Enter the name that stands on receipts.", "Введите название, как в чеках.")
    country = values.get("country")
    if country not in ("RU", "KZ"):
        wrong["country"] = Text("Choose Russia or Kazakhstan.", "Выберите Россию или Казахстан.")
        return wrong
    if not is_valid(str(values.get("tax_id", "")), Country(country)):
        wrong["tax_id"] = Text(
            "This is no BIN or IIN: twelve digits whose last one is a check digit. Compare it with the certificate.",
            "Это не БИН и не ИИН: двенадцать цифр, последняя — контрольная. Сверьте со свидетельством.") \
            if country == "KZ" else Text(
            "This is no INN: ten digits for a company, twelve for an entrepreneur, with check digits. "
            "Compare it with the certificate.",
            "Это не ИНН: десять цифр у компании, двенадцать у предпринимателя, с контрольными. "
            "Сверьте со свидетельством.")
    if country == "RU" and values.get("tax_system") not in TaxSystem.__members__:
        wrong["tax_system"] = Text("Choose the tax system.", "Выберите систему налогообложения.")
    valid = {one.key for one in vat_rates.rates_on(utcnow().date(), Country(country)) if not one.calculated}
    if values.get("default_vat") not in valid:
        wrong["default_vat"] = Text("Choose one of the rates that are valid today.",
                                    "Выберите одну из ставок, действующих сегодня.")
    try:
        ZoneInfo(str(values.get("zone", "")))
    except (ZoneInfoNotFoundError, ValueError):
        wrong["zone"] = Text("There is no such time zone.", "Такого часового пояса нет.")
    email = str(values.get("sender_email", "")).strip()
    if email and not contacts.email(email):
        wrong["sender_email"] = Text("This is no e-mail address.", "Это не адрес почты.")
    return wrong


def create_organisation(session: Session, actor: str, **values: Any) -> Organisation:
    """A tax payer with its first queue. Raises Wrong."""
    values = {"zone": "Asia/Almaty" if values.get("country") == "KZ" else "Europe/Moscow", "default_vat": "none",
              **values}
    wrong = organisation_problems(values)
    if wrong:
        raise Wrong(wrong)
    values.setdefault("currency", Country(values["country"]).currency)
    organisation = Organisation(**values)
    session.add(organisation)
    session.flush()
    session.add(Queue(organisation_id=organisation.id, title="Чеки" if values["country"] == "RU" else "Чектер"))
    audit(session, actor, "organisation.create", organisation.public_id, organisation.id)
    session.flush()
    return organisation


#: Bounds of how long an owner may keep buyers' names and contacts: a month, so that a return or a complaint finds its
#: buyer, and ten years.
KEPT_DAYS = (30, 3650)


def _days_kept(value: Any) -> int | None:
    """Days from a form; None (as the operator says) when it is empty. Raises Wrong."""
    text = str(value if value is not None else "").strip()
    if not text:
        return None
    if not text.isdecimal() or not KEPT_DAYS[0] <= int(text) <= KEPT_DAYS[1]:
        words = Text("A number of days from {low} to {high}.", "Число дней от {low} до {high}.",
                     params={"low": KEPT_DAYS[0], "high": KEPT_DAYS[1]})
        raise Wrong({"keep_personal_days": words})
    return int(text)


def update_organisation(session: Session, actor: str, organisation: Organisation, **values: Any) -> None:
    """Changes a tax payer; its country and tax number stay. Raises Wrong. Invalid receipts are looked at again."""
    kept = {"country": organisation.country, "tax_id": organisation.tax_id}
    if "keep_personal_days" in values:
        values = {**values, "keep_personal_days": _days_kept(values["keep_personal_days"])}
    wrong = organisation_problems({"name": organisation.name, "tax_system": organisation.tax_system,
                                   "default_vat": organisation.default_vat, "zone": organisation.zone,
                                   "sender_email": organisation.sender_email, **values, **kept})
    if wrong:
        raise Wrong(wrong)
    for name, value in values.items():
        if name not in kept:
            setattr(organisation, name, value)
    session.flush()
    audit(session, actor, "organisation.update", organisation.public_id, organisation.id, fields=sorted(values))
    for source in session.scalars(select(SourceRow).where(SourceRow.organisation_id == organisation.id)):
        rearm_source(session, source)


# -- people ----------------------------------------------------------------------------------------------------------


def create_user(session: Session, actor: str, organisation_id: int, login: str, password: str, role: str = "owner",
                full_name: str = "", inn: str = "", language: str = "ru") -> User:
    """A person who logs in. Raises Wrong."""
    login = login.strip().lower()
    wrong: dict[str, Text] = {}
    if not re.fullmatch(r"[^\s]{3,128}", login):
        wrong["login"] = Text("A login has three to 128 characters without blanks.",
                              "Логин — от 3 до 128 знаков без пробелов.")
    elif session.scalar(select(User.id).where(User.login == login)) is not None:
        wrong["login"] = Text("This login is taken.", "Такой логин уже есть.")
    if len(password) < SHORTEST_PASSWORD:
        wrong["password"] = Text("A password has at least {n} characters.", "Пароль — не короче {n} знаков.",
                                 params={"n": SHORTEST_PASSWORD})
    if role not in ROLES:
        wrong["role"] = Text("Choose owner or cashier.", "Выберите: владелец или кассир.")
    if inn and not is_valid(inn, Country.RU):
        wrong["inn"] = Text("The cashier's INN has twelve digits with check digits.",
                            "ИНН кассира — двенадцать цифр с контрольными.")
    if wrong:
        raise Wrong(wrong)
    user = User(organisation_id=organisation_id, login=login, password_hash=_hasher.hash(password), role=role,
                full_name=full_name.strip(), inn=inn, language=language)
    session.add(user)
    session.flush()
    audit(session, actor, "user.create", user.public_id, organisation_id, role=role)
    return user


def log_in(session: Session, login: str, password: str) -> User | None:
    """The user, or None for a wrong pair and while the login is closed after too many wrong ones."""
    user = session.scalar(select(User).where(User.login == login.strip().lower(), User.archived_at.is_(None)))
    now = utcnow()
    if user is None:
        _verified(_decoy(), password)  # the same time as for a login that exists
        return None
    if user.locked_until is not None and user.locked_until > now:
        return None
    if not _verified(user.password_hash, password):
        user.failed_logins += 1
        if user.failed_logins >= MOST_FAILURES:
            user.locked_until, user.failed_logins = now + CLOSED, 0
        return None
    user.failed_logins, user.locked_until = 0, None
    return user


def change_password(session: Session, actor: str, user: User, password: str) -> None:
    """A new password; every session of the user ends. Raises Wrong."""
    if len(password) < SHORTEST_PASSWORD:
        raise Wrong({"password": Text("A password has at least {n} characters.", "Пароль — не короче {n} знаков.",
                                      params={"n": SHORTEST_PASSWORD})})
    user.password_hash = _hasher.hash(password)
    user.session_epoch += 1
    audit(session, actor, "user.password", user.public_id, user.organisation_id)


def _verified(stored: str, given: str) -> bool:
    try:
        return _hasher.verify(stored, given)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _decoy() -> str:
    # Not at import: it costs each process of the hub a quarter of a second and 64 MB for a moment.
    return _hasher.hash("no one's password")


# -- connectors ------------------------------------------------------------------------------------------------------


def checked_settings(schema: type[PluginSettings], given: Mapping[str, Any],
                     old: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Validated settings; a secret that was left empty keeps its old value. Raises Wrong."""
    secret = split_secrets(schema, dict.fromkeys(schema().fields, ""))[1]
    merged = dict(given)
    for name in secret:
        if not merged.get(name) and (old or {}).get(name):
            merged[name] = (old or {})[name]
    try:
        return load(schema, merged)
    except ValidationError as problem:
        raise Wrong({name: in_words(messages) for name, messages in errors(problem).items()}) from problem


def in_words(messages: Sequence[Text | str]) -> Text:
    """A setting's errors as one sentence: a plugin's own Texts as they are, marshmallow's messages translated."""
    texts = [one if isinstance(one, Text) else Text(one or "-", _russian(one) or "-") for one in messages]
    return texts[0] if len(texts) == 1 else Text("; ".join(one.say("en") for one in texts),
                                                 "; ".join(one.say("ru") for one in texts))


def _russian(message: str) -> str:
    """marshmallow's own messages in Russian; a plugin's validators speak for themselves."""
    for pattern, wording in _MARSHMALLOW:
        found = re.fullmatch(pattern, message)
        if found:
            return wording.format(*found.groups())
    return message


_MARSHMALLOW = (
    (r"Missing data for required field\.", "Заполните это поле."),
    (r"Field may not be null\.", "Заполните это поле."),
    (r"Not a valid (?:integer|number|string|boolean|URL|mapping type|list|email address)\.", "Значение не подходит."),
    (r"Unknown field\.", "Такого поля нет."),
    (r"Invalid input type\.", "Здесь должен быть объект JSON."),
    (r"Must be one of: (.+)\.", "Выберите одно из: {0}."),
    (r"Must be greater than or equal to (.+) and less than or equal to (.+)\.", "От {0} до {1}."),
    (r"Must be greater than or equal to (.+)\.", "Не меньше {0}."),
    (r"Must be less than or equal to (.+)\.", "Не больше {0}."),
    (r"Length must be between (.+) and (.+)\.", "Длина — от {0} до {1} знаков."),
    (r"Longer than maximum length (.+)\.", "Не длиннее {0} знаков."),
    (r"Shorter than minimum length (.+)\.", "Не короче {0} знаков."),
    (r"String does not match expected pattern\.", "Значение не того вида."),
)


def first_queue(session: Session, organisation_id: int) -> Queue:
    """The organisation's oldest queue that is not archived."""
    queue = session.scalar(select(Queue).where(Queue.organisation_id == organisation_id, Queue.archived_at.is_(None))
                           .order_by(Queue.id).limit(1))
    assert queue is not None, "an organisation always has a queue"
    return queue


def add_source(session: Session, vault: Vault, actor: str, organisation_id: int, plugin: str, title: str,
               schema: type[PluginSettings], given: Mapping[str, Any], *, template: str = "",
               queue_id: int | None = None) -> SourceRow:
    """Enables a source or gateway, with an unguessable address of its own. Raises Wrong."""
    opened, secret = split_secrets(schema, checked_settings(schema, given))
    sealed, key_id = vault.seal({**secret, "": secrets.token_urlsafe(18)})
    row = SourceRow(organisation_id=organisation_id, plugin=plugin, title=title.strip() or plugin, settings=opened,
                    secrets=sealed, key_id=key_id, template=template, next_poll_at=utcnow(),
                    queue_id=queue_id or first_queue(session, organisation_id).id)
    session.add(row)
    session.flush()
    audit(session, actor, "source.add", row.public_id, organisation_id, plugin=plugin)
    return row


def change_source(session: Session, vault: Vault, actor: str, row: SourceRow, schema: type[PluginSettings],
                  given: Mapping[str, Any], **values: Any) -> None:
    """Changes a source's settings and, in ``values``, its title, template or queue. Raises Wrong.

    What was invalid is looked at again: the cause may be mended.
    """
    old = vault.unseal(row.secrets, row.key_id)
    settings = checked_settings(schema, given, {**row.settings, **old})
    opened, secret = split_secrets(schema, settings)
    row.settings = opened
    row.secrets, row.key_id = vault.seal({**secret, "": old[""]})
    for name, value in values.items():
        setattr(row, name, value)
    row.retry_at, row.failures, row.last_error = None, 0, None
    # The new settings may need polling, or mend what kept it waiting.
    row.next_poll_at = utcnow()
    session.flush()
    audit(session, actor, "source.change", row.public_id, row.organisation_id, fields=sorted(values))
    rearm_source(session, row)


def new_address(session: Session, vault: Vault, actor: str, row: SourceRow) -> None:
    """A new secret in the source's address; the old address works no more."""
    secret = vault.unseal(row.secrets, row.key_id)
    row.secrets, row.key_id = vault.seal({**secret, "": secrets.token_urlsafe(18)})
    audit(session, actor, "source.new_address", row.public_id, row.organisation_id)


def switch_source(session: Session, actor: str, row: SourceRow, on: bool) -> None:
    """Pauses a source or lets it go on; then it is asked at once for what came meanwhile."""
    row.enabled = on
    if on:
        row.next_poll_at = utcnow()
    audit(session, actor, "source.on" if on else "source.off", row.public_id, row.organisation_id)


def archive_source(session: Session, actor: str, row: SourceRow) -> None:
    """Takes a source away. Its receipts and events stay."""
    row.archived_at, row.enabled = utcnow(), False
    audit(session, actor, "source.archive", row.public_id, row.organisation_id)


def rearm_source(session: Session, row: SourceRow) -> None:
    """Events behind this source's invalid receipts, and those that failed, become due at once."""
    behind = select(ReceiptRow.inbox_id).where(ReceiptRow.source_id == row.id, ReceiptRow.state == "invalid",
                                               ReceiptRow.inbox_id.is_not(None))
    # "failed" and not "pending": two pending rows of one digest are not allowed, and both are due now.
    session.execute(update(Inbox).where(Inbox.source_id == row.id, Inbox.subject != "",
                                        (Inbox.id.in_(behind)) | (Inbox.state.in_(("failed", "invalid", "given_up"))))
                    .values(state="failed", due_at=utcnow(), tries=0))


# -- notifiers -------------------------------------------------------------------------------------------------------


def add_notifier(session: Session, vault: Vault, actor: str, organisation_id: int, plugin: str, title: str,
                 schema: type[PluginSettings], given: Mapping[str, Any], to_buyers: bool = True) -> NotifierRow:
    """Enables a notifier: with ``to_buyers``, buyers of receipts recorded from now on are told through it. Raises
    Wrong."""
    opened, secret = split_secrets(schema, checked_settings(schema, given))
    sealed, key_id = vault.seal(secret)
    row = NotifierRow(organisation_id=organisation_id, plugin=plugin, title=title.strip()[:128] or plugin,
                      settings=opened, secrets=sealed, key_id=key_id, to_buyers=to_buyers)
    session.add(row)
    session.flush()
    audit(session, actor, "notifier.add", row.public_id, organisation_id, plugin=plugin)
    return row


def change_notifier(session: Session, vault: Vault, actor: str, row: NotifierRow, schema: type[PluginSettings],
                    given: Mapping[str, Any], **values: Any) -> None:
    """Changes a notifier's settings and, in ``values``, its title. Raises Wrong. What waits is tried at once."""
    try:
        old = vault.unseal(row.secrets, row.key_id)
    except KeyMissing:
        old = {}  # the secrets are entered anew
    opened, secret = split_secrets(schema, checked_settings(schema, given, {**row.settings, **old}))
    row.settings = opened
    row.secrets, row.key_id = vault.seal(secret)
    for name, value in values.items():
        setattr(row, name, value)
    row.settings_version += 1
    audit(session, actor, "notifier.change", row.public_id, row.organisation_id)
    notifier_works(session, row)


#: Name of an organisation's token for its operator's links, among the installation's values.
OFD_TOKEN = "ofd_token:"


def set_ofd_token(session: Session, vault: Vault, actor: str, organisation_id: int, token: str) -> None:
    """Keeps, encrypted, the token with which the operator gives links; an empty one takes it away."""
    row = session.get(Installation, f"{OFD_TOKEN}{organisation_id}")
    if row is None:
        row = Installation(name=f"{OFD_TOKEN}{organisation_id}", value="")
        session.add(row)
    sealed, key_id = vault.seal({"token": token.strip()})
    row.value = f"{key_id} {sealed}" if token.strip() else ""
    audit(session, actor, "organisation.ofd_token", "", organisation_id, given=bool(token.strip()))


def opened_token(vault: Vault, value: str) -> str:
    """The token in what :func:`set_ofd_token` keeps; KeyMissing."""
    key_id, _, sealed = value.partition(" ")
    return str(vault.unseal(sealed, key_id).get("token", ""))


def add_watcher(session: Session, actor: str, notifier: NotifierRow, *, title: str, address: str, language: str = "ru",
                quiet_from: int = 0, quiet_until: int = 0, muted: Sequence[str] = ()) -> Watcher:
    """A person is told of alarms through a notifier, of those that are raised from now on."""
    row = Watcher(organisation_id=notifier.organisation_id, notifier_id=notifier.id, title=title[:128],
                  address=address[:128], language=language, quiet_from=quiet_from, quiet_until=quiet_until,
                  muted=list(muted))
    session.add(row)
    session.flush()
    audit(session, actor, "watcher.add", row.public_id, notifier.organisation_id)
    return row


def remove_watcher(session: Session, actor: str, row: Watcher) -> None:
    """The person is told nothing any more."""
    row.archived_at = utcnow()
    audit(session, actor, "watcher.remove", row.public_id, row.organisation_id)


def notifier_works(session: Session, row: NotifierRow) -> None:
    """The cause of its failures may be mended: notices that wait are due at once."""
    row.failures, row.last_error = 0, None
    for rows in (Delivery, AlarmNotice, SlipNotice):
        session.execute(update(rows).where(rows.notifier_id == row.id, rows.state == "pending")
                        .values(due_at=utcnow()))


def switch_notifier(session: Session, actor: str, row: NotifierRow, on: bool) -> None:
    """Pauses a notifier or lets it go on. What was planned before waits; nothing is planned meanwhile."""
    row.enabled = on
    audit(session, actor, "notifier.on" if on else "notifier.off", row.public_id, row.organisation_id)


def archive_notifier(session: Session, actor: str, row: NotifierRow) -> None:
    """Takes a notifier away. What waits is not sent; what was sent stays in the receipts' stories."""
    row.archived_at, row.enabled = utcnow(), False
    audit(session, actor, "notifier.archive", row.public_id, row.organisation_id)


# -- registers -------------------------------------------------------------------------------------------------------


def add_register(session: Session, vault: Vault, actor: str, organisation_id: int, driver: str, title: str,
                 schema: type[PluginSettings], given: Mapping[str, Any], *, zone: str = "",
                 queue_ids: tuple[int, ...] | None = None) -> Register:
    """Adds a register and lets it serve queues (the first one unless told otherwise). Raises Wrong."""
    opened, secret = split_secrets(schema, checked_settings(schema, given))
    sealed, key_id = vault.seal(secret)
    organisation = session.get_one(Organisation, organisation_id)
    row = Register(organisation_id=organisation_id, driver=driver, title=title.strip() or driver, settings=opened,
                   secrets=sealed, key_id=key_id, zone=zone or organisation.zone)
    session.add(row)
    session.flush()
    serve(session, row, queue_ids if queue_ids is not None else (first_queue(session, organisation_id).id,))
    audit(session, actor, "register.add", row.public_id, organisation_id, driver=driver)
    return row


#: A status older than this says nothing about now.
FRESH = timedelta(minutes=3)
SHIFT_IS_OPEN = Text(
    "The register's shift is open. Its settings change only while it is closed: print the Z report, then save again. "
    "Its name, its queues, passwords and tokens may be changed at any time.",
    "Смена кассы открыта. Настройки меняют только при закрытой смене: снимите Z-отчёт и сохраните ещё раз. "
    "Название, очереди, пароли и токены можно менять в любое время.")


CLOSE_FIRST = Text("The register's shift is open. Print the Z report first: once the register is taken away, the hub "
                   "closes no shift of it.",
                   "Смена кассы открыта. Сначала снимите Z-отчёт: когда касса убрана, хаб её смену не закроет.")

PAUSED_OPEN = Text("The register is paused and its shift is open. Let it go on and print the Z report first; one that "
                   "is there no more is seen not to answer then, and nothing holds it any longer.",
                   "Касса на паузе, а её смена открыта. Включите её и сначала снимите Z-отчёт; если кассы больше нет, "
                   "хаб увидит, что она не отвечает, и держать её ничто не будет.")


def shift_is_open(session: Session, row: Register) -> bool:
    """Whether the register's shift is open: as it showed last, and as what was printed since then says."""
    status = row.status or {}
    newest = session.scalars(select(Shift).where(
        Shift.register_id == row.id, Shift.storage_number == row.storage_number)
        .order_by(Shift.number.desc()).limit(1)).first()
    number = int(status.get("shift_number") or 0)
    if newest is not None and newest.closed_at is not None and newest.number >= number > 0:
        return False
    if newest is not None and newest.closed_at is None and newest.number > number \
            and (row.status_at is None or newest.created_at > row.status_at):
        return True
    return status.get("shift_open") is True


def answers(row: Register) -> bool:
    """Whether the register answered a moment ago. One that does not cannot close its shift either."""
    return row.enabled and not row.trouble and row.status_at is not None and utcnow() - row.status_at < FRESH


def may_close(row: Register) -> bool:
    """Whether its shift can be closed: it answers, or it is paused and answered when it was last asked. Pausing opens
    no lock: whoever lets it go on closes the shift, or sees that it answers no more."""
    return answers(row) or (not row.enabled and not row.trouble and row.status_at is not None)


def change_register(session: Session, vault: Vault, actor: str, row: Register, schema: type[PluginSettings],
                    given: Mapping[str, Any], **values: Any) -> None:
    """Changes a register's settings and, in ``values``, its title or zone. Raises Wrong. Its owner reopens it.

    While its shift is open only secrets and its title change; one that does not answer may get another address, too,
    because else its shift could never be closed.
    """
    old = vault.unseal(row.secrets, row.key_id)
    opened, secret = split_secrets(schema, checked_settings(schema, given, {**row.settings, **old}))
    moved = values.get("zone", row.zone) != row.zone
    if shift_is_open(session, row) and (moved or (opened != row.settings and may_close(row))):
        raise Wrong({"shift": SHIFT_IS_OPEN if row.enabled else PAUSED_OPEN})
    row.settings = opened
    row.secrets, row.key_id = vault.seal(secret)
    for name, value in values.items():
        setattr(row, name, value)
    row.settings_version += 1
    audit(session, actor, "register.change", row.public_id, row.organisation_id)


def serve(session: Session, register: Register, queue_ids: tuple[int, ...]) -> None:
    """Sets which queues a register serves."""
    have = {one.queue_id: one for one in session.scalars(
        select(QueueRegister).where(QueueRegister.register_id == register.id))}
    for queue_id, link in have.items():
        if queue_id not in queue_ids:
            session.delete(link)
    for queue_id in queue_ids:
        if queue_id not in have:
            session.add(QueueRegister(organisation_id=register.organisation_id, queue_id=queue_id,
                                      register_id=register.id))
    session.flush()


def switch_register(session: Session, actor: str, row: Register, on: bool) -> None:
    """Pauses a register or lets it go on. A receipt in hand is finished. Nobody waits for one that is paused to be
    read (hub.dispatch.marks): whoever pauses it takes that on, and it is read before it prints again."""
    row.enabled, row.unread = on, False
    audit(session, actor, "register.on" if on else "register.off", row.public_id, row.organisation_id)


def set_shift_rules(session: Session, actor: str, row: Register, rules: ShiftRules) -> None:
    """The owner's wishes about the register's shifts. They say nothing about receipts, so they change at any time."""
    row.rules = rules.to_json()
    audit(session, actor, "register.rules", row.public_id, row.organisation_id, **row.rules)


def archive_register(session: Session, actor: str, row: Register) -> None:
    """Takes a register away. Its records, shifts and storages stay. Raises Wrong while its shift is open and may be
    closed: nobody would close the shift."""
    if shift_is_open(session, row) and may_close(row):
        raise Wrong({"shift": CLOSE_FIRST if row.enabled else PAUSED_OPEN})
    row.archived_at, row.enabled = utcnow(), False
    audit(session, actor, "register.archive", row.public_id, row.organisation_id)


def add_queue(session: Session, actor: str, organisation_id: int, title: str) -> Queue:
    """A new queue. Raises Wrong."""
    if not title.strip():
        raise Wrong({"title": Text("Name the queue.", "Назовите очередь.")})
    row = Queue(organisation_id=organisation_id, title=title.strip()[:128])
    session.add(row)
    session.flush()
    audit(session, actor, "queue.add", row.public_id, organisation_id)
    return row
