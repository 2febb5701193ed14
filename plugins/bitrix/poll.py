"""The hub in the place of the abandoned application: it polls the site, prints what it hands out and tells the result
(bitrix-site §2). The core makes the calls (hub.contracts.exchange); here is what is said and what an answer means.

A check is printed once because its source key is the same at every hand-out; a result is told until the site
acknowledges it, and given up, with a sentence for the owner, when it cannot be acknowledged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from hub_plugins.bitrix import poll_wire
from hub_plugins.bitrix.book import Book, What
from hub_plugins.bitrix.poll_orders import order_of
from hub_plugins.bitrix.poll_settings import address_problem, numbers_of, polls
from hub_plugins.bitrix.poll_state import Dead, Out, State
from hub_plugins.bitrix.poll_wire import CHECK, REPORT, Name, Till
from hub_plugins.bitrix.poll_words import (
    GIVEN_UP,
    NO_CHECK,
    NO_REGISTERS,
    RESET,
    SUPERSEDED,
    UNREADABLE,
    Z_ASKED,
)
from hub_plugins.bitrix.wire import CheckId

from hub.contracts import (
    Call,
    Event,
    Exchanged,
    NeedsAttention,
    NoOrder,
    ReceiptView,
    Reply,
    Report,
    SourceContext,
    TryLater,
)
from hub.fiscal import Order, Text

PRINT, NOTE = "poll-print", "poll-note"
ENDED = ("invalid", "refused", "cancelled")
PRINTED = ("recorded", "confirmed")
#: A result that the site did not acknowledge so many times belongs to a check that it cannot store any more (§6.3).
MOST_TELLINGS = 4
#: Seconds until the next poll after a hand-out: a result may be ready before; after nothing but repeats (§2.6).
FOR_RESULTS, AFTER_REPEATS = 3.0, 10.0
#: A result that broke a working site's poll so often, alone, is told without its QR data, then not at all.
WITHOUT_QR, GIVE_UP = 1, 2


@dataclass(frozen=True)
class _Result:
    """One result to tell; ``delivery`` is empty for one that was told before."""

    name: str
    uuid: str
    zn: str
    view: ReceiptView
    delivery: str
    attempt: int


@dataclass
class Said:
    """What a call said, for its answer. ``hopeless``: deliveries that have no check to go to, and why; ``z``: Z-reports
    answered -> the register under which they were; ``probe``: results were held back; ``anew``: dead checks that a
    person wants told again."""

    results: dict[str, _Result] = field(default_factory=dict)
    hopeless: dict[str, Text] = field(default_factory=dict)
    z: dict[str, str] = field(default_factory=dict)
    anew: list[str] = field(default_factory=list)
    probe: bool = False


class Polling:
    """One site by way of the poll protocol."""

    def __init__(self, config: Mapping[str, Any], context: SourceContext) -> None:
        self.config, self.context = config, context

    @property
    def exchanging(self) -> bool:
        """Whether these settings hold a conversation: by this way, with an address."""
        return polls(self.config) and bool(self.config.get("poll_url"))

    @property
    def url(self) -> str:
        return str(self.config.get("poll_url") or "").strip()

    @property
    def version(self) -> str:
        return str(self.config.get("poll_version") or "1")

    # -- what we say ---------------------------------------------------------------------------------------------

    def next_call(self, stored: str, reports: tuple[Report, ...]) -> Call:
        """The next poll with every result that waits. Raises NeedsAttention when it must not be made."""
        state = State.read(stored)
        problem = address_problem(self.url)
        if problem is not None:
            raise NeedsAttention(problem, field="poll_url")
        if state.version != self.version and self.version != "1" and not self.config.get("poll_reset"):
            # Also before the very first poll: whether the site has a register of another version nobody can ask.
            raise NeedsAttention(RESET, field="poll_reset")
        tills = self.tills()
        said = Said(probe=state.doubt.probing)
        deliveries = () if said.probe else self._results(state, reports, tills, said)
        return Call(self.url, poll_wire.body(tills.values(), state.sums_of, self.context.currency, self.version),
                    headers={"Content-Type": "application/json; charset=utf-8"},
                    timeout=float(self.config.get("poll_seconds") or 90), deliveries=deliveries, note=said)

    def tills(self) -> dict[str, Till]:
        """The registers by the numbers that the site knows (§2.2). Ready or not is the truth: a site that hears
        "ok" from a hub without registers would hand out checks that nobody prints."""
        known = {one.serial: one for one in self.context.registers() if one.serial}
        ready = any(one.ready for one in known.values())
        status = "ok" if ready else "no register"
        named = numbers_of(str(self.config.get("poll_registers") or ""))
        if named:
            spare = next((one.storage_number for one in known.values() if one.storage_number), "")
            return {number: Till(number, storage or (known[number].storage_number if number in known else spare),
                                 status) for number, storage in named.items()}
        if not known:
            raise NeedsAttention(NO_REGISTERS, field="poll_registers")
        return {number: Till(number, one.storage_number, status) for number, one in known.items()}

    def _results(self, state: State, reports: tuple[Report, ...], tills: dict[str, Till],
                 said: Said) -> tuple[str, ...]:
        """Puts results into the registers' ``printed``; the deliveries that travel or have no way to go."""
        candidates: list[_Result] = []
        for report in reports:
            name, uuid, number = self._named(state, report.receipt)
            if not name:
                said.hopeless[report.delivery] = _no_name(report.receipt.key)
            elif name in state.dead and _wanted(state.dead[name], report):
                said.anew.append(name)
                candidates.append(_Result(name, uuid, number, report.receipt, report.delivery, report.attempt))
            elif name in state.dead:
                said.hopeless[report.delivery] = _why(state.dead[name].why, name)
            else:
                candidates.append(_Result(name, uuid, number, report.receipt, report.delivery, report.attempt))
        for name, out in state.out.items():
            if out.again and (view := self.context.receipt(out.key)) is not None:
                candidates.append(_Result(name, out.uuid, out.zn, view, "", out.tries + 1))
        doubt = state.doubt
        candidates.sort(key=lambda one: doubt.strikes.get(one.name, 0))
        for one in candidates:
            if one.name in said.results or (doubt.alone and said.results):
                continue
            entry = poll_wire.result(one.uuid, one.view, without_qr=doubt.strikes.get(one.name, 0) >= WITHOUT_QR)
            if entry is not None:
                till = _till(tills, one.zn)
                said.results[one.name] = replace(one, zn=till.number)
                till.printed.append(entry)
        if not (doubt.alone and said.results):
            for uuid, number in state.z.items():
                till = _till(tills, number)
                said.z[_id(uuid)] = till.number
                till.printed.append(poll_wire.z_result(uuid, state.sums_of(till.number), self.context.currency))
        return (*(one.delivery for one in said.results.values() if one.delivery), *said.hopeless)

    def _named(self, state: State, view: ReceiptView) -> tuple[str, str, str]:
        """(name, uuid, register) under which the site knows a receipt; empty when it is no check of the site, or its
        number is another check's by now."""
        name = state.of_key(view.key)
        if name:
            return name, state.out[name].uuid, state.out[name].zn
        check = CheckId.of_key(view.key)
        if check is None or f"{CHECK}|{check.number}" in state.out:
            return "", "", ""
        host = state.host or urlsplit(self.url).hostname or "hub"
        return f"{CHECK}|{check.number}", f"{CHECK}|{host}|{check.number}", str(view.origin.get("zn") or "")

    # -- what the answer means -----------------------------------------------------------------------------------

    def called(self, stored: str, call: Call, reply: Reply) -> Exchanged:
        """Reads an answer. Raises NeedsAttention or TryLater when there is nothing in it to keep."""
        state = State.read(stored)
        said: Said = call.note if isinstance(call.note, Said) else Said()
        turn = _Turn(self, state, said)
        if reply.status == 500 and (said.results or said.z):
            turn.asked_anew()
            return self._lost(state, said, reply)
        try:
            answer = poll_wire.handed(poll_wire.good(reply))
        except poll_wire.NotJson as problem:
            raise TryLater(poll_wire.NOT_JSON.with_(status=reply.status)) from problem
        turn.asked_anew()
        turn.probed()
        turn.acknowledged(answer.acknowledged)
        for receipt in answer.receipts:
            turn.handed_out(receipt)
        for asked in answer.reports:
            turn.z_asked(asked)
        state.version = self.version
        return turn.end(bool(answer.acknowledged))

    def _lost(self, state: State, said: Said, reply: Reply) -> Exchanged:
        """HTTP 500 on a poll with results: one bad value loses them all (§2.2). The next poll goes without any; if
        that one passes, results go alone until the bad one is known. 502 to 504 say nothing of a result: the web
        server did not reach the site's code."""
        doubt = state.doubt
        doubt.probing = True
        doubt.blamed = next(iter(said.results)) if len(said.results) == 1 and not said.z else ""
        return Exchanged(state.write(), trouble=poll_wire.NOT_JSON.with_(status=reply.status))

    # -- events --------------------------------------------------------------------------------------------------

    def fetch(self, event: Event) -> Order | NoOrder:
        """The order of a handed-out check, or the note that an answer left for the owner."""
        if event.kind == NOTE:
            return NoOrder(Text.from_json(dict(event.data["words"])))
        day = self.context.now().astimezone(ZoneInfo(self.context.zone)).date()
        return order_of(event.data, self.config, self.context.currency, day)


class _Turn:
    """One answer being worked on."""

    def __init__(self, polling: Polling, state: State, said: Said) -> None:
        self.context, self.state, self.said = polling.context, state, said
        self.events: list[Event] = []
        self.told: list[str] = []
        self.lost: list[tuple[str, Text]] = []
        self.fresh = self.handed = False

    def note(self, subject: str, words: Text) -> None:
        """A line among the source's events, for the owner."""
        self.events.append(Event(subject, NOTE, {"words": words.to_json()}))

    def give_up(self, name: str, why: What, mark: str = "", key: str = "", decided: int = 0) -> Text:
        """No result goes to that check any more: said among the events and on the source's page, and returned."""
        self.state.bury(name, why, mark, key, decided)
        reason = _why(why, name)
        self.note(name.replace("|", ":"), reason)
        Book(self.context).note(why, name.replace("|", ":"), number=name.partition("|")[2], way="poll")
        return reason

    def asked_anew(self) -> None:
        """What a person wanted told again went with this call."""
        for name in self.said.anew:
            self.revive(name)

    def revive(self, name: str) -> None:
        """What was given up counts no more, and what the source's page says of it is over."""
        self.state.dead.pop(name, None)
        for why in GIVEN_UP:
            Book(self.context).drop(why, name.replace("|", ":"))

    # -- results -------------------------------------------------------------------------------------------------

    def probed(self) -> None:
        """A poll without results passed: then it was a result that broke the one before."""
        doubt = self.state.doubt
        if not doubt.probing:
            return
        doubt.probing, doubt.alone = False, True
        if doubt.blamed:
            doubt.strikes[doubt.blamed] = doubt.strikes.get(doubt.blamed, 0) + 1
            if doubt.strikes[doubt.blamed] >= GIVE_UP:
                self.give_up(doubt.blamed, "breaks")
            doubt.blamed = ""

    def acknowledged(self, names: frozenset[str]) -> None:
        """What the site has stored is told; the rest is told again, or given up."""
        state = self.state
        for name, one in self.said.results.items():
            if name in names:
                self._stored(one)
            elif one.attempt >= MOST_TELLINGS:
                self._gone(one)
            elif name in state.out and not one.delivery:
                state.out[name].tries += 1
        for name, number in self.said.z.items():
            if name in names:
                state.z = {uuid: zn for uuid, zn in state.z.items() if _id(uuid) != name}
                state.sums_of(number).close()
        self.lost.extend(self.said.hopeless.items())
        if state.doubt.alone and not self.said.results and not self.said.probe:
            state.doubt.alone = False
            state.doubt.strikes.clear()

    def _stored(self, one: _Result) -> None:
        state = self.state
        if one.delivery:
            self.told.append(one.delivery)
            if one.view.record is not None and one.view.state in PRINTED:
                cash = one.view.origin.get("cash")
                state.sums_of(one.zn).add(one.view.record, cash if isinstance(cash, int) else 0)
        state.out.pop(one.name, None)
        state.doubt.strikes.pop(one.name, None)

    def _gone(self, one: _Result) -> None:
        """The site took the poll and did not take this: it cannot store it any more (§6.3)."""
        key = "" if one.name in self.state.out else one.view.key
        reason = self.give_up(one.name, "gone", key, key)
        if one.delivery:
            self.lost.append((one.delivery, reason))

    # -- work ----------------------------------------------------------------------------------------------------

    def handed_out(self, receipt: dict[str, Any]) -> None:
        """A check to print: new, or the repeat of one we have (§2.6)."""
        self.handed = True
        name, raw = poll_wire.name_of(receipt)
        if name is None or name.kind != CHECK:
            self.note("check:?", UNREADABLE.with_(words=raw[:100] or "—"))
            return
        self.state.handed = True
        self.state.host = poll_wire.host_of(raw, self.state.host)
        keys = poll_wire.keys(name, receipt)
        empty = not receipt.get("items") and not receipt.get("payments")
        dead = self.state.dead.get(name.id)
        if dead is not None:
            if empty:
                return
            if dead.why == "other" and dead.key:
                self._contradicted(name, raw, receipt, keys[0], dead)
                return
            if dead.mark == keys[0]:
                return
            self.revive(name.id)  # the same number, another check: the site came back from a backup
        known = self.state.out.get(name.id)
        if known is not None:
            view: ReceiptView | None = self.context.receipt(known.key)
            known.uuid, known.zn = raw, str(receipt.get("zn") or known.zn)
        else:
            view = next((found for found in map(self.context.receipt, keys) if found is not None), None)
        if known is not None and empty and view is None:
            return  # its order was deleted since; what was handed out before is on its way (§6.3)
        self._work(name, raw, receipt, keys, known, view)

    def _work(self, name: Name, raw: str, receipt: dict[str, Any], keys: tuple[str, ...], known: Out | None,
              view: ReceiptView | None) -> None:
        """A check whose result the site has not stored stays that check, whatever its order says by now: the site
        builds it anew at each hand-out (§6.3). One whose result it has stored is never handed out again, so another
        sum under that number is another check: the site came back from a backup (§2.6)."""
        key = known.key if known is not None else view.key if view is not None else keys[0]
        other = self._other(view, known, receipt)
        if other and view is not None and view.state not in ("invalid", "refused"):
            self._event(name, key, receipt)  # the core keeps both for a person to see
            self.give_up(name.id, "other", keys[0], key, view.decided)
            return
        out = self.state.out[name.id] = known or Out(raw, key, keys[0], str(receipt.get("zn") or ""))
        out.content = out.content if known is not None and not other else poll_wire.content(receipt)
        if view is None or (view.state in ("invalid", "refused") and (known is None or other)):
            self._event(name, key, receipt)
        elif view.state in PRINTED or view.state in ENDED:
            out.again = True  # it has its end: the site hears it once more and prints nothing

    @staticmethod
    def _other(view: ReceiptView | None, known: Out | None, receipt: Mapping[str, Any]) -> bool:
        """Whether the receipt under this key was made of other contents. One that came the REST way has no fingerprint
        of this form; its key has said more about it than this one's. An empty repeat is the same check, its order
        deleted since (§6.3); another register's number is one that the site has moved (§2.6)."""
        if not receipt.get("items") and not receipt.get("payments"):
            return False
        if known is not None and known.content:
            return known.content != poll_wire.content(receipt)
        printed = view.origin.get("print") if view is not None else None
        moved = {**receipt, "zn": view.origin.get("zn") if view is not None else ""}
        return bool(printed) and printed not in (poll_wire.digest(receipt), poll_wire.digest(moved))

    def _contradicted(self, name: Name, raw: str, receipt: dict[str, Any], mark: str, dead: Dead) -> None:
        """A check whose contents are not the receipt's: it waits until a person has said what it is. The same payment:
        the site hears the receipt's result. Another one: it has a receipt of its own by now, and hears that one's."""
        view = self.context.receipt(dead.key)
        if view is None or view.disputed or view.decided <= dead.decided:
            if dead.mark != mark:
                dead.mark = mark
                self._event(name, dead.key, receipt)
            return
        self.revive(name.id)
        self.state.out[name.id] = Out(raw, dead.key, mark, str(receipt.get("zn") or ""), poll_wire.content(receipt),
                                      again=view.state in PRINTED or view.state in ENDED)

    def _event(self, name: Name, key: str, receipt: dict[str, Any]) -> None:
        """``again``: a check that comes back after its refusal was acknowledged may be tried anew (§2.6)."""
        self.fresh = True
        self.events.append(Event(key, PRINT, {
            "key": key, "number": name.number, "zn": str(receipt.get("zn") or ""),
            "receipt": poll_wire.bare(receipt)}, again=True))

    def z_asked(self, asked: Mapping[str, Any]) -> None:
        """A Z-report; left unanswered for twelve hours it stops the checks behind it (§2.8)."""
        raw = str(asked.get("uuid") or "")
        name = Name.of(raw)
        if name is None or name.kind != REPORT:
            self.note("report:?", UNREADABLE.with_(words=raw[:100] or "—"))
            return
        if name.id not in map(_id, self.state.z):
            self.note(f"{REPORT}:{name.number}", Z_ASKED)
        self.state.z = {uuid: number for uuid, number in self.state.z.items() if _id(uuid) != name.id}
        self.state.z[raw] = str(asked.get("zn") or "")

    def end(self, stored: bool) -> Exchanged:
        """All of it, and when to call again."""
        waiting = bool(self.state.z) or any(one.again for one in self.state.out.values())
        if stored or waiting or self.said.probe or self.state.doubt.alone or not self.handed:
            after = 0.0
        else:
            after = FOR_RESULTS if self.fresh else AFTER_REPEATS
        return Exchanged(self.state.write(), tuple(self.events), tuple(self.told), tuple(self.lost), after)


def _id(uuid: str) -> str:
    name = Name.of(uuid)
    return name.id if name is not None else ""


def _why(kind: str, name: str) -> Text:
    """Why a result has no way to the site, for the owner."""
    words = GIVEN_UP.get(kind, NO_CHECK)
    return words.with_(number=name.partition("|")[2])


def _wanted(dead: Dead, report: Report) -> bool:
    """Whether a result that was given up is to be told all the same: a first attempt at it is a person's wish. Not
    when other contents stand under that number, unless they are the receipt's, and not by a receipt that the number
    does not belong to."""
    if dead.why == "other":
        return report.receipt.generation > 1 and dead.key == report.receipt.key
    return report.attempt == 1 and dead.key in ("", report.receipt.key)


def _no_name(key: str) -> Text:
    """Why a receipt has no check on the site to be told to."""
    check = CheckId.of_key(key)
    return NO_CHECK if check is None else SUPERSEDED.with_(number=check.number)


def _till(tills: dict[str, Till], number: str) -> Till:
    """The register of a result; the first one for a register that is no longer there: the site only looks at the
    check's number (§2.2)."""
    return tills.get(number) or next(iter(tills.values()))
