"""The shop API as a gateway (komtet-kassa.md §3): modules written for KOMTET Kassa call us and do not notice.

``checks`` reads what a shop wants printed, ``tasks`` says what became of it, ``deliveries`` keeps courier orders and
employees, ``callbacks`` tells the shop.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from hub_plugins.komtet import callbacks, fields
from hub_plugins.komtet.checks import order_of
from hub_plugins.komtet.deliveries import Deliveries, Employees
from hub_plugins.komtet.errors import Fault, refusal
from hub_plugins.komtet.handover import Handover
from hub_plugins.komtet.settings import GatewaySettings, names
from hub_plugins.komtet.signature import is_signed
from hub_plugins.komtet.tasks import task

from hub.contracts import (
    Accepted,
    Answer,
    Conflict,
    Gateway,
    Instead,
    PaymentDesk,
    PluginSettings,
    Problems,
    Report,
    Request,
    Step,
    Submission,
    Text,
    Unauthorised,
)
from hub.fiscal import Order

PATH = re.compile(r"/api/shop/v([12])/([a-z-]+)(?:/([^/]{1,64}))?(?:/(task|multi-tasks))?/?")

NO_ADDRESS = Text("there is no such address in the shop API: {method} {path}",
                  "такого адреса в API магазина нет: {method} {path}")
NO_JSON = Text("the body is no JSON", "тело запроса — не JSON")
NO_CHECK = Text("the body must be one check, an object", "в теле запроса должен быть один чек, объект")
NO_BATCH = Text("the body must be a list of checks", "в теле запроса должен быть список чеков")
NO_QUEUE = Text("this shop has no queue {id}; it is queue {own}", "у магазина нет очереди {id}; его очередь — {own}")
NO_TASK = Text("this shop has no task {id}", "у магазина нет задачи {id}")
EXISTS = Text("the check with this external_id was accepted before", "чек с таким external_id уже существует")
OTHER = Text("a check with this external_id but other contents was accepted before; the first one stays",
             "чек с таким external_id, но другим содержимым уже принят; остаётся первый")
REST = Text("{words} The other checks of the batch are accepted; the whole batch may be repeated.",
            "{words} Остальные чеки пакета приняты; пакет можно повторить целиком.")
TOO_LARGE = Text("the request is larger than 10 MB", "запрос больше 10 МБ")
PAUSED = Text("the connection is paused in the hub", "подключение приостановлено в хабе")


class KomtetGateway(Gateway):
    """One shop with one queue."""

    name: ClassVar[str] = "komtet"
    title: ClassVar[Text] = Text("KOMTET Kassa: shop module", "КОМТЕТ Касса: модуль магазина")
    summary: ClassVar[Text] = Text(
        "A shop's module written for KOMTET Kassa sends its receipts to the hub.",
        "Модуль магазина, написанный для КОМТЕТ Кассы, отправляет чеки в хаб.")
    settings: ClassVar[type[PluginSettings]] = GatewaySettings
    reports: ClassVar[frozenset[str]] = frozenset({"recorded", "refused", "cancelled"})
    desk: ClassVar[type[PaymentDesk] | None] = Handover
    roots: ClassVar[tuple[str, ...]] = ("/api/shop/v1/", "/api/shop/v2/")

    # -- whose request it is -------------------------------------------------------------------------------------

    @classmethod
    def account(cls, request: Request) -> str:
        return request.headers.get("authorization", "").strip()

    @classmethod
    def accounts(cls, settings: Mapping[str, Any], public_id: str) -> tuple[str, ...]:
        return (public_id, *([names(settings)] if names(settings) else []))

    @property
    def key(self) -> str:
        """The secret key: the owner's, else one of the hub's."""
        return str(self.config["key"]) or self.context.secret("shop key")

    @property
    def shop_id(self) -> str:
        """The shop id to copy: the owner's, else the hub's."""
        return names(self.config) or self.context.public_id

    @property
    def host(self) -> str:
        """The hub's address without any path: what clients call a host."""
        parts = urlsplit(self.context.address)
        return f"{parts.scheme}://{parts.netloc}"

    def _authenticate(self, request: Request) -> None:
        """Shop id and signature. Raises Unauthorised."""
        if self.account(request) not in self.accounts(self.config, self.context.public_id):
            raise Unauthorised
        if not is_signed(request, [self.key], self._bases()):
            raise Unauthorised

    def _bases(self) -> Iterator[str]:
        """The addresses under which clients were told to call us."""
        yield self.host
        yield self.context.address
        if self.config["called_as"]:
            yield self.config["called_as"]

    # -- requests ------------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Answer:
        self._authenticate(request)
        try:
            return self._route(request)
        except Fault as fault:
            # A poll for something that is not there is a question, not a receipt that went astray; but a shop that
            # looks at another queue before each sale will put its receipts there.
            if (request.method != "GET" or fault.place == "queue") and fault.code != "VLD11" \
                    and not isinstance(fault, Stored):
                self.intake.turn_down(request, fault.reason)
            return fault.answer()

    def _route(self, request: Request) -> Answer:
        found = PATH.fullmatch(request.path)
        version, what, number, more = found.groups() if found else ("", "", None, None)
        method = request.method
        if what == "queues" and number and (more is None) == (method == "GET") and method in ("GET", "POST"):
            self._own_queue(number)
            if more is None:
                return self._queue()
            return self._task(request, int(version)) if more == "task" else self._tasks(request, int(version))
        if what == "tasks" and number and more is None and method == "GET":
            return self._info(number)
        if what in ("orders", "employees") and more is None:
            return self._shelved(request, what, number, int(version))
        raise Fault(NO_ADDRESS.with_(method=method[:8], path=fields.shown(request.path)))

    def _own_queue(self, number: str) -> None:
        if not (number.isascii() and number.isdigit()) or int(number) != self.config["queue"]:
            raise Fault(NO_QUEUE.with_(id=fields.shown(number), own=self.config["queue"]), place="queue")

    def _queue(self) -> Answer:
        """``active`` when a register that serves the queue is ready: modules ask before they take money."""
        ready = any(one.ready for one in self.context.registers())
        return Answer.json({"id": self.config["queue"], "name": "kassahub", "state": "active" if ready else "passive"})

    # -- checks --------------------------------------------------------------------------------------------------

    def _order(self, check: Mapping[str, Any], version: int) -> Order:
        return order_of(check, version, today=self.context.now().astimezone(ZoneInfo(self.context.zone)).date(),
                        zone=self.context.zone, own_inn=self.context.tax_id, rate_of_day=self.config["rate_of_day"])

    def _task(self, request: Request, version: int) -> Answer:
        check = body_of(request)
        if not isinstance(check, Mapping):
            raise Fault(NO_CHECK)
        return Answer.json(self._submitted(self.intake.submit(self._order(check, version), request)))

    def _tasks(self, request: Request, version: int) -> Answer:
        """A batch: all of it is read before any of it is stored, and then each of it is stored. What was accepted
        before answers as its task, so that a batch may be repeated after an answer was lost, or mended. One that breaks
        a rule ends none of the others: nobody might ever send those again. It dies between two: the shop has no answer
        and repeats the batch."""
        batch = body_of(request)
        if not isinstance(batch, list) or not batch:
            raise Fault(NO_BATCH)
        if len(batch) > fields.MOST_CHECKS:
            raise Fault(fields.TOO_MANY.with_(most=fields.MOST_CHECKS))
        orders = []
        for index, check in enumerate(batch):
            try:
                if not isinstance(check, Mapping):
                    raise Fault(NO_CHECK)
                orders.append(self._order(check, version))
            except Fault as fault:
                raise fault.at(f"[{index}]") from fault
        answers: dict[str, Any] = {}
        faults: list[Fault] = []
        for index, order in enumerate(orders):
            done = self.intake.submit(order, request)
            label = order.number if order.number not in answers else order.key
            try:
                answers[label] = self._task_of(done) if not isinstance(done, (Problems, Conflict)) \
                    else self._submitted(done)
            except Fault as fault:
                faults.append(fault.at(f"[{index}]"))
        if faults:
            raise Stored(REST.with_(words=" ".join(one.reason.say("ru") for one in faults))
                         if answers else faults[0].reason, faults[0].code, **faults[0].more)
        return Answer.json(answers)

    def _submitted(self, done: Submission) -> dict[str, Any]:
        """The task of a new check. Raises Fault for every other end."""
        if isinstance(done, Accepted):
            return self._task_of(done)
        if isinstance(done, Problems):
            # Stored as invalid under its key: the owner sees it, and the shop's next try mends it.
            raise Stored(Text("{words}", "{words}", params={"words": " ".join(
                one.text.say("ru") for one in done.problems)}))
        raise Fault(OTHER if isinstance(done, Conflict) else EXISTS, "VLD11", task=self._task_of(done))

    def _task_of(self, done: Submission) -> dict[str, Any]:
        assert done.receipt is not None
        return task(done.receipt, self.config["queue"])

    def _info(self, number: str) -> Answer:
        """Either version asks for the tasks of both."""
        seen = self.intake.numbered(int(number)) if number.isascii() and number.isdigit() else None
        if seen is None:
            raise Fault(NO_TASK.with_(id=fields.shown(number)), place="task")
        return Answer.json(task(seen, self.config["queue"]))

    # -- orders and employees ------------------------------------------------------------------------------------

    def _shelved(self, request: Request, what: str, number: str | None, version: int) -> Answer:
        kept: Deliveries | Employees = (
            Deliveries(self.context, self.intake) if what == "orders" else Employees(self.context))
        method, args = request.method, fields.args(request.args())
        if number is None and method == "GET":
            return Answer.json(kept.page(args))
        if number is None and method == "POST":
            return Answer.json(kept.add(body_of(request), version))
        if number is not None and method == "GET":
            return Answer.json(kept.shown(kept.one(number)))
        if number is not None and method == "PUT":
            return Answer.json(kept.change(number, body_of(request), version))
        if number is not None and method == "DELETE":
            kept.drop(number)
            return Answer(200, b"", "application/json")
        raise Fault(NO_ADDRESS.with_(method=method[:8], path=fields.shown(request.path)))

    # -- the owner's page and the shop ---------------------------------------------------------------------------

    def setup(self) -> tuple[Step, ...]:
        return (
            Step(Text("The host: modules and SDKs that let you choose it (set_host, setHost, api_url) get this "
                      "address.",
                      "Адрес сервера: его получают модули и SDK, где он выбирается (set_host, setHost, api_url)."),
                 self.host),
            Step(Text("The shop id.", "ID магазина."), self.shop_id),
            Step(Text("The secret key. Give it to nobody else.", "Секретный ключ. Никому больше его не давайте."),
                 self.key),
            Step(Text("The queue.", "Номер очереди."), str(self.config["queue"])),
            Step(Text("A module that cannot be given another host needs a line in its code, or kassa.komtet.ru led to "
                      "the hub on the shop's server: docs/ru/komtet.md says which and how.",
                      "Модулю, где адрес сервера не выбирается, нужна строка в коде или перенаправление имени "
                      "kassa.komtet.ru на хаб: docs/ru/komtet.md говорит, какому и как.")))

    def report(self, report: Report) -> None:
        if "order" in report.receipt.origin:
            callbacks.tell_order(Deliveries(self.context), self.config, self.key, report)
        else:
            callbacks.tell(self.config, self.context, self.key, report)

    @classmethod
    def answer_instead(cls, why: Instead, request: Request) -> Answer:
        """Nothing of a gateway's request is kept, so the shop must hear an error that it understands."""
        if why == "unauthorised":
            return refusal("AUT00", "Неизвестный магазин или неверная подпись запроса")
        if why == "disabled":
            return refusal("SRV00", PAUSED.say("ru"))
        if why == "too_large":
            return refusal("VLD00", TOO_LARGE.say("ru"), status=413)
        if why == "malformed":
            return refusal("VLD00", NO_JSON.say("ru"))
        return refusal("SYS00", "Чек сейчас нельзя сохранить, повторите позже")


class Stored(Fault):
    """A refusal of a check that the owner finds among the receipts already."""


def body_of(request: Request) -> Any:
    """The decoded body; Fault when it is no JSON."""
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError) as problem:
        raise Fault(NO_JSON) from problem
