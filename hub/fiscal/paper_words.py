"""The words that receipts print: Russia's as the law and registers word them, Kazakhstan's in both its languages."""

from __future__ import annotations

from hub.fiscal.codes import Form, Kind, Measure, Method, Subject, TaxSystem
from hub.fiscal.text import Text

WORDS: dict[str, Text] = {
    "receipt": Text("RECEIPT", "КАССОВЫЙ ЧЕК", "КАССАЛЫҚ ЧЕК"),
    "fiscal_receipt": Text("FISCAL RECEIPT", "ФИСКАЛЬНЫЙ ЧЕК", "ФИСКАЛДЫҚ ЧЕК"),
    "not_fiscal": Text("NOT A FISCAL DOCUMENT", "НЕ ФИСКАЛЬНЫЙ ДОКУМЕНТ", "ФИСКАЛДЫҚ ҚҰЖАТ ЕМЕС"),
    "not_printed": Text("The receipt is not printed yet", "Чек ещё не пробит", "Чек әлі берілген жоқ"),
    "inn": Text("INN", "ИНН", "СТН"),
    "bin": Text("BIN", "БИН", "БСН"),
    "iin": Text("IIN", "ИИН", "ЖСН"),
    "number": Text("Receipt No.", "Чек №", "Чек №"),
    "shift": Text("Shift", "Смена", "Ауысым"),
    "cashier": Text("Cashier", "Кассир", "Кассир"),
    "cashier_inn": Text("Cashier's INN", "ИНН кассира", "Кассирдің СТН"),
    "vat": Text("VAT", "НДС", "ҚҚС"),
    "no_vat": Text("Without VAT", "Без НДС", "ҚҚС-сыз"),
    "total": Text("TOTAL", "ИТОГ", "ЖИЫНЫ"),
    "received": Text("Cash received", "Получено наличными", "Қолма-қол алынды"),
    "change": Text("Change", "Сдача", "Қайтарым"),
    "vat_sum": Text("VAT", "Сумма НДС", "ҚҚС сомасы"),
    "vat_turnover": Text("Sum with VAT", "Сумма с НДС", "ҚҚС-пен сома"),
    "no_vat_sum": Text("Sum without VAT", "Сумма без НДС", "ҚҚС-сыз сома"),
    "tax_system": Text("Tax system", "СНО", "Салық жүйесі"),
    "place": Text("Place of settlement", "Место расчётов", "Есеп айырысу орны"),
    "address": Text("Address", "Адрес", "Мекенжайы"),
    "internet": Text("Settlement on the Internet", "Расчёты в интернете", "Интернеттегі есеп айырысу"),
    "buyer": Text("Buyer", "Покупатель", "Сатып алушы"),
    "buyer_inn": Text("Buyer's INN", "ИНН покупателя", "Сатып алушының СТН"),
    "buyer_bin": Text("Buyer's BIN/IIN", "БИН/ИИН покупателя", "Сатып алушының БСН/ЖСН"),
    "buyer_email": Text("Buyer's e-mail", "Эл. адр. покупателя", "Сатып алушының эл. поштасы"),
    "buyer_phone": Text("Buyer's phone", "Тел. покупателя", "Сатып алушының телефоны"),
    "sender": Text("Sender's e-mail", "Эл. адр. отправителя", "Жөнелтушінің эл. поштасы"),
    "tax_site": Text("Tax service", "Сайт ФНС", "Салық қызметінің сайты"),
    "serial": Text("Register serial no.", "ЗН ККТ", "БКМ зауыттық №"),
    "registration": Text("Registration no.", "РН ККТ", "БКМ тіркеу №"),
    "storage": Text("Fiscal storage", "ФН", "ФЖ"),
    "document": Text("Fiscal document", "ФД", "ФҚ"),
    "sign": Text("Fiscal sign", "ФП", "ФБ"),
    "kz_serial": Text("Register serial no.", "ЗНМ", "БКМ зауыттық №"),
    "kz_registration": Text("Registration no.", "РНМ", "БКМ тіркеу №"),
    "kz_storage": Text("Identity no.", "ИНК", "КСН"),
    "kz_sign": Text("Fiscal sign", "Фискальный признак", "Фискалдық белгі"),
    "time": Text("Time", "Время", "Уақыты"),
    "yes": Text("yes", "да", "иә"),
}

KINDS: dict[Kind, Text] = {
    Kind.SALE: Text("SALE", "ПРИХОД", "КІРІС"),
    Kind.SALE_RETURN: Text("RETURN OF SALE", "ВОЗВРАТ ПРИХОДА", "КІРІСТІ ҚАЙТАРУ"),
    Kind.PURCHASE: Text("PURCHASE", "РАСХОД", "ШЫҒЫС"),
    Kind.PURCHASE_RETURN: Text("RETURN OF PURCHASE", "ВОЗВРАТ РАСХОДА", "ШЫҒЫСТЫ ҚАЙТАРУ"),
}

#: Kazakhstan names the operations as their operator's request does (webkassa §4, OperationType).
KZ_KINDS: dict[Kind, Text] = {
    Kind.SALE: Text("SALE", "ПРОДАЖА", "САТУ"),
    Kind.SALE_RETURN: Text("RETURN OF SALE", "ВОЗВРАТ ПРОДАЖИ", "САТУДЫ ҚАЙТАРУ"),
    Kind.PURCHASE: Text("PURCHASE", "ПОКУПКА", "САТЫП АЛУ"),
    Kind.PURCHASE_RETURN: Text("RETURN OF PURCHASE", "ВОЗВРАТ ПОКУПКИ", "САТЫП АЛУДЫ ҚАЙТАРУ"),
}

FORMS: dict[Form, Text] = {
    Form.CASH: Text("Cash", "Наличными", "Қолма-қол"),
    Form.ELECTRONIC: Text("Non-cash", "Безналичными", "Қолма-қолсыз"),
    Form.PREPAID: Text("Prepayment offset", "Предварительная оплата (аванс)", "Алдын ала төлем (аванс)"),
    Form.CREDIT: Text("On credit", "Последующая оплата (кредит)", "Кейінгі төлем (несие)"),
    Form.OTHER: Text("Other form of payment", "Иная форма оплаты", "Төлемнің өзге түрі"),
}

METHODS: dict[Method, Text] = {
    Method.FULL_PREPAYMENT: Text("Full prepayment", "Предоплата 100%", "Алдын ала төлем 100%"),
    Method.PREPAYMENT: Text("Prepayment", "Предоплата", "Алдын ала төлем"),
    Method.ADVANCE: Text("Advance", "Аванс", "Аванс"),
    Method.FULL_PAYMENT: Text("Full settlement", "Полный расчёт", "Толық есеп айырысу"),
    Method.PARTIAL_PAYMENT: Text("Part paid, rest on credit", "Частичный расчёт и кредит",
                                 "Ішінара есеп айырысу және несие"),
    Method.CREDIT: Text("Handed over on credit", "Передача в кредит", "Несиеге беру"),
    Method.CREDIT_PAYMENT: Text("Payment of credit", "Оплата кредита", "Несиені төлеу"),
}

SUBJECTS: dict[Subject, Text] = {
    Subject.COMMODITY: Text("Goods", "Товар", "Тауар"),
    Subject.EXCISE: Text("Excise goods", "Подакцизный товар", "Акцизделетін тауар"),
    Subject.JOB: Text("Work", "Работа", "Жұмыс"),
    Subject.SERVICE: Text("Service", "Услуга", "Қызмет"),
    Subject.GAMBLING_BET: Text("Gambling bet", "Ставка азартной игры", "Құмар ойын бәсі"),
    Subject.GAMBLING_PRIZE: Text("Gambling prize", "Выигрыш азартной игры", "Құмар ойын ұтысы"),
    Subject.LOTTERY: Text("Lottery ticket", "Лотерейный билет", "Лотерея билеті"),
    Subject.LOTTERY_PRIZE: Text("Lottery prize", "Выигрыш лотереи", "Лотерея ұтысы"),
    Subject.INTELLECTUAL_ACTIVITY: Text("Intellectual property", "Предоставление РИД", "ЗМН беру"),
    Subject.PAYMENT: Text("Payment", "Платёж", "Төлем"),
    Subject.AGENT_COMMISSION: Text("Agent's commission", "Агентское вознаграждение", "Агенттік сыйақы"),
    Subject.COMPOSITE: Text("Payout", "Выплата", "Төлеп беру"),
    Subject.ANOTHER: Text("Other", "Иной предмет расчёта", "Өзге есеп айырысу заты"),
    Subject.PROPERTY_RIGHT: Text("Property right", "Имущественное право", "Мүліктік құқық"),
    Subject.NON_OPERATING_GAIN: Text("Non-operating gain", "Внереализационный доход", "Өткізуден тыс табыс"),
    Subject.OTHER_PAYMENTS: Text("Other payments", "Иные платежи и взносы", "Өзге төлемдер мен жарналар"),
    Subject.SALES_TAX: Text("Sales tax", "Торговый сбор", "Сауда алымы"),
    Subject.RESORT_FEE: Text("Tourist tax", "Туристический налог", "Туристік салық"),
    Subject.DEPOSIT: Text("Pledge", "Залог", "Кепіл"),
    Subject.EXPENSE: Text("Expense", "Расход", "Шығыс"),
    Subject.PENSION_INSURANCE_IP: Text("Pension insurance (IE)", "Взносы на ОПС ИП", "ЖК зейнетақы жарнасы"),
    Subject.PENSION_INSURANCE: Text("Pension insurance", "Взносы на ОПС", "Зейнетақы жарнасы"),
    Subject.MEDICAL_INSURANCE_IP: Text("Medical insurance (IE)", "Взносы на ОМС ИП", "ЖК медициналық жарнасы"),
    Subject.MEDICAL_INSURANCE: Text("Medical insurance", "Взносы на ОМС", "Медициналық жарна"),
    Subject.SOCIAL_INSURANCE: Text("Social insurance", "Взносы на ОСС", "Әлеуметтік жарна"),
    Subject.CASINO_PAYMENT: Text("Casino payment", "Платёж казино", "Казино төлемі"),
    Subject.AGENT_PAYOUT: Text("Cash payout", "Выдача денежных средств", "Ақша беру"),
    Subject.EXCISE_UNMARKED: Text("Excise goods to be marked, no code", "Подакцизный товар, нет кода маркировки",
                                  "Акцизделетін тауар, таңбалау коды жоқ"),
    Subject.EXCISE_MARKED: Text("Marked excise goods", "Подакцизный маркированный товар",
                                "Таңбаланған акцизделетін тауар"),
    Subject.COMMODITY_UNMARKED: Text("Goods to be marked, no code", "Товар, нет кода маркировки",
                                     "Тауар, таңбалау коды жоқ"),
    Subject.COMMODITY_MARKED: Text("Marked goods", "Маркированный товар", "Таңбаланған тауар"),
}

TAX_SYSTEMS: dict[TaxSystem, Text] = {
    TaxSystem.OSN: Text("General", "ОСН", "ОСН"),
    TaxSystem.USN_INCOME: Text("Simplified, income", "УСН доход", "УСН доход"),
    TaxSystem.USN_INCOME_EXPENSE: Text("Simplified, income less expenses", "УСН доход - расход", "УСН доход - расход"),
    TaxSystem.ENVD: Text("Imputed income", "ЕНВД", "ЕНВД"),
    TaxSystem.ESHN: Text("Agricultural", "ЕСХН", "ЕСХН"),
    TaxSystem.PATENT: Text("Patent", "Патент", "Патент"),
}

MEASURES: dict[Measure, Text] = {
    Measure.PIECE: Text("pcs", "шт.", "дана"), Measure.GRAM: Text("g", "г", "г"),
    Measure.KILOGRAM: Text("kg", "кг", "кг"), Measure.TONNE: Text("t", "т", "т"),
    Measure.CENTIMETRE: Text("cm", "см", "см"), Measure.DECIMETRE: Text("dm", "дм", "дм"),
    Measure.METRE: Text("m", "м", "м"), Measure.SQUARE_CENTIMETRE: Text("sq. cm", "кв. см", "ш. см"),
    Measure.SQUARE_DECIMETRE: Text("sq. dm", "кв. дм", "ш. дм"), Measure.SQUARE_METRE: Text("sq. m", "кв. м", "ш. м"),
    Measure.MILLILITRE: Text("ml", "мл", "мл"), Measure.LITRE: Text("l", "л", "л"),
    Measure.CUBIC_METRE: Text("cu. m", "куб. м", "т. м"), Measure.KILOWATT_HOUR: Text("kWh", "кВт·ч", "кВт·сағ"),
    Measure.GIGACALORIE: Text("Gcal", "Гкал", "Гкал"), Measure.DAY: Text("days", "сут.", "тәул."),
    Measure.HOUR: Text("h", "ч", "сағ"), Measure.MINUTE: Text("min", "мин", "мин"),
    Measure.SECOND: Text("s", "с", "с"), Measure.KILOBYTE: Text("KB", "Кбайт", "Кбайт"),
    Measure.MEGABYTE: Text("MB", "Мбайт", "Мбайт"), Measure.GIGABYTE: Text("GB", "Гбайт", "Гбайт"),
    Measure.TERABYTE: Text("TB", "Тбайт", "Тбайт"), Measure.OTHER: Text("units", "ед.", "бірл."),
}
