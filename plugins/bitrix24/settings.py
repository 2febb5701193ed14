"""What an owner sets for Bitrix24, and what of it is refused before anything is called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, post_load, pre_load, validate, validates_schema

from hub.contracts import PluginSettings, Text, setting

_ACCESS = Text("Access", "Доступ")
_PAID = Text("What counts as paid", "Что считать оплатой")
_RECEIPT = Text("The receipt", "Чек")
_BACK = Text("Result in Bitrix24", "Результат в Битрикс24")

#: How a payment goes into the receipt. ``skip``: somebody else prints that receipt (the bank, the payment system).
FORMS: Mapping[str, Text] = {
    "electronic": Text("electronic (card, transfer)", "безналичными (карта, перевод)"),
    "cash": Text("cash", "наличными"),
    "skip": Text("no receipt: another system prints it", "чек не нужен: его пробивает другая система"),
}

_LOCAL = ("localhost", "127.0.0.1", "::1")
_PATH = re.compile(r"(/rest/\d+/[A-Za-z0-9]{6,128})(?:/[\w.]*)?/?")
_STAGE = re.compile(r"(?:C\d+:)?[A-Za-z0-9_\-]{1,50}")
_FIELD = re.compile(r"UF_CRM_[A-Z0-9_]{1,43}")


def webhook_base(address: str) -> str:
    """``https://portal/rest/1/secret/`` from an address as Bitrix24 shows it, with or without a method behind it.

    ``ValueError`` when it is none. Plain http passes only to this machine: the secret must not travel in the open.
    """
    parts = urlsplit(address.strip())
    path = _PATH.fullmatch(parts.path)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)
    if not path or not safe or not parts.hostname or parts.username or parts.password:
        raise ValueError("not the address of an incoming webhook")
    return f"{parts.scheme}://{parts.netloc}{path[1]}/"


def _is_webhook(address: str) -> None:
    try:
        webhook_base(address)
    except ValueError as problem:
        raise ValidationError([_t(
            "This is not the address of an incoming webhook. It looks like https://portal.bitrix24.ru/rest/1/secret/.",
            "Это не адрес входящего вебхука. Он выглядит так: https://portal.bitrix24.ru/rest/1/секрет/."
        )]) from problem


def _is_day(text: str) -> None:
    try:
        if text:
            date.fromisoformat(text)
    except ValueError as problem:
        raise ValidationError([_t("Write the day as 2026-11-20.", "Запишите дату так: 2026-11-20.")]) from problem


def _t(en: str, ru: str) -> Any:
    """A sentence in both languages where marshmallow's types expect plain text."""
    return Text(en, ru)


class Bitrix24Settings(PluginSettings):
    """Two webhooks, what means "paid", and what goes into the receipt."""

    webhook = setting(
        fields.String(required=True, validate=_is_webhook), label=Text("Incoming webhook", "Входящий вебхук"),
        help=Text("Bitrix24: Developer resources → Other → Incoming webhook; tick CRM, and also Online store (sale) "
                  "when receipts follow payments. Copy the whole address. It is a password: it is kept encrypted.",
                  "Битрикс24: Разработчикам → Другое → Входящий вебхук; отметьте CRM, а если чек пробивается по "
                  "оплатам — ещё и «Интернет-магазин» (sale). Скопируйте адрес целиком. Это пароль: он хранится "
                  "зашифрованным."),
        example="https://portal.bitrix24.ru/rest/1/abcdef1234567890/", secret=True, group=_ACCESS)
    application_token = setting(
        fields.String(load_default="", validate=validate.Length(max=128)),
        label=Text("Application token of the outgoing webhook", "Токен приложения исходящего вебхука"),
        help=Text("Bitrix24 shows it in the outgoing webhook after you save it. Empty: events are known only by the "
                  "secret in our address. With the token both must be right.",
                  "Битрикс24 показывает его в исходящем вебхуке после сохранения. Пусто: событие узнаётся только "
                  "по секрету в нашем адресе. С токеном проверяется и то и другое."),
        secret=True, group=_ACCESS)
    enterprise = setting(
        fields.Boolean(load_default=False), label=Text("Enterprise plan", "Тариф «Энтерпрайз»"),
        help=Text("Portals of this plan may be asked 5 times a second, all others twice.",
                  "Порталы на этом тарифе можно спрашивать 5 раз в секунду, остальные — 2 раза."),
        group=_ACCESS, advanced=True)
    paid_stages = setting(
        fields.List(fields.String(validate=validate.Regexp(rf"\A{_STAGE.pattern}\Z")), load_default=list),
        label=Text("Stages in which a deal is paid", "Стадии, на которых сделка оплачена"),
        help=Text("Codes of stages. WON is «Deal won» of the first pipeline, C3:WON of pipeline 3. Name also the "
                  "stages that follow the paid one: a deal that has moved on before we looked is found by them.",
                  "Коды стадий. WON — «Сделка успешна» первой воронки, C3:WON — воронки 3. Укажите и стадии, которые "
                  "идут после оплаты: по ним находится сделка, которую успели передвинуть дальше."),
        example="WON, C3:WON", group=_PAID)
    paid_by_payment = setting(
        fields.Boolean(load_default=False),
        label=Text("A payment in the deal is marked as paid", "Оплата в сделке отмечена оплаченной"),
        help=Text("Each paid payment of a deal gets a receipt of its own; a part of the deal's sum is receipted as a "
                  "prepayment. With stages as well, payments go first.",
                  "На каждую оплаченную оплату сделки — свой чек; если оплачена часть суммы, это чек предоплаты. "
                  "Если указаны и стадии, сначала смотрим на оплаты."), group=_PAID)
    max_age_days = setting(
        fields.Integer(load_default=7, validate=validate.Range(0, 3650)),
        label=Text("Forget payments older than, days", "Не пробивать чеки за оплаты старше, дней"),
        help=Text("Somebody may edit a deal that was paid long ago; it must not get a new receipt. 0: no limit.",
                  "Давно оплаченную сделку могут поправить — новый чек по ней не нужен. 0 — без ограничения."),
        group=_PAID, advanced=True)
    since = setting(
        fields.String(load_default="", validate=_is_day), label=Text("No receipts before", "Не раньше даты"),
        help=Text("The day on which the hub takes over from another system. What was paid earlier gets no receipt. "
                  "Empty: the day on which the hub was connected.",
                  "День, с которого чеки пробивает хаб, а не прежняя система. За оплаты до него чеков не будет. "
                  "Пусто — день подключения хаба."),
        example="2026-11-20", group=_PAID, advanced=True)

    form = setting(
        fields.String(load_default="electronic"), label=Text("How deals are paid", "Чем оплачивают"), choices=FORMS,
        help=Text("Where neither the payment system nor the stage says otherwise.",
                  "Если ни платёжная система, ни стадия не говорят другого."), group=_PAID)
    payment_forms = setting(
        fields.Dict(fields.String(), fields.String(validate=validate.OneOf(list(FORMS))), load_default=dict),
        label=Text("By payment system", "По платёжной системе"),
        help=Text("Number or name of the payment system = cash, electronic or skip.",
                  "Номер или название платёжной системы = cash (наличные), electronic (безнал) или skip (чек не "
                  "нужен)."), example="Наличные = cash", group=_PAID)
    stage_forms = setting(
        fields.Dict(fields.String(), fields.String(validate=validate.OneOf(list(FORMS))), load_default=dict),
        label=Text("By stage", "По стадии"),
        help=Text("Code of the stage = cash, electronic or skip.", "Код стадии = cash, electronic или skip."),
        example="C3:WON = cash", group=_PAID)

    method = setting(
        fields.String(load_default="full_payment"), label=Text("When the sum is paid whole", "При полной оплате"),
        choices={"full_payment": Text("full settlement: goods are handed over", "полный расчёт: товар передан"),
                 "full_prepayment": Text("full prepayment: goods come later", "предоплата 100 %: товар будет позже")},
        group=_RECEIPT)
    vat_when_none = setting(
        fields.String(load_default="none"), label=Text("VAT when the product has none", "НДС, если у товара пусто"),
        help=Text("In Bitrix24 an empty rate means «without VAT».", "В Битрикс24 пустая ставка значит «без НДС»."),
        choices={"none": Text("without VAT", "без НДС"), "vat0": Text("0 %", "0 %"), "vat5": Text("5 %", "5 %"),
                 "vat7": Text("7 %", "7 %"), "vat10": Text("10 %", "10 %"), "vat12": Text("12 %", "12 %"),
                 "vat16": Text("16 %", "16 %"), "vat22": Text("22 %", "22 %"),
                 "organisation": Text("as the organisation says", "как у организации")}, group=_RECEIPT)
    mismatch = setting(
        fields.String(load_default="refuse"),
        label=Text("When products and the deal's sum differ", "Если товары и сумма сделки расходятся"),
        help=Text("The sum of a deal can be typed in by hand and then differs from its products.",
                  "Сумму сделки можно вписать вручную — тогда она не равна сумме товаров."),
        choices={"refuse": Text("no receipt, say so", "чек не пробивать, сообщить"),
                 "scale": Text("share the deal's sum among the products",
                               "разнести сумму сделки по товарам")}, group=_RECEIPT)
    buyer = setting(
        fields.String(load_default="contact"), label=Text("Who is the buyer", "Кто покупатель"),
        choices={"contact": Text("the contact, else the company", "контакт, а если его нет — компания"),
                 "company": Text("the company, else the contact", "компания, а если её нет — контакт")},
        group=_RECEIPT)

    result_field = setting(
        fields.String(load_default="", validate=validate.Regexp(rf"\A(?:|{_FIELD.pattern})\Z")),
        label=Text("Field of the deal for the receipt", "Поле сделки для чека"),
        help=Text("A field of your own of type link or text, by its code UF_CRM_…; the receipt's link is put there. "
                  "Empty: nothing is written.",
                  "Ваше поле типа «ссылка» или «строка», его код UF_CRM_…; туда запишется ссылка на чек. Пусто — не "
                  "писать."), example="UF_CRM_KKT_LINK", group=_BACK)
    comments = setting(
        fields.Boolean(load_default=True),
        label=Text("Comment in the deal's timeline", "Комментарий в ленте сделки"), group=_BACK)
    notify = setting(
        fields.Boolean(load_default=False),
        label=Text("Notice to the responsible employee when a receipt fails",
                   "Уведомлять ответственного, если чек не пробит"),
        help=Text("A notice in Bitrix24 to whoever is responsible for the deal. The webhook needs the right «im» (Chat "
                  "and notifications).",
                  "Уведомление в Битрикс24 ответственному за сделку. Вебхуку нужно право «im» (чат и уведомления)."),
        group=_BACK)
    language = setting(
        fields.String(load_default="ru"), label=Text("Language of comments", "Язык комментариев"),
        choices={"ru": Text("Russian", "русский"), "en": Text("English", "английский"),
                 "kk": Text("Kazakh", "казахский")}, group=_BACK, advanced=True)

    @pre_load
    def from_text(self, data: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        """Lists and maps may come as text: separated by commas or lines, ``name = value``."""
        read = dict(data)
        stages = read.get("paid_stages")
        if isinstance(stages, str):
            read["paid_stages"] = [one.strip() for one in re.split(r"[,;\s]+", stages) if one.strip()]
        for name in ("payment_forms", "stage_forms"):
            value = read.get(name)
            if isinstance(value, str):
                pairs = (one.rpartition("=") for one in re.split(r"[,;\n]", value) if one.strip())
                read[name] = {key.strip(): form.strip() for key, _, form in pairs}
        return read

    @validates_schema
    def something_means_paid(self, data: Mapping[str, Any], **_: Any) -> None:
        """Without it no deal would ever get a receipt, silently."""
        if not data.get("paid_stages") and not data.get("paid_by_payment"):
            raise ValidationError([_t("Say what means paid: name a stage, or tick payments.",
                                      "Укажите, что считать оплатой: назовите стадию или отметьте оплаты.")],
                                  "paid_stages")

    @post_load
    def tidy(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """The webhook's address without the sample method that Bitrix24 shows behind it."""
        if data.get("webhook"):
            data["webhook"] = webhook_base(data["webhook"])
        return data
