"""A receipt against a register's registration: every reason, all at once, and nothing when nothing is known."""

from __future__ import annotations

from dataclasses import replace

from hub.fiscal import Agent, AgentSign, Ffd, Supplier, TaxSystem
from hub.fiscal.fit import IDS, Asked, Registration, asked, misfits, of
from tests.receipts.make import OTHER_INN, code, line, receipt, shop

FITS = Registration("Касса 1", "7707083893", 3, "1.2", False, "Магазин «Ромашка»", True, 32, ("RU",), True)


def test_what_fits_has_no_misfits() -> None:
    agent = line(agent=Agent(AgentSign.COMMISSION_AGENT), supplier=Supplier(OTHER_INN), marking=code())
    assert misfits(shop(agent, ffd=Ffd.V1_2), FITS) == []
    assert misfits(shop(agent, ffd=Ffd.V1_2), Registration()) == []
    # An older format holds nothing that a newer register lacks; the Internet's place is a site, not the register's.
    assert misfits(receipt(), replace(FITS, internet=True)) == []


def test_every_reason_is_told_at_once() -> None:
    """All nine from one receipt and one register."""
    wrong = Registration("Касса 2", OTHER_INN, 2, "1.05", True, "Склад", False, 1, ("KZ",), False)
    made = shop(line(agent=Agent(AgentSign.ATTORNEY), supplier=Supplier(OTHER_INN), marking=code()), ffd=Ffd.V1_2,
                electronic_only=True, contact="buyer@mail.example")
    found = misfits(made, wrong)
    assert [one.code for one in found] == list(IDS)
    for one in found:
        for language in ("ru", "en", "kk"):
            assert "Касса 2" in one.text.say(language) and "{" not in one.text.say(language)
    assert "attorney" in found[7].text.say("en")


def test_what_is_asked_is_read_from_document_and_lines() -> None:
    made = receipt(line(agent=Agent(AgentSign.ATTORNEY)), agent=Agent(AgentSign.ANOTHER), tax_system=TaxSystem.PATENT)
    assert asked(made).agent_signs == 16 | 64 and asked(made).tax_system == 32 and not asked(made).marking
    assert asked(receipt(tax_system=None)).tax_system == 0
    assert [one.code for one in of(Asked(agent_signs=3), Registration(agent_signs=1))] == ["fit_agent"]
    assert list(of(Asked(agent_signs=1), Registration(agent_signs=1))) == []
    assert list(of(Asked(agent_signs=1), Registration())) == []
