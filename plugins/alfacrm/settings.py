"""Settings of the AlfaCRM source: the CRM's own register integration has the same ones (alfacrm.md §4.1), and more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub_plugins.alfacrm import values
from hub_plugins.alfacrm.rules import GOODS_TYPE, HEADER, cashier, origin
from marshmallow import ValidationError, fields, validate, validates_schema

from hub.contracts import PluginSettings, Text, setting
from hub.contracts.outgoing import url_problem
from hub.fiscal.taxid import inn_is_valid

ACCOUNT = Text("Account", "Аккаунт")
PAYMENTS = Text("Which payments become receipts", "Какие платежи становятся чеками")
RECEIPT = Text("Receipt", "Чек")
BACK = Text("Result back to AlfaCRM", "Результат в АльфаCRM")

FORMS = {"cash": Text("Cash", "Наличные"), "electronic": Text("Electronic", "Электронно"),
         "skip": Text("No receipt from here", "Чек не нужен")}
SUBJECTS = {"service": Text("Service", "Услуга"), "goods": Text("Goods", "Товар"), "other": Text("Other", "Иное")}
#: What an article of income says: no receipt, or how the money stands to what is paid for (tag 1214).
ITEMS = {"skip": Text("No receipt", "Чек не нужен"), "full": Text("Full payment", "Полный расчёт"),
         "prepayment": Text("Full prepayment", "Предоплата 100 %"), "part": Text("Part prepayment", "Предоплата"),
         "advance": Text("Advance", "Аванс")}


def _wrong(en: str, ru: str, **params: Any) -> ValidationError:
    return ValidationError([Text(en, ru, params=params)])


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
        if line.strip() and not HEADER.fullmatch(line.strip()):
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


def _url(value: str) -> None:
    if value.strip() and (problem := url_problem(value.strip())):
        raise ValidationError([problem])


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
    companies = setting(fields.List(fields.Integer(validate=validate.Range(1)), load_default=()), group=ACCOUNT,
                        advanced=True, label=Text("Legal entities of AlfaCRM", "Юрлица АльфаCRM"),
                        help=Text("Numbers of the school's own legal entities (company_id of a student's card). Only "
                                  "their students' payments are taken; empty means all. For a school of several legal "
                                  "entities make one connection each.",
                                  "Номера юрлиц школы (company_id в карточке ученика). Берутся платежи только их "
                                  "учеников; пусто — все. Если юрлиц несколько, сделайте подключение на каждое."))
    registers = setting(fields.Dict(keys=_ID, values=fields.String(validate=validate.Length(1, 64)), load_default={}),
                        group=ACCOUNT, example="2 = 00106900000017", advanced=True,
                        label=Text("Registers by branch", "Кассы по филиалам"),
                        help=Text("Number of the branch = serial number of the register that prints its payments. "
                                  "Other branches: any register of the queue.",
                                  "Номер филиала = заводской номер кассы, которая печатает его платежи. Остальные "
                                  "филиалы — любая касса очереди."))
    zone = setting(fields.String(load_default="", validate=_zone), group=ACCOUNT, example="Europe/Moscow",
                   label=Text("Time zone of the account", "Часовой пояс аккаунта"),
                   help=Text("Empty means the organisation's.", "Пусто — как у организации."), advanced=True)
    extra_headers = setting(fields.String(load_default="", validate=_headers), group=ACCOUNT, secret=True,
                            multiline=True, example="X-APP-KEY: …", advanced=True,
                            label=Text("Extra headers", "Дополнительные заголовки"),
                            help=Text("Only if AlfaCRM's support asked for them, one a line.",
                                      "Только если их назвала поддержка АльфаCRM, по одному в строке."))
    read_pause_ms = setting(fields.Integer(load_default=260, validate=validate.Range(0, 5000)), group=ACCOUNT,
                            advanced=True, label=Text("Pause between reads, ms", "Пауза между чтениями, мс"))
    poll_seconds = setting(fields.Integer(load_default=300, validate=validate.Range(10, 3600)), group=ACCOUNT,
                           advanced=True, label=Text("Look for payments every … seconds",
                                                     "Искать платежи каждые … секунд"),
                           help=Text("AlfaCRM sends each webhook once. What did not arrive is found by looking.",
                                     "АльфаCRM отправляет вебхук один раз. Что не дошло, хаб находит сам."))
    write_pause_ms = setting(fields.Integer(load_default=1000, validate=validate.Range(0, 10000)), group=ACCOUNT,
                             advanced=True, label=Text("Pause after a write, ms", "Пауза после записи, мс"))

    sending = setting(fields.String(load_default="auto"), group=PAYMENTS,
                      label=Text("Who sends a payment to the register", "Кто отправляет платёж на кассу"),
                      help=Text("When you change from yourself to the hub, it also takes the payments of the last days "
                                "that you have not sent. If they need no receipt, let “Payments from this day on” "
                                "begin today.",
                                "Если переключить с «Я сам» на «Хаб», он возьмёт и платежи последних дней, которые вы "
                                "не отправили. Если чек им не нужен, поставьте в «Платежи начиная с этого дня» "
                                "сегодняшнее число."), choices={
                          "auto": Text("The hub, by the rules below", "Хаб, по правилам ниже"),
                          "by_hand": Text("I do, from the page of payments", "Я сам, со страницы платежей")})
    sale_types = setting(fields.List(fields.Integer(), load_default=(1, GOODS_TYPE)), group=PAYMENTS,
                         label=Text("Payment types that are sales", "Типы платежей: приход"),
                         help=Text("1 is income, 9 a sale of goods.", "1 — доход, 9 — продажа товара."))
    return_types = setting(fields.List(fields.Integer(), load_default=(5,)), group=PAYMENTS,
                           label=Text("Payment types that are returns", "Типы платежей: возврат прихода"),
                           help=Text("5 is a refund.", "5 — возврат денег."))
    corrections = setting(fields.String(load_default="ask"), group=PAYMENTS,
                          label=Text("Corrections (type 6)", "Корректировки (тип 6)"),
                          choices={"ask": Text("Ask me about each", "Спрашивать про каждую"),
                                   "return": Text("Below zero: a return. Others: ask me",
                                                  "Со знаком минус — возврат прихода, про остальные спрашивать"),
                                   "ignore": Text("No receipt", "Без чека")})
    type_forms = setting(fields.Dict(keys=_ID, values=fields.String(validate=validate.OneOf(list(FORMS))),
                                     load_default={}), group=PAYMENTS, example="9 = cash", advanced=True,
                         label=Text("Cash or electronic by payment type", "Наличные или электронно по типу платежа"),
                         help=Text("Number of the payment type = cash, electronic or skip. A pay account's word counts "
                                   "for more.", "Номер типа платежа = cash, electronic или skip. Слово кассы важнее."))
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
    items = setting(fields.Dict(keys=_ID, values=fields.String(validate=validate.OneOf(list(ITEMS))),
                                load_default={}), group=PAYMENTS, example="7 = skip",
                    label=Text("Articles", "Статьи"),
                    help=Text("Number of the article of income = skip (no receipt), full (full payment), prepayment "
                              "(100 %), part (part prepayment) or advance. Others: as set under “Receipt”.",
                              "Номер статьи = skip (чек не нужен), full (полный расчёт), prepayment (предоплата "
                              "100 %), part (предоплата) или advance (аванс). Остальные — как задано в «Чеке»."))
    bank_payments = setting(fields.String(load_default="skip"), group=PAYMENTS,
                            label=Text("Payments that an acquiring integration entered",
                                       "Платежи, занесённые интеграцией эквайринга"), choices={
                                "skip": Text("The bank prints: no receipt from here", "Чек печатает банк: здесь не "
                                             "нужен"), "print": Text("The hub prints", "Чек печатает хаб")},
                            help=Text("They are known by the bank's order number in the field below.",
                                      "Хаб узнаёт их по номеру заказа банка в поле ниже."))
    bank_field = setting(fields.String(load_default="custom_md_order", validate=_field_name), group=PAYMENTS,
                         advanced=True, label=Text("Payment field of the bank's order number",
                                                   "Поле платежа: номер заказа банка"))
    start_date = setting(fields.String(load_default="", validate=_day), group=PAYMENTS, example="01.10.2026",
                         label=Text("Payments from this day on", "Платежи начиная с этого дня"),
                         help=Text("Older payments get no receipt. Empty means the day of connecting.",
                                   "По более старым чеки не печатаются. Пусто — день подключения."))

    vat = setting(fields.String(load_default=""), group=RECEIPT, label=Text("VAT", "НДС"), choices={
        "": Text("As the organisation", "Как у организации"), "none": Text("Without VAT", "Без НДС"),
        "vat0": Text("0 %", "0 %"), "vat5": Text("5 %", "5 %"), "vat7": Text("7 %", "7 %"),
        "vat10": Text("10 %", "10 %"), "vat22": Text("22 %", "22 %"), "vat16": Text("16 % (KZ)", "16 % (Казахстан)")})
    tax_system = setting(fields.String(load_default=""), group=RECEIPT, label=Text("Tax system", "Режим налога"),
                         choices={"": Text("As the organisation", "Как у организации"), "osn": Text("OSN", "ОСН"),
                                  "usn_income": Text("USN, income", "УСН (доход)"),
                                  "usn_income_expense": Text("USN, income less expense", "УСН (доход-расход)"),
                                  "patent": Text("Patent", "Патент"), "eshn": Text("ESHN", "ЕСХН")})
    method = setting(fields.String(load_default=""), group=RECEIPT, advanced=True,
                     label=Text("Payment method", "Способ расчёта"),
                     choices={"": Text("As the organisation", "Как у организации"),
                              **{word: ITEMS[word] for word in ITEMS if word != "skip"}},
                     help=Text("An article may say otherwise.", "Статья может задать другой."))
    quantity = setting(fields.String(load_default="one"), group=RECEIPT, label=Text("Quantity", "Количество"),
                       choices={"one": Text("Always 1", "Всегда 1"),
                                "lessons": Text("Lessons of the subscription", "Занятия абонемента"),
                                "field": Text("A field of the payment", "Поле платежа")},
                       help=Text("The sum is shared out to the kopeck. Where no number is known it is 1.",
                                 "Сумма делится до копейки. Где числа нет — 1."))
    quantity_field = setting(fields.String(load_default="", validate=_field_name), group=RECEIPT, advanced=True,
                             example="lessons", label=Text("Payment field of the quantity",
                                                           "Поле платежа: количество"))
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

    success_url = setting(fields.String(load_default="", validate=_url), group=BACK, advanced=True,
                          label=Text("Success address", "Success url"),
                          help=Text("Gets a POST for each printed receipt. Empty: nobody.",
                                    "Сюда хаб отправит POST о каждом пробитом чеке. Пусто — никуда."))
    failure_url = setting(fields.String(load_default="", validate=_url), group=BACK, advanced=True,
                          label=Text("Failure address", "Failure url"),
                          help=Text("The same for receipts that came to nothing.", "То же о чеках, которые не вышли."))

    @validates_schema(skip_on_field_errors=True)
    def _types_apart(self, data: Mapping[str, Any], **_: Any) -> None:
        both = sorted(set(data["sale_types"]) & set(data["return_types"]))
        if both:
            raise ValidationError({"return_types": [Text("Type {type} cannot be both a sale and a return.",
                                                         "Тип {type} не может быть и приходом, и возвратом.",
                                                         params={"type": both[0]})]})

    @validates_schema(skip_on_field_errors=True)
    def _quantity_named(self, data: Mapping[str, Any], **_: Any) -> None:
        if data["quantity"] == "field" and not data["quantity_field"].strip():
            raise ValidationError({"quantity_field": [Text("Name the payment field that holds the quantity.",
                                                           "Назовите поле платежа, в котором стоит количество.")]})
