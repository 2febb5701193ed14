"""A search that a person asked for: taken up once a machine, told place by place, over with the process."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from hub import office, office_printers
from hub.contracts import Identity, Probing, Transport
from hub.dispatch import devices
from hub.dispatch.devices import REPORT, SEARCH, Searches
from hub.registers import discovery
from hub.registers.transports import BadAddress
from hub.registers.transports.usb import Port
from hub.store import DatabaseAway, utcnow
from tests.core.support import Shop, wait_until
from tests.web.toys import Till, TillSettings


class Answering(Till):
    """Answers everywhere, under the address as its serial number."""

    probing = Probing(bauds=(9600,))

    @classmethod
    def probe(cls, transport: Transport) -> Identity | None:
        return Identity(transport.address, "Toy", "99")


class Line:
    def __init__(self, text: str, connect: float = 0.0) -> None:
        self.address = text.partition("?")[0]

    def open(self) -> None:
        """It opens."""

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture(autouse=True)
def ports(monkeypatch: pytest.MonkeyPatch) -> list[Port]:
    there = [Port("/dev/ttyX0"), Port("/dev/ttyX1")]
    monkeypatch.setattr(discovery.usb, "listed", lambda: there)
    monkeypatch.setattr(discovery.transports, "transport", Line)
    return there


def searches(shop: Shop, host: str = "one", **options: Any) -> Searches:
    return Searches(shop.db, {"till": Answering}, options.get("more", ()), host)


def rows(shop: Shop, public_id: str) -> list[dict[str, Any]]:
    with shop.db.read() as connection:
        search_id = connection.execute(select(SEARCH.c.id).where(SEARCH.c.public_id == public_id)).scalar_one()
        return devices.reports(connection, search_id)


def test_every_machine_reports_once_and_ports_of_ours_are_told(shop: Shop) -> None:
    with shop.db.write() as session:
        row = office.add_register(session, shop.vault, "test", shop.organisation_id, "till", "Прилавок", TillSettings,
                                  {"address": "/dev/ttyX1"})
        office_printers.add_printer(session, shop.vault, "test", shop.organisation_id, "any", "Склад", TillSettings,
                                    {"address": "10.0.0.4:9100"})
    asked = devices.ask(shop.db, shop.organisation_id, ["10.0.0.5:7778", " "], "user:anna")
    one, same, other = searches(shop), searches(shop), searches(shop, "two", more=("10.0.0.6:7778",))
    assert one.look() and not same.look() and other.look(), "one report a machine, whatever its processes"
    assert not one.look(), "it is taken up once"
    one.join(20)
    other.join(20)
    first, second = rows(shop, asked)
    assert (first["host"], second["host"]) == ("one", "two") and first["ended_at"] and second["ended_at"]
    told = {place["address"]: (place["state"], (place["kept"] or {}).get("id")) for place in first["places"]}
    assert told == {"/dev/ttyX0": ("found", None), "/dev/ttyX1": ("ours", row.public_id),
                    "tcp://10.0.0.5:7778": ("found", None), "tcp://10.0.0.4:9100": ("ours", told[
                        "tcp://10.0.0.4:9100"][1])}
    assert "tcp://10.0.0.6:7778" in [place["address"] for place in second["places"]]
    assert first["places"][0]["settings_address"] == "/dev/ttyX0?baud=9600"
    with pytest.raises(BadAddress):
        devices.ask(shop.db, shop.organisation_id, ["nonsense"], "user:anna")


def test_a_report_without_an_end_is_that_of_a_process_that_died(
        little_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had found by then stands there; a later search begins anew."""
    def dies(*_: Any, **__: Any) -> None:
        raise DatabaseAway("killed here")

    monkeypatch.setattr(discovery, "search", dies)
    asked = devices.ask(little_shop.db, little_shop.organisation_id, (), "user:anna")
    one = searches(little_shop)
    assert one.look()
    one.join(20)
    report = rows(little_shop, asked)[0]
    assert report["ended_at"] is None and {place["state"] for place in report["places"]} == {"waiting"}


def test_a_search_that_nobody_took_up_is_not_begun_late_and_old_ones_go(little_shop: Shop) -> None:
    asked = devices.ask(little_shop.db, little_shop.organisation_id, (), "user:anna")
    little_shop.db.submit(lambda connection: connection.execute(
        update(SEARCH).values(at=utcnow() - 2 * devices.FRESH)))
    assert not searches(little_shop).look() and rows(little_shop, asked) == []
    little_shop.db.submit(lambda connection: connection.execute(
        update(SEARCH).values(at=utcnow() - 2 * devices.KEEP)))
    devices.ask(little_shop.db, little_shop.organisation_id, (), "user:anna")
    assert little_shop.count(SEARCH) == 1
    one = searches(little_shop)
    assert one.look()
    wait_until(lambda: little_shop.read(select(REPORT.c.ended_at))[0][0])
