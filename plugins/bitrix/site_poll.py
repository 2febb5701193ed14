"""The site's side of the poll protocol as the unmodified core behaves (bitrix-site §2): hash, handshake, hand-out,
repeats, acknowledgements, Z-reports, long poll. A :class:`Desk` is one site; ``BitrixSite`` has one, and
:class:`PollSites` is a process with as many as wanted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from hub_plugins.bitrix.poll_wire import FATAL
from hub_plugins.bitrix.simulated_checks import CASES, Case, content, item
from hub_plugins.bitrix.simulated_site import OLD_TYPES
from hub_plugins.bitrix.site_poll_forms import NEW_VAT, handed_out, php_json

from hub.contracts import Answer, Request
from hub.testing.simulator import HttpSimulator

PATH = "/bitrix/tools/sale_check_print.php"
#: Checks in one answer; warnings before one becomes an error (§2.6, §2.7).
WINDOW, MOST_WARNINGS = 5, 3
BROKEN_PAGE = b"<pre>[Bitrix\\Main\\ObjectException] \n Incorrect date/time\n</pre>"
_MOSCOW = ZoneInfo("Europe/Moscow")
_TIME = re.compile(r"[0-9]{8}T[0-9]{4}([0-9]{2})?")
_LINK = {"fn": "fn_number", "i": "fiscal_doc_number", "fp": "fiscal_doc_attribute"}


#: The same checks as by REST, and one that only these recordings have.
POLLED = {**CASES, "vat22": Case("sell", [item("Товар 22", "122", "4", "22")], "122", "full_payment")}


class PhpError(Exception):
    """The page dies with an exception: HTTP 500, HTML, nothing of the request is kept."""


@dataclass
class PollRow:
    """A row of b_sale_cashbox_check. ``handed`` counts hand-outs, ``started`` is set once (§2.6)."""

    number: int
    content: dict[str, Any]
    zn: str = ""
    status: str = "N"
    started: float = 0.0
    handed: int = 0
    warnings: int = 0
    link: dict[str, Any] | None = None
    error: str | None = None
    gone: bool = False

    def view(self) -> dict[str, Any]:
        """As tests and the demo read it."""
        return {"ID": self.number, "TYPE": self.content.get("type"), "STATUS": self.status, "LINK_PARAMS": self.link,
                "ERROR_MESSAGE": self.error, "SUM": self.content.get("total_sum"), "handed": self.handed,
                "zn": self.zn, "order_gone": self.gone, "warnings": self.warnings}


@dataclass
class Report:
    """A row of b_sale_cashbox_z_report that was asked for."""

    number: int
    zn: str
    asked: float = 0.0
    handed: int = 0
    result: dict[str, Any] | None = None
    status: str = "P"

    def view(self) -> dict[str, Any]:
        return {"ID": self.number, "zn": self.zn, "STATUS": self.status, "handed": self.handed, "result": self.result}


class Desk:
    """One site. ``wait`` seconds is its long poll, ``repeat`` the age at which an unacknowledged check comes again,
    ``z_repeat`` the same for a Z-report, ``clock`` seconds by which its clock is wrong."""

    def __init__(self, host: str = "shop.example", secret: str = "", wait: float = 60.0, repeat: float = 240.0,
                 first: int = 841, clock: float = 0.0) -> None:
        self.host, self.wait, self.repeat, self.next, self.clock = host, wait, repeat, first, clock
        self.z_repeat = 300.0
        self.hash = secret or hashlib.md5(host.encode()).hexdigest()
        self.active, self.old_prices = True, False
        self.registers: dict[str, dict[str, Any]] = {}
        self.checks: dict[int, PollRow] = {}
        self.reports: dict[int, Report] = {}
        self.polls = self.waiting = self.most_waiting = 0
        self.acknowledged: list[str] = []
        self._changed = threading.Condition()

    # -- what people do ------------------------------------------------------------------------------------------

    def do(self, action: str, **params: Any) -> Any:
        """An act on the site."""
        with self._changed:
            result = getattr(self, f"_do_{action}")(**params)
            self._changed.notify_all()
        return result

    def _do_register(self, zn: str, active: bool = True, version: str = "",
                     vat: Mapping[str, str] | None = None) -> Any:
        """An administrator sets up a register: made by hand, or the inactive one of the handshake."""
        row = self.registers.setdefault(zn, self._new(zn, "", "3"))
        row.update(active=active, version=version or row["version"])
        if vat is not None:
            row["vat"] = dict(vat)
        return row

    def _do_check(self, case: str = "sell-card-delivery", fields: Mapping[str, Any] | None = None, zn: str = "",
                  number: int | None = None) -> Any:
        """A check is made; with only V1 registers most types are refused (§2.5)."""
        whole = {**content(POLLED[case]), **(fields or {})}
        given = {name: value for name, value in whole.items() if value is not None}
        versions = {row["version"] for row in self.registers.values() if row["active"]}
        if versions == {"1"} and given["type"] not in OLD_TYPES:
            raise LookupError(f"the shop has no check of type {given['type']}: a register lacks FFD 1.05")
        number = number or self.next
        self.next = max(self.next, number) + 1
        row = self.checks[number] = PollRow(number, given, zn)
        return row.view()

    def _do_delete_order(self, number: int) -> Any:
        """The order behind a check is deleted; the check's row survives (§6.3)."""
        self.checks[number].gone = True
        return self.checks[number].view()

    def _do_restore(self, number: int) -> Any:
        """The site comes back from a backup: this id and all later ones are free again."""
        for one in [one for one in self.checks if one >= number]:
            del self.checks[one]
        self.next = number
        return self.next

    def _do_forget_result(self, number: int) -> Any:
        """The backup was older than the result: the check is being printed again, as far as the site knows."""
        row = self.checks[number]
        row.status, row.link, row.error, row.started, row.warnings = "P", None, None, 1.0, 0
        return row.view()

    def _do_z(self, zn: str) -> Any:
        """A Z-report is due."""
        number = max(self.reports, default=76) + 1
        self.reports[number] = Report(number, zn)
        return self.reports[number].view()

    def _do_set(self, **values: Any) -> Any:
        """wait, repeat, z_repeat, clock, active (of the hash), host, old_prices (a site of 19-21)."""
        for name, value in values.items():
            if name not in ("wait", "repeat", "z_repeat", "clock", "active", "host", "old_prices"):
                raise LookupError(name)
            setattr(self, name, value)
        return values

    def state(self) -> Any:
        """What the site knows."""
        with self._changed:
            return {"hash": self.hash, "registers": list(self.registers.values()), "polls": self.polls,
                    "checks": [self.checks[one].view() for one in sorted(self.checks)],
                    "reports": [self.reports[one].view() for one in sorted(self.reports)],
                    "acknowledged": list(self.acknowledged), "waiting": self.waiting,
                    "most_waiting": self.most_waiting}

    # -- the page ------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """By the site's clock."""
        return datetime.now(UTC).astimezone(_MOSCOW) + timedelta(seconds=self.clock)

    def answer(self, request: Request) -> Answer:
        """One poll, up to ``wait`` seconds."""
        if not self.active or parse_qs(request.query).get("hash") != [self.hash]:
            return Answer(403, b"", "text/html; charset=UTF-8")
        try:
            tree = json.loads(request.body) if request.body else None
        except ValueError:
            return Answer(500, b"<pre>[Bitrix\\Main\\ArgumentException] \n</pre>", "text/html; charset=UTF-8")
        kkm = tree.get("kkm") if isinstance(tree, dict) else None
        kkm = [one for one in kkm if isinstance(one, dict)] if isinstance(kkm, list) else []
        version = str(tree.get("api_version") or "1") if isinstance(tree, dict) else "1"
        try:
            return Answer(200, php_json(self._work(kkm, version)), "application/json")
        except PhpError:
            return Answer(500, BROKEN_PAGE, "text/html; charset=UTF-8")

    def _work(self, kkm: list[dict[str, Any]], version: str) -> Any:
        with self._changed:
            self.polls += 1
            self.waiting += 1
            self.most_waiting = max(self.most_waiting, self.waiting)
            try:
                return self._locked(kkm, version)
            finally:
                self.waiting -= 1

    def _locked(self, kkm: list[dict[str, Any]], version: str) -> Any:
        entries = [one for till in kkm for one in (till.get("printed") or ()) if isinstance(one, dict)]
        links = [self._link(one) for one in entries]  # one bad time, and nothing of the poll is kept
        acknowledged = [one["uuid"] for one, link in zip(entries, links, strict=True) if self._processed(one, link)]
        if acknowledged:
            self.acknowledged += acknowledged
            return {"ack": acknowledged}
        maps = {zn: (row["version"], row["vat"]) for zn, row in self.registers.items()}
        ready = [str(till["zn"]) for till in kkm if till.get("zn") and self._greet(till, version)]
        deadline = time.monotonic() + self.wait
        reports = True
        while True:
            found = self._collect(ready, maps, reports) if ready else {}
            if found:
                return found
            reports, left = False, deadline - time.monotonic()
            if left <= 0:
                return {}
            made = set(self.checks)
            self._changed.wait_for(lambda: set(self.checks) - made, left)  # noqa: B023 - used before the next turn

    def _new(self, zn: str, fn: str, version: str) -> dict[str, Any]:
        return {"zn": zn, "fn": fn, "active": False, "enabled": True, "version": version, "vat": dict(NEW_VAT),
                "alerts": 0, "rewritten": 0}

    def _greet(self, till: Mapping[str, Any], version: str) -> bool:
        """The handshake (§2.3); whether this register gets work now."""
        zn = str(till["zn"])
        row = self.registers.get(zn)
        if row is None:
            self.registers[zn] = {**self._new(zn, str(till.get("fn", "")), version if version in "23" else "1"),
                                  "cash": till.get("cache"), "income": till.get("reg_income"),
                                  "cumulative": till.get("nz_sum")}
            return False
        if version in ("2", "3") and row["version"] != version:
            row.update(version=version, vat=dict(NEW_VAT), rewritten=row["rewritten"] + 1)
        ok = till.get("status") == "ok"
        row["alerts"] += int(bool(row["enabled"]) and not ok)
        row["enabled"] = ok
        return bool(ok and row["active"])

    # -- results -------------------------------------------------------------------------------------------------

    def _link(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """LINK_PARAMS of a result. Raises PhpError for a time in another form (§2.2)."""
        link: dict[str, Any] = {}
        pairs = dict(part.split("=", 1) for part in str(entry.get("qr") or "").split("&") if "=" in part)
        if "t" in pairs:
            if not _TIME.fullmatch(pairs["t"]):
                raise PhpError(pairs["t"])
            form = "%Y%m%dT%H%M%S" if len(pairs["t"]) == 15 else "%Y%m%dT%H%M"
            link["doc_time"] = int(datetime.strptime(pairs["t"], form).replace(tzinfo=_MOSCOW).timestamp())
        if "s" in pairs:
            link["doc_sum"] = pairs["s"]
        if "n" in pairs:
            link["calculation_attribute"] = "income" if pairs["n"] == "1" else "consumption"
        link |= {name: pairs[key] for key, name in _LINK.items() if key in pairs}
        return {**link, "reg_number_kkt": entry["rn"]} if entry.get("rn") else link

    def _processed(self, entry: Mapping[str, Any], link: dict[str, Any]) -> bool:
        """Whether a result was stored, and so is acknowledged (§2.4)."""
        parts = str(entry.get("uuid") or "").split("|")
        if len(parts) < 3 or not parts[2].isdigit():
            return False
        # Strictly not 0, so the text "0" too; but only with a message (§2.2 [R]).
        code = entry.get("code", 0)
        failed = (code != 0 or isinstance(code, str)) and entry.get("message") is not None
        if parts[0] == "report":
            report = self.reports.get(int(parts[2]))
            if report is None or failed:
                return False
            report.status, report.result = "Y", {name: entry.get(name) for name in (
                "payments_cache", "reg_income", "reg_return", "nz_sum")}
            return True
        row = self.checks.get(int(parts[2])) if parts[0] == "check" else None
        if row is None:
            return False
        if row.status == "Y":
            return True
        if row.gone:
            return False
        if not failed:
            row.status, row.link, row.error = "Y", link, None
            return True
        if _whole(entry["code"]) not in FATAL and row.warnings < MOST_WARNINGS:
            row.warnings += 1
            return False
        row.status, row.error = "E", str(entry["message"])
        return True

    # -- hand-out ------------------------------------------------------------------------------------------------

    def _collect(self, ready: list[str], maps: Mapping[str, Any], reports: bool) -> dict[str, Any]:
        """Z-reports and checks for the registers of this poll. One at a time: a poll beside another gets nothing
        that this one took (§2.6)."""
        found: dict[str, Any] = {}
        asked = self._due_reports(ready) if reports else []
        if asked:
            found["reports"] = asked
        receipts = self._due_checks(ready, maps)
        if receipts:
            found["print"] = receipts
        return found

    def _due_reports(self, ready: list[str]) -> list[dict[str, Any]]:
        now = time.monotonic()
        due = [one for one in self.reports.values() if one.status == "P" and one.zn in ready
               and (not one.asked or now - one.asked >= self.z_repeat)]
        stamp = int(self.now().timestamp())
        for one in due:
            one.asked, one.handed = one.asked or now, one.handed + 1
        return [{"type": 1, "uuid": f"report|{self.host}|{one.number}|{stamp}", "timestamp": str(stamp), "zn": one.zn}
                for one in due]

    def _due_checks(self, ready: list[str], maps: Mapping[str, Any]) -> list[dict[str, Any]]:
        now, at = time.monotonic(), self.now()
        receipts: list[dict[str, Any]] = []
        for _, row in sorted(self.checks.items()):
            fresh = row.status == "N"
            again = row.status == "P" and now - row.started >= self.repeat
            if len(receipts) >= WINDOW or row.link or not (fresh or again):
                continue
            if not row.zn or (row.zn not in ready and again):
                row.zn = ready[0]
            if row.zn not in ready:
                continue
            if fresh:
                row.status, row.started = "P", now
            row.handed += 1
            version, vat = maps.get(row.zn, ("3", NEW_VAT))
            if version == "1" and not row.gone and row.content.get("type") not in OLD_TYPES:
                continue  # made before the register was V1: nothing comes out, P for ever (§6.2)
            receipts.append(handed_out(None if row.gone else row.content, version,
                                       f"check|{self.host}|{row.number}|{int(at.timestamp())}", row.zn, at, vat,
                                       self.old_prices))
        return receipts


def _whole(code: Any) -> int:
    try:
        return int(code)
    except (TypeError, ValueError):
        return 0


class PollSites(HttpSimulator):
    """Sites of the poll protocol and nothing else, as many as wanted behind one address; the hash tells them apart."""

    name = "bitrix-poll"

    def __init__(self, port: int = 0, host: str = "127.0.0.1", sites: int = 1, wait: float = 60.0,
                 repeat: float = 240.0, cert: str = "", key: str = "") -> None:
        super().__init__(port, host)
        self.desks = [Desk(f"shop{number}.example" if number else "shop.example", wait=wait, repeat=repeat)
                      for number in range(sites)]
        self._by_hash = {desk.hash: desk for desk in self.desks}
        if cert:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(cert, key)
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
            self.url = self.url.replace("http:", "https:")

    @classmethod
    def arguments(cls, parser: argparse.ArgumentParser) -> None:
        """How many, and how patient."""
        parser.add_argument("--sites", type=int, default=1, help="number of sites")
        parser.add_argument("--wait", type=float, default=60.0, help="seconds of a long poll without work")
        parser.add_argument("--repeat", type=float, default=240.0, help="seconds until a check is handed out again")
        parser.add_argument("--cert", default="", help="certificate chain: serve https")
        parser.add_argument("--key", default="", help="its private key")

    def handle(self, request: Request) -> Answer:
        if request.path != PATH:
            return Answer(404, b"<html>not found</html>", "text/html")
        desk = self._by_hash.get((parse_qs(request.query).get("hash") or [""])[0], self.desks[0])
        return desk.answer(request)

    def do_site(self, act: str, site: int = 0, **params: Any) -> Any:
        """An act on one of the sites: register, check, delete_order, restore, forget_result, z, set."""
        return self.desks[site].do(act, **params)

    def state(self) -> Any:
        """The first site, and all of them with their addresses."""
        first = self.desks[0].state()
        return {**first, "sites": [{**desk.state(), "url": f"{self.url}{PATH}?hash={desk.hash}"}
                                   for desk in self.desks]}


def main(argv: list[str]) -> int:
    """The program."""
    return PollSites.main(argv)
