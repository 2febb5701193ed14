"""The emulated register's settings."""

from __future__ import annotations

from marshmallow import fields, validate

from hub.contracts import PluginSettings, Text, setting

#: Upper limits, in seconds, of printing one document and of waiting for an answer on top of it. Together with the
#: second that the driver then asks once more they bound ``longest_command``.
SLOWEST, PATIENCE = 4.0, 5.0


class EmulatorSettings(PluginSettings):
    """With nothing filled in the hub runs a register of its own. The registration matters only then: an emulator
    that somebody else started has its own."""

    address = setting(
        fields.String(load_default="", validate=validate.Length(max=200)),
        label=Text("Address", "Адрес"),
        help=Text("Leave it empty: the hub runs the register itself. Fill it in for an emulator that you started "
                  "with “hub simulate emulator”.",
                  "Оставьте пустым: хаб сам запустит кассу. Заполните, если вы запустили эмулятор сами командой "
                  "hub simulate emulator."),
        example="tcp://127.0.0.1:7700")
    inn = setting(
        fields.String(load_default="", validate=validate.Regexp(
            r"^(\d{10}|\d{12})?$", error="10 или 12 цифр / 10 or 12 digits")),
        label=Text("INN or BIN", "ИНН или БИН"),
        help=Text("Whose receipts it prints; empty for anybody's.", "Чьи чеки печатает; пусто, если любые."),
        example="7707083893")
    seconds_per_receipt = setting(
        fields.Float(load_default=0.3, validate=validate.Range(0, SLOWEST)),
        label=Text("Seconds to print a document", "Секунд на печать документа"),
        help=Text("Real registers need one to three.", "Настоящей кассе нужно от одной до трёх."))
    ofd_delay = setting(
        fields.Float(load_default=5.0, validate=validate.Range(0, 86_400)),
        label=Text("Seconds until the OFD has a document", "Секунд до получения документа в ОФД"))
    ffd = setting(
        fields.String(load_default="1.2"),
        label=Text("Format of fiscal documents", "Версия ФФД"),
        choices={"1.05": Text("1.05", "1.05"), "1.1": Text("1.1", "1.1"), "1.2": Text("1.2", "1.2")}, advanced=True)
    tax_systems = setting(
        fields.Integer(load_default=63, validate=validate.Range(1, 63)),
        label=Text("Registered tax systems", "Системы налогообложения"),
        help=Text("Sum of: 1 OSN, 2 USN income, 4 USN income-expense, 16 ESHN, 32 patent. 63 takes all.",
                  "Сумма: 1 ОСН, 2 УСН доход, 4 УСН доход минус расход, 16 ЕСХН, 32 патент. 63 разрешает все."),
        advanced=True)
    internet = setting(
        fields.String(load_default="any"),
        label=Text("Where it is used", "Где применяется"),
        choices={"any": Text("Everywhere", "Везде"), "internet": Text("On the Internet only", "Только в интернете"),
                 "counter": Text("At a counter only", "Только у прилавка")}, advanced=True)
    settlement_place = setting(
        fields.String(load_default="", validate=validate.Length(max=256)),
        label=Text("Place of settlement", "Место расчётов"), example="https://shop.example", advanced=True)
    answer_seconds = setting(
        fields.Float(load_default=3.0, validate=validate.Range(0.1, PATIENCE)),
        label=Text("Seconds to wait for an answer", "Сколько секунд ждать ответа"),
        help=Text("On top of the time that printing takes. After it the receipt's fate is unknown and is looked up "
                  "in the storage.",
                  "Сверх времени печати. Если ответа нет дольше, судьба чека неизвестна и выясняется по накопителю."),
        advanced=True)
