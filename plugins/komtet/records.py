"""A record as the other side tells it, looked at before it is taken for one.

A record that no database holds would stop its register: what is told is told the same on every poll, and the
receipts behind it wait. Such a one is no fiscal data, and a person looks.
"""

from __future__ import annotations

import re

from hub.fiscal import FiscalRecord

#: What a register's clock may say, even one that was never set.
YEARS = range(2000, 9000)
#: A number of a document, of a shift, of a receipt in it: four bytes at most (tags 1040, 1038, 1042).
LARGEST_NUMBER = 2**32
#: Kopecks of a sum (tag 1020 has six bytes).
LARGEST_SUM = 2**48
_STORAGE, _SIGN = re.compile(r"[0-9A-Za-z._/-]{1,20}"), re.compile(r"[0-9]{1,20}")


def credible(record: FiscalRecord) -> FiscalRecord | None:
    """The record; None for one that no fiscal storage can have written."""
    numbers = record.document_number, record.shift_number, record.receipt_in_shift
    return record if (
        _STORAGE.fullmatch(record.storage_number) and _SIGN.fullmatch(record.fiscal_sign)
        and all(0 <= one < LARGEST_NUMBER for one in numbers) and 0 <= record.total.amount < LARGEST_SUM
        and record.printed_at.year in YEARS) else None
