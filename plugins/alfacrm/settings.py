"""Settings of the AlfaCRM source, and the same settings as typed rules for the code."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub_plugins.alfacrm import values
from marshmallow import ValidationError, fields, validate, validates_schema

from hub.contracts import PluginSettings, Text, describe, setting
from hub.fiscal import Cashier, Form, Kind, Subject
from hub.fiscal.taxid import inn_is_valid

ACCOUNT = Text("Account", "Аккаунт")
PAYMENTS = Text("Which payments become receipts", "Какие платежи становятся чеками")
RECEIPT = Text("Receipt", "Чек")
BACK = Text("Result back to AlfaCRM", "Результат в АльфаCRM")

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*", re.I)
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?", re.I)
_HEADER = re.compile(r"([A-Za-z0-9-]{1,64})\s*:\s*(\S.*)")

FORMS = {"cash": Text("Cash", "Наличные"), "electronic": Text("Electronic", "Электронно"),
         "skip": Text("No receipt from here", "Чек не нужен")}
SUBJECTS = {"service": Text("Service", "Услуга"), "goods": Text("Goods", "Товар"), "other": Text("Other", "Иное")}
_SUBJECT = {"service": Subject.SERVICE, "goods": Subject.COMMODITY, "other": Subject.ANOTHER}
#: Payment type of a sale of goods (§2.6).
GOODS_TYPE = 9
CORRECTION_TYPE = 6


def _wrong(en: str, ru: str, **params: Any) -> ValidationError:
    return ValidationError([Text(en, ru, params=params)])


def origin(host: str) -> str:
    """``https://school.s20.online`` from ``school``, ``school.s20.online`` or any address copied from the browser
    (§1). ``http://`` is kept; :func:`_host` lets it pass for simulators only. Raises ValueError when it is no host."""
    words = host.strip()
    scheme, mark, rest = words.partition("://")
    if mark and scheme.lower() in ("http", "https"):
        name = urlsplit(words).netloc.rpartition("@")[2]
        scheme = scheme.lower()
    else:
        name, scheme = words.partition("/")[0], "https"
    if _NAME.fullmatch(name) and not mark:
        name += ".s20.online"
    if not _HOST.fullmatch(name) or (mark and not rest):
        raise ValueError(host)
    return f"{scheme}://{name.lower()}"


def _host(value: str) -> None:
    try:
        found = origin(value)
    except ValueError:
        raise _wrong("This is no AlfaCRM address. Copy it from the browser, like school.s20.online.",
                     "Это не адрес АльфаCRM. Скопируйте его из браузера, например school.s20.online.") from None
    if found.startswith("http://") and not _near(urlsplit(found).hostname or ""):
        raise _wrong("The API key must not travel unencrypted: use https.",
                     "Ключ API нельзя передавать без шифрования: укажите https.")


def _near(host: str) -> bool:
    """Whether a host is on this machine or network, where a simulator may be: names without a dot, private numbers."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host


def _headers(value: str) -> None:
    for line in value.splitlines():
        if line.strip() and not _HEADER.fullmatch(line.strip()):
            raise _wrong("One header a line, like X-APP-KEY: value.", "По заголовку в строке: X-APP-KEY: значение.")


def _zone(value: str) -> None:
    try:
        if value:
            ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise _wrong("There is no time zone of that name. Example: Europe/Moscow.",
                     "Такого часового пояса нет. Пример: Europe/Moscow.") from None


def _day(value: str) -> None:
    if value and values.day(value) is None:
        raise _wrong("Write the date as DD.MM.YYYY.", "Укажите дату в виде ДД.ММ.ГГГГ.")


def _field_name(value: str) -> None:
    if value and not re.fullmatch(r"[A-Za-z0-9_]{1,64}", value):
        raise _wrong("Latin letters, digits and the low line only.", "Только латинские буквы, цифры и подчёркивание.")


def _cashier(value: str) -> None:
    found = cashier(value)
    if not found.name:
        raise _wrong("Write the cashier's full name, then the INN after a comma.",
                     "Напишите ФИО кассира, затем через запятую ИНН.")
    if found.inn and not inn_is_valid(found.inn):
        raise _wrong("The INN {inn} has a wrong check digit.", "В ИНН {inn} не сходится контрольная цифра.",
                     inn=found.inn)


def cashier(words: str) -> Cashier:
    """``"Иванова Мария, 500100732259"`` as a cashier; the INN may be missing."""
    head, _, tail = (part.strip() for part in words.replace(";", ",").rpartition(","))
    return Cashier(head, tail) if head and tail.isdigit() else Cashier(words.strip().strip(","))


_ID = fields.String(validate=validate.Regexp(r"\s*\d+\s*", error="a number"))


class AlfaCrmSettings(PluginSettings):
    """What the owner sets; the fields of the CRM's own register integration are all here (alfacrm.md §4.1)."""

    host = setting(fields.String(required=True, validate=_host), group=ACCOUNT, example="school.s20.online",
                   label=Text("Address of AlfaCRM", "Адрес АльфаCRM"),
                   help=Text("As in the browser's address bar.", "Как в адресной строке браузера."))
    email = setting(fields.String(required=True, validate=validate.Length(3, 200)), group=ACCOUNT,
                    example="api@school.ru", label=Text("E-mail of the API user", "Почта пользователя API"),
                    help=Text("A CRM user of its own for the hub is best.",
                              "Лучше завести для хаба отдельного пользователя CRM."))
    api_key = setting(fields.String(required=True, validate=validate.Length(8, 200)), group=ACCOUNT, secret=True,
                      label=Text("API key (v2)", "Ключ API (v2)"))
    branches = setting(fields.List(fields.Integer(validate=validate.Range(1)), load_default=()), group=ACCOUNT,
                       example="1, 2", label=Text("Branches", "Филиалы"),
                       help=Text("Branch numbers; empty means all that the API user sees.",
                                 "Номера филиалов; пусто — все, что видит пользователь API."))
    zone = setting(fields.String(load_default="", validate=_zone), group=ACCOUNT, example="Europe/Moscow",
                   label=Text("Time zone of the account", "Часовой пояс аккаунта"),
                   help=Text("Empty means the organisation's.", "Пусто — как у организации."), advanced=True)
    extra_headers = setting(fields.String(load_default="", validate=_headers), group=ACCOUNT, secret=True,
                            multiline=True, example="X-APP-KEY: …", advanced=True,
                            label=Text("Extra headers", "Дополнительные заголовки"),
                            help=Text("Only if AlfaCRM's support asked for them, one a line.",
                                      "Только если их назвала поддержка АльфаCRM, по одному в строке."))
    read_pause_ms = setting(fields.Integer(load_default=300, validate=validate.Range(0, 5000)), group=ACCOUNT,
                            advanced=True, label=Text("Pause between reads, ms", "Пауза между чтениями, мс"))
    poll_seconds = setting(fields.Integer(load_default=300, validate=validate.Range(10, 3600)), group=ACCOUNT,
                           advanced=True, label=Text("Look for payments every … seconds",
                                                     "Искать платежи каждые … секунд"),
                           help=Text("AlfaCRM sends each webhook once. What did not arrive is found by looking.",
                                     "АльфаCRM отправляет вебхук один раз. Что не дошло, хаб находит сам."))
    write_pause_ms = setting(fields.Integer(load_default=1000, validate=validate.Range(0, 10000)), group=ACCOUNT,
                             advanced=True, label=Text("Pause after a write, ms", "Пауза после записи, мс"))

    sale_types = setting(fields.List(fields.Integer(), load_default=(1, GOODS_TYPE)), group=PAYMENTS,
                         label=Text("Payment types that are sales", "Типы платежей: приход"),
                         help=Text("1 is income, 9 a sale of goods.", "1 — доход, 9 — продажа товара."))
    return_types = setting(fields.List(fields.Integer(), load_default=(5,)), group=PAYMENTS,
                           label=Text("Payment types that are returns", "Типы платежей: возврат прихода"),
                           help=Text("5 is a refund.", "5 — возврат денег."))
    corrections = setting(fields.String(load_default="ask"), group=PAYMENTS,
                          label=Text("Corrections (type 6)", "Корректировки (тип 6)"),
                          choices={"ask": Text("Ask me about each", "Спрашивать про каждую"),
                                   "ignore": Text("No receipt", "Без чека")})
    accounts = setting(fields.Dict(keys=_ID, values=fields.String(validate=validate.OneOf(list(FORMS))),
                                   load_default={}), group=PAYMENTS, example="2 = cash",
                       label=Text("Pay accounts", "Кассы и счета"),
                       help=Text("Number of the account in AlfaCRM = cash, electronic or skip (printed elsewhere). "
                                 "The connection test lists the numbers.",
                                 "Номер кассы в АльфаCRM = cash (наличные), electronic (электронно) или skip (чек "
                                 "печатает кто-то другой). Номера покажет проверка связи."))
    other_accounts = setting(fields.String(load_default="electronic"), group=PAYMENTS, choices=FORMS,
                             label=Text("All other accounts", "Остальные кассы и счета"))
    only_confirmed = setting(fields.Boolean(load_default=True), group=PAYMENTS,
                             label=Text("Only confirmed payments", "Только подтверждённые платежи"))
    start_date = setting(fields.String(load_default="", validate=_day), group=PAYMENTS, example="01.10.2026",
                         label=Text("Payments from this day on", "Платежи начиная с этого дня"),
                         help=Text("Older payments get no receipt. Empty means the day of connecting.",
                                   "По более старым чеки не печатаются. Пусто — день подключения."))

    vat = setting(fields.String(load_default=""), group=RECEIPT, label=Text("VAT", "НДС"), choices={
        "": Text("As the organisation", "Как у организации"), "none": Text("Without VAT", "Без НДС"),
        "vat0": Text("0 %", "0 %"), "vat5": Text("5 %", "5 %"), "vat7": Text("7 %", "7 %"),
        "vat10": Text("10 %", "10 %"), "vat22": Text("22 %", "22 %"), "vat16": Text("16 % (KZ)", "16 % (Казахстан)")})
    subject = setting(fields.String(load_default="service"), group=RECEIPT, choices=SUBJECTS,
                      label=Text("Payment object", "Предмет расчёта"),
                      help=Text("Sales of goods (type 9) are always goods.", "Продажа товара (тип 9) — всегда товар."))
    settlement_place = setting(fields.String(load_default="", validate=validate.Length(max=256)), group=RECEIPT,
                               example="school.ru", label=Text("Place of settlement", "Место расчётов"))
    paper = setting(fields.String(load_default=""), group=RECEIPT, label=Text("Print", "Печать чека"), choices={
        "": Text("As the organisation", "Как у организации"), "paper": Text("On paper", "Печатать"),
        "electronic": Text("Electronic only", "Только электронный")})
    cashiers = setting(fields.Dict(keys=_ID, values=fields.String(validate=_cashier), load_default={}),
                       group=RECEIPT, example="2 = Иванова Мария Петровна, 500100732259",
                       label=Text("Cashiers", "Кассиры"),
                       help=Text("Number of the CRM user = full name, INN. Others: the organisation's cashier.",
                                 "Номер пользователя CRM = ФИО, ИНН. Остальные — кассир организации."))

    state_field = setting(fields.String(load_default="custom_kkt_status", validate=_field_name), group=BACK,
                          label=Text("Payment field for the state", "Поле платежа: состояние чека"))
    url_field = setting(fields.String(load_default="custom_kkt_url", validate=_field_name), group=BACK,
                        label=Text("Payment field for the link", "Поле платежа: ссылка на чек"))
    record_field = setting(fields.String(load_default="custom_kkt_fd", validate=_field_name), group=BACK,
                           label=Text("Payment field for the fiscal document", "Поле платежа: ФД, ФН, ФП"))
    write_note = setting(fields.Boolean(load_default=True), group=BACK,
                         label=Text("Without such fields write to the note",
                                    "Если таких полей нет, писать в комментарий"))

    @validates_schema(skip_on_field_errors=True)
    def _types_apart(self, data: Mapping[str, Any], **_: Any) -> None:
        both = sorted(set(data["sale_types"]) & set(data["return_types"]))
        if both:
            raise ValidationError({"return_types": [Text("Type {type} cannot be both a sale and a return.",
                                                         "Тип {type} не может быть и приходом, и возвратом.",
                                                         params={"type": both[0]})]})


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings, typed. ``start`` None means the day of connecting; field names carry their ``custom_``."""

    origin: str
    email: str
    api_key: str
    branches: tuple[int, ...]
    zone: ZoneInfo
    headers: Mapping[str, str]
    read_pause: float
    write_pause: float
    poll_seconds: int
    kinds: Mapping[int, Kind]
    ignore_corrections: bool
    accounts: Mapping[int, str]
    other_accounts: str
    only_confirmed: bool
    start: date | None
    vat: str
    subject: Subject
    settlement_place: str
    electronic_only: bool | None
    cashiers: Mapping[int, Cashier]
    state_field: str
    url_field: str
    record_field: str
    write_note: bool

    @classmethod
    def read(cls, settings: Mapping[str, Any], zone: str) -> Rules:
        """From validated settings; ``zone`` is the organisation's, for accounts that name none."""
        data = {**_defaults(), **settings}
        kinds = dict.fromkeys(values.ids(data["sale_types"]), Kind.SALE)
        kinds |= dict.fromkeys(values.ids(data["return_types"]), Kind.SALE_RETURN)
        headers = (_HEADER.fullmatch(line.strip()) for line in data["extra_headers"].splitlines())
        return cls(
            origin=origin(data["host"]), email=data["email"].strip(), api_key=data["api_key"].strip(),
            branches=tuple(dict.fromkeys(values.ids(data["branches"]))), zone=ZoneInfo(data["zone"] or zone),
            headers={found[1]: found[2] for found in headers if found},
            read_pause=data["read_pause_ms"] / 1000, write_pause=data["write_pause_ms"] / 1000, kinds=kinds,
            poll_seconds=data["poll_seconds"],
            ignore_corrections=data["corrections"] == "ignore",
            accounts={int(number): form for number, form in data["accounts"].items()},
            other_accounts=data["other_accounts"], only_confirmed=data["only_confirmed"],
            start=values.day(data["start_date"]), vat=data["vat"], subject=_SUBJECT[data["subject"]],
            settlement_place=data["settlement_place"].strip(),
            electronic_only={"paper": False, "electronic": True}.get(data["paper"]),
            cashiers={int(number): cashier(words) for number, words in data["cashiers"].items()},
            state_field=_custom(data["state_field"]), url_field=_custom(data["url_field"]),
            record_field=_custom(data["record_field"]), write_note=data["write_note"])

    @property
    def own_fields(self) -> frozenset[str]:
        """The payment fields that only the hub writes."""
        return frozenset(name for name in (self.state_field, self.url_field, self.record_field) if name)

    @property
    def polled_types(self) -> tuple[int, ...]:
        """Payment types to list one by one, because the unfiltered list hides some (§2.6)."""
        asked = set() if self.ignore_corrections else {CORRECTION_TYPE}
        return tuple(sorted({*self.kinds, *asked}))

    @property
    def choice(self) -> str:
        """Changes when the rules change by which payments get receipts."""
        said = (self.branches, sorted((number, kind.name) for number, kind in self.kinds.items()),
                self.ignore_corrections, sorted(self.accounts.items()), self.other_accounts, self.only_confirmed,
                self.start)
        return hashlib.sha256(repr(said).encode()).hexdigest()[:12]

    def form(self, account: int | None) -> Form | None:
        """How money on that account was paid; None means no receipt from here."""
        word = self.accounts.get(account, self.other_accounts) if account is not None else self.other_accounts
        return {"cash": Form.CASH, "electronic": Form.ELECTRONIC}.get(word)


@cache
def _defaults() -> dict[str, Any]:
    return {spec.name: spec.default for spec in describe(AlfaCrmSettings)}


def _custom(name: str) -> str:
    name = name.strip()
    return name if not name or name.startswith("custom_") else f"custom_{name}"
