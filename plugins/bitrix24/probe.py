"""«Test connection» that really tries, and the steps of setting up for a person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hub_plugins.bitrix24.client import Batch, Portal, as_map, as_rows, as_text
from hub_plugins.bitrix24.deals import DEAL

from hub.contracts import Check, NeedsAttention, Step, Text, TryLater

_GOOD = Text("The portal answers, and the webhook may do what the hub needs.",
             "Портал отвечает, у вебхука есть всё, что нужно хабу.")
_LACKS = Text("The incoming webhook lacks the right «{scope}». Open the webhook in Bitrix24, add the right and save.",
              "У входящего вебхука нет права «{scope}». Откройте вебхук в Битрикс24, добавьте право и сохраните.")
_FIELD = Text("Deals have no field {field}. Create it in Bitrix24 (CRM → Settings → Custom fields) or mend its code.",
              "У сделок нет поля {field}. Создайте его в Битрикс24 (CRM → Настройки → Пользовательские поля) или "
              "исправьте код.")
_FIXED = Text("The field {field} cannot be written. Choose another one.",
              "В поле {field} нельзя писать. Выберите другое.")
_STAGE = Text("The portal has no stage {stage}. Its stages: {known}.", "На портале нет стадии {stage}. Есть: {known}.")
_STAGE_OF = re.compile(r"C(\d+):")

_PORTAL = Text("Portal", "Портал")
_USER = Text("Acts as", "Действует от имени")
_SCOPES = Text("Rights of the webhook", "Права вебхука")
_STAGES = Text("Paid stages", "Стадии оплаты")


def check(portal: Portal, config: Mapping[str, Any]) -> Check:
    """Asks for the user, the rights, the fields, the stages and one deal; the first thing wrong goes to its field."""
    try:
        batch = portal.batch(_questions(config))
        scopes = sorted(as_text(one) for one in as_map(batch.get("scope")).values())
        missing = tuple(one for one in _needed(config) if one not in scopes)
        if missing:
            return Check(False, _LACKS.with_(scope="», «".join(missing)), "webhook",
                         missing=tuple(Text(one, one) for one in missing))
        batch.get("deal")
        wrong = _field(batch, config["result_field"]) or _stages(batch, config["paid_stages"])
        if wrong is not None:
            return wrong
        if config["paid_by_payment"]:
            batch.get("payments")
        person = as_map(batch.get("profile"))
    except NeedsAttention as problem:
        return Check(False, problem.reason, problem.field or "webhook")
    except TryLater as problem:
        return Check(False, problem.reason, "webhook")
    name = " ".join(filter(None, (as_text(person.get(one)) for one in ("NAME", "LAST_NAME"))))
    names = _stage_names(batch)
    stages = ", ".join(f"{names[one]} ({one})" if names.get(one) else one for one in config["paid_stages"])
    facts = [(_PORTAL, portal.host), (_USER, name or as_text(person.get("ID")) or "—"), (_SCOPES, ", ".join(scopes))]
    return Check(True, _GOOD, facts=tuple([*facts, (_STAGES, stages)] if stages else facts))


def _needed(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The webhook's rights that the settings ask for, as Bitrix24 calls them."""
    return ("crm", *(("sale",) if config["paid_by_payment"] else ()), *(("im",) if config["notify"] else ()))


def _questions(config: Mapping[str, Any]) -> dict[str, tuple[str, Mapping[str, Any]]]:
    questions: dict[str, tuple[str, Mapping[str, Any]]] = {
        "profile": ("profile", {}), "scope": ("scope", {}),
        "fields": ("crm.item.fields", {"entityTypeId": DEAL, "useOriginalUfNames": "Y"}),
        "deal": ("crm.item.list", {"entityTypeId": DEAL, "select": ["id"], "order": {"id": "DESC"}, "start": -1})}
    for index, entity in enumerate(sorted({_entity(one) for one in config["paid_stages"]})[:20]):
        questions[f"stages{index}"] = ("crm.status.list", {"filter": {"ENTITY_ID": entity}})
    if config["paid_by_payment"]:
        questions["payments"] = ("sale.payment.list", {"select": ["id"], "filter": {"id": 0}, "start": -1})
    return questions


def _entity(stage: str) -> str:
    """Where the stages of the pipeline stand: DEAL_STAGE for the first one, DEAL_STAGE_3 for ``C3:…``."""
    pipeline = _STAGE_OF.match(stage)
    return f"DEAL_STAGE_{pipeline[1]}" if pipeline else "DEAL_STAGE"


def _field(batch: Batch, name: str) -> Check | None:
    """Whether the result's field exists and can be written: an update would pass over a wrong one in silence."""
    if not name:
        return None
    fields = as_map(as_map(batch.get("fields")).get("fields"))
    found = [as_map(value) for key, value in fields.items()
             if name in (key, as_text(as_map(value).get("upperName")))]
    if not found:
        return Check(False, _FIELD.with_(field=name), "result_field")
    return Check(False, _FIXED.with_(field=name), "result_field") if found[0].get("isReadOnly") is True else None


def _stages(batch: Batch, wanted: list[str]) -> Check | None:
    """Whether the paid stages exist. A portal that does not tell its stages is taken at the owner's word."""
    names = _stage_names(batch)
    for one in wanted:
        if names and one not in names:
            known = ", ".join(f"{code} ({name})" for code, name in names.items())
            return Check(False, _STAGE.with_(stage=one, known=known[:400]), "paid_stages")
    return None


def _stage_names(batch: Batch) -> dict[str, str]:
    names: dict[str, str] = {}
    for key, method in batch.commands.items():
        if key.startswith("stages") and batch.problem(key) is None:
            for row in as_rows(batch.get(key), method):
                names[as_text(row.get("STATUS_ID"))] = as_text(row.get("NAME"))
    return names


_STEPS: tuple[tuple[Text, bool], ...] = (
    (Text("In Bitrix24 open Applications → Developer resources → Other → Incoming webhook. An administrator should do "
          "it: the hub will act in their name.",
          "В Битрикс24 откройте Приложения → Разработчикам → Другое → Входящий вебхук. Лучше от администратора: хаб "
          "действует от имени того, кто создал вебхук."), False),
    (Text("Tick the right CRM (crm){sale}, save, and copy «Webhook to call REST API» into the field «Incoming webhook» "
          "here.",
          "Отметьте право CRM (crm){sale}, сохраните и скопируйте «Вебхук для вызова rest api» в поле «Входящий "
          "вебхук» здесь."), False),
    (Text("Again Developer resources → Other → Outgoing webhook. Paste this address as the handler.",
          "Снова Разработчикам → Другое → Исходящий вебхук. Вставьте этот адрес как адрес обработчика."), True),
    (Text("Choose the events «Deal created» (ONCRMDEALADD) and «Deal updated» (ONCRMDEALUPDATE){payment} and save.",
          "Выберите события «Создание сделки» (ONCRMDEALADD) и «Обновление сделки» (ONCRMDEALUPDATE){payment} и "
          "сохраните."), False),
    (Text("Bitrix24 now shows the token of the outgoing webhook: copy it into «Application token» here.",
          "Битрикс24 покажет токен исходящего вебхука: скопируйте его в поле «Токен приложения» здесь."), False),
    (Text("Press «Test connection», then move a trial deal to the paid stage. If Bitrix24 cannot reach this address, "
          "the hub still finds paid deals by itself within two minutes.",
          "Нажмите «Проверить», затем переведите пробную сделку на стадию оплаты. Если Битрикс24 не может достучаться "
          "до этого адреса, хаб сам найдёт оплаченные сделки за две минуты."), False),
)
_SALE = Text(" and Online store (sale)", " и «Интернет-магазин» (sale)")
_PAYMENT = Text(", and «Payment saved» (ONPAYMENTENTITYSAVED)", ", а также «Сохранение оплаты» (ONPAYMENTENTITYSAVED)")


def steps(address: str, by_payment: bool) -> tuple[Step, ...]:
    """The steps, with our address to paste in the one that needs it."""
    return tuple(Step(_filled(_filled(text, "{sale}", _SALE, by_payment), "{payment}", _PAYMENT, by_payment),
                      address if pasted else "") for text, pasted in _STEPS)


def _filled(text: Text, place: str, more: Text, wanted: bool) -> Text:
    return Text(text.en.replace(place, more.en if wanted else ""), text.ru.replace(place, more.ru if wanted else ""))
