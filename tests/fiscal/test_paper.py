"""Paper as text: every fact that a receipt must bear, at every width, in every language."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.fiscal import (
    Cashier,
    Country,
    Customer,
    Ffd,
    FiscalRecord,
    Form,
    Kind,
    Measure,
    Method,
    Money,
    OrderLine,
    Payment,
    Receipt,
    Subject,
    TaxSystem,
    Terms,
    build,
    qr_text,
    return_of,
)
from hub.fiscal.paper import NARROW, NARROWEST, WIDE, Language, Line, QrCode, Rule, as_text, cells, clean, paper
from hub.fiscal.paper_words import FORMS, KINDS, KZ_KINDS, MEASURES, METHODS, SUBJECTS, TAX_SYSTEMS, WORDS
from tests.fiscal.strategies import NOW, TERMS, Case, cases, order

OMSK = timezone(timedelta(hours=6))


def record_of(receipt: Receipt, url: str = "") -> FiscalRecord:
    return FiscalRecord("9999078900001234", 512, "754674267", datetime(2026, 11, 20, 14, 45, tzinfo=OMSK),
                        receipt.total, receipt.kind, "00106900000001", "0000000001012345", 3, 12, url=url)


def shop() -> Receipt:
    """Three lines, two rates, three forms of payment, change."""
    return build(order(
        OrderLine("Футболка «Космос», размер M, цвет графит", Money(122_000), Decimal(2), discount=Money(14_000)),
        OrderLine("Сыр «Российский»", Money(74_050), Decimal("1.346"), vat="vat10", measure=Measure.KILOGRAM),
        OrderLine("Доставка", Money(30_000), vat="none", subject=Subject.SERVICE),
        payments=(Payment(Form.PREPAID, Money(100_000)), Payment(Form.ELECTRONIC, Money(150_000)),
                  Payment(Form.CASH, Money(150_000)))), TERMS, "0123456789abcdef", NOW)


def kazakh() -> Receipt:
    terms = Terms(country=Country.KZ, default_vat="vat16", settlement_place="Алматы қ., Абай даңғ. 10",
                  seller_name="«Бал» ЖШС", seller_inn="050140000001", cashier=Cashier("Әлия Қасымова"), internet=False)
    made = order(OrderLine("Тау балы", Money(116_000, "KZT"), Decimal(2)), currency="KZT", customer=Customer(),
                 payments=(Payment(Form.CASH, Money(500_000, "KZT")),))
    return build(made, terms, "0123456789abcdef", NOW)


SHOP_32 = """\
         ООО «Ромашка»
         ИНН 7707083893
--------------------------------
          КАССОВЫЙ ЧЕК
             ПРИХОД

Чек № 12        20.11.2026 14:45
Смена                          3
Кассир             Иванова М. П.
ИНН кассира         500100732259
--------------------------------
1. Футболка «Космос», размер M,
цвет графит
2 × 1150.00             =2300.00
НДС 22%                  =414.75
Полный расчёт, товар
Учтена скидка            =140.00

2. Сыр «Российский»
1.346 кг × 740.50        =996.71
НДС 10%                   =90.61
Полный расчёт, товар

3. Доставка
1 × 300.00               =300.00
Без НДС
Полный расчёт, услуга
--------------------------------
ИТОГ                    =3596.71
Сумма скидок             =140.00
Наличными               =1096.71
Получено наличными      =1500.00
Сдача                    =403.29
Безналичными            =1500.00
Предварительная оплата (аванс)
                        =1000.00
Сумма НДС 22%            =414.75
Сумма НДС 10%             =90.61
Сумма без НДС            =300.00
--------------------------------
СНО                          ОСН
Место расчётов
            https://shop.example
Расчёты в интернете           да
Эл. адр. покупателя
              buyer@mail.example
Эл. адр. отправителя
              kassa@shop.example
Сайт ФНС        www.nalog.gov.ru
--------------------------------
ЗН ККТ            00106900000001
РН ККТ          0000000001012345
ФН              9999078900001234
ФД                           512
ФП                     754674267
QR: t=20261120T1445&s=3596.71&fn
=9999078900001234&i=512&fp=75467
4267&n=1
"""


def test_a_whole_receipt() -> None:
    assert as_text(paper(shop(), record_of(shop()), width=NARROW)) == SHOP_32


@pytest.mark.parametrize("width", [NARROWEST, NARROW, 42, WIDE, 80])
def test_every_fact_is_on_it_at_every_width(width: int) -> None:
    receipt = shop()
    record = record_of(receipt)
    together = "".join(as_text(paper(receipt, record, width=width)).split())
    for fact in (receipt.seller_name, receipt.seller_inn, "КАССОВЫЙ ЧЕК", "ПРИХОД", "Иванова М. П.", "500100732259",
                 "Футболка «Космос», размер M, цвет графит", "2 × 1150.00", "=2300.00", "НДС 22%", "=414.75",
                 "Полный расчёт, товар", "1.346 кг × 740.50", "ИТОГ=3596.71", "Наличными=1096.71", "Сдача=403.29",
                 "Безналичными=1500.00", "Предварительная оплата (аванс)=1000.00", "Сумма без НДС=300.00", "СНО ОСН",
                 "https://shop.example", "Расчёты в интернете да", "buyer@mail.example", "kassa@shop.example",
                 "www.nalog.gov.ru", record.register_serial, record.registration_number, record.storage_number,
                 "ФД512", "ФП754674267", "Смена3", "Чек № 12", "20.11.2026 14:45", qr_text(record)):
        assert "".join(fact.split()) in together, fact


@settings(max_examples=150, deadline=None)
@given(cases(), st.integers(NARROWEST, 60), st.sampled_from(["ru", "kk", "en"]), st.booleans(), st.text(max_size=80))
def test_no_row_is_wider_than_the_paper(case: Case, width: int, language: Language, recorded: bool, odd: str) -> None:
    receipt = replace(build(case.order, TERMS, "0123456789abcdef", NOW), seller_name=odd, settlement_place=odd,
                      customer=Customer(odd, inn="7707083893"))
    printed = paper(receipt, record_of(receipt) if recorded else None, width=width, language=language)
    text = as_text(printed)
    assert all(cells(row) <= width for row in text.split("\n"))
    for row in printed.rows:
        if isinstance(row, Line):
            used = cells(row.left) + bool(row.left and row.right) + cells(row.right)
            assert used <= width // (2 if row.double else 1)
            assert (row.left + row.right).isprintable()
    together = "".join(text.split())
    for line in receipt.lines:
        assert "".join(clean(line.name).split()) in together
        assert f"={line.amount.plain()}" in together
    assert f"={receipt.total.plain()}" in together
    assert not isinstance(printed.rows[-1], Rule)


def test_a_kazakh_receipt_speaks_both_languages() -> None:
    receipt = kazakh()
    url = "http://consumer.oofd.kz?i=754674267&f=010102345678&s=2320.00&t=20261120T144500"
    for language in ("ru", "kk"):
        printed = paper(receipt, record_of(receipt, url), language=language)
        text = as_text(printed)
        for fact in ("ФИСКАЛДЫҚ ЧЕК / ФИСКАЛЬНЫЙ ЧЕК", "САТУ / ПРОДАЖА", "БСН / БИН 050140000001", "Әлия Қасымова",
                     "ҚҚС / НДС 16%", "=320.00", "ЖИЫНЫ / ИТОГ", "=2320.00", "Қайтарым / Сдача", "=2680.00",
                     "Мекенжайы / Адрес", "Фискалдық белгі / Фискальный признак   754674267", "00106900000001"):
            assert fact in text, fact
        assert "ИНН" not in text and "nalog" not in text and "СНО" not in text
        # The code is the operator's own address of the receipt (webkassa §5).
        assert printed.rows[-1] == QrCode(url)
    assert "FISCAL RECEIPT" in as_text(paper(receipt, record_of(receipt), language="en"))
    narrow = as_text(paper(receipt, record_of(receipt), width=NARROWEST))
    assert "ФИСКАЛДЫҚ ЧЕК\n" in narrow and "ФИСКАЛЬНЫЙ ЧЕК\n" in narrow
    person = replace(receipt, seller_inn="880512300104")
    assert "ЖСН / ИИН 880512300104" in as_text(paper(person, None))


def test_what_is_not_printed_yet_says_so() -> None:
    printed = paper(shop(), None)
    text = as_text(printed)
    assert "НЕ ФИСКАЛЬНЫЙ ДОКУМЕНТ" in text and "Чек ещё не пробит" in text and "КАССОВЫЙ" not in text
    assert "ФН " not in text and not any(isinstance(row, QrCode) for row in printed.rows)


def test_the_code_can_be_left_out() -> None:
    assert "QR" not in as_text(paper(shop(), record_of(shop()), qr=False))


def test_kinds_and_methods_in_the_words_of_the_law() -> None:
    receipt = shop()
    back = return_of(receipt, "fedcba9876543210")
    assert "ВОЗВРАТ ПРИХОДА" in as_text(paper(back, record_of(back)))
    assert "RETURN OF SALE" in as_text(paper(back, record_of(back), language="en"))
    advance = build(order(OrderLine("Аванс", Money(12_200), vat="vat22", method=Method.ADVANCE,
                                    subject=Subject.PAYMENT)), TERMS, "0123456789abcdef", NOW)
    text = as_text(paper(advance, record_of(advance)))
    assert "НДС 22/122                                =22.00" in text
    assert "Аванс, платёж" in text and "Сумма НДС 22/122                          =22.00" in text


def test_ffd_1_2_names_the_measure_and_the_mark() -> None:
    terms = replace(TERMS, ffd=Ffd.V1_2)
    made = build(order(OrderLine("Вода", Money(4_000), vat="vat0")), terms, "0123456789abcdef", NOW)
    marked = replace(made, lines=(replace(made.lines[0], marking="0104600000000017"),))
    text = as_text(paper(marked, None))
    assert "Вода [M]" in text and "1 шт. × 40.00" in text and "НДС 0%" in text
    assert "Сумма с НДС 0%                            =40.00" in text


def test_a_company_that_buys_is_named() -> None:
    receipt = replace(shop(), customer=Customer("ООО «Покупатель»", inn="7707083893"))
    text = as_text(paper(receipt, None))
    assert "ООО «Покупатель»" in text and "ИНН покупателя" in text
    assert "Орлова" not in as_text(paper(shop(), None))


def test_the_total_is_big_as_long_as_it_fits() -> None:
    def rows(receipt: Receipt, width: int) -> list[tuple[str, str, bool]]:
        return [(row.left, row.right, row.double) for row in paper(receipt, None, width=width).rows
                if isinstance(row, Line) and row.bold and ("ИТОГ" in row.left or "=" in row.left + row.right)]

    dear = build(order(OrderLine("Дом", Money(9_999_999_999_999))), TERMS, "0123456789abcdef", NOW)
    assert rows(shop(), NARROW) == [("ИТОГ", "=3596.71", True)]
    assert rows(shop(), NARROWEST) == [("ИТОГ", "", True), ("=3596.71", "", True)]
    assert rows(dear, NARROW) == [("ИТОГ", "", True), ("=99999999999.99", "", True)]
    assert rows(dear, NARROWEST) == [("ИТОГ", "=99999999999.99", False)]


def test_paper_has_a_least_width() -> None:
    with pytest.raises(ValueError, match="at least 24 columns"):
        paper(shop(), None, width=NARROWEST - 1)


def test_control_characters_do_not_reach_the_printer() -> None:
    assert clean("а\x1b@б\n\x00 и\u0306\u202e!") == "а @б й !"


def test_every_enumeration_has_its_words() -> None:
    for words, members in ((KINDS, Kind), (KZ_KINDS, Kind), (FORMS, Form), (METHODS, Method), (SUBJECTS, Subject),
                           (MEASURES, Measure), (TAX_SYSTEMS, TaxSystem)):
        assert set(words) == set(members)
        assert all(text.ru and text.en and text.kk for text in words.values())
    assert all(text.ru and text.en and text.kk for text in WORDS.values())
