"""Telegram against its simulator: the contract's suite, a process of its own, and each refusal in words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hub_plugins.notifiers.telegram.notifier import LONGEST, TelegramNotifier
from hub_plugins.notifiers.telegram.settings import TelegramSettings
from hub_plugins.notifiers.telegram.simulator import TelegramApi
from marshmallow import ValidationError

from hub.contracts import NeedsAttention, Notice, TryLater, load
from hub.testing.notifier import NotifierContract
from hub.testing.simulator import HttpSimulator, Running, running

BOT = "123456789:AAFakeFakeFakeFakeFakeFakeFakeFake"


class TestTelegramContract(NotifierContract):
    notifier = TelegramNotifier
    settings = {"token": BOT}

    def other_side(self) -> HttpSimulator:
        return TelegramApi()

    def told(self, other: HttpSimulator) -> int:
        assert isinstance(other, TelegramApi)
        return len(other.messages)

    def notice(self) -> Notice:
        return Notice("1001", "Касса", "Касса «Вход» не отвечает.", "aln_1", url="http://hub.test/")


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """The Bot API: a process of its own."""
    with running([sys.executable, "-c", "import sys; from hub_plugins.notifiers.telegram.simulator import TelegramApi; "
                                        "sys.exit(TelegramApi.main(sys.argv[1:]))", "--port", "0"]) as one:
        yield one


def bot(server: Running, token: str = BOT) -> TelegramNotifier:
    return TelegramNotifier(load(TelegramSettings, {"token": token, "api": server.url}))


def told(server: Running) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = server.state()["messages"]
    return messages


def test_a_message_arrives_as_it_is_and_a_long_one_is_cut(server: Running) -> None:
    before = len(told(server))
    bot(server).send(Notice("1001", "s", "Чек <b>&* опаздывает", "k"))
    bot(server).send(Notice("@romashka", "s", "х" * 5000, "k"))
    first, second = told(server)[before:]
    assert first == {"chat": "1001", "text": "Чек <b>&* опаздывает"}
    assert len(second["text"]) == LONGEST and second["text"].endswith("…")


def test_the_check_names_the_bot_and_sends_nothing(server: Running) -> None:
    before = len(told(server))
    check = bot(server).check()
    assert check.ok and check.facts[0][1] == "@romashka_bot" and len(told(server)) == before
    wrong = bot(server, "987654321:AAWrongWrongWrongWrongWrong").check()
    assert not wrong.ok and wrong.field == "token" and "AAWrong" not in str(wrong.message)


def test_each_refusal_says_what_to_do(server: Running) -> None:
    server.do("start", chat="77")
    server.do("block", chat="77")
    for chat, words in (("77", "нажмёт «Запустить»"), ("555", "не знает такого чата"), ("a b", "Это не чат")):
        with pytest.raises(NeedsAttention) as caught:
            bot(server).send(Notice(chat, "s", "t", "k"))
        assert words in caught.value.reason.say("ru") and not caught.value.field
    server.do("limit", times=1)
    with pytest.raises(TryLater) as later:
        bot(server).send(Notice("1001", "s", "t", "k"))
    assert later.value.after == 3.0
    bot(server).send(Notice("1001", "s", "t", "k"))


@pytest.mark.parametrize("settings", [
    {"token": "x"}, {"token": ""}, {"token": BOT, "api": "ftp://x"}, {"token": BOT, "api": "nowhere"}])
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        load(TelegramSettings, settings)
