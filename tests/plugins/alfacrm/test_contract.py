"""The contract suite of order sources against this plugin and its simulator."""

from __future__ import annotations

import json

from hub_plugins.alfacrm.simulator import API_KEY, EMAIL, AlfaSimulator
from hub_plugins.alfacrm.source import AlfaCrmSource

from hub.contracts import Request
from hub.testing.simulator import HttpSimulator
from hub.testing.source import SourceContract

WEBHOOK = {"branch_id": 1, "event": "create", "entity": "Pay", "entity_id": 731, "fields_old": [],
           "fields_new": {"customer_id": "145", "income": "4500", "document_date": "2026-11-20", "note": "за ноябрь",
                          "payer_name": "Орлова Мария", "branch_id": 1, "confirmed": True, "pay_account_id": "2",
                          "pay_type_id": "1", "ctt_id": "88"},
           "fields_rel": [], "user_id": 2, "datetime": "2026-11-20 14:38:36"}


class TestAlfaCrm(SourceContract):
    """A payment on a separate account, so that every look-up takes part."""

    source = AlfaCrmSource
    settings = {"host": "school.s20.online", "email": EMAIL, "api_key": API_KEY, "start_date": "01.11.2026",
                "branches": [1], "read_pause_ms": 0, "write_pause_ms": 0, "cashiers": {"9": "Иванова Мария"}}
    calls_out = frozenset({"fetch", "report", "check", "poll", "payments"})

    def other_side(self) -> AlfaSimulator:
        school = AlfaSimulator(rate=0)
        school.do_create_pay(ctt_id=88, teacher_id=21, note="за ноябрь", document_date="20.11.2026")
        return school

    def edit(self, other: HttpSimulator) -> bool:
        assert isinstance(other, AlfaSimulator)
        other.do_update_pay(731, income=9990)
        return True

    def take_back(self, other: HttpSimulator) -> Request | None:
        """Somebody takes the confirmation back."""
        assert isinstance(other, AlfaSimulator)
        other.do_update_pay(731, is_confirmed=0)
        return self.good_request()

    def without_right(self, other: HttpSimulator) -> str:
        assert isinstance(other, AlfaSimulator)
        other.do_configure(forbidden=["customer"])
        return "клиентов"

    def good_request(self) -> Request:
        return Request("POST", "", "", {"content-type": "application/json"}, json.dumps(WEBHOOK).encode())
