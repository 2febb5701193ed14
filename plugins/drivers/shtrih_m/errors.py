"""Every error code of the reference: what it says about the document, and what a person should do.

The codes are those of registers with a fiscal storage (reference "Error codes"); codes below 2Fh and from A0h come
from the storage itself. A code that is not listed is :attr:`Sort.UNKNOWN`: before a close nothing was printed, whatever
it means; after a close the storage is asked, as after every other code.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hub.fiscal import Text


class Sort(Enum):
    """What an error tells about the document that the command belonged to."""

    #: Nothing printed. Passes by itself, or when somebody has loaded paper, closed the cover, let the head cool.
    PASSING = "passing"
    #: Nothing printed, and not even refused: the same command is taken a moment later.
    BUSY = "busy"
    #: Nothing printed: the register was in another state than the command needs; the next attempt begins with it.
    STATE = "state"
    #: Nothing printed. It will be refused again until the receipt, or a setting, is changed.
    RECEIPT = "receipt"
    #: Nothing printed. The register prints nothing at all until somebody has served it.
    DEVICE = "device"
    #: Something broke inside while it worked: after a close the receipt may be in the storage and on paper.
    MAYBE = "maybe"
    #: Not in the reference.
    UNKNOWN = "unknown"

    @property
    def retry(self) -> bool:
        """Whether the same receipt may pass later without being changed."""
        return self not in (Sort.RECEIPT, Sort.UNKNOWN)

    @property
    def words(self) -> Text:
        """For the table in the documentation."""
        return _SORTS[self]


_SORTS = {
    Sort.PASSING: Text("not printed, goes on by itself afterwards", "не напечатан, потом продолжится сам"),
    Sort.BUSY: Text("not printed, tried again in a moment", "не напечатан, повтор через мгновение"),
    Sort.STATE: Text("not printed, tried again from the beginning", "не напечатан, попытка с начала"),
    Sort.RECEIPT: Text("not printed, change the receipt or a setting", "не напечатан, исправьте чек или настройку"),
    Sort.DEVICE: Text("not printed, the register needs service", "не напечатан, кассу нужно обслужить"),
    Sort.MAYBE: Text("may be printed, the storage is asked", "мог напечататься, спрашиваем накопитель"),
    Sort.UNKNOWN: Text("unknown, the storage is asked", "неизвестно, спрашиваем накопитель")}


@dataclass(frozen=True, slots=True)
class Meaning:
    """One code. ``text`` says what is wrong and what to do."""

    code: int
    sort: Sort
    text: Text


P, B, S, R, D, M = (Sort.PASSING, Sort.BUSY, Sort.STATE, Sort.RECEIPT, Sort.DEVICE, Sort.MAYBE)

#: Codes that the driver itself acts upon.
EXCHANGE, NO_STORAGE, BAD_PARAMETERS, NO_DATA, UNSUPPORTED = 0x2F, 0x30, 0x33, 0x34, 0x37
SHIFT_IS_OPEN, SHIFT_IS_CLOSED, DOCUMENT_OPEN, OVER_24, WRONG_PASSWORD = 0x3C, 0x3D, 0x4A, 0x4E, 0x4F
PRINTING, MUST_CONTINUE, FOREIGN, NO_PAPER, NO_RIBBON = 0x50, 0x58, 0x59, 0x6B, 0x6C
WRONG_SUBMODE, WRONG_MODE, NO_TABLE, NO_DOCUMENT, NO_COPY = 0x72, 0x73, 0x5D, 0x08, 0x56
UNKNOWN_COMMAND, STATE_OF_STORAGE, SHIFT_24_STORAGE, CLOCK = 0x01, 0x02, 0x16, 0x17
#: The receipt was closed already, or there is none.
NO_RECEIPT = 0x55
NO_FIELD = frozenset({BAD_PARAMETERS, 0x35, 0x36, UNSUPPORTED, NO_TABLE, NO_DATA})

_CENTRE = ("Call the service centre.", "Вызовите сервисный центр.")
_ORDER = ("Correct the order.", "Исправьте заказ.")
_TOTALS = ("Close the shift.", "Закройте смену.")

_ROWS: tuple[tuple[int, Sort, str, str], ...] = (
    # -- from the fiscal storage ------------------------------------------------------------------------------------
    (0x01, R, "The fiscal storage does not know this command, or its data are wrong. Update the register's firmware.",
     "Накопитель не знает этой команды, или в ней неверные данные. Обновите прошивку кассы."),
    (0x02, S, "The fiscal storage is in another state than the command needs. The hub begins again.",
     "Накопитель в другом состоянии, чем нужно для команды. Хаб начнёт заново."),
    (0x03, M, f"The fiscal storage has failed. {_CENTRE[0]}", f"Неисправность фискального накопителя. {_CENTRE[1]}"),
    (0x04, M, f"The storage's cryptographic part has failed. {_CENTRE[0]}",
     f"Неисправен криптопроцессор накопителя. {_CENTRE[1]}"),
    (0x05, D, "The term of the fiscal storage is over. Have it replaced.",
     "Срок фискального накопителя истёк. Замените его."),
    (0x06, D, "The archive of the fiscal storage is full. Have it replaced.",
     "Архив фискального накопителя заполнен. Замените его."),
    (0x07, S, "The storage does not take the register's date and time. Set the register's clock.",
     "Накопитель не принимает дату и время кассы. Установите часы кассы."),
    (0x08, R, "The fiscal storage has no such data.", "В накопителе нет таких данных."),
    (0x09, R, f"The storage does not take a value of the receipt. {_ORDER[0]}",
     f"Накопитель не принимает одно из значений чека. {_ORDER[1]}"),
    (0x10, R, "A text of the receipt is too long for the storage. Shorten the order.",
     "Реквизиты чека слишком длинные для накопителя. Сократите заказ."),
    (0x11, P, "The storage has no connection to the register's transport part. Restart the register.",
     "Нет транспортного соединения с накопителем. Перезапустите кассу."),
    (0x12, D, "The cryptographic resource of the storage is used up. Have it replaced.",
     "Ресурс криптопроцессора накопителя исчерпан. Замените накопитель."),
    (0x14, D, "The storage's memory is used up. Have it replaced.",
     "Ресурс хранения накопителя исчерпан. Замените его."),
    (0x15, D, "Documents have not reached the OFD for 30 days, so the storage is blocked. Restore the connection to "
     "the OFD.", "Документы не уходят в ОФД 30 дней, накопитель заблокирован. Восстановите связь с ОФД."),
    (0x16, S, "The shift has lasted over 24 hours. Close the shift.", "Смена длится больше 24 часов. Закройте смену."),
    (0x17, S, "The register's clock differs from the storage's by more than five minutes. Set the clock.",
     "Часы кассы расходятся с накопителем больше чем на пять минут. Установите часы."),
    (0x20, P, "The storage refused the OFD's message. If it repeats, tell the OFD.",
     "Накопитель не принял сообщение ОФД. Если повторяется, обратитесь в ОФД."),
    (0x23, P, "The marking keys are not updated. Check the connection to the key update server.",
     "Ключи проверки маркировки не обновлены. Проверьте связь с сервером обновления ключей."),
    (0x24, P, "The marking keys are out of date. Check the connection to the key update server.",
     "Ключи проверки маркировки устарели. Проверьте связь с сервером обновления ключей."),
    (0x30, M, "The fiscal storage does not respond. Restart the register.",
     "Фискальный накопитель не отвечает. Перезапустите кассу."),
    # -- from the register ------------------------------------------------------------------------------------------
    (0x2F, M, "The fiscal storage did not answer in time. Restart the register if it repeats.",
     "Накопитель не ответил вовремя. Если повторяется, перезапустите кассу."),
    (0x33, R, f"The register does not take the command's data. {_ORDER[0]}",
     f"Касса не принимает данные команды. {_ORDER[1]}"),
    (0x34, R, "The register has no data.", "В кассе нет данных."),
    (0x35, R, "A value is impossible with the register's present settings. Look at its settings below.",
     "Значение невозможно при нынешних настройках кассы. Проверьте её настройки."),
    (0x36, R, "A value is impossible for this model. Look at what this model can do.",
     "Значение невозможно для этой модели кассы. Проверьте, что умеет модель."),
    (0x37, R, "The register does not know this command. Update its firmware.",
     "Касса не знает этой команды. Обновите прошивку."),
    (0x38, M, f"The register's program memory has failed. {_CENTRE[0]}", f"Ошибка памяти программ кассы. {_CENTRE[1]}"),
    (0x39, M, "The register has an internal error. Restart it; if it repeats, call the service centre.",
     "Внутренняя ошибка кассы. Перезапустите её; если повторяется, вызовите сервисный центр."),
    (0x3A, S, f"The shift's total of surcharges is full. {_TOTALS[0]}",
     f"Переполнен итог надбавок смены. {_TOTALS[1]}"),
    (0x3C, S, "The shift is open, so this is impossible. Close the shift.",
     "Смена открыта, операция невозможна. Закройте смену."),
    (0x3D, S, "The shift is closed, so this is impossible. Open a shift.",
     "Смена закрыта, операция невозможна. Откройте смену."),
    (0x3E, S, f"The shift's total of a department is full. {_TOTALS[0]}",
     f"Переполнен итог секции за смену. {_TOTALS[1]}"),
    (0x3F, S, f"The shift's total of discounts is full. {_TOTALS[0]}",
     f"Переполнен итог скидок за смену. {_TOTALS[1]}"),
    (0x40, R, f"The discount is out of range. {_ORDER[0]}", f"Скидка вне допустимых пределов. {_ORDER[1]}"),
    (0x41, R, f"The cash sum is out of range. {_ORDER[0]}", f"Сумма наличными вне допустимых пределов. {_ORDER[1]}"),
    (0x42, R, f"The sum of payment type 2 is out of range. {_ORDER[0]}",
     f"Сумма оплаты типа 2 вне допустимых пределов. {_ORDER[1]}"),
    (0x43, R, f"The sum of payment type 3 is out of range. {_ORDER[0]}",
     f"Сумма оплаты типа 3 вне допустимых пределов. {_ORDER[1]}"),
    (0x44, R, f"The sum of payment type 4 is out of range. {_ORDER[0]}",
     f"Сумма оплаты типа 4 вне допустимых пределов. {_ORDER[1]}"),
    (0x45, R, f"The payments are less than the receipt's total. {_ORDER[0]}",
     f"Сумма оплат меньше суммы чека. {_ORDER[1]}"),
    (0x46, P, "There is not enough cash in the drawer. Put cash in first.",
     "В ящике не хватает наличных. Сначала внесите наличные."),
    (0x47, S, f"The total of a tax is full. {_TOTALS[0]}", f"Переполнен итог налога. {_TOTALS[1]}"),
    (0x48, R, "The receipt's total is too large for the register. Split the order.",
     "Сумма чека слишком велика для кассы. Разделите заказ."),
    (0x49, R, "This is impossible in a receipt of this kind. Correct the order.",
     "Операция невозможна в чеке этого вида. Исправьте заказ."),
    (0x4A, S, "Another receipt is open at the register. Finish or cancel it there.",
     "На кассе открыт другой чек. Закончите его или отмените."),
    (0x4B, R, "The receipt has too many lines for the register. Split the order.",
     "В чеке слишком много позиций для кассы. Разделите заказ."),
    (0x4C, S, f"The turnover of a tax is full. {_TOTALS[0]}", f"Переполнен оборот по налогу. {_TOTALS[1]}"),
    (0x4D, R, f"Cashless payments are more than the receipt's total. {_ORDER[0]}",
     f"Безналичная оплата больше суммы чека. {_ORDER[1]}"),
    (0x4E, S, "The shift has lasted over 24 hours. Close the shift.", "Смена длится больше 24 часов. Закройте смену."),
    (0x4F, D, "The register does not take the operator's password. Write the right one into the settings.",
     "Касса не принимает пароль оператора. Укажите верный пароль в настройках."),
    (0x50, B, "The register is still printing. Wait a moment.", "Касса ещё печатает. Подождите немного."),
    (0x51, S, f"The total of cash payments is full. {_TOTALS[0]}",
     f"Переполнен накопитель оплат наличными. {_TOTALS[1]}"),
    (0x52, S, f"The total of payment type 2 is full. {_TOTALS[0]}",
     f"Переполнен накопитель оплат типа 2. {_TOTALS[1]}"),
    (0x53, S, f"The total of payment type 3 is full. {_TOTALS[0]}",
     f"Переполнен накопитель оплат типа 3. {_TOTALS[1]}"),
    (0x54, S, f"The total of payment type 4 is full. {_TOTALS[0]}",
     f"Переполнен накопитель оплат типа 4. {_TOTALS[1]}"),
    (0x55, S, "The receipt is closed already. The hub looks into the storage.",
     "Чек уже закрыт. Хаб проверит накопитель."),
    (0x56, R, "There is no document to print again.", "Нет документа для повтора."),
    (0x58, B, "The register waits to go on printing. Load paper, and it goes on.",
     "Касса ждёт продолжения печати. Вставьте бумагу, и печать продолжится."),
    (0x59, S, "Another operator has a document open at the register. Finish or cancel it there.",
     "На кассе открыт документ другого оператора. Закончите его или отмените."),
    (0x5A, R, f"The discount is more than the lines come to. {_ORDER[0]}",
     f"Скидка больше накопленной суммы. {_ORDER[1]}"),
    (0x5B, R, f"The surcharge is out of range. {_ORDER[0]}", f"Надбавка вне допустимых пределов. {_ORDER[1]}"),
    (0x5C, P, "The 24 V supply is low. Check the register's power supply.",
     "Понижено напряжение 24 В. Проверьте блок питания кассы."),
    (0x5D, R, "The register has no such setting (table). Update its firmware.",
     "В кассе нет такой таблицы настроек. Обновите прошивку."),
    (0x5E, R, f"The operation is not allowed. {_ORDER[0]}", f"Некорректная операция. {_ORDER[1]}"),
    (0x5F, R, f"The receipt's total would be negative. {_ORDER[0]}", f"Отрицательный итог чека. {_ORDER[1]}"),
    (0x60, R, "Price times quantity is too large for the register. Split the order.",
     "Цена на количество слишком велика для кассы. Разделите заказ."),
    (0x61, R, f"A price is out of range. {_ORDER[0]}", f"Цена вне допустимых пределов. {_ORDER[1]}"),
    (0x62, R, f"A quantity is out of range. {_ORDER[0]}", f"Количество вне допустимых пределов. {_ORDER[1]}"),
    (0x63, R, "The department's number is out of range. Correct the order's department.",
     "Номер отдела вне допустимых пределов. Исправьте отдел в заказе."),
    (0x65, P, "There is not enough money in the department. Put cash in first.",
     "В секции не хватает денег. Сначала внесите наличные."),
    (0x66, S, f"The total of a department is full. {_TOTALS[0]}", f"Переполнение в секции. {_TOTALS[1]}"),
    (0x68, S, "The turnover of a tax is too small for this return. Print it in the shift of its sale.",
     "Не хватает оборота по налогу для этого возврата. Пробейте его в смене продажи."),
    (0x69, S, f"The turnover of a tax is full. {_TOTALS[0]}", f"Переполнение оборота по налогу. {_TOTALS[1]}"),
    (0x6A, M, "The power failed while the register worked. Check its power supply.",
     "Сбой питания во время работы кассы. Проверьте питание."),
    (0x6B, P, "The register is out of paper. Load a new roll.", "В кассе кончилась бумага. Вставьте новый рулон."),
    (0x6C, P, "The journal roll is used up. Load a new one.", "Кончилась контрольная лента. Вставьте новую."),
    (0x6D, S, "The sum of a tax is too small for this return. Print it in the shift of its sale.",
     "Не хватает суммы налога для этого возврата. Пробейте его в смене продажи."),
    (0x6E, S, f"The total of a tax is full. {_TOTALS[0]}", f"Переполнение денег по налогу. {_TOTALS[1]}"),
    (0x6F, S, f"The total of cash paid out is full. {_TOTALS[0]}", f"Переполнение по выплате за смену. {_TOTALS[1]}"),
    (0x71, M, "The cutter is jammed. Free it and switch the register off and on.",
     "Ошибка отрезчика. Освободите нож, выключите и включите кассу."),
    (0x72, P, "The register cannot do this now: it is out of paper or still printing. Look at it.",
     "Команда сейчас невозможна: нет бумаги или идёт печать. Посмотрите на кассу."),
    (0x73, S, "The register is in another mode than the command needs. The hub begins again.",
     "Касса в другом режиме, чем нужно для команды. Хаб начнёт заново."),
    (0x74, M, f"The register's memory has failed. {_CENTRE[0]}", f"Ошибка памяти кассы. {_CENTRE[1]}"),
    (0x75, M, "The register has a fault of its power. Check the power supply.",
     "Ошибка питания кассы. Проверьте блок питания."),
    (0x76, M, f"The printer's motor does not turn. {_CENTRE[0]}",
     f"Нет импульсов с тахогенератора печати. {_CENTRE[1]}"),
    (0x77, M, f"The printer's sensor gives no signal. {_CENTRE[0]}", f"Нет сигнала с датчиков печати. {_CENTRE[1]}"),
    (0x78, D, f"The firmware was replaced. {_CENTRE[0]}", f"Замена прошивки кассы. {_CENTRE[1]}"),
    (0x79, D, f"The fiscal memory was replaced. {_CENTRE[0]}", f"Замена фискальной памяти. {_CENTRE[1]}"),
    (0x7A, R, "This setting of the register cannot be changed.", "Это поле настроек кассы не изменяется."),
    (0x7B, M, f"The register's hardware has failed. {_CENTRE[0]}", f"Ошибка оборудования кассы. {_CENTRE[1]}"),
    (0x7C, S, "The date that was confirmed is not the one that was set. Set the clock again.",
     "Подтверждена не та дата. Установите часы ещё раз."),
    (0x7D, R, "The date is wrong. Correct it.", "Неверный формат даты. Исправьте её."),
    (0x7E, R, "The length of a field is wrong. Update the register's firmware.",
     "Неверное значение в поле длины. Обновите прошивку кассы."),
    (0x7F, R, "The receipt's total is out of range. Split the order.",
     "Итог чека вне допустимых пределов. Разделите заказ."),
    *((code, S, f"A total of the shift or of the receipt is full or negative. {_TOTALS[0]}",
       f"Переполнен или отрицателен счётчик смены или чека. {_TOTALS[1]}") for code in range(0x84, 0x8E)),
    (0x8E, R, f"The receipt's total is zero. {_ORDER[0]}", f"Нулевой итог чека. {_ORDER[1]}"),
    (0x8F, D, "The register is not registered with the tax office. Register it first.",
     "Касса не зарегистрирована в налоговой. Зарегистрируйте её."),
    (0x90, R, "A field is longer than the register's settings allow. Shorten the order's texts.",
     "Поле длиннее, чем разрешено в настройках кассы. Сократите тексты заказа."),
    (0x91, R, "A text leaves the printing area. Correct the printing settings.",
     "Выход за границу поля печати. Проверьте настройки печати."),
    (0x92, R, "Fields overlap on paper. Correct the printing settings.",
     "Наложение полей при печати. Проверьте настройки печати."),
    (0x93, S, "The register has restored its memory. The hub begins again.",
     "Касса восстановила память. Хаб начнёт заново."),
    (0x94, R, "The number of operations in a receipt is used up. Split the order.",
     "Исчерпан лимит операций в чеке. Разделите заказ."),
    (0xA0, R, "Work with marked goods is not allowed in this storage. Register the register for marked goods.",
     "Работа с маркированными товарами в накопителе запрещена. Перерегистрируйте кассу."),
    (0xA1, S, "The sequence of commands on marked goods was broken. The hub begins again.",
     "Нарушена последовательность команд по маркировке. Хаб начнёт заново."),
    (0xA2, P, "Work with marked goods is blocked for now. Check the connection to the OFD and the marking system.",
     "Работа с маркировкой временно заблокирована. Проверьте связь с ОФД и системой маркировки."),
    (0xA3, S, "The storage's table of checked codes is full. The hub clears it and begins again.",
     "Таблица проверки кодов маркировки заполнена. Хаб очистит её и начнёт заново."),
    (0xAA, R, "The storage misses data in the receipt. Look at the properties of the order.",
     "В чеке нет обязательных реквизитов. Проверьте реквизиты заказа."),
    (0xAC, S, "A marking code was not checked before the sale. The hub begins again.",
     "Код маркировки не был проверен перед продажей. Хаб начнёт заново."),
    (0xC0, S, "The register waits for its date and time to be confirmed. Set the clock.",
     "Касса ждёт подтверждения даты и времени. Установите часы."),
    (0xC2, P, "The supply voltage is too high. Check the register's power supply.",
     "Повышено напряжение питания. Проверьте блок питания кассы."),
    (0xC4, D, f"The shift numbers of the register and its storage differ. {_CENTRE[0]}",
     f"Номера смен кассы и накопителя не совпадают. {_CENTRE[1]}"),
    (0xC7, R, "This setting cannot be changed in the present mode. Close the shift first.",
     "Поле настроек не изменяется в этом режиме. Сначала закройте смену."),
    (0xC8, M, f"The register has no connection to its printer. {_CENTRE[0]}", f"Нет связи с принтером. {_CENTRE[1]}"),
    (0xC9, P, "The printing head is too hot. Let it cool.", "Перегрев печатающей головки. Дайте ей остыть."),
    (0xCA, P, "The temperature is out of range. Warm or cool the register.",
     "Температура вне рабочих пределов. Согрейте или охладите кассу."),
    (0xD1, R, "There are no documents in the buffer.", "В буфере нет документов."),
    (0xD3, R, "The register does not recognise the marking code, or the goods were withdrawn. Scan the code again; do "
     "not sell the piece otherwise.",
     "Касса не распознала код маркировки, или товар выведен из оборота. Отсканируйте ещё раз, иначе не продавайте."),
    (0xD4, R, "The marking code is falsified. Do not sell this piece.",
     "Код маркировки подделан. Не продавайте этот товар."),
    (0xD5, R, "The marking system did not accept the register. Check the register's marking settings.",
     "Ошибка авторизации в системе маркировки. Проверьте настройки маркировки кассы."),
)

MEANINGS: dict[int, Meaning] = {code: Meaning(code, sort, Text(en, ru)) for code, sort, en, ru in _ROWS}
assert len(MEANINGS) == len(_ROWS), "an error code stands in the table twice"


def vendor_code(code: int) -> str:
    """``6Bh``, as the vendor writes it."""
    return f"{code:02X}h"


def meaning(code: int) -> Meaning:
    """What a code means; one that nobody knows is shown as it is."""
    return MEANINGS.get(code) or Meaning(code, Sort.UNKNOWN, Text(
        "The register refuses with the code {code}. Look it up in the register's manual.",
        "Касса отказала с кодом {code}. Посмотрите его в руководстве кассы.", params={"code": vendor_code(code)}))


class Refusal(Exception):
    """The register answered with an error. ``detail`` are its own words about it, where it has some."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(vendor_code(code), detail)
        self.code, self.detail = code, detail

    @property
    def sort(self) -> Sort:
        return meaning(self.code).sort

    @property
    def reason(self) -> Text:
        """The sentence, with the register's own words behind it."""
        text = meaning(self.code).text
        if not self.detail:
            return text
        return Text("{words} ({detail})", "{words} ({detail})", params={"words": text, "detail": self.detail})
