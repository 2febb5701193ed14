"""What the emulated register refuses, and why: error code -> sentence, and whether it may pass later by itself.

The codes are the emulator's own, as every vendor has its own; people see the sentence, with ``E20`` small beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hub.fiscal import Text

SHIFT_CLOSED, SHIFT_TOO_LONG, SHIFT_IS_OPEN = 10, 11, 12
NO_PAPER, COVER_OPEN, MUST_CONTINUE = 20, 21, 22
BUSY, DOCUMENT_OPEN, NO_DOCUMENT = 30, 31, 32
SUMS_DIFFER, PAYMENTS_DIFFER, BAD_LINE, BAD_VALUE, WRONG_TAX_SYSTEM, NEEDS_FFD12, NO_CONTACT = range(40, 47)
NO_CASH = 50
STORAGE_FULL, OFD_OVERDUE, STORAGE_EXPIRED, CLOCK_BEHIND, NO_SUCH_DOCUMENT, STORAGE_BROKEN, CLOCK_BEFORE = range(60, 67)
UNKNOWN_COMMAND, NO_SESSION, BAD_REQUEST = range(70, 73)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an error code means. ``retry``: the same command may pass later, once its passing cause is gone."""

    text: Text
    retry: bool = False


MEANINGS: dict[int, Meaning] = {
    SHIFT_CLOSED: Meaning(Text("The shift is closed. Open a shift.", "Смена закрыта. Откройте смену."), True),
    SHIFT_TOO_LONG: Meaning(Text(
        "The shift has lasted over 24 hours, so the register prints no receipts. Close the shift.",
        "Смена длится больше 24 часов, чеки не печатаются. Закройте смену."), True),
    SHIFT_IS_OPEN: Meaning(Text("A shift is open already.", "Смена уже открыта."), True),
    NO_PAPER: Meaning(Text("The register is out of paper. Load a new roll.",
                           "В кассе кончилась бумага. Вставьте новый рулон."), True),
    COVER_OPEN: Meaning(Text("The register's cover is open. Close it.", "Крышка кассы открыта. Закройте её."), True),
    MUST_CONTINUE: Meaning(Text(
        "The register has not finished printing the last document. Load paper, and it goes on.",
        "Касса не допечатала прошлый документ. Вставьте бумагу, и печать продолжится."), True),
    BUSY: Meaning(Text("The register is busy with another job. Wait a moment.",
                       "Касса занята другой работой. Подождите немного."), True),
    DOCUMENT_OPEN: Meaning(Text(
        "Another receipt is being entered at the register. Finish or cancel it there.",
        "На кассе начат другой чек. Закончите его или отмените."), True),
    NO_DOCUMENT: Meaning(Text("No receipt is being entered at the register.", "На кассе нет начатого чека.")),
    SUMS_DIFFER: Meaning(Text("The lines come to {lines}, but the receipt states {total}. Correct the order.",
                              "Сумма позиций {lines}, а в чеке указано {total}. Исправьте заказ.")),
    PAYMENTS_DIFFER: Meaning(Text("The payments come to {paid}, but the receipt to {total}. Correct the order.",
                                  "Сумма оплат {paid}, а сумма чека {total}. Исправьте заказ.")),
    BAD_LINE: Meaning(Text("The register does not take line {line} ({what}). Correct the order.",
                           "Касса не принимает позицию {line} ({what}). Исправьте заказ.")),
    BAD_VALUE: Meaning(Text("The register does not take the value of {what}. Correct the order.",
                            "Касса не принимает значение «{what}». Исправьте заказ.")),
    WRONG_TAX_SYSTEM: Meaning(Text(
        "The register is not registered for this tax system. Change the tax system or register it anew.",
        "Касса не зарегистрирована на эту систему налогообложения. Измените систему или перерегистрируйте кассу.")),
    NEEDS_FFD12: Meaning(Text(
        "Line {line} is marked goods of format 1.2, but the register works by an older format. "
        "Use a register with format 1.2.",
        "Позиция {line} с признаком маркировки формата 1.2, а касса работает по более старому. "
        "Нужна касса с форматом 1.2.")),
    NO_CONTACT: Meaning(Text(
        "A receipt for an Internet payment needs the buyer's e-mail or phone. Add it to the order.",
        "Чеку за интернет-оплату нужны почта или телефон покупателя. Добавьте их в заказ.")),
    NO_CASH: Meaning(Text("There is only {drawer} of cash in the drawer, {wanted} is needed. Put cash in first.",
                          "В ящике только {drawer} наличных, а нужно {wanted}. Сначала внесите наличные."), True),
    STORAGE_FULL: Meaning(Text("The fiscal storage is full. Have it replaced.",
                               "Фискальный накопитель заполнен. Замените его."), True),
    OFD_OVERDUE: Meaning(Text(
        "Documents have not reached the OFD for 30 days, so the storage is blocked. Restore the connection to the "
        "OFD.",
        "Документы не уходят в ОФД 30 дней, накопитель заблокирован. Восстановите связь с ОФД."), True),
    STORAGE_EXPIRED: Meaning(Text("The term of the fiscal storage is over. Have it replaced.",
                                  "Срок фискального накопителя истёк. Замените его."), True),
    CLOCK_BEHIND: Meaning(Text("The register's clock is behind its last document. Set the clock.",
                               "Часы кассы отстают от последнего документа. Установите часы."), True),
    NO_SUCH_DOCUMENT: Meaning(Text("The fiscal storage has no such document.",
                                   "В фискальном накопителе нет такого документа.")),
    STORAGE_BROKEN: Meaning(Text("The register cannot write to its journal ({why}). Check the disk.",
                                 "Касса не может писать в свой журнал ({why}). Проверьте диск."), True),
    CLOCK_BEFORE: Meaning(Text("That time lies before the register's last document.",
                               "Это время раньше последнего документа кассы.")),
    UNKNOWN_COMMAND: Meaning(Text("The register does not know this command.", "Касса не знает такой команды.")),
    NO_SESSION: Meaning(Text("The register was restarted.", "Касса была перезапущена."), True),
    BAD_REQUEST: Meaning(Text("The register cannot read the command ({why}).",
                              "Касса не может прочитать команду ({why}).")),
}


class DeviceError(Exception):
    """The register refuses a command; nothing was written. ``params`` fill the sentence's placeholders."""

    def __init__(self, code: int, **params: Any) -> None:
        super().__init__(f"E{code}", params)
        self.code, self.params = code, params


#: Shown where the register did not say.
_UNSAID = dict.fromkeys(("lines", "total", "paid", "line", "what", "drawer", "wanted", "why"), "?")


def vendor_code(code: int) -> str:
    """``E20``, as it is shown."""
    return f"E{code}"


def meaning(code: int, params: dict[str, Any]) -> Meaning:
    """The meaning of a code with its placeholders filled; an unknown code is shown as it is."""
    known = MEANINGS.get(code)
    if known is None:
        return Meaning(Text("The register refuses with the code E{code}.", "Касса отказала с кодом E{code}.",
                            params={"code": code}))
    if "{" not in known.text.en:
        return known
    return Meaning(known.text.with_(**{**_UNSAID, **params}), known.retry)
