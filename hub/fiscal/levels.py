"""Settings that decide receipts, and where each level overrides the last: organisation, source, register, order, line.

Each level says what it wants to say and leaves the rest (None) to the level before it; the last one that says
something wins, and every value knows whose it is. Pure: rows become :class:`Settings` in :mod:`hub.store.fiscal`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, Generic, TypeVar

from hub.fiscal.build import Terms
from hub.fiscal.codes import Country, Ffd, Method, Rounding, Subject, TaxSystem
from hub.fiscal.order import Cashier, Order, OrderLine

T = TypeVar("T")


class Level(StrEnum):
    """Who says a value, from the widest to the nearest."""

    HUB = "hub"
    ORGANISATION = "organisation"
    SOURCE = "source"
    REGISTER = "register"
    ORDER = "order"
    LINE = "line"


@dataclass(frozen=True, slots=True)
class Settings:
    """What one level says. None is "nothing said"; an empty text is said and means "none".

    ``vat``, ``method`` and ``subject`` are for lines that say none of their own. ``cashier`` is named when the order
    names nobody. ``approve_returns``: a return that another system asks for waits for the owner. ``advertising`` are
    the owner's own words under a receipt (a line each), never fiscal data. ``record_within``: minutes from an online
    payment until its receipt must be recorded. ``urgent``: buyers wait for their receipts, which go before others.
    """

    tax_system: TaxSystem | None = None
    vat: str | None = None
    method: Method | None = None
    subject: Subject | None = None
    rounding: Rounding | None = None
    internet: bool | None = None
    electronic_only: bool | None = None
    settlement_place: str | None = None
    settlement_address: str | None = None
    sender_email: str | None = None
    cashier: Cashier | None = None
    approve_returns: bool | None = None
    advertising: str | None = None
    record_within: int | None = None
    urgent: bool | None = None

    def said(self) -> frozenset[str]:
        """Names of the values that this level says."""
        return frozenset(name for name in NAMES if getattr(self, name) is not None)

    def only(self, names: Collection[str]) -> Settings:
        """The same level, silent about everything but ``names``."""
        return Settings(**{name: getattr(self, name) for name in names})


NAMES = tuple(one.name for one in fields(Settings))

#: What holds when no level says anything.
DEFAULTS = Settings(
    vat="none", method=Method.FULL_PAYMENT, subject=Subject.COMMODITY, rounding=Rounding.NONE, internet=True,
    electronic_only=False, settlement_place="", settlement_address="", sender_email="", cashier=Cashier(),
    approve_returns=False, advertising="", record_within=5, urgent=False)

#: What each level may say; anything else that it says is not heard. A register knows how it is registered and where
#: it stands, not what is sold; an order knows nothing of the owner's rules.
MAY_SAY: Mapping[Level, frozenset[str]] = {
    Level.HUB: frozenset(NAMES), Level.ORGANISATION: frozenset(NAMES), Level.SOURCE: frozenset(NAMES),
    Level.REGISTER: frozenset({"tax_system", "internet", "electronic_only", "settlement_place", "settlement_address",
                               "sender_email", "cashier"}),
    Level.ORDER: frozenset({"tax_system", "internet", "electronic_only", "settlement_place", "settlement_address",
                            "cashier", "urgent"}),
    Level.LINE: frozenset({"vat", "method", "subject"})}


@dataclass(frozen=True, slots=True)
class Said(Generic[T]):
    """A value and the level that it came from."""

    value: T
    level: Level


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds after all levels were heard."""

    tax_system: Said[TaxSystem | None]
    vat: Said[str]
    method: Said[Method]
    subject: Said[Subject]
    rounding: Said[Rounding]
    internet: Said[bool]
    electronic_only: Said[bool]
    settlement_place: Said[str]
    settlement_address: Said[str]
    sender_email: Said[str]
    cashier: Said[Cashier]
    approve_returns: Said[bool]
    advertising: Said[str]
    record_within: Said[int]
    urgent: Said[bool]

    def origins(self) -> dict[str, str]:
        """Name of each value -> the level that it came from."""
        return {name: getattr(self, name).level.value for name in NAMES}

    def terms(self, country: Country, ffd: Ffd, *, seller_name: str = "", seller_inn: str = "",
              zone: str = "") -> Terms:
        """What :func:`hub.fiscal.build` needs to know beside the order."""
        return Terms(
            country=country, ffd=ffd, tax_system=self.tax_system.value, default_vat=self.vat.value,
            internet=self.internet.value, electronic_only=self.electronic_only.value,
            settlement_place=self.settlement_place.value, sender_email=self.sender_email.value,
            seller_name=seller_name, seller_inn=seller_inn, cashier=self.cashier.value, zone=zone,
            method=self.method.value, subject=self.subject.value, rounding=self.rounding.value,
            settlement_address=self.settlement_address.value)


def resolve(*levels: tuple[Level, Settings]) -> Effective:
    """Every value of the last of ``levels`` that says it, else of :data:`DEFAULTS`. Levels go from wide to near;
    ``ValueError`` when they do not."""
    order = [list(Level).index(level) for level, _ in levels]
    if order != sorted(order):
        raise ValueError(f"levels go from wide to near: {[level.value for level, _ in levels]}")
    held: dict[str, Said[Any]] = {name: Said(getattr(DEFAULTS, name), Level.HUB) for name in NAMES}
    for level, settings in levels:
        for name in MAY_SAY[level]:
            value = getattr(settings, name)
            if value is not None:
                held[name] = Said(value, level)
    return Effective(**held)


# -- registers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the registers of a queue say with one voice, and the names of what they say differently."""

    settings: Settings = Settings()
    disputed: frozenset[str] = frozenset()


def agreed(registers: Mapping[int, Settings], pinned: int | None = None) -> Agreement:
    """The register level of a receipt, which is built before a register takes it.

    ``registers`` are those that serve its queue, by id. A value counts when all of them say the same, for then it
    does not matter which one prints; one that is silent while another speaks says something else. A receipt that is
    ``pinned`` to a register hears that one alone.
    """
    if pinned is not None:
        return Agreement(registers.get(pinned, Settings()).only(MAY_SAY[Level.REGISTER]))
    voices = list(registers.values())
    if not voices:
        return Agreement()
    same = {name for name in MAY_SAY[Level.REGISTER]
            if all(getattr(one, name) == getattr(voices[0], name) for one in voices)}
    return Agreement(voices[0].only(same), MAY_SAY[Level.REGISTER] - same)


# -- the order's own values ------------------------------------------------------------------------------------------


def of_order(order: Order) -> Settings:
    """What an order says for itself."""
    return Settings(
        tax_system=order.tax_system, internet=order.internet, electronic_only=order.electronic_only,
        settlement_place=order.settlement_place or None, settlement_address=order.settlement_address or None,
        cashier=order.cashier if order.cashier.name else None, urgent=order.urgent)


def of_line(line: OrderLine) -> Settings:
    """What a line says for itself."""
    return Settings(vat=line.vat or None, method=line.method, subject=line.subject)


def without_empty(settings: Settings) -> Settings:
    """Empty texts and a nameless cashier mean "nothing said": how rows and forms state it."""
    return replace(settings, **{
        name: None for name in settings.said()
        if getattr(settings, name) == "" or getattr(settings, name) == Cashier()})


__all__ = ["DEFAULTS", "MAY_SAY", "NAMES", "Agreement", "Effective", "Level", "Said", "Settings", "agreed", "of_line",
           "of_order", "resolve", "without_empty"]
