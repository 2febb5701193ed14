"""A receipt against a register's registration: what does not fit and why, in words, before it is queued or claimed.

The conditions are those of the claim (hub/dispatch/claims.py, which states them in SQL for speed) and, beyond them,
what the table of receipts has no column for: marked goods and agents' signs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hub.fiscal.codes import AgentSign, TaxSystem
from hub.fiscal.problems import Problem
from hub.fiscal.receipt import Receipt


@dataclass(frozen=True, slots=True)
class Registration:
    """What a register is registered for and its model can do. Empty, 0 and None mean "not known": that fits all.

    ``tax_systems`` is tag 1062, ``agent_signs`` the mask of tag 1057 at registration, ``internet`` True when it is for
    settlements on the Internet only (tag 1108), ``countries`` those whose law its model speaks, ``electronic_only``
    False when it cannot leave paper out.
    """

    title: str = ""
    inn: str = ""
    tax_systems: int = 0
    ffd: str = ""
    internet: bool | None = None
    settlement_place: str = ""
    marking: bool | None = None
    agent_signs: int | None = None
    countries: tuple[str, ...] = ()
    electronic_only: bool | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a receipt decides which registers it fits."""

    country: str = "RU"
    inn: str = ""
    tax_system: int = 0
    ffd: str = ""
    internet: bool = False
    settlement_place: str = ""
    marking: bool = False
    agent_signs: int = 0
    electronic_only: bool = False


def asked(receipt: Receipt) -> Asked:
    """What ``receipt`` asks of a register."""
    signs = receipt.agent.sign.value if receipt.agent is not None else 0
    for line in receipt.lines:
        if line.agent is not None:
            signs |= line.agent.sign.value
    return Asked(receipt.country.value, receipt.seller_inn, receipt.tax_system.value if receipt.tax_system else 0,
                 receipt.ffd.value, receipt.internet, receipt.settlement_place,
                 any(line.marking for line in receipt.lines), signs, receipt.electronic_only)


def misfits(receipt: Receipt, registration: Registration) -> list[Problem]:
    """Why that register may not print the receipt; an empty list when it may."""
    return list(of(asked(receipt), registration))


def of(wanted: Asked, has: Registration) -> Iterator[Problem]:
    """The same for what is kept of a receipt in a table. The first reason is the one to say."""
    title = {"title": has.title}
    if has.countries and wanted.country not in has.countries:
        yield Problem("fit_country", "country", {**title, "asked": wanted.country})
    # A storage pads its INN with blanks to twelve characters.
    if has.inn.strip() and wanted.inn.strip() and has.inn.strip() != wanted.inn.strip():
        yield Problem("fit_inn", "seller_inn", {**title, "has": has.inn, "asked": wanted.inn})
    if has.tax_systems and wanted.tax_system and not wanted.tax_system & has.tax_systems:
        yield Problem("fit_tax_system", "tax_system", {**title, "asked": TaxSystem(wanted.tax_system).name})
    if has.ffd and wanted.ffd and has.ffd < wanted.ffd:
        yield Problem("fit_ffd", "ffd", {**title, "has": has.ffd, "asked": wanted.ffd})
    if has.internet is True and not wanted.internet:
        yield Problem("fit_internet", "internet", title)
    place = has.settlement_place
    # On the Internet the place is the shop's site: one register may serve many.
    if place and wanted.settlement_place and not wanted.internet and place != wanted.settlement_place:
        yield Problem("fit_place", "settlement_place", {**title, "has": place, "asked": wanted.settlement_place})
    if has.marking is False and wanted.marking:
        yield Problem("fit_marking", "lines", title)
    if has.agent_signs is not None and wanted.agent_signs & ~has.agent_signs:
        missing = [one.name.lower() for one in AgentSign if one.value & wanted.agent_signs & ~has.agent_signs]
        yield Problem("fit_agent", "lines", {**title, "asked": ", ".join(missing)})
    if has.electronic_only is False and wanted.electronic_only:
        yield Problem("fit_electronic", "electronic_only", title)


#: Every id that :func:`misfits` may say.
IDS = ("fit_country", "fit_inn", "fit_tax_system", "fit_ffd", "fit_internet", "fit_place", "fit_marking", "fit_agent",
       "fit_electronic")

__all__ = ["IDS", "Asked", "Registration", "asked", "misfits", "of"]
