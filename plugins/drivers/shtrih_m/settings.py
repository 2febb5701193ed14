"""The register's settings."""

from __future__ import annotations

from marshmallow import ValidationError, fields, validate

from hub.contracts import PluginSettings, Text, setting
from hub.registers import transports
from hub.registers.transports import BadAddress

#: Passwords at the factory: operators 1..28 have their number, 29 is the administrator, 30 the system administrator.
FACTORY = "30"
_ADVANCED = Text("Fine points", "Тонкости")
_DIGITS = validate.Regexp(r"^\d{0,8}$", error="Только цифры, не больше восьми / digits only, at most eight")


def _address(value: str) -> None:
    """An address that names no line is told at its field, before anything is saved."""
    try:
        transports.parse(value)
    except BadAddress as problem:
        raise ValidationError([problem.reason]) from problem


class ShtrihSettings(PluginSettings):
    """An address is all that most registers need."""

    address = setting(
        fields.String(required=True, validate=[validate.Length(1, 200), _address]),
        label=Text("Address", "Адрес"),
        help=Text("Port of the cable, or IP address and port of the register (7778 at the factory).",
                  "Порт кабеля либо IP-адрес и порт кассы (с завода 7778)."),
        example="tcp://192.168.137.111:7778")
    operator_password = setting(
        fields.String(load_default="", validate=_DIGITS),
        label=Text("Operator's password", "Пароль оператора"),
        help=Text("Receipts are printed with it. Empty: 30, as at the factory.",
                  "С ним печатаются чеки. Пусто: 30, как с завода."), secret=True)
    admin_password = setting(
        fields.String(load_default="", validate=_DIGITS),
        label=Text("System administrator's password", "Пароль системного администратора"),
        help=Text("Reports, settings and the storage are read with it. Empty: 30, as at the factory.",
                  "С ним снимаются отчёты, читаются настройки и накопитель. Пусто: 30, как с завода."), secret=True)
    protocol = setting(
        fields.String(load_default="auto"),
        label=Text("Protocol", "Протокол"),
        choices={"auto": Text("Find out", "Определить"), "1": Text("1 (ENQ, ACK)", "1 (ENQ, ACK)"),
                 "2": Text("2 (numbered packets)", "2 (нумерованные пакеты)")}, group=_ADVANCED, advanced=True)
    electronic_type = setting(
        fields.Integer(load_default=2, validate=validate.Range(2, 13)),
        label=Text("Payment type of cashless payments", "Вид оплаты безналичными"),
        help=Text("Row of the register's table 5, from 2 to 13.", "Строка таблицы 5 кассы, от 2 до 13."),
        group=_ADVANCED, advanced=True)
    department = setting(
        fields.Integer(load_default=1, validate=validate.Range(0, 16)),
        label=Text("Department", "Отдел"), group=_ADVANCED, advanced=True)
    tag_1192 = setting(
        fields.Boolean(load_default=True),
        label=Text("Send the receipt's key in tag 1192", "Передавать ключ чека в теге 1192"),
        help=Text("By it the hub recognises a receipt after a lost answer. Switch it off only when the register "
                  "refuses the tag.",
                  "По нему хаб узнаёт чек после потерянного ответа. Выключайте, только если касса не принимает тег."),
        group=_ADVANCED, advanced=True)
    internet_tags = setting(
        fields.Boolean(load_default=True),
        label=Text("Send the sign of a settlement on the Internet", "Передавать признак расчёта в интернете"),
        help=Text("Tags 1125 and 1187 of payments on the Internet. Switch it off only when the register sets them "
                  "by itself and refuses them from the hub.",
                  "Теги 1125 и 1187 интернет-оплат. Выключайте, только если касса ставит их сама и не принимает "
                  "от хаба."), group=_ADVANCED, advanced=True)
    item_tags = setting(
        fields.String(load_default="auto"),
        label=Text("Properties of a line", "Реквизиты позиции"),
        choices={"auto": Text("By the model", "По модели"), "before": Text("Before the line", "До позиции"),
                 "after": Text("After the line", "После позиции")}, group=_ADVANCED, advanced=True)
    piece_measure = setting(
        fields.Boolean(load_default=False),
        label=Text("Send the measure of pieces too", "Передавать меру количества и для штучных товаров"),
        help=Text("Registers write “piece” by themselves. Switch it on only when the register misses data in receipts "
                  "of FFD 1.2.",
                  "«Штука» касса пишет сама. Включайте, только если кассе не хватает реквизитов в чеках ФФД 1.2."),
        group=_ADVANCED, advanced=True)
    group_ten = setting(
        fields.String(load_default="90"),
        label=Text("Code of VAT 7/107", "Код ставки НДС 7/107"),
        help=Text("The vendor's table says 90h; some firmware may want 88h. Try it with a receipt.",
                  "В таблице производителя 90h, иной прошивке может понадобиться 88h. Проверьте на чеке."),
        choices={"90": Text("90h", "90h"), "88": Text("88h", "88h")}, group=_ADVANCED, advanced=True)
    byte_seconds = setting(
        fields.Float(load_default=1.0, validate=validate.Range(0.02, 1.25)),
        label=Text("Seconds for a byte", "Секунд на байт"),
        help=Text("How long a register at rest may take to send the next byte. Slow networks need more.",
                  "Сколько касса в покое может молчать между байтами. Медленной сети нужно больше."),
        group=_ADVANCED, advanced=True)
    patience = setting(
        fields.Float(load_default=1.0, validate=validate.Range(0.01, 1)),
        label=Text("Share of the usual waiting times", "Доля обычного времени ожидания"),
        help=Text("1 waits as long as the vendor says: 30 s for the end of a receipt, 40 s for a report.",
                  "1: ждать столько, сколько пишет производитель: 30 с на закрытие чека, 40 с на отчёт."),
        group=_ADVANCED, advanced=True)
