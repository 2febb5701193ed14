"""A KOMTET shop of the tests: signed requests, checks in both versions."""

from __future__ import annotations

import json
from typing import Any

from hub_plugins.komtet.signature import sign

from hub.contracts import Request

KEY = "s3cr3t-key"
SHOP = "shop-1"
HOST = "http://hub.test"
SETTINGS = {"shop_id": SHOP, "key": KEY, "queue": 7}


def v1(**more: Any) -> dict[str, Any]:
    """An ordinary check of the old form."""
    return {"external_id": "ord-1001", "user": "buyer@example.ru", "print": False, "intent": "sell", "sno": 1,
            "payment_address": "shop.example.ru", "payments": [{"sum": 250.5, "type": "card"}],
            "positions": [
                {"name": "Абонемент", "price": 100.25, "quantity": 2, "total": 200.5, "vat": "no",
                 "measure_name": "шт", "calculation_method": "full_payment", "calculation_subject": "service"},
                {"name": "Доставка", "price": 50, "quantity": 1, "total": 50, "vat": "no",
                 "calculation_method": "full_payment", "calculation_subject": "service"}], **more}


def v2(**more: Any) -> dict[str, Any]:
    """An ordinary check of the new form."""
    return {"external_id": "ord-1002", "intent": "sell", "print": False, "client": {"email": "buyer@example.ru"},
            "company": {"payment_address": "shop.example.ru", "sno": 1}, "payments": [{"sum": 1200, "type": "card"}],
            "positions": [{"name": "Кроссовки", "price": 1200, "quantity": 1, "total": 1200, "vat": "22", "measure": 0,
                           "payment_method": "full_payment", "payment_object": "product"}], **more}


def signed(method: str, path: str, body: Any = None, key: str = KEY, shop: str = SHOP, host: str = HOST,
           url: str = "", query: str = "") -> Request:
    """A request as the Python SDK makes it. ``url`` is what was signed when it is not what is called."""
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    whole = path + (f"?{query}" if query else "")
    headers = {"authorization": shop, "accept": "application/json", "host": host.partition("://")[2],
               "x-hmac-signature": sign(key, method, url or f"{host}{whole}", data)}
    if data:
        headers["content-type"] = "application/json"
    return Request(method, path, query, headers, data, target=whole, scheme=host.partition(":")[0])


def put(check: Any, version: int = 1, queue: int = 7, **more: Any) -> Request:
    """A check into a queue."""
    return signed("POST", f"/api/shop/v{version}/queues/{queue}/task", check, **more)


def again(request: Request) -> Request:
    """The request after a change, signed anew for the same shop and host."""
    if not request.headers.get("authorization"):
        return request
    return signed(request.method, request.path, request.body or None, query=request.query,
                  shop=request.headers["authorization"])
