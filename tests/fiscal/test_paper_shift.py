"""The other slips: what each states, at every width, in every language; nothing for what a register does not say."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from hub.fiscal import Cashier, Country, Money
from hub.fiscal.paper import Language, Look, as_text, cells, on
from hub.fiscal.paper_shift import Slip, Till, slip_form
from tests.fiscal.papers import OMSK

AT = datetime(2026, 11, 20, 21, 5, tzinfo=OMSK)
TILL = Till(Country.RU, "ООО «Ромашка»", "7707083893", "00106900000001", "0000000001012345", "9999078900001234",
            "Омск, Ленина 1", "Магазин «Ромашка»", "Такском")
KZ_TILL = Till(Country.KZ, "«Бал» ЖШС", "050140000001", "SWK00999001", "010102345678", "1234567",
               "Алматы қ., Абай даңғ. 10", "", "Казахтелеком")
Z = Slip("z", AT, 7, 530, "754674267", Cashier("Иванова М. П.", "500100732259"), None, AT.replace(hour=9), 14, 16,
         Money(3_596_71), Money(100_00), Money(1_000_00), Money(500_00), Money(1_496_71), Money(99_999_00), 2,
         AT.replace(hour=20))
WIDTHS = (24, 32, 42, 48, 64)

FACTS = {
    "opened": ["ОТЧЁТ ОБ ОТКРЫТИИ СМЕНЫ", "Смена 7 20.11.2026 21:05", "Кассир Иванова М. П.",
               "ИНН кассира 500100732259",
               "Адрес расчётов Омск, Ленина 1", "Место расчётов Магазин «Ромашка»", "ЗН ККТ 00106900000001",
               "РН ККТ 0000000001012345", "ФН 9999078900001234", "ФД 530", "ФП 754674267", "ОФД Такском"],
    "z": ["ОТЧЁТ О ЗАКРЫТИИ СМЕНЫ", "Смена открыта 20.11.2026 09:05", "Чеков за смену 14", "Документов за смену 16",
          "Приход =3596.71", "Возвраты =100.00", "Внесено =1000.00", "Выплачено =500.00", "Наличных в кассе =1496.71",
          "Необнуляемая сумма прихода =99999.00", "Не передано в ОФД 2", "Первый непереданный от 20.11.2026 20:05"],
    "x": ["X-ОТЧЁТ", "Чеков за смену 14", "Наличных в кассе =1496.71"],
    "cash_in": ["ВНЕСЕНИЕ", "СУММА =250.00", "Кассир Иванова М. П."],
    "cash_out": ["ВЫПЛАТА", "СУММА =250.00"],
}
KZ_FACTS = {
    "opened": ["ОТЧЁТ ОБ ОТКРЫТИИ СМЕНЫ", "АУЫСЫМНЫҢ АШЫЛУЫ"], "z": ["Z-ЕСЕП", "Z-ОТЧЁТ", "Сату / Продажи =3596.71"],
    "x": ["X-ЕСЕП", "X-ОТЧЁТ"], "cash_in": ["ҚОЛМА-ҚОЛ АҚША САЛУ", "ВНЕСЕНИЕ", "СОМА / СУММА =250.00"],
    "cash_out": ["ИЗЪЯТИЕ", "СОМА / СУММА =250.00"],
}


def squeezed(text: str) -> str:
    return "".join(text.split())


def slip(what: str, currency: str = "RUB") -> Slip:
    if what in ("cash_in", "cash_out"):
        return Slip(what, AT, 7, cashier=Z.cashier, amount=Money(250_00, currency))  # type: ignore[arg-type]
    return replace(Z, what=what)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("what", list(FACTS))
def test_each_russian_slip(what: str, width: int) -> None:
    text = as_text(on(slip_form(slip(what), TILL), width))
    facts = [*FACTS[what], "ООО «Ромашка»", "ИНН 7707083893"]
    assert [one for one in facts if squeezed(one) not in squeezed(text)] == []
    assert all(cells(row) <= width for row in text.splitlines())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("what", list(KZ_FACTS))
def test_each_kazakh_slip_speaks_both_languages(what: str, width: int) -> None:
    text = as_text(on(slip_form(slip(what, "KZT"), KZ_TILL, language="kk"), width))
    facts = [*KZ_FACTS[what], "БСН / БИН 050140000001", "Мекенжайы / Адрес Алматы қ., Абай даңғ. 10", "SWK00999001"]
    assert [one for one in facts if squeezed(one) not in squeezed(text)] == []
    assert "ИНН" not in text and all(cells(row) <= width for row in text.splitlines())


@pytest.mark.parametrize(("language", "word"), [("ru", "ДУБЛИКАТ"), ("kk", "ТЕЛНҰСҚА"), ("en", "DUPLICATE")])
def test_a_copy_of_a_slip_says_so(language: Language, word: str) -> None:
    assert word in as_text(on(slip_form(Z, TILL, language=language, duplicate=True), 32))
    assert word not in as_text(on(slip_form(Z, TILL, language=language), 32))


def test_a_register_that_says_little_gets_a_short_slip() -> None:
    text = as_text(on(slip_form(Slip("x", AT), Till(), look=Look(below="До завтра")), 32))
    assert text.split() == ["X-ОТЧЁТ", "20.11.2026", "21:05", "-" * 32, "До", "завтра"]
    zero = as_text(on(slip_form(replace(Z, sales=Money(0), unsent=0), TILL), 32))
    assert squeezed("Приход =0.00") in squeezed(zero) and squeezed("Не передано в ОФД 0") in squeezed(zero)
