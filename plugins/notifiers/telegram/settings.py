"""What the owner fills in: the token of a bot that they made for themselves."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields

from hub.contracts import PluginSettings, Text, setting

TOKEN = re.compile(r"\d{5,20}:[A-Za-z0-9_-]{20,80}")
API = "https://api.telegram.org"


def _token(value: str) -> None:
    if not TOKEN.fullmatch(value):
        raise ValidationError([Text("A token looks like 123456789:AAF… : copy it whole from @BotFather's message.",
                                    "Токен выглядит как 123456789:AAF… : скопируйте целиком из ответа @BotFather.")])


def _api(value: str) -> None:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValidationError([Text("This is no address of a server. Example: https://api.telegram.org",
                                    "Это не адрес сервера. Пример: https://api.telegram.org")])


class TelegramSettings(PluginSettings):
    """A bot, and where its API is."""

    token = setting(
        fields.String(required=True, validate=_token), secret=True, example="123456789:AAF-…",
        label=Text("Token of the bot", "Токен бота"),
        help=Text("Write /newbot to @BotFather in Telegram; it answers with the token.",
                  "Напишите @BotFather в Telegram команду /newbot, в ответ придёт токен."))
    api = setting(
        fields.String(load_default=API, validate=_api), advanced=True, example=API,
        label=Text("Address of the Bot API", "Адрес Bot API"),
        help=Text("Another one for a Bot API server of your own.", "Другой — если у вас свой сервер Bot API."))
