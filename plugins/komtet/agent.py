"""The register-side API, ``/api/pos/v1``: a register run by KOMTET's agent takes its tasks from the hub
(komtet-kassa.md §11).

The agent calls every few seconds: what became of the last task, what the register says, is there another. The door of
the web's process puts both on the register's shelves; the driver here hands tasks over the same way. One task at a time
is given, and the same one again until it is reported: its agent keeps it on disk and never takes it for two.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from hub_plugins.komtet.outgoing import check_of
from hub_plugins.komtet.settings import AgentSettings
from hub_plugins.komtet.signature import is_signed
from hub_plugins.komtet.words import INTENTS

from hub.contracts import (
    Answer,
    Bookmark,
    Capabilities,
    Driver,
    DriverContext,
    Found,
    Guard,
    Heard,
    Identity,
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

ROOT = "/api/pos/v1/"
#: Seconds of silence after which an agent counts as gone: it calls every ten.
SILENCE = 60.0
#: ``at`` of a task that its register has not reported yet, on the shelf.
OPEN = "open"
#: Seconds until the driver looks by itself; a report rings at once.
LOOK = 15.0
#: Bits of the drive's state after which nothing more can be recorded: resource, memory, critical error.
ENDED = 0b1000_0110

NEVER = Text("The agent of this register has not called yet. Enter in its settings.ini: KOMTET_KASSA_API = {address}, "
             "and "
             "the register's key and secret.",
             "Агент этой кассы ещё не обращался. Впишите в его settings.ini: KOMTET_KASSA_API = {address}, ключ и "
             "секрет "
             "кассы.")
SILENT = Text("The agent of this register has been silent since {since}. Start it on its machine.",
              "Агент этой кассы молчит с {since}. Запустите его на своём компьютере.")
UNREACHABLE = Text("The agent does not reach its register: {words}", "Агент не видит свою кассу: {words}")
STORAGE_ENDED = Text("The fiscal storage of this register takes nothing more: replace it.",
                     "Накопитель этой кассы больше ничего не примет: замените его.")
FAILED = Text("The register did not print the receipt: {words}", "Касса не пробила чек: {words}")
NO_DATA = Text("The agent reports the receipt as printed without readable fiscal data. Look at the register's last "
               "documents.",
               "Агент сообщил, что чек пробит, но фискальных данных не прислал. Посмотрите последние документы кассы.")
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
        if state is None:
            address = self.context.address.partition("/in-register/")[0]
            raise RegisterGone(NEVER.with_(address=address), "never")
        seen = datetime.fromisoformat(str(state.value["at"]))
        if (datetime.now(UTC) - seen).total_seconds() > SILENCE:
            raise RegisterGone(SILENT.with_(since=seen.astimezone(ZoneInfo(self.context.zone)).strftime("%d.%m %H:%M")),
                               "silent")
        printer = state.value.get("printer") or {}
        if printer.get("error_description"):
            raise RegisterGone(UNREACHABLE.with_(words=str(printer["error_description"])[:200]), "unreachable")
        if not printer.get("fiscal_id"):
            raise RegisterGone(NEVER.with_(address=self.context.address.partition("/in-register/")[0]), "no_printer")
        return state.value

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
        task = for_agent(job.receipt, check_of(job.receipt, job.external_id, version, True), version)
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
        if not isinstance(body, dict) or request.method != "POST" or not _is_true(settings, context, request, call,
                                                                                  body):
            raise Unauthorised
        if call == "pos/activate":
            return _activated(context, body)
        if call == "pos/deactivate":
            state = said(context)
            if state is not None:
                context.shelf("agent").drop(state.id)
            return Heard(Answer.json({}), wake=True)
        if call == "tasks":
            return _turn(context, body, request.args().get("limit", "1"))
        return Heard(Answer.json({"description": "Такого адреса нет"}, 422))


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
    if state is None and isinstance(printer, dict) and printer.get("serial_number"):
        # An agent that was activated at KOMTET and only pointed elsewhere.
        serials.add(str(printer["serial_number"]))
    return is_signed(request, [secret + one for one in serials], base)


def _activated(context: DriverContext, body: Mapping[str, Any]) -> Heard:
    serial = str(body.get("hwid") or "")
    state = said(context)
    if not serial or len(serial) > 32:
        return Heard(Answer.json({"description": "Не указан заводской номер кассы"}, 422))
    if state is not None and state.value["serial"] != serial:
        return Heard(Answer.json({"description": f"Ключ занят кассой {state.value['serial']}"}, 422))
    _keep(context, {"serial": serial, "printer": state.value.get("printer") if state else None})
    return Heard(Answer.json({}), wake=True)


def _keep(context: DriverContext, value: Mapping[str, Any]) -> None:
    shelf, state = context.shelf("agent"), said(context)
    stored = {**value, "at": datetime.now(UTC).isoformat()}
    if state is None or not shelf.put(state.id, stored):
        shelf.add(stored)


def _turn(context: DriverContext, body: Mapping[str, Any], limit: str) -> Heard:
    """Takes a report, gives the next task."""
    printer = body.get("printer") if isinstance(body.get("printer"), dict) else None
    state = said(context)
    _keep(context, {"serial": state.value["serial"] if state else str((printer or {}).get("serial_number")),
                    "printer": printer or (state.value.get("printer") if state else None)})
    shelf, about, report = context.shelf("tasks"), tuple[str, ...](), body.get("check")
    if isinstance(report, dict) and isinstance(report.get("id"), int):
        item = shelf.get(report["id"])
        if item is not None and item.value.get("report") is None:
            shelf.put(item.id, {**item.value, "report": report}, item.label)
            about = (str(item.id),)
    checks = []
    if limit != "0" and not (printer or {}).get("error_description"):
        found, _ = shelf.page(0, 1, since=OPEN)
        checks = [{**one.value["task"], "id": one.id} for one in found]
    return Heard(Answer.json({"checks": checks}), about, wake=state is None)


def for_agent(receipt: Receipt, check: dict[str, Any], version: int) -> dict[str, Any]:
    """The check in the form in which agents get it."""
    cashier = {"name": receipt.cashier.name, "inn": receipt.cashier.inn}
    task = {**check, "version": f"v{version}"}
    if version == 2:
        return {**task, "cashier": cashier, "company": {
            "inn": receipt.seller_inn, "name": receipt.seller_name, "sno": check["company"].get("sno"),
            "payment_address": receipt.settlement_place, "place_address": receipt.settlement_address}}
    positions = []
    for one in check["positions"]:
        position = {**one, "vat": {"number": one["vat"]}}
        if "nomenclature_code" in one:
            position["nomenclature_code"] = {**one["nomenclature_code"],
                                             "code_restored": one["nomenclature_code"]["code"]}
        positions.append(position)
    return {**task, "positions": positions, "inn": receipt.seller_inn, "cashier": cashier["name"],
            "cashier_inn": cashier["inn"], "org_name": receipt.seller_name, "org_address": receipt.settlement_address}


def record_of(report: Mapping[str, Any], task: Mapping[str, Any], zone: str) -> FiscalRecord | None:
    """The record in an agent's report; None when it cannot be read."""
    moment = _moment(report.get("time"), zone)
    try:
        if moment is None:
            return None
        return FiscalRecord(
            storage_number=str(report["fiscal_drive_id"]), document_number=int(report["fiscal_document_number"]),
            fiscal_sign=str(int(report["fiscal_id"])), printed_at=moment, total=Money.of(Decimal(str(report["sum"]))),
            kind=INTENTS[task["intent"]][0], register_serial=str(report.get("kkt_serial_number") or ""),
            registration_number=str(report.get("kkt_reg_number") or ""), shift_number=int(report.get("session") or 0),
            receipt_in_shift=int(report.get("session_check") or 0))
    except (KeyError, ValueError, TypeError, ArithmeticError, NotANumber):
        return None


def _moment(value: Any, zone: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))
