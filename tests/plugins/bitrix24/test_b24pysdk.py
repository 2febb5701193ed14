"""An independent judge: the vendor's Python SDK 1.3.2 drives the portal over TLS and reads the events that it sends."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from b24pysdk import BitrixWebhook, Client
from b24pysdk.credentials import OAuthEventData
from b24pysdk.errors import BitrixAPIInsufficientScope, BitrixAPINotFound, BitrixAPIQueryLimitExceeded
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hub_plugins.bitrix24.simulator_events import Sender

from hub.testing.simulator import Running
from tests.plugins.bitrix24 import support
from tests.plugins.bitrix24.test_receive import catcher, settle


def certificate(folder: Path) -> tuple[str, str]:
    """A self-signed certificate for this machine, valid for a day around now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=12))
            .not_valid_after(now + timedelta(hours=12))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"),
                                                        x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True).sign(key, hashes.SHA256()))
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    return str(paths[0]), str(paths[1])


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """The portal with a TLS door whose certificate this process trusts."""
    cert, key = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", cert)
    with support.portal("--tls-cert", cert, "--tls-key", key) as program:
        yield program


def sdk(sim: Running) -> Client:
    address = urlsplit(sim.state()["tls"])
    return Client(BitrixWebhook(domain=address.netloc, webhook_token="/".join(address.path.split("/")[2:4])))


def test_events_pass_the_sdks_own_check(sim: Running) -> None:
    with catcher(sim) as address:
        sim.do("touch", deal=sim.do("create_deal")["id"])
        settle(sim)
    events = [OAuthEventData.from_dict(dict(parse_qsl(one.body.decode(), keep_blank_values=True)))
              for one in address.caught]
    assert [one.event for one in events] == ["ONCRMDEALADD", "ONCRMDEALUPDATE"]
    assert events[0].data == {"FIELDS": {"ID": "54"}} and events[0].is_system
    assert events[0].auth.to_dict()["application_token"] == support.TOKEN


@pytest.mark.parametrize("key", ["event_handler_id", "ts", "auth[domain]", "auth[client_endpoint]",
                                 "auth[server_endpoint]", "auth[member_id]", "auth[application_token]"])
def test_the_sdk_would_miss_each_key(key: str) -> None:
    sender = Sender()
    sender.application_token, sender.domain = support.TOKEN, "acme.bitrix24.ru"
    payload = {name: str(value) for name, value in sender.payload("ONCRMDEALUPDATE", {"ID": 54}).items()}
    OAuthEventData.from_dict(payload)
    del payload[key]
    with pytest.raises(OAuthEventData.ValidationError):
        OAuthEventData.from_dict(payload)


def test_the_sdk_reads_a_deal(secure: Running) -> None:
    secure.do("field", name="UF_CRM_KKT_LINK")
    deal = secure.do("create_deal", title="Заказ", rows=support.ROWS, contact=support.CONTACT)["id"]
    client = sdk(secure)
    assert client.crm.deal.get(bitrix_id=deal).response.result["OPPORTUNITY"] == "3311.00"
    item = client.crm.item.get(entity_type_id=2, bitrix_id=deal, use_original_uf_names=True).response.result["item"]
    assert item["title"] == "Заказ" and item["UF_CRM_KKT_LINK"] is None
    rows = client.crm.item.productrow.list(filter={"=ownerType": "D", "=ownerId": deal}).response.result
    assert [one["productName"] for one in rows["productRows"]] == [one["name"] for one in support.ROWS]


def test_the_sdk_pays_and_comments(secure: Running) -> None:
    deal = secure.do("create_deal", rows=support.ROWS)["id"]
    payment = secure.do("add_payment", deal=deal)["id"]
    client = sdk(secure)
    assert client.crm.item.payment.pay(bitrix_id=payment).response.result is True
    paid = client.crm.item.payment.list(entity_id=deal, entity_type_id=2).response.result
    assert [(one["paid"], one["sum"]) for one in paid] == [("Y", 3311)]
    fields = {"ENTITY_ID": deal, "ENTITY_TYPE": "deal", "COMMENT": "Чек"}
    assert client.crm.timeline.comment.add(fields=fields).response.result == 999
    comments = client.crm.timeline.comment.list(filter={"ENTITY_ID": deal, "ENTITY_TYPE": "deal"}).response.result
    assert [one["COMMENT"] for one in comments] == ["Чек"]


def test_the_sdk_pages_and_batches(secure: Running) -> None:
    for _ in range(120):
        secure.do("create_deal")
    client = sdk(secure)
    slow = [one["ID"] for one in client.crm.deal.list(select=["ID"]).as_list().response.result]
    fast = [one["ID"] for one in client.crm.deal.list(select=["ID"]).as_list_fast().response.result]
    assert sorted(slow) == sorted(fast) == sorted(str(number) for number in range(54, 174))
    batch = client.call_batch({"a": client.crm.deal.get(bitrix_id=54), "b": client.crm.deal.get(bitrix_id=9)})
    assert batch.response.result.result["a"]["ID"] == "54" and "b" in batch.response.result.result_error


def test_the_sdk_knows_our_errors(secure: Running) -> None:
    client = sdk(secure)
    with pytest.raises(BitrixAPINotFound):
        client.crm.item.get(entity_type_id=2, bitrix_id=9).response  # noqa: B018
    secure.do("configure", scopes=["sale"])
    with pytest.raises(BitrixAPIInsufficientScope):
        client.crm.deal.get(bitrix_id=54).response  # noqa: B018
    secure.do("configure", burst=0, rate=0.0)
    with pytest.raises(BitrixAPIQueryLimitExceeded):
        client.crm.deal.get(bitrix_id=54, timeout=5).response  # noqa: B018
