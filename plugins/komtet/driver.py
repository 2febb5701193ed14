"""A queue of KOMTET Kassa as a register of the hub: many receipts in flight, results by poll and by callback.

An unanswered put is sent again under its external id, byte for byte (``Capabilities.repeatable``): ``VLD11`` then
brings the task that exists (komtet-kassa.md §8). It is never sent under another one while its fate is unknown.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from hub_plugins.komtet.client import TIMEOUT, Heard, NotSent, ShopApi
from hub_plugins.komtet.errors import MEANING, NO_WORD
from hub_plugins.komtet.outgoing import check_of
from hub_plugins.komtet.records import credible
from hub_plugins.komtet.settings import DriverSettings
from hub_plugins.komtet.signature import is_signed

from hub.contracts import (
    Answer,
    Bookmark,
    Capabilities,
    Driver,
    DriverContext,
    Found,
    Guard,
    Identity,
    Job,
    Outcome,
    PluginSettings,
    Refused,
    RegisterGone,
    Request,
    ShiftReport,
    Status,
    Submitted,
    Text,
    TryLater,
    Unauthorised,
    Unavailable,
    Uncertain,
)
from hub.contracts import Heard as Hears
from hub.fiscal import Cashier, FiscalRecord, Kind, Money, NotANumber, verbatim
from hub.fiscal.plain import keepable

#: Seconds between two questions for one receipt: quick at first, then patient. With callbacks a poll is the fallback.
PAUSES, WITH_CALLBACKS = (2.0, 3.0, 5.0, 8.0, 15.0, 30.0, 60.0), (30.0, 60.0, 120.0)

PASSIVE = Text("The queue {queue} at KOMTET Kassa is passive: its register is not online. Switch it on; receipts wait "
               "here meanwhile, or go to another register.",
               "Очередь {queue} в КОМТЕТ Кассе неактивна: её касса не на связи. Включите её; чеки пока ждут здесь или "
               "идут на другую кассу.")
NO_QUEUE = Text("KOMTET Kassa knows no queue {queue} of this shop: {words}",
                "КОМТЕТ Касса не знает очереди {queue} этого магазина: {words}")
STRANGE = Text("KOMTET Kassa answered something that is not its protocol (HTTP {status}).",
               "КОМТЕТ Касса ответила не по своему протоколу (HTTP {status}).")
LOST = Text("The answer of KOMTET Kassa was lost: {words} The receipt is sent again under its number.",
            "Ответ КОМТЕТ Кассы потерян: {words} Чек будет отправлен снова под своим номером.")
UNREADABLE = Text("KOMTET Kassa told a result that names no task. The hub asks for its tasks by itself.",
                  "КОМТЕТ Касса прислала результат без номера задачи. Хаб спросит о своих задачах сам.")
LIMITED = Text("KOMTET Kassa asks to send less (HTTP 429). Receipts wait a moment.",
               "КОМТЕТ Касса просит слать реже (HTTP 429). Чеки немного подождут.")
FAILED = Text("The register at KOMTET Kassa did not print the receipt: {words}",
              "Касса в КОМТЕТ не пробила чек: {words}")
NO_DATA = Text("KOMTET Kassa says that the receipt is printed, but gives no readable fiscal data. Look it up in the "
               "account there.",
               "КОМТЕТ Касса говорит, что чек пробит, но фискальных данных в ответе нет. Найдите чек в личном "
               "кабинете.")


class KomtetDriver(Driver):
    """One queue of one shop."""

    name: ClassVar[str] = "komtet"
    title: ClassVar[Text] = Text("KOMTET Kassa: cloud queue", "КОМТЕТ Касса: очередь в облаке")
    summary: ClassVar[Text] = Text("Receipts are printed by registers that KOMTET Kassa serves.",
                                   "Чеки печатают кассы, которые обслуживает КОМТЕТ Касса.")
    settings: ClassVar[type[PluginSettings]] = DriverSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        ffd=("1.2", "1.1", "1.05"), max_in_flight=50, longest_command=TIMEOUT + 5.0, prints_paper=False, shifts=False,
        cash_moves=False, x_report=False, marking=True, repeatable=True)

    #: Seconds that an answer about the queue holds: the core asks for the status every few seconds.
    queue_seconds: ClassVar[float] = 60.0

    def __init__(self, settings: Mapping[str, Any], context: DriverContext) -> None:
        super().__init__(settings, context)
        self.version = int(settings["version"])
        self._api = ShopApi(settings["host"], settings["shop_id"], settings["key"], self.version)
        self._asked_at = 0.0
        #: Times that each task was asked for, in this process.
        self._polls: dict[str, int] = {}

    # -- who it is ---------------------------------------------------------------------------------------------------

    @property
    def _storage(self) -> str:
        """The queue in place of a storage: its receipts may come from several registers, each with a storage of its
        own that stands in the record."""
        return f"komtet-{self.config['queue']}"[:20]

    def open(self) -> Identity:
        self._look()
        return Identity(f"komtet-{self.config['queue']}-{self.config['shop_id']}"[:32], "КОМТЕТ Касса", self._storage,
                        ffd="1.2" if self.version == 2 else "1.05", marking=None)

    def close(self) -> None:
        self._api.close()

    def _look(self) -> None:
        """Asks for the queue, at most once a minute. Raises RegisterGone."""
        if self._asked_at and time.monotonic() - self._asked_at < self.queue_seconds:
            return
        queue = self.config["queue"]
        try:
            heard = self._api.get(f"/queues/{queue}")
        except (NotSent, TryLater) as problem:
            raise RegisterGone(problem.reason) from problem
        if heard.status != 200:
            field = "key" if heard.code == "AUT00" else "queue" if heard.status == 422 else ""
            raise RegisterGone(_meaning(heard) if heard.status != 422 else NO_QUEUE.with_(
                queue=queue, words=heard.words), heard.code, field)
        if heard.body.get("state") not in ("active", "passive"):
            raise RegisterGone(STRANGE.with_(status=heard.status))
        if heard.body["state"] != "active" and not self.config["use_passive"]:
            raise RegisterGone(PASSIVE.with_(queue=queue), "passive")
        self._asked_at = time.monotonic()

    def status(self) -> Status:
        self._look()
        return Status(self._storage, 0, at_rest=True)

    def settle(self, guard: Guard) -> Status:
        return Status(self._storage, 0, at_rest=True)

    def bookmark(self) -> Bookmark:
        self._look()
        return Bookmark(self._storage, 0)

    def find(self, bookmark: Bookmark) -> Found:
        """A cloud gives no documents back: absence proves nothing, and what is in doubt is sent again instead."""
        self._asked_at = 0.0
        self._look()
        return Found(self._storage, (), complete=False)

    def open_shift(self, cashier: Cashier, guard: Guard) -> None:
        """The register over there does so by itself."""

    def close_shift(self, cashier: Cashier, guard: Guard) -> ShiftReport | Refused | Unavailable | Uncertain:
        return Refused(Text("The register at KOMTET Kassa closes its shift by itself.",
                            "Касса в КОМТЕТ закрывает смену сама."))

    # -- receipts ----------------------------------------------------------------------------------------------------

    def fiscalise(self, job: Job, guard: Guard) -> Outcome:
        callback = f"{self.context.address}/result" if self.config["callbacks"] else ""
        try:
            check = check_of(job.receipt, job.external_id, self.version, self.config["paper"], callback)
        except LookupError as problem:
            return Refused(NO_WORD.with_(words=str(problem)))
        guard.check(TIMEOUT)
        try:
            heard = self._api.post(f"/queues/{self.config['queue']}/task", check)
        except NotSent as problem:
            self._asked_at = 0.0
            return Unavailable(problem.reason)
        except TryLater as problem:
            return Uncertain(LOST.with_(words=problem.reason))
        return self._put(heard, job.again)

    def _put(self, heard: Heard, again: bool) -> Outcome:
        """What an answer to a put means. Of a repeated one only an error that looks at the check itself proves that
        nothing was taken: an equal check that had been taken would be ``VLD11``."""
        task = heard.body if heard.status == 200 else heard.body.get("task") if heard.code == "VLD11" else None
        if isinstance(task, dict) and _is_task(task.get("id")):
            return Submitted(str(task["id"]), self._pause(str(task["id"])))
        if heard.status == 429:
            return Uncertain(LIMITED, "429") if again else Unavailable(LIMITED, "429")
        if heard.status in (401, 403):
            self._asked_at = 0.0
            return Uncertain(_meaning(heard), heard.code) if again else Unavailable(_meaning(heard), heard.code)
        if heard.status == 422 and heard.code and heard.code != "VLD11":
            return Refused(_meaning(heard), vendor_code=heard.code)
        return Uncertain(_meaning(heard) if heard.code in MEANING else STRANGE.with_(status=heard.status), heard.code)

    def _pause(self, task: str) -> float:
        """Seconds until the next question for a task."""
        if len(self._polls) > 10_000:
            self._polls.clear()
        pauses = WITH_CALLBACKS if self.config["callbacks"] else PAUSES
        return pauses[min(self._polls.get(task, 0), len(pauses) - 1)]

    def submitted(self, remote_id: str) -> Outcome:
        told = self._called_back(remote_id) if self.config["callbacks"] else None
        if told is not None:
            return self._ended(told)
        self._polls[remote_id] = self._polls.get(remote_id, 0) + 1
        try:
            heard = self._api.get(f"/tasks/{remote_id}")
        except (NotSent, TryLater):
            return Submitted(remote_id, self._pause(remote_id))
        if heard.status == 200 and heard.body.get("state") in ("done", "error"):
            self._polls.pop(remote_id, None)
            return self._ended(heard.body)
        if heard.status in (401, 403):
            raise RegisterGone(_meaning(heard), heard.code)
        if heard.status == 422:
            return Uncertain(_meaning(heard), heard.code)
        return Submitted(remote_id, self._pause(remote_id))

    def _ended(self, task: Mapping[str, Any]) -> Outcome:
        """The outcome of a task in its final state."""
        if task.get("state") == "error":
            words = str(task.get("error_description") or "—")[:300]
            return Refused(FAILED.with_(words=words), vendor_code="error")
        record = record_of(task, self.context.zone)
        return record if record is not None else Uncertain(NO_DATA)

    # -- callbacks ---------------------------------------------------------------------------------------------------

    def _called_back(self, remote_id: str) -> Mapping[str, Any] | None:
        """What a callback said of a task, if it said all."""
        found, _ = self.context.shelf("results").page(0, 1, label=remote_id)
        return found[0].value if found else None

    @classmethod
    def heard(cls, settings: Mapping[str, Any], context: DriverContext, request: Request) -> Hears:
        """A result, signed over the address that we gave. It is kept when it says all; else the task is asked for.
        Lost, doubled and late ones change nothing: the first that came is the one, and polls go on."""
        if not is_signed(request, [settings["key"]], [context.address]):
            raise Unauthorised
        try:
            body = json.loads(request.body)
        except (ValueError, RecursionError):
            body = None
        number = body.get("id") if isinstance(body, dict) else None
        if request.path != "/result" or not isinstance(body, dict) or not _is_task(number):
            return Hears(Answer.json({"description": "unreadable"}, 422), refused=UNREADABLE)
        task, shelf = str(number), context.shelf("results")
        whole = body.get("state") == "error" or (body.get("state") == "done"
                                                 and record_of(body, context.zone) is not None)
        if whole and not shelf.page(0, 1, label=task)[1]:
            shelf.add({name: body.get(name) for name in ("state", "error_description", "fiscal_data")}, label=task)
        return Hears(Answer.json({}), (task,))


def _is_task(number: Any) -> bool:
    """Whether it can be a task's number."""
    return type(number) is int and 0 < number < 2**63


def _meaning(heard: Heard) -> Text:
    known = MEANING.get(heard.code) or (MEANING["VLD00"] if heard.code else None)
    return known.with_(words=verbatim(heard.words)) if known else STRANGE.with_(status=heard.status)


def record_of(task: Mapping[str, Any], zone: str) -> FiscalRecord | None:
    """The record in a task's fiscal data (komtet-kassa.md §7); None when it cannot be read."""
    data = task.get("fiscal_data")
    if not isinstance(data, Mapping):
        return None
    try:
        moment = str(data["t"])
        form = "%Y%m%dT%H%M%S" if len(moment) > 13 else "%Y%m%dT%H%M"
        return credible(FiscalRecord(
            storage_number=str(data["fn"]).strip(), document_number=int(data["i"]), fiscal_sign=str(int(data["fp"])),
            printed_at=datetime.strptime(moment, form).replace(tzinfo=ZoneInfo(zone)), total=Money.of(data["s"]),
            kind=Kind(int(data["n"])), registration_number=keepable(str(data.get("rn") or ""))[:32],
            shift_number=int(data.get("sh") or 0), receipt_in_shift=int(data.get("shn") or 0),
            url=keepable(str(task.get("receipt_url") or ""))))
    except (KeyError, ValueError, TypeError, ArithmeticError, NotANumber):
        return None
