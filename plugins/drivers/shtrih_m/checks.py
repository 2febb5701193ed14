"""The register's settings that decide whether its receipts are right, each with what was found and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from hub_plugins.drivers.shtrih_m import profile as known
from hub_plugins.drivers.shtrih_m.profile import GROUPS, Profile, TaxRow

from hub.contracts import SettingCheck, Text
from hub.fiscal import vat

_TAX = Text("Tax table, row {row}", "Таблица налогов, строка {row}")
_UPDATE = Text("Update the register's firmware.", "Обновите прошивку кассы.")
_NONE = Text("not there", "нет")


def checks(profile: Profile, today: date) -> Iterator[SettingCheck]:
    """Everything that was looked at, right or wrong."""
    yield _accrual(profile)
    yield from _taxes(profile, today)
    yield from _replacement(profile, today)
    yield _ffd(profile)
    yield from _paper(profile)
    yield from _extended(profile)
    yield _ofd(profile)


def _same(words: str) -> Text:
    return Text(words, words)


def _accrual(profile: Profile) -> SettingCheck:
    title = Text("Who computes VAT", "Кто считает НДС")
    wanted = Text("the register (0)", "касса (0)")
    if profile.accrual is None:
        return SettingCheck(title, Text("the register has no such setting", "в кассе нет такой настройки"), wanted)
    where = {"table": profile.accrual[0], "field": profile.accrual[1]}
    if profile.host_computes:
        return SettingCheck(title, Text("the hub (1)", "хаб (1)"), wanted, "warn", Text(
            "Receipts are right, for the hub sends the sums. Simpler: set field {field} of table {table} to 0.",
            "Чеки верны, суммы передаёт хаб. Проще: установите поле {field} таблицы {table} в 0.", params=where))
    return SettingCheck(title, wanted, wanted)


def _taxes(profile: Profile, today: date) -> Iterator[SettingCheck]:
    if not profile.taxes:
        yield SettingCheck(Text("Tax table", "Таблица налогов"), _NONE, Text("12 rows", "12 строк"), "bad", Text(
            "The hub cannot see by which rates the register works. Check the administrator's password.",
            "Хаб не видит ставок кассы. Проверьте пароль системного администратора."))
        return
    for key, group in GROUPS.items():
        rate = vat.rate(key)
        row, title = profile.taxes.get(group), _TAX.with_(row=group)
        wanted = _same(rate.printed) if rate.printed else Text("without VAT", "без НДС")
        if row is None:
            if rate.valid_on(today) and not profile.group(key):
                yield SettingCheck(title, _NONE, wanted, "warn", _UPDATE)
        elif row.key == key or (profile.replaces_vat and row.rate == int((rate.percent or 0) * 100)):
            yield SettingCheck(title, _said(row), wanted)
        else:
            yield SettingCheck(title, _said(row), wanted, "bad", Text(
                "Receipts at this rate would be wrong, so the hub prints none. Set the tax table as it was at the "
                "factory.",
                "Чеки по этой ставке были бы неверны, хаб их не печатает. Верните таблице налогов заводские значения."))


def _said(row: TaxRow) -> Text:
    return _same(f"{row.rate / 100:g} % ({row.name})")


def _replacement(profile: Profile, today: date) -> Iterator[SettingCheck]:
    value = profile.fields.get(known.REPLACEMENT)
    title = Text("VAT 20 % becomes 22 %", "Замена НДС 20 % на 22 %")
    wanted = Text("off (2)", "выключена (2)")
    if value is None:
        if today >= known.NEW_RATE and not profile.group("vat22"):
            yield SettingCheck(title, _NONE, Text("a row of 22 %", "строка 22 %"), "bad", Text(
                "The register cannot print VAT 22 %. Update its firmware.",
                "Касса не умеет НДС 22 %. Обновите её прошивку."))
        return
    if value == known.AUTOMATIC:
        yield SettingCheck(title, Text("by itself (1)", "сама (1)"), wanted, "warn", Text(
            "Sales are right. Returns of sales before 2026 need 20 %: set field 71 of table 17 to 2 for them.",
            "Продажи верны. Возвратам продаж до 2026 года нужны 20 %: для них установите поле 71 таблицы 17 в 2."))
    else:
        yield SettingCheck(title, Text("off ({value})", "выключена ({value})", params={"value": value}), wanted)


def _ffd(profile: Profile) -> SettingCheck:
    found = profile.identity.ffd
    title, wanted = Text("Format of fiscal documents", "Версия ФФД"), _same("1.2")
    if found == "1.2":
        return SettingCheck(title, wanted, wanted)
    return SettingCheck(title, _same(found), wanted, "warn", Text(
        "Marked goods need FFD 1.2. Have the register re-registered.",
        "Маркированным товарам нужен ФФД 1.2. Перерегистрируйте кассу."))


def _paper(profile: Profile) -> Iterator[SettingCheck]:
    value = profile.fields.get(known.PRINTING_MODE)
    if value is not None:
        title, wanted = Text("Printing of documents", "Печать документов"), Text("prints (0)", "печатает (0)")
        found = {known.PRINT: wanted, known.SKIP_NEXT: Text("leaves out the next one (1)", "пропустит следующий (1)"),
                 known.PRINT_NEVER: Text("never prints (2)", "не печатает (2)")}
        if value == known.PRINT:
            yield SettingCheck(title, wanted, wanted)
        else:
            yield SettingCheck(title, found.get(value, _same(str(value))), wanted, "warn", Text(
                "Buyers at a counter get no paper. If that is not meant, set field 7 of table 17 to 0.",
                "Покупатель у прилавка не получит бумажный чек. Если так не задумано, установите поле 7 таблицы 17 "
                "в 0."))
    cut = profile.fields.get(known.CUT_MODE)
    if cut is not None and profile.parameters.cutter:
        title, wanted = Text("Cut after a receipt", "Отрезка чека"), Text("on", "включена")
        if cut:
            yield SettingCheck(title, Text("on ({value})", "включена ({value})", params={"value": cut}), wanted)
        else:
            yield SettingCheck(title, Text("off (0)", "выключена (0)"), wanted, "warn", Text(
                "The register has a cutter that is switched off. Set field 7 of table 1 to 1 if receipts shall be cut.",
                "В кассе есть отрезчик, но он выключен. Чтобы чеки отрезались, установите поле 7 таблицы 1 в 1."))


def _extended(profile: Profile) -> Iterator[SettingCheck]:
    value = profile.fields.get(known.EXTENDED_ANSWERS)
    if value is None:
        return
    title = Text("Time in the answer to a receipt", "Время в ответе на чек")
    wanted = Text("on (1)", "включено (1)")
    if value == 1:
        yield SettingCheck(title, wanted, wanted)
    else:
        yield SettingCheck(title, Text("off ({value})", "выключено ({value})", params={"value": value}), wanted, "ok",
                           Text("Receipts are right; with field 36 of table 17 set to 1 each takes one command less.",
                                "Чеки верны; с полем 36 таблицы 17, равным 1, каждый займёт на одну команду меньше."))


def _ofd(profile: Profile) -> SettingCheck:
    title, wanted = Text("Address of the OFD", "Адрес ОФД"), Text("set", "указан")
    if profile.ofd:
        return SettingCheck(title, _same(profile.ofd), wanted)
    return SettingCheck(title, Text("empty", "пусто"), wanted, "warn", Text(
        "Documents do not leave the register. Set the OFD's address in its table 19.",
        "Документы не уйдут из кассы. Укажите адрес ОФД в таблице 19 кассы."))
