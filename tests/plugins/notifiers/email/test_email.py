"""Letters: what arrives, and how every fault of the server ends, injected at every command over a real socket."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.notifiers.email import client
from hub_plugins.notifiers.email.letter import address, as_html, message_id
from hub_plugins.notifiers.email.notifier import EmailNotifier
from hub_plugins.notifiers.email.settings import EmailSettings, port
from hub_plugins.notifiers.email.simulator import MailServer
from marshmallow import ValidationError

from hub.contracts import NeedsAttention, Notice, TryLater, load
from hub.testing.shape import class_problems
from tests.plugins.notifiers.email.conftest import PASSWORD, USER, Post

BUYER = "buyer.tatyana@example.org"
NOTICE = Notice(BUYER, "Чек на 1 480,00 ₽ от ООО «Ромашка»", "Кружка <b>&amp;</b>\n.\nИТОГ =1480.00\n",
                "dlv_abcdefgh", url="http://hub.test/r/rcp_1")


def end_of(post: Post, notice: Notice = NOTICE, **changes: Any) -> Exception | None:
    """How a send ended."""
    try:
        post.notifier(**changes).send(notice)
    except (TryLater, NeedsAttention) as problem:
        for secret in (PASSWORD, BUYER, "tatyana"):
            assert secret not in str(problem) and secret not in str(problem.reason.to_json()), "told in the open"
            cause = problem.__cause__
            assert cause is None or secret not in repr(cause), "a traceback would tell it"
        return problem
    return None


def test_class_is_complete() -> None:
    assert class_problems(EmailNotifier, "notifier", frozenset()) == []


def test_a_letter_arrives_whole(post: Post) -> None:
    assert end_of(post) is None
    letter, = post.letters
    assert letter["from"] == USER and letter["to"] == [BUYER]
    heads = letter["headers"]
    assert heads["From"] == f"Ромашка <{USER}>" and heads["To"] == BUYER and heads["Subject"] == NOTICE.subject
    assert heads["Message-ID"] == "<dlv_abcdefgh@example.org>" and heads["Auto-Submitted"] == "auto-generated"
    assert letter["text"].replace("\r\n", "\n") == NOTICE.text
    assert "Кружка &lt;b&gt;&amp;amp;&lt;/b&gt;" in letter["html"] and "<b>" not in letter["html"]


def test_a_repeat_has_the_same_message_id(post: Post) -> None:
    post.bad("letter", "lost_answer")
    assert isinstance(end_of(post), TryLater)
    assert end_of(post) is None
    first, second = post.letters
    assert first["headers"]["Message-ID"] == second["headers"]["Message-ID"]
    assert end_of(post, replace(NOTICE, key="dlv_other")) is None
    assert post.letters[2]["headers"]["Message-ID"] != first["headers"]["Message-ID"]


@pytest.mark.parametrize("changes", [
    {"subject": "a\r\nBcc: everybody@example.org"}, {"subject": "a\nb\rc\x00\u2028d"}, {"subject": ""},
    {"subject": "x" * 5_000}, {"text": "x" * 100_000}, {"text": ""}, {"text": "a\r\n.\r\nb\r.\rc"},
    {"text": "🧾 \ud800 \x00"}, {"key": "a>\r\nBcc: x@y.org"}, {"key": ""}, {"key": "ключ"}],
    ids=lambda changes: repr(changes)[:40])
def test_nothing_of_a_notice_becomes_a_header(post: Post, changes: Mapping[str, str]) -> None:
    assert end_of(post, replace(NOTICE, **changes)) is None
    letter, = post.letters
    assert letter["to"] == [BUYER]
    assert letter["names"] == ["From", "To", "Subject", "Message-ID", "Date", "Auto-Submitted", "MIME-Version",
                               "Content-Type"]


@pytest.mark.parametrize("name", ["Ромашка\r\nBcc: x@y.org", "a\x00b"])
def test_nor_does_the_senders_name(post: Post, name: str) -> None:
    with pytest.raises(ValidationError):
        load(EmailSettings, {**post.settings, "sender_name": name})


@pytest.mark.parametrize("to", ["", "?!\n", "+79990000000", "a@b", "a@b.ru\r\nRCPT TO:<c@d.ru>", "a@b.ru, c@d.ru",
                                "иван@пример.рф", "a..b@x@y.ru"])
def test_what_is_no_address_is_refused_in_words(post: Post, to: str) -> None:
    assert not post.notifier().reaches(to)
    end = end_of(post, replace(NOTICE, to=to))
    assert isinstance(end, NeedsAttention) and not end.field and post.letters == []


def test_an_international_domain_travels_in_its_own_letters(post: Post) -> None:
    assert address("ivan@пример.рф") == "ivan@xn--e1afmkfd.xn--p1ai"
    assert end_of(post, replace(NOTICE, to="ivan@пример.рф")) is None
    assert post.letters[0]["to"] == ["ivan@xn--e1afmkfd.xn--p1ai"]


# -- faults ----------------------------------------------------------------------------------------------------------

COMMANDS = ("connect", "ehlo", "auth", "mail", "rcpt", "data", "letter")
ALWAYS = 9


@pytest.mark.parametrize("stage", COMMANDS)
@pytest.mark.parametrize(("kind", "more"), [
    ("reset", {}), ("garbage", {}), ("slow", {"seconds": 1.0}), ("status", {"code": 421}), ("status", {"code": 451})],
    ids=lambda one: one if isinstance(one, str) else str(one.get("code", "")))
def test_a_passing_fault_is_tried_later(post: Post, stage: str, kind: str, more: dict[str, Any]) -> None:
    post.bad(stage, kind, times=ALWAYS, **more)
    end = end_of(post)
    assert isinstance(end, TryLater), f"{end!r}"
    post.server.do("mend")
    assert end_of(post) is None


@pytest.mark.parametrize(("stage", "code", "text", "field"), [
    ("connect", 554, "no service", "host"), ("ehlo", 550, "go away", "host"),
    ("auth", 535, "5.7.8 bad", "password"), ("auth", 534, "5.7.9 app password", "password"),
    ("auth", 538, "5.7.11 encrypt", "security"), ("mail", 553, f"5.7.1 {USER} is not yours, nor <{BUYER}>", "sender"),
    ("rcpt", 550, f"5.1.1 <{BUYER}> unknown", ""), ("rcpt", 553, "tatyana? no", ""),
    ("data", 554, "no", "sender"), ("letter", 554, f"5.7.1 spam for {BUYER}", "sender"),
    ("letter", 550, "5.7.26 no SPF", "sender"), ("letter", 552, "5.3.4 too big", "")])
def test_a_lasting_refusal_needs_attention_at_its_field(post: Post, stage: str, code: int, text: str,
                                                        field: str) -> None:
    post.bad(stage, "status", times=ALWAYS, code=code, text=text)
    end = end_of(post)
    assert isinstance(end, NeedsAttention) and (end.field, end.code) == (field, str(code))
    assert post.letters == []


def test_a_wrong_password_stands_at_its_field(post: Post) -> None:
    end = end_of(post, password="guessed")
    assert isinstance(end, NeedsAttention) and (end.field, end.code) == ("password", "535")
    assert "guessed" not in str(end)


def test_a_server_that_wants_a_login_says_so(post: Post) -> None:
    end = end_of(post, user="", password="")
    assert isinstance(end, NeedsAttention) and end.field == "user"


def test_a_server_that_takes_no_login_says_so() -> None:
    server = MailServer()
    server.start()
    try:
        end = end_of(Post(server, {"host": "127.0.0.1", "port": server.smtp_port, "security": "none", "user": USER,
                                   "password": PASSWORD, "sender": USER}))
        assert isinstance(end, NeedsAttention) and end.field == "user"
    finally:
        server.stop()


def test_a_server_that_is_away_is_tried_later(post: Post) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert isinstance(end_of(post, port=unused.getsockname()[1]), TryLater)
    assert isinstance(end_of(post, host="no-such-host.invalid", user=""), TryLater)


def test_a_server_that_drips_is_cut_off(post: Post) -> None:
    post.bad("mail", "drip", seconds=0.1)
    began = time.monotonic()
    assert isinstance(end_of(post), TryLater)
    assert time.monotonic() - began < client.LONGEST + 1.5


def test_the_farewell_changes_nothing(post: Post) -> None:
    post.bad("quit", "reset")
    assert end_of(post) is None and len(post.letters) == 1


# -- encryption ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_encrypted_letters_arrive(security: str, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = MailServer(user=USER, password=PASSWORD, certificate=str(certificate), tls=security == "tls")
    server.start()
    try:
        post = Post(server, {"host": "localhost", "port": server.smtp_port, "security": security, "user": USER,
                             "password": PASSWORD, "sender": USER})
        stranger = end_of(post)
        assert isinstance(stranger, NeedsAttention) and stranger.field == "host", "nobody vouches for it"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert end_of(post) is None and len(post.letters) == 1
        other_name = end_of(post, host="127.0.0.1")
        assert isinstance(other_name, NeedsAttention) and other_name.field == "host"
        post.bad("mail", "drip", seconds=0.1)
        assert isinstance(end_of(post), TryLater), "the watch holds also within TLS"
    finally:
        server.stop()


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_without_encryption_gets_no_password(post: Post, security: str) -> None:
    end = end_of(post, security=security)
    assert isinstance(end, NeedsAttention) and end.field == "security"
    assert post.server.state()["met"]["auth"] == 0


# -- settings and check ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("changes", "field"), [
    ({"host": "https://smtp.example.ru"}, "host"), ({"host": ""}, "host"), ({"host": "a b"}, "host"),
    ({"host": "a\r\nb"}, "host"), ({"port": 0}, "port"), ({"port": 70_000}, "port"), ({"sender": "shop"}, "sender"),
    ({"sender": "a@b.ru\r\nBcc: c@d.ru"}, "sender"), ({"sender": ""}, "sender"),
    ({"security": "rot13"}, "security"), ({"host": "smtp.example.ru", "security": "none"}, "security")])
def test_settings_that_cannot_work_are_refused(post: Post, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as problem:
        load(EmailSettings, {**post.settings, **changes})
    assert field in problem.value.normalized_messages()


def test_the_usual_ports() -> None:
    for security, number in (("tls", 465), ("starttls", 587), ("none", 25)):
        assert port(load(EmailSettings, {"host": "mail", "sender": USER, "security": security})) == number


def test_check_logs_in_and_sends_nothing(post: Post) -> None:
    check = post.notifier().check()
    assert check.ok and check.facts[0][1] == USER and post.letters == []
    assert post.server.state()["met"]["auth"] == 1 and post.server.state()["met"]["rcpt"] == 0


@pytest.mark.parametrize(("changes", "fault", "field"), [
    ({"password": "guessed"}, None, "password"), ({"port": 1}, None, "host"),
    ({}, ("mail", "status", {"code": 553}), "sender"), ({}, ("connect", "garbage", {}), "host")])
def test_check_puts_the_failure_on_its_field(post: Post, changes: dict[str, Any], fault: Any, field: str) -> None:
    if fault:
        post.bad(fault[0], fault[1], **fault[2])
    check = post.notifier(**changes).check()
    assert not check.ok and check.field == field and check.message.ru != check.message.en


# -- pieces ----------------------------------------------------------------------------------------------------------


def test_links_of_the_text_are_links_of_the_page() -> None:
    page = as_html('Чек: https://hub.test/r/1?a=1&b=2\n"<script>" http://x.test/')
    assert '<a href="https://hub.test/r/1?a=1&amp;b=2">https://hub.test/r/1?a=1&amp;b=2</a>' in page
    assert "&lt;script&gt;" in page and "<script>" not in page and page.count("<a ") == 2


def test_message_ids_are_fit_for_a_header() -> None:
    assert message_id("dlv_1", USER) == "<dlv_1@example.org>"
    odd = message_id("a@b>\r\n", USER)
    assert odd == message_id("a@b>\r\n", USER) and odd.count("@") == 1 and "\n" not in odd
