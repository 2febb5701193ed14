"""What the simulated cloud looks at before it takes a check (komtet-kassa.md §8, §12.4)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

INTENTS = {one + two for one in ("sell", "sellReturn", "buy", "buyReturn") for two in ("", "Correction")}
PAYMENTS = {"card", "cash", "prepayment", "credit", "counter_provisioning"}
RATES = {"no", "0", "5", "7", "10", "20", "22", "105", "107", "110", "120", "122"}
METHODS = {"pre_payment_full", "pre_payment_part", "advance", "full_payment", "credit_part", "credit_pay", "credit"}
#: What both forms know of settlement subjects, and what only the second knows (§6); spelt as on the wire.
SUBJECTS = {"v1": frozenset({"product", "product_practical", "work", "service", "gambling_bet", "gambling_win",
                             "lottery_bet", "lottery_win", "rid", "payment", "commission", "composite", "pay", "other",
                             "property_right", "non_operating", "insurance", "sales_tax", "resort_fee"})}
SUBJECTS["v2"] = SUBJECTS["v1"] | {
    "deposit", "consumption", "sole_proprietor_cpi_contributins", "cpi_contributins",
    "sole_proprietor_cmi_contributins", "cmi_contributins", "csi_contributins", "casino_payment",
    "payment_of_the_money", "atnm", "atm", "tnm", "tm"}
MARKS = {"unknown", "ean8", "ean13", "itf14", "gs10", "gs1m", "short", "fur", "egais20", "egais30"}
#: version -> where a correction's reason stands, its types, the field and the form of its date.
REASONS = {"v1": ("correction", {"self", "forced"}, "date", r"\d{4}[-/]\d\d[-/]\d\d"),
           "v2": ("correction_info", {"self", "instruction"}, "base_date", r"\d\d\.\d\d\.\d{4}")}
#: Dust of floats.
NEAR = Decimal("0.000000001")


class Bad(ValueError):
    """The check is refused."""

    def __init__(self, words: str, code: str = "VLD00") -> None:
        super().__init__(words)
        self.code = code


def checked(check: Any, version: str) -> None:
    """Raises Bad. Required fields, enumerations, prices, totals, sums, in this order."""
    if not isinstance(check, dict):
        raise Bad("Чек должен быть объектом")
    for name in ("external_id", "intent", "payments", "positions"):
        if not check.get(name):
            raise Bad(f"{name}: обязательное поле")
    if check["intent"] not in INTENTS:
        raise Bad(f"intent: неизвестное значение {check['intent']}")
    method, subject = ("calculation_method", "calculation_subject") if version == "v1" else ("payment_method",
                                                                                             "payment_object")
    for one in check["positions"]:
        needed = ("name", "price", "quantity", "total", "vat") + (
            () if version == "v1" else ("measure", "payment_object", "payment_method"))
        for name in needed:
            if one.get(name) is None:
                raise Bad(f"positions.{name}: обязательное поле")
        if one["vat"] not in RATES:
            raise Bad(f"positions.vat: неизвестное значение {one['vat']}")
        if one.get(method, "full_payment") not in METHODS:
            raise Bad(f"positions.{method}: неизвестное значение")
        if one.get(subject, "product") not in SUBJECTS[version]:
            raise Bad(f"positions.{subject}: неизвестное значение {one[subject]}")
        _marking(one, version)
    for one in check["payments"]:
        if one.get("type", "card") not in PAYMENTS:
            raise Bad("payments.type: неизвестное значение")
    _sums(check)
    if check["intent"].endswith("Correction"):
        _reason(check, version)
    if not check["intent"].endswith("Correction") and version == "v1" and not check.get("user"):
        raise Bad("user: обязательное поле")


def _marking(one: dict[str, Any], version: str) -> None:
    """Each form has a field of its own; one code for one unit."""
    if version == "v1":
        code = one.get("nomenclature_code")
        if code is not None and not (isinstance(code, dict) and (code.get("code") or code.get("hex_code"))):
            raise Bad("positions.nomenclature_code: нет ни code, ни hex_code")
        return
    code = one.get("mark_code")
    if code is not None and not (isinstance(code, dict) and len(code) == 1 and set(code) <= MARKS):
        raise Bad("positions.mark_code: нужен ровно один вид кода")


def _reason(check: dict[str, Any], version: str) -> None:
    name, types, day, form = REASONS[version]
    reason = check.get(name)
    if not isinstance(reason, dict):
        raise Bad(f"{name}: обязательное поле")
    if reason.get("type") not in types:
        raise Bad(f"{name}.type: неизвестное значение {reason.get('type')}")
    if not re.fullmatch(form, str(reason.get(day))):
        raise Bad(f"{name}.{day}: не дата")


def _sums(check: dict[str, Any]) -> None:
    due = Decimal(0)
    for one in check["positions"]:
        price, quantity, total = (_number(one, name) for name in ("price", "quantity", "total"))
        if abs(price - round(price, 2)) > NEAR:
            raise Bad("Цена позиции с долями копейки", "VLD12")
        if total < 0 or total > price * quantity + Decimal("0.01"):
            raise Bad("Неверная стоимость позиции", "VLD13")
        due += round(total, 2)
    if round(sum((_number(one, "sum") for one in check["payments"]), Decimal(0)), 2) != due:
        raise Bad("Сумма оплат не равна сумме позиций")


def _number(data: dict[str, Any], name: str) -> Decimal:
    if isinstance(data.get(name), bool) or not isinstance(data.get(name), (int, float)):
        raise Bad(f"{name}: не число")
    return Decimal(str(data[name]))


def scope(shop: str, check: dict[str, Any]) -> str:
    """What makes two checks the same (§8, "Idempotency scope")."""
    methods = sorted({str(one.get("payment_method") or one.get("calculation_method") or "full_payment")
                      for one in check["positions"]})
    return f"{shop}:{check['external_id']}:{check['intent']}:{','.join(methods)}"
