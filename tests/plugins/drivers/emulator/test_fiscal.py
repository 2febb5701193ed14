"""What the emulated storage keeps: TLV of every receipt, corrections, agents, marked goods, and what it refuses."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.drivers.emulator import errors, paperwork
from hub_plugins.drivers.emulator.control import emulator
from hub_plugins.drivers.emulator.device import Device
from hub_plugins.drivers.emulator.driver import EmulatorDriver
from hub_plugins.drivers.emulator.engine import Engine
from hub_plugins.drivers.emulator.errors import DeviceError
from hub_plugins.drivers.emulator.journal import documents
from hub_plugins.drivers.emulator.people import People

from hub.contracts import Bookmark, Refused, ShiftReport, Uncertain
from hub.dispatch.matching import decide
from hub.fiscal import (
    Agent,
    AgentSign,
    BuyerDetails,
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
    Kind,
    Money,
    OperationalProperty,
    PlannedStatus,
    Receipt,
    Subject,
    Supplier,
    UserProperty,
    marking,
    shift_document,
)
from hub.fiscal.document import compare, decode
from tests.fiscal.marking_samples import GTIN, SAMPLES, SERIAL
from tests.plugins.drivers.emulator.samples import CASHIER, Clock, StrictGuard, driver_for, in_process, job, receipt

GUARD = StrictGuard()
MARK = SAMPLES[marking.MarkKind.GS1_44]
SUPPLIER = Supplier("500100732259", "ООО «Поставщик»", ("+79990000000",))
AGENT = Agent(AgentSign.COMMISSION_AGENT, ("+79991112233",))
CLAIM = IndustryProperty("030", date(2023, 11, 21), "1944", "UUID=1&Time=2")
BASE = Correction(CorrectionType.BY_ORDER, date(2026, 10, 5), "12-34/5", "Ошибка кассира", "754674267")

Pair = tuple[EmulatorDriver, Device]


@pytest.fixture(params=["1.2", "1.1", "1.05"])
def ffd(request: Any) -> Ffd:
    return Ffd(request.param)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with register(Ffd.V1_2) as made:
        yield made


def register(ffd: Ffd, journal: Path | None = None, **more: Any) -> Any:
    return in_process(Device(Engine(journal, {"inn": "7707083893", "ffd": ffd.value, **more}, clock=Clock())))


def rich(ffd: Ffd, **more: Any) -> Receipt:
    """A receipt that says all that a register of that format takes."""
    plain = receipt(ffd=ffd, seller_name="ООО «Ромашка»", seller_inn="7707083893", settlement_place="https://shop.example")
    lines = (replace(plain.lines[0], agent=AGENT, supplier=SUPPLIER, country="643", declaration="1070/1",
                     excise=Money(5), additional="ряд 5", unit="" if ffd is Ffd.V1_2 else "шт", department=3),
             replace(plain.lines[1], quantity=Decimal("1.5"), price=Money(22_033), amount=Money(33_050)))
    if ffd is Ffd.V1_2:
        lines = (replace(lines[0], industry=(CLAIM,), marking=MARK, planned_status=PlannedStatus.PIECE_SOLD,
                         fraction=Fraction(1, 2), subject=Subject.COMMODITY_MARKED), lines[1])
        more = {"industry": (CLAIM,), "operational": OperationalProperty(1, "x", datetime(2026, 11, 20, 9, 0)), **more}
    return replace(
        plain, lines=lines, settlement_address="Москва", user_property=UserProperty("Стол", "5"),
        cashless=(CashlessDetail(Money(50), 1, "id", "x"),),
        customer=Customer("Орлова Мария", inn="500100732259", details=BuyerDetails(date(1990, 5, 1), "643")), **more)


def kept(device: Device) -> bytes:
    """The TLV of the last receipt in the journal."""
    return b64decode([one for one in device.engine.history() if one["what"] in paperwork.RECEIPTS][-1]["tlv"])


# -- the storage keeps what was asked for


def test_every_tag_that_was_asked_for_is_kept(ffd: Ffd) -> None:
    with register(ffd) as (driver, device):
        record = driver.fiscalise(job(rich(ffd)), GUARD)
        assert isinstance(record, FiscalRecord)
        assert compare(rich(ffd), kept(device)) == ()
        stored = decode(kept(device), record.printed_at.tzinfo)
        assert stored.record == replace(record, register_serial="", kind=Kind.SALE)
        assert stored.receipt.seller_name == 'ООО "Ромашка"' and stored.receipt.ffd is ffd


def test_a_tag_that_is_kept_differently_is_found(pair: Pair) -> None:
    driver, device = pair
    driver.fiscalise(job(rich(Ffd.V1_2)), GUARD)
    other = replace(rich(Ffd.V1_2), contact="x@y.ru")
    assert [(one.tag, one.asked, one.stored) for one in compare(other, kept(device))] == [
        (1008, "x@y.ru", "buyer@shop.example")]


def test_a_journal_in_a_file_holds_the_same_tlv_as_one_in_memory_gives(tmp_path: Path, ffd: Ffd) -> None:
    given = []
    for journal in (None, tmp_path / "j"):
        with register(ffd, journal) as (driver, device):
            driver.fiscalise(job(rich(ffd)), GUARD)
            driver.fiscalise(job(receipt("B" * 16, correction=BASE, ffd=ffd)), GUARD)
            driver.close_shift(CASHIER, GUARD)
            given.append([one["tlv"] for one in device.engine.history() if "tlv" in one])
            device.engine.close()
    written = [one["tlv"] for one in documents(tmp_path / "j") if "tlv" in one]
    assert given[0] == given[1] == written and len(written) == 4, "opening, receipt, correction, Z"


def test_documents_of_a_shift_are_kept_and_cash_moves_are_not(pair: Pair) -> None:
    driver, device = pair
    driver.cash_move(Money(500), CASHIER, GUARD)
    driver.fiscalise(job(), GUARD)
    report = driver.close_shift(CASHIER, GUARD)
    kept_ = {one["what"]: shift_document.decode(b64decode(one["tlv"])) for one in device.engine.history()
             if "tlv" in one and one["what"] != "receipt"}
    assert set(kept_) == {"shift_open", "shift_close"}
    closed = kept_["shift_close"]
    assert isinstance(report, ShiftReport)
    assert (closed.code, closed.document_number, closed.fiscal_sign, closed.shift_number) == (
        5, report.document_number, report.fiscal_sign, 1)
    assert (closed.receipts, closed.documents, closed.sums[Kind.SALE].total) == (1, 4, Money(155_050))
    assert closed.cashier.name == CASHIER.name and kept_["shift_open"].code == 2


def test_the_tlv_of_a_receipt_stays_when_the_register_is_registered_anew(tmp_path: Path) -> None:
    for journal in (None, tmp_path / "j"):
        with register(Ffd.V1_2, journal) as (driver, device):
            driver.fiscalise(job(rich(Ffd.V1_2)), GUARD)
            before = kept(device)
            device.engine._register({"ffd": "1.05", "inn": "500100732259"})
            assert kept(device) == before
            device.engine.close()


def test_kazakhstan_keeps_no_tlv() -> None:
    device = Device(Engine(None, {"country": "KZ", "zone": "Asia/Almaty"}, clock=Clock()))
    with in_process(device) as (driver, _):
        mark = driver.bookmark()
        driver.fiscalise(job(receipt(country=Country.KZ)), GUARD)
        assert not any("tlv" in one for one in device.engine.history())
        (one,) = driver.find(mark).documents
        assert [line.name for line in one.lines] == ["Товар «1» 5 л", "Товар «2» 5 л"]


def test_a_plain_sale_says_no_more_on_the_wire_than_it_must() -> None:
    from hub_plugins.drivers.emulator import words

    body = words.begin(receipt(), "hub:x")
    assert "x" not in body and all(len(line) == 10 for line in body["lines"])
    more = words.begin(rich(Ffd.V1_2), "hub:x")
    assert set(more["x"]) == {"settlement_address", "user_property", "industry", "operational", "cashless", "buyer"}
    assert len(more["lines"][0]) == 11 and len(more["lines"][1]) == 10


# -- corrections


@pytest.mark.parametrize("kind", [Kind.SALE, Kind.PURCHASE])
def test_a_correction_is_kept_with_its_base_and_found_as_ours(ffd: Ffd, kind: Kind) -> None:
    asked = receipt(correction=BASE, ffd=ffd, kind=kind)
    with register(ffd) as (driver, device):
        mark = driver.bookmark()
        record = driver.fiscalise(job(asked), GUARD)
        assert isinstance(record, FiscalRecord) and record.kind is kind
        assert compare(asked, kept(device)) == ()
        found = driver.find(mark)
        (one,) = found.documents
        assert (one.what, one.kind, one.total, one.key) == ("correction", kind, asked.total, "754674267")
        assert one.lines is None if ffd is Ffd.V1_05 else len(one.lines or ()) == 2
        verdict = decide(asked, mark.storage_number, found, (), driver.capabilities.carries_key)
        assert verdict.decision == "recorded" and verdict.document == one
        stored = decode(kept(device))
        assert stored.code == 31 and stored.receipt.correction is not None
        assert stored.receipt.correction.day == BASE.day and stored.receipt.correction.number == BASE.number


def test_a_correction_whose_answer_was_lost_is_found_and_one_that_was_not_printed_is_not(pair: Pair) -> None:
    driver, device = pair
    for correction in (BASE, replace(BASE, fiscal_sign="", type=CorrectionType.OWN)):
        asked, plain = receipt("C" * 16, correction=correction, ffd=Ffd.V1_2), receipt("D" * 16)
        mark = driver.bookmark()
        driver.fiscalise(job(plain), GUARD)
        found = driver.find(mark)
        assert decide(asked, mark.storage_number, found, (), True).decision == "not_printed"
        device.fault("lost_answer", command="finish")
        driver.fiscalise(job(asked), GUARD)
        driver.settle(GUARD)
        verdict = decide(asked, mark.storage_number, driver.find(mark), (), True)
        assert verdict.decision == "recorded" and verdict.document.what == "correction"


def test_corrections_count_in_the_shift_and_in_the_drawer(pair: Pair) -> None:
    driver, device = pair
    driver.fiscalise(job(receipt(correction=BASE, pay={Form.CASH: 155_050})), GUARD)
    assert device.engine.state()["drawer"] == 155_050 and device.engine.state()["cumulative"] == 155_050
    shown = People(device).documents()[-1]
    assert shown["what"] == "correction" and shown["qr"].endswith("n=1") and shown["x"]["correction"]["number"]


def test_a_correction_over_a_socket_is_in_the_file_and_found_after_a_lost_answer(tmp_path: Path) -> None:
    asked = receipt(correction=BASE, ffd=Ffd.V1_2)
    with emulator("--journal", str(tmp_path / "j"), "--ffd", "1.2") as process:
        driver = driver_for(process.address)
        driver.open()
        driver.open_shift(CASHIER, GUARD)
        mark = driver.bookmark()
        process.do("fault", kind="lost_answer", command="finish")
        assert isinstance(driver.fiscalise(job(asked), GUARD), Uncertain)
        driver.settle(GUARD)
        verdict = decide(asked, mark.storage_number, driver.find(mark), (), True)
        assert verdict.decision == "recorded"
        driver.close()
    (written,) = [one for one in documents(tmp_path / "j") if one["what"] == "correction"]
    assert compare(asked, b64decode(written["tlv"])) == ()


# -- what a register does not take


def refused(driver: EmulatorDriver, what: Receipt) -> tuple[str, dict[str, Any]]:
    """The code and the parameters of a refusal; nothing may stay open."""
    before = driver.bookmark()
    outcome = driver.fiscalise(job(what), GUARD)
    assert isinstance(outcome, Refused) and not outcome.retry, outcome
    assert driver.bookmark() == before and not driver.status().document_open
    return outcome.vendor_code, dict(outcome.reason.params)


@pytest.mark.parametrize(("ffd", "more", "tag"), [
    ("1.05", {"correction": BASE, "kind": Kind.SALE_RETURN}, "1054"),
    ("1.2", {"correction": replace(BASE, number=" ")}, "1179"),
    ("1.2", {"correction": replace(BASE, day=date(2026, 11, 21))}, "1178"),
    ("1.1", {"industry": (CLAIM,), "ffd": Ffd.V1_2}, "1261"),
    ("1.05", {"operational": OperationalProperty(1, "x", datetime(2026, 11, 20, 9, 0)), "ffd": Ffd.V1_2}, "1270"),
    ("1.2", {"cashless": (CashlessDetail(Money(155_051), 1),)}, "1234"),
    ("1.2", {"cashless": (CashlessDetail(Money(1), 256),)}, "1234")])
def test_a_wrong_document_is_refused_with_its_tag(ffd: str, more: dict[str, Any], tag: str) -> None:
    with register(Ffd(ffd)) as (driver, _):
        code, params = refused(driver, receipt(**more))
        assert (code, params) == ("E43", {**params, "what": tag})


@pytest.mark.parametrize(("ffd", "more", "tag"), [
    ("1.2", {"agent": AGENT}, "1226"), ("1.2", {"agent": AGENT, "supplier": Supplier("", "Имя")}, "1226"),
    ("1.1", {"industry": (CLAIM,)}, "1260"), ("1.1", {"fraction": Fraction(1, 2)}, "1291"),
    ("1.2", {"fraction": Fraction(3, 2)}, "1291"), ("1.2", {"fraction": Fraction(0, 2)}, "1291")])
def test_a_wrong_line_is_refused_with_its_number_and_tag(ffd: str, more: dict[str, Any], tag: str) -> None:
    with register(Ffd(ffd)) as (driver, _):
        plain = receipt(ffd=Ffd.V1_2)
        code, params = refused(driver, replace(plain, lines=(plain.lines[0], replace(plain.lines[1], **more))))
        assert (code, params["line"], params["what"]) == ("E42", 2, tag)


def test_an_agent_of_the_whole_receipt_needs_a_supplier_for_each_line_but_in_1_05(ffd: Ffd) -> None:
    with register(ffd) as (driver, _):
        if ffd is Ffd.V1_05:
            assert isinstance(driver.fiscalise(job(receipt(agent=AGENT)), GUARD), FiscalRecord)
        else:
            assert refused(driver, receipt(agent=AGENT))[1]["what"] == "1226"
        assert isinstance(driver.fiscalise(job(receipt(agent=AGENT, supplier=SUPPLIER)), GUARD), FiscalRecord)


@pytest.mark.parametrize(("x", "tag"), [
    ({"correction": {"type": "OWN"}}, "1174"), ({"correction": {}}, "1174"), ({"correction": None}, "1174"),
    ({"agent": {"sign": "FRIEND"}}, "1057"), ({"user_property": []}, "1084"), ({"industry": [{}]}, "1261"),
    ({"settlement_address": 5}, "1009"), ({"dance": 1}, "dance"), ({"buyer": {"born": "yesterday"}}, "1256")])
def test_what_is_no_value_of_a_tag_is_refused(pair: Pair, x: dict[str, Any], tag: str) -> None:
    engine = pair[1].engine
    with pytest.raises(DeviceError) as caught:
        engine.begin(_begin(x=x))
    assert (caught.value.code, caught.value.params) == (errors.BAD_VALUE, {"what": tag})
    assert engine.document is None


@pytest.mark.parametrize(("extra", "tag"), [
    ({"agent": {"sign": "FRIEND"}}, "1222"), ({"supplier": 5}, "1224"), ({"excise": [1.5, "RUB"]}, "1229"),
    ({"fraction": {"numerator": 1}}, "1291"), ({"planned_status": "GONE"}, "2003"), ({"dance": 1}, "dance")])
def test_what_is_no_value_of_a_lines_tag_is_refused(pair: Pair, extra: dict[str, Any], tag: str) -> None:
    with pytest.raises(DeviceError) as caught:
        pair[1].engine.begin(_begin(lines=[[*_begin()["lines"][0], extra]]))
    assert caught.value.params == {"line": 1, "what": tag}


@pytest.mark.parametrize(("place", "value", "tag"), [
    (1, 10**13, "1079"), (2, "100000000", "1023"), (2, "0.0000001", "1023"), (6, 8, "1214"), (7, 28, "1212"),
    (8, 12345, "2108")])
def test_values_that_no_tag_means_are_refused(pair: Pair, place: int, value: Any, tag: str) -> None:
    line = _begin()["lines"][0]
    line[place] = value
    if place == 1:
        line[3] = value
    if place == 2:
        line[1] = line[3] = 0
    with pytest.raises(DeviceError) as caught:
        pair[1].engine.begin(_begin(lines=[line]))
    assert caught.value.params["what"] == tag


def _begin(**more: Any) -> dict[str, Any]:
    return {"kind": 1, "key": "K1", "owner": "t", "tax": 1, "to": "", "cashier": "К", "net": False,
            "paperless": False, "lines": [["Чай", 10_000, "1", 10_000, "none", 0, 4, 1, 0, ""]], **more}


# -- marked goods


def marked(code: str = MARK, **more: Any) -> Receipt:
    plain = receipt(ffd=Ffd.V1_2, **more)
    return replace(plain, lines=(plain.lines[0], replace(plain.lines[1], marking=code,
                                                         subject=Subject.COMMODITY_MARKED)))


@pytest.mark.parametrize(("code", "oism", "result"), [
    (MARK, True, 15), (MARK, False, 3), (SAMPLES[marking.MarkKind.SHORT], True, 0), (SAMPLES[marking.MarkKind.FUR],
                                                                                    True, 15)])
def test_a_register_of_1_2_checks_codes_and_keeps_the_result(pair: Pair, code: str, oism: bool, result: int) -> None:
    driver, device = pair
    device.fault("oism_off", on=not oism)
    assert isinstance(driver.fiscalise(job(marked(code)), GUARD), FiscalRecord)
    assert decode(kept(device)).checks == (None, result)
    assert compare(marked(code), kept(device)) == ()


@pytest.mark.parametrize(("code", "result", "words"), [
    (MARK, 1, "[M-]"), (MARK, 5, "[M-]"), (MARK, 7, "[M-]"), (MARK, 17, "[M-]"),
    (f"01{GTIN[:-1]}921{SERIAL}", None, "[M-]")])
def test_a_code_that_is_wrong_is_not_sold_but_may_come_back(pair: Pair, code: str, result: int | None,
                                                            words: str) -> None:
    driver, device = pair
    if result is not None:
        People(device).do("mark", code=code, result=result)
    before = driver.bookmark()
    outcome = driver.fiscalise(job(marked(code)), GUARD)
    assert isinstance(outcome, Refused) and outcome.vendor_code == "M-" and not outcome.retry
    assert words in outcome.reason.say("ru") and "Товар «2» 5 л" in outcome.reason.say("ru")
    assert driver.bookmark() == before and device.engine.document is None
    assert isinstance(driver.fiscalise(job(marked(code, kind=Kind.SALE_RETURN)), GUARD), FiscalRecord)
    assert decode(kept(device)).checks[1] == (5 if result is None else result)


@pytest.mark.parametrize("result", [0, 3, 15, 16, 19])
def test_a_code_that_could_not_be_checked_is_sold(pair: Pair, result: int) -> None:
    driver, device = pair
    People(device).do("mark", code=MARK, result=result)
    assert isinstance(driver.fiscalise(job(marked()), GUARD), FiscalRecord)


def test_older_formats_keep_1162_and_check_nothing() -> None:
    with register(Ffd.V1_05) as (driver, device):
        plain = receipt()
        asked = replace(plain, lines=(replace(plain.lines[0], marking=MARK), plain.lines[1]))
        assert isinstance(driver.fiscalise(job(asked), GUARD), FiscalRecord)
        assert decode(kept(device)).checks == (None, None)
        assert compare(asked, kept(device)) == ()


def test_find_reads_a_receipt_that_is_too_long_to_be_sent_with_its_tlv(pair: Pair) -> None:
    driver, _ = pair
    whole = receipt(amounts=(100,) * 3_000, ffd=Ffd.V1_2)
    lines = tuple(replace(one, marking=MARK) for one in whole.lines)
    mark = driver.bookmark()
    outcome = driver.fiscalise(job(replace(whole, lines=lines)), GUARD)
    if isinstance(outcome, Refused):  # longer than a command: refused before anything was printed
        outcome = driver.fiscalise(job(replace(whole, lines=lines[:1_500], payments=receipt(
            amounts=(100,) * 1_500).payments)), GUARD)
    assert isinstance(outcome, FiscalRecord)
    found = driver.find(Bookmark(mark.storage_number, mark.document_number))
    assert found.complete and len(found.documents[0].lines or ()) >= 1_500
