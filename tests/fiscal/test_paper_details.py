"""Each mandatory detail on the paper: a table of details and forms, for both countries, every format and every kind.

The details are those of fiscal-domain §2 and of webkassa §11 "Mandatory ticket content", §5 and §7.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from hub.fiscal import AgentSign, Country, Ffd, Form, Kind, Method, Money, Payment, Receipt, TaxSystem, qr_text
from hub.fiscal.paper import Extras, Language, Look, QrCode, as_text, form, on, paper
from hub.fiscal.paper_words import AGENTS, CORRECTIONS, FORMS, KINDS, KZ_KINDS, METHODS, TAX_SYSTEMS
from tests.fiscal.papers import AGENT, FULL, INDUSTRY, PLAIN, correction, kazakh, record_of, russian

WIDTHS = (24, 32, 42, 48, 64)
KZ_URL = "http://consumer.oofd.kz?i=754674267&f=0000000001012345&s=2210.00&t=20261120T144507"
KZ_EXTRAS = Extras("A-17", "АО «Казахтелеком»", "consumer.oofd.kz", True, "60001 № 0012345")


def squeezed(text: str) -> str:
    return "".join(text.split())


def printed(receipt: Receipt, width: int = 48, language: Language = "ru", **more: object) -> str:
    return as_text(paper(receipt, record_of(receipt, KZ_URL if receipt.country is Country.KZ else ""), width=width,
                         language=language, **more))  # type: ignore[arg-type]


#: Detail -> how it stands on a Russian receipt (blanks aside).
RUSSIAN = {
    "name of the document": "КАССОВЫЙ ЧЕК", "1054 settlement sign": "ПРИХОД", "1042 number in the shift": "Чек № 12",
    "1038 shift": "Смена 3", "1012 time": "20.11.2026 14:45", "1048 seller": "ООО «Ромашка»",
    "1018 seller's INN": "ИНН 7707083893", "1021 cashier": "Кассир Иванова М. П.",
    "1203 cashier's INN": "ИНН кассира 500100732259", "1009 address": "Адрес расчётов Омск, Ленина 1",
    "1187 place": "Место расчётов https://shop.example", "1055 tax system": "СНО УСН доход - расход",
    "1030 name": "1. Чай чёрный, 100 г", "1023 and 1079": "2 шт. × 610.00", "1043 cost": "=1220.00",
    "2108 measure": "1.5 л × 55.00", "1199 rate": "НДС 22%", "1200 VAT of a line": "=220.00",
    "1199 none": "Без НДС", "1214 method": "Полный расчёт", "1214 prepayment": "Предоплата 100%",
    "1212 subject": "услуга", "1212 marked": "маркированный товар", "[M]": "Вода питьевая [M]",
    "discount": "Учтена скидка =10.00", "markup": "Учтена наценка =3.00", "department": "Отдел 4",
    "1291 fraction": "Часть упаковки 1/2", "1229 excise": "Акциз =12.34", "1230 origin": "Страна происхождения 643",
    "1231 declaration": "Таможенная декларация 10702020/060520/0013422", "1191 of a line": "Доп. реквизит Партия 7",
    "1222 agent": "Агент комиссионер", "1073 agent's phones": "+79990000002", "1044 operation": "Приём платежа",
    "1074 operator's phone": "+79990000003", "1075 transfer's phone": "+79990000004",
    "1026 transfer": "Оператор перевода Банк «Перевод»", "1005 its address": "Омск, Ленина 5",
    "1016 its INN": "ИНН оператора перевода 7707083893", "1225 supplier": "Поставщик ООО «Поставка»",
    "1226 supplier's INN": "ИНН поставщика 500100732259", "1171 its phone": "Тел. поставщика +79990000005",
    "1260 industry": f"Отраслевой реквизит 030 21.11.2023 1944 {INDUSTRY.value}", "1020 total": "ИТОГ =1602.50",
    "discounts": "Сумма скидок =10.00", "markups": "Сумма наценок =3.00", "1031 cash": "Наличными =500.00",
    "received": "Получено наличными =550.00", "change": "Сдача =50.00", "1081 cashless": "Безналичными =602.50",
    "1215": "Предварительная оплата (аванс) =200.00", "1216": "Последующая оплата (кредит) =200.00",
    "1217": "Иная форма оплаты =100.00", "1235 method": "Безналичными, способ 2 =602.50",
    "1237": "Идентификаторы оплаты PAY-1", "1238": "Доп. сведения об оплате СБП",
    "VAT by rate 22": "Сумма НДС 22% =220.00",
    "VAT by rate 10": "Сумма НДС 10% =7.50", "1105": "Сумма без НДС =300.00", "1125 Internet": "Расчёты в интернете да",
    "1227 buyer": "Покупатель АО «Покупатель»", "1228 INN": "ИНН покупателя 7707083893",
    "1243 born": "Дата рождения покупателя 31.01.1990", "1244": "Гражданство покупателя 643",
    "1245": "Код вида документа 21", "1246": "Документ покупателя 4510 123456", "1254": "Адрес покупателя Омск, Мира 1",
    "1008 contact": "Эл. адр. покупателя buyer@mail.example", "1117 sender": "Эл. адр. отправителя kassa@shop.example",
    "1060 site": "Сайт ФНС www.nalog.gov.ru", "1057 document's agent": "Агент поверенный",
    "1192": "Доп. реквизит чека заказ 17", "1270": "Операционный реквизит 3 20.11.2026 09:30 смена Б",
    "1085 and 1086": "Карта лояльности № 100500", "1013 serial": "ЗН ККТ 00106900000001",
    "1037 registration": "РН ККТ 0000000001012345", "1041 storage": "ФН 9999078900001234", "1040 document": "ФД 512",
    "1077 sign": "ФП 754674267",
}

#: The same in both languages of a Kazakh receipt.
KAZAKH = {
    "seller": "«Бал» ЖШС", "BIN": "БСН / БИН 050140000001", "VAT certificate": "Свидетельство НДС 60001 № 0012345",
    "shift": "Ауысым / Смена 3", "number": "Чек № 12", "cashier": "Кассир Әлия Қасымова", "time": "20.11.2026 14:45",
    "kind": "САТУ", "kind in Russian": "ПРОДАЖА", "order": "Тапсырыс № / Заказ № A-17", "name": "1. Тау балы [M]",
    "mark": "Таңбалау коды / Код маркировки 0104870000000011215abcd", "section": "Секция 2",
    "quantity, unit and price": "2 шт. × 1160.00", "cost": "=2200.00",
    "discount": "Жеңілдік ескерілді / Учтена скидка =120.00",
    "VAT of a line": "ҚҚС / НДС 16% =303.45", "without VAT": "ҚҚС-сыз / Без НДС", "total": "ЖИЫНЫ / ИТОГ =2210.00",
    "cash": "Қолма-қол / Наличными =2210.00", "received": "Қолма-қол алынды / Получено наличными =2300.00",
    "change": "Қайтарым / Сдача =90.00", "VAT by rate": "ҚҚС сомасы / Сумма НДС 16% =303.45",
    "address": "Мекенжайы / Адрес Алматы қ., Абай даңғ. 10", "buyer": "Сатып алушы / Покупатель «Сатып» ЖШС",
    "buyer's number": "БИН/ИИН покупателя 880512300104", "operator": "ФДО / ОФД АО «Казахтелеком»",
    "its site": "Чекті тексеру / Проверка чека consumer.oofd.kz", "words": "ФИСКАЛДЫҚ ЧЕК",
    "words in Russian": "ФИСКАЛЬНЫЙ ЧЕК",
    "sign": "Фискалдық белгі / Фискальный признак 754674267", "serial": "БКМ зауыттық № / ЗНМ 00106900000001",
    "registration": "БКМ тіркеу № / РНМ 0000000001012345", "identity": "КСН / ИНК 9999078900001234",
    "autonomous": "ДЕРБЕС РЕЖИМ", "autonomous in Russian": "АВТОНОМНЫЙ РЕЖИМ",
}


@pytest.mark.parametrize("width", WIDTHS)
def test_every_detail_of_a_russian_receipt(width: int) -> None:
    receipt = russian()
    text = squeezed(printed(receipt, width))
    assert {detail: fact for detail, fact in RUSSIAN.items() if squeezed(fact) not in text} == {}
    assert squeezed(qr_text(record_of(receipt))) in text


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["ru", "kk"])
def test_every_detail_of_a_kazakh_receipt_in_both_languages(width: int, language: Language) -> None:
    text = squeezed(printed(kazakh(), width, language, extras=KZ_EXTRAS))
    assert {detail: fact for detail, fact in KAZAKH.items() if squeezed(fact) not in text} == {}
    assert squeezed(KZ_URL) in text
    for russian_only in ("nalog", "СНО", "ИННкассира", "Полныйрасчёт"):
        assert russian_only not in text


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("receipt", [russian(), kazakh()], ids=["RU", "KZ"])
def test_what_was_removed_is_not_printed(receipt: Receipt, width: int) -> None:
    with_removed = replace(receipt, removed=russian().removed)
    text = printed(with_removed, width)
    assert "Убранная" not in text and "999.00" not in text and "777.77" not in text


@pytest.mark.parametrize("country", list(Country))
@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_in_the_words_of_its_country(country: Country, kind: Kind) -> None:
    receipt = replace(russian() if country is Country.RU else kazakh(), kind=kind)
    text = printed(receipt)
    words = (KINDS if country is Country.RU else KZ_KINDS)[kind]
    assert words.ru in text and (country is Country.RU or words.kk in text)
    assert words.en in printed(receipt, language="en") and words.kk in printed(receipt, language="kk")


@pytest.mark.parametrize("method", list(Method))
def test_each_method_in_its_words(method: Method) -> None:
    receipt = russian(lines=(replace(PLAIN, method=method),))
    for language, words in (("ru", METHODS[method].ru), ("kk", METHODS[method].kk), ("en", METHODS[method].en)):
        assert words in printed(receipt, language=language)  # type: ignore[arg-type]


@pytest.mark.parametrize("pay", list(Form))
def test_each_form_of_payment(pay: Form) -> None:
    receipt = russian(lines=(PLAIN,), payments=(Payment(pay, Money(122_000)),), change=None, cashless=())
    text = squeezed(printed(receipt))
    assert squeezed(f"{FORMS[pay].ru} =1220.00") in text
    assert [one for one in Form if one is not pay and squeezed(FORMS[one].ru + "=") in text] == []


@pytest.mark.parametrize("sign", list(AgentSign))
def test_each_agent(sign: AgentSign) -> None:
    receipt = russian(lines=(replace(PLAIN, agent=replace(AGENT, sign=sign)),), agent=None)
    assert squeezed(f"Агент {AGENTS[sign].ru}") in squeezed(printed(receipt))


@pytest.mark.parametrize("system", list(TaxSystem))
def test_each_tax_system(system: TaxSystem) -> None:
    assert squeezed(f"СНО {TAX_SYSTEMS[system].ru}") in squeezed(printed(russian(tax_system=system)))


@pytest.mark.parametrize(("result", "sign"), [(None, "[M]"), (0, "[M]"), (1, "[M-]"), (3, "[M]"), (5, "[M-]"),
                                              (7, "[M-]"), (15, "[M+]"), (16, "[M]"), (17, "[M-]"), (19, "[M]")])
def test_the_sign_of_a_checked_mark(result: int | None, sign: str) -> None:
    marks = {} if result is None else {1: result}
    text = printed(russian(), extras=Extras(marks=marks))
    assert f"Вода питьевая {sign}\n" in text and "чёрный, 100 г\n" in text


# -- formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_order", [True, False])
@pytest.mark.parametrize("ffd", list(Ffd))
@pytest.mark.parametrize("width", [32, 48])
def test_a_correction_with_its_base(ffd: Ffd, by_order: bool, width: int) -> None:
    receipt = correction(ffd, by_order)
    text = squeezed(printed(receipt, width))
    made = receipt.correction
    assert made is not None
    facts = ["КАССОВЫЙ ЧЕК КОРРЕКЦИИ", "ПРИХОД", f"Тип коррекции {CORRECTIONS[made.type].ru}",
             "Дата корректируемого расчёта 02.11.2026", "ФП ошибочного чека 754674267", "ИТОГ =1220.00",
             "Безналичными =1220.00", "Сумма НДС 22% =220.00", "СНО УСН доход - расход", "ФП 754674267"]
    facts += ["Номер предписания 12-34/56"] if by_order else []
    facts += ["Основание коррекции Акт от 03.11.2026"] if ffd is Ffd.V1_05 else []
    assert [one for one in facts if squeezed(one) not in text] == []
    # Document 31 of FFD 1.05 has no items; later formats have them as any receipt (fiscal-domain §6).
    assert ("Чайчёрный" in text) is (ffd is not Ffd.V1_05)
    assert ("предписания" in text) is by_order


def test_a_correction_that_is_not_printed_yet_says_both() -> None:
    text = as_text(paper(correction(), None))
    assert "НЕ ФИСКАЛЬНЫЙ ДОКУМЕНТ" in text and "КАССОВЫЙ ЧЕК КОРРЕКЦИИ" in text and "ЗН ККТ" not in text


@pytest.mark.parametrize(("ffd", "count"), [(Ffd.V1_05, "1.5 бут × 55.00"), (Ffd.V1_1, "1.5 бут × 55.00"),
                                            (Ffd.V1_2, "1.5 л × 55.00")])
def test_the_unit_of_each_format(ffd: Ffd, count: str) -> None:
    """Words of the seller's own (1197) below FFD 1.2, measures (2108) since."""
    assert count in printed(russian(ffd=ffd, lines=(FULL,)))
    assert ("2 шт. ×" in printed(russian(ffd=ffd))) is (ffd is Ffd.V1_2)


def test_a_receipt_of_nothing_still_states_a_form() -> None:
    gift = replace(PLAIN, price=Money(0), amount=Money(0), vat_amount=Money(0), quantity=Decimal(1))
    text = squeezed(printed(russian(lines=(gift,), payments=(), change=None, cashless=())))
    assert squeezed("ИТОГ =0.00 Безналичными =0.00") in text


def test_the_plain_receipt_says_no_more_than_it_knows() -> None:
    bare = Receipt("0123456789abcdef", Kind.SALE, (PLAIN,), (Payment(Form.ELECTRONIC, Money(122_000)),))
    text = printed(bare)
    for word in ("Агент", "Поставщик", "реквизит", "скид", "нацен", "Акциз", "Сдача", "Покупатель", "Отдел", "Адрес",
                 "корр", "ДУБЛИКАТ", "Кассир", "СНО"):
        assert word not in text, word


# -- the owner's own -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("receipt", "language", "word"), [
    (russian(), "ru", "ДУБЛИКАТ"), (russian(), "kk", "ТЕЛНҰСҚА"), (russian(), "en", "DUPLICATE"),
    (kazakh(), "ru", "ТЕЛНҰСҚА / ДУБЛИКАТ"), (kazakh(), "kk", "ТЕЛНҰСҚА / ДУБЛИКАТ"), (kazakh(), "en", "DUPLICATE")])
def test_a_duplicate_says_so(receipt: Receipt, language: Language, word: str) -> None:
    for width in WIDTHS:
        text = squeezed(printed(receipt, width, language, duplicate=True))
        assert all(squeezed(part) in text for part in word.split(" / "))
    assert word not in printed(receipt, language=language)


def test_the_owners_words_stand_above_and_below_line_by_line() -> None:
    look = Look(above="Добро пожаловать\nв «Ромашку»", below="Скидка по чеку\n\nдо 31 декабря")
    for width in WIDTHS:
        rows = [row.strip() for row in printed(russian(), width, look=look).splitlines()]
        assert rows[:2] == ["Добро пожаловать", "в «Ромашку»"] and rows[-2:] == ["Скидка по чеку", "до 31 декабря"]
    assert printed(russian(), look=Look(above=" \n", below="\n ")) == printed(russian())


def test_one_form_has_every_width() -> None:
    receipt = russian()
    said = form(receipt, record_of(receipt))
    assert [as_text(on(said, width)) for width in WIDTHS] == [printed(receipt, width) for width in WIDTHS]


# -- what only Kazakh paper asks for ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ffd", list(Ffd))
def test_kazakh_paper_names_the_unit_even_of_pieces(ffd: Ffd) -> None:
    assert "2 шт. × 1160.00" in printed(kazakh(ffd=ffd), 48)


@pytest.mark.parametrize(("operator", "code"), [
    ("АО «Казахтелеком»", "http://consumer.oofd.kz?i=754674267&f=0000000001012345&s=2210.00&t=20261120T144507"),
    ("Jusan Mobile", ""), ("", ""), ("ООО «Такском»", "")])
def test_a_kazakh_code_is_the_operators_address_or_none(operator: str, code: str) -> None:
    receipt = kazakh()
    made = paper(receipt, record_of(receipt), extras=Extras(ofd_name=operator))
    assert [row.text for row in made.rows if isinstance(row, QrCode)] == ([code] if code else [])
    url = "http://ofd1.kz/t/?i=1"
    named = paper(receipt, record_of(receipt, url), extras=Extras(ofd_name=operator))
    assert [row.text for row in named.rows if isinstance(row, QrCode)] == [url]
