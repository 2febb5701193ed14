"""The register's settings tables (reference §9). Values live in the journal as they were written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hub_plugins.drivers.shtrih_m.simulated_errors import BAD_LENGTH, BAD_PARAMETERS, NO_TABLE, NOT_EDITABLE, Refusal

OPERATORS, ADMIN, SYSTEM = 30, 29, 30
#: The twelve groups of table 6: percent x100 as the register shows it, and its name.
RATES = ((2000, "НДС 20%"), (1000, "НДС 10%"), (0, "НДС 0%"), (0, "БЕЗ НДС"), (2000, "НДС 20/120"),
         (1000, "НДС 10/110"), (500, "НДС 5%"), (700, "НДС 7%"), (500, "НДС 5/105"), (700, "НДС 7/107"),
         (2200, "НДС 22%"), (2200, "НДС 22/122"))
#: What stands behind the NUL of a CHAR value: whatever was in memory.
GARBAGE = b"00/7798 0010000"

Key = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Field:
    """One field. ``limits`` of a number; None makes it a CHAR of ``size`` bytes."""

    name: str
    size: int
    limits: tuple[int, int] | None = None
    locked: bool = False


def _number(name: str, most: int = 255, size: int = 1, least: int = 0, locked: bool = False) -> Field:
    return Field(name, size, (least, most), locked)


class Tables:
    """The tables of one register, and their values."""

    def __init__(self, cashcore: bool = False) -> None:
        self.names: dict[int, tuple[str, int]] = {
            1: ("ТИП И РЕЖИМ КАССЫ", 1), 2: ("ПАРОЛИ КАССИРОВ И АДМИНИСТРАТОРОВ", OPERATORS),
            5: ("НАИМЕНОВАНИЕ ТИПОВ ОПЛАТЫ", 16), 6: ("НАЛОГОВЫЕ СТАВКИ", 12), 10: ("СЛУЖЕБНАЯ", 1),
            17: ("РЕГИОНАЛЬНЫЕ НАСТРОЙКИ", 1), 18: ("FISCAL STORAGE", 1), 19: ("ПАРАМЕТРЫ ОФД", 1),
            20: ("СТАТУС ОБМЕНА ФН", 1), 21: ("СЕТЕВЫЕ ИНТЕРФЕЙСЫ", 1), 25: ("РЕКВИЗИТЫ", 1)}
        self.fields: dict[tuple[int, int], Field] = dict(_fields())
        self.version_at: Key = (10, 1, 29) if cashcore else (17, 1, 17)
        self.values: dict[Key, bytes] = {}
        #: Values that are worked out when somebody reads them.
        self.live: dict[Key, Callable[[], bytes]] = {}
        for (table, number), known in self.fields.items():
            for row in range(1, self.names[table][1] + 1):
                self.values[table, row, number] = bytes(known.size)
        self._defaults()

    def _defaults(self) -> None:
        for row in range(1, OPERATORS + 1):
            name = {ADMIN: "Администратор", SYSTEM: "Сист. администратор"}.get(row, f"Кассир {row}")
            self.set((2, row, 1), row)
            self.set((2, row, 2), name)
        fixed = {1: "НАЛИЧНЫМИ", 2: "ПЛАТ. КАРТОЙ", 14: "АВАНСОМ", 15: "В КРЕДИТ", 16: "ИНЫМИ"}
        for row in range(1, 17):
            self.set((5, row, 1), fixed.get(row, f"ТИП ОПЛАТЫ {row}"))
        for row, (rate, name) in enumerate(RATES, 1):
            self.set((6, row, 1), rate)
            self.set((6, row, 2), name)
        for key, value in {(1, 1, 7): 1, (1, 1, 20): 1, (17, 1, 17): 4, (10, 1, 29): 4, (17, 1, 71): 2,
                           (19, 1, 2): 7777, (19, 1, 6): 7790, (19, 1, 7): 5, (19, 1, 8): 5, (21, 1, 3): 1,
                           (21, 1, 4): 7778, (21, 1, 16): 60}.items():
            self.set(key, value)
        self.set((19, 1, 1), "ofd.example.org")
        self.set((19, 1, 5), "mark.example.org")

    # -- by program ----------------------------------------------------------------------------------------------

    def set(self, key: Key, value: int | str) -> None:
        """Sets a value without asking."""
        known = self.fields[key[0], key[2]]
        self.values[key] = (value.to_bytes(known.size, "little") if isinstance(value, int)
                            else value.encode("cp1251", "replace")[:known.size].ljust(known.size, b"\0"))

    def number(self, table: int, field: int, row: int = 1) -> int:
        """A number."""
        return int.from_bytes(self.values[table, row, field], "little")

    def words(self, table: int, field: int, row: int = 1) -> str:
        """A text, up to its first 00."""
        return self.values[table, row, field].split(b"\0")[0].decode("cp1251")

    # -- by wire -------------------------------------------------------------------------------------------------

    def field(self, key: Key) -> Field:
        """The field; Refusal when there is no such table, row or field."""
        table, row, number = key
        if table not in self.names:
            raise Refusal(NO_TABLE)
        known = self.fields.get((table, number))
        if known is None or not 1 <= row <= self.names[table][1]:
            raise Refusal(BAD_PARAMETERS)
        return known

    def read(self, key: Key, garbage: bool = True) -> bytes:
        """1Fh: a value as it goes over the wire; ``garbage`` behind the NUL of a CHAR, as real registers have."""
        known = self.field(key)
        value = self.live[key]() if key in self.live else self.values[key]
        if known.limits is None:
            value = value.ljust(known.size, b"\0")[:known.size]
            end = value.find(b"\0")
            if garbage and 0 <= end < known.size - 1:
                rest = known.size - end - 1
                value = value[:end + 1] + (GARBAGE * (rest // len(GARBAGE) + 1))[:rest]
        return value

    def check(self, key: Key, value: bytes) -> bytes:
        """1Eh: the value as it is kept; Refusal when the field does not take it."""
        known = self.field(key)
        if known.locked or key in self.live:
            raise Refusal(NOT_EDITABLE)
        if len(value) > known.size or (known.limits and len(value) != known.size):
            raise Refusal(BAD_LENGTH)
        if known.limits and not known.limits[0] <= int.from_bytes(value, "little") <= known.limits[1]:
            raise Refusal(BAD_PARAMETERS)
        return value.ljust(known.size, b"\0")

    def table_structure(self, table: int) -> bytes:
        """2Dh."""
        if table not in self.names:
            raise Refusal(NO_TABLE)
        name, rows = self.names[table]
        most = max(number for one, number in self.fields if one == table)
        return _name(name) + rows.to_bytes(2, "little") + bytes((most,))

    def field_structure(self, table: int, number: int) -> bytes:
        """2Eh."""
        known = self.field((table, 1, number))
        if known.limits is None:
            return _name(known.name) + bytes((1, known.size, 0, 0))
        return (_name(known.name) + bytes((0, known.size))
                + b"".join(limit.to_bytes(known.size, "little") for limit in known.limits))


def _name(words: str) -> bytes:
    return words.encode("cp1251")[:40].ljust(40, b"\0")


def _fields() -> Iterable[tuple[tuple[int, int], Field]]:
    named = {7: "Отрезка чека", 14: "Начисление налогов", 20: "Печать чека при закрытии", 57: "Принимать любые КМ"}
    for number in range(1, 58):
        yield (1, number), _number(named.get(number, f"Режим {number}"))
    yield (2, 1), _number("Пароль", 99_999_999, 4)
    yield (2, 2), Field("Должность и фамилия", 64)
    yield (5, 1), Field("Наименование типа оплаты", 24)
    yield (6, 1), _number("Величина налога", 10_000, 2)
    yield (6, 2), Field("Наименование налога", 56)
    for number in range(1, 30):
        yield (10, number), _number("Версия ФФД" if number == 29 else f"Служебное поле {number}")
    named = {7: "Печать документов", 17: "Формат ФД", 36: "Расширенные ответы", 41: "Принимать любые КМ",
             71: "Замена НДС 20 на 22"}
    for number in range(1, 72):
        yield (17, number), _number(named.get(number, f"Настройка {number}"))
    for number, name, size in ((1, "Серийный номер", 21), (2, "ИНН", 12), (3, "РНМ", 20), (4, "Номер ФН", 16),
                               (7, "Пользователь", 128), (8, "Оператор", 64), (9, "Адрес расчётов", 128),
                               (14, "Место расчётов", 128), (15, "E-mail отправителя", 64)):
        yield (18, number), Field(name, size, locked=number < 5)
    for number, name in ((5, "Системы налогообложения"), (6, "Режим работы"), (21, "Режим работы расш.")):
        yield (18, number), _number(name, locked=True)
    yield (19, 1), Field("Сервер ОФД", 64)
    yield (19, 2), _number("Порт ОФД", 65_535, 2)
    yield (19, 5), Field("Сервер КМ", 64)
    yield (19, 6), _number("Порт КМ", 65_535, 2)
    yield (19, 7), _number("Таймаут чтения")
    yield (19, 8), _number("Таймаут сервера КМ")
    for number, name, size in ((1, "Статус обмена", 1), (2, "Чтение сообщения", 1), (3, "Сообщений", 2),
                               (4, "Первый документ", 4), (5, "Дата первого", 5)):
        yield (20, number), Field(name, size, (0, 256 ** size - 1), locked=True)
    yield (21, 3), _number("TCP-сервер", 1)
    yield (21, 4), _number("Порт TCP", 65_535, 2)
    yield (21, 16), _number("Таймаут TCP-соединения", 65_535, 2)
    yield (25, 1), Field("1048", 128)
