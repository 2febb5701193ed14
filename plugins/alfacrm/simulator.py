"""AlfaCRM's side as a program: REST v2 with login, limits and tokens, and the sender of webhooks (alfacrm.md §6)."""

from __future__ import annotations

import argparse
import json
import queue
import random
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from dataclasses import asdict, fields, replace
from typing import Any

from hub_plugins.alfacrm import school_page
from hub_plugins.alfacrm.school import (
    API_USER,
    ENTITIES,
    FLAGS,
    MONEY,
    PEOPLE_USER,
    Change,
    Missing,
    Options,
    Refusal,
    School,
)

from hub.contracts import Answer, Request
from hub.testing.simulator import HttpSimulator

EMAIL = "api@school.example"
API_KEY = "3f0c2b1e-0000-4000-8000-5c1ee9a0a1fa"


class AlfaSimulator(HttpSimulator):
    """A school in AlfaCRM: enter payments with the control actions, get webhooks, read them back over the API."""

    name = "alfacrm"

    def __init__(self, port: int = 0, host: str = "127.0.0.1", webhook: str = "", email: str = EMAIL,
                 api_key: str = API_KEY, rate: int = 4) -> None:
        super().__init__(port, host)
        self.email, self.api_key = email, api_key
        self._first: dict[str, Any] = {"webhook_url": webhook, "rate": rate}
        self._outbox: queue.PriorityQueue[tuple[float, int]] = queue.PriorityQueue()
        self._sender: threading.Thread | None = None
        self.do_reset()

    @classmethod
    def arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Options of ``hub simulate alfacrm``."""
        parser.add_argument("--webhook", default="", help="address that gets the webhooks")
        parser.add_argument("--email", default=EMAIL)
        parser.add_argument("--api-key", default=API_KEY)
        parser.add_argument("--rate", type=int, default=4, help="requests per second before 429; 0 for no limit")

    # -- the API -------------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Answer:
        """``POST /v2api/[branch/]entity/action`` (§1); at the root the school's own page."""
        parts = request.path.strip("/").split("/")
        if parts[0] != "v2api":
            with self.lock:
                page = school_page.answer(request, self.school, self._tell)
            return page or _framework(404, "Not Found", "Страница не найдена.")
        if request.method != "POST":
            return _framework(405, "Method Not Allowed", "Допустим только POST.")
        with self.lock:
            if self.options.away or time.monotonic() < self._back_at:
                self.missed += 1
                self.hit(self._away_note, path=request.path)
                return Answer(503, b"<html><body>Service Unavailable</body></html>", "text/html")
            if not self._within_rate():
                asked = {"Retry-After": str(self.options.retry_after)} if self.options.retry_after else {}
                return replace(_framework(429, "Too Many Requests", "Превышен лимит запросов."), headers=asked)
            if self.options.app_key and request.headers.get("x-app-key") != self.options.app_key:
                return _framework(403, "Forbidden", "Неверный ключ приложения.")
            try:
                body = json.loads(request.body or b"{}")
            except ValueError:
                return _framework(400, "Bad Request", "Неверный JSON.")
            if not isinstance(body, dict):
                return _framework(400, "Bad Request", "Ожидается объект.")
            if parts[1:] == ["auth", "login"]:
                return self._login(body)
            if self.tokens.get(request.headers.get("x-alfacrm-token", ""), 0.0) <= time.time():
                return _framework(401, "Unauthorized", "Неверный токен.")
            answer = self._entity(parts[1:], body, request.args())
            self._tell()
            return answer

    def _within_rate(self) -> bool:
        now = time.monotonic()
        while self._recent and self._recent[0] <= now - 1.0:
            self._recent.popleft()
        if self.options.rate and len(self._recent) >= self.options.rate:
            self.limited += 1
            return False
        self._recent.append(now)
        return True

    def _login(self, body: dict[str, Any]) -> Answer:
        self.logins += 1
        if (body.get("email"), body.get("api_key")) != (self.email, self.api_key):
            return _framework(self.options.login_status, "Forbidden", "Неверная почта или ключ.")
        token = secrets.token_hex(16)
        self.tokens[token] = time.time() + self.options.token_ttl
        return Answer.json({"token": token})

    def _entity(self, parts: list[str], body: dict[str, Any], query: dict[str, str]) -> Answer:
        branch = int(parts.pop(0)) if parts and parts[0].isdigit() else None
        if len(parts) != 2 or parts[0] not in ENTITIES:
            return _framework(404, "Not Found", "Страница не найдена.")
        entity, action = parts
        if {entity, f"{entity}/{action}"} & set(self.options.forbidden):
            return _framework(403, "Forbidden", "Доступ запрещён.")
        number = int(query["id"]) if query.get("id", "").isdigit() else int(body.get("id") or 0)
        try:
            if action == "index":
                return Answer.json(self.school.index(entity, branch, body, query))
            tripped = self.options.trips and (entity, action) == ("pay", "update") and number not in self._tripped
            if tripped:
                self._tripped.add(number)
                self.hit("trips", number=number)
            if tripped and number % 2:
                return Answer(503, b"<html>Service Unavailable</html>", "text/html")
            if entity == "log" or (branch is None and entity != "branch"):
                raise Missing
            if action == "create":
                model = self.school.create(entity, branch, body, API_USER)
            elif action == "update":
                model = self.school.update(entity, branch, number, body, API_USER)
            elif action == "delete":
                self.school.delete(entity, branch, number, API_USER)
                model = {}
            elif (entity, action) == ("pay", "fiscal-sell"):
                form = str(query.get("type") or body.get("type") or "")
                model = self.school.fiscal_sell(branch, number, int(form) if form.isdigit() else None, API_USER)
            else:
                raise Missing
        except Missing:
            return _framework(404, "Not Found", "Запись не найдена.")
        except Refusal as problem:
            return self._refused(problem)
        if tripped:
            return Answer(502, b"<html>Bad Gateway</html>", "text/html")
        return Answer.json({"success": True, "errors": [], "model": model})

    def _refused(self, problem: Refusal) -> Answer:
        """``success: false`` under HTTP 200, in one of the shapes that were met (§2.3)."""
        if self.options.error_shape == "strings":
            return Answer.json({"success": False, "errors": list(problem.errors.values()), "model": {}})
        if self.options.error_shape == "message":
            return Answer.json({"success": False, "message": " ".join(problem.errors.values())})
        return Answer.json({"success": False, "errors": {name: [said] for name, said in problem.errors.items()},
                            "model": {}})

    # -- webhooks ------------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        """Makes webhooks of the changes since the last time. Called with the lock held."""
        changes, self.school.changes = self.school.changes, []
        for change in changes:
            if change.entity in self.options.webhook_entities:
                self._queue(told(change, self.options))

    def _queue(self, body: dict[str, Any]) -> None:
        for _ in range(1 + self.options.duplicates):
            lost = self._to_lose > 0
            self._to_lose -= lost
            if lost:
                self.hit(self._lost_note, number=str(body.get("entity_id")), what=body.get("event"))
            self.webhooks.append({"body": body, "url": self.options.webhook_url, "status": "lost" if lost else
                                  "held" if self.options.hold else "queued" if self.options.webhook_url else "no url"})
            if self.webhooks[-1]["status"] == "queued":
                self._post_later(len(self.webhooks) - 1)

    def _post_later(self, index: int) -> None:
        wait = random.uniform(0.0, self.options.scatter) if self.options.scatter else 0.0
        self._outbox.put((time.monotonic() + wait, index))
        if self._sender is None:
            self._sender = threading.Thread(target=self._send_webhooks, daemon=True)
            self._sender.start()

    def _send_webhooks(self) -> None:
        """One after the other, unsigned, never repeated (§3.3)."""
        while True:
            due, index = self._outbox.get()
            if due > time.monotonic():
                # Another may come that is due sooner.
                self._outbox.put((due, index))
                time.sleep(min(0.02, max(0.0, due - time.monotonic())))
                continue
            with self.lock:
                if index >= len(self.webhooks):
                    continue
                one = self.webhooks[index]
            one["at"] = time.time()
            request = urllib.request.Request(one["url"], data=json.dumps(one["body"], ensure_ascii=False).encode(),
                                             headers={"Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    one["status"] = answer.status
            except urllib.error.HTTPError as problem:
                one["status"] = problem.code
                problem.close()
            except (OSError, ValueError) as problem:
                one["status"] = repr(problem)

    # -- people over there ---------------------------------------------------------------------------------------

    def do_reset(self) -> dict[str, Any]:
        """The school as it was at the start, with the options of the command line."""
        with self.lock:
            self.options = Options(**self._first)
            self.school = School(self.options)
            self.tokens: dict[str, float] = {}
            self.webhooks: list[dict[str, Any]] = []
            self._recent: deque[float] = deque()
            self._back_at = 0.0
            self._tripped: set[int] = set()
            self._to_lose = self.logins = self.limited = self.missed = 0
            self._away_note = self._lost_note = ""
            self.requests.clear()
            self.hits.clear()
            self.faults = []
        return {}

    def do_configure(self, **options: Any) -> dict[str, Any]:
        """Sets switches of :class:`Options`; returns all of them."""
        with self.lock:
            known = {one.name for one in fields(Options)}
            if unknown := set(options) - known:
                raise LookupError(f"no such options: {sorted(unknown)}; known: {sorted(known)}")
            for name, value in options.items():
                setattr(self.options, name, value)
            return asdict(self.options)

    def do_create_pay(self, quiet: bool = False, user: int = PEOPLE_USER, **given: Any) -> dict[str, Any]:
        """A person enters a payment. Without fields: 4500.00 from customer 145, income, today. ``quiet`` tells
        nobody, as if it had been there before."""
        row = {"branch_id": 1, "customer_id": 145, "pay_type_id": 1, "note": "", "payer_name": "Орлова Мария", **given}
        if row["pay_type_id"] == 5:
            row.setdefault("expenditure", 4500)
        elif "income" not in row:
            row["income"] = 4500
        with self.lock:
            made = self.school.create("pay", row["branch_id"], row, user)
            if quiet:
                self.school.changes.clear()
            self._tell()
            return made

    def do_create_pays(self, count: int, **given: Any) -> list[int]:
        """Many payments at once, quietly."""
        return [self.do_create_pay(quiet=True, **given)["id"] for _ in range(count)]

    def do_update_pay(self, id: int, user: int = PEOPLE_USER, **given: Any) -> dict[str, Any]:
        """A person changes a payment."""
        with self.lock:
            changed = self.school.update("pay", None, id, given, user)
            self._tell()
            return changed

    def do_delete_pay(self, id: int) -> dict[str, Any]:
        """A person deletes a payment."""
        with self.lock:
            self.school.delete("pay", None, id, PEOPLE_USER)
            self._tell()
        return {}

    def do_look(self, entity: str, id: int) -> dict[str, Any] | None:
        """A row of any table as it stands; None when there is none."""
        with self.lock:
            kept = self.school.tables[entity].get(id)
            return None if kept is None else {name: kept[name] for name in kept if not name.startswith("_")}

    def do_put(self, entity: str, id: int, **row: Any) -> dict[str, Any]:
        """Adds or changes a row of any table, quietly (``_removed`` archives a customer)."""
        with self.lock:
            kept = self.school.tables[entity].setdefault(id, {"id": id})
            kept.update(row)
            return kept

    def do_put_many(self, entity: str, rows: list[dict[str, Any]]) -> int:
        """Adds or changes many rows of a table at once, quietly."""
        with self.lock:
            for row in rows:
                self.school.tables[entity].setdefault(row["id"], {}).update(row)
            return len(rows)

    def do_leave(self, seconds: float, note: str = "") -> dict[str, Any]:
        """The API answers nothing but 503 for so many seconds."""
        self._away_note = note
        self._back_at = time.monotonic() + seconds
        return {}

    def do_lose_webhooks(self, n: int, note: str = "") -> dict[str, Any]:
        """The next ``n`` webhooks are never sent."""
        self._lost_note = note
        self._to_lose = n
        return {}

    def do_release(self, reverse: bool = True) -> int:
        """Sends the webhooks that were held, the last one first."""
        with self.lock:
            held = [index for index, one in enumerate(self.webhooks) if one["status"] == "held"]
            for index in reversed(held) if reverse else held:
                self.webhooks[index].update(status="queued", url=self.options.webhook_url)
                self._post_later(index)
            return len(held)

    def do_send(self, body: dict[str, Any]) -> dict[str, Any]:
        """Sends a webhook as given."""
        with self.lock:
            self._queue(body)
        return {}

    def do_expire_tokens(self) -> int:
        """Every token is void from now on."""
        with self.lock:
            count = len(self.tokens)
            self.tokens.clear()
            return count

    def state(self) -> dict[str, Any]:
        """Payments as they are kept (sums as texts, ISO dates, custom fields, notes), webhooks and counters."""
        with self.lock:
            paid = [{name: value for name, value in one.items() if name not in ("_created", "_updated")}
                    for one in self.school.tables["pay"].values()]
            return {"payments": paid, "webhooks": self.webhooks, "logins": self.logins, "limited": self.limited,
                    "missed": self.missed, "log": len(self.school.tables["log"])}


def told(change: Change, options: Options) -> dict[str, Any]:
    """The body of a webhook in the captured shapes (§3.2): ids and sums as texts, only changed fields on update,
    ``[]`` for an empty object, no ``id`` inside."""
    body: dict[str, Any] = {
        "branch_id": change.branch, "event": change.event, "entity": change.entity, "entity_id": change.id,
        "fields_old": {name: _value(name, value) for name, value in change.old.items()} or [],
        "fields_new": {name: _value(name, value) for name, value in change.new.items()
                       if (name != "id" and not name.startswith("_") and value not in (None, ""))
                       or change.event == "update"} or [],
        "fields_rel": [], "user_id": change.user, "datetime": f"{change.at:%Y-%m-%d %H:%M:%S}"}
    if change.event == "create" and change.entity == "Pay":
        new = body["fields_new"]
        new["confirmed"] = bool(new.pop("is_confirmed", 1))
        for name in ("expenditure", "bonus", "is_fiscal"):
            if change.new.get(name) in ("0.00", 0):
                new.pop(name, None)
    if options.webhook_shape == "2018":
        del body["fields_rel"]
    if not options.webhook_branch:
        del body["branch_id"]
    return body


def _value(name: str, value: Any) -> Any:
    if name == "branch_id" or name in FLAGS or value is None:
        return value
    if name in MONEY:
        return str(value).removesuffix(".00")
    return str(value) if name.endswith("_id") else value


def _framework(status: int, name: str, message: str) -> Answer:
    """An error of the web framework below the CRM (§2.3)."""
    return Answer.json({"name": name, "message": message, "code": 0, "status": status}, status)


def main(argv: list[str]) -> int:
    """``hub simulate alfacrm``."""
    return AlfaSimulator.main(argv)
