"""The QR text of a receipt, written exactly and read leniently (fiscal-domain §7)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.fiscal import FiscalRecord, Kind, Money, qr_text, read_qr
from hub.fiscal.qr import QrFacts

ZONE = timezone(timedelta(hours=7))
RECORD = FiscalRecord("9999078900001234", 512, "754674267", datetime(2026, 11, 20, 11, 45, 59, tzinfo=ZONE),
                      Money(148_000), Kind.SALE)
FACTS = QrFacts(datetime(2026, 11, 20, 11, 45), Money(148_000), "9999078900001234", 512, "754674267", Kind.SALE)

records = st.builds(
    FiscalRecord, st.from_regex(r"[0-9]{16}", fullmatch=True), st.integers(1, 2**32 - 1),
    st.integers(0, 2**32 - 1).map(str), st.datetimes(datetime(2017, 1, 1), datetime(2099, 1, 1)).map(
        lambda moment: moment.replace(tzinfo=ZONE)), st.integers(0, 10**12).map(Money), st.sampled_from(Kind))


def test_the_text_is_in_the_order_of_the_law() -> None:
    assert qr_text(RECORD) == "t=20261120T1145&s=1480.00&fn=9999078900001234&i=512&fp=754674267&n=1"


@given(records)
def test_what_is_written_is_read(record: FiscalRecord) -> None:
    facts = read_qr(qr_text(record))
    assert facts == QrFacts(record.printed_at.replace(tzinfo=None, second=0, microsecond=0), record.total,
                            record.storage_number, record.document_number, record.fiscal_sign, record.kind)


@pytest.mark.parametrize("text", [
    "t=20261120T1145&s=1480.00&fn=9999078900001234&i=512&fp=754674267&n=1",
    "t=20261120T114500&s=1480.00&fn=9999078900001234&i=512&fp=754674267&n=1",
    " https://consumer.1-ofd.ru/v1?t=20261120T1145&s=1480.00&fn=9999078900001234&i=512&fp=754674267&n=1\n",
    "n=1&fp=754674267&i=512&fn=9999078900001234&s=1480.00&t=20261120T1145",
    "t=20261120T1145;s=1480,00;fn=9999078900001234;i=512;fp=0754674267;n=1",
    "t=2026-11-20T11:45&s=1480&fn=9999078900001234&i=0000000512&fp=0754674267&n=1",
    "t=20261120T1145s=1480.00fn=9999078900001234i=512fp=754674267n=1",
    "n=1t=20261120T1145s=1480.00fn=9999078900001234i=512fp=754674267",
    "T=20261120T1145&S=1480.00&FN=9999078900001234&I=512&FP=754674267&N=1",
    "https://check.example/?version=3&t=20261120T1145&s=1480.00&fn=9999078900001234&i=512&fp=754674267&n=1",
    "t=20261120T1145 s=1480.00 fn=9999078900001234 i=512 fp=754674267 n=1",
])
def test_it_is_read_in_every_shape(text: str) -> None:
    assert read_qr(text) == FACTS


@pytest.mark.parametrize(("text", "lacks"), [
    ("", "t, s, fn, i, fp, n"), ("t=20261120T1145&s=1480.00&fn=9999078900001234&fp=1&n=1", "i"),
    ("https://shop.example/?n=1", "t, s, fn, i, fp"),
])
def test_what_lacks_is_named(text: str, lacks: str) -> None:
    with pytest.raises(ValueError, match=f"lacks {lacks}$"):
        read_qr(text)


@pytest.mark.parametrize("change", ["t=20261320T1145", "s=..", "n=7", "t=2026", "i=5.5"])
def test_what_cannot_be_is_refused(change: str) -> None:
    name = change.split("=")[0]
    parts = [change if part.startswith(f"{name}=") else part for part in qr_text(RECORD).split("&")]
    with pytest.raises(ValueError, match="cannot be read"):
        read_qr("&".join(parts))


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for one in (text, qr_text(RECORD) + text, text + qr_text(RECORD)):
        try:
            assert isinstance(read_qr(one), QrFacts)
        except ValueError:
            pass
