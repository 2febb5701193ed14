"""A receipt as it stands on paper: rows of text for any width, a QR code, rules. Pure; hub.paper draws it.

What is printed and in which order follows fiscal-domain §2 (Russia) and webkassa §7 and §11 (Kazakhstan, whose
receipts are in Kazakh and Russian at once). Sums stand as registers print them: ``=1480.00``.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from hub.fiscal import vat as vat_rates
from hub.fiscal.codes import Country, Ffd, Form, Kind, Measure
from hub.fiscal.money import Money, quantity_text
from hub.fiscal.paper_words import FORMS, KINDS, KZ_KINDS, MEASURES, METHODS, SUBJECTS, TAX_SYSTEMS, WORDS
from hub.fiscal.qr import qr_text
from hub.fiscal.receipt import FiscalRecord, Receipt, ReceiptLine
from hub.fiscal.text import Text

#: Columns below which labels and sums no longer make sense.
NARROWEST = 24
#: Paper of 57 and of 80 mm.
NARROW, WIDE = 32, 48

Language = Literal["ru", "kk", "en"]


@dataclass(frozen=True, slots=True)
class Line:
    """One row of text: ``left``, and ``right`` at the other edge. ``double`` takes two columns a character."""

    left: str
    right: str = ""
    align: Literal["left", "center", "right"] = "left"
    bold: bool = False
    double: bool = False

    def text(self, columns: int) -> str:
        """The row as a string of at most ``columns`` characters (halve them yourself for a double one)."""
        if self.right:
            return self.left + self.right.rjust(columns - len(self.left))
        return {"left": str.ljust, "center": str.center, "right": str.rjust}[self.align](self.left, columns).rstrip()


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the paper."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A little white between parts; an empty row in text."""


@dataclass(frozen=True, slots=True)
class QrCode:
    """A QR code and what it says."""

    text: str


Row = Line | Rule | Gap | QrCode


@dataclass(frozen=True, slots=True)
class Paper:
    """A printed receipt: ``rows`` for paper of ``width`` columns. ``title`` names it for who cannot see it."""

    rows: tuple[Row, ...]
    width: int
    language: Language
    title: str


def paper(receipt: Receipt, record: FiscalRecord | None, *, width: int = WIDE, language: Language = "ru",
          qr: bool = True) -> Paper:
    """``receipt`` as paper. Without ``record`` it is marked as not fiscal and bears no fiscal data.

    Kazakh receipts are printed in Kazakh and Russian whichever of the two is asked for. Times are those of
    ``record.printed_at``, the register's own. ``ValueError`` below :data:`NARROWEST` columns.
    """
    if width < NARROWEST:
        raise ValueError(f"paper has at least {NARROWEST} columns, not {width}")
    return _Sheet(receipt, record, width, language).fill(qr)


def as_text(printed: Paper) -> str:
    """Paper for a terminal or a log: no row is longer than its width."""
    rows: list[str] = []
    for row in printed.rows:
        if isinstance(row, Line):
            rows.append(row.text(printed.width))
        elif isinstance(row, Rule):
            rows.append("-" * printed.width)
        elif isinstance(row, Gap):
            rows.append("")
        else:
            rows += textwrap.wrap(f"QR: {row.text}", printed.width, break_on_hyphens=False)
    return "\n".join(rows) + "\n"


def clean(text: str) -> str:
    """Text that a printer can print: composed letters, no control characters, single blanks."""
    composed = unicodedata.normalize("NFC", text)
    return " ".join("".join(one if one.isprintable() else " " for one in composed).split())


def _sum(money: Money) -> str:
    return f"={money.plain()}"


class _Sheet:
    def __init__(self, receipt: Receipt, record: FiscalRecord | None, width: int, language: Language) -> None:
        self.receipt, self.record, self.width, self.language = receipt, record, width, language
        self.kz = receipt.country is Country.KZ
        self.rows: list[Row] = []

    def fill(self, qr: bool) -> Paper:
        self.head()
        self.lines()
        self.sums()
        self.particulars()
        if self.record is not None:
            self.fiscal(self.record, qr)
        while self.rows and isinstance(self.rows[-1], Rule):
            self.rows.pop()
        title = f"{self.say(self.kind()).capitalize()}, {self.receipt.total}"
        return Paper(tuple(self.rows), self.width, self.language, title)

    # -- words and rows ------------------------------------------------------------------------------------------

    def tongues(self, text: Text) -> list[str]:
        """The wording in each language that is printed; equal wordings once."""
        if self.kz and self.language != "en":
            return list(dict.fromkeys((text.say("kk"), text.say("ru"))))
        return [text.say(self.language)]

    def say(self, what: str | Text) -> str:
        return " / ".join(self.tongues(WORDS[what] if isinstance(what, str) else what))

    def kind(self) -> Text:
        kinds: dict[Kind, Text] = KZ_KINDS if self.kz else KINDS
        return kinds[self.receipt.kind]

    def wrapped(self, text: str, columns: int) -> list[str]:
        return textwrap.wrap(clean(text), columns, break_on_hyphens=False)

    def centred(self, text: str, *, bold: bool = False) -> None:
        self.rows += [Line(one, align="center", bold=bold) for one in self.wrapped(text, self.width)]

    def left(self, text: str, *, bold: bool = False) -> None:
        self.rows += [Line(one, bold=bold) for one in self.wrapped(text, self.width)]

    def pair(self, label: str, value: str, *, bold: bool = False, double: bool = False) -> None:
        """Label and value at the two edges; the value below where it does not fit beside the label's end."""
        label, value = clean(label), clean(value)
        big = self.width // 2
        if double and len(label) + 1 + len(value) > big:
            if max(len(label), len(value)) <= big:
                self.rows += [Line(label, bold=bold, double=True), Line(value, align="right", bold=bold, double=True)]
                return
            double = False
        labels = self.wrapped(label, self.width) or [""]
        if len(labels[-1]) + 1 + len(value) <= self.width:
            self.rows += [Line(one, bold=bold) for one in labels[:-1]]
            self.rows.append(Line(labels[-1], value, bold=bold, double=double))
            return
        values = self.wrapped(value, self.width)
        self.rows += [Line(one, bold=bold) for one in labels if one]
        self.rows += [Line(one, align="right" if len(values) == 1 else "left", bold=bold) for one in values]

    def pairs(self, given: Iterable[tuple[str, str]]) -> None:
        """A row for each (key of WORDS, value) whose value is not empty."""
        for key, value in given:
            if value:
                self.pair(self.say(key), value)

    def rule(self) -> None:
        if self.rows and not isinstance(self.rows[-1], Rule):
            self.rows.append(Rule())

    # -- the parts of a receipt ----------------------------------------------------------------------------------

    def head(self) -> None:
        receipt, record = self.receipt, self.record
        self.centred(receipt.seller_name, bold=True)
        if receipt.seller_inn:
            self.centred(f"{self.say(self.seller_number())} {receipt.seller_inn}")
        self.rule()
        heading = "not_fiscal" if record is None else "fiscal_receipt" if self.kz else "receipt"
        for words in (WORDS[heading], self.kind()):
            whole = self.say(words)
            for part in [whole] if len(whole) <= self.width else self.tongues(words):
                self.centred(part, bold=True)
        self.rows.append(Gap())
        if record is None:
            self.centred(self.say("not_printed"))
        else:
            number = record.receipt_in_shift
            self.pair(f"{self.say('number')} {number}" if number else "", f"{record.printed_at:%d.%m.%Y %H:%M}")
            self.pairs([("shift", str(record.shift_number or ""))])
        self.pairs([("cashier", receipt.cashier.name), ("cashier_inn", "" if self.kz else receipt.cashier.inn)])
        self.rule()

    def seller_number(self) -> str:
        """The fifth digit of a Kazakh number tells a company's BIN (4-6) from a person's IIN."""
        if not self.kz:
            return "inn"
        return "bin" if self.receipt.seller_inn[4:5] in "456" else "iin"

    def lines(self) -> None:
        many = len(self.receipt.lines) > 1
        for number, line in enumerate(self.receipt.lines, 1):
            if number > 1:
                self.rows.append(Gap())
            mark = " [M]" if line.marking else ""
            self.left(f"{number}. {line.name}{mark}" if many else line.name + mark)
            self.pair(f"{self.count(line)} × {line.price.plain()}", _sum(line.amount))
            self.vat(line)
            if not self.kz:
                self.left(f"{self.say(METHODS[line.method])}, {self.say(SUBJECTS[line.subject]).lower()}")
        self.rule()

    def count(self, line: ReceiptLine) -> str:
        """Measures are part of a receipt since FFD 1.2 (tag 2108); before, pieces go without saying."""
        count = quantity_text(line.quantity)
        if line.measure is Measure.PIECE and self.receipt.ffd is not Ffd.V1_2:
            return count
        return f"{count} {MEASURES[line.measure].say('ru' if self.kz and self.language != 'en' else self.language)}"

    def vat(self, line: ReceiptLine) -> None:
        rate = vat_rates.rate(line.vat, self.receipt.country)
        if rate.percent is None:
            self.left(self.say("no_vat"))
        else:
            self.pair(f"{self.say('vat')} {rate.printed}", _sum(line.vat_amount) if rate.percent else "")

    def sums(self) -> None:
        receipt = self.receipt
        self.pair(self.say("total"), _sum(receipt.total), bold=True, double=True)
        for form in Form:
            paid = receipt.paid(form)
            if paid:
                self.pair(self.say(FORMS[form]), _sum(paid))
            if form is Form.CASH and receipt.change:
                self.pair(self.say("received"), _sum(paid + receipt.change))
                self.pair(self.say("change"), _sum(receipt.change))
        for key, amount in receipt.vat_totals().items():
            rate = vat_rates.rate(key, receipt.country)
            if rate.percent is None:
                self.pair(self.say("no_vat_sum"), _sum(amount))
            else:
                self.pair(f"{self.say('vat_sum' if rate.percent else 'vat_turnover')} {rate.printed}", _sum(amount))
        self.rule()

    def particulars(self) -> None:
        receipt = self.receipt
        contact = "buyer_email" if "@" in receipt.contact else "buyer_phone"
        customer = receipt.customer
        self.pairs([
            ("tax_system", self.say(TAX_SYSTEMS[receipt.tax_system]) if receipt.tax_system else ""),
            ("address" if self.kz else "place", receipt.settlement_place),
            ("internet", "" if self.kz or not receipt.internet else self.say("yes")),
            ("buyer", customer.name if customer.inn else ""),
            ("buyer_bin" if self.kz else "buyer_inn", customer.inn),
            (contact, receipt.contact),
            ("sender", receipt.sender_email if receipt.contact else ""),
            ("tax_site", "" if self.kz else "www.nalog.gov.ru"),
        ])
        self.rule()

    def fiscal(self, record: FiscalRecord, qr: bool) -> None:
        prefix = "kz_" if self.kz else ""
        self.pairs([
            (f"{prefix}serial", record.register_serial), (f"{prefix}registration", record.registration_number),
            (f"{prefix}storage", record.storage_number),
            ("document", "" if self.kz else str(record.document_number)), (f"{prefix}sign", record.fiscal_sign),
        ])
        if qr:
            # Kazakh codes are the operator's own address of the receipt (webkassa §5, TicketUrl).
            self.rows.append(QrCode(record.url if self.kz and record.url else qr_text(record)))


__all__ = ["NARROW", "NARROWEST", "WIDE", "Gap", "Language", "Line", "Paper", "QrCode", "Row", "Rule", "as_text",
           "clean", "paper", "quantity_text"]
