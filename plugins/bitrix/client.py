"""The site's own REST through an incoming webhook (bitrix-site §3.1, §3.4; bitrix24 §2 for errors and paging)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.contracts import Client, NeedsAttention, Reply, TryLater
from hub.fiscal import Text, verbatim

#: The setting that a failed call is about.
FIELD = "rest_url"
#: Pages of a list that are read at most, 50 rows each.
MOST_PAGES = 10

_LATER = {"QUERY_LIMIT_EXCEEDED", "OPERATION_TIME_LIMIT", "OVERLOAD_LIMIT", "INTERNAL_SERVER_ERROR",
          "ERROR_UNEXPECTED_ANSWER"}
_NO_RIGHT = {"ACCESS_DENIED", "USER_ACCESS_ERROR", "200040300010"}
_NO_KEY = {"NO_AUTH_FOUND", "INVALID_CREDENTIALS", "INVALID_TOKEN", "EXPIRED_TOKEN", "APPLICATION_NOT_FOUND",
           "AUTHORIZATION_ERROR", "WRONG_AUTH_TYPE"}
#: Scope that a method's first words ask for, where it is not ``sale``.
_SCOPES = {"sale.cashbox": "cashbox", "catalog.": "catalog", "sale.paysystem": "pay_system"}
#: Codes of "there is no such order, payment, shipment" (bitrix-site §4; only the first is documented).
GONE = frozenset({"201240400001", "200540400001", "201040400001", "ERROR_ORDER_NOT_FOUND"})

BUSY = Text("The site is busy and asks to call later.", "Сайт занят и просит обратиться позже.")
BROKEN = Text("The site answered with something that is no REST answer. It may be under repair, or the webhook's "
              "address leads elsewhere.",
              "Сайт ответил не так, как отвечает REST. Возможно, на нём идут работы или адрес вебхука ведёт не туда.")
NO_KEY = Text("The site does not accept the webhook: it was deleted, or its address is not copied whole. Create the "
              "webhook again and paste its address.",
              "Сайт не принимает вебхук: его удалили или адрес скопирован не целиком. Создайте вебхук заново и "
              "вставьте его адрес.")
NO_SCOPE = Text("The webhook has no right “{scope}”. Tick it in the webhook's settings on the site.",
                "У вебхука нет права «{scope}». Отметьте его в настройках вебхука на сайте.")
NO_RIGHT = Text("The webhook's user may not change the shop's settings. Create the webhook as an administrator.",
                "Пользователь вебхука не может менять настройки магазина. Создайте вебхук от имени администратора.")
NO_METHOD = Text("The site has no method {method}. Update the modules “rest”, “sale” and “catalog”.",
                 "На сайте нет метода {method}. Обновите модули «rest», «sale» и «catalog».")
NO_REST = Text("There is no REST at the webhook's address. Check that it is copied whole and that the site has the "
               "module “rest”.",
               "По адресу вебхука нет REST. Проверьте, что он скопирован целиком и что на сайте есть модуль «rest».")
MOVED = Text("The webhook's address leads to another one. Paste the final address: usually https instead of http, or "
             "with www.",
             "Адрес вебхука перенаправляет на другой. Вставьте конечный адрес: обычно https вместо http или с www.")
REFUSED = Text("The site refused {method}: {words}", "Сайт отказал в {method}: {words}")


class SiteError(Exception):
    """The site understood the call and refused it: its code, its words."""

    def __init__(self, method: str, code: str, words: str) -> None:
        super().__init__(f"{method}: {code}")
        self.method, self.code, self.words = method, code, words

    def attention(self, field: str = FIELD) -> NeedsAttention:
        """The same for the owner."""
        return NeedsAttention(REFUSED.with_(method=self.method, words=verbatim(self.words or self.code)), field,
                              self.code)


class Site:
    """Calls methods; ``address`` is the webhook's address with its secret, which no message of ours repeats."""

    def __init__(self, client: Client, address: str) -> None:
        self._client, self._address = client, address.strip().rstrip("/")
        #: The site's own time in its last answer, ISO with zone; empty when it does not say.
        self.time = ""

    def call(self, method: str, **params: Any) -> Any:
        """The method's ``result``. Raises SiteError, TryLater, or NeedsAttention with the webhook's setting."""
        return self._answer(method, params).get("result")

    def page(self, method: str, name: str, **params: Any) -> list[dict[str, Any]]:
        """One page of a list method, 50 rows at most, read by ``filter`` and ``order`` instead of ``start``."""
        page = self._answer(method, {**params, "start": -1}).get("result")
        return _listed(page.get(name) if isinstance(page, Mapping) else None)

    def rows(self, method: str, name: str = "", **params: Any) -> list[dict[str, Any]]:
        """All rows of a list method; ``name`` is the list's key in ``result`` where there is one."""
        found: list[dict[str, Any]] = []
        start: Any = 0
        for _ in range(MOST_PAGES):
            answer = self._answer(method, {**params, "start": start} if start else params)
            page = answer.get("result")
            if name:
                # One sample of the vendor's documentation has the list at the top level (bitrix24 §5).
                page = page.get(name) if isinstance(page, Mapping) else answer.get(name)
            found += _listed(page)
            start = answer.get("next")
            if not isinstance(start, int) or isinstance(start, bool) or start <= 0:
                break
        return found

    def _answer(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        reply = self._client.call("POST", f"{self._address}/{method}", json=dict(params),
                                  headers={"Accept": "application/json"})
        try:
            answer = reply.json()
        except (ValueError, RecursionError):
            answer = None
        if isinstance(answer, dict) and "error" in answer:
            raise self._error(method, reply, str(answer["error"] or "0"), str(answer.get("error_description") or ""))
        self._status(method, reply)
        if not isinstance(answer, dict) or ("result" not in answer and "vats" not in answer):
            raise TryLater(BROKEN)
        clock = answer.get("time")
        self.time = str(clock.get("date_start") or "") if isinstance(clock, Mapping) else ""
        return answer

    def _error(self, method: str, reply: Reply, code: str, words: str) -> Exception:
        upper = code.upper()
        if upper in _LATER or reply.status == 429 or reply.status >= 500:
            return TryLater(BUSY, _after(reply))
        if upper == "INSUFFICIENT_SCOPE":
            return self._no_scope(method, code)
        if upper in _NO_KEY or reply.status == 401:
            return NeedsAttention(NO_KEY, FIELD, code)
        if upper in _NO_RIGHT:
            return NeedsAttention(NO_RIGHT, FIELD, code)
        if upper == "ERROR_METHOD_NOT_FOUND":
            return NeedsAttention(NO_METHOD.with_(method=method), FIELD, code)
        return SiteError(method, code[:100], words[:300])

    def _status(self, method: str, reply: Reply) -> None:
        """Raises for a status that says enough by itself, whatever page came with it."""
        if reply.status == 429 or reply.status >= 500:
            raise TryLater(BUSY, _after(reply))
        if reply.status == 401:
            raise NeedsAttention(NO_KEY, FIELD, "401")
        if 300 <= reply.status < 400:
            raise NeedsAttention(MOVED, FIELD, str(reply.status))
        if reply.status == 404:
            raise NeedsAttention(NO_REST, FIELD, "404")
        if reply.status >= 400:
            raise NeedsAttention(REFUSED.with_(method=method, words=verbatim(f"HTTP {reply.status}")), FIELD,
                                 str(reply.status))

    @staticmethod
    def _no_scope(method: str, code: str) -> NeedsAttention:
        scope = next((scope for start, scope in _SCOPES.items() if method.startswith(start)), "sale")
        return NeedsAttention(NO_SCOPE.with_(scope=scope), FIELD, code)


def _listed(page: Any) -> list[dict[str, Any]]:
    """The rows of a list. Raises TryLater for what is none: an error must never look like an empty page."""
    if isinstance(page, Mapping):  # PHP writes a list with gaps as an object
        page = list(page.values())
    if not isinstance(page, list):
        raise TryLater(BROKEN)
    return [row for row in page if isinstance(row, dict)]


def _after(reply: Reply) -> float | None:
    """Seconds that the site asked us to wait, if it did."""
    words = reply.headers.get("retry-after", "")
    return float(words) if words.isascii() and words.isdigit() and len(words) < 6 else None
