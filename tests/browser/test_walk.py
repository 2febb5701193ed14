"""What a shop owner does on the first day, with the keyboard only, in a real browser; and what phones see."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select

from hub.store import ReceiptRow, Register, SourceRow
from hub.store.receipts import view
from tests.browser.conftest import Visit
from tests.browser.shots import fill, pages
from tests.web.world import INN, PASSWORD

pytestmark = pytest.mark.browser


def printed(visit: Visit) -> None:
    """Prints the newest receipt, as a worker would."""
    world = visit.world
    with world.db.session() as session:
        row = session.scalars(select(ReceiptRow).order_by(ReceiptRow.id.desc())).first()
        register = session.scalars(select(Register)).one()
        assert row is not None
        from hub.store.receipts import whole_receipt

        receipt = whole_receipt(row.document or {}, None)
    world.db.submit(lambda connection: world.move(connection, row.id, "recorded", register, receipt))
    with world.db.read() as connection:
        assert view(connection, row.id) is not None


def test_from_the_link_to_the_receipt_with_the_keyboard_only(visit: Visit) -> None:
    page = visit.page
    visit.go(f"/setup/{visit.world.setup_token()}")
    visit.type_into("#f-name", "ООО «Ромашка»")
    visit.type_into("#f-tax_id", INN)
    visit.tab_to("#f-tax_system")
    page.keyboard.press("ArrowDown")
    visit.type_into("#f-login", "anna")
    visit.type_into("#f-password", PASSWORD)
    visit.press("button.primary")
    assert page.url.endswith("/start"), page.inner_text("main")
    with visit.world.db.session() as session:
        from hub.store import Organisation

        visit.world.organisation = session.scalars(select(Organisation)).one()

    visit.press('a[href="/registers/new"]')
    visit.press('a[href="/registers/new/till"]')
    visit.type_into("#s-address", "127.0.0.1:5555")
    visit.press("button.primary")
    assert page.inner_text("h1") == "Игрушечная касса"

    visit.press('nav a[href="/connectors"]')
    visit.press('a[href="/connectors/new/toy"]')
    visit.type_into("#s-host", "shop.example")
    visit.type_into("#s-key", "wrong!")
    visit.press('button[value="save"]')
    assert page.inner_text("#s-key-e") == "Ключ не подходит."
    assert page.input_value("#s-host") == "shop.example" and page.input_value("#s-key") == ""
    visit.type_into("#s-key", "right!")
    visit.press('button[value="save"]')
    assert "Сохранено." in page.inner_text("main")
    address = page.input_value("#address")
    assert re.fullmatch(rf"{re.escape(visit.address)}/in/toy/src_\w+/[\w-]+", address)

    visit.go("/try")
    visit.press("main button.primary")
    page.wait_for_selector("#try")
    assert "в очереди" in page.inner_text("#try")
    printed(visit)
    page.wait_for_selector("#try .state.green")
    assert "=1.00" in page.inner_text(".paper")
    visit.press("#try a.primary")
    assert page.locator(".paper-qr svg").count() == 1
    assert visit.hosts == {visit.address.removeprefix("http://")}, "the page talks to nobody else"
    # The browser itself reports the refused form (422); nothing else may complain.
    assert not [one for one in visit.complaints if "422" not in one], visit.complaints


def _log_in(visit: Visit) -> None:
    visit.go("/login")
    visit.page.fill("#f-login", "anna")
    visit.page.fill("#f-password", PASSWORD)
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_url(f"{visit.address}/")


@pytest.mark.parametrize("language", ["ru", "en"])
def test_nothing_overflows_on_a_phone(visit: Visit, language: str) -> None:
    ids = fill(visit.world.with_owner())
    visit.page.set_viewport_size({"width": 390, "height": 844})
    _log_in(visit)
    visit.go(f"/language/{language}?next=/")
    for name, path in pages(ids).items():
        visit.go(path)
        assert not visit.overflows(), name
        # What can be pressed is not hidden behind the bar at the bottom.
        last = visit.page.locator("main a:visible, main button:visible").last
        if last.count():
            assert visit.page.evaluate("""one => { one.scrollIntoView({block: "nearest"});
                const box = one.getBoundingClientRect();
                const hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
                return hit === null || one.contains(hit) || hit.contains(one); }""", last.element_handle()), name
    assert visit.hosts == {visit.address.removeprefix("http://")}
    assert not [one for one in visit.complaints if "404" not in one], visit.complaints


def test_the_template_is_shown_while_it_is_typed(visit: Visit) -> None:
    world = visit.world.with_owner()
    row = world.source()
    world.receipt(row, "queued")
    _log_in(visit)
    visit.go(f"/connectors/{row.public_id}/template")
    visit.page.fill("#template", "<line.name> для <customer>")
    visit.page.wait_for_selector("#preview li:has-text('Чай чёрный, 100 г для Анна Иванова')")
    visit.page.fill("#template", "<line.nam>")
    visit.page.wait_for_selector("#preview .error:has-text('<line.name>')")
    assert not visit.complaints


def test_the_address_is_copied_with_a_button(visit: Visit) -> None:
    row = visit.world.with_owner().source()
    _log_in(visit)
    visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.go(f"/connectors/{row.public_id}")
    visit.page.click('[data-copy="address"]')
    visit.page.wait_for_selector("button:has-text('Скопировано')")
    assert visit.page.evaluate("navigator.clipboard.readText()") == visit.address + visit.world.address(row)


def test_the_set_up_form_follows_the_country(visit: Visit) -> None:
    visit.go(f"/setup/{visit.world.setup_token()}")
    page = visit.page
    assert page.is_visible("#f-tax_system") and not page.is_visible("#f-vat-KZ")
    page.select_option("#f-country", "KZ")
    assert not page.is_visible("#f-tax_system") and page.is_visible("#f-vat-KZ") and not page.is_visible("#f-vat-RU")


def test_without_a_script_everything_still_works(chromium: Any, visit: Visit) -> None:
    world = visit.world.with_owner()
    receipt = world.receipt(world.source(), "queued")
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{visit.address}/receipts/{receipt}")
    page.fill("#f-login", "anna")
    page.fill("#f-password", PASSWORD)
    page.click("button.primary")
    assert page.url.endswith(f"/receipts/{receipt}")
    page.click("text=Отменить чек")
    assert "Чек отменён" in page.inner_text("main")
    page.goto(f"{visit.address}/connectors/new/toy")
    page.fill("#s-host", "shop.example")
    page.fill("#s-key", "right!")
    page.click('button[value="save"]')
    with world.db.session() as session:
        assert len(session.scalars(select(SourceRow)).all()) == 2
    context.close()


def test_lamps_say_their_figure_on_focus(visit: Visit) -> None:
    visit.world.with_owner().register(paper=False)
    _log_in(visit)
    visit.tab_to(".lamps .red")
    shown = visit.page.evaluate("getComputedStyle(document.activeElement, '::after').content")
    assert "вставьте ленту" in shown
