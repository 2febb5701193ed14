"""Which payments become receipts: the owner's rule, applied to one payment, and its reason in words (alfacrm.md §5).

Pure: what the CRM said comes in as rows, nothing is asked from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from hub_plugins.alfacrm import values
from hub_plugins.alfacrm.orders import Pay, amount, given_back, kind_of
from hub_plugins.alfacrm.rules import CORRECTION_TYPE, Rules

from hub.contracts import Text
from hub.fiscal import Kind

#: Reasons that a person's word does not outweigh: another receipt exists, there is nothing to print, or it is another
#: legal entity's, whose own connection prints it.
_FIRM = frozenset({"fiscal", "type", "zero", "negative", "company", "branch"})


NOTHING = Text("Makes a receipt.", "Становится чеком.")


@dataclass(frozen=True, slots=True)
class Judged:
    """What the rule makes of a payment. ``kind`` is known whenever its type says so. ``code`` names the reason.
    ``elsewhere``: which other system prints it. ``sendable``: whether a person's button outweighs the reason."""

    verdict: Literal["receipt", "skip", "by_hand"]
    kind: Kind | None = None
    why: Text = NOTHING
    code: str = ""
    elsewhere: Text | None = None
    sendable: bool = False


def judge(pay: Pay, rules: Rules, currency: str, since: date | None = None, company: int | None = None,
          button: str = "", before: int = 0) -> Judged:
    """The rule's word on a payment. ``since`` is the first day of the hub's receipts, None when that does not matter;
    up to the number ``before`` payments were entered before the hub came;
    ``company`` the legal entity of the student's card, None while it was not read; ``button`` is a person's word, which
    outweighs whatever is the owner's choice. Raises Invalid when the CRM sent a sum that is no number."""
    kind = kind_of(pay, rules, currency)
    said: dict[str, Any] = {
        "id": pay.id, "type": pay.type if pay.type is not None else "-", "account": pay.account, "item": pay.item,
        "branch": pay.branch, "day": values.dotted(pay.day), "since": values.dotted(since), "bank": pay.bank[:40],
        "company": company}
    reason = _reason(pay, rules, currency, kind, since, company, before)
    if reason is None and rules.by_hand and not button:
        reason = "hand"
    if kind is None and pay.type == CORRECTION_TYPE and rules.corrections != "ignore":
        # Whatever keeps it from being printed now, a person who sends it sends one of these.
        kind = Kind.SALE_RETURN if given_back(pay, currency).amount > 0 else Kind.SALE
    sendable = reason is not None and reason not in _FIRM and kind is not None
    if reason is None or (button and sendable):
        return Judged("receipt", kind)
    if reason in ("zero", "negative", "bonus") and kind is not None:
        said["amount"] = amount(pay, kind, currency)
    elsewhere = _text(_ELSEWHERE[reason], said) if reason in _ELSEWHERE else None
    return Judged("by_hand" if reason in ("hand", "correction") else "skip", kind, _text(_WORDS[reason], said), reason,
                  elsewhere, sendable)


def _reason(pay: Pay, rules: Rules, currency: str, kind: Kind | None, since: date | None,
            company: int | None, before: int) -> str | None:
    """The first reason against a receipt, or None."""
    if pay.fiscal:
        return "fiscal"
    if rules.branches and pay.branch not in rules.branches:
        return "branch"
    if rules.companies and company is not None and company not in rules.companies:
        return "company"
    if kind is None and pay.type != CORRECTION_TYPE:
        return "type"
    if kind is None and rules.corrections == "ignore":
        return "correction_off"
    if since is not None and pay.day and pay.day < since:
        return "old"
    if pay.id <= before:
        return "before"
    if kind is None:
        return "correction"
    if pay.bank and rules.bank_prints:
        return "bank"
    if rules.items.get(pay.item or 0) == "skip":
        return "item"
    if rules.form(pay.account, pay.type) is None:
        return "account"
    if rules.only_confirmed and pay.confirmed is False:
        return "unconfirmed"
    if values.money(pay.row.get("bonus"), "bonus", currency):
        return "bonus"
    due = amount(pay, kind, currency)
    if not due:
        return "zero"
    return "negative" if due.amount < 0 else None


def _text(words: tuple[str, str], said: Mapping[str, Any]) -> Text:
    return Text(*words, params=said)


_WORDS: Mapping[str, tuple[str, str]] = {
    "fiscal": ("Payment {id} has been fiscalised by AlfaCRM's own register integration.",
               "Платёж {id} уже фискализирован встроенной онлайн-кассой АльфаCRM."),
    "branch": ("Payment {id} belongs to branch {branch}, which the settings leave out.",
               "Платёж {id} относится к филиалу {branch}, которого нет в настройках."),
    "company": ("Payment {id} belongs to the school's legal entity {company}, which the settings leave out.",
                "Платёж {id} относится к юрлицу школы {company}, которого нет в настройках."),
    "old": ("Payment {id} is dated {day}, before {since}, the first day of the hub's receipts. The day is in the "
            "settings.", "Платёж {id} датирован {day}, а хаб печатает чеки с {since}. Этот день можно изменить в "
            "настройках."),
    "before": ("Payment {id} was entered before the hub was connected: another system may have printed its receipt. "
               "If none has, send it to the register with a button on the page of payments.",
               "Платёж {id} занесён до подключения хаба: его чек мог пробить кто-то другой. Если чека нет, отправьте "
               "его на кассу кнопкой на странице платежей."),
    "type": ("Payment {id} has type {type}, which the settings match to neither sale nor return.",
             "У платежа {id} тип {type}, в настройках он не отнесён ни к приходу, ни к возврату."),
    "correction_off": ("Payment {id} is a correction; the settings say: no receipt.",
                       "Платёж {id} — корректировка, по настройкам чек для неё не нужен."),
    "correction": ("Payment {id} is a correction; whether money moved is not to be seen. If it was given back, enter a "
                   "refund in AlfaCRM; if corrections never need receipts, say so in the settings.",
                   "Платёж {id} — корректировка, и не видно, двигались ли деньги. Если их вернули, оформите в АльфаCRM "
                   "возврат; если корректировкам чеки не нужны, укажите это в настройках."),
    "bank": ("Payment {id} was entered by an acquiring integration (bank order {bank}); the settings say: the bank "
             "prints its receipt.", "Платёж {id} занесён интеграцией эквайринга (заказ банка {bank}); по настройкам "
             "чек на него печатает банк."),
    "item": ("Payment {id} is of article {item}; the settings say: no receipt.",
             "Платёж {id} проведён по статье {item}, для неё в настройках выбрано «чек не нужен»."),
    "account": ("Payment {id} is on account {account}; the settings say: no receipt from here.",
                "Платёж {id} проведён по кассе {account}, для неё в настройках выбрано «чек не нужен»."),
    "unconfirmed": ("Payment {id} is not confirmed yet. It is looked at again when it is.",
                    "Платёж {id} ещё не подтверждён. Когда подтвердят, чек будет пробит."),
    "bonus": ("Payment {id} was made with bonuses, wholly or in part. If {amount} of it is money, send it all the "
              "same.",
              "Платёж {id} полностью или частично оплачен бонусами. Если {amount} из него — деньги, отправьте его на "
              "кассу кнопкой."),
    "zero": ("Payment {id} is for {amount}, so there is nothing to print.",
             "Сумма платежа {id} — {amount}, печатать нечего."),
    "negative": ("Payment {id} is below zero ({amount}). If money was given back, enter it as a refund.",
                 "Сумма платежа {id} отрицательная ({amount}). Если деньги вернули, оформите это платежом с типом "
                 "«возврат»."),
    "hand": ("By the settings a person sends payment {id} to the register.",
             "По настройкам платёж {id} отправляет на кассу человек."),
}
_ELSEWHERE: Mapping[str, tuple[str, str]] = {
    "fiscal": ("AlfaCRM's own register integration has printed it.", "Чек пробила встроенная онлайн-касса АльфаCRM."),
    "bank": ("The bank's acquiring prints it.", "Чек печатает эквайринг банка."),
}


def unconfirmed(pay: Pay) -> Text:
    """Why a payment waits whose row did not say that it is confirmed."""
    return _text(_WORDS["unconfirmed"], {"id": pay.id})
