"""The mail server, fresh for each test, and a notifier over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hub_plugins.notifiers.email import client
from hub_plugins.notifiers.email.notifier import EmailNotifier
from hub_plugins.notifiers.email.settings import EmailSettings
from hub_plugins.notifiers.email.simulator import MailServer

from hub.contracts import load

USER, PASSWORD = "shop@example.org", "an app's password"


@dataclass
class Post:
    """A mail server and what the owner entered for it."""

    server: MailServer
    settings: dict[str, Any]

    def notifier(self, **changes: Any) -> EmailNotifier:
        """The plugin's object."""
        return EmailNotifier(load(EmailSettings, {**self.settings, **changes}))

    @property
    def letters(self) -> list[dict[str, Any]]:
        """What the server really holds: the witness."""
        letters: list[dict[str, Any]] = self.server.state()["letters"]
        return letters

    def bad(self, stage: str, kind: str, **more: Any) -> None:
        """A bad day at a command."""
        self.server.do("fault", stage=stage, kind=kind, **more)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is given up after a moment."""
    monkeypatch.setattr(client, "SILENCE", 0.5)
    monkeypatch.setattr(client, "LONGEST", 2.0)


@pytest.fixture
def post() -> Iterator[Post]:
    """A server that wants a login, without encryption."""
    server = MailServer(user=USER, password=PASSWORD)
    server.start()
    yield Post(server, {"host": "127.0.0.1", "port": server.smtp_port, "security": "none", "user": USER,
                        "password": PASSWORD, "sender": USER, "sender_name": "Ромашка"})
    server.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file with the key and certificate of "localhost", signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
              .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
              .not_valid_after(now + timedelta(days=1))
              .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
              .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
              .sign(key, hashes.SHA256()))
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption()) +
                     signed.public_bytes(serialization.Encoding.PEM))
    return file
