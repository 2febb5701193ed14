"""The simulated site's checks in the three forms of the poll protocol, byte for byte as sale 25.325.0 writes them
(bitrix-site §2.5, recorded in poll_v1.json to poll_v3.json)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

#: VAT maps of a register that nobody has touched: catalogue id -> word. Ids it does not know give an empty word.
NEW_VAT = {"0": "none", "1": "none", "2": "vat20", "3": "vat10", "6": "vat0"}
OLD_VAT = {"0": 4, "1": 4, "3": 2, "6": 1}
METHODS = {"full_payment": "fullPayment", "advance": "advance", "prepayment": "prepayment",
           "full_prepayment": "fullPrepayment", "credit": "credit", "credit_payment": "creditPayment"}
PAYMENTS = {"cash": "cash", "cashless": "electronically", "advance": "prepaid", "credit": "credit"}
CALCULATED = {"vat10": "vat110", "vat20": "vat120"}
_MARKED = {"commodity_marking": "commodityWithMarking", "commodity_marking_no_marking": "commodityWithoutMarking ",
           "commodity_marking_excise": "exciseWithMarking ",
           "commodity_marking_no_marking_excise": "exciseWithoutMarking "}


def php_json(value: Any) -> bytes:
    """json_encode with the flags of the site: Cyrillic as it is, five characters as escapes, slashes bare."""
    words = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for one, escape in (('\\"', "\\u0022"), ("<", "\\u003C"), (">", "\\u003E"), ("&", "\\u0026"), ("'", "\\u0027")):
        words = words.replace(one, escape)
    return words.encode()


def number(words: Any) -> int | float:
    """A sum as PHP prints it: 150, not 150.0."""
    value = Decimal(str(words or 0))
    return int(value) if value == value.to_integral_value() else float(value)


def handed_out(content: Mapping[str, Any] | None, version: str, uuid: str, zn: str, at: datetime,
               vat: Mapping[str, str] | None = None, old_prices: bool = False) -> dict[str, Any]:
    """A receipt as the register's handler writes it. ``content`` None: its order is gone (§6.3)."""
    if version == "1":
        return _old(content or {}, uuid, zn, at)
    back = "return" in str((content or {}).get("type", ""))
    items = [_item(one, content or {}, version, back, vat or NEW_VAT, old_prices)
             for one in (content or {}).get("items", ())]
    contact = (content or {}).get("client_email") or (content or {}).get("client_phone")
    receipt: dict[str, Any] = {
        "type": "sellReturn" if back else "sell", "timestamp": f"{at:%d.%m.%Y %H:%M:%S}", "external_id": uuid,
        "taxationType": "osn", "zn": zn, "clientInfo": {"emailOrPhone": contact},
        "payments": [{"type": PAYMENTS[one["type"]], "sum": number(one["sum"])}
                     for one in (content or {}).get("payments", ())],
        "items": items, "total": number((content or {}).get("total_sum"))}
    if any("imcParams" in one for one in items):
        receipt["validateMarkingCodes"] = True
    return receipt


def _item(one: Mapping[str, Any], content: Mapping[str, Any], version: str, back: bool, vat: Mapping[str, str],
          old_prices: bool) -> dict[str, Any]:
    # Its own type decides: the content of creditpaymentreturn has no method (§1.3).
    method = METHODS[str(one.get("payment_method") or "credit_payment")]
    word = vat.get(str(one.get("vat") or "0"), "")
    if method in ("prepayment", "fullPrepayment"):
        word = CALCULATED.get(word, word)
    what = str(one.get("payment_object"))
    marked = what in _MARKED
    item: dict[str, Any] = {} if old_prices else {"type": "position"}
    item |= {"name": one["name"], "price": number(one["base_price"] if old_prices else one["price"]),
             "quantity": number(one["quantity"]), "amount": number(one["sum"]), "paymentMethod": method,
             "paymentObject": (_MARKED[what] if version == "3" else "commodity") if marked else what,
             "tax": {"type": word}}
    if version == "3":
        item["measurementUnit"] = 0
        if one.get("marking_code"):
            item["imcParams"] = {
                "imcType": "auto", "imc": base64.b64encode(str(one["marking_code"]).encode()).decode(),
                "itemEstimatedStatus": "itemPieceReturn" if str(content.get("type")).startswith("sellreturn")
                else "itemPieceSold", "imcModeProcessing": 0}
    elif one.get("nomenclature_code"):
        item["nomenclatureCode"] = base64.b64encode(str(one["nomenclature_code"]).encode("latin-1")).decode()
    return item


def _old(content: Mapping[str, Any], uuid: str, zn: str, at: datetime) -> dict[str, Any]:
    items = []
    for one in content.get("items", ()):
        item: dict[str, Any] = {"name": one["name"], "price": number(one["base_price"]),
                                "quantity": number(one["quantity"]),
                                "VAT": OLD_VAT.get(str(one.get("vat") or "0"), 0)}
        discount = one.get("discount")
        if isinstance(discount, Mapping):
            item |= {"discount": number(discount["discount"]), "discount_type": 0}
        items.append(item)
    return {"payments": [{"type": 0 if one["type"] == "cash" else 3, "value": number(one["sum"])}
                         for one in content.get("payments", ())],
            "type": 2 if "return" in str(content.get("type", "")) else 1, "uuid": uuid, "zn": zn, "items": items,
            "client": content.get("client_email") or content.get("client_phone"),
            "timestamp": str(int(at.timestamp()))}
