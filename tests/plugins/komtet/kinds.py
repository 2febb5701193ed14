"""Every kind of receipt that the hub sends to KOMTET, and what of it must stand over there, written by hand in both
forms (komtet-kassa.md §4-§6, §11)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from hub.fiscal import Correction, CorrectionType, Customer, Form, Kind, Money, Order, OrderLine, Payment
from hub.fiscal.codes import Method, Subject

#: Shoes by GS1: GTIN, serial number, verification part, with the separators of the scan.
CODE = "010460000000001521AbC1234567890\x1d91EE06\x1d92Q1w2E3r4T5y6U7i8O9p0A1s2D3f4G5h6J7k8L9z0XcVb"
#: The same as tag 1162: 444D, six bytes of GTIN 04600000000015, the serial number.
HEX = "444D" + f"{4600000000015:012X}" + b"AbC1234567890".hex().upper()
DAY = date(2026, 11, 2)

OWN = Correction(CorrectionType.OWN, DAY, description="Не пробит чек")
ORDERED = Correction(CorrectionType.BY_ORDER, DAY, number="17-А/5")


def order(key: str, kind: Kind, version: int, correction: Correction | None = None) -> Order:
    """Two lines at two rates, one of them marked unless it is corrected or bought, paid in two ways."""
    marked = correction is None and kind in (Kind.SALE, Kind.SALE_RETURN)
    shoes = Subject.COMMODITY_MARKED if marked and version == 2 else Subject.COMMODITY
    return Order(
        key=key, number=key, kind=kind, internet=False, correction=correction,
        customer=Customer(email="buyer@example.ru"),
        lines=(OrderLine("Кроссовки", Money(320_00), vat="vat22", subject=shoes, method=Method.FULL_PAYMENT,
                         marking=CODE if marked else ""),
               OrderLine("Доставка", Money(50_25), Decimal(2), vat="none", subject=Subject.SERVICE,
                         method=Method.FULL_PAYMENT)),
        payments=(Payment(Form.CASH, Money(20_50)), Payment(Form.ELECTRONIC, Money(400_00))))


def orders(version: int) -> dict[str, Order]:
    """intent of the wire -> order. FFD 1.05 knows no corrections of returns."""
    found = {"sell": order("sell", Kind.SALE, version), "sellReturn": order("sellReturn", Kind.SALE_RETURN, version),
             "buy": order("buy", Kind.PURCHASE, version),
             "buyReturn": order("buyReturn", Kind.PURCHASE_RETURN, version),
             "sellCorrection": order("sellCorrection", Kind.SALE, version, OWN),
             "buyCorrection": order("buyCorrection", Kind.PURCHASE, version, ORDERED)}
    if version == 2:
        found["sellReturnCorrection"] = order("sellReturnCorrection", Kind.SALE_RETURN, version, ORDERED)
        found["buyReturnCorrection"] = order("buyReturnCorrection", Kind.PURCHASE_RETURN, version, OWN)
    return found


def agrees(check: Mapping[str, Any], intent: str, version: int, *, at_agent: bool = False) -> None:
    """The check that came to the other side says what was sold."""
    shoes, delivery = check["positions"]
    rates = [one["vat"]["number"] if at_agent and version == 1 else one["vat"] for one in (shoes, delivery)]
    assert check["intent"] == intent and rates == ["22", "no"]
    assert [[one[name] for name in ("name", "price", "quantity", "total")] for one in (shoes, delivery)] == [
        ["Кроссовки", 320, 1, 320], ["Доставка", 50.25, 2, 100.5]]
    assert sorted((one["type"], one["sum"]) for one in check["payments"]) == [("card", 400), ("cash", 20.5)]
    words = [[one[name] for name in (("calculation_method", "calculation_subject") if version == 1 else
                                     ("payment_method", "payment_object"))] for one in (shoes, delivery)]
    marked = intent in ("sell", "sellReturn")
    assert words == [["full_payment", "tm" if marked and version == 2 else "product"], ["full_payment", "service"]]
    assert (check["user"] if version == 1 else check["client"]["email"]) == "buyer@example.ru"
    _marking(shoes, marked, version, at_agent)
    assert not {"nomenclature_code", "mark_code"} & set(delivery)
    _reason(check, intent, version)


def _marking(shoes: Mapping[str, Any], marked: bool, version: int, at_agent: bool) -> None:
    if not marked:
        assert not {"nomenclature_code", "mark_code"} & set(shoes)
    elif version == 2:
        assert shoes["mark_code"] == {"gs1m": CODE} and "nomenclature_code" not in shoes
    else:
        at_register = {"hex_code": HEX, "code_restored": CODE} if at_agent else {}
        assert shoes["nomenclature_code"] == {"code": CODE, **at_register} and "mark_code" not in shoes


def _reason(check: Mapping[str, Any], intent: str, version: int) -> None:
    if not intent.endswith("Correction"):
        assert not {"correction", "correction_info"} & set(check)
        return
    ordered = intent in ("buyCorrection", "sellReturnCorrection")
    if version == 1:
        assert check["correction"] == {"type": "forced" if ordered else "self", "date": "2026-11-02",
                                       **({"document": "17-А/5"} if ordered else {})}
    else:
        assert check["correction_info"] == {"type": "instruction" if ordered else "self", "base_date": "02.11.2026",
                                            **({"base_number": "17-А/5"} if ordered else {})}
