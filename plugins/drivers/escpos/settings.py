"""Settings of a receipt printer."""

from __future__ import annotations

from dataclasses import dataclass

from hub_plugins.drivers.escpos.letters import PAGES
from marshmallow import ValidationError, fields, validate

from hub.contracts import PluginSettings, Text, setting


@dataclass(frozen=True, slots=True)
class Width:
    """Paper: letters of the usual font in a row, and dots across (point-of-sale §3)."""

    columns: int
    dots: int


WIDTHS = {"80": Width(48, 576), "80-512": Width(42, 512), "58": Width(32, 384), "58-432": Width(36, 432)}


def _address(value: str) -> None:
    from hub_plugins.drivers.escpos.places import BadPlace, read

    try:
        read(value)
    except BadPlace as problem:
        raise ValidationError([problem.reason]) from problem


class EscposSettings(PluginSettings):
    """Where the printer is, how wide its paper, which letters it knows."""

    address = setting(
        fields.String(required=True, validate=[validate.Length(max=200), _address]),
        label=Text("Address", "Адрес"),
        help=Text("In the network tcp://192.168.1.87:9100, on a serial port /dev/ttyUSB0?baud=9600, on USB "
                  "usb://04b8:0e15 or file:///dev/usb/lp0.",
                  "В сети tcp://192.168.1.87:9100, на COM-порту /dev/ttyUSB0?baud=9600, по USB usb://04b8:0e15 или "
                  "file:///dev/usb/lp0."),
        example="tcp://192.168.1.87:9100")
    width = setting(
        fields.String(load_default="80"), label=Text("Paper", "Бумага"),
        choices={"80": Text("80 mm, 48 letters", "80 мм, 48 букв"),
                 "80-512": Text("80 mm, 42 letters", "80 мм, 42 буквы"),
                 "58": Text("58 mm, 32 letters", "58 мм, 32 буквы"),
                 "58-432": Text("58 mm, 36 letters", "58 мм, 36 букв")})
    code_page = setting(
        fields.String(load_default="866"), label=Text("Cyrillic", "Кириллица"),
        help=Text("If the test print shows other letters, choose another table.",
                  "Если на пробной печати не те буквы, выберите другую таблицу."),
        choices={name: page.title for name, page in PAGES.items()})
    cut = setting(
        fields.String(load_default="partial"), label=Text("Cutter", "Отрезчик"),
        choices={"partial": Text("leaves a bridge", "оставляет перемычку"),
                 "full": Text("cuts through", "отрезает совсем"), "none": Text("there is none", "нет")})
    drawer = setting(
        fields.String(load_default="none"), label=Text("Cash drawer", "Денежный ящик"),
        help=Text("It opens with the copy of a receipt that was paid in cash.",
                  "Открывается с копией чека, оплаченного наличными."),
        choices={"none": Text("not connected", "не подключён"),
                 "2": Text("on contact 2 (usual)", "на контакте 2 (обычно)"),
                 "5": Text("on contact 5", "на контакте 5")})
    qr = setting(
        fields.String(load_default="native"), label=Text("QR code", "QR-код"),
        choices={"native": Text("the printer draws it", "рисует принтер"),
                 "picture": Text("send it as a picture (5890 and alike)", "отправлять картинкой (5890 и подобные)")})
    logo = setting(fields.Boolean(load_default=True), label=Text("Print the picture of the organisation",
                                                                 "Печатать картинку организации"))
    chinese = setting(
        fields.Boolean(load_default=True), advanced=True,
        label=Text("Leave the mode of hieroglyphs", "Выключать режим иероглифов"),
        help=Text("Many printers from China print hieroglyphs instead of Cyrillic otherwise.",
                  "Иначе многие китайские принтеры печатают иероглифы вместо кириллицы."))
    status = setting(
        fields.Boolean(load_default=True), advanced=True,
        label=Text("Ask for paper and cover", "Спрашивать о бумаге и крышке"),
        help=Text("Switch it off when the printer never answers: each sheet is then a second faster.",
                  "Выключите, если принтер никогда не отвечает: каждая копия выйдет на секунду быстрее."))
