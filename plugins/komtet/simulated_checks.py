"""What the simulated cloud looks at before it takes a check (komtet-kassa.md §8, §12.4)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

INTENTS = {one + two for one in ("sell", "sellReturn", "buy", "buyReturn") for two in ("", "Correction")}
PAYMENTS = {"card", "cash", "prepayment", "credit", "counter_provisioning"}
RATES = {"no", "0", "5", "7", "10", "20", "22", "105", "107", "110", "120", "122"}
METHODS = {"pre_payment_full", "pre_payment_part", "advance", "full_payment", "credit_part", "credit_pay", "credit"}
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
    method = "calculation_method" if version == "v1" else "payment_method"
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
    for one in check["payments"]:
        if one.get("type", "card") not in PAYMENTS:
            raise Bad("payments.type: неизвестное значение")
    _sums(check)
    if check["intent"].endswith("Correction") and not (check.get("correction") or check.get("correction_info")):
        raise Bad("correction: обязательное поле")
    if not check["intent"].endswith("Correction") and version == "v1" and not check.get("user"):
        raise Bad("user: обязательное поле")


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
