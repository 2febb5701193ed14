"""What the owner fills in: the outgoing mail server and who the letters are from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from hub.contracts import PluginSettings, Text, setting
from hub.fiscal.contact import email

#: Ports by custom (RFC 8314 §3.3, RFC 6409 §3.1, RFC 5321 §4.5.4.2).
PORTS: Mapping[str, int] = {"tls": 465, "starttls": 587, "none": 25}
SECURITY = {"tls": Text("TLS from the first byte", "TLS сразу"),
            "starttls": Text("STARTTLS", "STARTTLS"),
            "none": Text("None, for a server of one's own network", "Нет, для сервера в своей сети")}
SERVER, SENDER = Text("Mail server", "Почтовый сервер"), Text("Sender", "Отправитель")

_HOST = re.compile(r"[\w](?:[\w.-]{0,251}[\w])?|[0-9a-f:.]{2,45}", re.I)


def _wrong(en: str, ru: str) -> ValidationError:
    return ValidationError([Text(en, ru)])


def _host(value: str) -> None:
    if not _HOST.fullmatch(value):
        raise _wrong("This is no server name. Write it without a protocol and a port, like smtp.example.ru.",
                     "Это не имя сервера. Напишите его без протокола и порта, например smtp.example.ru.")


def _sender(value: str) -> None:
    if not email(value) or not value.isascii():
        raise _wrong("This is no e-mail address.", "Это не адрес почты.")


def _name(value: str) -> None:
    if not value.isprintable():
        raise _wrong("The name stands in one line.", "Имя — в одну строку.")


def near(host: str) -> bool:
    """Whether a host is on this machine or network: a private number, or a name without a dot."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host


class EmailSettings(PluginSettings):
    """Any SMTP server that takes letters from us: the mail service's, or the shop's own."""

    host = setting(
        fields.String(required=True, validate=_host), example="smtp.yandex.ru", group=SERVER,
        label=Text("Server", "Сервер"),
        help=Text("The outgoing (SMTP) server, as the mail service names it in its help.",
                  "Сервер исходящей почты (SMTP), как его называет справка почтовой службы."))
    security = setting(
        fields.String(load_default="tls"), choices=SECURITY, group=SERVER,
        label=Text("Encryption", "Шифрование"))
    port = setting(
        fields.Integer(load_default=None, allow_none=True, validate=validate.Range(1, 65_535)), group=SERVER,
        label=Text("Port", "Порт"),
        help=Text("Leave it empty for the usual one: 465 with TLS, 587 with STARTTLS, 25 without encryption.",
                  "Оставьте пустым, если обычный: 465 для TLS, 587 для STARTTLS, 25 без шифрования."))
    user = setting(
        fields.String(load_default="", validate=validate.Length(max=200)), example="shop@example.ru", group=SERVER,
        label=Text("User", "Пользователь"),
        help=Text("Usually the whole address of the mailbox. Empty for a server that asks for no login.",
                  "Обычно адрес ящика целиком. Пусто, если сервер не спрашивает входа."))
    password = setting(
        fields.String(load_default="", validate=validate.Length(max=200)), secret=True, group=SERVER,
        label=Text("Password", "Пароль"),
        help=Text("Big mail services want a password for applications here, not the mailbox's own.",
                  "Большие почтовые службы ждут здесь пароль для приложений, а не пароль ящика."))
    sender = setting(
        fields.String(required=True, validate=_sender), example="shop@example.ru", group=SENDER,
        label=Text("Address", "Адрес"),
        help=Text("Letters come from it; the mail server must allow it to this user.",
                  "От него приходят письма; сервер должен разрешать его этому пользователю."))
    sender_name = setting(
        fields.String(load_default="", validate=[validate.Length(max=100), _name]), example="Ромашка", group=SENDER,
        label=Text("Name", "Имя"),
        help=Text("What the buyer sees beside the address.", "Что покупатель видит рядом с адресом."))

    @validates_schema
    def _kept_private(self, data: Mapping[str, Any], **_: Any) -> None:
        """A password travels encrypted, except within one's own network."""
        if data.get("user") and data.get("security") == "none" and not near(data.get("host", "")):
            raise ValidationError({"security": [Text(
                "The password must not travel unencrypted over the Internet: choose TLS or STARTTLS.",
                "Пароль нельзя передавать через интернет без шифрования: выберите TLS или STARTTLS.")]})


def port(config: Mapping[str, Any]) -> int:
    """The port, the usual one when none is given."""
    return int(config["port"] or PORTS[config["security"]])
