"""A check of the shop API, v1 (FFD 1.05, flat) or v2 (FFD 1.2, nested), as an order (komtet-kassa.md §4, §5).

The order of the checks is the simulator's profile (§12): what is required, words, prices, sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from hub_plugins.komtet import fields as read
from hub_plugins.komtet.errors import Fault
from hub_plugins.komtet.lines import position
from hub_plugins.komtet.parties import agent, buyer_v1, buyer_v2, industry, supplier
from hub_plugins.komtet.words import FORMS, INTENTS, METHOD_OF, RATES, TAX_SYSTEMS

from hub.contracts import Text
from hub.fiscal import (
    Cashier,
    CashlessDetail,
    Correction,
    CorrectionType,
    Kind,
    Method,
    OperationalProperty,
    Order,
    OrderLine,
    Payment,
    UserProperty,
    total,
)
from hub.fiscal.vat import main_on

#: Longest id of an operation: it is part of a receipt's key.
LONGEST_ID = 120

NOBODY = Cashier()

NO_POSITIONS = Text("the check has no positions", "в чеке нет позиций")
NO_PAYMENTS = Text("the check does not say how it was paid", "в чеке не указана оплата")
SUMS = Text("payments come to {paid}, positions to {due}; they must agree",
            "оплаты дают {paid}, позиции {due}; суммы должны совпадать")
NEGATIVE = Text("{value} is below zero", "{value} — меньше нуля")
NO_CORRECTION = Text("a correction must say what it corrects", "у чека коррекции должно быть указано, что он "
                                                               "исправляет")
OTHER_INN = Text("INN {given} is not the one of this connection ({own})",
                 "ИНН {given} — не тот, что у этого подключения ({own})")
NO_ID = Text("the shop's id of the operation is missing", "не указан идентификатор операции в магазине")


def identity(check: Mapping[str, Any]) -> tuple[Any, str]:
    """(external id as it came, its text). Old clients say ``task_id``."""
    raw = check.get("external_id", check.get("task_id"))
    if raw is None or raw == "":
        raise Fault(NO_ID, place="external_id")
    said = read.text({"external_id": raw}, "external_id", required=True, longest=LONGEST_ID)
    if not said:
        # Blanks: two of them would be one receipt, and the second sale never printed.
        raise Fault(NO_ID, place="external_id")
    return raw.replace("\x00", "") if isinstance(raw, str) else raw, said


def key_of(external_id: str, intent: str, methods: str) -> str:
    """What makes a receipt one: modules use the bare order number for the prepayment, the closing receipt and the
    refund alike, and all of them must be printed once (komtet-kassa.md §8, "Idempotency scope")."""
    return f"{external_id}:{intent}:{methods}"[:200]


def methods_of(lines: Sequence[OrderLine]) -> str:
    """The settlement methods of a check's lines, as they stand in its key."""
    return "+".join(sorted({METHOD_OF[line.method or Method.FULL_PAYMENT] for line in lines}))


def order_of(check: Mapping[str, Any], version: int, *, today: date, zone: str, own_inn: str = "",
             rate_of_day: bool = True) -> Order:
    """The order that a check asks for; :class:`Fault` names the first thing that the vendor would object to.

    ``own_inn`` is the organisation's, when it is known. ``rate_of_day``: a main VAT rate of another year (20 % in
    2026) is read as the one of the day, because modules outlive the rates that they know.
    """
    raw_id, external_id = identity(check)
    intent = str(check.get("intent"))
    kind, is_correction = read.choice(check, "intent", INTENTS)
    company = check if version == 1 else read.thing(check, "company")
    inside = "company" if version == 2 else ""
    tax_system = None if company.get("sno") is None else _in(inside, read.choice, company, "sno", TAX_SYSTEMS)
    if version == 2:
        _same_owner(read.text(company, "inn"), own_inn)
    correction = _correction(check, version) if is_correction else None
    lines = _lines(check, version, bool(correction))
    payments = _payments(check, lines)
    if rate_of_day and not kind.is_return:
        lines = tuple(_rated(line, correction.day if correction else today) for line in lines)
    worker = _cashier(check)
    note = {"external_id": raw_id, "version": version, "intent": intent,
            "callback_url": read.text(check, "callback_url", longest=2000), **(_noted(check) if version == 2 else {})}
    buyer = buyer_v1(check) if version == 1 else buyer_v2(check)
    internet = read.flag(check, "internet")
    if internet is None and correction is not None and not (buyer.email or buyer.phone):
        # A correction needs no contact (since 2025), but a settlement on the Internet does.
        internet = False
    methods = methods_of(lines)
    return Order(
        key=key_of(external_id, intent, methods), number=external_id, lines=lines, payments=payments, kind=kind,
        customer=buyer, tax_system=tax_system, cashier=worker, internet=internet,
        electronic_only=False if read.flag(check, "print") else None,
        settlement_place=_in(inside, read.text, company, "payment_address"),
        settlement_address=_in(inside, read.text, company, "place_address"),
        base_key=_base(external_id, kind, methods) if correction is None else "",
        correction=correction, origin=note, **({} if RARE.isdisjoint(check) else _rare(check, zone)))


#: What few checks have: the others are not asked for each of it.
RARE = frozenset({"agent_info", "supplier_info", "additional_check_props", "additional_user_props",
                  "sectoral_check_props", "operating_check_props", "operation_check_props", "cashless_payments"})


def _rare(check: Mapping[str, Any], zone: str) -> dict[str, Any]:
    return {"agent": agent(check), "supplier": supplier(check),
            "additional": read.text(check, "additional_check_props"), "user_property": _user_property(check),
            "industry": industry(check, "sectoral_check_props"), "operational": _operational(check, zone),
            "cashless": tuple(_cashless(check))}


def _noted(check: Mapping[str, Any]) -> dict[str, Any]:
    """What no register of ours prints is kept with the receipt: the zone (tag 1011) and the positions, by their place
    from 0, whose code was to be sent as a product's, without asking the marking service."""
    found: dict[str, Any] = {}
    if check.get("timezone") is not None:
        found["timezone"] = read.whole(check, "timezone", 1, 11)
    wholesale = [index for index, one in enumerate(check.get("positions") or ())  # which are read already
                 if "wholesale" in one and _in(f"positions[{index}]", read.flag, one, "wholesale")]
    return {**found, "wholesale": wholesale} if wholesale else found


def _in(place: str, reader: Any, *arguments: Any) -> Any:
    """Reads a field that stands inside ``place``."""
    try:
        return reader(*arguments)
    except Fault as fault:
        raise (fault.at(place) if place else fault) from fault


def _base(external_id: str, kind: Kind, methods: str) -> str:
    """The receipt that a return takes back, when the shop uses one number for both: the return then waits for it."""
    before = {Kind.SALE_RETURN: "sell", Kind.PURCHASE_RETURN: "buy"}.get(kind)
    return f"{external_id}:{before}:{methods}"[:200] if before else ""


def _same_owner(given: str, own: str) -> None:
    if given and own and given != own:
        raise Fault(OTHER_INN.with_(given=given, own=own), place="company.inn")


def _lines(check: Mapping[str, Any], version: int, is_correction: bool) -> tuple[OrderLine, ...]:
    positions = read.objects(check, "positions")
    if not positions and is_correction and "payment_sum" in check:
        return (_legacy(check),)
    if not positions:
        raise Fault(NO_POSITIONS, place="positions")
    return tuple(_in(f"positions[{index}]", position, one, version) for index, one in enumerate(positions))


def _legacy(check: Mapping[str, Any]) -> OrderLine:
    """Old modules send corrections without positions: sum, form and rate of the whole (komtet-kassa.md §4)."""
    amount = read.money(check, "payment_sum")
    if amount.amount < 0:
        raise Fault(NEGATIVE.with_(value=amount), place="payment_sum")
    return OrderLine("Коррекция", amount, vat=read.choice(check, "vat", RATES, "no"))


def _payments(check: Mapping[str, Any], lines: Sequence[OrderLine]) -> tuple[Payment, ...]:
    if not read.things(check, "payments") and "payment_sum" in check:
        return (Payment(read.choice(check, "payment_type", FORMS, "card"), read.money(check, "payment_sum")),)
    found = []
    for index, one in enumerate(read.objects(check, "payments", 100)):
        try:
            found.append(Payment(read.choice(one, "type", FORMS, "card"), read.money(one, "sum")))
            if found[-1].amount.amount < 0:
                raise Fault(NEGATIVE.with_(value=found[-1].amount), place="sum")
        except Fault as fault:
            raise fault.at(f"payments[{index}]") from fault
    due = total((line.amount for line in lines if line.amount is not None), "RUB")
    if not found:
        raise Fault(NO_PAYMENTS, place="payments")
    paid = total((one.amount for one in found), "RUB")
    if paid != due:
        raise Fault(SUMS.with_(paid=paid, due=due), place="payments")
    return tuple(found)


def _rated(line: OrderLine, today: date) -> OrderLine:
    rate = main_on(line.vat, today) if line.vat else line.vat
    return line if rate == line.vat else replace(line, vat=rate)


def _correction(check: Mapping[str, Any], version: int) -> Correction:
    place = "correction" if version == 1 else "correction_info"
    said = read.thing(check, place) or read.thing(check, "correction_info" if version == 1 else "correction")
    if not said:
        raise Fault(NO_CORRECTION, place=place)
    types = {"self": CorrectionType.OWN, "forced": CorrectionType.BY_ORDER, "instruction": CorrectionType.BY_ORDER}
    kind = _in(place, read.choice, said, "type", types)
    return Correction(
        kind, _in(place, read.day, said, "date" if "date" in said else "base_date"),
        read.text(said, "document") or read.text(said, "base_number"), read.text(said, "description"))


def _cashier(check: Mapping[str, Any]) -> Cashier:
    """Who is named on the receipt; a correction's authorised person when nobody else is."""
    if "cashier" not in check and "authorised_person" not in check:
        return NOBODY
    for name in ("cashier", "authorised_person"):
        if isinstance(check.get(name), str):
            return Cashier(read.text(check, name, longest=64), read.text(check, "cashier_inn"))
        said = read.thing(check, name)
        if read.text(said, "name"):
            return Cashier(read.text(said, "name"), read.text(said, "inn"))
    return NOBODY


def _user_property(check: Mapping[str, Any]) -> UserProperty | None:
    said = read.thing(check, "additional_user_props")
    return UserProperty(_in("additional_user_props", read.text, said, "name", True),
                        _in("additional_user_props", read.text, said, "value", True)) if said else None


def _operational(check: Mapping[str, Any], zone: str) -> OperationalProperty | None:
    """The SDKs and the vendor's own agent spell it differently."""
    name = "operating_check_props" if "operating_check_props" in check else "operation_check_props"
    said = read.thing(check, name)
    if not said:
        return None
    return OperationalProperty(_in(name, read.whole, said, "name", 0, 255, 0, True),
                               _in(name, read.text, said, "value", True),
                               _in(name, read.moment, said, "timestamp", "%d.%m.%Y %H:%M:%S").replace(
                                   tzinfo=ZoneInfo(zone)))


def _cashless(check: Mapping[str, Any]) -> list[CashlessDetail]:
    found = []
    for index, one in enumerate(read.objects(check, "cashless_payments", 100)):
        try:
            found.append(CashlessDetail(
                read.money(one, "sum"), read.whole(one, "method", 0, 255, 0), read.text(one, "id"),
                # The PHP SDK's spelling beside the Python SDK's.
                read.text(one, "additional_info") or read.text(one, "additionalInfo")))
        except Fault as fault:
            raise fault.at(f"cashless_payments[{index}]") from fault
    return found
