"""The owner's rule in words, as the page shows it above the payments that it sorts: what the settings say, with the
names that things have over there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date

from hub_plugins.alfacrm import values
from hub_plugins.alfacrm.reader import Reader
from hub_plugins.alfacrm.settings import FORMS, ITEMS

from hub.contracts import Text
from hub.fiscal import Kind

_CORRECTIONS = {
    "ask": Text("Corrections: a person decides about each.", "Корректировки: про каждую решает человек."),
    "return": Text("Corrections below zero are returns; about others a person decides.",
                   "Корректировки со знаком минус — возврат прихода, про остальные решает человек."),
    "ignore": Text("Corrections: no receipt.", "Корректировки: чек не нужен.")}


def in_words(reader: Reader, first: date, before: int) -> tuple[Text, ...]:
    """Sentences, the widest first. ``first`` is the first day of the hub's receipts; up to the number ``before``
    payments were there when it came."""
    return tuple(_sentences(reader, first, before))


def _sentences(reader: Reader, first: date, before: int) -> Iterator[Text]:
    rules = reader.rules
    branches = list(reader.branches())
    if rules.by_hand:
        yield Text("A person sends each payment to the register: “Cash” or “Electronic”. The rest says which ones wait "
                   "for it.", "На кассу каждый платёж отправляет человек: «Наличные» или «Электронно». Остальное — "
                   "какие платежи его ждут.")
    if rules.branches:
        yield _named("Branches: {names}. Others get no receipt here.",
                     "Филиалы: {names}. Остальные здесь без чека.",
                     (_quoted(one, reader.branches().get(one, "")) for one in rules.branches))
    if rules.companies:
        yield _named("Students of the legal entity {names} only.", "Только ученики юрлица {names}.",
                     map(str, sorted(rules.companies)))
    yield Text("Payments dated {day} or later{rest}.", "Платежи, датированные {day} или позже{rest}.", params={
        "day": values.dotted(first), "rest": Text(" that were entered after No. {n}", " и занесённые после № {n}",
                                                 params={"n": before}) if before else ""})
    types = {number: _first(reader, branches, number) for number in rules.kinds}
    for kind, en, ru in ((Kind.SALE, "A sale: {names}.", "Приход: {names}."),
                         (Kind.SALE_RETURN, "A return: {names}.", "Возврат прихода: {names}.")):
        found = [_quoted(number, types[number]) for number, one in sorted(rules.kinds.items()) if one is kind]
        if found:
            yield _named(en, ru, found)
    yield _CORRECTIONS[rules.corrections]
    yield from _forms(reader, branches)
    yield from _by_word(rules.items, ITEMS, lambda number: _name(reader, branches, "pay-item", number),
                        ("{form}: articles {names}.", "{form}: статьи {names}."))
    if rules.only_confirmed:
        yield Text("Confirmed ones only; the others when they are confirmed.",
                   "Только подтверждённые; остальные — когда подтвердят.")
    else:
        yield Text("Confirmed or not.", "Подтверждённые и нет.")
    yield Text("No receipt: paid with bonuses, fiscalised by AlfaCRM's own register, of no sum.",
               "Без чека: оплаченные бонусами, фискализированные встроенной кассой, с нулевой суммой.")
    if rules.bank_field:
        yield Text("With a bank order number (field {field}): the bank prints.",
                   "С номером заказа банка (поле {field}): чек печатает банк.",
                   params={"field": rules.bank_field}) if rules.bank_prints else Text(
            "With a bank order number (field {field}): as all others.",
            "С номером заказа банка (поле {field}): как все остальные.", params={"field": rules.bank_field})


def _forms(reader: Reader, branches: Iterable[int]) -> Iterator[Text]:
    rules = reader.rules
    yield from _by_word(rules.accounts, FORMS, lambda number: _name(reader, branches, "pay-account", number),
                        ("{form}: accounts {names}.", "{form}: кассы {names}."))
    yield from _by_word(rules.type_forms, FORMS, lambda number: _first(reader, branches, number),
                        ("{form}: payment types {names}, unless the account says otherwise.",
                         "{form}: типы платежей {names}, если касса не говорит иначе."))
    yield Text("{form}: all other accounts.", "{form}: все остальные кассы.",
               params={"form": FORMS[rules.other_accounts]})


def _by_word(said: Mapping[int, str], words: Mapping[str, Text], name: Callable[[int], str],
             sentence: tuple[str, str]) -> Iterator[Text]:
    """One sentence for each word that some numbers have."""
    for word in words:
        numbers = [number for number, one in sorted(said.items()) if one == word]
        if numbers:
            yield _named(*sentence, (_quoted(number, name(number)) for number in numbers), form=words[word])


def _named(en: str, ru: str, names: Iterable[str], **more: object) -> Text:
    return Text(en, ru, params={"names": ", ".join(names), **more})


def _quoted(number: int, name: str) -> str:
    return f"{name} ({number})" if name else str(number)


def _name(reader: Reader, branches: Iterable[int], entity: str, number: int) -> str:
    """Its name in whichever branch has it."""
    return next((found for branch in branches if (found := reader.name(branch, entity, number))), "")


def _first(reader: Reader, branches: Iterable[int], kind: int) -> str:
    return next((found for branch in branches if (found := reader.pay_types(branch).get(str(kind)))), "")
