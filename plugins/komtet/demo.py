"""``hub demo komtet``: what a shop's SDK sends ends as receipts on the emulator, on a Shtrih-M and in the cloud, one
setting apart. The traffic is the SDK's own wire form, written out here: the demo runs without it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from hub_plugins.komtet.signature import sign

from hub.contracts import Ordered, Relay, Text, Till
from hub.fiscal import Money

SHOP, KEY, QUEUE = "demo-shop", "demo-s3cr3t-key", 7


class _Journalled(Till):
    """A register whose program keeps a journal and lists it."""

    def settings(self, ready: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"address": ready["ready"]}

    def holds(self, ready: Mapping[str, Any], journal: Path) -> Iterator[tuple[str, int, int]]:
        listed = subprocess.run([sys.executable, "-m", "hub", "simulate", self.words[0], "--journal", str(journal),
                                 "--list"], capture_output=True, text=True, timeout=60, check=True)
        for one in json.loads(listed.stdout):
            if one["what"] == "receipt":
                yield str(one["fn"]), int(one["n"]), int(one["total"])


class _Cloud(Till):
    """The simulated cloud: it tells on its control surface what it printed."""

    def settings(self, ready: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"host": ready["ready"], "shop_id": "cloud-shop", "key": "cloud-key", "queue": 12, "version": "1"}

    def holds(self, ready: Mapping[str, Any], journal: Path) -> Iterator[tuple[str, int, int]]:
        with urllib.request.urlopen(f"{ready['ready']}/_sim/state", timeout=10) as answer:
            state = json.loads(answer.read())
        for one in state["tasks"]:
            if one["state"] == "done":
                data = one["fiscal_data"]
                yield data["fn"], int(data["i"]), round(float(data["s"]) * 100)


class KomtetDemo(Relay):
    """A shop with three sales at each register: old and new form, cash and card, a discount."""

    name: ClassVar[str] = "komtet"
    title: ClassVar[Text] = Text("One module, three registers", "Один модуль, три кассы")
    gateway: ClassVar[str] = "komtet"
    settings: ClassVar[Mapping[str, Any]] = {"shop_id": SHOP, "key": KEY, "queue": QUEUE}
    tills: ClassVar[tuple[Till, ...]] = (
        _Journalled("emulator", Text("Emulator", "Эмулятор"), (
            "emulator", "--journal", "{journal}", "--port", "0", "--inn", "{inn}", "--seconds-per-receipt", "0.02",
            "--no-sync")),
        _Journalled("shtrih_m", Text("Shtrih-M", "Штрих-М"), (
            "shtrih-m", "--journal", "{journal}", "--port", "0", "--inn", "{inn}", "--no-sync")),
        _Cloud("komtet", Text("KOMTET Kassa", "КОМТЕТ Касса"), (
            "komtet", "--port", "0", "--shop", "cloud-shop", "--secret", "cloud-key", "--queue", "12")))

    def __init__(self) -> None:
        self._tasks: dict[str, int] = {}

    def send(self, host: str, run: int) -> tuple[Ordered, ...]:
        ordered = []
        for number, (version, check) in enumerate(checks(run)):
            body = json.dumps(check).encode()
            task = _call(host, "POST", f"/api/shop/v{version}/queues/{QUEUE}/task", body)
            self._tasks[str(check["external_id"])] = int(task["id"])
            total = sum(round(one["total"] * 100) for one in check["positions"])
            ordered.append(Ordered(str(check["external_id"]), Money(total)))
            assert number < 10
        return tuple(ordered)

    def told(self, host: str, numbers: Sequence[str]) -> Mapping[str, tuple[str, int]]:
        found = {}
        for number in numbers:
            task = _call(host, "GET", f"/api/shop/v1/tasks/{self._tasks[number]}", b"")
            if task["state"] == "done":
                found[number] = (str(task["fiscal_data"]["fn"]), int(task["fiscal_data"]["i"]))
        return found


def checks(run: int) -> list[tuple[int, dict[str, Any]]]:
    """(version, check) as the SDK writes them: floats, ``client`` and ``company`` even when there is little in them."""
    old = {"user": "buyer@example.ru", "print": False, "intent": "sell", "sno": 0,
           "payment_address": "shop.example.ru"}
    new = {"client": {"email": "buyer@example.ru"}, "company": {"payment_address": "shop.example.ru", "sno": 0},
           "print": False, "intent": "sell"}
    return [
        (1, {"external_id": f"demo-{run}-1", **old, "payments": [{"sum": 200.5, "type": "card"}], "positions": [
            {"name": "Абонемент", "price": 100.25, "quantity": 2, "total": 200.5, "vat": "no",
             "calculation_method": "full_payment", "calculation_subject": "service"}]}),
        (2, {"external_id": f"demo-{run}-2", **new, "payments": [{"sum": 90.0, "type": "cash"}], "positions": [
            {"name": "Чай чёрный", "measure": 0, "price": 100, "quantity": 1, "payment_object": "product",
             "payment_method": "full_payment", "total": 90.0, "vat": "22"}]}),
        (1, {"external_id": f"demo-{run}-3", **old, "payments": [{"sum": 0.3, "type": "card"}], "positions": [
            {"name": "Пакет", "price": 0.1, "quantity": 3, "total": 0.30000000000000004, "vat": "no",
             "calculation_method": "full_payment", "calculation_subject": "product"}]})]


def _call(host: str, method: str, path: str, body: bytes) -> Any:
    """One signed call; an answer other than 200 raises."""
    url = host + path
    request = urllib.request.Request(url, body or None, {
        "Authorization": SHOP, "Accept": "application/json", "Content-Type": "application/json",
        "X-HMAC-Signature": sign(KEY, method, url, body)}, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())
