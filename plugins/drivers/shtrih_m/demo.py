"""``hub demo shtrih``: a day at a Shtrih-M on a serial port, bad moments included.

The register is the simulator on a pseudo-terminal, a process of its own; receipts come from a program over the hub's
own API. At the end the program, the database and the register's journal must agree on every document, and the Z report
with both.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from hub.contracts import Expected, PlayedRegister, Scenario, Stage, Told
from hub.fiscal import Money, Text

SHOP = "api"
#: A marking code with its verification, as scanned.
MARK = "0104600000000015215AbC1234567\x1d91EE06\x1d92dGVzdCBjcnlwdG8gdGFpbCBvZiA0NCBjaGFyYWN0ZXJz"
#: Settlement signs of the journal that bring money back.
BACK = ("2", "4")


class ShtrihDay(Scenario):
    """A sale, a return, a correction, a marked item, paper that ends, a cable that is cut, and a Z."""

    name: ClassVar[str] = "shtrih"
    title: ClassVar[Text] = Text("A day at a Shtrih-M", "День кассы Штрих-М")
    programs: ClassVar[tuple[str, ...]] = (SHOP,)
    register: ClassVar[PlayedRegister | None] = PlayedRegister(
        "shtrih_m", ("shtrih-m", "--pty", "--pace", "0.05", "--ofd-delay", "0.2", "--no-sync"), ffd="1.2")

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}
        self.sums = [0, 0]
        self.z: Mapping[str, Any] = {}

    # -- what the program asks for -------------------------------------------------------------------------------

    def receipt(self, stage: Stage, case: str, lines: list[dict[str, Any]], path: str = "/receipts",
                cash: int = 0, **more: Any) -> None:
        """Sends one receipt, and notes what it must come to. Sums in kopecks."""
        total = sum(int(one["price"].replace(".", "")) * int(one["quantity"]) for one in lines)
        pay = [("cash", cash), ("electronic", total - cash)]
        status, said = stage.call(SHOP, "POST", path, {
            "key": case, "number": case, "lines": lines, "customer": {"email": "anna@example.com"},
            "payments": [{"form": form, "amount": _rubles(amount)} for form, amount in pay if amount], **more})
        if status != 201:
            raise RuntimeError(f"{case}: {status} {said}")
        self.ids[case] = said["id"]
        self.note(stage, case, total)

    def note(self, stage: Stage, case: str, total: int, back: bool = False, number: str = "") -> None:
        """What something must come to."""
        self.sums[back] += total
        stage.expect(Expected(case, SHOP, number or case, Money(total, "RUB"), back=back))

    # -- the day -------------------------------------------------------------------------------------------------

    def play(self, stage: Stage) -> None:
        stage.say("продажа: наличными и картой")
        self.receipt(stage, "продажа", [line("Чай чёрный, 100 г", 148_50, 2), line("Доставка", 350_00)], cash=200_00)
        stage.settle("продажа")
        stage.say("возврат одной пачки")
        status, said = stage.call(SHOP, "POST", f"/receipts/{self.ids['продажа']}/returns", {
            "key": "возврат", "lines": [{"line": 0, "quantity": "1"}]})
        if status != 201:
            raise RuntimeError(f"возврат: {status} {said}")
        self.note(stage, "возврат", 148_50, back=True, number=said["number"])
        stage.settle("возврат")
        stage.say("коррекция: вчерашняя продажа без чека")
        clock = datetime.fromisoformat(stage.register.state()["status"]["clock"])
        self.receipt(stage, "коррекция", [line("Чай зелёный", 99_00)], "/corrections",
                     correction={"type": "own", "day": (clock - timedelta(days=1)).date().isoformat()})
        stage.say("маркированный товар")
        self.receipt(stage, "маркировка", [line("Кроссовки", 4_990_00, marking=MARK, subject="commodity_marked")])
        stage.settle("маркировка")
        self._paper(stage)
        self._cable(stage)
        self._close(stage)

    def _paper(self, stage: Stage) -> None:
        for case, fault in (("бумага кончилась посреди чека", {"kind": "paper_middle", "command": "FF46"}),
                            ("бумага кончилась после записи", {"kind": "paper_after", "command": "FF45"})):
            stage.say(case)
            stage.register.do("fault", **fault)
            self.receipt(stage, case, [line("Чай", 120_00), line("Чашка", 480_00)])
            stage.wait(lambda: "no_paper" in stage.register.state()["conditions"], "the end of the paper")
            stage.register.do("load_paper")
            stage.settle(case)

    def _cable(self, stage: Stage) -> None:
        for case, command, way in (("кабель оборван на позиции чека", "FF46", "in"),
                                   ("кабель оборван на ответе о закрытии", "FF45", "out")):
            stage.say(case)
            # One byte more passes: of the next command, or the ACK that says that the close came in whole.
            stage.register.do("fault", kind="cable_cut", at=way, after=1, command=command)
            self.receipt(stage, case, [line("Чайник", 1_990_00), line("Ситечко", 90_00)])
            stage.wait(lambda: "unplugged" in stage.register.state()["conditions"], "the cut")
            stage.register.do("plug")
            stage.settle(case)

    def _close(self, stage: Stage) -> None:
        stage.say("Z-отчёт")
        _, found = stage.call(SHOP, "GET", "/registers")
        _, order = stage.call(SHOP, "POST", f"/registers/{found['items'][0]['id']}/orders", {"command": "close_shift"})

        def done() -> bool:
            order.update(stage.call(SHOP, "GET", f"/orders/{order['id']}")[1])
            return order["state"] in ("done", "refused")

        stage.wait(done, "the Z report")
        _, shifts = stage.call(SHOP, "GET", "/reports/z")
        self.z = shifts["items"][0]["z"] if shifts["items"] else {}

    # -- what is known at the end --------------------------------------------------------------------------------

    def told(self, stage: Stage) -> Mapping[tuple[str, str], Told]:
        _, page = stage.call(SHOP, "GET", "/receipts?limit=200")
        found: dict[tuple[str, str], Told] = {}
        for one in page["items"]:
            before = found.get((SHOP, one["number"]), Told())
            numbers = (one["record"]["document_number"],) if one["record"] else ()
            found[SHOP, one["number"]] = Told(before.documents + numbers, before.refused or one["reason"] or "")
        return found

    def faults(self, stage: Stage) -> tuple[str, ...]:
        """The Z report against the day and the journal; the marked item against its code."""
        journal = stage.register.state()["documents"]
        z = next((one for one in reversed(journal) if one["what"] == "shift_close"), None)
        if z is None:
            return ("the journal has no Z report",)
        found = []
        sums = [sum(total for kind, total in z["sums"].items() if (kind in BACK) == back) for back in (False, True)]
        if sums != self.sums:
            found.append(f"Z of the journal says {sums}, the day was {self.sums}")
        if not self.z or (self.z["document_number"], self.z["sales"], self.z["returns"]) != (
                z["n"], _rubles(self.sums[0]), _rubles(self.sums[1])):
            found.append(f"Z of the hub is {self.z}, that of the journal document {z['n']} with {sums}")
        marked = [one["mark"] for document in journal for one in document.get("lines", ()) if one["mark"]]
        if marked != [MARK]:
            found.append(f"marking codes in the journal: {marked}")
        if [one["kind"] for one in journal if one["what"] == "correction"] != [1]:
            found.append("the journal has not exactly one correction of a sale")
        return tuple(found)


def line(name: str, price: int, quantity: int = 1, **more: Any) -> dict[str, Any]:
    """A line as the API takes it; the price in kopecks."""
    return {"name": name, "price": _rubles(price), "quantity": str(quantity), **more}


def _rubles(kopecks: int) -> str:
    return f"{kopecks // 100}.{kopecks % 100:02d}"
