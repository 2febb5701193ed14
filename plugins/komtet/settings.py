"""What the owner fills in for KOMTET's three parts: the gateway, the cloud register, the register of an agent."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate

from hub.contracts import PluginSettings, Text, setting
from hub.contracts.outgoing import url_problem

SHOP = Text("The shop", "Магазин")
RESULTS = Text("Results to the shop", "Результаты магазину")


def _url(value: str) -> None:
    problem = url_problem(value) if value else None
    if problem is not None:
        raise ValidationError([problem])


def _base(value: str) -> None:
    _url(value)
    if value.endswith("/"):
        raise ValidationError([Text("Without the slash at the end.", "Без косой черты на конце.")])


class GatewaySettings(PluginSettings):
    """All may stay as they are: then shop id and key are the hub's own, shown on the connection's page."""

    shop_id = setting(
        fields.String(load_default="", validate=validate.Length(max=120)), group=SHOP,
        label=Text("Shop id", "ID магазина"), example="6131",
        help=Text("Leave empty for one of the hub. If the module already has one from KOMTET, enter that and nothing "
                  "has to be changed there but the host.",
                  "Оставьте пустым — хаб даст свой. Если в модуле уже записан ID от КОМТЕТ, введите его: тогда там "
                  "меняется только адрес сервера."))
    key = setting(
        fields.String(load_default="", validate=validate.Length(max=200)), secret=True, group=SHOP,
        label=Text("Secret key", "Секретный ключ"),
        help=Text("Leave empty for one of the hub, or enter the one that the module has.",
                  "Оставьте пустым — хаб даст свой, или введите тот, что записан в модуле."))
    queue = setting(
        fields.Integer(load_default=1, strict=True, validate=validate.Range(1, 2_000_000_000)), group=SHOP,
        label=Text("Queue number", "Номер очереди"), example="7",
        help=Text("The number that the module has for its queue. Receipts go to the hub's queue chosen above.",
                  "Номер очереди, записанный в модуле. Чеки попадут в очередь хаба, выбранную выше."))
    rate_of_day = setting(
        fields.Boolean(load_default=True), group=SHOP,
        label=Text("Main VAT rate by the day of the receipt", "Основная ставка НДС по дате чека"),
        help=Text("An old module that still sends 20 % prints the rate of the day (22 % since 2026). Switched off, "
                  "such "
                  "a receipt is refused.",
                  "Старый модуль, который всё ещё шлёт 20 %, печатает ставку того дня (с 2026 года 22 %). Если "
                  "выключить, такой чек будет отклонён."))
    paid_before = setting(
        fields.String(load_default="prepayment"), group=SHOP, advanced=True, choices={
            "prepayment": Text("Set off: the site printed a receipt when it was paid",
                               "Зачёт предоплаты: чек при оплате пробил сайт"),
            "card": Text("Paid electronically: the site printed none", "Безналичными: сайт чека не пробивал")},
        label=Text("Courier orders that were paid before", "Заказы с доставкой, оплаченные заранее"),
        help=Text("What the receipt at the buyer's door says of an order that came as paid.",
                  "Что написать в чеке при вручении заказа, который пришёл уже оплаченным."))
    in_person = setting(
        fields.Boolean(load_default=True), group=SHOP, advanced=True,
        label=Text("Courier orders are settled in person", "Расчёт по заказам с доставкой — при личной встрече"),
        help=Text("Their receipts carry no sign of a settlement on the Internet, and a site is not their place. Switch "
                  "it off if the only register is registered for the Internet alone: it prints no other receipts.",
                  "В таких чеках нет признака расчёта в интернете, и сайт не указан местом расчётов. Выключите, если "
                  "единственная касса зарегистрирована только для интернета: других чеков она не печатает."))
    success_url = setting(
        fields.String(load_default="", validate=_url), group=RESULTS,
        label=Text("Address for printed receipts", "Адрес для пробитых чеков"), example="https://shop.example.ru/cb",
        help=Text("Used when a check brings no address of its own (callback_url).",
                  "Используется, если чек не принёс свой адрес (callback_url)."))
    failure_url = setting(
        fields.String(load_default="", validate=_url), group=RESULTS,
        label=Text("Address for failed receipts", "Адрес для ошибок"), example="https://shop.example.ru/cb")
    sign_as = setting(
        fields.String(load_default="", validate=_url), group=RESULTS, advanced=True,
        label=Text("Sign results as this address", "Подписывать результаты как этот адрес"),
        help=Text("For receivers that put their own address together wrongly (without a port, http behind https) and "
                  "answer 403: enter the address as they see it.",
                  "Для приёмников, которые неверно собирают собственный адрес (без порта, http за https) и отвечают "
                  "403: введите адрес таким, каким видят его они."))
    as_form = setting(
        fields.Boolean(load_default=False), group=RESULTS, advanced=True,
        label=Text("Send results as a form", "Отправлять результаты формой"),
        help=Text("For receivers that read form fields and no JSON (modules of UMI.CMS and CS-Cart).",
                  "Для приёмников, которые читают поля формы, а не JSON (модули UMI.CMS и CS-Cart)."))
    called_as = setting(
        fields.String(load_default="", validate=_base), group=RESULTS, advanced=True,
        label=Text("Address of the hub as the module has it", "Адрес хаба, как он записан в модуле"),
        example="https://kassa.internal:8443",
        help=Text("Only when a proxy in between changes the path and the module gets AUT00 although the key is right.",
                  "Только если прокси между ними меняет путь и модуль получает AUT00 при верном ключе."))


def names(settings: dict[str, Any] | Any) -> str:
    """The shop id that an owner gave, else an empty text."""
    return str(settings.get("shop_id") or "").strip()


class DriverSettings(PluginSettings):
    """A queue of a shop at KOMTET."""

    host = setting(
        fields.String(load_default="https://kassa.komtet.ru", validate=_base), advanced=True,
        label=Text("Server", "Сервер"), example="https://kassa.komtet.ru")
    shop_id = setting(
        fields.String(required=True, validate=validate.Length(1, 120)), label=Text("Shop id", "ID магазина"),
        example="6131", help=Text("From the shop's page at KOMTET Kassa.", "Со страницы магазина в КОМТЕТ Кассе."))
    key = setting(
        fields.String(required=True, validate=validate.Length(1, 200)), secret=True,
        label=Text("Secret key", "Секретный ключ"))
    queue = setting(
        fields.Integer(required=True, strict=True, validate=validate.Range(1, 2_000_000_000)),
        label=Text("Queue number", "Номер очереди"), example="7")
    version = setting(
        fields.String(load_default="2"), choices={
            "2": Text("v2: FFD 1.2, marked goods", "v2: ФФД 1.2, маркировка"), "1": Text("v1: FFD 1.05", "v1: ФФД "
                                                                                                         "1.05")},
        label=Text("Form of checks", "Вид чеков"),
        help=Text("As the register behind the queue is registered.", "Как зарегистрирована касса за очередью."))
    paper = setting(
        fields.Boolean(load_default=False), label=Text("Paper copies too", "Печатать и на бумаге"))
    callbacks = setting(
        fields.Boolean(load_default=False), label=Text("KOMTET calls the hub back", "КОМТЕТ сообщает результаты сама"),
        help=Text("Fewer questions, quicker results. The hub must be reachable from the Internet; without an answer it "
                  "asks by itself all the same.",
                  "Меньше запросов, быстрее результат. Хаб должен быть доступен из интернета; не дождавшись, он всё "
                  "равно спросит сам."))
    use_passive = setting(
        fields.Boolean(load_default=False), advanced=True,
        label=Text("Send to a passive queue too", "Отправлять и в неактивную очередь"),
        help=Text("Receipts then wait at KOMTET for its register, and no other register of the hub can print them.",
                  "Тогда чеки ждут кассу в КОМТЕТ, и другая касса хаба их не напечатает."))


class AgentSettings(PluginSettings):
    """A register whose agent calls the hub."""

    pos_key = setting(
        fields.String(required=True, validate=validate.Length(1, 120)), label=Text("Register's key", "Ключ кассы"),
        help=Text("As in the agent's settings.", "Как в настройках агента."))
    pos_secret = setting(
        fields.String(required=True, validate=validate.Length(1, 200)), secret=True,
        label=Text("Register's secret", "Секрет кассы"))
    version = setting(
        fields.String(load_default="2"), choices={"2": Text("v2: FFD 1.2", "v2: ФФД 1.2"),
                                                  "1": Text("v1: FFD 1.05", "v1: ФФД 1.05")},
        label=Text("Form of checks", "Вид чеков"),
        help=Text("As the register is registered.", "Как зарегистрирована касса."))
