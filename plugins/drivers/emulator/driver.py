"""The driver of the emulated register: commands over a wire, and honest words about how each ended."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hub_plugins.drivers.emulator import errors, loopback, managed, masking, words
from hub_plugins.drivers.emulator.device import PRINTING, Device
from hub_plugins.drivers.emulator.engine import BATCH, Engine
from hub_plugins.drivers.emulator.hands import Ended, Hands
from hub_plugins.drivers.emulator.link import BYTE, Answer, Link, Lost
from hub_plugins.drivers.emulator.loopback import LoopbackTransport
from hub_plugins.drivers.emulator.protocol import QUIET
from hub_plugins.drivers.emulator.settings import PATIENCE, SLOWEST, EmulatorSettings

from hub.contracts import (
    Bookmark,
    Capabilities,
    DriverContext,
    Found,
    Guard,
    Identity,
    Job,
    LeaseLost,
    NoGuard,
    Outcome,
    Probing,
    Refused,
    RegisterGone,
    ShiftReport,
    Status,
    Text,
    Unavailable,
    Uncertain,
    load,
)
from hub.fiscal import Cashier, Money
from hub.registers import transports
from hub.registers.transports import BadAddress, Transport, TransportError

#: Seconds to wait for a register that is asked who it is; busy ones are asked again by ``settle``.
ASK = 3.0
#: Seconds between two looks at a register that is busy, and looks before it is left alone.
BUSY_PAUSE, BUSY_LOOKS = 0.2, 10
#: Seconds that discovery waits for each byte and for the answer.
PROBE = 0.3


class EmulatorDriver(Hands):
    """Drives an emulated register: one that the hub runs itself, or one behind an address."""

    name = "emulator"
    title = Text("Emulated register", "Эмулятор кассы")
    summary = Text("A register without hardware: everything works, nothing is printed and nothing reaches the tax "
                   "office. To get to know the hub and to try things out.",
                   "Касса без железа: всё работает, но ничего не печатается и не уходит в налоговую. "
                   "Для знакомства и проб.")
    settings = EmulatorSettings
    capabilities = Capabilities(countries=("RU", "KZ"), ffd=("1.05", "1.1", "1.2"),
                                longest_command=SLOWEST + PATIENCE + BYTE, carries_key=True, marking=True,
                                copies=True, cuts=True, drawer=True, sets_clock=True, reads_documents=True,
                                checks_settings=True)
    probing = Probing(addresses=("tcp://127.0.0.1:7700",))

    def __init__(self, settings: Mapping[str, Any], context: DriverContext) -> None:
        super().__init__(settings, context)
        self._wait = settings["seconds_per_receipt"] + settings["answer_seconds"]
        self._ask = min(ASK, settings["answer_seconds"])
        self._byte = min(BYTE, settings["answer_seconds"])
        # This register's own longest command: a worker that takes it over waits no longer than that.
        self.capabilities = replace(type(self).capabilities, longest_command=self._wait + self._byte)  # type: ignore[misc]
        #: Marks the documents that we begin, so that only those are ever cancelled.
        self._owner = f"hub:{context.public_id}"
        self._make: Callable[[], Transport] = self._transport
        self._pause: Callable[[float], None] = time.sleep
        self._line: Transport | None = None
        self._link: Link | None = None
        self._identity: Identity | None = None
        self._currency = context.currency

    @classmethod
    def in_process(cls, register: Device | Engine, context: DriverContext, **settings: Any) -> EmulatorDriver:
        """A driver of a register in this process. Time passes on the line's clock only."""
        device = register if isinstance(register, Device) else Device(register)
        line = LoopbackTransport(device)
        driver = cls(load(EmulatorSettings, {"seconds_per_receipt": device.engine.seconds_per_receipt, **settings}),
                     context)
        driver._make, driver._pause = (lambda: line), line.sleep
        return driver

    # -- connection ----------------------------------------------------------------------------------------------

    def open(self) -> Identity:
        self.close()
        try:
            line = self._make()
            line.open()
        except BadAddress as problem:
            raise RegisterGone(problem.reason, "bad_address", "address") from problem
        except TransportError as problem:
            raise RegisterGone(problem.reason, problem.code, "address") from problem
        self._line = line
        clock = line.clock if isinstance(line, LoopbackTransport) else time.monotonic
        # A serial line may still hold half a frame of somebody before us; a connection of our own does not.
        quiet = 0.03 if line.address.startswith("tcp:") else QUIET + 0.05
        self._link = Link(line, quiet, self._byte, clock)
        try:
            return self._greet(self._link.sync(self._ask))
        except Lost as problem:
            self.close()
            raise RegisterGone(problem.reason, problem.code, "address") from problem
        except RegisterGone:
            self.close()
            raise

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = self._link = self._identity = None

    def _transport(self) -> Transport:
        address = self.config["address"].strip()
        if address.startswith("memory://"):
            name = address.removeprefix("memory://")
            return LoopbackTransport(loopback.device(name, lambda: self._in_memory(name)), name, real_time=True)
        return transports.transport(address or self._managed())

    def _in_memory(self, name: str) -> Device:
        return Device(Engine(None, self._registration(name), ofd_delay=self.config["ofd_delay"], keep_open=False,
                             seconds_per_receipt=self.config["seconds_per_receipt"]))

    def _registration(self, name: str) -> dict[str, Any]:
        place = {"any": None, "internet": True, "counter": False}[self.config["internet"]]
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % 10**10
        return {"serial": f"EMU{number:010d}", "inn": self.config["inn"], "tax_systems": self.config["tax_systems"],
                "ffd": self.config["ffd"], "settlement_place": self.config["settlement_place"], "internet": place,
                "country": "KZ" if self.context.currency == "KZT" else "RU", "currency": self.context.currency,
                "zone": self.context.zone}

    def _managed(self) -> str:
        journal = str(Path(self.context.data_dir) / "emulator.jsonl")
        place = self.config["internet"]
        arguments = [f"--{name.replace('_', '-')}={value}"
                     for name, value in self._registration(self.context.public_id).items()
                     if name not in ("internet", "currency")]
        arguments += [f"--internet={place}", f"--ofd-delay={self.config['ofd_delay']}",
                      f"--seconds-per-receipt={self.config['seconds_per_receipt']}"]
        try:
            return managed.address(journal, arguments)
        except managed.NotStarted as problem:
            if problem.code == "in_use":
                raise RegisterGone(Text(
                    "Another process of the hub runs this emulator. Wait until it lets go of it.",
                    "Этот эмулятор уже запущен другим процессом хаба. Подождите, пока тот его отпустит."),
                    "in_use") from problem
            raise RegisterGone(Text("The emulator does not start: {why}", "Эмулятор не запускается: {why}",
                                    params={"why": str(problem)}), "failed") from problem

    def _greet(self, answer: Answer) -> Identity:
        """Takes the identity in; another register than before on this connection is not ours to talk to."""
        try:
            identity = words.identity(answer)
            currency = answer["currency"]
        except KeyError as problem:
            raise RegisterGone(Text("What answers there is no emulated register.",
                                    "По этому адресу отвечает не эмулятор кассы."), "alien", "address") from problem
        if self._identity and (identity.serial, identity.storage_number) != (self._identity.serial,
                                                                             self._identity.storage_number):
            raise RegisterGone(Text(
                "Another register or another fiscal storage answers than at first. The hub connects anew.",
                "Отвечает другая касса или другой накопитель, чем вначале. Хаб подключится заново."), "changed")
        self._identity, self._currency = identity, currency
        return identity

    @classmethod
    def probe(cls, transport: Transport) -> Identity | None:
        """ENQ, and ``hello`` only to who answers it as a register at rest does. To another maker's register, which may
        answer ENQ in the same way, ``hello`` is a frame with a wrong check sum or an unknown command 00."""
        link = Link(transport, 0.03, PROBE)
        try:
            if not link.knock():
                return None
            return words.identity(link.exchange({"c": "hello"}, PROBE))
        except (Lost, KeyError):
            return None

    @classmethod
    def masked(cls, data: bytes, sent: bool) -> bytes:
        return masking.masked(data)

    # -- asking --------------------------------------------------------------------------------------------------

    def _ready(self, limit: float, guard: Guard | None = None) -> Link:
        """The link, at rest: whoever gets it knows that no earlier command is still at work."""
        if self._link is None:
            raise RegisterGone(Text("The register is not connected.", "Касса не подключена."), "closed")
        if self._link.dirty:
            try:
                self._greet(self._link.sync(limit, (guard or NoGuard()).progress))
            except Lost as problem:
                raise RegisterGone(problem.reason, problem.code) from problem
        return self._link

    def _query(self, command: str, **fields: Any) -> Answer:
        """A command that changes nothing: repeated once after the line was brought to rest."""
        for attempt in (1, 2):
            link = self._ready(self._ask)
            try:
                answer = link.exchange({"c": command, **fields}, self._ask)
            except Lost as problem:
                if attempt == 2:
                    raise RegisterGone(problem.reason, problem.code) from problem
                continue
            if "e" not in answer:
                return answer
            if answer["e"] != errors.NO_SESSION:
                break
        refusal = errors.meaning(answer["e"], answer.get("p", {}))
        raise RegisterGone(refusal.text, errors.vendor_code(answer["e"]))

    def _change(self, body: dict[str, Any], guard: Guard) -> Answer | Ended:
        """One command that changes the register, sent once. The line must be at rest."""
        assert self._link is not None
        timeout = self._wait if body["c"] in PRINTING else self.config["answer_seconds"]
        guard.check(timeout + self._byte)
        try:
            answer = self._link.exchange(body, timeout, guard.progress)
        except ValueError:  # nothing was sent
            return Refused(Text("The receipt is too long for the register. Split the order.",
                                "Чек слишком длинный для кассы. Разделите заказ."))
        except Lost as problem:
            return Uncertain(problem.reason, problem.code)
        if "e" not in answer:
            return answer
        code = answer["e"]
        known = errors.meaning(code, answer.get("p", {}))
        if code in (errors.BUSY, errors.NO_SESSION):
            return Unavailable(known.text, errors.vendor_code(code))
        return Refused(known.text, known.retry, errors.vendor_code(code))

    def _awake(self, guard: Guard) -> None:
        """Proves that the register answers, before the first byte that changes something."""
        link = self._ready(self._ask, guard)
        if not link.knock():
            self._ready(self._ask, guard)

    # -- reading -------------------------------------------------------------------------------------------------

    def status(self) -> Status:
        return words.status(self._query("state"))

    def bookmark(self) -> Bookmark:
        answer = self._query("last")
        known = self._identity
        if known is None or (answer["serial"], answer["fn"]) != (known.serial, known.storage_number):
            raise RegisterGone(Text(
                "The register has another fiscal storage than when the hub connected. The hub connects anew.",
                "В кассе не тот фискальный накопитель, что при подключении. Хаб подключится заново."), "changed")
        return Bookmark(answer["fn"], answer["n"], answer["shift"])

    def find(self, bookmark: Bookmark) -> Found:
        self._ready(self._wait)
        answer = self._query("last")
        known = self._identity
        assert known is not None
        entries: list[Answer] = []
        if answer["fn"] != bookmark.storage_number or answer["serial"] != known.serial:
            return words.found(answer["fn"], [], False, known, self._currency)
        number, last = bookmark.document_number, int(answer["n"])
        # A storage that ends before the bookmark is not the one that the bookmark was taken from.
        complete = last >= number
        while number < last:
            try:
                answer = self._query("read", **{"from": number + 1, "to": min(last, number + BATCH)})
            except RegisterGone:
                if not entries:
                    raise
                complete = False
                break
            batch = answer["documents"]
            expected = list(range(number + 1, number + 1 + len(batch)))
            if not batch or answer["fn"] != bookmark.storage_number or [one["n"] for one in batch] != expected:
                complete = False
                break
            entries += batch
            number, last = batch[-1]["n"], int(answer["n"])
        return words.found(bookmark.storage_number, entries, complete, known, self._currency)

    # -- changing ------------------------------------------------------------------------------------------------

    def settle(self, guard: Guard) -> Status:
        limit = self.capabilities.longest_command + self._ask
        if self._link is not None:
            self._link.dirty = True  # late bytes may have come since the last answer
        self._ready(limit, guard)
        for _ in range(BUSY_LOOKS):
            answer = self._query("state")
            if answer["rest"] or (answer["interrupted"] and not answer["paper"]):
                break
            if answer["interrupted"]:
                self._change({"c": "proceed"}, guard)
                self._ready(limit, guard)
            else:
                self._pause(BUSY_PAUSE)
                guard.progress()
        return words.status(answer)

    def fiscalise(self, job: Job, guard: Guard) -> Outcome:
        receipt = job.receipt
        if receipt.currency != self._currency:
            return Refused(Text("The register counts in {has}, the receipt in {wants}. Choose another register.",
                                "Касса считает в {has}, а чек в {wants}. Выберите другую кассу.",
                                params={"has": self._currency, "wants": receipt.currency}))
        self._awake(guard)
        begun = self._change(words.begin(receipt, self._owner), guard)
        if not isinstance(begun, dict):
            return begun
        wrong = words.refused_mark(begun, receipt) if "marks" in begun else None
        if wrong is not None:
            self._drop(guard)
            return Refused(wrong, vendor_code="M-")
        ended = self._finish(words.finish(receipt), guard)
        if isinstance(ended, dict):
            return words.record(ended, self._currency)
        if not isinstance(ended, Uncertain):
            self._drop(guard)
        return ended

    def _finish(self, body: dict[str, Any], guard: Guard) -> Answer | Ended:
        """The write. A register that is busy has not executed it and takes the same command a moment later."""
        for _ in range(BUSY_LOOKS):
            ended = self._change(body, guard)
            if not (isinstance(ended, Unavailable) and ended.vendor_code == errors.vendor_code(errors.BUSY)):
                break
            self._pause(BUSY_PAUSE)
        return ended

    def _drop(self, guard: Guard) -> None:
        """Cancels what we began. Whether that works or not, it was not written: nobody but us finishes it."""
        try:
            if self._link is not None and not self._link.dirty:
                self._change({"c": "cancel"}, guard)
        except LeaseLost:
            pass

    def cancel_document(self, guard: Guard) -> bool:
        document = self._query("state")["document"]
        if document is None:
            return True
        if document["owner"] != self._owner:
            return False
        self._awake(guard)
        self._change({"c": "cancel"}, guard)
        return self._query("state")["document"] is None

    def open_shift(self, cashier: Cashier, guard: Guard) -> Ended | None:
        self._awake(guard)
        opened = self._change(words.cashier("shift_open", cashier), guard)
        if isinstance(opened, dict):
            return None
        is_open = isinstance(opened, Refused) and opened.vendor_code == errors.vendor_code(errors.SHIFT_IS_OPEN)
        return None if is_open else opened

    def close_shift(self, cashier: Cashier, guard: Guard) -> ShiftReport | Ended:
        self._awake(guard)
        closed = self._change(words.cashier("shift_close", cashier), guard)
        return words.report(closed, self._currency) if isinstance(closed, dict) else closed

    def x_report(self, guard: Guard) -> ShiftReport | Ended:
        self._awake(guard)
        report = self._change({"c": "x_report"}, guard)
        return words.report(report, self._currency) if isinstance(report, dict) else report

    def drawer(self) -> Money:
        return Money(self._query("state")["drawer"], self._currency)

    def cash_move(self, amount: Money, cashier: Cashier, guard: Guard) -> Ended | None:
        if amount.currency != self._currency or not amount:
            return Refused(Text("Give an amount in {has}.", "Укажите сумму в валюте {has}.",
                                params={"has": self._currency}))
        self._awake(guard)
        moved = self._change({**words.cashier("cash", cashier), "amount": amount.amount}, guard)
        return None if isinstance(moved, dict) else moved
