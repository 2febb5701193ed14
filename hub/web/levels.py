"""What an organisation, a connection or a register says of its receipts, as fields: each shows what holds when it is
left empty, and who says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import request
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub import house_rules, office
from hub.fiscal import Cashier, Country, Ffd, Method, Rounding, Subject, TaxSystem
from hub.fiscal.levels import MAY_SAY, Effective, Level, Settings, agreed, resolve
from hub.fiscal.paper_words import METHODS, SUBJECTS
from hub.intake.context import serving
from hub.store import Organisation, Queue, QueueRegister, Register, SourceRow, fiscal, table
from hub.web.auth import vat_choices
from hub.web.filters import say
from hub.web.state import actor, organisation, the_hub
from hub.web.words import ROUNDINGS, TAX_SYSTEMS, vat_word

#: Values that are chosen: an empty choice leaves them to the level before.
CHOSEN = ("tax_system", "vat", "method", "subject", "rounding", "internet", "electronic_only", "approve_returns",
          "urgent")
#: Values that are written; ``cashier_inn`` belongs to ``cashier``.
WRITTEN = ("settlement_place", "settlement_address", "sender_email", "cashier", "cashier_inn", "advertising",
           "record_within")
#: Payment objects that most shops choose from, before the others.
USUAL = (Subject.COMMODITY, Subject.SERVICE, Subject.JOB, Subject.PAYMENT, Subject.ANOTHER)

_ORIGINS = {Level.HUB: _("as is usual"), Level.ORGANISATION: _("from the organisation"),
            Level.SOURCE: _("from this connection"), Level.REGISTER: _("from the register")}

#: The fields in the order of the form: group, then (name, label, help).
GROUPS: tuple[tuple[Any, tuple[tuple[str, Any, Any], ...]], ...] = (
    (_("Taxes and goods"), (
        ("tax_system", _("Tax system"), ""),
        ("vat", _("VAT when an order does not say"), ""),
        ("method", _("How it is paid for, when an order does not say"),
         _("“Full settlement” when goods are handed over at once; a prepayment when they are handed over later.")),
        ("subject", _("What is sold, when an order does not say"), _("“Service” for lessons, deliveries, repairs.")),
        ("rounding", _("Rounding of the total"), _("The difference becomes a discount inside the lines.")))),
    (_("Where and by whom"), (
        ("settlement_place", _("Place of settlement"), _("As in the register: the shop’s address or its site.")),
        ("settlement_address", _("Address of settlement"),
         _("Needed when the place is not an address. Example: 101000, Moscow, Myasnitskaya st. 1")),
        ("cashier", _("Cashier"), _("Printed when an order names nobody. Leave it empty for an online shop.")),
        ("cashier_inn", _("Cashier’s INN"), ""))),
    (_("How receipts reach the buyer"), (
        ("internet", _("Payments are made on the Internet"),
         _("Then the law wants the buyer’s e-mail or phone on every receipt. An order that says otherwise wins.")),
        ("electronic_only", _("Receipts are only sent, not printed"), ""),
        ("sender_email", _("E-mail from which receipts are sent"), _("Example: kassa@shop.example")))),
    (_("How soon"), (
        ("record_within", _("Minutes until a receipt must be recorded"),
         _("Counted from the online payment. The law wants it at once, five minutes are usual; 1440 is a day, for "
           "payments by invoice. Before the time is over the hub tells you.")),
        ("urgent", _("The buyer waits for the receipt"),
         _("At a counter, for example: these receipts are printed before all others.")))),
    (_("Returns"), (
        ("approve_returns", _("Returns wait for the owner"),
         _("A return that a connection or a cashier asks for is not printed until an owner approves it.")),)),
    (_("Your words on the receipt"), (
        ("advertising", _("Words below the receipt"),
         _("Up to 8 lines. Example: Thank you for your purchase. Exchange within 14 days.")),)),
)


@dataclass(frozen=True, slots=True)
class Field:
    """One field as the page draws it. ``inherited`` says what holds when it is left empty, and by whom."""

    name: str
    label: Any
    help: Any
    value: str
    choices: tuple[tuple[str, Any], ...] = ()
    inherited: str = ""
    error: Any = None

    @property
    def kind(self) -> str:
        """How it is drawn: choice, long, email or text."""
        if self.name in CHOSEN:
            return "choice"
        return {"advertising": "long", "sender_email": "email"}.get(self.name, "text")


@dataclass(frozen=True, slots=True)
class Section:
    """The fields of one level in their groups, and in words what a wider or nearer level does to them."""

    groups: tuple[tuple[Any, tuple[Field, ...]], ...]
    own: int
    notes: tuple[str, ...] = ()
    errors: Mapping[str, Any] | None = None


# -- values and words ------------------------------------------------------------------------------------------------


def as_form(settings: Settings) -> dict[str, str]:
    """What a level says as the form's values."""
    cashier = settings.cashier or Cashier()
    values = {name: _code(getattr(settings, name)) for name in (*CHOSEN, *WRITTEN)
              if name not in ("cashier", "cashier_inn")}
    return {**values, "cashier": cashier.name, "cashier_inn": cashier.inn}


def _code(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "", True: "1", False: "0"}[value]
    if isinstance(value, (Method, Subject, TaxSystem)):
        return value.name
    return value.value if isinstance(value, Rounding) else str(value)


_READ: Mapping[str, Callable[[str], Any]] = {
    "tax_system": TaxSystem.__getitem__, "method": Method.__getitem__, "subject": Subject.__getitem__,
    "rounding": Rounding, "internet": {"1": True, "0": False}.__getitem__,
    "electronic_only": {"1": True, "0": False}.__getitem__, "approve_returns": {"1": True, "0": False}.__getitem__,
    "urgent": {"1": True, "0": False}.__getitem__, "record_within": int}


def read(values: Mapping[str, str]) -> tuple[Settings, dict[str, Any]]:
    """The settings of a form's values, and what cannot be read by field."""
    given: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    for name in (*CHOSEN, *WRITTEN):
        text = "\n".join(line.strip() for line in values.get(name, "").strip().splitlines())
        if name in ("cashier", "cashier_inn") or not text:
            continue
        try:
            given[name] = _READ.get(name, str)(text)
        except (KeyError, ValueError):
            errors[name] = gettext("Choose one of the list.") if name in CHOSEN else gettext("Write whole minutes.")
    cashier = Cashier(values.get("cashier", "").strip(), values.get("cashier_inn", "").strip())
    if cashier != Cashier():
        given["cashier"] = cashier
    return Settings(**given), errors


def in_words(name: str, value: Any) -> str:
    """A value as a person reads it; "nothing" for none."""
    if value is None or value == "" or value == Cashier():
        return gettext("nothing")
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, Cashier):
        return value.name
    if name == "vat":
        return str(vat_word(value))
    if name == "record_within":
        return gettext("%(n)d min", n=value)
    return next((str(words) for code, words in choices(name, "RU", "1.2") if code == _code(value)), str(value))


def choices(name: str, country: str, ffd: str) -> tuple[tuple[str, Any], ...]:
    """What may be chosen: code and word."""
    if name == "tax_system":
        return tuple(TAX_SYSTEMS.items())
    if name == "vat":
        return tuple((key, vat_word(key)) for key in vat_choices(country))
    if name == "method":
        return tuple((one.name, say(METHODS[one])) for one in Method)
    if name == "subject":
        known = house_rules.subjects(Ffd(ffd))
        return tuple((one.name, say(SUBJECTS[one])) for one in (*USUAL, *(one for one in known if one not in USUAL)))
    if name == "rounding":
        return tuple((one.value, ROUNDINGS[one.value]) for one in house_rules.ROUNDINGS[Country(country)])
    return (("1", gettext("yes")), ("0", gettext("no")))


# -- the section of one level ----------------------------------------------------------------------------------------


def section(level: Level, own: Settings, inherited: Effective, notes: tuple[str, ...] = (),
            given: Mapping[str, str] | None = None, errors: Mapping[str, Any] | None = None) -> Section:
    """The form of a level. ``given`` are a form's values that could not be saved."""
    org = organisation()
    values = given if given is not None else as_form(own)
    groups = []
    for title, rows in GROUPS:
        shown = [row for row in rows if _is_shown(row[0], level, org)]
        fields = tuple(_field(row, values, inherited, errors or {}, org) for row in shown)
        if fields:
            groups.append((title, fields))
    return Section(tuple(groups), len(own.said()), notes, errors)


def _is_shown(name: str, level: Level, org: Organisation) -> bool:
    if org.country != "RU" and name in ("tax_system", "settlement_address"):
        return False
    return name.removesuffix("_inn") in MAY_SAY[level]


def _field(row: tuple[str, Any, Any], values: Mapping[str, str], inherited: Effective, errors: Mapping[str, Any],
           org: Organisation) -> Field:
    name, label, help_ = row
    made = Field(name, label, help_, values.get(name, ""), error=errors.get(name))
    if name in CHOSEN:
        made = replace(made, choices=choices(name, org.country, org.ffd))
    if name == "cashier_inn":
        return made
    said = getattr(inherited, name)
    if said.level is Level.HUB and said.value in ("", Cashier()):
        return made
    return replace(made, inherited=f"{in_words(name, said.value)}, {_ORIGINS[said.level]}")


def label_of(name: str) -> str:
    """The label of a value, within a sentence."""
    return next(str(label) for _title, rows in GROUPS for one, label, _help in rows if one == name)


# -- the organisation ------------------------------------------------------------------------------------------------


def of_organisation(given: Mapping[str, str] | None = None,
                    errors: Mapping[str, Any] | None = None) -> dict[str, Field]:
    """The organisation's fields by name, above which there is only what is usual."""
    made = section(Level.ORGANISATION, _organisation_level(organisation())[1], resolve(), (), given, errors)
    return {one.name: one for _title, fields in made.groups for one in fields}


# -- a connection ----------------------------------------------------------------------------------------------------


def _organisation_level(org: Organisation) -> tuple[Level, Settings]:
    return Level.ORGANISATION, fiscal.of_organisation(
        {column.key: getattr(org, column.key) for column in table(Organisation).columns})


def of_source(session: Session, row: SourceRow, given: Mapping[str, str] | None = None,
              errors: Mapping[str, Any] | None = None) -> Section:
    """What a connection says, below what the organisation says; in words what its registers overrule."""
    above, own = _organisation_level(organisation()), fiscal.opened(row.fiscal)
    agreement = agreed({number: fiscal.opened(one) for number, one in serving(session, row.queue_id).items()})
    last = resolve(above, (Level.SOURCE, own), (Level.REGISTER, agreement.settings))
    notes = [gettext("%(what)s: the register says “%(value)s”, and that wins.", what=label_of(name),
                     value=in_words(name, getattr(last, name).value))
             for name in sorted(agreement.settings.said())]
    notes += _disputes(agreement.disputed)
    return section(Level.SOURCE, own, resolve(above), tuple(notes), given, errors)


def _disputes(names: frozenset[str], queue: str = "") -> list[str]:
    if not names:
        return []
    what = ", ".join(gettext("“%(name)s”", name=label_of(name)) for name in sorted(names))
    if queue:
        return [gettext("Not used for receipts of queue “%(queue)s”: its registers say different things about "
                        "%(what)s, and a receipt is made before a register takes it. Say the same at each of them.",
                        queue=queue, what=what)]
    return [gettext("The registers of the queue say different things about %(what)s, so what they say is not used: a "
                    "receipt is made before a register takes it.", what=what)]


# -- a register ------------------------------------------------------------------------------------------------------


def of_register(session: Session, row: Register, given: Mapping[str, str] | None = None,
                errors: Mapping[str, Any] | None = None) -> Section:
    """What a register says; in words where it is not used because another one of its queue says something else."""
    own, notes = fiscal.opened(row.fiscal), []
    for queue in session.scalars(select(Queue).join(QueueRegister, QueueRegister.queue_id == Queue.id).where(
            QueueRegister.register_id == row.id, Queue.archived_at.is_(None)).order_by(Queue.id)):
        voices = {number: fiscal.opened(one) for number, one in serving(session, queue.id).items()}
        notes += _disputes(agreed(voices).disputed, queue.title)
    return section(Level.REGISTER, own, resolve(_organisation_level(organisation())), tuple(notes), given, errors)


# -- saving ----------------------------------------------------------------------------------------------------------


def form_values() -> dict[str, str]:
    """What the form holds now, so that nothing is lost when it cannot be saved."""
    return {name: request.form.get(name, "").replace("\r\n", "\n") for name in (*CHOSEN, *WRITTEN)}


def save(model: type[SourceRow] | type[Register], row_id: int) -> dict[str, Any]:
    """Stores what a connection's or a register's form says; what is wrong by field."""
    settings, errors = read(form_values())
    if errors:
        return errors
    try:
        with the_hub().db.write() as session:
            row: SourceRow | Register = session.get_one(model, row_id)  # type: ignore[assignment]
            house_rules.say(session, actor(), row, settings)
    except office.Wrong as wrong:
        return dict(wrong.fields)
    the_hub().sources.forget()
    return {}
