"""The whole way over real sockets: the simulated site as a process, the real source behind a small HTTP server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hub_plugins.bitrix.cashbox import fields_in

from hub.contracts import NoOrder, ReceiptView, Report
from hub.fiscal import Form, Money, Order, Payment, Text
from hub.testing.simulator import Running, running
from tests.plugins.bitrix.helpers import ANSWERS, PRINTS, VAT, TinyHub, recorded, tiny_hub

SECRET = "abcdefgh12345678"
PROGRAM = [sys.executable, "-c",
           "import sys; from hub_plugins.bitrix.simulator import main; sys.exit(main(sys.argv[1:]))",
           "--port", "0", "--secret", SECRET, "--patience", "5"]


@pytest.fixture(scope="module")
def utf8() -> Iterator[Running]:
    with running(PROGRAM) as made:
        yield made


@pytest.fixture
def hub() -> Iterator[TinyHub]:
    with tiny_hub(config_key="invented-secret") as made:
        yield made


@pytest.fixture
def site(utf8: Running, hub: TinyHub) -> Running:
    """The one process, told to print to this test's hub; its checks stay, their numbers go on."""
    configure(utf8, hub)
    return utf8


def configure(site: Running, hub: TinyHub, **more: Any) -> None:
    site.do("configure", print_url=f"{hub.context.address}/print", check_url=f"{hub.context.address}/check", **more)


def check(site: Running, number: int) -> dict[str, Any]:
    row: dict[str, Any] = next(one for one in site.state()["checks"] if one["ID"] == number)
    return row


@pytest.mark.parametrize("case", [one["case"] for one in PRINTS])
def test_from_order_to_printed_as_it_was_recorded(site: Running, hub: TinyHub, case: str) -> None:
    """Check made, printed, polled: the site ends with the row that a real one stored for the same exchange."""
    made = site.do("create_check", case=case)
    assert made["STATUS"] == "P" and made["EXTERNAL_UUID"].startswith(f"hub-{made['ID']}-")
    [view] = hub.drain()
    site.do("ask", number=made["ID"])
    assert check(site, made["ID"])["STATUS"] == "P", "not printed yet: WAIT"
    hub.settle(view.key)
    site.do("ask", number=made["ID"])
    row, real = check(site, made["ID"]), recorded(case)["stored"]
    assert row["STATUS"] == real["STATUS"] == "Y"
    assert {**row["LINK_PARAMS"], "doc_time": real["LINK_PARAMS"]["doc_time"]} == real["LINK_PARAMS"]
    assert row["LINK_PARAMS"]["doc_time"] == 1795176000 and row["exception"] is None


def test_the_wire_is_the_recorded_one(site: Running, hub: TinyHub) -> None:
    """Head and body of PRINT_URL as a real site sends them: no port in Host, no User-Agent."""
    site.do("create_check", case="sell-one-line", at=1795168778)
    [request] = hub.seen
    theirs = {name.lower(): value for name, value in recorded("sell-one-line")["exchanges"][0]["request"]["headers"]}
    assert dict(request.headers) == {**theirs, "content-length": str(len(request.body))}


def test_a_push_reaches_a_site_that_never_polls(site: Running, hub: TinyHub) -> None:
    hub.settings["rest_url"] = f"{site.url}/rest/1/{SECRET}/"
    made = site.do("create_check", case="sell-one-line")
    [view] = hub.drain()
    hub.source().report(Report(hub.settle(view.key), "dlv"))
    assert check(site, made["ID"])["STATUS"] == "Y"


def test_refused_then_printed_again(site: Running, hub: TinyHub) -> None:
    """The manager sees the reason, presses the button, the same receipt is printed."""
    made = site.do("create_check", case="sell-one-line")
    [view] = hub.drain()
    hub.settle(view.key, "refused", reason=Text("There is no paper.", "Кончилась бумага."))
    site.do("ask", number=made["ID"])
    failed = check(site, made["ID"])
    assert (failed["STATUS"], failed["ERROR_MESSAGE"]) == ("E", "Кончилась бумага.")
    again = site.do("print_again", number=made["ID"])
    assert (again["STATUS"], again["EXTERNAL_UUID"], again["sent"]) == ("P", made["EXTERNAL_UUID"], 2)
    site.do("ask", number=made["ID"])
    assert check(site, made["ID"])["STATUS"] == "P", "the old ending must not come through before the drain"
    [rearmed] = hub.drain()
    assert rearmed.key == view.key and not hub.conflicts
    hub.settle(view.key)
    site.do("ask", number=made["ID"])
    assert check(site, made["ID"])["STATUS"] == "Y"


def test_a_mended_check_is_the_same_receipt(site: Running, hub: TinyHub) -> None:
    """Refused at once for an unmatched rate; the manager corrects the goods' VAT and prints again."""
    hub.settings["vat"] = "3 = vat10"
    made = site.do("create_check", case="sell-card-delivery")
    assert made["STATUS"] == "E" and made["EXTERNAL_UUID"] is None and "НДС № 2" in made["ERROR_MESSAGE"]
    [view] = hub.drain()
    assert view.state == "invalid" and view.problems[0].code == "vat_unmapped"
    hub.settings["vat"] = VAT
    again = site.do("print_again", number=made["ID"])
    assert again["STATUS"] == "P"
    [mended] = hub.drain()
    assert (mended.key, mended.state) == (view.key, "queued")


def test_our_answer_was_lost_and_the_order_edited(site: Running, hub: TinyHub) -> None:
    """The site says E though the receipt is printed. Printing again must give that receipt, not a second one."""
    made = site.do("create_check", case="sell-card-delivery")
    [view] = hub.drain()
    hub.settle(view.key)
    site.do("break_off", number=made["ID"])
    assert check(site, made["ID"])["STATUS"] == "E"
    items = [{**one, "name": f"{one['name']} (новое имя)"} for one in hub_items(hub, view.key)]
    site.do("edit", number=made["ID"], fields={"items": items})
    again = site.do("print_again", number=made["ID"])
    assert again["EXTERNAL_UUID"] == made["EXTERNAL_UUID"]
    site.do("ask", number=made["ID"])
    assert check(site, made["ID"])["STATUS"] == "P", "nothing is said before both contents were compared"
    assert hub.drain() == [] and len(hub.conflicts) == 1, "the core keeps the other content as a conflict"
    hub.context.memory.clear()  # a quarter of a minute later
    site.do("ask", number=made["ID"])
    assert check(site, made["ID"])["STATUS"] == "P", "and not before a person has said what it is"
    hub.decide(view.key, another=False)
    site.do("ask", number=made["ID"])
    row = check(site, made["ID"])
    assert row["STATUS"] == "Y" and row["LINK_PARAMS"]["fiscal_doc_number"] == "512"


def hub_items(hub: TinyHub, key: str) -> list[dict[str, Any]]:
    from hub_plugins.bitrix.simulated_checks import CASES, content
    assert key in hub.orders
    items: list[dict[str, Any]] = content(CASES["sell-card-delivery"])["items"]
    return items


def test_a_restored_site_gives_old_numbers_to_new_checks(site: Running, hub: TinyHub) -> None:
    made = site.do("create_check", case="sell-one-line")
    [first] = hub.drain()
    hub.settle(first.key)
    site.do("ask", number=made["ID"])
    other = site.do("restore", number=made["ID"], case="vat22-prepayment")
    assert other["ID"] == made["ID"] and other["EXTERNAL_UUID"] != made["EXTERNAL_UUID"]
    [second] = hub.drain()
    assert second.key != first.key and not hub.conflicts
    site.do("ask", number=other["ID"])
    assert check(site, other["ID"])["STATUS"] == "P", "the first check's result is not the second's"


def test_a_restored_site_gives_a_number_to_another_check_of_the_same_sum(site: Running, hub: TinyHub) -> None:
    """Nothing in its identity tells them apart, but the buyer and the goods do: a person says what it is, and the site
    is told the receipt of the one it asks for."""
    made = site.do("create_check", case="sell-one-line")
    [first] = hub.drain()
    hub.settle(first.key)
    site.do("ask", number=made["ID"])
    assert check(site, made["ID"])["STATUS"] == "Y"
    site.do("restore", number=made["ID"], case="sell-one-line")
    from hub_plugins.bitrix.simulated_checks import CASES, content
    [line] = content(CASES["sell-one-line"])["items"]
    site.do("break_off", number=made["ID"])
    site.do("edit", number=made["ID"], fields={"items": [{**line, "name": "Совсем другой товар"}]})
    site.do("print_again", number=made["ID"])
    hub.drain()
    hub.context.memory.clear()
    site.do("ask", number=made["ID"])
    assert check(site, made["ID"])["STATUS"] == "P" and len(hub.conflicts) == 1
    hub.decide(first.key, another=True)
    site.do("ask", number=made["ID"])
    assert check(site, made["ID"])["LINK_PARAMS"]["fiscal_doc_number"] == "900"


def test_a_check_that_the_poll_way_took_is_not_printed_by_this_one(site: Running, hub: TinyHub) -> None:
    """The site moved it (§6.8), or the owner changed the way. The poll way knows no prepayments, so its key differs."""
    from hub_plugins.bitrix import wire

    made = site.do("create_check", case="fullprepayment")
    [event] = hub.inbox
    fields = fields_in(event)
    assert fields is not None
    own = wire.CheckId.of(fields)
    other = wire.plainly(own, fields)
    assert other.key != own.key
    hub.orders[other.key] = Order(other.key, made["ID"], (), (Payment(Form.ELECTRONIC, Money(178100, "RUB")),))
    hub.context.receipts[other.key] = ReceiptView(other.key, "queued", "r", origin={"zn": "001", "print": "f00d"})
    fetched = hub.source().fetch(event)
    assert isinstance(fetched, NoOrder) and "опросом" in fetched.reason.say("ru")
    hub.context.waiting.discard(event.subject)  # as the core does with an event that makes no order
    site.do("ask", number=made["ID"])
    assert check(site, made["ID"])["STATUS"] == "P"
    hub.settle(other.key, number=77)
    site.do("ask", number=made["ID"])
    assert check(site, made["ID"])["LINK_PARAMS"]["fiscal_doc_number"] == "77"


def test_database_away(site: Running, hub: TinyHub) -> None:
    """The request is spooled, the check waits; when the database is back, it is printed under the same UUID."""
    hub.database = False
    made = site.do("create_check", case="sell-one-line")
    assert made["STATUS"] == "P" and made["EXTERNAL_UUID"]
    site.do("ask", number=made["ID"])
    assert check(site, made["ID"])["STATUS"] == "P"
    spooled = next(one for one in hub.seen if one.path.endswith("/print"))
    hub.database = True
    hub.inbox += hub.source().receive(spooled).events
    [view] = hub.drain()
    hub.settle(view.key)
    site.do("ask", number=made["ID"])
    assert check(site, made["ID"])["STATUS"] == "Y"


def test_switched_off_and_wrong_addresses_do_no_harm(site: Running, hub: TinyHub) -> None:
    made = site.do("create_check", case="sell-one-line")
    hub.enabled = False
    site.do("ask", number=made["ID"])
    assert check(site, made["ID"])["STATUS"] == "P"
    refused = site.do("create_check", case="sell-one-line")
    assert refused["STATUS"] == "E" and "выключено" in refused["ERROR_MESSAGE"]
    wrong = hub.context.address.replace("token", "guess")
    site.do("configure", print_url=f"{wrong}/print", check_url=f"{wrong}/check")
    site.do("ask", number=made["ID"])
    assert check(site, made["ID"])["STATUS"] == "P"
    assert "адрес печати" in site.do("create_check", case="sell-one-line")["ERROR_MESSAGE"]


def test_a_register_with_a_wrong_key(site: Running, hub: TinyHub) -> None:
    configure(site, hub, key="guessed")
    made = site.do("create_check", case="sell-one-line")
    assert made["STATUS"] == "E" and "ключ" in made["ERROR_MESSAGE"] and hub.inbox == []


def test_http_1_0(site: Running, hub: TinyHub) -> None:
    configure(site, hub, http_version="1.0")
    made = site.do("create_check", case="sell-one-line")
    assert made["STATUS"] == "P" and made["EXTERNAL_UUID"]


def test_without_ffd105_only_plain_checks_exist(site: Running, hub: TinyHub) -> None:
    configure(site, hub, ffd105="N")
    with pytest.raises(RuntimeError, match="FFD"):
        site.do("create_check", case="fullprepayment")
    assert site.do("create_check", case="sell-one-line")["STATUS"] == "P"


def test_the_hub_is_gone(site: Running, hub: TinyHub) -> None:
    """Why CHECK_URL must be there: a refused connection marks the check as printed, with nothing in it."""
    made = site.do("create_check", case="sell-one-line")
    hub.server.shutdown()
    hub.server.server_close()
    site.do("ask", number=made["ID"])
    row = check(site, made["ID"])
    assert row["STATUS"] == "Y" and "fn_number" not in row["LINK_PARAMS"]
    assert site.do("create_check", case="sell-one-line")["STATUS"] == "E"


def test_set_up_through_rest_and_print() -> None:
    """Nothing configured by hand: the hub registers itself, and the site's checks come."""
    with running(PROGRAM) as site, tiny_hub(
            config_key="k-e-y", register_email="kassa@shop.example", rest_url=f"{site.url}/rest/1/{SECRET}/") as hub:
        hub.source().setup()
        made = site.do("create_check", case="prepayment-30-percent")
        assert made["STATUS"] == "P"
        [view] = hub.drain()
        hub.source().report(Report(hub.settle(view.key), "dlv"))
        assert check(site, made["ID"])["STATUS"] == "Y"
        assert hub.orders[view.key].tags["check.register"] == hub.context.public_id


def test_cp1251_and_the_agent() -> None:
    """A site in windows-1251 whose agent runs by itself, and the five dead checks that starve a healthy one."""
    [recorded_] = [one for one in ANSWERS if one["answer"] == "five-dead-then-one-healthy"]
    with running([*PROGRAM, "--encoding", "cp1251"]) as site, tiny_hub(config_key="invented-secret") as hub:
        configure(site, hub)
        made = site.do("create_check", case="sell-card-delivery")
        [view] = hub.drain()
        assert hub.orders[view.key].lines[0].name == 'Футболка «Лето» <M> & "хлопок"'
        hub.settle(view.key)
        assert site.do("tick") == [made["ID"]]
        assert check(site, made["ID"])["STATUS"] == "Y" and site.do("tick") == []
        dead = [site.do("create_check", case="sell-one-line") for _ in range(5)]
        for one in dead:
            site.do("lose_uuid", number=one["ID"])
        healthy = site.do("create_check", case="sell-one-line")
        for view in hub.drain():
            hub.settle(view.key, number=600 + int(view.number))
        for _ in range(3):
            assert site.do("tick") == [one["ID"] for one in dead]
        row = check(site, healthy["ID"])
        assert (row["STATUS"], row["LINK_PARAMS"]) == (recorded_["status"], recorded_["link"]) == ("P", None)
        empty = [one for one in hub.seen if one.path == "/check" and not one.body]
        assert len(empty) == 15


def test_a_timed_agent() -> None:
    import time
    with running([*PROGRAM, "--tick", "0.05"]) as site, tiny_hub(config_key="invented-secret") as hub:
        configure(site, hub)
        made = site.do("create_check", case="sell-one-line")
        [view] = hub.drain()
        hub.settle(view.key)
        deadline = time.monotonic() + 10
        while check(site, made["ID"])["STATUS"] != "Y":
            assert time.monotonic() < deadline
            time.sleep(0.02)
