"""What the simulated register refuses with (reference §14): code -> what command 6Bh says of it. The simulator's own
list."""

from __future__ import annotations


class Refusal(Exception):
    """The register refuses a command. ``extended`` is the reason that 6Bh tells beside the code."""

    def __init__(self, code: int, extended: int = 0) -> None:
        super().__init__(f"{code:02X}h {WORDS.get(code, '')}")
        self.code, self.extended = code, extended


class Halted(Exception):
    """The storage broke in the middle of a write: nobody knows what is in it, and the register answers no more."""


# of the storage
UNKNOWN_FORMAT, WRONG_STATE, ARCHIVE_FULL, BAD_TIME, NO_DATA, BAD_VALUE, TLV_TOO_LONG = 1, 2, 6, 7, 8, 9, 0x10
OFD_OVERDUE, SHIFT_24_STORAGE, CLOCK_DIFFERS = 0x15, 0x16, 0x17
MARK_FORBIDDEN, MARK_ORDER, MARK_BLOCKED, MARKS_FULL, MISSING_TAGS, NOT_CHECKED = 0xA0, 0xA1, 0xA2, 0xA3, 0xAA, 0xAC
# of the register
BAD_PARAMETERS, NO_SUCH, BY_SETTINGS, BY_MODEL, NOT_SUPPORTED = 0x33, 0x34, 0x35, 0x36, 0x37
SHIFT_IS_OPEN, SHIFT_NOT_OPEN = 0x3C, 0x3D
DISCOUNT, PAID_TOO_LITTLE, NO_CASH, WRONG_TYPE, RECEIPT_OPEN, BUFFER_FULL = 0x40, 0x45, 0x46, 0x49, 0x4A, 0x4B
NONCASH_OVER, SHIFT_24, PASSWORD, PRINTING = 0x4D, 0x4E, 0x4F, 0x50
RECEIPT_CLOSED, NOTHING_TO_REPEAT, WAITS_CONTINUE, OTHER_OPERATOR = 0x55, 0x56, 0x58, 0x59
DISCOUNT_OVER, NO_TABLE = 0x5A, 0x5D
PRICE, QUANTITY, DEPARTMENT = 0x61, 0x62, 0x63
NO_PAPER, SUBMODE, MODE = 0x6B, 0x72, 0x73
NOT_EDITABLE, DATE_DIFFERS, BAD_DATE, BAD_LENGTH, TOTAL = 0x7A, 0x7C, 0x7D, 0x7E, 0x7F
ZERO_TOTAL, NOT_NOW, CONFIRM_DATE, MARK_UNKNOWN = 0x8E, 0xC7, 0xC0, 0xD3
#: Extended reason of 33h: a tag was given twice.
TAG_REPEATED = 0x0033002F

WORDS = {
    0x00: "Ошибок нет", 0x01: "ФН: неизвестная команда или формат", 0x02: "ФН: неверное состояние",
    0x03: "ФН: отказ", 0x04: "ФН: отказ криптографии", 0x05: "ФН: срок истёк", 0x06: "ФН: архив переполнен",
    0x07: "ФН: неверные дата и время", 0x08: "ФН: нет данных", 0x09: "ФН: неверное значение параметра",
    0x10: "ФН: данные TLV слишком длинны", 0x11: "ФН: нет связи с ОФД", 0x12: "ФН: исчерпан криптографический ресурс",
    0x14: "ФН: исчерпана память", 0x15: "ФН: 30 дней нет подтверждений ОФД", 0x16: "ФН: смена длится больше 24 часов",
    0x17: "ФН: часы кассы и ФН разошлись", 0x20: "ФН: сообщение ОФД отвергнуто", 0x2F: "Обмен с ФН прерван по времени",
    0x30: "ФН не отвечает", 0x33: "Неверные параметры команды", 0x34: "Нет данных", 0x35: "Не разрешено настройками",
    0x36: "Не разрешено в этой модели", 0x37: "Команда не поддерживается", 0x38: "Ошибка ПЗУ",
    0x39: "Внутренняя ошибка", 0x3C: "Смена открыта, операция невозможна",
    0x3D: "Смена не открыта, операция невозможна", 0x40: "Скидка вне диапазона", 0x45: "Оплат меньше итога",
    0x46: "В ящике нет столько наличных", 0x49: "Операция невозможна в чеке этого типа", 0x4A: "Открыт чек",
    0x4B: "Буфер чека заполнен", 0x4D: "Безналичных больше итога", 0x4E: "Смена длится больше 24 часов",
    0x4F: "Неверный пароль", 0x50: "Идёт печать предыдущей команды", 0x55: "Чек закрыт", 0x56: "Нечего повторять",
    0x58: "Ожидание команды продолжения печати", 0x59: "Документ открыт другим оператором",
    0x5A: "Скидка больше накопленной суммы", 0x5D: "Таблица не определена", 0x5E: "Некорректная операция",
    0x61: "Цена вне диапазона", 0x62: "Количество вне диапазона", 0x63: "Отдел вне диапазона",
    0x6B: "Нет чековой ленты", 0x6C: "Нет контрольной ленты", 0x71: "Ошибка отрезчика",
    0x72: "Не поддерживается в этом подрежиме", 0x73: "Не поддерживается в этом режиме", 0x74: "Ошибка ОЗУ",
    0x75: "Ошибка питания", 0x78: "Замена ПО", 0x79: "Замена ФП", 0x7A: "Поле не редактируется",
    0x7B: "Ошибка оборудования", 0x7C: "Дата не совпадает", 0x7D: "Неверный формат даты", 0x7E: "Неверная длина",
    0x7F: "Итог вне диапазона", 0x8E: "Нулевой итог чека", 0x8F: "Касса не фискализирована",
    0xA0: "ФН: работа с маркировкой запрещена", 0xA1: "ФН: неверная последовательность команд маркировки",
    0xA2: "ФН: работа с маркировкой заблокирована", 0xA3: "ФН: таблица проверок заполнена",
    0xAA: "ФН: в TLV нет нужных реквизитов", 0xAC: "ФН: код не проверялся", 0xC0: "Подтвердите дату и время",
    0xC7: "Поле не редактируется в этом режиме", 0xC8: "Нет связи с принтером", 0xC9: "Перегрев головки",
    0xD3: "Код маркировки не распознан", 0xD4: "Код маркировки подделан"}
