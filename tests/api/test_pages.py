"""What is written about the API is true, and the pages that give keys and webhooks work."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hub.cli import main
from tests.api.live import served
from tests.api.support import Shop, body
from tests.web.world import post

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text("utf-8")


def test_the_document_in_the_tree_is_the_one_that_the_hub_gives(shop: Shop, tmp_path: Path) -> None:
    assert main(["openapi", str(tmp_path / "openapi.json")]) == 0
    kept = (ROOT / "docs" / "openapi.json").read_text("utf-8")
    assert (tmp_path / "openapi.json").read_text("utf-8") == kept, "write it anew: hub openapi docs/openapi.json"
    assert shop.world.app.test_client().get("/api/v1/openapi.json").json == json.loads(kept)


def test_the_examples_of_the_page_run(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```(sh|python)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert [kind for kind, _ in blocks] == ["sh", "python", "python"]
    with served(shop.world.app) as url:
        if shutil.which("curl"):
            done = subprocess.run(["sh", "-c", blocks[0][1]], env={**os.environ, "HUB": url, "KEY": shop.key},
                                  capture_output=True, text=True, timeout=60)
            assert done.returncode == 0 and json.loads(done.stdout)["state"] == "queued", done.stderr
        exec(blocks[1][1], {"url": url, "key": shop.key})
    said = capsys.readouterr().out
    assert "queued" in said and "payments" in said and "order-1002 1480.00" in said
    names: dict[str, Any] = {"secret": "a", "old_secret": "b"}
    exec(blocks[2][1], names)
    assert names["hook"](b"{}", {"Hub-Signature": "t=1,v1=00"}, set()) == 400


def test_every_scope_and_every_event_stands_on_the_page(shop: Shop) -> None:
    from hub.api.keys import SCOPES
    from hub.api.webhooks import EVENTS

    assert all(f"`{one}`" in PAGE for one in (*SCOPES, *EVENTS))


def test_the_owner_makes_a_key_sees_it_once_and_revokes_it(shop: Shop) -> None:
    client = shop.world.client()
    page = f"/connectors/{shop.row.public_id}/keys"
    assert "Ключи API" in client.get(f"/connectors/{shop.row.public_id}").text
    wrong = post(client, page, title="Сайт", days="0")
    assert wrong.status_code == 422 and "Выберите хотя бы одно" in wrong.text and "От 1 до 3660" in wrong.text
    made = post(client, page, title="Сайт", scope=["receipts.read", "receipts.write"], per_minute="60", days="30")
    key = re.search(r'value="(hubkey_[\w-]+)"', made.text)
    assert key is not None and shop.get("/key", key=key[1]).json["per_minute"] == 60
    shown = client.get(page).text
    assert key[1] not in shown and key[1][-4:] in shown
    row = shop.get("/key", key=key[1]).json["id"]
    assert "Отозвать ключ" in client.get(f"{page}/{row}/revoke").text
    post(client, f"{page}/{row}/revoke")
    assert shop.get("/key", key=key[1]).status_code == 401
    assert client.get(f"/connectors/{shop.world.source().public_id}/keys").status_code == 404
    assert shop.world.client("ivan").get(page).status_code == 403


def test_the_owner_adds_a_webhook_tries_it_rotates_and_sends_again(shop: Shop) -> None:
    client = shop.world.client()
    page = f"/connectors/{shop.row.public_id}/webhooks"
    assert "не веб-адрес" in post(client, page, url="shop").text
    made = post(client, page, url="https://shop.example/hub", title="Сайт",
                event=["receipt.recorded", "receipt.refused"])
    secret = re.search(r'value="(hubsec_[\w-]+)"', made.text)
    assert secret is not None and secret[1] not in client.get(page).text
    hook = shop.get("/webhooks").json["items"][0]
    assert hook["events"] == ["receipt.recorded", "receipt.refused"]
    one = f"{page}/{hook['id']}"
    assert post(client, one, do="test").status_code == 302
    log = shop.get(f"/webhooks/{hook['id']}/deliveries").json["items"]
    assert [entry["event"] for entry in log] == ["test"] and "пробное сообщение" in client.get(one).text
    new = re.search(r'value="(hubsec_[\w-]+)"', post(client, one, do="rotate").text)
    assert new is not None and new[1] != secret[1]
    assert post(client, one, do="replay", since="2026-02-02", until="2026-01-01").status_code == 422
    post(client, one, do="replay", delivery=log[0]["id"])
    assert "отправляется снова" in client.get(one).text
    post(client, one, do="pause")
    assert shop.get(f"/webhooks/{hook['id']}").json["enabled"] is False
    assert "Убрать вебхук" in client.get(f"{one}/remove").text
    post(client, f"{one}/remove")
    assert client.get(one).status_code == 404


def test_the_page_to_try_it_shows_every_call_and_asks_no_other_host(shop: Shop) -> None:
    client = shop.world.app.test_client()
    seen = client.get("/api/").text
    document = client.get("/api/v1/openapi.json").json
    for methods in document["paths"].values():
        for name, operation in methods.items():
            assert name == "parameters" or f'id="{operation["operationId"]}"' in seen
    assert not re.search(r'(?:src|href)="(?:https?:)?//', seen)
    assert 'id="rate_limited"' in client.get("/api/problems").text


def test_who_made_a_receipt_stands_in_its_story(shop: Shop) -> None:
    made = shop.post("/receipts", body()).json["id"]
    assert "Свой сайт" in shop.world.client().get(f"/receipts/{made}").text


def test_the_page_to_try_it_speaks_the_readers_language(shop: Shop) -> None:
    """The document is English for programs; what a Russian owner reads of it is Russian."""
    russian = shop.world.client().get("/api/").text
    assert "Создать чек" in russian and "Создать чек</span>" in russian
    text = re.sub(r"<(script|style|svg|head|textarea|code|label)\b.*?</\1>", " ", russian, flags=re.S)
    words = [one.strip() for one in re.sub(r"<[^<>]*>", "\n", text).split("\n") if one.strip()]
    left = [one for one in words if not re.search(r"[А-Яа-яЁё]", one) and re.search(r"[A-Za-z]{2}", one)]
    assert set(left) <= {"kassahub", "English", "API", "openapi.json"}, left
    english = shop.world.client(language="en").get("/api/").text
    assert "Create a receipt" in english and "Создать" not in english
