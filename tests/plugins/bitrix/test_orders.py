"""What a check must hold to become an order, and in which words it is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hub_plugins.bitrix.orders import TYPES, order_of
from hub_plugins.bitrix.settings import BitrixSettings
from hub_plugins.bitrix.simulated_checks import CASES, body, content, item
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.contracts import load
from hub.fiscal import (
    Agent,
    AgentSign,
    Form,
    Invalid,
    Kind,
    Measure,
    Method,
    Money,
    Order,
    Subject,
    Supplier,
    TaxSystem,
    Terms,
    build,
)
from hub.fiscal.codec import from_json, to_json
from tests.plugins.bitrix.helpers import NOW, VAT

REGISTER = {"NUMBER_KKM": "KKM-1", "EMAIL": "kassa@shop.example", "SETTINGS": {}}


def fields(case: str = "sell-one-line", **more: Any) -> dict[str, Any]:
    return body({**content(CASES[case]), **more}, 7, 1, "shop.example", REGISTER)


def made(given_: dict[str, Any], **config: Any) -> Order:
    return order_of(given_, load(BitrixSettings, {"vat": VAT, **config}), "RUB")


def problems(given_: dict[str, Any], **config: Any) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        made(given_, **config)
    for problem in caught.value.problems:
        assert "{" not in problem.text.say("ru"), problem
    return [(one.code, one.field) for one in caught.value.problems]


def line(**more: Any) -> dict[str, Any]:
    return fields(items=[{**content(CASES["sell-one-line"])["items"][0], **more}])


# -- types, methods, objects -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind", "method"), [
    ("sell", Kind.SALE, Method.FULL_PAYMENT), ("sellreturn", Kind.SALE_RETURN, Method.FULL_PAYMENT),
    ("sellreturncash", Kind.SALE_RETURN, Method.FULL_PAYMENT),
    ("advancepayment", Kind.SALE, Method.ADVANCE), ("advancereturn", Kind.SALE_RETURN, Method.ADVANCE),
    ("advancereturncash", Kind.SALE_RETURN, Method.ADVANCE),
    ("prepayment", Kind.SALE, Method.PREPAYMENT), ("prepaymentreturn", Kind.SALE_RETURN, Method.PREPAYMENT),
    ("prepaymentreturncash", Kind.SALE_RETURN, Method.PREPAYMENT),
    ("fullprepayment", Kind.SALE, Method.FULL_PREPAYMENT),
    ("fullprepaymentreturn", Kind.SALE_RETURN, Method.FULL_PREPAYMENT),
    ("fullprepaymentreturncash", Kind.SALE_RETURN, Method.FULL_PREPAYMENT),
    ("credit", Kind.SALE, Method.CREDIT), ("creditreturn", Kind.SALE_RETURN, Method.CREDIT),
    ("creditpayment", Kind.SALE, Method.CREDIT_PAYMENT),
    ("creditpaymentreturn", Kind.SALE_RETURN, Method.CREDIT_PAYMENT),
    ("creditpaymentreturncash", Kind.SALE_RETURN, Method.CREDIT_PAYMENT)])
def test_every_type_of_check(name: str, kind: Kind, method: Method) -> None:
    """The type decides the method where the line names none, as with creditpaymentreturn."""
    given_ = fields(type=name)
    del given_["items"][0]["payment_method"]
    order = made(given_)
    assert (order.kind, order.lines[0].method) == (kind, method)


def test_the_lines_own_method_wins() -> None:
    assert made(line(payment_method="partial_payment")).lines[0].method is Method.PARTIAL_PAYMENT


def test_unknown_words_are_refused_not_guessed() -> None:
    assert problems(fields(type="sellcorrection")) == [("value_unknown", "type")]
    assert problems({**fields(), "type": ""}) == [("field_missing", "type")]
    assert problems({**fields(), "operation": "consumption"}) == [("value_unknown", "operation")]
    assert problems(line(payment_method="later")) == [("value_unknown", "items[0].payment_method")]
    assert problems(line(payment_object="air")) == [("value_unknown", "items[0].payment_object")]
    payment = {"type": "bitcoin", "sum": "150"}
    assert problems(fields(payments=[payment])) == [("value_unknown", "payments[0].type")]


@pytest.mark.parametrize(("word", "subject"), [
    ("commodity", Subject.COMMODITY), ("service", Subject.SERVICE), ("payment", Subject.PAYMENT), ("job", Subject.JOB),
    ("excise", Subject.EXCISE), ("commodity_marking", Subject.COMMODITY), ("resort_fee", Subject.RESORT_FEE),
    ("commodity_marking_no_marking", Subject.COMMODITY), ("commodity_marking_excise", Subject.EXCISE),
    ("non-operating_gain", Subject.NON_OPERATING_GAIN), ("pension_insurance_ip", Subject.PENSION_INSURANCE_IP),
    ("casino_payment", Subject.CASINO_PAYMENT), ("agent_commission", Subject.AGENT_COMMISSION)])
def test_payment_objects(word: str, subject: Subject) -> None:
    assert made(line(payment_object=word)).lines[0].subject is subject


def test_forms_of_payment() -> None:
    for config, forms in (({}, [Form.CASH, Form.ELECTRONIC, Form.PREPAID, Form.CREDIT]),
                          ({"cash": "electronic", "cashless": "other"},
                           [Form.ELECTRONIC, Form.OTHER, Form.PREPAID, Form.CREDIT])):
        payments = [{"type": name, "sum": "37.5"} for name in ("cash", "cashless", "advance", "credit")]
        assert [one.form for one in made(fields(payments=payments), **config).payments] == forms


def test_measures_come_by_okei() -> None:
    for code, measure in (("796", Measure.PIECE), ("166", Measure.KILOGRAM), ("", Measure.PIECE),
                          ("99", Measure.OTHER), ("²", Measure.OTHER)):
        assert made(line(measure_code=code)).lines[0].measure is measure


# -- VAT ---------------------------------------------------------------------------------------------------------


def test_an_unmatched_rate_is_refused_in_words() -> None:
    given_ = line(vat="9", name="Самовар")
    with pytest.raises(Invalid) as caught:
        made(given_)
    [problem] = caught.value.problems
    assert (problem.code, problem.field) == ("vat_unmapped", "lines[0].vat")
    words = problem.text.say("ru")
    assert "Самовар" in words and "№ 9" in words and "настройках" in words
    assert problems(line(vat="x")) == [("vat_unmapped", "lines[0].vat")]
    assert made(given_, vat="9 = 5%").lines[0].vat == "vat5"


@pytest.mark.parametrize("vat", [{"id": "4"}, ["4"], {}, [], "", " "])
def test_a_rate_of_another_shape_is_never_without_vat(vat: Any) -> None:
    assert problems(line(vat=vat)) == [("vat_unmapped", "lines[0].vat")]
    assert problems(line(vat=vat), vat="0 = vat0") == [("vat_unmapped", "lines[0].vat")]


def test_zero_and_no_rate_mean_without_vat() -> None:
    assert made(line(vat="0"), vat="").lines[0].vat == "none"
    given_ = line()
    del given_["items"][0]["vat"]
    assert made(given_, vat="").lines[0].vat == "none"
    assert made(line(vat="0"), vat="0 = vat0").lines[0].vat == "vat0", "the owner may say what 0 means"


# -- sums --------------------------------------------------------------------------------------------------------


def test_only_sums_are_trusted() -> None:
    """A remainder of seven kopecks on the last line, which has quantity 1: price x quantity misses it."""
    items = [item("A", "33.33", quantity="3", total="99.99"), item("B", "50.01", total="50.08")]
    order = made(fields(items=items, payments=[{"type": "cashless", "sum": "150.07"}], total_sum="150.07"))
    receipt = build(order, Terms(tax_system=TaxSystem.USN_INCOME), "k" * 16, NOW)
    assert receipt.total == Money(15007)
    assert [one.amount for one in order.lines] == [Money(9999), Money(5008)]


def test_quantities_of_php() -> None:
    given_ = line(quantity="0.33333333333333", price="450", sum="150")
    assert made(given_).lines[0].quantity == Decimal("0.333333")
    assert problems(line(quantity="0")) == [("quantity_not_positive", "items[0].quantity")]
    assert problems(line(quantity="0.00000001")) == [("quantity_not_positive", "items[0].quantity")]
    assert problems(line(quantity="9" * 12)) == [("too_large", "items[0].quantity")]


@pytest.mark.parametrize(("spoiled", "codes"), [
    ({"total_sum": "151"}, ["sums_differ"]), ({"payments": [{"type": "cash", "sum": "149.99"}]}, ["sums_differ"]),
    ({"payments": []}, ["no_payments"]), ({"items": []}, ["no_lines"]), ({"items": [], "payments": []},
                                                                        ["no_lines", "no_payments"]),
    ({"items": [item("A", "0")], "payments": [{"type": "cash", "sum": "0"}], "total_sum": "0"}, ["nothing_to_pay"]),
    ({"payments": [{"type": "cash", "sum": "-150"}]}, ["price_negative"]),
    ({"payments": [{"type": "cash", "sum": "150", "currency": "KZT"}]}, ["foreign_currency"]),
    ({"payments": ["150"]}, ["value_unknown", "field_missing"]),
    ({"payments": [{"type": "cash"}]}, ["field_missing"]), ({"total_sum": "много"}, ["number_unreadable"]),
    ({"total_sum": "1" * 40}, ["number_unreadable"]), ({"total_sum": "1" * 15}, ["too_large"])])
def test_wrong_sums(spoiled: dict[str, Any], codes: list[str]) -> None:
    assert [code for code, _ in problems(fields(**spoiled))] == codes


def test_wrong_lines_name_line_and_field() -> None:
    assert problems(line(price="10 руб", sum="10 руб")) == [
        ("number_unreadable", "items[0][price]"), ("number_unreadable", "items[0][sum]")]
    assert problems(line(name=" ", sum="-150")) == [("name_missing", "lines[0].name"),
                                                    ("price_negative", "lines[0].price")]
    assert [code for code, _ in problems(fields(items=["x"]))] == ["name_missing", "field_missing", "field_missing"]


def test_a_deleted_order_never_reaches_a_register() -> None:
    """§6.3: the check survives its order and comes without positions, total 0."""
    assert [code for code, _ in problems(fields(items=[], payments=[], total_sum="0"))] == ["no_lines", "no_payments"]


# -- marking and the rest ----------------------------------------------------------------------------------------


def test_marked_goods_without_a_code_are_noted() -> None:
    order = made(fields(items=[item("Кеды", "150", what="commodity_marking", marking_code="", barcode="")]))
    assert order.lines[0].marking == "" and "Кеды" in order.note


def test_an_unreadable_goods_code_is_refused() -> None:
    import base64
    for raw in (b"DM", b"RF\x00\x00\x00\x00\x00\x01abc", b"DM\x00\x00\x00\x00\x00\x01\xff\xfe"):
        packed = base64.b64encode(raw).decode()
        assert problems(line(nomenclature_code=packed)) == [("value_unknown", "items[0].nomenclature_code")]
    assert problems(line(nomenclature_code="не base64")) == [("value_unknown", "items[0].nomenclature_code")]


def test_tags_and_supplier() -> None:
    order = made(line(properties={"ARTNUMBER": "A-17", "Цвет": "синий"}, barcode="460", supplier_info={
        "name": "ООО Поставка", "inn": "7700000000", "phones": ["+7"]}))
    assert order.lines[0].tags == {"barcode": "460", "property_ARTNUMBER": "A-17", "supplier.name": "ООО Поставка",
                                   "supplier.inn": "7700000000"}
    assert "поставщика" in order.note
    assert order.tags == {"check.id": "7", "check.type": "sell", "check.register": "KKM-1"}


def test_a_suppliers_goods_name_their_agent() -> None:
    """Tags 1222, 1226, 1224: the site says whose goods they are, the owner in what capacity they are sold."""
    given_ = line(supplier_info={"name": "ООО Поставка", "inn": "7700000000", "phones": {"1": "+79990000000", "2": ""}})
    [plain] = made(given_).lines
    assert plain.agent is None and plain.supplier is None
    order = made(given_, agent="COMMISSION_AGENT")
    assert order.lines[0].agent == Agent(AgentSign.COMMISSION_AGENT) and not order.note
    assert order.lines[0].supplier == Supplier("7700000000", "ООО Поставка", ("+79990000000",))
    [own] = made(line(supplier_info={"phones": []}), agent="COMMISSION_AGENT").lines
    assert own.agent is None and own.supplier is None
    assert from_json(Order, to_json(order)) == order


@pytest.mark.parametrize("name", ["sellcorrection", "buy", "correction", "sellreturncorrection"])
def test_types_that_a_rest_register_never_gets_are_refused_in_words(name: str) -> None:
    """Correction checks exist for two other handlers only (§1.3): one here is something unknown."""
    assert problems(fields(type=name)) == [("value_unknown", "type")]


def test_php_arrays_with_gaps() -> None:
    given_ = fields()
    given_["items"] = {"0": given_["items"][0]}
    given_["payments"] = {"3": given_["payments"][0]}
    assert made(given_) == made(fields())


def test_nothing_that_changes_with_a_repeat_is_in_the_order() -> None:
    one = body(content(CASES["sell-one-line"]), 7, 1, "shop.example", REGISTER)
    two = body(content(CASES["sell-one-line"]), 7, 99, "www.shop.example", REGISTER)
    assert made(one) == made(two)


_ANY: Any = st.recursive(
    st.sampled_from(["", "1", "-1", "150", "1e5", "NaN", "9" * 40, "0.1", "x", "cash", "sell", "²"])
    | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(
        st.sampled_from(["name", "price", "sum", "quantity", "vat", "type", "properties"]), below, max_size=6),
    max_leaves=12)


@settings(max_examples=200, deadline=None)
@given(st.fixed_dictionaries({"unique_id": st.just("7"), "type": st.sampled_from([*TYPES, "", "?"])}, optional={
    "items": _ANY, "payments": _ANY, "total_sum": _ANY, "client_email": _ANY, "operation": _ANY}))
def test_whatever_comes_it_ends_in_an_order_or_in_words(given_: dict[str, Any]) -> None:
    try:
        order = made(given_)
    except Invalid as problem:
        assert problem.problems
        for one in problem.problems:
            assert one.text.say("ru") and one.to_json()
        return
    assert from_json(Order, to_json(order)) == order


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 10**7), st.decimals("0.001", 999, places=3)), min_size=1, max_size=6))
def test_receipts_add_up_to_the_sites_total(rows: list[tuple[int, Decimal]]) -> None:
    """Whatever quantities and sums the site states: the built receipt has its total to the kopeck."""
    items = [item("A", str(Money(int(amount / count) + 1).plain()), quantity=str(count),
                  total=Money(amount).plain()) for amount, count in rows]
    due = Money(sum(amount for amount, _ in rows)).plain()
    order = made(fields(items=items, payments=[{"type": "cashless", "sum": due}], total_sum=due))
    assert build(order, Terms(tax_system=TaxSystem.USN_INCOME), "k" * 16, NOW).total.plain() == due
