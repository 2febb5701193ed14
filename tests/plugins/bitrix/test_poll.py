"""The conversation itself, against the simulated site in this process: repeats, troubles and traps."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from hub_plugins.bitrix import poll, poll_wire, poll_words
from hub_plugins.bitrix.poll import Polling
from hub_plugins.bitrix.poll_settings import numbers_of, rates_of
from hub_plugins.bitrix.poll_state import State
from hub_plugins.bitrix.poll_words import GONE
from hub_plugins.bitrix.site_poll import PATH, Desk
from marshmallow import ValidationError

from hub.contracts import (
    Answer,
    Client,
    Event,
    Exchanged,
    NeedsAttention,
    NoOrder,
    ReceiptView,
    RegisterView,
    Reply,
    Report,
    Request,
    TryLater,
    load,
)
from hub.fiscal import FiscalRecord, Invalid, Order, Problem, Text, total
from hub.testing.context import MemoryContext
from hub.testing.simulator import HttpSimulator
from tests.plugins.bitrix.helpers import NOW, BitrixSource

ZN, FN = "00106900000017", "9999078900004312"


class Talk:
    """A hub small enough to see whole, polling a site in this process."""

    def __init__(self, version: str = "3", **settings: Any) -> None:
        self.desk = Desk(wait=0.02, repeat=0.0)
        self.desk.do("register", zn=ZN, version=version)
        self.context = MemoryContext(clock=lambda: NOW, tills=(RegisterView(ZN, FN),))
        self.settings = {"way": "poll", "poll_version": version, "poll_reset": True,
                         "poll_vat": "vat20 = vat22\n3 = vat22\n0 = vat22",
                         "poll_url": f"https://shop.example{PATH}?hash={self.desk.hash}", **settings}
        self.state, self.number = "", 500
        self.pending: dict[str, tuple[str, int]] = {}
        self.given_up: dict[str, Text] = {}
        self.notes: list[str] = []
        self.printed: list[str] = []
        self.bodies: list[dict[str, Any]] = []

    @property
    def polling(self) -> Polling:
        return Polling(load(BitrixSource.settings, self.settings), self.context)

    def reports(self) -> tuple[Report, ...]:
        return tuple(Report(self.context.receipts[key], delivery, tries)
                     for delivery, (key, tries) in self.pending.items())

    def turn(self, reply: Reply | None = None, lose: bool = False) -> Exchanged | None:
        """One poll: the site hears it unless ``reply`` stands in; ``lose``: its answer never comes."""
        polling = self.polling
        call = polling.next_call(self.state, self.reports())
        self.bodies.append(json.loads(call.body))
        if reply is None:
            answer = self.desk.answer(Request("POST", PATH, urlsplit(call.url).query, {}, call.body))
            reply = Reply(answer.status, {}, answer.body)
        if lose:
            return None
        meant = polling.called(self.state, call, reply)
        self.state = meant.state
        for delivery in call.deliveries:
            key, tries = self.pending.pop(delivery)
            if delivery in dict(meant.given_up):
                self.given_up[key] = dict(meant.given_up)[delivery]
            elif delivery not in meant.told:
                self.pending[delivery] = (key, tries + 1)
        for event in meant.events:
            self.take(replace(event, data=json.loads(json.dumps(dict(event.data)))))
        return meant

    def take(self, event: Event) -> None:
        """What the core does with an event, in a nutshell."""
        old = self.context.receipts.get(event.subject)
        try:
            made = self.polling.fetch(event)
        except Invalid as problem:
            self.end(event.subject, "invalid", problems=tuple(problem.problems))
            return
        if isinstance(made, NoOrder):
            self.notes.append(made.reason.say("ru"))
        elif old is None or (old.state in ("invalid", "refused") and event.again):
            self.print(made)

    def print(self, order: Order) -> None:
        self.number += 1
        self.printed.append(order.key)
        record = FiscalRecord(FN, self.number, "3010203040", NOW, total(one.amount for one in order.payments),
                              order.kind, registration_number="0001234567012345")
        self.end(order.key, "recorded", record=record, origin=order.origin)

    def end(self, key: str, state: Any, **more: Any) -> None:
        self.context.receipts[key] = ReceiptView(key, state, "r", **more)
        self.pending[f"dlv_{len(self.context.receipts)}_{state}_{self.number}"] = (key, 1)

    def rows(self) -> Mapping[int, Any]:
        return {one["ID"]: one for one in self.desk.state()["checks"]}


def test_handed_out_printed_acknowledged() -> None:
    talk = Talk()
    number = talk.desk.do("check", case="sell-card-delivery")["ID"]
    first = talk.turn()
    assert first is not None and first.after == poll.FOR_RESULTS
    told = talk.turn()
    assert told is not None and told.told and talk.rows()[number]["STATUS"] == "Y" and not talk.pending
    state = State.read(talk.state)
    assert state.out == {} and (state.sums_of(ZN).income, state.sums_of(ZN).ever) == (178100, 178100)


def test_repeats_before_and_after_the_result() -> None:
    """A new uuid at every hand-out; one order, one paper, the uuid last received in the answer."""
    talk = Talk()
    talk.desk.do("check", case="sell-one-line")
    talk.turn()
    held, talk.pending = talk.pending, {}
    talk.desk.do("set", clock=3600, host="www.shop.example")
    assert talk.turn() is not None
    talk.pending = held
    [key] = talk.context.receipts
    talk.turn(lose=True)
    assert len(talk.printed) == 1 and talk.desk.state()["acknowledged"][0].startswith("check|www.shop.example|841|")
    talk.turn()
    assert talk.printed == [key] and not talk.pending


def test_a_check_in_work_is_not_an_event_again() -> None:
    talk = Talk()
    talk.desk.do("check", case="sell-one-line")
    talk.turn()
    [key] = talk.context.receipts
    talk.context.receipts[key] = replace(talk.context.receipts[key], state="printing", record=None)
    talk.pending.clear()
    again = talk.turn()
    assert again is not None and not again.events and again.after == poll.AFTER_REPEATS


def test_a_refusal_is_told_and_a_later_hand_out_tries_anew() -> None:
    talk = Talk()
    number = talk.desk.do("check", case="vat22-prepayment")["ID"]
    talk.turn()
    talk.turn()
    row = talk.rows()[number]
    assert row["STATUS"] == "E" and "НДС" in row["ERROR_MESSAGE"] and not talk.pending
    talk.desk.do("forget_result", number=number)
    talk.settings["poll_vat"] = "vat20 = vat22"
    talk.desk.registers[ZN]["vat"] = {"4": "vat22"}
    talk.turn()
    talk.turn()
    assert talk.rows()[number]["STATUS"] == "Y" and len(talk.printed) == 1


def test_a_cancelled_receipt_and_its_codes() -> None:
    view = ReceiptView("check:1:0123456789abcdef", "cancelled", "r")
    entry = poll_wire.result("check|h|1", view)
    assert entry is not None and entry["code"] in poll_wire.FATAL and entry["message"]
    refused = replace(view, state="refused", reason=Text("No paper.", "Кончилась бумага."))
    assert poll_wire.result("u", refused) == {"uuid": "u", "code": -3803, "message": "Кончилась бумага.", "qr": ""}
    problem = Problem("quantity_not_positive", "", {"name": "a", "quantity": 0})
    wrong = replace(view, state="invalid", problems=(problem,))
    assert (poll_wire.result("u", wrong) or {})["code"] == -3804
    assert poll_wire.result("u", replace(view, state="uncertain")) is None


def test_what_the_site_cannot_store_is_given_up() -> None:
    """The order was deleted after printing: told four times, then a sentence for the owner, and peace (§6.3)."""
    talk = Talk()
    number = talk.desk.do("check", case="sell-one-line")["ID"]
    talk.turn()
    talk.desk.do("delete_order", number=number)
    for _ in range(poll.MOST_TELLINGS):
        assert talk.pending
        talk.turn()
    [reason] = talk.given_up.values()
    assert reason.say("ru") == GONE.with_(number=str(number)).say("ru") and reason.say("ru") in talk.notes
    quiet = talk.turn()
    assert quiet is not None and not quiet.events and quiet.after == poll.AFTER_REPEATS and len(talk.printed) == 1


def test_one_bad_result_does_not_lose_the_others() -> None:
    """A poll of three breaks the site: results go alone until the bad one is known, told bare, then given up."""
    talk = Talk()
    numbers = [talk.desk.do("check", case="sell-one-line")["ID"] for _ in range(3)]
    talk.turn()
    bad = f"|{numbers[1]}|"
    real = talk.desk.answer

    def breaks(request: Request) -> Any:
        entries = [one for till in json.loads(request.body)["kkm"] for one in till.get("printed", ())]
        if any(bad in one["uuid"] for one in entries):
            return Answer(500, b"<pre>broken</pre>", "text/html")
        return real(request)

    talk.desk.answer = breaks  # type: ignore[method-assign]
    for _ in range(20):
        meant = talk.turn()
        assert meant is not None
    rows = talk.rows()
    assert [rows[one]["STATUS"] for one in numbers] == ["Y", "P", "Y"]
    assert [one.say("ru") for one in talk.given_up.values()] == [
        poll_words.BREAKS.with_(number=str(numbers[1])).say("ru")] and not talk.pending
    assert State.read(talk.state).doubt.alone is False


def test_a_site_that_is_broken_anyway_blames_nobody() -> None:
    talk = Talk()
    talk.desk.do("check", case="sell-one-line")
    talk.turn()
    page = Reply(500, {}, b"<html>")
    meant = talk.turn(page)
    assert meant is not None and meant.trouble is not None and talk.pending
    for _ in range(5):
        with pytest.raises(TryLater):
            talk.turn(page)
    talk.turn()
    talk.turn()
    assert not talk.pending and not talk.given_up


@pytest.mark.parametrize(("reply", "kind", "words"), [
    (Reply(403, {}, b""), NeedsAttention, "Подключить ККМ"), (Reply(301, {}, b""), NeedsAttention, "перенаправляет"),
    (Reply(404, {}, b"x"), NeedsAttention, "нет такой страницы"), (Reply(502, {}, b"x"), TryLater, "вместо JSON"),
    (Reply(200, {}, b"<html>"), TryLater, "вместо JSON"), (Reply(200, {}, b'{"ack":["che'), TryLater, "вместо JSON"),
    (Reply(200, {}, b'"text"'), TryLater, "вместо JSON")])
def test_answers_that_are_none(reply: Reply, kind: Any, words: str) -> None:
    talk = Talk()
    with pytest.raises(kind) as caught:
        talk.turn(reply)
    assert words in caught.value.reason.say("ru") and talk.state == ""


@pytest.mark.parametrize("body", [
    b"[]", b"{}", b"\xef\xbb\xbf{}", b'{"print":[1,null,{}],"ack":"x","reports":{"a":{}}}',
    b'{"print":[{"external_id":"check|h|1|1","type":[],"items":"x","payments":5,"total":{},"clientInfo":[]}]}',
    b'{"print":[{"external_id":"check|h|1","type":"sell","total":"1e999999","items":[{"price":"NaN"}]}]}',
    b'{"ack":["check|h|999","report|h|1",null,7]}'])
def test_odd_answers_break_nothing(body: bytes) -> None:
    talk = Talk()
    talk.turn(Reply(200, {}, body))
    assert not talk.printed
    talk.turn()


def test_other_contents_under_a_number_that_was_printed() -> None:
    """Restored from a backup: same number, same sum, other goods. Shown, never printed, never answered for."""
    talk = Talk()
    number = talk.desk.do("check", case="sell-one-line")["ID"]
    talk.turn()
    talk.turn()
    talk.desk.do("restore", number=number)
    talk.desk.do("check", case="sell-one-line")
    [line] = talk.desk.checks[number].content["items"]
    talk.desk.checks[number].content["items"] = [{**line, "name": "Другой товар"}]
    talk.turn()
    talk.turn()
    assert len(talk.printed) == 1 and talk.rows()[number]["STATUS"] == "P"
    assert any("восстановили из копии" in one for one in talk.notes)


def test_a_check_that_the_rest_way_printed() -> None:
    """The site moved it from the REST register, or the owner changed the way: the same receipt (§6.8)."""
    talk = Talk()
    handed = {"external_id": "check|h|841|1", "type": "sell", "total": "1781", "zn": ZN}
    name = poll_wire.Name.of("check|h|841|1")
    assert name is not None
    other = poll_wire.keys(name, handed)[3]
    order_talk = Talk()
    order_talk.desk.do("check", case="sell-card-delivery")
    order_talk.turn()
    [made] = order_talk.context.receipts.values()
    talk.context.receipts[other] = replace(made, key=other, origin={"uuid": "hub-841"})
    talk.desk.do("check", case="fullprepayment")
    talk.turn()
    talk.turn()
    assert not talk.printed and talk.rows()[841]["STATUS"] == "Y"


def test_z_reports() -> None:
    talk = Talk()
    talk.desk.do("check", case="sell-one-line")
    talk.turn()
    talk.turn()
    talk.desk.do("z", zn=ZN)
    talk.turn()
    assert any("Z-отчёт" in one for one in talk.notes)
    talk.turn(lose=True)
    talk.turn()
    [report] = talk.desk.state()["reports"]
    assert report["STATUS"] == "Y" and report["result"]["reg_income"] == 150.0
    assert State.read(talk.state).z == {} and State.read(talk.state).sums_of(ZN).income == 0
    assert State.read(talk.state).sums_of(ZN).ever == 15000


def test_each_register_has_the_sums_of_its_own_receipts() -> None:
    """Two registers, two Z-reports in one poll: neither hears the other's receipts (§2.8)."""
    talk = Talk()
    talk.desk.do("register", zn="00106900000018", version="3")
    talk.context.tills = (RegisterView(ZN, FN), RegisterView("00106900000018", "9999078900004313"))
    for number, case in ((ZN, "sell-one-line"), ("00106900000018", "sell-card-delivery")):
        talk.desk.do("check", case=case, zn=number)
    talk.turn()
    talk.turn()
    for number in (ZN, "00106900000018"):
        talk.desk.do("z", zn=number)
    talk.turn()
    talk.turn()
    assert {one["zn"]: one["result"]["reg_income"] for one in talk.desk.state()["reports"]} == {
        ZN: 150.0, "00106900000018": 1781.0}
    state = State.read(talk.state)
    assert (state.sums_of(ZN).income, state.sums_of(ZN).ever) == (0, 15000)


def test_the_sums_of_an_older_state_are_the_first_registers() -> None:
    state = State.read('{"sums": {"cash": 1, "income": 2, "returned": 3, "ever": 4}}')
    assert state.sums_of(ZN).ever == 4 and state.sums_of("2").ever == 0
    assert State.read(state.write()).sums_of(ZN).ever == 4


def test_the_version_of_a_live_site() -> None:
    """V2 and V3 rebuild the site's register: never without the owner's word, and not at the first poll either."""
    talk = Talk("2", poll_reset=False)
    talk.desk.do("check", case="sell-one-line")
    with pytest.raises(NeedsAttention) as caught:
        talk.turn()
    assert caught.value.field == "poll_reset" and talk.bodies == []
    talk.settings["poll_reset"] = True
    talk.turn()
    talk.settings |= {"poll_version": "3", "poll_reset": False}
    with pytest.raises(NeedsAttention) as caught:
        talk.turn()
    assert "сбросит" in caught.value.reason.say("ru")
    talk.settings["poll_reset"] = True
    talk.turn()
    talk.settings |= {"poll_version": "1", "poll_reset": False}
    talk.turn()
    assert "api_version" not in talk.bodies[-1] and talk.bodies[-2]["api_version"] == "3"


def test_registers_and_their_truth() -> None:
    talk = Talk()
    talk.turn()
    assert talk.bodies[-1]["kkm"] == [{"zn": ZN, "fn": FN, "status": "ok", "cache": 0.0, "reg_income": 0.0,
                                       "nz_sum": 0.0}]
    talk.context.tills = (RegisterView(ZN, FN, ready=False),)
    talk.turn()
    assert talk.bodies[-1]["kkm"][0]["status"] != "ok" and talk.desk.state()["registers"][0]["alerts"] == 1
    talk.context.tills = ()
    with pytest.raises(NeedsAttention) as caught:
        talk.turn()
    assert "ни одна касса" in caught.value.reason.say("ru")
    talk.settings["poll_registers"] = f"{ZN}\n00106900000018 = {FN}"
    talk.turn()
    assert [one["zn"] for one in talk.bodies[-1]["kkm"]] == [ZN, "00106900000018"]


def test_receipts_that_are_no_checks_are_given_up() -> None:
    talk = Talk()
    talk.end("order:17:1", "invalid", problems=(Problem("no_lines"),))
    talk.turn()
    assert "другим способом" in talk.given_up["order:17:1"].say("ru")


@pytest.mark.parametrize("state", ["", "null", "[]", "{", '{"out": 5}', '{"out": {"check|1": {"x": 1}}}',
                                   '{"doubt": {"y": 1}}', '{"sums": []}'])
def test_a_state_that_cannot_be_read_is_an_empty_one(state: str) -> None:
    assert State.read(state) == State()


def restored(talk: Talk, number: int, case: str = "sell-card-delivery") -> None:
    """The site comes back from a backup and gives the number to another check."""
    talk.desk.do("restore", number=number)
    talk.desk.do("check", case=case, number=number)


def contradicted(another: bool) -> tuple[Talk, int, str]:
    """A check in work whose contents are others at the next hand-out; a person then says what it is."""
    talk = Talk()
    number = talk.desk.do("check", case="sell-one-line")["ID"]
    talk.turn()
    [key] = talk.printed
    held, talk.pending = talk.pending, {}  # the first is in work still, say without paper
    restored(talk, number)
    talk.turn()
    assert talk.printed == [key], "the order may have been edited: one check, one receipt"
    view = talk.context.receipts[key]
    talk.context.receipts[key] = replace(view, disputed=True)
    talk.pending = held
    talk.turn()
    assert talk.rows()[number]["STATUS"] == "P", "no result is told to contents that are not the receipt's"
    talk.turn()
    assert talk.printed == [key] and any("восстановили" in one for one in talk.notes)
    talk.context.receipts[key] = replace(view, decided=1, generation=2 if another else 1)
    return talk, number, key


def test_a_check_edited_between_hand_outs_is_one_receipt() -> None:
    talk, number, _ = contradicted(another=False)
    talk.turn()
    talk.turn()
    assert talk.rows()[number]["STATUS"] == "Y" and talk.rows()[number]["LINK_PARAMS"]["fiscal_doc_number"] == "501"
    assert len(talk.printed) == 1 and State.read(talk.state).dead == {}


def test_another_check_under_a_number_in_work_hears_its_own_receipt() -> None:
    talk, number, key = contradicted(another=True)
    view = talk.context.receipts[key]
    assert view.record is not None
    talk.context.receipts[key] = replace(view, record=replace(view.record, document_number=777))
    talk.pending["dlv_another"] = (key, 1)
    talk.turn()
    assert talk.rows()[number]["LINK_PARAMS"]["fiscal_doc_number"] == "777" and "dlv_another" not in talk.pending


def test_a_new_check_under_a_dead_number_is_printed() -> None:
    """Its order was deleted, the result given up; then the site was restored and gave the number to another."""
    talk = Talk()
    number = talk.desk.do("check", case="sell-one-line")["ID"]
    talk.turn()
    talk.desk.do("delete_order", number=number)
    for _ in range(poll.MOST_TELLINGS + 1):
        talk.turn()
    assert len(talk.given_up) == 1 and State.read(talk.state).dead[f"check|{number}"].why == "gone"
    restored(talk, number)
    talk.turn()
    talk.turn()
    assert len(talk.printed) == 2 and talk.rows()[number]["STATUS"] == "Y" and State.read(talk.state).dead == {}


def test_a_dead_check_of_an_older_state() -> None:
    state = State.read('{"dead": {"check|841": "gone"}}')
    assert (state.dead["check|841"].why, State.read(state.write())) == ("gone", state)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_web_server_that_is_down_blames_no_result(status: int) -> None:
    talk = Talk()
    number = talk.desk.do("check", case="sell-one-line")["ID"]
    talk.turn()
    for _ in range(3):
        with pytest.raises(TryLater):
            talk.turn(Reply(status, {}, b"<html>Bad gateway"))
    talk.turn()
    assert talk.rows()[number]["STATUS"] == "Y" and not talk.given_up and not talk.pending


def test_a_result_that_broke_the_site_is_told_when_the_owner_asks() -> None:
    """The site was mended since; "tell it now" starts its attempts anew."""
    talk = Talk()
    number = talk.desk.do("check", case="sell-one-line")["ID"]
    talk.turn()
    for _ in range(poll.GIVE_UP):
        talk.turn(Reply(500, {}, b"<html>"))
        talk.turn()
    talk.turn()
    [key] = talk.given_up
    talk.pending["dlv_later"] = (key, 2)
    talk.turn()
    assert talk.rows()[number]["STATUS"] == "P" and not talk.pending, "a mere repeat stays given up"
    talk.pending["dlv_again"] = (key, 1)
    talk.turn()
    assert talk.rows()[number]["STATUS"] == "Y" and not talk.pending and State.read(talk.state).dead == {}


def test_a_result_that_could_not_be_stored_is_told_when_the_owner_asks() -> None:
    talk = Talk()
    number = talk.desk.do("check", case="sell-one-line")["ID"]
    talk.turn()
    talk.desk.do("delete_order", number=number)
    for _ in range(poll.MOST_TELLINGS):
        talk.turn()
    talk.desk.checks[number].gone = False
    [key] = talk.given_up
    talk.pending["dlv_again"] = (key, 1)
    talk.turn()
    assert talk.rows()[number]["STATUS"] == "Y" and not talk.pending


def other_goods(talk: Talk, number: int) -> None:
    [line] = talk.desk.checks[number].content["items"]
    talk.desk.checks[number].content["items"] = [{**line, "name": "Другой товар"}]


@pytest.mark.parametrize("state", ["recorded", "printing"])
def test_other_contents_while_the_first_is_not_acknowledged(state: Any) -> None:
    """The same number, type and sum again: the first one's result is not the second one's."""
    talk = Talk()
    number = talk.desk.do("check", case="sell-one-line")["ID"]
    talk.turn()
    held, talk.pending = talk.pending, {}
    [key] = talk.context.receipts
    done = talk.context.receipts[key]
    talk.context.receipts[key] = replace(done, state=state)
    restored(talk, number, "sell-one-line")
    other_goods(talk, number)
    talk.turn()
    talk.context.receipts[key], talk.pending = done, held
    for _ in range(3):
        talk.turn()
    assert len(talk.printed) == 1 and talk.rows()[number]["STATUS"] == "P"
    assert "восстановили из копии" in talk.given_up[key].say("ru")
    assert sum("восстановили из копии" in one for one in talk.notes) == 1


def test_a_repeat_for_another_register_is_the_same_check() -> None:
    """Older than four minutes, the site may move it (§2.6)."""
    talk = Talk()
    number = talk.desk.do("check", case="sell-one-line")["ID"]
    talk.turn()
    held, talk.pending = talk.pending, {}
    real = talk.desk.answer

    def moved(request: Request) -> Any:
        answer = real(request)
        tree = json.loads(answer.body)
        for one in tree.get("print", ()):
            one["zn"] = "00106900000018"
        return replace(answer, body=json.dumps(tree).encode())

    talk.desk.answer = moved  # type: ignore[method-assign]
    talk.turn()
    assert State.read(talk.state).out[f"check|{number}"].again
    talk.pending = held
    talk.turn()
    assert talk.rows()[number]["STATUS"] == "Y" and len(talk.printed) == 1


def shown(talk: Talk) -> list[str]:
    made = BitrixSource(load(BitrixSource.settings, talk.settings), talk.context)
    return [one.words.say("ru") for one in made.state()]


def test_what_is_given_up_stands_on_the_sources_page() -> None:
    talk = Talk()
    gone = talk.desk.do("check", case="sell-one-line")["ID"]
    talk.turn()
    talk.desk.do("delete_order", number=gone)
    for _ in range(poll.MOST_TELLINGS):
        talk.turn()
    assert shown(talk) == [GONE.with_(number=str(gone)).say("ru")]
    other = talk.desk.do("check", case="sell-one-line")["ID"]
    talk.turn()
    talk.pending = {}
    restored(talk, other, "sell-one-line")
    other_goods(talk, other)
    talk.turn()
    assert poll_words.OTHER_CHECK.with_(number=str(other)).say("ru") in shown(talk) and len(shown(talk)) == 2
    source = BitrixSource(load(BitrixSource.settings, talk.settings), talk.context)
    for one in source.state():
        source.mend(one.mend)
    assert shown(talk) == []


def test_a_result_that_breaks_the_site_stands_there_until_it_is_told() -> None:
    talk = Talk()
    number = talk.desk.do("check", case="sell-one-line")["ID"]
    talk.turn()
    for _ in range(poll.GIVE_UP):
        talk.turn(Reply(500, {}, b"<html>"))
        talk.turn()
    assert shown(talk) == [poll_words.BREAKS.with_(number=str(number)).say("ru")]
    talk.turn()
    [key] = talk.given_up
    talk.pending["dlv_again"] = (key, 1)
    talk.turn()
    assert shown(talk) == [] and talk.rows()[number]["STATUS"] == "Y"


def test_a_new_check_under_a_dead_number_takes_its_finding_away() -> None:
    talk = Talk()
    number = talk.desk.do("check", case="sell-one-line")["ID"]
    talk.turn()
    talk.desk.do("delete_order", number=number)
    for _ in range(poll.MOST_TELLINGS):
        talk.turn()
    assert len(shown(talk)) == 1
    restored(talk, number)
    talk.turn()
    assert shown(talk) == [], "the advice to delete that number would now hit another check"


# -- settings and the connection test ----------------------------------------------------------------------------


@pytest.mark.parametrize(("field", "words"), [
    ("poll_url", "https://shop.example/"), ("poll_url", "https://shop.example/bitrix/tools/sale_check_print.php"),
    ("poll_url", "ftp://s/bitrix/tools/sale_check_print.php?hash=0123456789"), ("poll_url", "http://[/"),
    ("poll_vat", "vat20 = vat21"), ("poll_vat", "rubbish"), ("poll_registers", "№ 5"), ("poll_registers", "1 = x"),
    ("poll_version", "4")])
def test_wrong_settings(field: str, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        load(BitrixSource.settings, {"way": "poll", field: words})
    assert field in caught.value.normalized_messages()


def test_tables() -> None:
    assert rates_of("VAT20 = 22%\n3 = без НДС # old\n\n") == {"vat20": "vat22", "3": "none"}
    assert numbers_of("1\n 2 = 9999 # spare") == {"1": "", "2": "9999"}


class Site(HttpSimulator):
    """A site over a socket, for the connection test."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(wait=0.4)

    def handle(self, request: Request) -> Any:
        return self.desk.answer(request)


def test_the_connection_test_and_the_steps() -> None:
    site = Site()
    site.start()
    try:
        context = MemoryContext(tills=(RegisterView(ZN, FN),), http=lambda: Client(read=0.2))

        def made(**settings: Any) -> BitrixSource:
            return BitrixSource(load(BitrixSource.settings, {"way": "poll", **settings}), context)

        url = f"{site.url}{PATH}?hash={site.desk.hash}"
        good = made(poll_url=url).check()
        assert good.ok and good.facts[0][1] == ZN and "https" in good.message.say("ru")
        assert site.desk.state()["registers"] == [], "the test hands nothing to the site and takes nothing from it"
        wrong = made(poll_url=url + "0").check()
        assert (wrong.ok, wrong.field) == (False, "poll_url") and "Подключить ККМ" in wrong.message.say("ru")
        assert made().check().field == "poll_url"
        assert not made(poll_url="http://127.0.0.1:9" + PATH + "?hash=0123456789").check().ok
        assert len(made().setup()) == 3 and ZN in [one.copy for one in made(poll_url=url).setup()]
        with pytest.raises(TryLater):
            made(poll_url=url).report(Report(ReceiptView("check:1:0123456789abcdef", "recorded", "r"), "d"))
        assert not made().exchanging() and made(poll_url=url).exchanging()
    finally:
        site.stop()


def test_an_address_that_only_accepts_connections_is_not_accepted() -> None:
    """A firewall or another program: silent to the right hash, and to a wrong one as well."""
    context = MemoryContext(tills=(RegisterView(ZN, FN),), http=lambda: Client(read=0.2))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}{PATH}?hash={'a' * 32}"
        found = BitrixSource(load(BitrixSource.settings, {"way": "poll", "poll_url": url}), context).check()
    assert (found.ok, found.field) == (False, "poll_url") and "не отклоняет неверный хэш" in found.message.say("ru")


@pytest.mark.parametrize(("status", "words"), [(200, "не отклоняет"), (404, "нет такой страницы"),
                                               (302, "перенаправляет"), (502, "вместо JSON")])
def test_a_page_that_does_not_refuse_a_wrong_hash(status: int, words: str) -> None:
    site = Site()
    site.desk.answer = lambda request: Answer(status, b"{}", "text/html")  # type: ignore[method-assign]
    site.start()
    try:
        context = MemoryContext(tills=(RegisterView(ZN, FN),), http=lambda: Client(read=0.2))
        given = {"way": "poll", "poll_url": f"{site.url}{PATH}?hash={'a' * 32}"}
        found = BitrixSource(load(BitrixSource.settings, given), context).check()
    finally:
        site.stop()
    assert not found.ok and words in found.message.say("ru")
