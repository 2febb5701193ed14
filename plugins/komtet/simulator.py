"""KOMTET Kassa as a cloud: ``hub simulate komtet``. Accounts, queues, registers that take their time, results by poll
and by callback, bad days. Written from the reference (komtet-kassa.md §2-§9, §12); shares no code with our gateway.

The control surface (``/_sim/do``): ``register`` (online or not), ``pace`` (seconds a receipt), ``fail`` (the next
receipts end in an error), ``refuse`` (the next puts are answered with a code), ``callbacks`` (lost, doubled, late),
``limit``, ``secret``.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import re
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from hub_plugins.komtet.simulated_checks import Bad, checked, scope

from hub.contracts import Answer, Request
from hub.testing.simulator import Fault, HttpSimulator

PATH = re.compile(r"/api/shop/(v[12])/(queues|tasks)/(\d+)(?:/(task|multi-tasks))?")
TITLES = {"AUT00": 403, "SRV00": 403, "SYS00": 500}


@dataclass
class Task:
    """A check in a queue. ``ready`` is when its register has it printed."""

    id: int
    queue: int
    shop: str
    check: dict[str, Any]
    scope: str
    ready: float
    state: str = "new"
    error: str = ""
    document: int = 0
    sign: str = ""
    printed: float = 0.0
    callbacks: int = 0


@dataclass
class Queue:
    """A queue with one register behind it: one receipt after another."""

    id: int
    shop: str
    online: bool = True
    free_at: float = 0.0
    document: int = 0
    storage: str = ""
    serial: str = ""
    waiting: list[Task] = field(default_factory=list)


class KomtetCloud(HttpSimulator):
    """One account with shops, a queue each."""

    name = "komtet"

    def __init__(self, port: int = 0, shop: str = "shop-1", secret: str = "s3cr3t-key", queue: int = 7,
                 pace: float = 0.05, shops: int = 1) -> None:
        super().__init__(port)
        self.pace, self.secrets, self.queues = pace, dict[str, str](), dict[int, Queue]()
        for number in range(shops):
            name = shop if not number else f"{shop}-{number + 1}"
            self.secrets[name] = secret
            self.queues[queue + number] = Queue(queue + number, name, storage=f"99990789{queue + number:08}",
                                                serial=f"{queue + number:014}")
        self.tasks: dict[int, Task] = {}
        self.by_scope: dict[str, Task] = {}
        self.polls: dict[int, int] = {}
        self.fails: list[str] = []
        self.refusals: list[str] = []
        self.callback: dict[str, Any] = {"lost": 0, "doubled": 0, "late": 0.0}
        self.callbacks: list[dict[str, Any]] = []
        self.limit, self.window = 0, list[float]()
        self._pending: list[tuple[float, Task]] = []
        self._ended = threading.Event()
        threading.Thread(target=self._work, name="komtet-registers", daemon=True).start()

    @classmethod
    def arguments(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--shop", default="shop-1", help="the first shop's id")
        parser.add_argument("--secret", default="s3cr3t-key", help="the secret key of every shop")
        parser.add_argument("--queue", type=int, default=7, help="the first shop's queue")
        parser.add_argument("--pace", type=float, default=0.05, help="seconds that a register takes for a receipt")
        parser.add_argument("--shops", type=int, default=1, help="how many shops there are")

    def stop(self) -> None:
        self._ended.set()
        super().stop()

    def fault_for(self, path: str) -> Fault | None:
        """A cloud that was stopped answers on no connection, not even on one that is still open."""
        return Fault("reset") if self._ended.is_set() else super().fault_for(path)

    # -- the protocol ----------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Answer:
        shop = request.headers.get("authorization", "")
        if not self._signed(request, shop):
            return self._error("AUT00", "Неизвестный магазин или неверная подпись")
        with self.lock:
            if self.limit:
                now = time.monotonic()
                self.window = [one for one in self.window if one > now - 1.0]
                if len(self.window) >= self.limit:
                    return Answer(429, b"", "text/html", {"Retry-After": "1"})
                self.window.append(now)
            self._advance()
            found = PATH.fullmatch(request.path)
            if found is None:
                return self._error("VLD00", "Нет такого адреса")
            version, what, number, more = found.groups()
            if what == "tasks":
                return self._info(int(number), shop)
            queue = self.queues.get(int(number))
            if queue is None or queue.shop != shop:
                return self._error("VLD00", f"Очередь {number} не найдена")
            if request.method == "GET":
                return Answer.json({"id": queue.id, "name": f"Очередь {queue.id}",
                                    "state": "active" if queue.online else "passive"})
            return self._put(request, queue, version, more == "multi-tasks")

    def _signed(self, request: Request, shop: str) -> bool:
        secret = self.secrets.get(shop)
        if secret is None:
            return False
        url = f"http://{request.headers.get('host', '')}{request.path}" + (f"?{request.query}" if request.query else "")
        whole = request.method.encode() + url.encode() + request.body
        return hmac.compare_digest(hmac.new(secret.encode(), whole, hashlib.md5).hexdigest(),
                                   request.headers.get("x-hmac-signature", ""))

    def _put(self, request: Request, queue: Queue, version: str, several: bool) -> Answer:
        if self.refusals:
            code = self.refusals.pop(0)
            return self._error(code, f"Отказано по сценарию: {code}")
        try:
            body = json.loads(request.body)
            checks = body if several else [body]
            for check in checks:
                checked(check, version)
        except Bad as bad:
            return self._error(bad.code, str(bad))
        except ValueError:
            return self._error("VLD00", "Тело запроса — не JSON")
        answers = {}
        for check in checks:
            name = scope(queue.shop, check)
            known = self.by_scope.get(name)
            if known is not None:
                return self._error("VLD11", "Чек с таким external_id уже существует", task=self._short(known))
            answers[str(check["external_id"])] = self._short(self._accept(queue, check, name))
        return Answer.json(answers if several else next(iter(answers.values())))

    def _accept(self, queue: Queue, check: dict[str, Any], name: str) -> Task:
        now = time.monotonic()
        queue.free_at = max(queue.free_at, now) + self.pace
        task = Task(106_000_000 + len(self.tasks), queue.id, queue.shop, check, name, queue.free_at)
        self.tasks[task.id] = self.by_scope[name] = task
        queue.waiting.append(task)
        self._advance()
        return task

    def _info(self, number: int, shop: str) -> Answer:
        task = self.tasks.get(number)
        if task is None or task.shop != shop:
            return self._error("VLD00", f"Задача {number} не найдена")
        self.polls[number] = self.polls.get(number, 0) + 1
        return Answer.json(self._whole(task))

    @staticmethod
    def _short(task: Task) -> dict[str, Any]:
        return {"id": task.id, "uuid": f"00000000-0000-4000-8000-{task.id:012}",
                "external_id": task.check["external_id"], "print_queue_id": task.queue, "state": task.state}

    def _whole(self, task: Task) -> dict[str, Any]:
        done = task.state == "done"
        return {**self._short(task), "error_description": task.error or None,
                "fiscal_data": self._fiscal(task) if done else None,
                "receipt_url": f"{self.url}/receipt/{task.id}" if done else None}

    def _fiscal(self, task: Task) -> dict[str, Any]:
        queue = self.queues[task.queue]
        total = sum(round(float(one["total"]) * 100) for one in task.check["positions"])
        kind = {"sell": 1, "sellReturn": 2, "buy": 3, "buyReturn": 4}[task.check["intent"].replace("Correction", "")]
        moment = time.strftime("%Y%m%dT%H%M", time.gmtime(task.printed + 3 * 3600))
        return {"i": str(task.document), "fn": queue.storage, "t": moment, "n": kind, "fp": task.sign,
                "s": f"{total // 100}.{total % 100:02}", "rn": f"{queue.id:016}", "sh": "1", "shn": str(task.document)}

    @staticmethod
    def _error(code: str, words: str, **more: Any) -> Answer:
        return Answer.json({"title": "Ошибка", "code": code, "description": words, **more}, TITLES.get(code, 422))

    # -- registers and callbacks -----------------------------------------------------------------------------------

    def _advance(self) -> None:
        """What the registers have done up to now."""
        now = time.monotonic()
        for queue in self.queues.values():
            if not queue.online:
                queue.free_at = now
                for position, task in enumerate(queue.waiting):
                    task.ready = now + self.pace * (position + 1)
                continue
            while queue.waiting and queue.waiting[0].ready <= now:
                task = queue.waiting.pop(0)
                task.printed = time.time()
                if self.fails:
                    task.state, task.error = "error", self.fails.pop(0)
                else:
                    queue.document += 1
                    task.state, task.document = "done", queue.document
                    task.sign = str(int(hashlib.sha256(task.scope.encode()).hexdigest()[:8], 16))
                if task.check.get("callback_url"):
                    self._pending.append((now + float(self.callback["late"]), task))
            if queue.waiting:
                queue.waiting[0].state = "processing"

    def _work(self) -> None:
        while not self._ended.wait(0.02):
            with self.lock:
                self._advance()
                now = time.monotonic()
                due = [task for at, task in self._pending if at <= now]
                self._pending = [one for one in self._pending if one[0] > now]
            for task in due:
                self._call_back(task)

    def _call_back(self, task: Task) -> None:
        with self.lock:
            if self.callback["lost"]:
                self.callback["lost"] -= 1
                return
            times = 2 if self.callback["doubled"] else 1
            self.callback["doubled"] = max(0, self.callback["doubled"] - 1)
            whole, url, secret = self._whole(task), str(task.check["callback_url"]), self.secrets[task.shop]
        body = json.dumps({name: whole[name] for name in ("id", "external_id", "state", "error_description",
                                                          "fiscal_data")}).encode()
        signature = hmac.new(secret.encode(), b"POST" + url.encode() + body, hashlib.md5).hexdigest()
        for _ in range(times):
            call = urllib.request.Request(url, body, {"Content-Type": "application/json",
                                                      "X-HMAC-Signature": signature}, method="POST")
            try:
                with urllib.request.urlopen(call, timeout=10) as answer:
                    status = answer.status
            except urllib.error.HTTPError as problem:
                status = problem.code
            except OSError:
                status = 0
            with self.lock:
                task.callbacks += 1
                self.callbacks.append({"id": task.id, "status": status})

    # -- the control surface ---------------------------------------------------------------------------------------

    def state(self) -> Any:
        with self.lock:
            self._advance()
            return {"tasks": [{**self._whole(one), "check": one.check, "polls": self.polls.get(one.id, 0)}
                              for one in self.tasks.values()],
                    "printed": sum(one.state == "done" for one in self.tasks.values()),
                    "in_flight": sum(len(one.waiting) for one in self.queues.values()), "callbacks": self.callbacks}

    def do_register(self, online: bool, queue: int = 0) -> Any:
        """The register of a queue (of all, with 0) goes off or comes back."""
        with self.lock:
            for one in self.queues.values():
                if queue in (0, one.id):
                    one.online = online
        return {}

    def do_pace(self, seconds: float) -> Any:
        """How long a register takes for a receipt from now on."""
        with self.lock:
            self.pace = seconds
        return {}

    def do_fail(self, *, words: str = "Нет бумаги", times: int = 1) -> Any:
        """The next receipts end in an error."""
        with self.lock:
            self.fails += [words] * times
        return {}

    def do_refuse(self, code: str, times: int = 1) -> Any:
        """The next puts are answered with this code."""
        with self.lock:
            self.refusals += [code] * times
        return {}

    def do_callbacks(self, lost: int = 0, doubled: int = 0, late: float = 0.0) -> Any:
        """What becomes of the next callbacks; ``late`` holds for all."""
        with self.lock:
            self.callback = {"lost": lost, "doubled": doubled, "late": late}
        return {}

    def do_limit(self, per_second: int) -> Any:
        """More requests a second are answered with 429; 0: no limit."""
        with self.lock:
            self.limit = per_second
        return {}

    def do_secret(self, secret: str) -> Any:
        """Every shop gets a new key."""
        with self.lock:
            self.secrets = dict.fromkeys(self.secrets, secret)
        return {}


main = KomtetCloud.main
