"""Settings of the poll way: the address with its hash, the registers the site knows, rates, the protocol's version.

The fields are named in settings.py; here is what they check and how the rest of the plugin reads them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, validate

from hub.contracts import setting
from hub.fiscal import Text, verbatim
from hub.fiscal.vat import RATES

#: What stands in every address that the site's page "connect a cash register" makes (bitrix-site §2.1).
PAGE = "sale_check_print.php"
VERSIONS = {"1": Text("do not change it (V1)", "не менять (V1)"), "2": Text("V2, FFD 1.05", "V2, ФФД 1.05"),
            "3": Text("V3, FFD 1.2", "V3, ФФД 1.2")}
TAXES = {"hub": Text("the hub's settings", "настройки хаба"), "site": Text("the site", "сайт")}
_POLL = Text("Instead of the old application", "Вместо старого приложения")
_NUMBER = re.compile(r"[0-9A-Za-z_.-]{1,64}")
_RATE = re.compile(r"([0-9A-Za-z_.-]{1,32})\s*[=:]\s*(.+)")
_KEYS = frozenset(one.key for one in RATES if not one.calculated)
_WITHOUT = ("none", "no", "без ндс", "без", "нет")


def rates_of(lines: str) -> dict[str, str]:
    """``{"vat20": "vat22", "3": "vat10"}`` from lines like ``vat20 = vat22`` or ``3 = 10%``; ``#`` begins a remark.
    Raises marshmallow's ValidationError."""
    table: dict[str, str] = {}
    wrong: list[Text] = []
    for number, line in enumerate(lines.splitlines(), 1):
        line = line.partition("#")[0].strip()
        found = _RATE.fullmatch(line)
        words = " ".join(found[2].lower().split()) if found else ""
        key = "none" if words in _WITHOUT else words if words.startswith("vat") else f"vat{words.rstrip('% ')}"
        if found and key in _KEYS:
            table[found[1].lower()] = key
        elif line:
            wrong.append(Text(
                "Line {line}, “{words}”: write what the site sends, an equals sign and one of: {rates}.",
                "Строка {line}, «{words}»: напишите, что присылает сайт, знак равенства и одно из: {rates}.",
                params={"line": number, "words": verbatim(line[:60]), "rates": ", ".join(sorted(_KEYS))}))
    if wrong:
        raise ValidationError(list(wrong))
    return table


def numbers_of(lines: str) -> dict[str, str]:
    """``{factory number: fiscal storage}`` from lines ``00106900000017`` or ``00106900000017 = 9999078900004312``.
    Raises marshmallow's ValidationError."""
    table: dict[str, str] = {}
    for line in lines.splitlines():
        number, _, storage = (part.strip() for part in line.partition("#")[0].partition("="))
        if not number:
            continue
        if not _NUMBER.fullmatch(number) or (storage and not (storage.isascii() and storage.isdigit())):
            raise ValidationError([Text(
                "“{words}” is not a register's factory number. One in each line, as the site shows it.",
                "«{words}» — не заводской номер кассы. По одному в строке, как на сайте.",
                params={"words": verbatim(line[:60])})])
        table[number] = storage
    return table


def address_problem(address: str) -> Text | None:
    """What is wrong with the address of the poll protocol."""
    parts = urlsplit(address)
    if parts.scheme in ("http", "https") and parts.hostname and parts.path.endswith(f"/{PAGE}") \
            and re.fullmatch(r"hash=[0-9A-Za-z]{8,64}", parts.query):
        return None
    return Text(
        "This is not the address that the site makes for a register. It looks like "
        "https://shop.example/bitrix/tools/sale_check_print.php?hash=… and is made on the site: Shop, Cash registers, "
        "connect a register.",
        "Это не адрес, который сайт создаёт для кассы. Он выглядит так: "
        "https://shop.example/bitrix/tools/sale_check_print.php?hash=… и создаётся на сайте: Магазин → Кассы ККМ → "
        "Подключить ККМ.")


def _address(words: str) -> None:
    try:
        problem = address_problem(words.strip()) if words else None
    except ValueError:
        problem = address_problem("")
    if problem is not None:
        raise ValidationError([problem])


def _rates(words: str) -> None:
    rates_of(words)


def _numbers(words: str) -> None:
    numbers_of(words)


POLL_URL = setting(
    fields.String(load_default="", validate=_address), label=Text("Address for the register", "Адрес для кассы"),
    secret=True, group=_POLL, example="https://shop.example/bitrix/tools/sale_check_print.php?hash=0123456789abcdef",
    help=Text("Only for the way “in place of the old application”. The site makes it: Shop, Cash registers, connect a "
              "register.",
              "Только для способа «вместо старого приложения». Его создаёт сайт: Магазин → Кассы ККМ → Подключить "
              "ККМ."))
POLL_VERSION = setting(
    fields.String(load_default="1"), label=Text("Version of the protocol", "Версия протокола"), choices=VERSIONS,
    group=_POLL,
    help=Text("V2 and V3 make the site rewrite its register for that version and reset its payment types and VAT "
              "rates. For a register that works, keep what it has: “do not change it” never rewrites anything. For a "
              "new register choose V3, or V2 if the cash register prints by FFD 1.05.",
              "V2 и V3 заставляют сайт перестроить кассу под эту версию и сбросить в ней типы оплат и ставки НДС. У "
              "работающей кассы оставьте «не менять»: так ничего не перестраивается. Для новой кассы выберите V3, "
              "а если касса печатает по ФФД 1.05 — V2."))
POLL_RESET = setting(
    fields.Boolean(load_default=False), label=Text("The site may reset its register", "Сайт может сбросить кассу"),
    group=_POLL,
    help=Text("Needed for V2 and V3: a register that the site knows under another version is rebuilt at the first "
              "poll. Afterwards set its VAT rates and payment types on the site anew.",
              "Нужно для V2 и V3: кассу, которую сайт знал под другой версией, он перестроит при первом же обмене. "
              "После этого заново задайте на сайте её ставки НДС и типы оплат."))
POLL_REGISTERS = setting(
    fields.String(load_default="", validate=_numbers), label=Text("Factory numbers of the site's registers",
                                                                  "Заводские номера касс на сайте"),
    multiline=True, group=_POLL, advanced=True, example="00106900000017",
    help=Text("Empty: the registers of the hub under their own numbers. Fill in the site's number when the register "
              "was replaced and the site still knows the old one.",
              "Пусто — кассы хаба под их собственными номерами. Впишите номер с сайта, если кассу заменили, а сайт "
              "знает старую."))
POLL_VAT = setting(
    fields.String(load_default="", validate=_rates), label=Text("VAT rates of the register on the site",
                                                                "Ставки НДС кассы на сайте"),
    multiline=True, group=_POLL, example="vat20 = vat22",
    help=Text("Only what differs: what the site sends, an equals sign, the rate to print.",
              "Только отличия: что присылает сайт, знак равенства, какую ставку печатать."))
POLL_TAX = setting(
    fields.String(load_default="hub"), label=Text("The tax system is chosen by", "Систему налогообложения задаёт"),
    choices=TAXES, group=_POLL, advanced=True,
    help=Text("A new register on the site says “general” until somebody changes it there.",
              "Новая касса на сайте сообщает «общая», пока её там не поменяют."))
POLL_SECONDS = setting(
    fields.Integer(load_default=90, validate=validate.Range(min=5, max=115)),
    label=Text("Seconds to wait for the site's answer", "Сколько секунд ждать ответа сайта"), group=_POLL,
    advanced=True, help=Text("A site answers within 60 seconds when it has nothing to print.",
                             "Если печатать нечего, сайт отвечает в течение 60 секунд."))


def polls(config: Mapping[str, Any]) -> bool:
    """Whether these settings choose the poll way."""
    return config.get("way") == "poll"
