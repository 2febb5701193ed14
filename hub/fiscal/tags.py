"""Every tag of a Russian fiscal document as data: number, names, type, size, place, nesting (fiscal-domain §1, §2).

Sizes are bytes of the value and bind the writer only; where the reference's sources disagree (1191, 1272) the smaller
one and text are written, and anything is read. What the reference lists as "counters, STLV" are STLVs and the counts
and sums inside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from hub.fiscal.text import Text


class Type(Enum):
    """How a value is written (fiscal-domain §1). Integers are little-endian."""

    BYTE = "byte"
    U16 = "u16"
    U32 = "u32"
    VLN = "vln"  # unsigned of as few bytes as it needs, at least one
    FVLN = "fvln"  # one byte: how many decimals; then a VLN
    TIME = "time"  # u32: local wall time as if it were UTC
    STRING = "string"  # CP866
    BYTES = "bytes"
    MASK = "mask"  # bits, as many bytes as the tag's size
    STLV = "stlv"  # tags inside a tag


class Place(Enum):
    """Where a tag may stand. What stands inside another tag says so by :attr:`TagInfo.parents`."""

    DOCUMENT = "D"
    ITEM = "I"
    CORRECTION = "C"
    SHIFT = "S"
    REGISTRATION = "R"
    BUYER = "B"
    MARKING = "M"


@dataclass(frozen=True, slots=True)
class TagInfo:
    """One tag. ``parents`` are the STLVs it may stand in, empty when it stands in the document itself only; ``top``
    whether it may also stand in the document itself. ``padded`` is the width that spaces on the right fill."""

    number: int
    en: str
    ru: str
    type: Type
    most: int
    places: frozenset[Place]
    parents: frozenset[int]
    children: frozenset[int]
    top: bool
    padded: int = 0


#: Codes of documents (fiscal-domain §1): where a document is itself wrapped as a tag, this is the tag.
DOCUMENTS = MappingProxyType({
    1: "registration", 11: "re-registration", 2: "shift opened", 21: "calculation state", 3: "receipt",
    31: "correction receipt", 4: "strict form", 41: "correction strict form", 5: "shift closed", 6: "storage closed",
    7: "operator's confirmation", 81: "request on a code", 82: "sale notification", 83: "answer on a code",
    84: "acknowledgement of a notification"})

ITEM, BUYER, GOODS = 1059, 1256, 2007
#: The STLV that a place letter of the reference means.
_INSIDE = {"I": ITEM, "B": BUYER}
#: INNs are filled with spaces to 12 bytes, the registration number to 20 (fiscal-domain §1).
_PADDED = {1016: 12, 1017: 12, 1018: 12, 1203: 12, 1226: 12, 1228: 12, 1037: 20}
_SIZES = {Type.BYTE: 1, Type.U16: 2, Type.U32: 4, Type.TIME: 4, Type.VLN: 6, Type.FVLN: 8, Type.STLV: 65535}

B, H, W, V, F, T, S, X, K, L = (Type.BYTE, Type.U16, Type.U32, Type.VLN, Type.FVLN, Type.TIME, Type.STRING, Type.BYTES,
                                Type.MASK, Type.STLV)

#: Counters stand in the report or in one of its sums; counts and sums stand in the counters.
_COUNTERS = "S 1157 1158 1194"
_VAT_COUNTED = "1129 1130 1131 1132"
_COUNTED = f"{_VAT_COUNTED} 1133 1232 1233"

#: (number, type, size or 0 for the type's own, places and parents, English, Russian). In the fourth column letters are
#: places (D I C S R B M) and numbers the STLVs a tag stands in.
_ROWS: tuple[tuple[int, Type, int, str, str, str], ...] = (
    (1000, S, 256, "D", "document name", "наименование документа"),
    (1001, B, 0, "R", "automatic mode", "признак автоматического режима"),
    (1002, B, 0, "R", "autonomous mode", "признак автономного режима"),
    (1005, S, 256, "D 1223", "transfer operator address", "адрес оператора перевода"),
    (1008, S, 64, "D", "buyer phone or e-mail", "телефон или электронный адрес покупателя"),
    (1009, S, 256, "D C S R", "settlement address", "адрес расчётов"),
    (1012, T, 0, "D C S R M", "date, time", "дата, время"),
    (1013, S, 20, "R", "register serial number", "заводской номер ККТ"),
    (1016, S, 12, "D 1223", "transfer operator INN", "ИНН оператора перевода"),
    (1017, S, 12, "R", "OFD INN", "ИНН ОФД"),
    (1018, S, 12, "D C S R", "user INN", "ИНН пользователя"),
    (1020, V, 0, "D C", "receipt total", "сумма расчёта, указанного в чеке"),
    (1021, S, 64, "D C S R", "cashier", "кассир"),
    (1023, F, 0, "I", "quantity", "количество предмета расчёта"),
    (1026, S, 64, "D 1223", "transfer operator name", "наименование оператора перевода"),
    (1030, S, 128, "I", "item name", "наименование предмета расчёта"),
    (1031, V, 0, "D C", "paid in cash", "сумма по чеку наличными"),
    (1036, S, 20, "D", "machine number", "номер автомата"),
    (1037, S, 20, "D C S R M", "registration number", "регистрационный номер ККТ"),
    (1038, W, 0, "D C S", "shift number", "номер смены"),
    (1040, W, 0, "D C S R M", "fiscal document number", "номер фискального документа"),
    (1041, S, 16, "D C S R M", "fiscal storage number", "номер ФН"),
    (1042, W, 0, "D C", "receipt number in the shift", "номер чека за смену"),
    (1043, V, 0, "I", "item cost with discounts", "стоимость предмета расчёта с учётом скидок и наценок"),
    (1044, S, 24, "D 1223", "paying agent operation", "операция банковского платёжного агента"),
    (1046, S, 256, "R", "OFD name", "наименование ОФД"),
    (1048, S, 256, "D C S R", "user name", "наименование пользователя"),
    (1050, B, 0, "S", "storage resource is ending", "признак исчерпания ресурса ФН"),
    (1051, B, 0, "S", "storage must be replaced at once", "признак необходимости срочной замены ФН"),
    (1052, B, 0, "S", "storage memory is full", "признак заполнения памяти ФН"),
    (1053, B, 0, "S", "OFD does not answer in time", "признак превышения времени ожидания ответа ОФД"),
    (1054, B, 0, "D C", "settlement sign", "признак расчёта"),
    (1055, K, 1, "D C", "applied tax system", "применяемая система налогообложения"),
    (1057, K, 1, "D", "agent sign", "признак агента"),
    (1059, L, 0, "D C", "item", "предмет расчёта"),
    (1060, S, 256, "D R", "tax service site", "адрес сайта ФНС"),
    (1062, K, 1, "R", "registered tax systems", "системы налогообложения"),
    (1073, S, 19, "D 1223", "paying agent phone", "телефон платёжного агента"),
    (1074, S, 19, "D 1223", "payment operator phone", "телефон оператора по приёму платежей"),
    (1075, S, 19, "D 1223", "transfer operator phone", "телефон оператора перевода"),
    (1077, X, 6, "D C S R M", "fiscal sign of the document", "фискальный признак документа"),
    (1079, V, 0, "I", "unit price with discounts", "цена за единицу предмета расчёта с учётом скидок и наценок"),
    (1081, V, 0, "D C", "paid electronically", "сумма по чеку безналичными"),
    (1082, V, 0, "1235", "sum of one cashless payment", "сумма оплаты безналичными"),
    (1084, L, 320, "D", "additional user property", "дополнительный реквизит пользователя"),
    (1085, S, 64, "1084", "name of the user property", "наименование дополнительного реквизита пользователя"),
    (1086, S, 256, "1084", "value of the user property", "значение дополнительного реквизита пользователя"),
    (1097, W, 0, "S", "documents not sent", "количество непереданных ФД"),
    (1098, T, 0, "S", "time of the first document not sent", "дата первого из непереданных ФД"),
    (1102, V, 0, "D C", "VAT at 20 %", "сумма НДС чека по ставке 20 %"),
    (1103, V, 0, "D C", "VAT at 10 %", "сумма НДС чека по ставке 10 %"),
    (1104, V, 0, "D C", "turnover at 0 %", "сумма расчёта по чеку с НДС по ставке 0 %"),
    (1105, V, 0, "D C", "turnover without VAT", "сумма расчёта по чеку без НДС"),
    (1106, V, 0, "D C", "VAT at 20/120", "сумма НДС чека по расчётной ставке 20/120"),
    (1107, V, 0, "D C", "VAT at 10/110", "сумма НДС чека по расчётной ставке 10/110"),
    (1108, B, 0, "R", "register for the Internet only", "признак ККТ для расчётов только в Интернет"),
    (1109, B, 0, "R", "register for services", "признак расчётов за услуги"),
    (1110, B, 0, "R", "strict forms", "признак АС БСО"),
    (1111, W, 0, "S", "documents in the shift", "общее количество ФД за смену"),
    (1115, L, 0, "D C", "VAT totals of the other rates", "суммы НДС чека по остальным ставкам"),
    (1116, W, 0, "S", "number of the first document not sent", "номер первого непереданного документа"),
    (1117, S, 64, "D R", "sender e-mail", "адрес электронной почты отправителя чека"),
    (1118, W, 0, "S", "receipts in the shift", "количество чеков за смену"),
    (1119, L, 0, "1115", "VAT total of one rate", "сумма НДС чека по одной ставке"),
    (1120, V, 0, "1119", "VAT of that rate", "сумма НДС"),
    (1125, B, 0, "D C", "settlement on the Internet", "признак расчёта в сети Интернет"),
    (1126, B, 0, "R", "lottery", "признак проведения лотереи"),
    (1129, L, 0, _COUNTERS, "counters of sales", "счётчики операций «приход»"),
    (1130, L, 0, _COUNTERS, "counters of sale returns", "счётчики операций «возврат прихода»"),
    (1131, L, 0, _COUNTERS, "counters of purchases", "счётчики операций «расход»"),
    (1132, L, 0, _COUNTERS, "counters of purchase returns", "счётчики операций «возврат расхода»"),
    (1133, L, 0, _COUNTERS, "counters of corrections", "счётчики операций по чекам коррекции"),
    (1135, W, 0, _COUNTED, "receipts of this sign", "количество чеков по признаку расчётов"),
    (1136, V, 8, _COUNTED, "total in cash", "итоговая сумма наличными"),
    (1138, V, 8, _COUNTED, "total electronically", "итоговая сумма безналичными"),
    (1139, V, 8, _VAT_COUNTED, "total of VAT at 20 %", "сумма НДС по ставке 20 %"),
    (1140, V, 8, _VAT_COUNTED, "total of VAT at 10 %", "сумма НДС по ставке 10 %"),
    (1141, V, 8, _VAT_COUNTED, "total of VAT at 20/120", "сумма НДС по расчётной ставке 20/120"),
    (1142, V, 8, _VAT_COUNTED, "total of VAT at 10/110", "сумма НДС по расчётной ставке 10/110"),
    (1143, V, 8, _VAT_COUNTED, "turnover at 0 %", "сумма расчётов с НДС по ставке 0 %"),
    (1157, L, 0, "S", "counters of the storage", "счётчики итогов ФН"),
    (1158, L, 0, "S", "counters of documents not sent", "счётчики итогов непереданных ФД"),
    (1162, X, 32, "I", "goods code (FFD 1.05, 1.1)", "код товара (ФФД 1.05, 1.1)"),
    (1163, L, 0, "I", "goods code (FFD 1.2)", "код товара (ФФД 1.2)"),
    (1171, S, 19, "D 1224", "supplier phone", "телефон поставщика"),
    (1173, B, 0, "C", "correction type", "тип коррекции"),
    (1174, L, 292, "C", "correction base", "основание для коррекции"),
    (1177, S, 256, "1174", "description of the correction", "описание коррекции"),
    (1178, T, 0, "1174", "date of the settlement corrected", "дата совершения корректируемого расчёта"),
    (1179, S, 32, "1174", "number of the tax office's order", "номер предписания налогового органа"),
    (1187, S, 256, "D C S R", "settlement place", "место расчётов"),
    (1188, S, 8, "R", "register version", "версия ККТ"),
    (1189, B, 0, "R", "FFD version of the register", "версия ФФД ККТ"),
    (1190, B, 0, "R", "FFD version of the storage", "версия ФФД ФН"),
    (1191, S, 64, "I", "item additional property", "дополнительный реквизит предмета расчёта"),
    (1192, S, 16, "D C", "receipt additional property", "дополнительный реквизит чека"),
    (1193, B, 0, "R", "gambling", "признак проведения азартных игр"),
    (1194, L, 0, "S", "counters of the shift", "счётчики итогов смены"),
    (1197, S, 16, "I", "unit (FFD 1.05, 1.1)", "единица измерения предмета расчёта"),
    (1198, V, 0, "I", "VAT of a unit", "размер НДС за единицу предмета расчёта"),
    (1199, B, 0, "I 1119", "VAT rate", "ставка НДС"),
    (1200, V, 0, "I", "VAT of the item", "сумма НДС за предмет расчёта"),
    (1201, V, 8, _COUNTED, "total of receipts", "общая итоговая сумма в чеках"),
    (1203, S, 12, "D C S R", "cashier INN", "ИНН кассира"),
    (1205, K, 4, "R", "reasons of re-registration", "коды причин изменения сведений о ККТ"),
    (1206, K, 1, "D C S", "OFD message", "сообщение оператора"),
    (1207, B, 0, "R", "excise goods", "признак торговли подакцизными товарами"),
    (1208, S, 256, "D", "site of receipts", "сайт чеков"),
    (1209, B, 0, "D C S R M", "FFD version", "номер версии ФФД"),
    (1212, B, 0, "I", "payment object", "признак предмета расчёта"),
    (1213, H, 0, "S", "storage key resource, days", "ресурс ключей ФП"),
    (1214, B, 0, "I", "payment method", "признак способа расчёта"),
    (1215, V, 0, "D C", "prepayment offset", "сумма по чеку предоплатой"),
    (1216, V, 0, "D C", "on credit", "сумма по чеку постоплатой"),
    (1217, V, 0, "D C", "other consideration", "сумма по чеку встречным предоставлением"),
    (1218, V, 8, _COUNTED, "total of offsets", "итоговая сумма предоплатами"),
    (1219, V, 8, _COUNTED, "total on credit", "итоговая сумма постоплатами"),
    (1220, V, 8, _COUNTED, "total otherwise", "итоговая сумма встречными предоставлениями"),
    (1221, B, 0, "R", "printer in a machine", "признак установки принтера в автомате"),
    (1222, K, 1, "I", "agent sign of the item", "признак агента по предмету расчёта"),
    (1223, L, 512, "I", "agent data", "данные агента"),
    (1224, L, 512, "I", "supplier data", "данные поставщика"),
    (1225, S, 256, "1224", "supplier name", "наименование поставщика"),
    (1226, S, 12, "I", "supplier INN", "ИНН поставщика"),
    (1227, S, 256, "D B", "buyer name", "покупатель (клиент)"),
    (1228, S, 12, "D B", "buyer INN", "ИНН покупателя (клиента)"),
    (1229, V, 0, "I", "excise", "акциз"),
    (1230, S, 3, "I", "country of origin", "код страны происхождения товара"),
    (1231, S, 32, "I", "customs declaration", "номер декларации на товар"),
    (1232, L, 0, _COUNTERS, "counters of corrections, sale returns", "счётчики коррекций «возврат прихода»"),
    (1233, L, 0, _COUNTERS, "counters of corrections, purchase returns", "счётчики коррекций «возврат расхода»"),
    (1234, L, 0, "D C", "all cashless payments", "сведения обо всех оплатах безналичными"),
    (1235, L, 0, "1234", "cashless payment", "сведения об оплате безналичными"),
    (1236, B, 0, "1235", "method of the cashless payment", "признак способа оплаты безналичными"),
    (1237, S, 256, "1235", "id of the cashless payment", "идентификаторы безналичной оплаты"),
    (1238, S, 256, "1235", "extra on the cashless payment", "дополнительные сведения о безналичной оплате"),
    (1243, S, 10, "B", "birth date", "дата рождения покупателя (клиента)"),
    (1244, S, 3, "B", "citizenship", "гражданство"),
    (1245, S, 2, "B", "kind of identity document", "код вида документа, удостоверяющего личность"),
    (1246, S, 64, "B", "identity document", "данные документа, удостоверяющего личность"),
    (1254, S, 256, "B", "buyer address", "адрес покупателя (клиента)"),
    (1256, L, 0, "D C", "buyer data (FFD 1.2)", "сведения о покупателе (клиенте)"),
    (1260, L, 0, "I", "industry property of the item", "отраслевой реквизит предмета расчёта"),
    (1261, L, 0, "D C", "industry property of the receipt", "отраслевой реквизит чека"),
    (1262, S, 3, "1260 1261", "federal body", "идентификатор ФОИВ"),
    (1263, S, 10, "1260 1261", "date of its document", "дата документа основания"),
    (1264, S, 32, "1260 1261", "number of its document", "номер документа основания"),
    (1265, S, 256, "1260 1261", "value of the industry property", "значение отраслевого реквизита"),
    (1270, L, 144, "D C", "operational property", "операционный реквизит чека"),
    (1271, B, 0, "1270", "operation id", "идентификатор операции"),
    (1272, S, 64, "1270", "operation data", "данные операции"),
    (1273, T, 0, "1270", "operation time", "дата, время операции"),
    (1290, K, 4, "R", "conditions of use", "признаки условий применения ККТ"),
    (1291, L, 52, "I", "fraction of marked goods", "дробное количество маркированного товара"),
    (1292, S, 24, "1291", "fraction in words", "дробная часть"),
    (1293, V, 8, "1291", "numerator", "числитель"),
    (1294, V, 8, "1291", "denominator", "знаменатель"),
    (1300, S, 32, "1163", "code not recognised", "КТ Н (не распознан)"),
    (1301, S, 8, "1163", "EAN-8", "КТ EAN-8"),
    (1302, S, 13, "1163", "EAN-13", "КТ EAN-13"),
    (1303, S, 14, "1163", "ITF-14", "КТ ITF-14"),
    (1304, S, 38, "1163", "GS1 without crypto", "КТ GS1.0"),
    (1305, S, 38, "1163", "GS1 marked", "КТ GS1.М"),
    (1306, S, 38, "1163", "short marking code", "КТ КМК"),
    (1307, S, 20, "1163", "fur", "КТ МИ"),
    (1308, S, 33, "1163", "EGAIS 2", "КТ ЕГАИС-2.0"),
    (1309, S, 14, "1163", "EGAIS 3", "КТ ЕГАИС-3.0"),
    (1320, S, 32, "1163", "code F.1", "КТ Ф.1"),
    (1321, S, 32, "1163", "code F.2", "КТ Ф.2"),
    (1322, S, 32, "1163", "code F.3", "КТ Ф.3"),
    (1323, S, 32, "1163", "code F.4", "КТ Ф.4"),
    (1324, S, 32, "1163", "code F.5", "КТ Ф.5"),
    (1325, S, 32, "1163", "code F.6", "КТ Ф.6"),
    (2000, S, 256, "I M", "marking code as scanned", "код маркировки"),
    (2003, B, 0, "M 2007", "planned status", "планируемый статус товара"),
    (2004, B, 0, "M", "check result of the code", "результат проверки КМ"),
    (2005, B, 0, "M", "result of the request", "результаты обработки запроса"),
    (2007, L, 0, "M", "marked goods data", "данные о маркированном товаре"),
    (2100, B, 0, "M 2007", "code type", "тип кода маркировки"),
    (2101, S, 34, "M 2007", "goods id", "идентификатор товара"),
    (2102, B, 0, "I M 2007", "processing mode", "режим обработки кода маркировки"),
    (2104, W, 0, "S", "notifications not sent", "количество непереданных уведомлений"),
    (2105, B, 0, "M", "request codes", "коды обработки запроса"),
    (2106, B, 0, "I M 2007", "check result of goods data", "результат проверки сведений о товаре"),
    (2107, B, 0, "D", "overall check result", "результаты проверки маркированных товаров"),
    (2108, B, 0, "I 2007", "measure", "мера количества предмета расчёта"),
    (2109, B, 0, "M", "answer of the marking system", "ответ ОИСМ о статусе товара"),
    (2110, B, 0, "M 2007", "assigned status", "присвоенный статус товара"),
    (2112, B, 0, "D", "incorrect codes", "признак некорректных кодов маркировки"),
    (2113, B, 0, "D", "incorrect requests", "признак некорректных запросов и уведомлений"),
    (2114, T, 0, "M", "request time", "дата и время запроса"),
    (2115, X, 4, "I M 2007", "control code", "контрольный код КМ"),
)


def _table() -> dict[int, TagInfo]:
    parents: dict[int, set[int]] = {}
    children: dict[int, set[int]] = {}
    for number, _, _, where, _, _ in _ROWS:
        inside = {int(one) for one in where.split() if one.isdigit()} | {
            _INSIDE[one] for one in where.split() if one in _INSIDE}
        parents[number] = inside
        for one in inside:
            children.setdefault(one, set()).add(number)
    found = {number: TagInfo(
        number, en, ru, kind, most or _SIZES[kind],
        frozenset(Place(one) for one in where.split() if not one.isdigit()), frozenset(parents[number]),
        frozenset(children.get(number, ())), bool({"D", "C", "S", "R", "M"} & set(where.split())),
        _PADDED.get(number, 0)) for number, kind, most, where, en, ru in _ROWS}
    # What the table says of itself: nested tags have a parent that nests, and every STLV has something to hold.
    assert len(found) == len(_ROWS), "a tag stands in the table twice"
    for known in found.values():
        assert all(found[parent].type is Type.STLV for parent in known.parents), f"{known.number} stands in no STLV"
        assert (known.type is Type.STLV) == bool(known.children), f"{known.number}: an STLV holds tags, others do not"
    return found


#: Every tag of the reference by its number.
TAGS: MappingProxyType[int, TagInfo] = MappingProxyType(_table())


def info(tag: int) -> TagInfo | None:
    """What is known of a tag; None for one that the reference does not know."""
    return TAGS.get(tag)



def named(tags: Sequence[int]) -> Text:
    """The names of some tags with their numbers, each once, in a sentence's middle."""
    once = list(dict.fromkeys(tags))[:10]
    known = [(one, info(one)) for one in once]
    return Text(", ".join(f"{found.en if found else 'unknown'} ({one})" for one, found in known) or "-",
                ", ".join(f"{found.ru if found else 'неизвестный'} ({one})" for one, found in known) or "-")

__all__ = ["DOCUMENTS", "TAGS", "Place", "TagInfo", "Type", "info", "named"]
