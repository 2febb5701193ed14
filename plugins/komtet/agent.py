"""The register-side API, ``/api/pos/v1``: a register run by KOMTET's agent takes its tasks from the hub
(komtet-kassa.md §11).

The agent calls every few seconds: what became of the last task, what the register says, is there another. The door of
the web's process puts both on the register's shelves; the driver here hands tasks over the same way. One task at a time
is given, and the same one again until it is reported: its agent keeps it on disk and never takes it for two.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from hub_plugins.komtet.errors import NO_WORD, refusal
from hub_plugins.komtet.outgoing import check_of
from hub_plugins.komtet.records import credible
from hub_plugins.komtet.settings import AgentSettings
from hub_plugins.komtet.signature import is_signed
from hub_plugins.komtet.words import INTENTS

from hub.contracts import (
    TURNED_AWAY,
    Answer,
    Bookmark,
    Capabilities,
    Driver,
    DriverContext,
    Found,
    Guard,
    Heard,
    Identity,
    Instead,
    Item,
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
    Unauthorised,
    Unavailable,
    Uncertain,
)
from hub.fiscal import Cashier, FiscalRecord, Money, NotANumber, Receipt
from hub.fiscal.marking import parse, tag_1162

ROOT = "/api/pos/v1/"
#: Seconds of silence after which an agent counts as gone: it calls every ten.
SILENCE = 60.0
#: ``at`` of a task that its register has not reported yet, on the shelf.
OPEN = "open"
_SPOILT, _NUMBER = re.compile("[\0\ud800-\udfff]"), re.compile(r"[0-9A-Za-z._/-]{1,32}")
#: Seconds until the driver looks by itself; a report rings at once.
LOOK = 15.0
#: Bits of the drive's state after which nothing more can be recorded: resource, memory, critical error.
ENDED = 0b1000_0110

#: What of the agent's words about its register and about a receipt is kept (komtet-kassa.md §11).
PRINTER = ("serial_number", "fiscal_id", "reg_till", "fn_state", "error_description")
REPORT = ("id", "inn", "kkt_serial_number", "kkt_reg_number", "fiscal_drive_id", "fiscal_document_number", "sum",
          "fiscal_id", "time", "session_check", "session", "error_description")

NEVER = Text("The agent of this register has not called yet. Enter in its settings.ini: KOMTET_KASSA_API = {address}, "
             "and "
             "the register's key and secret.",
             "Агент этой кассы ещё не обращался. Впишите в его settings.ini: KOMTET_KASSA_API = {address}, ключ и "
             "секрет "
             "кассы.")
WRONG_KEY = Text("An agent called with a wrong key at {at}. Compare the secret in its settings.ini with the one in "
                 "this register's settings; an agent at another register needs a key of its own.",
                 "Агент обратился с неверным ключом {at}. Сверьте секрет в его settings.ini с секретом в настройках "
                 "этой кассы; агенту другой кассы нужен свой ключ.")
SILENT = Text("The agent of this register has been silent since {since}. Start it on its machine.",
              "Агент этой кассы молчит с {since}. Запустите его на своём компьютере.")
UNREACHABLE = Text("The agent does not reach its register: {words}", "Агент не видит свою кассу: {words}")
STORAGE_ENDED = Text("The fiscal storage of this register takes nothing more: replace it.",
                     "Накопитель этой кассы больше ничего не примет: замените его.")
FAILED = Text("The register did not print the receipt: {words}", "Касса не пробила чек: {words}")
NO_DATA = Text("The agent reports the receipt as printed without readable fiscal data. Look at the register's last "
               "documents.",
               "Агент сообщил, что чек пробит, но фискальных данных не прислал. Посмотрите последние документы кассы.")
NO_NUMBER = Text("The agent sent “{field}” of its register that is no number: the register cannot be told from others.",
                 "Агент прислал «{field}» своей кассы, и это не номер: кассу не отличить от других.")
NO_SERIAL = Text("The agent was activated without its register's serial number.",
                 "При активации агент не указал заводской номер кассы.")
TAKEN = Text("The key belongs to the register {serial}. Deactivate its agent first.",
             "Ключ занят кассой {serial}. Сначала деактивируйте её агент.")
NO_JSON = Text("A call of the agent is no JSON object.", "Запрос агента — не объект JSON.")
NO_CALL = Text("The API has no such address.", "Такого адреса в API нет.")
LOST_TASK = Text("The task is no longer on the register's shelf.", "Задача больше не хранится.")


class KomtetAgent(Driver):
    """A register behind KOMTET's agent."""

    name: ClassVar[str] = "komtet_agent"
    title: ClassVar[Text] = Text("Register behind KOMTET's agent", "Касса за агентом КОМТЕТ")
    summary: ClassVar[Text] = Text("The agent at the register fetches its tasks from the hub instead of from KOMTET.",
                                   "Агент у кассы забирает задачи из хаба, а не из КОМТЕТ.")
    settings: ClassVar[type[PluginSettings]] = AgentSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        ffd=("1.2", "1.1", "1.05"), max_in_flight=5, longest_command=10.0, shifts=False, cash_moves=False,
        x_report=False, marking=True, repeatable=True)
    roots: ClassVar[tuple[str, ...]] = (ROOT,)

    # -- the driver ------------------------------------------------------------------------------------------------

    def _agent(self) -> Mapping[str, Any]:
        """What the agent said last. Raises RegisterGone when it said nothing, long ago, or that its register is
        gone."""
        state = said(self.context)
        seen = None if state is None else datetime.fromisoformat(str(state.value["at"]))
        if state is None or seen is None or (datetime.now(UTC) - seen).total_seconds() > SILENCE:
            wrong = self._wrong_key()
            if wrong is not None and (seen is None or wrong > seen):
                raise RegisterGone(WRONG_KEY.with_(at=self._shown(wrong)), "wrong_key", "pos_secret")
            if state is None or seen is None:
                raise RegisterGone(NEVER.with_(address=self.context.address.partition("/in-register/")[0]), "never")
            raise RegisterGone(SILENT.with_(since=self._shown(seen)), "silent")
        printer = state.value.get("printer") or {}
        if printer.get("error_description"):
            raise RegisterGone(UNREACHABLE.with_(words=str(printer["error_description"])[:200]), "unreachable")
        if not printer.get("fiscal_id"):
            raise RegisterGone(NEVER.with_(address=self.context.address.partition("/in-register/")[0]), "no_printer")
        return state.value

    def _wrong_key(self) -> datetime | None:
        """When somebody called last whom the core turned away for the key."""
        found, _ = self.context.shelf(TURNED_AWAY).page(0, 1)
        known = found and found[0].value["why"] == "unauthorised"
        return datetime.fromisoformat(str(found[0].value["at"])) if known else None

    def _shown(self, at: datetime) -> str:
        return at.astimezone(ZoneInfo(self.context.zone)).strftime("%d.%m %H:%M")

    def open(self) -> Identity:
        agent = self._agent()
        return Identity(str(agent["serial"])[:32], "Агент КОМТЕТ", str(agent["printer"]["fiscal_id"])[:20],
                        ffd="1.2" if self.config["version"] == "2" else "1.05")

    def close(self) -> None:
        """Nothing is held."""

    def status(self) -> Status:
        printer = self._agent()["printer"]
        flags = printer.get("fn_state")
        ended = isinstance(flags, int) and bool(flags & ENDED)
        return Status(str(printer["fiscal_id"])[:20], 0, at_rest=True, storage_until=_moment(printer.get("reg_till"),
                      self.context.zone), blocked=STORAGE_ENDED if ended else None)

    def settle(self, guard: Guard) -> Status:
        return self.status()

    def bookmark(self) -> Bookmark:
        return Bookmark(str(self._agent()["printer"]["fiscal_id"])[:20], 0)

    def find(self, bookmark: Bookmark) -> Found:
        """The agent reads no documents back; what is in doubt is asked for again under its id."""
        return Found(str(self._agent()["printer"]["fiscal_id"])[:20], (), complete=False)

    def open_shift(self, cashier: Cashier, guard: Guard) -> None:
        """The agent does so by itself."""

    def close_shift(self, cashier: Cashier, guard: Guard) -> ShiftReport | Refused | Unavailable | Uncertain:
        return Refused(Text("The agent closes the shift by itself, before midnight at the latest.",
                            "Агент закрывает смену сам, самое позднее перед полуночью."))

    def fiscalise(self, job: Job, guard: Guard) -> Outcome:
        """Puts the task on the shelf, once for each id. Dying before the commit, nothing is there and the same id is
        put again; after it, the one that is there is found."""
        shelf = self.context.shelf("tasks")
        found, _ = shelf.page(0, 1, label=job.external_id)
        if found:
            return Submitted(str(found[0].id), LOOK)
        version = int(self.config["version"])
        try:
            task = for_agent(job.receipt, check_of(job.receipt, job.external_id, version, True), version)
        except LookupError as problem:
            return Refused(NO_WORD.with_(words=str(problem)))
        guard.check(5.0)
        return Submitted(str(shelf.add({"task": task, "report": None}, job.external_id, OPEN)), LOOK)

    def submitted(self, remote_id: str) -> Outcome:
        item = self.context.shelf("tasks").get(int(remote_id))
        if item is None:
            return Uncertain(LOST_TASK)
        report = item.value.get("report")
        if report is None:
            return Submitted(remote_id, LOOK)
        if report.get("error_description"):
            # The fiscal fields beside an error are those of the document before it.
            return Refused(FAILED.with_(words=str(report["error_description"])[:300]), vendor_code="agent")
        record = record_of(report, item.value["task"], self.context.zone)
        return record if record is not None else Uncertain(NO_DATA)

    # -- the door --------------------------------------------------------------------------------------------------

    @classmethod
    def account(cls, request: Request) -> str:
        return request.headers.get("authorization", "").strip()

    @classmethod
    def accounts(cls, settings: Mapping[str, Any]) -> tuple[str, ...]:
        return (str(settings.get("pos_key") or ""),)

    @classmethod
    def heard(cls, settings: Mapping[str, Any], context: DriverContext, request: Request) -> Heard:
        call = request.path.removeprefix(ROOT).strip("/")
        try:
            body = json.loads(request.body) if request.body else {}
        except (ValueError, RecursionError):
            body = None
        if not _is_true(settings, context, request, call, body if isinstance(body, dict) else {}):
            raise Unauthorised
        if not isinstance(body, dict):
            return refused(NO_JSON)
        if request.method != "POST":
            return refused(NO_CALL)
        if call == "pos/activate":
            return _activated(context, body)
        if call == "pos/deactivate":
            state = said(context)
            if state is not None:
                context.shelf("agent").drop(state.id)
            return Heard(Answer.json({}), wake=True)
        if call == "tasks":
            return _turn(context, body, request.args().get("limit", "1"))
        return refused(NO_CALL)

    @classmethod
    def answer_instead(cls, why: Instead, request: Request) -> Answer:
        """The agent shows its owner the ``description``."""
        if why == "unauthorised":
            return refusal("AUT00", "Неизвестный ключ кассы или неверная подпись запроса")
        if why == "too_large":
            return refusal("VLD00", "Запрос слишком большой", status=413)
        return refusal("SYS00", "Запрос сейчас нельзя принять, повторите позже", status=super().answer_instead(
            why, request).status)


def refused(words: Text) -> Heard:
    """A call that is answered with an error, in the vendor's form; its owner reads the same."""
    return Heard(refusal("VLD00", words.say("ru")), refused=words)


def said(context: DriverContext) -> Item | None:
    """What the agent said last."""
    found, _ = context.shelf("agent").page(0, 1)
    return found[0] if found else None


def _is_true(settings: Mapping[str, Any], context: DriverContext, request: Request, call: str,
             body: Mapping[str, Any]) -> bool:
    """The secret signs activation; the secret and the register's number together sign everything else."""
    secret = str(settings["pos_secret"])
    base = [context.address.partition("/in-register/")[0]]
    if call.startswith("pos/"):
        return is_signed(request, [secret], base)
    state, printer = said(context), body.get("printer")
    serials = {str(state.value["serial"])} if state is not None else set()
    if state is None and isinstance(printer, dict) and number_of(printer.get("serial_number")):
        # An agent that was activated at KOMTET and only pointed elsewhere.
        serials.add(number_of(printer["serial_number"]))
    return is_signed(request, [secret + one for one in serials], base)


def _activated(context: DriverContext, body: Mapping[str, Any]) -> Heard:
    serial = number_of(body.get("hwid"))
    state = said(context)
    if not serial:
        return refused(NO_SERIAL)
    if state is not None and state.value["serial"] != serial:
        return refused(TAKEN.with_(serial=state.value["serial"]))
    _keep(context, {"serial": serial, "printer": state.value.get("printer") if state else None})
    return Heard(Answer.json({}), wake=True)


def _keep(context: DriverContext, value: Mapping[str, Any]) -> None:
    shelf, state = context.shelf("agent"), said(context)
    stored = {**value, "at": datetime.now(UTC).isoformat()}
    if state is None or not shelf.put(state.id, stored):
        shelf.add(stored)


def _turn(context: DriverContext, body: Mapping[str, Any], limit: str) -> Heard:
    """Takes a report, gives the next task. The report first: a printed receipt is told whatever else is wrong."""
    about = _reported(context, body.get("check"))
    printer, state = kept(body.get("printer"), PRINTER), said(context)
    for field in ("serial_number", "fiscal_id"):
        if printer.get(field) is not None and not number_of(printer[field]):
            no_number = refused(NO_NUMBER.with_(field=f"printer.{field}"))
            return replace(no_number, about=about)
    _keep(context, {"serial": state.value["serial"] if state else number_of(printer.get("serial_number")),
                    "printer": printer or (state.value.get("printer") if state else None)})
    checks = []
    if limit != "0" and not printer.get("error_description"):
        found, _ = context.shelf("tasks").page(0, 1, since=OPEN)
        checks = [{**one.value["task"], "id": one.id} for one in found]
    return Heard(Answer.json({"checks": checks}), about, wake=state is None)


def _reported(context: DriverContext, report: Any) -> tuple[str, ...]:
    """Puts a report beside its task; the task's id when it was the first."""
    found, shelf = kept(report, REPORT), context.shelf("tasks")
    item = shelf.get(found["id"]) if type(found.get("id")) is int else None
    if item is None or item.value.get("report") is not None:
        return ()
    shelf.put(item.id, {**item.value, "report": found}, item.label)
    return (str(item.id),)


def kept(said: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The named values of an agent's object. Half a character and a zero byte, which no database keeps, become a sign
    that says so: in words they are read past, and in a number they make it none."""
    if not isinstance(said, dict):
        return {}
    values = {name: said[name] for name in names if isinstance(said.get(name), (str, int, float))}
    return {name: _SPOILT.sub("\ufffd", one)[:1000] if isinstance(one, str) else one for name, one in values.items()}


def number_of(value: Any) -> str:
    """A serial number or the number of a storage as it was said; empty when it is none."""
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    return text if _NUMBER.fullmatch(text) else ""


def for_agent(receipt: Receipt, check: dict[str, Any], version: int) -> dict[str, Any]:
    """The check in the form in which agents get it (komtet-kassa.md §11)."""
    cashier = {"name": receipt.cashier.name, "inn": receipt.cashier.inn}
    task = {**check, "version": f"v{version}"}
    if version == 2:
        return {**task, "cashier": cashier, "company": {
            "inn": receipt.seller_inn, "name": receipt.seller_name, "sno": check["company"].get("sno"),
            "payment_address": receipt.settlement_place, "place_address": receipt.settlement_address}}
    positions = []
    for line, one in zip(receipt.lines, check["positions"], strict=True):
        position = {**one, "vat": {"number": one["vat"]}}
        if line.marking:
            # The hub keeps codes with their separators: restored is what it has. A register of 1.05 takes tag 1162.
            mark = parse(line.marking)
            position["nomenclature_code"] = {"code": mark.code, "hex_code": tag_1162(mark).hex().upper(),
                                             "code_restored": mark.code}
        positions.append(position)
    return {**task, "positions": positions, "inn": receipt.seller_inn, "cashier": cashier["name"],
            "cashier_inn": cashier["inn"], "org_name": receipt.seller_name, "org_address": receipt.settlement_address}


def record_of(report: Mapping[str, Any], task: Mapping[str, Any], zone: str) -> FiscalRecord | None:
    """The record in an agent's report; None when it cannot be read."""
    moment = _moment(report.get("time"), zone)
    try:
        storage, document, sign = (str(report[name]).strip() for name in (
            "fiscal_drive_id", "fiscal_document_number", "fiscal_id"))
        if moment is None:
            return None
        return credible(FiscalRecord(
            storage_number=storage, document_number=int(document), fiscal_sign=str(int(sign)), printed_at=moment,
            total=Money.of(Decimal(str(report["sum"]))), kind=INTENTS[task["intent"]][0],
            register_serial=str(report.get("kkt_serial_number") or "")[:32],
            registration_number=str(report.get("kkt_reg_number") or "")[:32],
            shift_number=int(report.get("session") or 0), receipt_in_shift=int(report.get("session_check") or 0)))
    except (KeyError, ValueError, TypeError, ArithmeticError, NotANumber):
        return None


def _moment(value: Any, zone: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))
