"""The suite that every source passes, over the simulated portal: by stage and by payment."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import urlencode

from hub_plugins.bitrix24.simulator import Bitrix24Simulator
from hub_plugins.bitrix24.source import Bitrix24Source

from hub.contracts import Request
from hub.testing.simulator import HttpSimulator
from hub.testing.source import SourceContract
from hub.testing.work import NOW
from tests.plugins.bitrix24.support import CONTACT, ROWS, TOKEN

HEADERS = {"content-type": "application/x-www-form-urlencoded"}


class TestByStage(SourceContract):
    source = Bitrix24Source
    settings: ClassVar[dict[str, Any]] = {
        "webhook": "https://acme.bitrix24.ru/rest/1/simulated0secret/", "application_token": TOKEN,
        "enterprise": True, "paid_stages": ["WON", "C3:WON"], "result_field": "UF_CRM_KKT_LINK", "notify": True}
    calls_out = frozenset({"fetch", "report", "check", "poll", "payments", "tell_person"})

    def other_side(self) -> Bitrix24Simulator:
        simulator = Bitrix24Simulator(clock=lambda: NOW)
        simulator.bucket.rate, simulator.bucket.burst = 5.0, 250
        simulator.do("field", name="UF_CRM_KKT_LINK", type="url")
        simulator.do("create_deal", title="Заказ", rows=ROWS, contact=CONTACT, stage="WON")
        simulator.sender.application_token, simulator.sender.domain = TOKEN, "acme.bitrix24.ru"
        self.prepare(simulator)
        return simulator

    def prepare(self, simulator: Bitrix24Simulator) -> None:
        """More of the other side."""

    def event(self, name: str, number: int, token: str = TOKEN) -> Request:
        simulator = Bitrix24Simulator(clock=lambda: NOW)
        simulator.sender.application_token, simulator.sender.domain = token, "acme.bitrix24.ru"
        simulator._server.server_close()
        return Request("POST", "", "", HEADERS, urlencode(simulator.sender.payload(name, {"ID": number})).encode())

    def good_request(self) -> Request:
        return self.event("ONCRMDEALUPDATE", 54)

    def edit(self, other: HttpSimulator) -> bool:
        """Another sum is typed into the deal, and its products follow."""
        assert isinstance(other, Bitrix24Simulator)
        other.do("set_rows", deal=54, rows=[{**ROWS[0], "price": "999.00"}])
        return True

    def take_back(self, other: HttpSimulator) -> Request | None:
        """The deal is lost after all."""
        assert isinstance(other, Bitrix24Simulator)
        other.do("move", deal=54, stage="LOSE")
        return self.good_request()

    def without_right(self, other: HttpSimulator) -> str:
        assert isinstance(other, Bitrix24Simulator)
        other.do("configure", scopes=["sale"])
        return "crm"

    def forged_requests(self) -> list[Request]:
        return [self.event("ONCRMDEALUPDATE", 54, token) for token in ("", "51856fefc120afa4b628cc82d3935ccf", "тест")]


class TestByPayment(TestByStage):
    settings: ClassVar[dict[str, Any]] = {
        "webhook": "https://acme.bitrix24.ru/rest/1/simulated0secret/", "application_token": TOKEN,
        "enterprise": True, "paid_by_payment": True, "notify": True}

    def prepare(self, simulator: Bitrix24Simulator) -> None:
        simulator.do("pay", payment=simulator.do("add_payment", deal=54)["id"])

    def good_request(self) -> Request:
        return self.event("ONPAYMENTENTITYSAVED", 1036)

    def edit(self, other: HttpSimulator) -> bool:
        assert isinstance(other, Bitrix24Simulator)
        other.portal.payments[1036]["sum"] = Decimal("500.00")
        return True

    def take_back(self, other: HttpSimulator) -> Request | None:
        """The payment is marked unpaid."""
        assert isinstance(other, Bitrix24Simulator)
        other.portal.pay(1036, False)
        return self.good_request()

    def without_right(self, other: HttpSimulator) -> str:
        assert isinstance(other, Bitrix24Simulator)
        other.do("configure", scopes=["crm"])
        return "sale"
