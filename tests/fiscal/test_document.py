"""Fiscal documents: each format has things in their place, all comes back, a changed field is that difference."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.fiscal import (
    Agent,
    AgentSign,
    BuyerDetails,
    Cashier,
    CashlessDetail,
    Correction,
    CorrectionType,
    Country,
    Customer,
    Ffd,
    FiscalRecord,
    Form,
    Fraction,
    IndustryProperty,
    Invalid,
    Kind,
    Measure,
    Method,
    Money,
    OperationalProperty,
    Payment,
    Receipt,
    ReceiptLine,
    Subject,
    Supplier,
    TaxSystem,
    UserProperty,
    build,
    marking,
    tlv,
)
from hub.fiscal import vat as vat_rates
from hub.fiscal.document import Difference, code_of, compare, decode, encode, property_text, tags_of
from hub.fiscal.tlv import BadTlv, Element, fitted
from tests.fiscal.marking_samples import GTIN, SAMPLES, SERIAL
from tests.fiscal.strategies import NOW, TERMS, Case, cases

MOSCOW = timezone(timedelta(hours=3))
MARK = SAMPLES[marking.MarkKind.GS1_44]
AGENT = Agent(AgentSign.COMMISSION_AGENT, ("+79991112233", "+79991112244"), "Приём платежа", ("+74950000001",),
              ("+74950000002",), "Перевод", "Москва, Тверская, 1", "7707083893")
SUPPLIER = Supplier("500100732259", "ООО Поставщик", ("+79990000000",))
CLAIM = IndustryProperty("030", date(2023, 11, 21), "1944", "UUID=1&Time=2")


def line(amount: int = 122_000, vat: str = "vat22", **more: Any) -> ReceiptLine:
    money = Money(amount)
    return ReceiptLine("Чай", money, Decimal(1), money, vat, vat_rates.rate(vat).inside(money), **more)


def receipt(*lines: ReceiptLine, **more: Any) -> Receipt:
    lines = lines or (line(),)
    fields = {"tax_system": TaxSystem.OSN, "contact": "buyer@mail.example", "internet": True, "ffd": Ffd.V1_2,
              "payments": (Payment(Form.ELECTRONIC, Money(sum(one.amount.amount for one in lines))),),
              "seller_name": "ООО Ромашка", "seller_inn": "7707083893", "cashier": Cashier("Иванова", "500100732259"),
              "settlement_place": "https://shop.example", "sender_email": "kassa@shop.example", **more}
    return Receipt("AAAABBBBCCCCDDDD", fields.pop("kind", Kind.SALE), lines, **fields)


def record(of: Receipt, **more: Any) -> FiscalRecord:
    fields = {"registration_number": "0000000001012345", "shift_number": 7, "receipt_in_shift": 3, **more}
    return FiscalRecord("9999000011112222", 345, "754674267", datetime(2026, 11, 20, 11, 45, tzinfo=MOSCOW), of.total,
                        of.kind, **fields)


def tags(of: Receipt) -> dict[int, Any]:
    """The document's own tags; of repeated ones the last."""
    return {int(tag): value for tag, value in tags_of(of)}


def item(of: Receipt, index: int = 0) -> dict[int, Any]:
    return {int(tag): value for tag, value in [one.value for one in tags_of(of) if one.tag == 1059][index]}


FULL = receipt(
    line(agent=AGENT, supplier=SUPPLIER, excise=Money(500), country="643", declaration="10702030/290920/0001",
         additional="ряд 5", industry=(CLAIM,), marking=MARK, fraction=Fraction(1, 2), measure=Measure.PIECE,
         subject=Subject.COMMODITY_MARKED),
    line(5_000, "none", method=Method.CREDIT, subject=Subject.SERVICE, measure=Measure.HOUR),
    line(1_000, "vat10"), line(2_000, "vat0"), line(3_000, "vat5"),
    payments=(Payment(Form.CASH, Money(3_000)), Payment(Form.ELECTRONIC, Money(30_000)),
              Payment(Form.PREPAID, Money(100_000))),
    customer=Customer("Орлова Мария", "", "", "500100732259",
                      BuyerDetails(date(1990, 5, 1), "643", "21", "4510 123456", "Москва")),
    settlement_address="125009, Москва, Тверская ул., 1", user_property=UserProperty("Стол", "5"), industry=(CLAIM,),
    operational=OperationalProperty(1, "данные", datetime(2026, 11, 20, 11, 0)),
    cashless=(CashlessDetail(Money(20_000), 1, "4321", "банк"), CashlessDetail(Money(10_000), 2)))


# -- where things go


def test_a_receipt_has_every_tag_of_its_fields() -> None:
    found = tags(FULL)
    assert (found[1209], found[1054], found[1055], found[1125]) == (4, 1, 1, 1)
    assert found[1256] == ((1227, "Орлова Мария"), (1228, "500100732259"), (1243, "01.05.1990"), (1244, "643"),
                           (1245, "21"), (1246, "4510 123456"), (1254, "Москва"))
    assert 1227 not in found and 1173 not in found
    assert (found[1020], found[1031], found[1081], found[1215]) == (133_000, 3_000, 30_000, 100_000)
    assert 1216 not in found, "only cash and electronic are stated when zero"
    assert found[1084] == ((1085, "Стол"), (1086, "5"))
    assert found[1192] == "AAAABBBBCCCCDDDD"
    assert found[1234][0].value == ((1082, 20_000), (1236, 1), (1237, "4321"), (1238, "банк"))
    assert found[1261] == ((1262, "030"), (1263, "21.11.2023"), (1264, "1944"), (1265, "UUID=1&Time=2"))
    assert found[1270] == ((1271, 1), (1272, "данные"), (1273, datetime(2026, 11, 20, 11, 0)))
    one = item(FULL)
    assert (one[1222], one[1226], one[1229], one[1230], one[1191], one[2108]) == (
        32, "500100732259", 500, "643", "ряд 5", 0)
    assert one[1223] == ((1073, "+79991112233"), (1073, "+79991112244"), (1044, "Приём платежа"),
                         (1074, "+74950000001"), (1075, "+74950000002"), (1026, "Перевод"),
                         (1005, "Москва, Тверская, 1"), (1016, "7707083893"))
    assert one[1224] == ((1171, "+79990000000"), (1225, "ООО Поставщик"))
    assert one[1163] == ((1305, f"01{GTIN}21{SERIAL}"),) and one[2000] == MARK and one[2102] == 0
    assert one[1291] == ((1292, "1/2"), (1293, 1), (1294, 2))
    assert 1162 not in one and 1197 not in one and 2106 not in one


def test_vat_totals_go_into_their_tags_and_the_other_rates_into_1115() -> None:
    found = tags(FULL)
    assert (found[1103], found[1104], found[1105]) == (91, 2_000, 5_000)
    assert found[1115] == ((1119, ((1199, 7), (1120, 143))), (1119, ((1199, 11), (1120, 22_000))))
    assert 1102 not in found


def test_a_zero_turnover_stands_beside_1115_when_nothing_else_does() -> None:
    assert tags(receipt())[1104] == 0
    assert 1104 not in tags(receipt(line(), line(100, "none")))
    old = tags(receipt(line(120, "vat20"), line(120, "vat120"), line(110, "vat110")))
    assert (old[1102], old[1106], old[1107]) == (20, 20, 10) and 1115 not in old


@pytest.mark.parametrize("ffd", [Ffd.V1_05, Ffd.V1_1])
def test_older_formats_put_buyer_unit_and_code_elsewhere(ffd: Ffd) -> None:
    old = replace(FULL, ffd=ffd, lines=(replace(FULL.lines[0], unit="шт"), *FULL.lines[1:]))
    found, one = tags(old), item(old)
    assert (found[1227], found[1228]) == ("Орлова Мария", "500100732259")
    assert not {1256, 1261, 1270} & found.keys()
    assert one[1162] == marking.tag_1162(marking.parse(MARK)) and one[1162][:2] == b"\x44\x4d"
    assert not {1163, 2000, 2102, 2108, 1291, 1260} & one.keys()
    assert one[1197] == "шт" and item(old, 1)[1197] == "час"


def test_an_agent_of_the_receipt_stands_in_the_document_of_1_05_and_in_each_line_after_it() -> None:
    both = (line(), line(500))
    old = receipt(*both, ffd=Ffd.V1_05, agent=AGENT, supplier=SUPPLIER)
    assert tags(old)[1057] == 32 and tags(old)[1016] == "7707083893" and 1222 not in item(old)
    assert item(old, 1)[1226] == "500100732259"
    for ffd in (Ffd.V1_1, Ffd.V1_2):
        new = replace(old, ffd=ffd)
        assert 1057 not in tags(new)
        assert [item(new, index)[1222] for index in (0, 1)] == [32, 32]
    own = replace(old, ffd=Ffd.V1_2, lines=(line(agent=Agent(AgentSign.ATTORNEY)), line(500)))
    assert (item(own)[1222], item(own, 1)[1222]) == (16, 32), "a line's own agent wins"
    assert 1223 not in item(own), "an agent without data has no empty 1223"


OWN = Correction(CorrectionType.OWN, date(2026, 10, 5), "12-34/5", "Ошибка кассира", "754674267")
ORDERED = replace(OWN, type=CorrectionType.BY_ORDER)


def test_a_correction_of_1_05_has_its_base_and_totals_and_no_lines() -> None:
    old = replace(FULL, ffd=Ffd.V1_05, correction=ORDERED)
    found = tags(old)
    assert code_of(old) == 31
    assert 1059 not in found and found[1020] == 133_000 and found[1103] == 91
    assert (found[1173], found[1192]) == (1, "754674267")
    assert found[1174] == ((1177, "Ошибка кассира"), (1178, datetime(2026, 10, 5)), (1179, "12-34/5"))


@pytest.mark.parametrize("ffd", [Ffd.V1_1, Ffd.V1_2])
def test_later_corrections_have_lines_and_an_orders_number_only_with_an_order(ffd: Ffd) -> None:
    found = tags(replace(FULL, ffd=ffd, correction=OWN))
    assert found[1174] == ((1178, datetime(2026, 10, 5)),) and found[1173] == 0 and 1059 in found
    assert tags(replace(FULL, ffd=ffd, correction=ORDERED))[1174] == (
        (1178, datetime(2026, 10, 5)), (1179, "12-34/5"))


def test_1192_is_the_wrong_receipts_sign_then_the_sources_then_our_key() -> None:
    plain = receipt()
    assert property_text(plain) == "AAAABBBBCCCCDDDD"
    assert property_text(replace(plain, additional="заказ «5» и ещё много")) == 'заказ "5" и ещё '
    assert property_text(replace(plain, additional="x", correction=OWN)) == "754674267"
    assert property_text(replace(plain, additional="x", correction=replace(OWN, fiscal_sign=""))) == "x"
    assert property_text(replace(plain, correction=replace(OWN, fiscal_sign=""))) == "", "a key would be read as a sign"
    assert 1192 not in tags(replace(plain, correction=replace(OWN, fiscal_sign="")))


def test_kazakhstan_has_no_tlv() -> None:
    with pytest.raises(ValueError, match="Russian"):
        encode(receipt(line(vat="none"), country=Country.KZ))


def test_what_no_tag_holds_is_refused() -> None:
    for wrong in (receipt(line(2**48)), receipt(line(industry=(CLAIM,)), operational=OperationalProperty(
            300, "", NOW)), receipt(cashless=(CashlessDetail(Money(1), 256),))):
        with pytest.raises(BadTlv):
            encode(wrong)
    for sign in ("", "-5", "4294967296", "abc"):
        with pytest.raises(BadTlv, match="1077"):
            encode(receipt(), replace(record(receipt()), fiscal_sign=sign))


# -- back


def test_everything_comes_back() -> None:
    stored = decode(encode(FULL, record(FULL), (15, None)), MOSCOW)
    assert stored.code == 3 and stored.checks == (15, None, None, None, None)
    assert stored.record == record(FULL) and stored.total == FULL.total
    assert stored.vat_totals == FULL.vat_totals()
    assert stored.receipt == FULL


@pytest.mark.parametrize("ffd", list(Ffd))
def test_a_correction_comes_back(ffd: Ffd) -> None:
    whole = receipt(ffd=ffd, correction=ORDERED, kind=Kind.PURCHASE)
    stored = decode(encode(whole, record(whole)), MOSCOW)
    shown = replace(ORDERED, description=ORDERED.description if ffd is Ffd.V1_05 else "")
    assert stored.code == 31 and stored.total == whole.total and stored.receipt.kind is Kind.PURCHASE
    assert stored.receipt.correction == shown and stored.receipt.key == ""
    assert len(stored.receipt.lines) == (0 if ffd is Ffd.V1_05 else 1)


def test_a_document_wrapped_in_its_code_is_the_same() -> None:
    bare = encode(receipt(), record(receipt()))
    wrapped = b"\x04\x00" + len(bare).to_bytes(2, "little") + bare
    assert decode(wrapped).code == 4 and decode(wrapped).receipt == decode(bare).receipt
    assert compare(receipt(), wrapped) == ()
    with pytest.raises(BadTlv, match="shift closed"):
        decode(b"\x05\x00" + wrapped[2:])


def test_a_foreign_document_in_another_order_with_unknown_tags_is_read() -> None:
    foreign = tlv.encode((Element(4000, b"?"), *reversed(tags_of(FULL, record(FULL)))))
    again = decode(foreign, MOSCOW)
    assert again.receipt.lines == tuple(reversed(FULL.lines)) and again.record == record(FULL)
    assert Element(4000, b"?") in again.tags
    assert decode(tlv.encode([(1054, 1), (1020, 5)])).receipt.ffd is Ffd.V1_05
    assert decode(tlv.encode([(1054, 1), (1059, (Element(2108, 0),))])).receipt.ffd is Ffd.V1_2


@pytest.mark.parametrize(("broken", "tag"), [
    ([(1020, 5)], 1054), ([(1054, 9)], 1054), ([(1054, 1), (1055, 3)], 1055), ([(1054, 1), (1173, 0)], 1178),
    ([(1054, 1), (1059, (Element(1199, 99),))], 1199), ([(1054, 1), (1059, (Element(1214, 9),))], 1214),
    ([(1054, 1), (1059, (Element(1222, 3),))], 1222), ([(1054, 1), (1256, (Element(1243, "1.2"),))], 1243)])
def test_a_value_without_a_meaning_names_its_tag(broken: Any, tag: int) -> None:
    with pytest.raises(BadTlv) as caught:
        decode(tlv.encode(broken))
    assert caught.value.tag == tag


def test_old_rates_of_one_code_are_told_apart_by_the_day() -> None:
    old = receipt(line(11_800, "vat18"), correction=replace(OWN, day=date(2018, 6, 1)))
    assert decode(encode(old)).receipt.lines[0].vat == "vat18"
    assert decode(encode(replace(old, correction=None))).receipt.lines[0].vat == "vat20", "no day: the later rate"


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.lists(st.tuples(
    st.sampled_from([1054, 1059, 1020, 1012, 1040, 1174, 1173, 1256, 1234, 1115, 1023, 1199, 1243, 1077, 2000, 1163,
                     1162, 1270, 1261, 1263, 1209]), st.binary(max_size=12)), max_size=8).map(
    lambda some: b"\x1e\x04\x01\x00\x01" + b"".join(
        tag.to_bytes(2, "little") + len(value).to_bytes(2, "little") + value for tag, value in some)))
def test_any_bytes_are_a_document_or_one_error(data: bytes) -> None:
    for read in (decode, lambda data: compare(FULL, data)):
        try:
            read(data)
        except BadTlv:
            pass


# -- what build() passes

texts = st.text(max_size=80)
phones = st.sampled_from(["+79991112233", "+74950000001"])
agents = st.builds(Agent, st.sampled_from(AgentSign), st.lists(phones, max_size=2).map(tuple), texts,
                   st.lists(phones, max_size=1).map(tuple), st.lists(phones, max_size=1).map(tuple), texts, texts,
                   st.sampled_from(["", "7707083893"]))
suppliers = st.builds(Supplier, st.sampled_from(["7707083893", "500100732259"]), texts,
                      st.lists(phones, max_size=2).map(tuple))
claims = st.lists(st.builds(IndustryProperty, st.just("030"), st.dates(date(2000, 1, 1)), texts, texts),
                  max_size=2).map(tuple)
corrections = st.builds(Correction, st.sampled_from(CorrectionType), st.dates(date(2018, 1, 1), date(2026, 11, 20)),
                        texts, texts, st.sampled_from(["", "754674267"]))


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    """A receipt that build() passes, with whatever else a receipt may say."""
    case: Case = draw(cases())
    try:
        made = build(case.order, replace(TERMS, ffd=draw(st.sampled_from(Ffd))), "AAAABBBBCCCCDDDD", NOW)
    except Invalid:
        return receipt()
    maybe = st.booleans()
    lines = tuple(replace(
        one, unit=draw(texts), country=draw(st.sampled_from(["", "643"])), declaration=draw(texts),
        additional=draw(texts), excise=draw(st.none() | st.integers(0, 10**9).map(Money)),
        agent=draw(st.none() | agents), supplier=draw(st.none() | suppliers), industry=draw(claims),
        marking=draw(st.just("") | st.sampled_from(sorted(SAMPLES.values())) | texts),
        fraction=draw(st.none() | st.builds(Fraction, st.integers(1, 9), st.integers(1, 9)))) if draw(maybe) else one
        for one in made.lines)
    return replace(
        made, lines=lines, agent=draw(st.none() | agents), supplier=draw(st.none() | suppliers),
        correction=draw(st.none() | corrections), settlement_address=draw(texts), additional=draw(texts),
        user_property=draw(st.none() | st.builds(UserProperty, texts, texts)), industry=draw(claims),
        operational=draw(st.none() | st.builds(OperationalProperty, st.integers(0, 255), texts, st.just(NOW))),
        cashless=draw(st.lists(st.builds(CashlessDetail, st.integers(0, 10**9).map(Money), st.integers(0, 255), texts,
                                         texts), max_size=2).map(tuple)))


@settings(max_examples=150)
@given(receipts())
def test_what_build_passes_encodes_and_comes_back(one: Receipt) -> None:
    data = encode(one, record(one))
    assert compare(one, data) == ()
    stored = decode(data, MOSCOW)
    assert stored.record == record(one) and stored.total == one.total
    assert (stored.receipt.correction is None) == (one.correction is None)
    if code_of(one) == 3 or one.ffd is not Ffd.V1_05:
        assert [line.amount for line in stored.receipt.lines] == [line.amount for line in one.lines]
        assert [line.name for line in stored.receipt.lines] == [fitted(line.name, 1030) for line in one.lines]
        if not any(line.marking for line in one.lines):
            assert encode(stored.receipt, stored.record) == data, "what was read writes the same document again"


# -- comparing


def changed(**more: Any) -> bytes:
    return encode(replace(FULL, **more), record(FULL))


def changed_line(index: int = 0, **more: Any) -> bytes:
    lines = list(FULL.lines)
    lines[index] = replace(lines[index], **more)
    return changed(lines=tuple(lines))


DOCUMENT = [
    ({"kind": Kind.SALE_RETURN}, {1054}), ({"tax_system": TaxSystem.PATENT}, {1055}), ({"contact": "x@y.ru"}, {1008}),
    ({"internet": False}, {1125}), ({"seller_name": "Х"}, {1048}), ({"seller_inn": "500100732259"}, {1018}),
    ({"cashier": Cashier("Петров", "500100732259")}, {1021}), ({"cashier": Cashier("Иванова", "")}, {1203}),
    ({"settlement_place": "x"}, {1187}), ({"settlement_address": "x"}, {1009}), ({"sender_email": "x"}, {1117}),
    ({"additional": "x"}, {1192}), ({"user_property": UserProperty("Стол", "6")}, {1086}), ({"user_property": None},
                                                                                           {1084}),
    ({"industry": ()}, {1261}), ({"industry": (replace(CLAIM, number="7"),)}, {1264}), ({"operational": None}, {1270}),
    ({"operational": replace(FULL.operational, id=2)}, {1271}), ({"cashless": FULL.cashless[:1]}, {1235}),
    ({"cashless": (replace(FULL.cashless[0], method=9), FULL.cashless[1])}, {1236}),
    ({"customer": replace(FULL.customer, inn="7707083893")}, {1228}), ({"customer": Customer()}, {1256}),
    ({"customer": replace(FULL.customer, details=replace(FULL.customer.details, citizenship="840"))}, {1244}),
    ({"payments": (Payment(Form.CASH, Money(133_000)),)}, {1031, 1081, 1215}),
    ({"correction": ORDERED}, {1173, 1174, 1192}), ({"ffd": Ffd.V1_1}, None)]
LINE = [
    ({"name": "Кофе"}, {1030}), ({"price": Money(5)}, {1079}), ({"quantity": Decimal("1.001")}, {1023}),
    ({"vat_amount": Money(7)}, {1200, 1120}), ({"method": Method.ADVANCE}, {1214}),
    ({"subject": Subject.EXCISE_MARKED}, {1212}), ({"measure": Measure.OTHER}, {2108}),
    ({"marking": SAMPLES[marking.MarkKind.FUR]}, {1305, 1307, 2000}), ({"marking": ""}, {1163, 2000, 1291}),
    ({"excise": None}, {1229}), ({"country": "156"}, {1230}), ({"declaration": "x"}, {1231}),
    ({"additional": "x"}, {1191}), ({"agent": None}, {1222, 1223}), ({"agent": replace(AGENT, operation="x")}, {1044}),
    ({"agent": replace(AGENT, phones=AGENT.phones[:1])}, {1073}), ({"supplier": None}, {1224, 1226}),
    ({"supplier": replace(SUPPLIER, name="x")}, {1225}), ({"fraction": Fraction(1, 3)}, {1292, 1294}),
    ({"industry": ()}, {1260}), ({"industry": (CLAIM, CLAIM)}, {1260})]


@pytest.mark.parametrize(("change", "expected"), DOCUMENT)
def test_one_changed_field_of_the_document_is_that_difference(change: dict[str, Any], expected: set[int]) -> None:
    found = {one.tag for one in compare(FULL, changed(**change))}
    assert found == expected if expected else 1209 in found


@pytest.mark.parametrize(("change", "expected"), LINE)
def test_one_changed_field_of_a_line_is_that_difference(change: dict[str, Any], expected: set[int]) -> None:
    found = compare(FULL, changed_line(**change))
    assert {one.tag for one in found} == expected
    assert all(one.place.startswith("lines[0]") for one in found if one.tag != 1120)


def test_a_difference_says_what_where_asked_and_stored() -> None:
    (one,) = compare(FULL, changed_line(1, name="Кофе"))
    assert one == Difference(1030, "lines[1]", "Чай", "Кофе")
    assert "просили Чай, записано Кофе" in one.text.say("ru") and "item name" in one.text.say("en")
    (nested,) = compare(FULL, changed_line(0, supplier=replace(SUPPLIER, name="x")))
    assert nested == Difference(1225, "lines[0].1224", "ООО Поставщик", "x")
    (gone,) = [one for one in compare(FULL, changed(lines=FULL.lines[:-1])) if one.tag == 1059]
    assert gone.place == "lines[4]" and gone.stored is None and "—" in str(gone.text)
    (phone,) = compare(FULL, changed_line(agent=replace(AGENT, phones=AGENT.phones[:1])))
    assert phone == Difference(1073, "lines[0].1223", "+79991112244", None)


def test_what_a_register_adds_by_itself_is_no_difference() -> None:
    plain = receipt(seller_name="", settlement_place="", sender_email="", seller_inn="", cashier=Cashier())
    filled = encode(replace(plain, seller_name="ООО Ромашка", seller_inn="7707083893", settlement_place="x",
                            cashier=Cashier("Автомат")), record(plain), (15,))
    more = tlv.encode((Element(1060, "nalog.gov.ru"), Element(4000, b"x"))) + filled
    assert compare(plain, more) == ()
    assert {one.tag for one in compare(plain, encode(replace(plain, contact="x")))} == {1008}


def test_a_zero_sum_and_an_absent_one_are_the_same_and_so_is_the_time_of_a_day() -> None:
    one = receipt(correction=OWN)
    lean = [element for element in tags_of(one) if element.tag not in (1031, 1104, 1174)]
    assert compare(one, tlv.encode((*lean, Element(1174, (Element(1178, datetime(2026, 10, 5, 17, 3)),))))) == ()
    other = tlv.encode((*lean, Element(1174, (Element(1178, datetime(2026, 10, 6)),))))
    assert [(found.tag, found.place) for found in compare(one, other)] == [(1178, "1174")]


def test_sums_are_compared() -> None:
    assert {one.tag for one in compare(FULL, changed_line(1, amount=Money(4_999)))} == {1043, 1020, 1105}


def test_a_receipt_of_a_thousand_lines_encodes() -> None:
    lines = tuple(replace(line(100 + number), name=f"Футболка «Лето» № {number}") for number in range(1000))
    whole = receipt(*lines)
    data = encode(whole, record(whole))
    assert len(data) > 65_535, "longer than a tag: the document is not wrapped"
    assert compare(whole, data) == () and len(decode(data).receipt.lines) == 1000
