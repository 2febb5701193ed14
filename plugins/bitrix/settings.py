"""Settings of a 1C-Bitrix site: the form of the page, its validation and what the rest of the plugin reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from types import MappingProxyType

from hub_plugins.bitrix.poll_settings import (
    POLL_REGISTERS,
    POLL_RESET,
    POLL_SECONDS,
    POLL_TAX,
    POLL_URL,
    POLL_VAT,
    POLL_VERSION,
)
from marshmallow import ValidationError, fields, validate

from hub.contracts import PluginSettings, setting
from hub.fiscal import AgentSign, Country, Form, Text, verbatim
from hub.fiscal.vat import RATES

#: Registers' forms of payment that "cash" and "cashless" of the site may stand for.
FORMS = {"cash": Form.CASH, "electronic": Form.ELECTRONIC, "prepaid": Form.PREPAID, "credit": Form.CREDIT,
         "other": Form.OTHER}
_FORM_WORDS = {"cash": Text("cash", "наличными"), "electronic": Text("electronically", "безналичными"),
               "prepaid": Text("offset of a prepayment", "зачёт предоплаты"), "credit": Text("on credit", "в кредит"),
               "other": Text("in kind", "встречным предоставлением")}

#: How the site and the hub speak: which side begins, and who decides what is printed.
WAYS = {"rest": Text("REST cash register: the site prints through the hub", "касса REST: сайт печатает через хаб"),
        "poll": Text("the old application's place: the hub takes checks from the site",
                     "вместо старого приложения: хаб забирает чеки"),
        "orders": Text("by orders: the hub decides which receipts are due",
                       "по заказам: хаб сам решает, какие чеки нужны")}

#: What a pay system of the site may be besides a form of payment.
BONUS, SKIP = "bonus", "skip"
_SYSTEMS = {"cash": "cash", "наличные": "cash", "electronic": "electronic", "безналичные": "electronic",
            "prepaid": "prepaid", "предоплата": "prepaid", "credit": "credit", "кредит": "credit", "other": "other",
            "bonus": BONUS, "бонусы": BONUS, "skip": SKIP, "пропустить": SKIP}
#: The same in words.
SYSTEMS_SAID = {**_FORM_WORDS, BONUS: Text("bonuses, a discount on the goods", "бонусы, скидка на товары"),
                SKIP: Text("somebody else prints", "чек пробивает другой")}
#: What a payment before handing over means.
CHAINS = {"prepay": Text("a prepayment, settled when the goods are shipped", "предоплата, зачёт при отгрузке"),
          "once": Text("the whole sale at once (services, goods handed over on the spot)",
                       "сразу полный расчёт (услуги, выдача на месте)")}
#: Signs of an agent (tag 1222) that supplier's goods may be sold under; empty: the shop's own goods.
AGENTS = {"": Text("do not name an agent", "не указывать агента"),
          "COMMISSION_AGENT": Text("commission agent", "комиссионер"), "ATTORNEY": Text("attorney", "поверенный"),
          "ANOTHER": Text("another agent", "иной агент")}
assert all(not one or hasattr(AgentSign, one) for one in AGENTS), "the domain knows each agent's sign"

#: Codes of the operators that a site builds receipt links for (bitrix-site §3.1).
OFD = {"": Text("do not set", "не задавать"), "bx_firstofd": Text("First OFD", "Первый ОФД"),
       "bx_platformaofd": Text("Platforma OFD", "Платформа ОФД"), "bx_yarusofd": Text("Yarus", "Ярус"),
       "bx_taxcomofd": Text("Taxcom", "Такском"), "bx_ofdruofd": Text("OFD.ru", "OFD.ru"),
       "bx_tenzorofd": Text("Tensor", "Тензор"), "bx_conturofd": Text("Kontur", "Контур")}

#: The rates that may be matched. The calculated ones (22/122) follow from the payment method, so they are not offered.
DIRECT = tuple(dict.fromkeys(one.key for one in RATES if not one.calculated))


def _rate_name(key: str) -> Text:
    """A rate as people call it; with the country where only that one has it, and its years when they are over."""
    if key == "none":
        return Text("without VAT", "без НДС")
    mine = [one for one in RATES if one.key == key]
    words = f"{mine[0].percent} %"
    over = f" (–{max(one.until for one in mine).year})" if all(one.until != date.max for one in mine) else ""
    if all(one.country is Country.KZ for one in mine):
        return Text(f"{words} (KZ){over}", f"{words} (Казахстан){over}")
    return Text(f"{words}{over}", f"{words}{over}")
_WITHOUT = ("none", "no", "без ндс", "без", "нет")
_WEBHOOK = re.compile(r"https?://[^/\s?#]+/rest/[0-9]+/[A-Za-z0-9]+/?")
_LINE = re.compile(r"([0-9]{1,9})\s*[=:]\s*(.+)")

UNREADABLE = Text("Line {line}, “{words}”: write the number of the rate, an equals sign and one of: {rates}.",
                  "Строка {line}, «{words}»: напишите номер ставки, знак равенства и одно из: {rates}.")
TWICE = Text("Line {line}: rate no. {vat} is matched twice. Leave one of the lines.",
             "Строка {line}: ставка № {vat} сопоставлена дважды. Оставьте одну строку.")


@lru_cache(maxsize=256)
def vat_table(lines: str) -> Mapping[str, str]:
    """``{"2": "vat22"}`` from lines like ``2 = vat22``, ``3 = 10%`` or ``1 = без НДС``; ``#`` begins a remark.

    Raises marshmallow's ValidationError with a sentence for each line that cannot be read.
    """
    table: dict[str, str] = {}
    wrong: list[Text] = []
    for number, line in enumerate(lines.splitlines(), 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        found = _LINE.fullmatch(line)
        key = rate_key(found[2]) if found else None
        if found is None or key is None:
            wrong.append(UNREADABLE.with_(line=number, words=verbatim(line[:60]), rates=", ".join(DIRECT)))
        elif table.setdefault(str(int(found[1])), key) != key:
            wrong.append(TWICE.with_(line=number, vat=found[1]))
    if wrong:
        raise ValidationError(list(wrong))
    return MappingProxyType(table)


def rate_key(words: str) -> str | None:
    """The rate that somebody means by ``vat22``, ``22%``, ``22`` or ``без НДС``; None when there is no such rate."""
    words = " ".join(words.lower().split())
    if words in _WITHOUT:
        return "none"
    key = words if words.startswith("vat") else f"vat{words.rstrip('%').rstrip()}"
    return key if key in DIRECT else None


NOT_A_SYSTEM = Text(
    "Line {line}, “{words}”: write the pay system's number, an equals sign and one of: {forms}.",
    "Строка {line}, «{words}»: напишите номер платёжной системы, знак равенства и одно из: {forms}.")


def systems_table(lines: str) -> dict[str, str]:
    """``{"4": "bonus"}`` from lines like ``4 = bonus`` or ``2 = наличные``; ``#`` begins a remark. Raises
    marshmallow's ValidationError."""
    table: dict[str, str] = {}
    wrong: list[Text] = []
    for number, line in enumerate(lines.splitlines(), 1):
        line = line.partition("#")[0].strip()
        found = _LINE.fullmatch(line)
        word = _SYSTEMS.get(found[2].strip().lower()) if found else None
        if found and word:
            table[str(int(found[1]))] = word
        elif line:
            wrong.append(NOT_A_SYSTEM.with_(line=number, words=verbatim(line[:60]),
                                            forms="cash, electronic, prepaid, credit, other, bonus, skip"))
    if wrong:
        raise ValidationError(list(wrong))
    return table


def _readable_systems(lines: str) -> None:
    systems_table(lines)


def _readable_table(lines: str) -> None:
    vat_table(lines)


def _webhook(address: str) -> None:
    if address and not _WEBHOOK.fullmatch(address.strip()):
        raise ValidationError([Text(
            "This is not the address of a REST webhook. It looks like https://shop.example/rest/1/secret/",
            "Это не адрес входящего вебхука. Он выглядит так: https://shop.example/rest/1/секрет/")])


def addresses(words: str) -> frozenset[str]:
    """The e-mail addresses in a setting, in lower case: separated by commas, semicolons or blanks."""
    return frozenset(one.lower() for one in re.split(r"[\s,;]+", words) if one)


def table_of(config: Mapping[str, object]) -> dict[str, str]:
    """The VAT table of loaded settings; number 0 means without VAT unless the owner says otherwise."""
    return {"0": "none", **vat_table(str(config.get("vat") or ""))}


_SITE = Text("Connection to the site", "Связь с сайтом")
_RECEIPT = Text("What goes into the receipt", "Что попадает в чек")
_ORDERS = Text("By orders", "По заказам")
_REGISTER = Text("The register on the site", "Касса на сайте")


class BitrixSettings(PluginSettings):
    """Everything an owner sets for one site. Only the VAT table matters for shops without REST access."""

    way = setting(
        fields.String(load_default="rest"), label=Text("How receipts come", "Как приходят чеки"), choices=WAYS,
        group=_SITE,
        help=Text("One way for a pay system, never two: they would print one payment twice.",
                  "Для платёжной системы — один способ, не два: иначе одна оплата напечатается дважды."))
    rest_url = setting(
        fields.String(load_default="", validate=_webhook), label=Text("REST webhook", "Вебхук REST"), secret=True,
        group=_SITE, example="https://shop.example/rest/1/abcdefgh12345678/",
        help=Text("With it the hub sets up the REST register by itself and tells the site of a receipt at once (rights "
                  "cashbox, catalog; without it the site asks for the result every two minutes), or reads orders "
                  "(rights sale, pay_system, cashbox).",
                  "С ним хаб сам заведёт кассу REST и сразу сообщит сайту о чеке (права cashbox и catalog; без него "
                  "сайт сам спрашивает раз в две минуты) или читает заказы (права sale, pay_system и cashbox)."))
    config_key = setting(
        fields.String(load_default="", validate=validate.Length(max=100)), label=Text("Key of the register",
                                                                                      "Ключ кассы"),
        secret=True, group=_SITE, advanced=True,
        help=Text("If set, print requests must carry it in the register's settings (section AUTH, KEY).",
                  "Если задан, запрос печати должен содержать его в настройках кассы (раздел AUTH, поле KEY)."))
    vat = setting(
        fields.String(load_default="", validate=_readable_table), label=Text("VAT rates", "Ставки НДС"),
        multiline=True, group=_RECEIPT, example="1 = none\n2 = vat22\n3 = vat10",
        help=Text("One line for each rate of the site: its number in the catalogue and the rate. “Test connection” "
                  "shows the numbers.",
                  "По строке на каждую ставку сайта: её номер в каталоге и ставка. Номера покажет «Проверить»."))
    cashless = setting(
        fields.String(load_default="electronic"), label=Text("“Cashless” of the site is", "«Безналичная» оплата — это"),
        choices=_FORM_WORDS, group=_RECEIPT, advanced=True)
    cash = setting(
        fields.String(load_default="cash"), label=Text("“Cash” of the site is", "«Наличная» оплата — это"),
        choices=_FORM_WORDS, group=_RECEIPT, advanced=True,
        help=Text("Change it if couriers take cards under a cash pay system.",
                  "Измените, если под «наличной» платёжной системой курьеры принимают карты."))
    shop_email = setting(
        fields.String(load_default="", validate=validate.Length(max=500)),
        label=Text("The shop's own e-mail", "Почта самого магазина"), group=_RECEIPT, example="shop@shop.example",
        help=Text("When a buyer leaves no contact, the site puts this address in its place. Several: with commas.",
                  "Если покупатель не оставил контакт, сайт подставляет этот адрес. Несколько — через запятую."))
    shop_contact = setting(
        fields.String(load_default="drop"), label=Text("If the contact is the shop's own", "Если контакт — магазин"),
        choices={"drop": Text("there is no buyer's contact", "контакта покупателя нет"),
                 "keep": Text("send the receipt there", "отправить чек туда")}, group=_RECEIPT, advanced=True)
    # The poll way: poll_settings.py says what each is.
    poll_url, poll_version, poll_reset, poll_registers = POLL_URL, POLL_VERSION, POLL_RESET, POLL_REGISTERS
    poll_vat, poll_tax, poll_seconds = POLL_VAT, POLL_TAX, POLL_SECONDS
    agent = setting(
        fields.String(load_default=""), label=Text("Goods of a supplier are sold as", "Товары поставщика продаём как"),
        choices=AGENTS, group=_RECEIPT, advanced=True,
        help=Text("The site names the supplier of a product, but not in what capacity you sell it.",
                  "Сайт называет поставщика товара, но не то, кем вы ему приходитесь."))
    chain = setting(
        fields.String(load_default="prepay"), label=Text("A payment before shipment is", "Оплата до отгрузки — это"),
        choices=CHAINS, group=_ORDERS)
    pay_systems = setting(
        fields.String(load_default="", validate=_readable_systems), label=Text("Pay systems", "Платёжные системы"),
        multiline=True, group=_ORDERS, example="2 = cash\n4 = bonus\n5 = skip",
        help=Text("Only those that are not what the site says: cash, electronic, prepaid (gift cards, the inner "
                  "account), credit, other, bonus (spread over the goods as a discount), skip (somebody else prints).",
                  "Только те, что отличаются от настроек сайта: cash, electronic, prepaid (подарочные карты, "
                  "внутренний счёт), credit, other, bonus (скидка на товары), skip (чек пробивает другой)."))
    delivery_vat = setting(
        fields.String(load_default="none"), label=Text("VAT on delivery", "НДС на доставку"),
        choices={one: _rate_name(one) for one in DIRECT}, group=_ORDERS)
    zero_vat = setting(
        fields.String(load_default=""), label=Text("A rate of 0 % in an order is", "Ставка 0 % в заказе — это"),
        choices={"": Text("refuse the receipt until this is chosen", "не пробивать, пока не выбрано"),
                 "none": Text("without VAT", "без НДС"), "vat0": Text("VAT 0 %", "НДС 0 %")}, group=_ORDERS)
    email_codes = setting(
        fields.String(load_default="EMAIL", validate=validate.Length(max=200)),
        label=Text("Order properties with the e-mail", "Свойства заказа с почтой"), group=_ORDERS, advanced=True)
    phone_codes = setting(
        fields.String(load_default="PHONE", validate=validate.Length(max=200)),
        label=Text("Order properties with the phone", "Свойства заказа с телефоном"), group=_ORDERS, advanced=True)
    event_token = setting(
        fields.String(load_default="", validate=validate.Length(max=200)),
        label=Text("Token of the events", "Токен событий"), secret=True, group=_ORDERS, advanced=True,
        help=Text("If set, events of the site must carry it as application_token.",
                  "Если задан, события сайта должны приходить с этим application_token."))
    comments = setting(
        fields.Boolean(load_default=True), label=Text("Write the result into the order's comment",
                                                      "Писать результат в комментарий заказа"), group=_ORDERS)
    register_name = setting(
        fields.String(load_default="Хаб чеков", validate=validate.Length(min=1, max=100)),
        label=Text("Name of the register", "Название кассы"), group=_REGISTER)
    register_email = setting(
        fields.String(load_default="", validate=validate.Length(max=100)),
        label=Text("E-mail of the register", "Почта кассы"), group=_REGISTER, example="kassa@shop.example",
        help=Text("The site writes there about receipts that failed. Needed to set up the register by REST.",
                  "Туда сайт пишет о непробитых чеках. Нужна, чтобы завести кассу через REST."))
    ofd = setting(
        fields.String(load_default=""), label=Text("Tax data operator", "ОФД"), choices=OFD, group=_REGISTER,
        help=Text("With it the site can show the buyer a link to the receipt.",
                  "Тогда сайт сможет показать покупателю ссылку на чек."))
