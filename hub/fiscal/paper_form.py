"""What a receipt says on paper, in which order and in which words; how wide the paper is comes later.

What must be there follows fiscal-domain §2 (Russia) and webkassa §7 and §11 (Kazakhstan, whose receipts are in Kazakh
and Russian at once). Removed lines and discounts that were taken back are kept elsewhere and never printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hub.fiscal import vat as vat_rates
from hub.fiscal.codes import Country, Ffd, Form, Kind, Measure
from hub.fiscal.details import Agent, IndustryProperty, Supplier
from hub.fiscal.links import operator_of, receipt_url
from hub.fiscal.marking import check_result
from hub.fiscal.money import Money, quantity_text, total
from hub.fiscal.paper_rows import Block, Centred, Gap, Item, Language, Logo, Pair, QrCode, Rule, Words, clean
from hub.fiscal.paper_rows import Form as PaperForm
from hub.fiscal.paper_words import (
    AGENTS,
    CORRECTIONS,
    FORMS,
    KINDS,
    KZ_KINDS,
    MEASURES,
    METHODS,
    SUBJECTS,
    TAX_SYSTEMS,
    WORDS,
)
from hub.fiscal.qr import qr_text
from hub.fiscal.receipt import FiscalRecord, Receipt, ReceiptLine
from hub.fiscal.text import Text


@dataclass(frozen=True, slots=True)
class Look:
    """The owner's own on every paper: a picture (PNG or JPEG) and words above and below, a row for each line."""

    logo: bytes = b""
    above: str = ""
    below: str = ""


@dataclass(frozen=True, slots=True)
class Extras:
    """What paper says that neither the receipt nor the fiscal record knows.

    ``ofd_name`` and ``ofd_site`` are the operator's, ``autonomous`` marks a Kazakh receipt made without it, ``marks``
    is the result of a marked item's check (tag 2106) by the line's index.
    """

    order_number: str = ""
    ofd_name: str = ""
    ofd_site: str = ""
    autonomous: bool = False
    vat_certificate: str = ""
    marks: Mapping[int, int] = field(default_factory=dict)


class Writer:
    """Blocks in the words of one language; Kazakh paper speaks Kazakh and Russian at once but in English."""

    def __init__(self, language: Language, country: Country, look: Look, duplicate: bool) -> None:
        self.language, self.kz, self.look, self.duplicate = language, country is Country.KZ, look, duplicate
        self.blocks: list[Block] = []

    def tongues(self, text: Text) -> list[str]:
        """The wording in each language that is printed; equal wordings once."""
        if self.kz and self.language != "en":
            return list(dict.fromkeys((text.say("kk"), text.say("ru"))))
        return [text.say(self.language)]

    def say(self, what: str | Text) -> str:
        return " / ".join(self.tongues(WORDS[what] if isinstance(what, str) else what))

    def put(self, block: Block) -> None:
        self.blocks.append(block)

    def centred(self, words: str | Text, *, bold: bool = False) -> None:
        tongues = self.tongues(words) if isinstance(words, Text) else [clean(words)]
        if any(tongues):
            self.put(Centred(tuple(tongues), bold))

    def note(self, label: str, value: str) -> Pair:
        return Pair(self.say(label) if label in WORDS else clean(label), clean(value))

    def pairs(self, given: Iterable[tuple[str, str]]) -> None:
        """A pair for each (key of WORDS, value) whose value is not empty."""
        self.blocks += [self.note(key, value) for key, value in given if value]

    def rule(self) -> None:
        if self.blocks and not isinstance(self.blocks[-1], Rule):
            self.put(Rule())

    def top(self, seller_name: str, seller_inn: str) -> None:
        """The owner's picture and words, whether it is a copy, and whose paper it is."""
        if self.look.logo:
            self.put(Logo(self.look.logo))
        for line in self.look.above.splitlines():
            self.centred(line)
        if clean(self.look.above):
            self.put(Gap())
        if self.duplicate:
            self.centred(WORDS["duplicate"], bold=True)
        self.centred(seller_name, bold=True)
        if seller_inn:
            # The fifth digit of a Kazakh number tells a company's BIN (4-6) from a person's IIN.
            number = "inn" if not self.kz else "bin" if seller_inn[4:5] in "456" else "iin"
            self.centred(f"{self.say(number)} {seller_inn}")
        self.rule()

    def bottom(self) -> None:
        """The owner's words below."""
        lines = self.look.below.splitlines()
        if any(clean(one) for one in lines):
            self.put(Gap())
        for line in lines:
            self.centred(line)


class ReceiptWriter(Writer):
    """One receipt, with or without what the fiscal storage wrote."""

    def __init__(self, receipt: Receipt, record: FiscalRecord | None, language: Language, look: Look, extras: Extras,
                 duplicate: bool) -> None:
        super().__init__(language, receipt.country, look, duplicate)
        self.receipt, self.record, self.extras = receipt, record, extras

    def form(self, qr: bool) -> PaperForm:
        receipt = self.receipt
        self.top(receipt.seller_name, receipt.seller_inn)
        self.head()
        self.correction()
        # Document 31 of FFD 1.05 states sums only (fiscal-domain §6).
        if receipt.correction is None or receipt.ffd is not Ffd.V1_05:
            for number, line in enumerate(receipt.lines, 1):
                self.item(number, line)
            self.rule()
        self.sums()
        self.particulars()
        self.properties()
        if self.record is not None:
            self.fiscal(self.record, qr)
        self.bottom()
        title = f"{self.say(self.kind()).capitalize()}, {receipt.total}"
        return PaperForm(tuple(self.blocks), self.language, title, len(receipt.lines) > 1,
                         tuple(self.say(f"head_{one}") for one in ("number", "name", "count", "price", "vat", "sum")))

    def kind(self) -> Text:
        kinds: dict[Kind, Text] = KZ_KINDS if self.kz else KINDS
        return kinds[self.receipt.kind]

    # -- the parts of a receipt ----------------------------------------------------------------------------------

    def head(self) -> None:
        receipt, record = self.receipt, self.record
        heading = "correction" if receipt.correction is not None else "fiscal_receipt" if self.kz else "receipt"
        if record is None:
            heading = "not_fiscal"
        self.centred(WORDS[heading], bold=True)
        if record is None and receipt.correction is not None:
            self.centred(WORDS["correction"], bold=True)
        self.centred(self.kind(), bold=True)
        if self.extras.autonomous and record is not None:
            self.centred(WORDS["autonomous"], bold=True)
        self.put(Gap())
        if record is None:
            self.centred(WORDS["not_printed"])
        else:
            number = record.receipt_in_shift
            self.put(Pair(f"{self.say('number')} {number}" if number else "", f"{record.printed_at:%d.%m.%Y %H:%M}"))
            self.pairs([("shift", str(record.shift_number or ""))])
        self.pairs([("cashier", receipt.cashier.name), ("cashier_inn", "" if self.kz else receipt.cashier.inn),
                    ("order", self.extras.order_number), ("vat_certificate", self.extras.vat_certificate)])
        self.rule()

    def correction(self) -> None:
        found = self.receipt.correction
        if found is None:
            return
        self.pairs([("correction_type", self.say(CORRECTIONS[found.type])), ("correction_day", f"{found.day:%d.%m.%Y}"),
                    ("correction_number", found.number), ("correction_base", found.description),
                    ("wrong_sign", found.fiscal_sign)])
        self.rule()

    def item(self, number: int, line: ReceiptLine) -> None:
        rate = vat_rates.rate(line.vat, self.receipt.country)
        vat = self.say("no_vat") if rate.percent is None else f"{self.say('vat')} {rate.printed}"
        mark = f" {mark_word(self.extras.marks.get(number - 1))}" if line.marking else ""
        self.put(Item(number, clean(line.name) + mark, self.count(line), line.price.plain(), line.amount.plain(), vat,
                      line.vat_amount.plain() if rate.percent else "", tuple(self.notes(line))))

    def count(self, line: ReceiptLine) -> str:
        """Measures are part of a receipt since FFD 1.2 (tag 2108); before, a unit's own words (1197), and pieces go
        without saying. Kazakh paper names every unit (webkassa §11)."""
        count = quantity_text(line.quantity)
        if line.unit and self.receipt.ffd is not Ffd.V1_2:
            return f"{count} {clean(line.unit)}"
        if line.measure is Measure.PIECE and self.receipt.ffd is not Ffd.V1_2 and not self.kz:
            return count
        return f"{count} {MEASURES[line.measure].say('ru' if self.kz and self.language != 'en' else self.language)}"

    def notes(self, line: ReceiptLine) -> list[Pair | Words]:
        """Everything that is said of a line below its sum."""
        notes: list[Pair | Words] = []
        if not self.kz:
            notes.append(Words(f"{self.say(METHODS[line.method])}, {self.say(SUBJECTS[line.subject]).lower()}"))
        given = [
            ("discount", _sum(line.discount)), ("markup", _sum(line.markup)),
            ("kz_department" if self.kz else "department", str(line.department or "")),
            # Russia prints the sign of the check instead of the code (fiscal-domain §10), Kazakhstan the code.
            ("mark", line.marking if self.kz else ""), ("fraction", str(line.fraction or "")),
            ("excise", _sum(line.excise)), ("origin", line.country), ("declaration", line.declaration),
            ("item_additional", line.additional), *self.agent(line.agent), *self.supplier(line.supplier),
            *self.industry(line.industry)]
        return notes + [self.note(key, value) for key, value in given if value]

    def agent(self, agent: Agent | None) -> list[tuple[str, str]]:
        if agent is None:
            return []
        return [("agent", self.say(AGENTS[agent.sign])), *(("agent_phone", one) for one in agent.phones),
                ("agent_operation", agent.operation), *(("operator_phone", one) for one in agent.operator_phones),
                ("transfer_name", agent.transfer_name), ("transfer_inn", agent.transfer_inn),
                ("transfer_address", agent.transfer_address),
                *(("transfer_phone", one) for one in agent.transfer_phones)]

    def supplier(self, supplier: Supplier | None) -> list[tuple[str, str]]:
        if supplier is None:
            return []
        return [("supplier", supplier.name), ("supplier_inn", supplier.inn),
                *(("supplier_phone", one) for one in supplier.phones)]

    def industry(self, properties: tuple[IndustryProperty, ...]) -> list[tuple[str, str]]:
        """Body, date and number of the document, and the value, of each industry property."""
        return [("industry", f"{one.body} {one.day:%d.%m.%Y} {one.number} {one.value}") for one in properties]

    def sums(self) -> None:
        receipt = self.receipt
        self.put(Pair(self.say("total"), _sum(receipt.total, zero=True), bold=True, double=True))
        for key, amounts in (("discounts", [one.discount for one in receipt.lines]),
                             ("markups", [one.markup for one in receipt.lines])):
            self.pairs([(key, _sum(total((one for one in amounts if one is not None), receipt.currency)))])
        paid_somehow = False
        for form in Form:
            paid = receipt.paid(form)
            if paid:
                paid_somehow = True
                self.put(Pair(self.say(FORMS[form]), _sum(paid)))
            if form is Form.CASH and receipt.change:
                self.put(Pair(self.say("received"), _sum(paid + receipt.change)))
                self.put(Pair(self.say("change"), _sum(receipt.change)))
        if not paid_somehow:
            self.put(Pair(self.say(FORMS[Form.ELECTRONIC]), _sum(receipt.paid(Form.ELECTRONIC), zero=True)))
        for one in receipt.cashless:
            self.put(Pair(f"{self.say('cashless')} {one.method}", _sum(one.amount, zero=True)))
            self.pairs([("cashless_id", one.id), ("cashless_extra", one.extra)])
        for key, amount in receipt.vat_totals().items():
            rate = vat_rates.rate(key, receipt.country)
            label = self.say("no_vat_sum") if rate.percent is None else \
                f"{self.say('vat_sum' if rate.percent else 'vat_turnover')} {rate.printed}"
            self.put(Pair(label, _sum(amount, zero=True)))
        self.rule()

    def particulars(self) -> None:
        receipt, extras = self.receipt, self.extras
        contact = "buyer_email" if "@" in receipt.contact else "buyer_phone"
        customer, more = receipt.customer, receipt.customer.details
        self.pairs([
            ("tax_system", self.say(TAX_SYSTEMS[receipt.tax_system]) if receipt.tax_system else ""),
            ("address" if self.kz else "settlement_address", receipt.settlement_address),
            ("address" if self.kz else "place", receipt.settlement_place),
            ("internet", "" if self.kz or not receipt.internet else self.say("yes")),
            ("buyer", customer.name if customer.inn or more else ""),
            ("buyer_bin" if self.kz else "buyer_inn", customer.inn)])
        if more is not None:
            self.pairs([("born", f"{more.born:%d.%m.%Y}" if more.born else ""), ("citizenship", more.citizenship),
                        ("identity_kind", more.document_kind), ("identity", more.document),
                        ("buyer_address", more.address)])
        self.pairs([
            (contact, receipt.contact), ("sender", receipt.sender_email if receipt.contact else ""),
            ("tax_site", "" if self.kz else "www.nalog.gov.ru"), ("ofd", extras.ofd_name),
            ("ofd_site", extras.ofd_site)])
        self.rule()

    def properties(self) -> None:
        """What the order adds to the document itself."""
        receipt = self.receipt
        self.pairs([*self.agent(receipt.agent), *self.supplier(receipt.supplier),
                    ("receipt_additional", receipt.additional), *self.industry(receipt.industry)])
        if receipt.operational is not None:
            one = receipt.operational
            self.pairs([("operational", f"{one.id} {one.at:%d.%m.%Y %H:%M} {one.data}")])
        if receipt.user_property is not None:
            self.put(Pair(clean(receipt.user_property.name), clean(receipt.user_property.value)))
        self.rule()

    def fiscal(self, record: FiscalRecord, qr: bool) -> None:
        prefix = "kz_" if self.kz else ""
        self.pairs([
            (f"{prefix}serial", record.register_serial), (f"{prefix}registration", record.registration_number),
            (f"{prefix}storage", record.storage_number),
            ("document", "" if self.kz else str(record.document_number)), (f"{prefix}sign", record.fiscal_sign)])
        code = self.code(record) if qr else ""
        if code:
            self.put(QrCode(code))

    def code(self, record: FiscalRecord) -> str:
        """What the QR code says. Kazakh codes are the operator's own address of the receipt (webkassa §5, TicketUrl):
        empty, and so no code, when nobody named it and the operator or what its address needs is not known."""
        if not self.kz:
            return qr_text(record)
        of = operator_of(self.extras.ofd_name)
        if record.url or of is None or of.country is not Country.KZ:
            return record.url
        return receipt_url(of, record, self.receipt.seller_inn) or ""


def _sum(money: Money | None, zero: bool = False) -> str:
    """As registers print sums; nothing for none, and for zero unless it is asked for."""
    return f"={money.plain()}" if money is not None and (money or zero) else ""


def mark_word(result: int | None) -> str:
    """``[M]``, ``[M+]`` or ``[M-]`` for the result of a check (tag 2106); an item that was not checked has ``[M]``."""
    return check_result(result).sign if result is not None else "[M]"


__all__ = ["Extras", "Look", "ReceiptWriter", "Writer", "mark_word"]
