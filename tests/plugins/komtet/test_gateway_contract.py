"""The contract suite of gateways against both versions of the shop API."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

from hub_plugins.komtet.gateway import KomtetGateway

from hub.contracts import Answer, Gateway, Request
from hub.testing.faults import Trouble
from hub.testing.gateway import GatewayContract
from tests.plugins.komtet.support import SETTINGS, again, put, signed, v1, v2

CALLBACK = "https://shop.example/kassa/cb"


class TestKomtetV1(GatewayContract):
    """Modules of before 2025."""

    gateway = KomtetGateway
    settings = SETTINGS
    calls_out = frozenset({"report"})
    version: ClassVar[int] = 1

    def check(self, **more: Any) -> dict[str, Any]:
        return v1(callback_url=CALLBACK, **more)

    def good_request(self, gateway: Gateway, other: bool = False) -> Request:
        position = {**self.check()["positions"][0], "price": 10, "quantity": 1, "total": 10}
        return put(self.check(positions=[position], payments=[{"sum": 10}]) if other else self.check(), self.version)

    def invalid_request(self, gateway: Gateway) -> Request:
        return put(self.check(user="", client={}), self.version)

    def status_request(self, gateway: Gateway, submitted: Answer) -> Request:
        return signed("GET", f"/api/shop/v{self.version}/tasks/{json.loads(submitted.body)['id']}")

    def signed_again(self, request: Request) -> Request:
        return again(request)

    def allowed(self, trouble: Trouble, call: int) -> tuple[type[Any], ...]:
        """A receiver that answers 200 has heard it, whatever else it says."""
        return (type(None),) if trouble.name in ("garbage", "empty") else super().allowed(trouble, call)

    def forged_requests(self, gateway: Gateway) -> Iterable[Request]:
        good = self.good_request(gateway)
        return [put(self.check(), self.version, key="guess"), put(self.check(), self.version, shop="another"),
                replace(good, headers={**good.headers, "x-hmac-signature": ""}),
                replace(good, body=good.body.replace(b"250.5", b"250.4").replace(b"1200", b"1201")),
                replace(good, headers={name: good.headers[name] for name in good.headers if name != "authorization"})]


class TestKomtetV2(TestKomtetV1):
    """Modules of today."""

    version = 2

    def check(self, **more: Any) -> dict[str, Any]:
        return v2(callback_url=CALLBACK, **more)
