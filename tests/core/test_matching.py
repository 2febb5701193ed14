"""Which document is our receipt: everything hangs on this one pure function, so it is held against every case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.contracts import Found, StoredDocument, StoredLine
from hub.dispatch.matching import FOREIGN, KEY_ALONE, OTHER_STORAGE, SEVERAL, UNREAD, decide
from hub.fiscal import (
    Cashier,
    Correction,
    CorrectionType,
    FiscalRecord,
    Form,
    Kind,
    Money,
    Payment,
    Receipt,
    ReceiptLine,
)

OURS, THEIRS, STORAGE = "AAAABBBBCCCCDDDD", "ZZZZYYYYXXXXWWWW", "9999000011112222"
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
RECEIPT = Receipt(OURS, Kind.SALE, (
    ReceiptLine("Чай", Money(300), Decimal(2), Money(600), "none", Money(0)),
    ReceiptLine("Кофе", Money(400), Decimal(1), Money(400), "none", Money(0))),
    (Payment(Form.ELECTRONIC, Money(1000)),), cashier=Cashier("Иванова А. П."))
LINES = (StoredLine("Кофе", Money(400)), StoredLine("Чай", Money(600), Decimal(2)))


def document(number: int = 11, **more: Any) -> StoredDocument:
    """The document that the receipt became, but for what is given."""
    values: dict[str, Any] = {"what": "receipt", "kind": Kind.SALE, "total": Money(1000), "lines": LINES,
                              "cashier": "Иванова А. П.", "key": OURS, **more}
    record = FiscalRecord(STORAGE, number, "1234567890", NOON, values["total"], values["kind"] or Kind.SALE) \
        if values["what"] == "receipt" else None
    return StoredDocument(record, number, **values)


def judged(*documents: StoredDocument, storage: str = STORAGE, complete: bool = True, bound: Any = (),
           carries_key: bool = True) -> Any:
    return decide(RECEIPT, STORAGE, Found(storage, documents, complete), bound, carries_key)


def test_the_one_document_that_agrees_is_ours() -> None:
    assert judged(document()).decision == "recorded"
    assert judged(document(key="", lines=None, cashier=""), carries_key=False).decision == "recorded"
    assert judged(document(), complete=False).decision == "recorded", "a fact needs no complete reading"


def test_nothing_there_is_not_printed_only_after_a_complete_reading() -> None:
    assert judged().decision == "not_printed"
    assert judged(complete=False) == decide(RECEIPT, STORAGE, Found(STORAGE, (), False), (), True)
    assert judged(complete=False).reason is UNREAD


@pytest.mark.parametrize("other", [
    {"kind": Kind.SALE_RETURN}, {"total": Money(999)}, {"key": THEIRS},
    {"lines": (StoredLine("Чай", Money(600)), StoredLine("Пирог", Money(400)))}, {"cashier": "Петров В. В."}])
def test_whatever_differs_is_not_ours(other: dict[str, Any]) -> None:
    assert judged(document(**other)).decision != "recorded"


def test_our_key_with_another_content_is_for_a_person() -> None:
    for other in ({"total": Money(999)}, {"kind": Kind.SALE_RETURN}, {"lines": LINES[:1]}):
        verdict = judged(document(**other))
        assert (verdict.decision, verdict.reason) == ("uncertain", KEY_ALONE)


def test_two_that_agree_are_for_a_person_unless_one_carries_our_key() -> None:
    plain = document(11, key=""), document(12, key="")
    assert judged(*plain, carries_key=False).reason is SEVERAL
    assert judged(document(11, key=""), document(12), carries_key=False).document.document_number == 12
    assert judged(document(11), document(12)).reason is SEVERAL, "printed twice: a person must know"


def test_on_a_model_that_carries_keys_a_cashiers_equal_sale_is_not_taken_for_ours() -> None:
    verdict = judged(document(key=""))
    assert (verdict.decision, verdict.reason) == ("uncertain", FOREIGN)
    assert judged(document(11, key=""), document(12)).document.document_number == 12


def test_a_strangers_document_is_no_reason_to_doubt_when_it_surely_is_one() -> None:
    assert judged(document(key=THEIRS)).decision == "not_printed"
    assert judged(document(key="", total=Money(1))).decision == "not_printed"
    assert judged(document(key="", total=Money(1)), carries_key=False).reason is FOREIGN
    for what in ("shift_open", "shift_close", "cash_in", "report", "other"):
        assert judged(document(what=what, kind=None, key="")).decision == "not_printed"


def test_another_storage_says_nothing() -> None:
    assert judged(storage="9999000011113333").reason is OTHER_STORAGE
    assert judged(document(), storage="9999000011113333").decision == "uncertain"


def test_a_document_that_belongs_to_another_receipt_is_no_candidate() -> None:
    assert judged(document(), bound={11}).decision == "not_printed"
    assert judged(document(11, key=""), document(12, key=""), bound={11}, carries_key=False) \
        .document.document_number == 12


SIGN = "754674267"
CORRECTION = replace(RECEIPT, correction=Correction(CorrectionType.OWN, date(2026, 10, 5), fiscal_sign=SIGN))


def correction(number: int = 11, **more: Any) -> StoredDocument:
    """The correction that CORRECTION became: 1192 carries the sign of the wrong receipt, not our key."""
    one = document(number, **{"key": SIGN, **more})
    return replace(one, what="correction")


def corrected(*found: StoredDocument, asked: Receipt = CORRECTION, carries_key: bool = True) -> Any:
    return decide(asked, STORAGE, Found(STORAGE, found, True), (), carries_key)


@pytest.mark.parametrize("carries_key", [True, False])
def test_a_correction_is_ours_after_a_lost_answer(carries_key: bool) -> None:
    assert corrected(correction(), carries_key=carries_key).decision == "recorded"
    assert corrected(correction(lines=None), carries_key=carries_key).decision == "recorded", "1.05 keeps no lines"
    unsigned = replace(CORRECTION, correction=replace(CORRECTION.correction, fiscal_sign=""))
    assert corrected(correction(key=""), asked=unsigned, carries_key=carries_key).decision == "recorded"


def test_a_correction_and_a_receipt_are_never_taken_for_each_other() -> None:
    assert corrected(document(key=SIGN)).decision == "not_printed"
    assert judged(correction(key=OURS)).decision == "uncertain", "our key on a correction: a person looks"
    assert judged(correction()).decision == "not_printed"


def test_the_other_step_of_a_correction_is_not_this_one() -> None:
    back = correction(12, kind=Kind.SALE_RETURN)
    assert corrected(back, correction(13)).document.document_number == 13
    assert corrected(correction(key="1111111111")).decision == "not_printed", "it corrects another receipt"
    assert corrected(back).reason is FOREIGN, "the same sign and another kind: a person looks"


def test_a_receipt_whose_1192_the_source_claims_is_known_by_that() -> None:
    asked = replace(RECEIPT, additional="Заказ «5»")
    assert corrected(document(key='Заказ "5"'), asked=asked).decision == "recorded"
    assert corrected(document(key=""), asked=asked).reason is FOREIGN
    assert corrected(document(key=THEIRS), asked=asked).decision == "not_printed"


def test_names_agree_in_the_letters_that_storages_have() -> None:
    lines = (ReceiptLine("Чай «Липовый»…", Money(1000), Decimal(1), Money(1000), "none", Money(0)),)
    asked = replace(RECEIPT, lines=lines, cashier=Cashier("Иванова – старшая"))
    stored = document(lines=(StoredLine('Чай "Липовый"...', Money(1000)),), cashier="Иванова - старшая")
    assert corrected(stored, asked=asked).decision == "recorded"
    assert corrected(replace(stored, lines=(StoredLine("Чай", Money(1000)),)), asked=asked).reason is KEY_ALONE


documents = st.builds(
    document, st.integers(11, 14), key=st.sampled_from(["", OURS, THEIRS]),
    total=st.sampled_from([Money(1000), Money(999)]), kind=st.sampled_from([Kind.SALE, Kind.SALE_RETURN]),
    what=st.sampled_from(["receipt", "receipt", "receipt", "shift_open", "correction"]),
    lines=st.sampled_from([None, LINES, LINES[:1]]), cashier=st.sampled_from(["", "Иванова А. П.", "Петров В. В."]))
storages = st.lists(documents, max_size=4, unique_by=lambda one: one.document_number)


@given(storages, st.sets(st.integers(11, 14)), st.booleans(), st.booleans())
def test_what_holds_for_every_storage(
        held: list[StoredDocument], bound: set[int], complete: bool, carries_key: bool) -> None:
    verdict = judged(*held, bound=bound, complete=complete, carries_key=carries_key)
    if verdict.decision == "recorded":
        found = verdict.document
        assert found.document_number not in bound and found.what == "receipt"
        assert (found.kind, found.total) == (RECEIPT.kind, RECEIPT.total)
        assert found.key in ((OURS,) if carries_key else (OURS, ""))
    if verdict.decision == "not_printed":
        assert complete, "absence needs a complete reading"
        assert not any(one.key == OURS and one.what == "receipt" for one in held if one.document_number not in bound)
        assert not any(one.what == "receipt" and one.key == "" and one.total == RECEIPT.total
                       and one.kind is RECEIPT.kind for one in held if one.document_number not in bound)
    assert (verdict.reason is not None) == (verdict.decision == "uncertain")
    assert (verdict.document is not None) == (verdict.decision == "recorded")


@given(storages, st.booleans())
def test_the_order_of_documents_does_not_matter(held: list[StoredDocument], carries_key: bool) -> None:
    there, back = judged(*held, carries_key=carries_key), judged(*reversed(held), carries_key=carries_key)
    assert there == back


@given(storages, st.booleans(), st.booleans())
def test_a_document_with_our_key_and_content_is_never_overlooked(
        held: list[StoredDocument], complete: bool, carries_key: bool) -> None:
    whole = [*held, replace(document(99))]
    verdict = judged(*whole, complete=complete, carries_key=carries_key)
    assert verdict.decision == "uncertain" or verdict.document.key == OURS
    assert verdict.decision != "not_printed"


@given(storages)
def test_another_storage_never_decides(held: list[StoredDocument]) -> None:
    assert judged(*held, storage="9999000011113333").decision == "uncertain"
