"""The text of a receipt's QR code, written and read (fiscal-domain §7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from hub.fiscal.codes import Kind
from hub.fiscal.money import Money, NotANumber
from hub.fiscal.receipt import FiscalRecord


def qr_text(record: FiscalRecord) -> str:
    """``t=20261120T1145&s=1480.00&fn=...&i=512&fp=...&n=1``, in this order; time is the register's own."""
    return (f"t={record.printed_at:%Y%m%dT%H%M}&s={record.total.plain()}&fn={record.storage_number}"
            f"&i={record.document_number}&fp={record.fiscal_sign}&n={record.kind.value}")


@dataclass(frozen=True, slots=True)
class QrFacts:
    """What a scanned QR code says; times have no zone, as on paper."""

    printed_at: datetime
    total: Money
    storage_number: str
    document_number: int
    fiscal_sign: str
    kind: Kind


#: A field's name does not follow a letter (``version=1`` is none); its value ends where the next name begins, because
#: some scanners lose the separators.
_FIELD = re.compile(r"(?<![a-z])(t|s|fn|i|fp|n)=((?:[0-9:.,+\-]|t(?=[0-9]))*)", re.IGNORECASE | re.ASCII)


def read_qr(text: str, currency: str = "RUB") -> QrFacts:
    """Reads a QR text leniently: any order and case, a URL before it, seconds or not, separators or not.

    ``ValueError`` names what lacks.
    """
    found = {name.lower(): value for name, value in _FIELD.findall(text)}
    missing = [name for name in ("t", "s", "fn", "i", "fp", "n") if not found.get(name)]
    if missing:
        raise ValueError("the QR text lacks " + ", ".join(missing))
    digits = re.sub(r"\D", "", found["t"])
    try:
        moment = datetime.strptime(digits, "%Y%m%d%H%M%S" if len(digits) == 14 else "%Y%m%d%H%M")
        return QrFacts(moment, Money.of(found["s"], currency), found["fn"], int(found["i"]),
                       str(int(found["fp"])), Kind(int(found["n"])))
    except (ValueError, NotANumber) as problem:
        raise ValueError(f"the QR text cannot be read: {problem}") from problem
