"""A stranger's plugin, from nothing to a printed receipt, through real doors only.

``hub plugin new`` -> wheel -> installed -> ``hub up`` -> set-up link -> register and connector enabled on the page ->
the shop's real webhook -> receipt on the emulated register -> result posted back to the shop.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import requests

from hub.testing.scaffold import new_plugin
from hub.testing.simulator import running
from hub.up import free_port

SECRET = "a-secret-of-tests"
PATIENCE = 40.0


def python(*arguments: str, **environment: str) -> str:
    done = subprocess.run([sys.executable, *arguments], env={**os.environ, **environment}, capture_output=True,
                          text=True, timeout=110, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def until(look: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what} did not happen within {PATIENCE:.0f} s")


class Form(HTMLParser):
    """The values a page's last form would send as it stands."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._select = self._textarea = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "input" and name and (given.get("type") != "checkbox" or "checked" in given):
            self.values[name] = value
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in given or self._select not in self.values):
            self.values[self._select] = value
        elif tag == "textarea":
            self._textarea = name
            self.values[name] = ""

    def handle_endtag(self, tag: str) -> None:
        self._select = "" if tag == "select" else self._select
        self._textarea = "" if tag == "textarea" else self._textarea

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.values[self._textarea] += data


class Owner:
    """A person at the page: follows links, fills in forms, presses buttons."""

    def __init__(self, url: str) -> None:
        self.url, self.session = url, requests.Session()

    def get(self, path: str) -> str:
        answer = self.session.get(self.url + path, timeout=20)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text

    def submit(self, path: str, **values: str) -> str:
        """Fills in the form of a page over its defaults and gives the page that follows."""
        page = self.get(path)
        answer = self.session.post(self.url + path, data={**Form(page).values, **values}, timeout=40)
        assert answer.status_code == 200, (path, answer.status_code, re.sub(r"<[^>]+>|\s+", " ", answer.text)[-1500:])
        return answer.text


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated source, built as a wheel and installed into a folder of its own."""
    base = tmp_path_factory.mktemp("stranger")
    python("-m", "hub", "plugin", "new", "corner_shop", "--folder", str(base / "project"))
    python("-m", "build", "--wheel", "--no-isolation", "--outdir", str(base / "dist"), str(base / "project"))
    wheel, = (base / "dist").glob("*.whl")
    python("-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps", "--no-index", "--target",
           str(base / "site"), str(wheel))
    return base / "site"


@pytest.fixture
def hub(site: Path, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """``hub up`` with the plugin installed: (address, set-up path)."""
    port = free_port("127.0.0.1", None)
    environment = {**os.environ, "HUB_DATA_DIR": str(tmp_path / "data"), "HUB_PORT": str(port),
                   "HUB_LOG_LEVEL": "ERROR", "PYTHONPATH": str(site)}
    process = subprocess.Popen([sys.executable, "-m", "hub", "up"], env=environment, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, start_new_session=True)
    said: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: said.extend(process.stdout or ()), daemon=True)
    reader.start()
    try:
        link = until(lambda: next((found.group(1) for line in said if (
            found := re.search(r"http://[^/]+(/setup/\S+)", line))), None), "the set-up link")
        yield f"http://127.0.0.1:{port}", link
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0, "".join(said)[-3000:]
        reader.join(5)
        process.stdout.close()


def test_a_new_plugin_prints_a_receipt(hub: tuple[str, str], site: Path) -> None:
    url, link = hub
    owner = Owner(url)
    owner.submit(link, country="RU", name="ООО «Уголок»", tax_id="7707083893", tax_system="OSN", default_vat="vat22",
                 zone="Europe/Moscow", settlement_place="corner.example", sender_email="shop@corner.example",
                 full_name="Иванова Анна", login="owner@corner.example", password="long enough 1")
    assert requests.get(url + link, timeout=20).status_code == 404, "the set-up link works once"
    owner.submit("/registers/new/emulator", title="Эмулятор")
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(site)!r});"
               "from kassahub_corner_shop.simulator import main; sys.exit(main(sys.argv[1:]))", "--secret", SECRET]
    with running([*command, "--port", "0"]) as shop:
        form = {"s.secret": "wrong-secret-1", "s.report_url": shop.url, "do": "save"}
        page = owner.session.post(f"{url}/connectors/new/corner_shop", timeout=40, data={
            **form, "csrf_token": re.search(r'csrf_token" value="([^"]+)"',
                                            owner.get("/connectors/new/corner_shop")).group(1)})  # type: ignore[union-attr]
        assert page.status_code == 422, "a wrong secret is found by really trying"
        page_text = owner.submit("/connectors/new/corner_shop", **{**form, "s.secret": SECRET})
        address = re.search(r"http://[^\"<\s]+/in/corner_shop/src_[^\"<\s]+", page_text)
        assert address is not None, "the address to paste is on the page"
    with running([*command, "--port", shop.url.rsplit(":", 1)[1], "--hub", address.group(0)]) as shop:
        order = {"order": "17", "lines": [{"name": "Чай", "price": "100.50", "quantity": 2}], "paid": "card",
                 "email": "buyer@mail.example"}
        assert shop.do("pay", **order) == 200
        assert shop.do("pay", **order) == 200
        result, = until(lambda: shop.state()["results"], "the result's way back to the shop")
        assert (result["state"], result["sum"], result["order"]) == ("recorded", "201.00", "17")
        assert "201.00" in requests.get(result["url"], timeout=20).text, "the link in the report shows the receipt"
    found = owner.get("/receipts?q=17")
    assert found.count("/receipts/rcp_") >= 1 and "Чай" in owner.get(
        re.search(r"/receipts/rcp_\w+", found).group(0))  # type: ignore[union-attr]


def test_a_broken_plugin_harms_nobody(tmp_path: Path) -> None:
    """Quarantined with its reason in ``hub plugin list``; the bundled ones go on."""
    new_plugin("shaky", "source", tmp_path / "project")
    package = tmp_path / "project" / "kassahub_shaky"
    (package / "__init__.py").write_text("raise RuntimeError('this plugin is broken')\n", encoding="utf-8")
    python("-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(tmp_path / "project"))
    wheel, = (tmp_path / "dist").glob("*.whl")
    python("-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps", "--no-index", "--target",
           str(tmp_path / "site"), str(wheel))
    done = subprocess.run([sys.executable, "-m", "hub", "plugin", "list"], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(tmp_path / "site")})
    assert done.returncode == 1
    assert "this plugin is broken" in done.stdout and "source:alfacrm" in done.stdout
