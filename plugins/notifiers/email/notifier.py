"""The notifier: a notice is a letter to one address."""

from __future__ import annotations

from datetime import UTC, datetime

from hub_plugins.notifiers.email.client import LETTER, conversation
from hub_plugins.notifiers.email.letter import address, letter
from hub_plugins.notifiers.email.settings import EmailSettings

from hub.contracts import Check, NeedsAttention, Notice, Notifier, Text, TryLater

NO_ADDRESS = Text("This is no e-mail address that letters reach.", "На такой адрес почты письмо не отправить.")


class EmailNotifier(Notifier):
    """Letters through an SMTP server. A repeat of a notice has the same Message-ID."""

    name = "email"
    title = Text("E-mail to the buyer", "Почта покупателю")
    summary = Text("Sends the receipt to the buyer's e-mail address through your mail server.",
                   "Отправляет чек на почту покупателя через ваш почтовый сервер.")
    settings = EmailSettings

    def reaches(self, contact: str) -> bool:
        """E-mail addresses only."""
        return bool(address(contact))

    def send(self, notice: Notice) -> None:
        to = address(notice.to)
        if not to:
            raise NeedsAttention(NO_ADDRESS)
        try:
            content = letter(self.config, notice, to, datetime.now(UTC)).as_bytes()
        except (ValueError, UnicodeError) as problem:
            raise NeedsAttention(LETTER.with_(code=type(problem).__name__)) from None
        with conversation(self.config) as talk:
            talk.send(address(self.config["sender"]), to, content)

    def check(self) -> Check:
        """Logs in and begins a letter that is not sent."""
        try:
            with conversation(self.config) as talk:
                talk.begin(address(self.config["sender"]))
                talk.forget()
        except TryLater as problem:
            return Check(False, problem.reason, "host")
        except NeedsAttention as problem:
            return Check(False, problem.reason, problem.field)
        return Check(True, Text("The mail server accepts the login and the sender. Nothing was sent.",
                                "Почтовый сервер принимает вход и отправителя. Ничего не отправлено."),
                     facts=((Text("Letters come from", "Письма приходят от"), str(self.config["sender"])),))
