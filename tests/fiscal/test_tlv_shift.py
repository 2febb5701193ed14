"""Documents of a shift: every field comes back, cash moves have none, strange bytes are one error."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.fiscal import Cashier, Ffd, Kind, Money, tlv
from hub.fiscal.shift_document import CLOSED, OPENED, STATE, Counted, ShiftDocument, decode, encode
from hub.fiscal.tlv import BadTlv

MOSCOW = timezone(timedelta(hours=3))
AT = datetime(2026, 11, 20, 21, 0, tzinfo=MOSCOW)
REPORT = ShiftDocument(
    CLOSED, "9999000011112222", 77, "754674267", AT, 7, "0000000001012345", Ffd.V1_2, "ООО Ромашка", "7707083893",
    "https://shop.example", Cashier("Иванова", "500100732259"), 12, 14, 3, AT - timedelta(days=1),
    {Kind.SALE: Counted(Money(155_050), 10), Kind.SALE_RETURN: Counted(Money(0))},
    frozenset({"replace_now", "ofd_late"}))
OPENING = replace(REPORT, code=OPENED, receipts=0, documents=0, unsent=0, unsent_since=None, sums={}, flags=frozenset())
STATEMENT = replace(REPORT, code=STATE, receipts=0, documents=0)


@pytest.mark.parametrize("one", [REPORT, OPENING, STATEMENT])
def test_every_field_comes_back(one: ShiftDocument) -> None:
    assert decode(encode(one), zone=MOSCOW) == one
    assert decode(encode(one), one.code, MOSCOW) == one
    wrapped = one.code.to_bytes(2, "little") + len(encode(one)).to_bytes(2, "little") + encode(one)
    assert decode(wrapped, zone=MOSCOW) == one


def test_a_report_says_what_the_reference_names() -> None:
    found = {int(tag): value for tag, value in tlv.decode(encode(REPORT))}
    assert (found[1118], found[1111], found[1097], found[1051], found[1053]) == (12, 14, 3, 1, 1)
    assert found[1194] == ((1129, ((1135, 10), (1201, 155_050))), (1130, ((1201, 0),)))
    assert found[1098] == datetime(2026, 11, 19, 21, 0) and 1050 not in found


def test_what_is_no_document_of_a_shift_is_refused() -> None:
    for wrong in (replace(REPORT, code=3), replace(REPORT, fiscal_sign="x"), replace(REPORT, documents=-1)):
        with pytest.raises(BadTlv):
            encode(wrong)
    with pytest.raises(BadTlv, match="code 3"):
        decode(encode(REPORT), 3)
    with pytest.raises(BadTlv, match="time"):
        decode(b"")


@given(st.binary(max_size=200), st.sampled_from([0, OPENED, CLOSED, STATE]))
def test_any_bytes_are_read_or_refused(data: bytes, code: int) -> None:
    try:
        decode(data + encode(OPENING), code)
    except BadTlv:
        pass
