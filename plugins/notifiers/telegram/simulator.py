"""The Bot API as far as a notifier sees it. Run it with ``hub simulate telegram``; messages: ``GET /_sim/state``."""

from __future__ import annotations

import argparse
import json
import re
from typing import Any

from hub.contracts import Answer, Request
from hub.testing.simulator import HttpSimulator

PATH = re.compile(r"/bot([^/]+)/(\w+)")
LONGEST = 4096


class TelegramApi(HttpSimulator):
    """Bots with one token, chats that started the bot, chats that blocked it, and a limit of messages."""

    name = "telegram"

    def __init__(self, port: int = 0, token: str = "123456789:AAFakeFakeFakeFakeFakeFakeFakeFake") -> None:
        super().__init__(port)
        self.token = token
        self.chats: set[str] = {"1001", "1002", "@romashka"}
        self.blocked: set[str] = set()
        self.messages: list[dict[str, Any]] = []
        self.wait = 0

    @classmethod
    def arguments(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--token", default="123456789:AAFakeFakeFakeFakeFakeFakeFakeFake", help="the bot's token")

    def handle(self, request: Request) -> Answer:
        found = PATH.fullmatch(request.path)
        if found is None or found[1] != self.token:
            return self._error(404 if found is None else 401, "Not Found" if found is None else "Unauthorized")
        try:
            values = json.loads(request.body or b"{}")
        except ValueError:
            return self._error(400, "Bad Request: can't parse JSON object")
        with self.lock:
            if self.wait:
                self.wait -= 1
                return self._error(429, "Too Many Requests: retry after 3", {"retry_after": 3})
            if found[2] == "getMe":
                return self._ok({"id": 123456789, "is_bot": True, "first_name": "Касса", "username": "romashka_bot"})
            if found[2] == "sendMessage":
                return self._send_message(values)
        return self._error(404, "Not Found: method not found")

    def _send_message(self, values: dict[str, Any]) -> Answer:
        chat, text = str(values.get("chat_id", "")), values.get("text")
        if chat in self.blocked:
            return self._error(403, "Forbidden: bot was blocked by the user")
        if chat not in self.chats:
            return self._error(400, "Bad Request: chat not found")
        if not isinstance(text, str) or not text.strip():
            return self._error(400, "Bad Request: message text is empty")
        if len(text) > LONGEST:
            return self._error(400, "Bad Request: message is too long")
        self.messages.append({"chat": chat, "text": text})
        return self._ok({"message_id": len(self.messages), "chat": {"id": chat}, "text": text})

    @staticmethod
    def _ok(result: Any) -> Answer:
        return Answer.json({"ok": True, "result": result})

    @staticmethod
    def _error(code: int, words: str, parameters: Any = None) -> Answer:
        body = {"ok": False, "error_code": code, "description": words}
        return Answer.json({**body, "parameters": parameters} if parameters else body, code)

    def state(self) -> Any:
        with self.lock:
            return {"messages": list(self.messages), "chats": sorted(self.chats)}

    def do_start(self, chat: str) -> Any:
        """A person opens the bot and presses Start."""
        self.chats.add(chat)
        self.blocked.discard(chat)
        return self.state()

    def do_block(self, chat: str) -> Any:
        """A person blocks the bot."""
        self.blocked.add(chat)
        return self.state()

    def do_limit(self, times: int = 1) -> Any:
        """The next calls are told to wait."""
        self.wait = times
        return self.state()
