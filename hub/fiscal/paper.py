"""A receipt as it stands on paper: rows of text for any width, a QR code, rules. Pure; hub.paper draws it.

:func:`form` says what stands there (hub.fiscal.paper_form), :func:`lay` gives it columns (hub.fiscal.paper_rows).
Sums stand as registers print them: ``=1480.00``.
"""

from __future__ import annotations

from hub.fiscal.money import quantity_text
from hub.fiscal.paper_form import Extras, Look, ReceiptWriter, mark_word
from hub.fiscal.paper_rows import (
    Form,
    Gap,
    Language,
    Line,
    Logo,
    Paper,
    QrCode,
    Row,
    Rule,
    as_text,
    cells,
    clean,
    lay,
)
from hub.fiscal.receipt import FiscalRecord, Receipt

#: Columns below which labels and sums no longer make sense.
NARROWEST = 24
#: Paper of 57 and of 80 mm, and of 80 mm with the larger letters of some heads (point-of-sale §3).
NARROW, MIDDLE, WIDE = 32, 42, 48


def form(receipt: Receipt, record: FiscalRecord | None, *, language: Language = "ru", qr: bool = True,
         duplicate: bool = False, look: Look | None = None, extras: Extras | None = None) -> Form:
    """What ``receipt`` says on any paper. Without ``record`` it is marked as not fiscal and bears no fiscal data.

    Kazakh receipts are in Kazakh and Russian whichever of the two is asked for. Times are those of
    ``record.printed_at``, the register's own.
    """
    return ReceiptWriter(receipt, record, language, look or Look(), extras or Extras(), duplicate).form(qr)


def paper(receipt: Receipt, record: FiscalRecord | None, *, width: int = WIDE, language: Language = "ru",
          qr: bool = True, duplicate: bool = False, look: Look | None = None, extras: Extras | None = None) -> Paper:
    """:func:`form` on paper of ``width`` columns; ``ValueError`` below :data:`NARROWEST`."""
    return on(form(receipt, record, language=language, qr=qr, duplicate=duplicate, look=look, extras=extras), width)


def on(said: Form, width: int) -> Paper:
    """A form on paper of ``width`` columns; ``ValueError`` below :data:`NARROWEST`."""
    if width < NARROWEST:
        raise ValueError(f"paper has at least {NARROWEST} columns, not {width}")
    return lay(said, width)


__all__ = ["MIDDLE", "NARROW", "NARROWEST", "WIDE", "Extras", "Form", "Gap", "Language", "Line", "Logo", "Look",
           "Paper", "QrCode", "Row", "Rule", "as_text", "cells", "clean", "form", "mark_word", "on", "paper",
           "quantity_text"]
