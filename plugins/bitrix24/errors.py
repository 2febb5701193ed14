"""What Bitrix24's errors mean (bitrix24.md §2): come back later, or somebody must change something.

The code decides, not the HTTP status: the sources disagree on the status of several codes.
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.contracts import NeedsAttention, Text, TryLater
from hub.fiscal.text import verbatim

_LATER = frozenset({"QUERY_LIMIT_EXCEEDED", "OPERATION_TIME_LIMIT", "OVERLOAD_LIMIT", "INTERNAL_SERVER_ERROR",
                    "ERROR_UNEXPECTED_ANSWER"})
_KEY = frozenset({"NO_AUTH_FOUND", "INVALID_TOKEN", "APPLICATION_NOT_FOUND", "AUTHORIZATION_ERROR", "ERROR_OAUTH",
                  "INVALID_CREDENTIALS", "EXPIRED_TOKEN", "WRONG_AUTH_TYPE"})
_RIGHTS = frozenset({"ACCESS_DENIED", "ACCESS_ERROR", "USER_ACCESS_ERROR", "ALLOWED_ONLY_INTRANET_USER"})
#: Seconds to wait: the bucket of 50 leaks 2 a second; a method's time quota slides over ten minutes.
BUCKET_WAIT, QUOTA_WAIT, MANUAL_WAIT = 5.0, 120.0, 600.0

_SCOPES = (("sale.paysystem", "pay_system"), ("crm.", "crm"), ("sale.", "sale"), ("catalog.", "catalog"),
           ("im.", "im"))

_SENTENCES: Mapping[str, Text] = {
    "QUERY_LIMIT_EXCEEDED": Text(
        "Bitrix24 limits how often it may be asked (2 requests a second for all programs together); the hub waits.",
        "Битрикс24 ограничивает частоту запросов (2 в секунду на все программы вместе); хаб подождёт."),
    "OPERATION_TIME_LIMIT": Text(
        "Bitrix24 has no time left for this method in the last ten minutes; the hub waits.",
        "Битрикс24 исчерпал время этого метода за последние десять минут; хаб подождёт."),
    "OVERLOAD_LIMIT": Text(
        "Bitrix24 has blocked requests to the portal because of overload. Ask its support if it lasts.",
        "Битрикс24 заблокировал запросы к порталу из-за перегрузки. Если это надолго, напишите в его поддержку."),
    "PAYMENT_REQUIRED": Text(
        "Webhooks are switched off: the portal's plan or subscription has ended. Extend it in Bitrix24.",
        "Вебхуки отключены: закончился тариф или подписка портала. Продлите её в Битрикс24."),
    "PORTAL_DELETED": Text("This Bitrix24 portal was deleted.", "Этот портал Битрикс24 удалён."),
    "METHOD_CONFIRM_WAITING": Text(
        "Bitrix24 waits for an administrator to allow {method} for this webhook. Confirm it in the portal.",
        "Битрикс24 ждёт, пока администратор разрешит {method} для этого вебхука. Подтвердите на портале."),
    "METHOD_CONFIRM_DENIED": Text(
        "An administrator of Bitrix24 has forbidden {method} for this webhook. Allow it or create another webhook.",
        "Администратор Битрикс24 запретил {method} для этого вебхука. Разрешите или создайте другой вебхук."),
    "ERROR_METHOD_NOT_FOUND": Text(
        "This Bitrix24 does not know {method}: the portal is too old, or the module is not installed.",
        "Этот Битрикс24 не знает метода {method}: портал слишком старый или модуль не установлен."),
    "OWNER_NOT_FOUND": Text(
        "The deal is no longer in Bitrix24, the result cannot be written there.",
        "Сделки больше нет в Битрикс24, записать результат некуда."),
    "NOT_FOUND": Text(
        "Bitrix24 has no such record for {method}: it was deleted, or the webhook's owner may not see it.",
        "Битрикс24 не находит запись для {method}: её удалили, или владелец вебхука её не видит."),
}
_KEY_WRONG = Text(
    "Bitrix24 does not accept the incoming webhook: it was deleted, changed or has expired. Create a new one and paste "
    "its address.",
    "Битрикс24 не принимает входящий вебхук: его удалили, изменили или истёк срок. Создайте новый и вставьте адрес.")
_SCOPE_MISSING = Text(
    "The incoming webhook lacks the right «{scope}», needed for {method}. Add it to the webhook in Bitrix24.",
    "У входящего вебхука нет права «{scope}», нужного для {method}. Добавьте его вебхуку в Битрикс24.")
_RIGHT_MISSING = Text(
    "The employee who created the webhook may not use {method} here. Give them the right to read and change deals, or "
    "create the webhook as an administrator.",
    "Сотруднику, который создал вебхук, здесь недоступен {method}. Дайте ему права на чтение и изменение сделок или "
    "создайте вебхук от администратора.")
_BUSY = Text("Bitrix24 is not working right now (HTTP {status}); the hub tries again.",
             "Битрикс24 сейчас не работает (HTTP {status}); хаб повторит.")
_NO_DOOR = Text(
    "There is no Bitrix24 at this address (HTTP {status}). Copy the address of the incoming webhook once more.",
    "По этому адресу нет Битрикс24 (HTTP {status}). Скопируйте адрес входящего вебхука ещё раз.")
_OTHER = Text("Bitrix24 refused {method}: {words} (code {code}).",
              "Битрикс24 отказал в {method}: {words} (код {code}).")
_ODD = Text("Bitrix24 gave an answer to {method} that cannot be read; the hub tries again.",
            "Битрикс24 прислал на {method} ответ, который нельзя прочитать; хаб повторит.")


def odd_answer(method: str) -> TryLater:
    """An answer that is no JSON, or not of the shape that the documentation shows: often half a page in between."""
    return TryLater(_ODD.with_(method=method))


def of_status(status: int, after: float | None = None) -> TryLater | NeedsAttention:
    """An answer without an error code: some proxy's page, a 502, a wrong address."""
    if status in (408, 425, 429) or status >= 500:
        return TryLater(_BUSY.with_(status=status), after)
    if status == 401:
        return NeedsAttention(_KEY_WRONG, "webhook", "401")
    return NeedsAttention(_NO_DOOR.with_(status=status), "webhook", str(status))


def of_code(code: object, words: str, method: str, status: int = 200,
            after: float | None = None) -> TryLater | NeedsAttention:
    """The exception for an error of the envelope or of one command in a batch.

    ``code`` in any case, possibly empty, 0 or a long number: then only ``words`` explain (shown as they came).
    """
    name = str(code if code is not None else "").strip().upper()
    sentence = _SENTENCES.get(name)
    if name in _LATER:
        wait = {"QUERY_LIMIT_EXCEEDED": BUCKET_WAIT, "OPERATION_TIME_LIMIT": QUOTA_WAIT,
                "OVERLOAD_LIMIT": MANUAL_WAIT}.get(name)
        return TryLater(sentence or _BUSY.with_(status=status), after if after is not None else wait)
    if name in _KEY:
        return NeedsAttention(_KEY_WRONG, "webhook", name)
    if name in ("INSUFFICIENT_SCOPE", "INVALID_SCOPE"):
        return NeedsAttention(_SCOPE_MISSING.with_(scope=scope_of(method), method=method), "webhook", name)
    if name in _RIGHTS or "denied" in words.lower() or "insufficient permissions" in words.lower():
        return NeedsAttention(_RIGHT_MISSING.with_(method=method), "webhook", name)
    if sentence is not None:
        field = "" if name in ("NOT_FOUND", "OWNER_NOT_FOUND") else "webhook"
        return NeedsAttention(sentence.with_(method=method), field, name)
    if status in (408, 425, 429) or status >= 500:
        return TryLater(_BUSY.with_(status=status), after)
    return NeedsAttention(_OTHER.with_(method=method, words=verbatim(words[:300]), code=name or "—"), "", name)


def scope_of(method: str) -> str:
    """The right that a method needs, as Bitrix24 calls it."""
    return next((scope for prefix, scope in _SCOPES if method.lower().startswith(prefix)), method.partition(".")[0])
