"""The AlfaCRM source's settings, typed: what the code asks instead of a dictionary."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from hub_plugins.alfacrm import values

from hub.contracts import PluginSettings, describe
from hub.fiscal import Cashier, Form, Kind, Method, Subject, TaxSystem

#: Payment types of §2.6 that mean something by themselves.
GOODS_TYPE, CORRECTION_TYPE = 9, 6

NAME = re.compile(r"[a-z0-9][a-z0-9-]*", re.I)
HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?", re.I)
HEADER = re.compile(r"([A-Za-z0-9-]{1,64})\s*:\s*(\S.*)")

_SUBJECT = {"service": Subject.SERVICE, "goods": Subject.COMMODITY, "other": Subject.ANOTHER}
_FORM = {"cash": Form.CASH, "electronic": Form.ELECTRONIC}
TAX_SYSTEMS = {"osn": TaxSystem.OSN, "usn_income": TaxSystem.USN_INCOME,
               "usn_income_expense": TaxSystem.USN_INCOME_EXPENSE, "eshn": TaxSystem.ESHN, "patent": TaxSystem.PATENT}
METHODS = {"full": Method.FULL_PAYMENT, "prepayment": Method.FULL_PREPAYMENT, "part": Method.PREPAYMENT,
           "advance": Method.ADVANCE}


def origin(host: str) -> str:
    """``https://school.s20.online`` from ``school``, ``school.s20.online`` or any address copied from the browser
    (§1). ``http://`` is kept; the settings let it pass for simulators only. Raises ValueError when it is no host."""
    words = host.strip()
    scheme, mark, rest = words.partition("://")
    if mark and scheme.lower() in ("http", "https"):
        name = urlsplit(words).netloc.rpartition("@")[2]
        scheme = scheme.lower()
    else:
        name, scheme = words.partition("/")[0], "https"
    if NAME.fullmatch(name) and not mark:
        name += ".s20.online"
    if not HOST.fullmatch(name) or (mark and not rest):
        raise ValueError(host)
    return f"{scheme}://{name.lower()}"


def cashier(words: str) -> Cashier:
    """``"Иванова Мария, 500100732259"`` as a cashier; the INN may be missing."""
    head, _, tail = (part.strip() for part in words.replace(";", ",").rpartition(","))
    return Cashier(head, tail) if head and tail.isdigit() else Cashier(words.strip().strip(","))


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings, typed. ``start`` None means the day of connecting; field names carry their ``custom_``."""

    origin: str
    email: str
    api_key: str
    branches: tuple[int, ...]
    companies: frozenset[int]
    registers: Mapping[int, str]
    zone: ZoneInfo
    headers: Mapping[str, str]
    read_pause: float
    write_pause: float
    poll_seconds: int
    by_hand: bool
    kinds: Mapping[int, Kind]
    corrections: str
    type_forms: Mapping[int, str]
    accounts: Mapping[int, str]
    other_accounts: str
    items: Mapping[int, str]
    item_methods: Mapping[int, Method]
    only_confirmed: bool
    bank_field: str
    bank_prints: bool
    start: date | None
    vat: str
    tax_system: TaxSystem | None
    subject: Subject
    method: Method | None
    quantity: str
    quantity_field: str
    settlement_place: str
    electronic_only: bool | None
    cashiers: Mapping[int, Cashier]
    state_field: str
    url_field: str
    record_field: str
    write_note: bool
    success_url: str
    failure_url: str

    @classmethod
    def read(cls, schema: type[PluginSettings], settings: Mapping[str, Any], zone: str) -> Rules:
        """From validated settings; ``zone`` is the organisation's, for accounts that name none."""
        data = {**_defaults(schema), **settings}
        kinds = dict.fromkeys(values.ids(data["sale_types"]), Kind.SALE)
        kinds |= dict.fromkeys(values.ids(data["return_types"]), Kind.SALE_RETURN)
        headers = (HEADER.fullmatch(line.strip()) for line in data["extra_headers"].splitlines())
        return cls(
            origin=origin(data["host"]), email=data["email"].strip(), api_key=data["api_key"].strip(),
            branches=tuple(dict.fromkeys(values.ids(data["branches"]))),
            companies=frozenset(values.ids(data["companies"])), registers=_numbered(data["registers"]),
            zone=ZoneInfo(data["zone"] or zone), headers={found[1]: found[2] for found in headers if found},
            read_pause=data["read_pause_ms"] / 1000, write_pause=data["write_pause_ms"] / 1000,
            poll_seconds=data["poll_seconds"], by_hand=data["sending"] == "by_hand", kinds=kinds,
            corrections=data["corrections"], type_forms=_numbered(data["type_forms"]),
            accounts=_numbered(data["accounts"]), other_accounts=data["other_accounts"],
            items=_numbered(data["items"]),
            item_methods={number: METHODS[word] for number, word in _numbered(data["items"]).items()
                          if word in METHODS},
            only_confirmed=data["only_confirmed"], bank_field=custom(data["bank_field"]),
            bank_prints=data["bank_payments"] == "skip", start=values.day(data["start_date"]), vat=data["vat"],
            tax_system=TAX_SYSTEMS.get(data["tax_system"]), subject=_SUBJECT[data["subject"]],
            method=METHODS.get(data["method"]), quantity=data["quantity"],
            quantity_field=custom(data["quantity_field"]).lower(),
            settlement_place=data["settlement_place"].strip(),
            electronic_only={"paper": False, "electronic": True}.get(data["paper"]),
            cashiers={number: cashier(words) for number, words in _numbered(data["cashiers"]).items()},
            state_field=custom(data["state_field"]), url_field=custom(data["url_field"]),
            record_field=custom(data["record_field"]), write_note=data["write_note"],
            success_url=data["success_url"].strip(), failure_url=data["failure_url"].strip())

    @property
    def own_fields(self) -> frozenset[str]:
        """The payment fields that only the hub writes."""
        return frozenset(name for name in (self.state_field, self.url_field, self.record_field) if name)

    @property
    def polled_types(self) -> tuple[int, ...]:
        """Payment types to list one by one, because the unfiltered list hides some (§2.6)."""
        asked = set() if self.corrections == "ignore" else {CORRECTION_TYPE}
        return tuple(sorted({*self.kinds, *asked}))

    @property
    def choice(self) -> str:
        """Changes when the rules change by which payments get receipts."""
        said = (self.branches, sorted((number, kind.name) for number, kind in self.kinds.items()),
                self.corrections, sorted(self.accounts.items()), self.other_accounts, self.only_confirmed,
                self.start, sorted(self.type_forms.items()), sorted(self.items.items()), self.by_hand,
                self.bank_field, self.bank_prints, sorted(self.companies))
        return hashlib.sha256(repr(said).encode()).hexdigest()[:12]

    def form(self, account: int | None, kind: int | None) -> Form | None:
        """How money of that payment type on that account was paid: the account's word, else the type's, else that of
        all others. None means no receipt from here."""
        word = self.accounts.get(account) if account is not None else None
        if word is None:
            word = self.type_forms.get(kind, self.other_accounts) if kind is not None else self.other_accounts
        return _FORM.get(word)


@cache
def _defaults(schema: type[PluginSettings]) -> dict[str, Any]:
    return {spec.name: spec.default for spec in describe(schema)}


def _numbered(given: Mapping[str, str]) -> dict[int, str]:
    return {int(number): word.strip() for number, word in given.items()}


def custom(name: str) -> str:
    """A payment field's system name with the prefix that the API puts before it (§4.2)."""
    name = name.strip()
    return name if not name or name.startswith("custom_") else f"custom_{name}"
