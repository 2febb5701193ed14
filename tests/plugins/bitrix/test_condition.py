"""What the source's page shows of a site, and its buttons."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hub_plugins.bitrix.book import MOST, Book
from hub_plugins.bitrix.simulated_checks import CASES, body, content, encoded
from hub_plugins.bitrix.simulated_site import CheckRow
from hub_plugins.bitrix.simulator import BitrixSite
from hub_plugins.bitrix.source import BitrixSource
from hub_plugins.bitrix.wire import CheckId

from hub.contracts import Event, NeedsAttention, NoOrder, ReceiptView, Report, load
from hub.fiscal import Money
from tests.plugins.bitrix.helpers import NOW, VAT, _Down, context, posted, print_request, record, said, source

SECRET = "abcdefgh12345678"
REGISTER = {"NUMBER_KKM": "KKM-1", "EMAIL": "kassa@shop.example", "SETTINGS": {}}


@pytest.fixture
def site() -> Iterator[BitrixSite]:
    made = BitrixSite(secret=SECRET)
    made.start()
    yield made
    made.stop()


def printed(case: str = "sell-one-line", number: int = 918, **more: Any) -> Any:
    return posted("/print", encoded(body({**content(CASES[case]), **more}, number, 1, "shop.example", REGISTER)))


def the_only(made: BitrixSource, words: str) -> str:
    """The action of the only finding, whose sentence holds ``words``."""
    [one] = made.state()
    for language in ("ru", "en"):
        assert "{" not in one.words.say(language) and one.button is not None and one.button.say(language)
    assert words in one.words.say("ru"), one.words.say("ru")
    return one.mend


def test_a_quiet_site_shows_nothing() -> None:
    made = source()
    made.receive(print_request("sell-one-line"))
    assert made.state() == ()
    with pytest.raises(LookupError):
        made.mend("burn:everything")


def test_checks_without_uuid_are_shown_and_starving_is_told_apart() -> None:
    now = [NOW]
    made = source(context(clock=lambda: now[0]))
    for _ in range(2):
        made.receive(posted("/check", ""))
        now[0] += timedelta(seconds=120)
    assert made.state()[0].colour == "amber"
    the_only(made, "без UUID (раз: 2")
    for _ in range(5):  # one run of the agent: nothing but dead ones
        made.receive(posted("/check", ""))
    assert made.state()[0].colour == "red"
    action = the_only(made, "стоят за мёртвыми")
    assert "Убрано" in made.mend(action).say("ru") and made.state() == ()
    made.mend(action)  # mended already: no error


def test_an_empty_check_of_a_deleted_order_is_shown() -> None:
    made = source()
    answer = said(made.receive(printed(items=[], payments=[], total_sum="0")).answer)
    assert list(answer) == ["ERRORS"]
    made.mend(the_only(made, "Чек 918 сайта пуст"))
    assert made.state() == ()


def test_a_printed_check_that_the_site_does_not_know(site: BitrixSite) -> None:
    lent = context()
    made = source(lent, rest_url=f"{site.url}/rest/1/{SECRET}/")
    check = CheckId.of(body(content(CASES["sell-one-line"]), 918, 1, "shop.example", REGISTER))
    view = lent.receipts[check.key] = ReceiptView(check.key, "recorded", "R-1", record(Money(15000)))
    with pytest.raises(NeedsAttention):
        made.report(Report(view, "dlv", 8))
    action = the_only(made, "Чек 918 напечатан")
    with pytest.raises(NeedsAttention):
        made.mend(action)
    site.checks[918] = CheckRow(918, content(CASES["sell-one-line"]), "P", check.uuid)
    assert "результат на сайте" in made.mend(action).say("ru")
    assert site.checks[918].status == "Y" and made.state() == ()
    with pytest.raises(LookupError):
        made.mend("tell:check:1:unknown")


def test_prints_for_a_connection_of_another_way_are_refused_and_shown() -> None:
    for way in ("orders", "poll"):
        lent = context()
        made = source(lent, way=way)
        reception = made.receive(printed())
        assert "касса REST" in said(reception.answer)["ERRORS"][0] and not reception.events and reception.ignored
        made.mend(the_only(made, "работает иначе"))
        check = CheckId.of(body(content(CASES["sell-one-line"]), 918, 1, "shop.example", REGISTER))
        lent.receipts[check.key] = ReceiptView(check.key, "recorded", "R-1", record(Money(15000)))
        assert said(made.receive(printed()).answer) == {"UUID": check.uuid}, "taken before the change: told to the end"
        assert said(made.receive(posted("/check", f"uuid={check.uuid}")).answer)["STATUS"] == "DONE"


def test_an_order_is_read_again_at_a_persons_wish(site: BitrixSite) -> None:
    lent = context()
    made = BitrixSource(load(BitrixSource.settings, {
        "way": "orders", "rest_url": f"{site.url}/rest/1/{SECRET}/", "vat": VAT}), lent)
    cursor = made.poll("").cursor
    order = site.do_order("add")["id"]
    payment = site.do_order("pay", order=order)["id"]
    site.orders.orders[order]["price"] = 1
    with pytest.raises(Exception, match="1,00"):
        made.fetch(Event(f"order:{order}", "saved"))
    made.mend(the_only(made, f"Заказ 2026/{order}"))
    wished = [one for one in made.poll(cursor).events if one.kind == "again"]
    assert [one.subject for one in wished] == [f"order:{order}"]
    site.orders.orders[order]["price"] = 1781
    assert not isinstance(made.fetch(wished[0]), NoOrder) and payment
    assert made.state() == () and not [one for one in made.poll(cursor).events if one.kind == "again"]
    with pytest.raises(LookupError):
        made.mend("read:sums:x")


def test_the_book_is_bounded_and_never_stops_an_answer() -> None:
    lent = context()
    book = Book(lent)
    for number in range(MOST + 20):
        book.note("gone", f"check:{number}:x", number=number)
    assert len(book.entries()) == MOST and book.entries()[-1].facts["number"] == str(MOST + 19)
    lent.memory["findings"] = ("{half", None)
    assert book.entries() == []
    down = source(_Down())
    assert said(down.receive(posted("/check", "")).answer) == {"STATUS": "WAIT"} and down.state() == ()


def test_two_connections_of_one_site_are_known_by_its_name() -> None:
    hook = f"https://www.shop.example/rest/1/{SECRET}/"
    assert source(rest_url=hook).serves() == source(way="orders", rest_url=hook.replace("www.", "")).serves()
    assert source().serves() == "" and source(rest_url=hook).serves() == "shop.example"
    assert source(rest_url=hook.replace("shop.example", "shop.example:8443")).serves() == "shop.example:8443"
