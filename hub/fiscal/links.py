"""Tax data operators and their pages of one receipt (fiscal-domain §7, ofd-operators §2; Kazakhstan: webkassa §5).

An operator knows a receipt only after the register delivered it, so a link is given to a buyer only when the receipt
is ``confirmed``: :func:`for_buyer` is the one place that decides it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from hub.fiscal.codes import Country
from hub.fiscal.receipt import FiscalRecord
from hub.fiscal.text import Text

#: What an operator needs beside the fiscal record to name the page of a receipt.
Need = Literal["inn", "registration_number", "token"]
#: A buyer's address never gets longer than what a QR code and a letter can carry.
LONGEST = 2048


@dataclass(frozen=True, slots=True)
class Operator:
    """A tax data operator. ``template`` is filled from :func:`facts_of`; empty when no public page is known or the
    page's address is only told to the owner's token (``needs``). ``aliases`` are how registers write its name, in
    words; ``inns`` as registers and references state them (some differ, so all are kept)."""

    id: str
    name: str
    template: str
    aliases: tuple[str, ...]
    inns: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    country: Country = Country.RU
    site: str = ""

    @property
    def note(self) -> Text | None:
        """What a person has to know about its links; None when they need nothing."""
        if "token" in self.needs:
            return Text("“{name}” tells the address of a receipt only to the owner's token. The QR code on the receipt "
                        "does without it.", "«{name}» сообщает адрес чека только по токену владельца. QR-код на чеке "
                        "работает и без него.", params={"name": self.name})
        if not self.template:
            return Text("“{name}” has no known public page of a receipt. Use the QR code.",
                        "У «{name}» нет известной открытой страницы чека. Проверьте чек по QR-коду.",
                        params={"name": self.name})
        return None


_KZ_QUERY = "?i={fp}&f={rnm}&s={sum}&t={day}T{seconds}"

_OPERATORS = (
    Operator("first", "Первый ОФД",
             "https://consumer.1-ofd.ru/v1?t={day}T{seconds}&s={sum}&fn={fn}&i={fd}&fp={fp}&n={n}",
             ("первый офд", "1 ofd", "1 офд", "first ofd", "1 ofd ru", "энергетические системы и коммуникации",
              "ао эск", "эск"), ("7709364346",), site="www.1-ofd.ru"),
    Operator("platforma", "Платформа ОФД", "https://lk.platformaofd.ru/web/noauth/cheque?fn={fn}&fp={fp}&i={fd}",
             ("платформа офд", "platforma ofd", "platformaofd", "эвотор офд", "platformaofd ru"), ("9715260691",),
             site="platformaofd.ru"),
    Operator("taxcom", "Такском", "https://receipt.taxcom.ru/v01/show?fp={fp}&s={sum}",
             ("такском", "taxcom"), ("7704211201",), site="receipt.taxcom.ru"),
    Operator("ofd_ru", "OFD.RU", "https://ofd.ru/rec/{inn}/{rnm}/{fn}/{fd}/{fp}",
             ("ofd ru", "офд ру", "офд точка ру", "петер сервис", "peter service", "петер сервис спецтехнологии"),
             ("7841465198",), needs=("inn", "registration_number"), site="ofd.ru"),
    Operator("kontur", "Контур.ОФД", "https://cash.kontur.ru/CashReceipt/View/FN/{fn}/FD/{fd}/FP/{fp}",
             ("контур", "контур офд", "kontur", "скб контур", "скбконтур"), ("6663003127",), site="kontur.ru/ofd"),
    Operator("sbis", "Тензор (СБИС, Saby)", "https://ofd.sbis.ru/rec/{rnm}/{short_day}/{fp}",
             ("тензор", "сбис", "sbis", "saby", "tensor"), ("7605016030", "7605015260"),
             needs=("registration_number",), site="ofd.sbis.ru"),
    Operator("yarus", "ОФД-Я (Ярус)", "", ("офд я", "офдя", "ofd ya", "ofdya", "ярус", "yarus"), ("7728699517",),
             needs=("token",), site="ofd-ya.ru"),
    Operator("e_ofd", "е-ОФД", "https://e-ofd.ru/check?fn={fn}&fp={fp}&fd={fd}",
             ("e ofd", "е офд", "e офд", "eofd", "еофд", "e ofd ru"), site="e-ofd.ru"),
    Operator("nvg", "Эн-Ви-Джи", "https://ofd.nvg.ru/public/document?summa={sum}&fpd={fp}",
             ("nvg", "нвг", "энвиджи", "эн ви джи"), site="ofd.nvg.ru"),
    Operator("yandex", "Яндекс ОФД", "", ("яндекс", "yandex"), ("7704358518",), site="ofd.yandex.ru"),
    Operator("magnit", "Магнит ОФД", "", ("магнит", "magnit", "тандер"), site=""),
    # Kazakhstan: the address is the text of the QR code (webkassa §5, TicketUrl).
    Operator("kazakhtelecom", "Казахтелеком", "http://consumer.oofd.kz" + _KZ_QUERY,
             ("казахтелеком", "қазақтелеком", "kazakhtelecom", "oofd kz"), needs=("registration_number",),
             country=Country.KZ, site="consumer.oofd.kz"),
    Operator("transtelecom", "Транстелеком", "http://ofd1.kz/t/" + _KZ_QUERY,
             ("транстелеком", "transtelecom", "ttc", "ofd1 kz"), needs=("registration_number",), country=Country.KZ,
             site="ofd1.kz"),
    Operator("jusan", "Jusan Mobile", "", ("jusan", "жусан", "казтранском", "kaztranscom"),
             country=Country.KZ),
    Operator("wofd", "WOFD (Smartcontract)", "http://cabinet.wofd.kz/consumer" + _KZ_QUERY,
             ("wofd", "smartcontract", "смартконтракт"), needs=("registration_number",), country=Country.KZ,
             site="cabinet.wofd.kz"),
)
_BY_ID = {one.id: one for one in _OPERATORS}


def operators(country: Country | None = None) -> tuple[Operator, ...]:
    """Every operator of the reference, with what it needs; of one country when asked."""
    return tuple(one for one in _OPERATORS if country is None or one.country is country)


def operator(id: str) -> Operator | None:
    """The operator of that id."""
    return _BY_ID.get(id)


# -- whose register it is --------------------------------------------------------------------------------------------

_ALIASES = sorted(((tuple(alias.split()), one) for one in _OPERATORS for alias in one.aliases),
                  key=lambda pair: (-len(" ".join(pair[0])), pair[1].id))


def operator_of(stated: str) -> Operator | None:
    """The operator that a register names: by INN when one stands in the text, else by name, site or host in any
    case, quotes and legal form. None when no operator is named, or two different ones are."""
    for digits in re.findall(r"(?<!\d)0{0,2}(\d{10})(?!\d)", stated):
        for one in _OPERATORS:
            if digits in one.inns:
                return one
    words = tuple(re.findall(r"\w+", stated.casefold().replace("ё", "е").replace("_", " ")))
    named: set[str] = set()
    taken: set[int] = set()
    for alias, one in _ALIASES:
        # Longest names first: what is part of a longer one ("ofd ru" in "1 ofd ru") is not looked at again.
        for at in range(len(words) - len(alias) + 1):
            place = set(range(at, at + len(alias)))
            if words[at:at + len(alias)] == alias and not place & taken:
                named.add(one.id)
                taken |= place
    return _BY_ID[named.pop()] if len(named) == 1 else None


# -- links -----------------------------------------------------------------------------------------------------------


def facts_of(record: FiscalRecord, inn: str = "") -> dict[str, str]:
    """What templates are filled with, escaped for an address. Times are the register's own, as on paper."""
    at = record.printed_at
    facts = {"fn": record.storage_number, "fd": str(record.document_number), "fp": record.fiscal_sign,
             "sum": record.total.plain(), "n": str(record.kind.value), "rnm": record.registration_number.strip(),
             "inn": inn.strip(), "day": f"{at:%Y%m%d}", "short_day": f"{at:%d%m%y}", "seconds": f"{at:%H%M%S}"}
    return {name: quote(value, safe=".") for name, value in facts.items()}


def receipt_url(of: Operator, record: FiscalRecord, inn: str = "") -> str | None:
    """The operator's page of a receipt; None when it has none, wants the owner's token, or a fact it needs lacks.

    ``inn`` is the seller's. Whether a buyer may have the link yet is :func:`for_buyer`'s to say.
    """
    if not of.template:
        return None
    facts = facts_of(record, inn)
    if any(not facts[name] for name in re.findall(r"{(\w+)}", of.template)):
        return None
    return of.template.format_map(facts)


def safe(url: str) -> str:
    """``url`` when it is a plain web address that may stand in a page; else an empty text."""
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > LONGEST:
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc else ""


def for_buyer(state: str, record: FiscalRecord | None, ofd: str = "", inn: str = "") -> str:
    """The operator's page for a buyer: only of a ``confirmed`` receipt; before that, and without one, ``""``.

    A page that the cloud or the operator itself named wins over the template. ``ofd`` is the operator's name or INN
    as the register states it, ``inn`` the seller's.
    """
    if state != "confirmed" or record is None:
        return ""
    named = safe(record.url)
    if named:
        return named
    of = operator_of(ofd)
    return (receipt_url(of, record, inn) or "") if of is not None else ""


# -- the operator that wants the owner's token -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """An authorised request for a receipt's page, as data; whoever sends it sets the timeout and keeps the token
    out of logs."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


def link_request(of: Operator, record: FiscalRecord, token: str) -> LinkRequest:
    """What to ask an operator that :attr:`Operator.needs` a token (ofd-operators §2.5, getChequeLink).

    ``ValueError`` for an operator that needs none, and without a token.
    """
    if "token" not in of.needs:
        raise ValueError(f"{of.name} needs no token for its links")
    if not token.strip():
        raise ValueError(f"{of.name} needs the owner's token")
    return LinkRequest("POST", "https://api.ofd-ya.ru/ofdapi/v1/getChequeLink", {"Ofdapitoken": token.strip()},
                       {"fiscalDocumentNumber": record.document_number, "fiscalDriveNumber": record.storage_number})


def read_link(answer: Any) -> str:
    """The address in the answer to :func:`link_request`; empty when the operator does not know the receipt yet."""
    link = answer.get("link") if isinstance(answer, Mapping) else None
    return safe(link) if isinstance(link, str) else ""


__all__ = ["LinkRequest", "Operator", "facts_of", "for_buyer", "link_request", "operator", "operator_of", "operators",
           "read_link", "receipt_url", "safe"]
