"""The notifier: one message to one chat through the Bot API (core.telegram.org/bots/api: sendMessage, getMe).

Facts that only the vendor's own page tells are read leniently: an answer counts as sent only when it says ``ok``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hub_plugins.notifiers.telegram.settings import TelegramSettings

from hub.contracts import Check, Client, NeedsAttention, Notice, Notifier, Text, TryLater

#: The Bot API takes so many characters in a message.
LONGEST = 4096
CHAT = re.compile(r"-?\d{1,20}|@[A-Za-z][A-Za-z0-9_]{3,60}")

NO_CHAT = Text("This is no chat: a number like 123456789, -100123456789 for a group, or @name of a channel.",
               "Это не чат: нужен номер вроде 123456789, -100123456789 для группы или @имя канала.")
UNREADABLE = Text("Telegram answered with something that cannot be read. The hub tries again by itself.",
                  "Telegram ответил непонятно. Хаб повторит сам.")
BUSY = Text("Telegram asks to wait (it answered {code}). The hub tries again by itself.",
            "Telegram просит подождать (ответ {code}). Хаб повторит сам.")
TOKEN = Text("Telegram does not know this bot. Copy the token from @BotFather once more.",
             "Telegram не знает такого бота. Скопируйте токен у @BotFather ещё раз.")
BLOCKED = Text("This person has not started the bot, or has blocked it. Let them open the bot and press Start.",
               "Этот человек не запустил бота или заблокировал его. Пусть откроет бота и нажмёт «Запустить».")
UNKNOWN_CHAT = Text("Telegram knows no such chat. The person must write to the bot first; then take the number again.",
                    "Telegram не знает такого чата. Сначала человек пишет боту, потом возьмите номер ещё раз.")
REFUSED = Text("Telegram refused the message (it answered {code}).", "Telegram отклонил сообщение (ответ {code}).")

KNOWN = Text("Telegram knows the bot. Now add people: each opens the bot and presses Start.",
             "Telegram знает бота. Теперь добавьте людей: каждый открывает бота и жмёт «Запустить».")


class TelegramNotifier(Notifier):
    """Messages of a bot to chats that started it."""

    name = "telegram"
    title = Text("Telegram", "Telegram")
    summary = Text("Alarms to you and your people in Telegram: a register is lost, a receipt is late, and when it is "
                   "over.", "Тревоги вам и сотрудникам в Telegram: касса пропала, чек опаздывает — и когда прошло.")
    settings = TelegramSettings
    buyers = False
    address = Text("Chat number", "Номер чата")

    def __init__(self, settings: Mapping[str, Any], client: Client | None = None) -> None:
        super().__init__(settings)
        self._client = client or Client(read=15.0)

    def reaches(self, contact: str) -> bool:
        """Chats only: no buyer leaves one."""
        return bool(CHAT.fullmatch(contact.strip()))

    def send(self, notice: Notice) -> None:
        chat = notice.to.strip()
        if not CHAT.fullmatch(chat):
            raise NeedsAttention(NO_CHAT)
        text = notice.text.strip() or notice.subject.strip()
        if not text:
            raise NeedsAttention(REFUSED.with_(code="empty"))
        if len(text) > LONGEST:
            text = text[:LONGEST - 1] + "…"
        self._call("sendMessage", {"chat_id": chat, "text": text, "disable_web_page_preview": True})

    def check(self) -> Check:
        """Asks who the bot is. Nothing is sent."""
        try:
            me = self._call("getMe", {})
        except TryLater as problem:
            return Check(False, problem.reason)
        except NeedsAttention as problem:
            return Check(False, problem.reason, problem.field)
        name = str(me.get("username") or me.get("first_name") or "?") if isinstance(me, dict) else "?"
        return Check(True, KNOWN, facts=((Text("The bot", "Бот"), f"@{name}"),))

    def _call(self, method: str, values: Mapping[str, Any]) -> Any:
        """One call's ``result``. The token is part of the address, so no address ever goes into a sentence or log."""
        url = f"{self.config['api'].rstrip('/')}/bot{self.config['token']}/{method}"
        reply = self._client.call("POST", url, json=dict(values))
        try:
            answer = reply.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
            if reply.status == 401:
                raise NeedsAttention(TOKEN, field="token")
            raise TryLater(UNREADABLE)
        if answer["ok"]:
            return answer.get("result")
        code = answer.get("error_code")
        code = code if isinstance(code, int) else reply.status
        words = str(answer.get("description") or "").lower()
        if code in (401, 404):
            raise NeedsAttention(TOKEN, field="token")
        if code == 429 or code >= 500:
            parameters = answer.get("parameters")
            after = parameters.get("retry_after") if isinstance(parameters, dict) else None
            raise TryLater(BUSY.with_(code=code), after=float(after) if isinstance(after, (int, float)) else None)
        if code == 403:
            raise NeedsAttention(BLOCKED)
        if "chat not found" in words:
            raise NeedsAttention(UNKNOWN_CHAT)
        raise NeedsAttention(REFUSED.with_(code=code))
