"""The list and its search, one receipt, and only the buttons that are safe in its state."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from sqlalchemy import insert, select

from hub.dispatch import actions
from hub.fiscal import FiscalRecord, Kind, Money, codec
from hub.store import (
    Buyer,
    Delivery,
    ForeignDocument,
    KeyConflict,
    RawRequest,
    ReceiptRow,
    SourceRow,
    table,
    utcnow,
)
from hub.web.receipts import masked, readable
from tests.web.world import STORAGE, World, post


def numbers(world: World, query: str) -> list[str]:
    """Order numbers that the list shows."""
    text = world.client().get(f"/receipts?{query}").text
    return re.findall(r'<td><a href="/receipts/rcp_\w+"><span class="clamp">([^<]+)</span>', text)


@pytest.fixture
def three(shop: World) -> World:
    """Three printed receipts and one that waits."""
    row, register = shop.source(), shop.register()
    olga = shop.order(number="A-17", buyer="Ольга Каренина", email="Olga@Example.com")
    shop.receipt(row, "confirmed", olga, register)
    shop.receipt(row, "recorded", shop.order(number="B-18", lines=[{"name": "Чай", "price": "1480.50"}]), register)
    shop.receipt(row, "queued", shop.order(number="C-19", phone="+7 (916) 123-45-67", email=""))
    return shop


@pytest.mark.parametrize(("query", "found"), [
    ("A-17", ["A-17"]), ("b-1", ["B-18"]), ("каренина", ["A-17"]), ("КАРЕНИНА", ["A-17"]), ("olga@example", ["A-17"]),
    ("102", ["B-18"]), ("№ 101", ["A-17"]), ("3000000102", ["B-18"]), ("1480,50", ["B-18"]), ("1 480.50 ₽", ["B-18"]),
    ("916 123-45-67", ["C-19"]), ("79161234567", ["C-19"]), ("%", []), ("_", []), ("нет такого", []), ("9" * 40, [])])
def test_one_field_finds_everything(three: World, query: str, found: list[str]) -> None:
    assert numbers(three, f"q={query}") == found


@pytest.mark.parametrize(("query", "found"), [
    ("", ["C-19", "B-18", "A-17"]), ("state=waiting", ["C-19"]), ("state=confirmed&days=1", ["A-17"]),
    ("state=person", []), ("state=nonsense", ["C-19", "B-18", "A-17"]), ("days=30", ["C-19", "B-18", "A-17"]),
    ("source=src_nobody", ["C-19", "B-18", "A-17"]), ("before=nonsense", ["C-19", "B-18", "A-17"])])
def test_filters_stand_in_the_address(three: World, query: str, found: list[str]) -> None:
    assert numbers(three, query) == found


def test_older_ones_follow_by_a_cursor_that_keeps_the_filters(shop: World) -> None:
    row = shop.source()
    for _ in range(53):
        shop.receipt(row, "queued")
    client = shop.client()
    first = client.get("/receipts?state=waiting").text
    older = re.search(r'href="(/receipts\?[^"]*before=\d+[^"]*)"', first)
    assert older is not None and "state=waiting" in older[1]
    second = client.get(older[1].replace("&amp;", "&")).text
    assert [text.count("<tr>") - 1 for text in (first, second)] == [50, 3]
    assert "before=" not in second


BUTTONS = {"approve": "/approve", "cancel": "/cancel", "retry": "/retry", "resolve": "/resolve", "return": "/return"}


@pytest.mark.parametrize("state", list(actions.SAFE))
def test_a_state_shows_only_its_safe_buttons(shop: World, state: str) -> None:
    register = shop.register()
    receipt = shop.receipt(shop.source(), "queued" if state == "accepted" else state, register=register)
    if state == "accepted":
        with shop.db.write() as session:
            session.get_one(ReceiptRow, shop.ids[receipt]).state = state
    text = shop.client().get(f"/receipts/{receipt}").text
    shown = {name for name, path in BUTTONS.items() if f'/receipts/{receipt}{path}"' in text}
    assert shown == actions.SAFE[state]


def state(world: World, receipt: str) -> str:
    """A receipt's state."""
    with world.db.session() as session:
        return session.get_one(ReceiptRow, world.ids[receipt]).state


def test_cancelling_and_being_too_late(shop: World) -> None:
    receipt = shop.receipt(shop.source(), "queued")
    client = shop.client()
    answer = post(client, f"/receipts/{receipt}/cancel", f"/receipts/{receipt}")
    assert "Чек отменён" in client.get(answer.location).text
    assert state(shop, receipt) == "cancelled"
    post(client, f"/receipts/{receipt}/cancel", "/settings/me")
    assert "За это время чек изменился" in client.get(f"/receipts/{receipt}").text


def test_a_refused_receipt_is_tried_again(shop: World) -> None:
    receipt = shop.receipt(shop.source(), "refused", register=shop.register())
    client = shop.client("ivan")
    page = client.get(f"/receipts/{receipt}").text
    assert "Кончилась бумага. Вставьте ленту и повторите." in page
    post(client, f"/receipts/{receipt}/retry", f"/receipts/{receipt}")
    assert state(shop, receipt) == "queued"
    assert "ivan" in client.get(f"/receipts/{receipt}").text


def test_an_invalid_receipt_says_why(shop: World) -> None:
    receipt = shop.receipt(shop.source(), "invalid")
    text = shop.client().get(f"/receipts/{receipt}").text
    assert "В заказе нет позиций, печатать нечего." in text and "Перечитать заказ" in text
    assert 'class="paper' not in text.replace('class="paper-side"', "")


def foreign(world: World, register_id: int, number: int, total: int) -> None:
    """A document of nobody in the storage."""
    fact = FiscalRecord(STORAGE, number, "555", utcnow(), Money(total), Kind.SALE)
    world.db.submit(lambda connection: connection.execute(insert(table(ForeignDocument)).values(
        organisation_id=world.org.id, register_id=register_id, storage_number=STORAGE, document_number=number,
        what="receipt", total=total, document={"at": fact.printed_at.isoformat(), "kind": "SALE", "sign": "555",
                                               "lines": [["Чай с прилавка", total]],
                                               "record": codec.envelope(fact)},
        public_id=f"fgn_{number}", created_at=utcnow(), row_version=1)))


def test_an_uncertain_receipt_is_bound_to_the_document_that_a_person_chooses(shop: World) -> None:
    register = shop.register()
    receipt = shop.receipt(shop.source(), "uncertain", register=register)
    foreign(shop, register.id, 512, 148_000)
    foreign(shop, register.id, 513, 99_900)
    client, path = shop.client(), f"/receipts/{receipt}"
    text = client.get(path).text
    assert 'value="512"' in text and 'value="513"' in text and text.count("та же сумма") == 1
    assert "Чай чёрный, 100 г" in text and "Чай с прилавка — 1\u202f480,00" in text, "ours beside theirs, line by line"
    answer = post(client, f"{path}/resolve", path, document="512")
    assert answer.status_code == 422 and "Скажите, откуда вы это знаете" in answer.text
    assert state(shop, receipt) == "uncertain"
    answer = post(client, f"{path}/resolve", path, document="999", why="на ленте")
    assert "нет свободного чека № 999" in client.get(answer.location).text
    post(client, f"{path}/resolve", path, document="512", why="Чек 512 на ленте, 14:05")
    assert state(shop, receipt) == "recorded"
    assert "Чек 512 на ленте, 14:05" in client.get(path).text


def test_the_number_on_the_tape_may_be_typed(shop: World) -> None:
    register = shop.register()
    receipt = shop.receipt(shop.source(), "uncertain", register=register)
    foreign(shop, register.id, 512, 148_000)
    client, path = shop.client(), f"/receipts/{receipt}"
    post(client, f"{path}/resolve", path, decision="number", number="512", why="на ленте")
    assert state(shop, receipt) == "recorded"


@pytest.mark.parametrize("number", ["", "12a", "-5", "9" * 30, "1.5"])
def test_a_document_number_is_digits(shop: World, number: str) -> None:
    receipt = shop.receipt(shop.source(), "uncertain", register=shop.register())
    client, path = shop.client(), f"/receipts/{receipt}"
    answer = post(client, f"{path}/resolve", path, decision="number", number=number, why="на ленте")
    assert answer.status_code == 422 and "на ленте" in answer.text, "nothing that was typed is lost"
    assert post(client, f"{path}/resolve", path, document=number, why="x").status_code == 422
    assert state(shop, receipt) == "uncertain"


@pytest.mark.parametrize(("decision", "ends"), [("not_printed", "queued"), ("give_up", "cancelled")])
def test_what_was_not_printed_goes_again_or_is_cancelled_with_the_reason_kept(
        shop: World, decision: str, ends: str) -> None:
    receipt = shop.receipt(shop.source(), "uncertain", register=shop.register())
    client, path = shop.client(), f"/receipts/{receipt}"
    post(client, f"{path}/resolve", path, decision=decision, why="Ленту проверил Иван")
    assert state(shop, receipt) == ends
    text = client.get(path).text
    assert "Ленту проверил Иван" in text and "anna" in text
    assert any(role == "registers" for role, _ in shop.bell.rings) == (decision == "not_printed")
    post(client, f"{path}/resolve", "/settings/me", decision=decision, why="ещё раз")
    assert "За это время чек изменился" in client.get(path).text


def test_a_cashier_sees_both_and_decides_nothing(shop: World) -> None:
    register = shop.register()
    receipt = shop.receipt(shop.source(), "uncertain", register=register)
    foreign(shop, register.id, 512, 148_000)
    client, path = shop.client("ivan"), f"/receipts/{receipt}"
    text = client.get(path).text
    assert "Чай с прилавка" in text and 'value="512"' not in text and "Решает владелец" in text
    assert post(client, f"{path}/resolve", path, document="512", why="x").status_code == 403


def test_a_register_shows_its_documents_beside_ours(shop: World) -> None:
    register = shop.register()
    source = shop.source()
    shop.receipt(source, "recorded", shop.order(number="A-17"), register)
    doubt = shop.receipt(source, "uncertain", shop.order(number="B-18"), register)
    foreign(shop, register.id, 512, 148_000)
    client = shop.client("ivan")
    card = client.get(f"/registers/{register.public_id}").text
    text = client.get(f"/registers/{register.public_id}/documents").text
    for shown in (card, text):
        assert "A-17" in shown and "Чай с прилавка" in shown and shown.count("не из хаба</span>") == 1
    assert f"/receipts/{doubt}" in text and "после документа № 101" in text
    older = client.get(f"/registers/{register.public_id}/documents?before=512").text
    assert "A-17" in older and "Чай с прилавка" not in older
    assert client.get("/registers/reg_nobody/documents").status_code == 404


def test_a_receipt_that_waits_is_let_first_and_bound_to_a_register(shop: World) -> None:
    first, second = shop.register("Прилавок"), shop.register("Склад")
    receipt = shop.receipt(shop.source(), "queued")
    client, path = shop.client("ivan"), f"/receipts/{receipt}"
    assert "осталось" in client.get(path).text
    post(client, f"{path}/hurry", path, on="1")
    assert "пробьётся раньше других" in client.get(path).text
    post(client, f"{path}/pin", path, register=second.public_id)
    with shop.db.session() as session:
        row = session.get_one(ReceiptRow, shop.ids[receipt])
        assert (row.pinned_register_id, row.priority) == (second.id, 50)
    text = client.get(path).text
    assert f'value="{second.public_id}" selected' in text and "закрепил чек" in text
    post(client, f"{path}/pin", path, register="")
    post(client, f"{path}/hurry", path, on="")
    assert post(client, f"{path}/pin", path, register="reg_nobody").status_code == 404
    with shop.db.session() as session:
        row = session.get_one(ReceiptRow, shop.ids[receipt])
        assert (row.pinned_register_id, row.priority) == (None, 100)
    assert first.id != second.id and ("registers", f"queue:{row.queue_id}") in shop.bell.rings


# -- returns ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def sold(shop: World) -> tuple[World, str]:
    """A printed receipt of two lines."""
    order = shop.order(lines=[{"name": "Чай", "price": "740.00", "quantity": "2"},
                              {"name": "Кофе", "price": "1290.50", "quantity": "0.75"}])
    return shop, shop.receipt(shop.source(), "confirmed", order, shop.register())


def test_a_return_by_lines_and_quantities(sold: tuple[World, str]) -> None:
    shop, receipt = sold
    client, path = shop.client("ivan"), f"/receipts/{receipt}/return"
    answer = post(client, path, q0="1", q1="0", form="CASH")
    assert answer.status_code == 302
    text = client.get(answer.location).text
    assert "возврат прихода" in text and "740,00" in text and "Возврат по чеку" in text
    assert actions.returnable(shop.db, shop.org.id, shop.ids[receipt]) == [Decimal(1), Decimal("0.75")]
    assert "можно вернуть: 1<" in client.get(path).text.replace("</span>", "<")


@pytest.mark.parametrize(("typed", "words"), [
    ({"q0": "3"}, "Вернуть можно не больше 2."), ({"q0": "-1"}, "Вернуть можно не больше 2."),
    ({"q0": "много"}, "Введите число"), ({"q1": "0.7600001"}, "Введите число"), ({}, "Выберите хотя бы одну позицию"),
    ({"q0": "0"}, "Выберите хотя бы одну позицию")])
def test_a_return_that_does_not_fit_says_where(sold: tuple[World, str], typed: dict[str, str], words: str) -> None:
    shop, receipt = sold
    answer = post(shop.client(), f"/receipts/{receipt}/return", **typed)
    assert answer.status_code == 422 and words in answer.text
    with shop.db.session() as session:
        assert session.scalars(select(ReceiptRow.id).where(ReceiptRow.base_id.is_not(None))).all() == []


def test_what_is_not_printed_cannot_be_returned(shop: World) -> None:
    receipt = shop.receipt(shop.source(), "queued")
    client = shop.client()
    assert client.get(f"/receipts/{receipt}/return").status_code == 302
    assert "За это время чек изменился" in client.get(f"/receipts/{receipt}").text


# -- paper, raw data, the public page --------------------------------------------------------------------------------


def test_paper_as_text_and_picture(shop: World) -> None:
    receipt = shop.receipt(shop.source(), "recorded", register=shop.register())
    client = shop.client()
    text = client.get(f"/receipts/{receipt}/paper.txt")
    assert text.mimetype == "text/plain" and "=1480.00" in text.text and "anna@example.com" in text.text
    assert client.get(f"/receipts/{receipt}/paper.png").data.startswith(b"\x89PNG")
    assert client.get(f"/receipts/{receipt}/paper.exe").status_code == 404
    invalid = shop.receipt(shop.source(), "invalid")
    assert client.get(f"/receipts/{invalid}/paper.png").status_code == 404


def test_the_public_page_shows_a_printed_receipt_without_its_buyer(shop: World) -> None:
    row, register = shop.source(), shop.register()
    receipt = shop.receipt(row, "recorded", register=register)
    stranger = shop.app.test_client()
    page = stranger.get(f"/r/{receipt}")
    assert page.status_code == 200 and "Чек на" in page.text and "3000000101" in page.text
    for personal in ("anna@example.com", "Анна", "Иванова"):
        assert personal not in page.text
    assert stranger.get(f"/r/{receipt}.png").data.startswith(b"\x89PNG")
    for other in ("queued", "invalid", "uncertain", "printing"):
        waiting = shop.receipt(row, other, register=register)
        assert stranger.get(f"/r/{waiting}").status_code == 404, other
    assert stranger.get("/r/rcp_aaaaaaaaaaaaaaaa").status_code == 404


def test_raw_data_is_shown_to_the_owner_with_secrets_masked(shop: World) -> None:
    row = shop.source()
    receipt = shop.receipt(row, "recorded", register=shop.register())
    address = shop.address(row).rsplit("/", 1)[1]
    with shop.db.write() as session:
        raw = session.scalars(select(RawRequest)).first()
        assert raw is not None
        raw.query = f"auth={address}&x=1"
        raw.body = b'{"order": "77", "deep": {"api_key": "right!"}, "token": "very-secret"}'
    text = shop.client().get(f"/receipts/{receipt}").text
    assert "Что прислал источник" in text and "&#34;77&#34;" in text
    for secret in (address, "right!", "very-secret"):
        assert secret not in text, secret


@pytest.mark.parametrize(("text", "shown"), [
    ("application_token=abcdef123&id=5", "application_token=••••••&id=5"),
    ('{"auth": {"application_token": "abcdef"}}', '{"auth": {"application_token": "••••••"}}'),
    ("auth[application_token]: abcdef", "auth[application_token]: ••••••"),
    ("password='qwerty12'", "password='••••••'"),
    ("designation=hello", "designation=hello"), ("stoken 5", "stoken 5")])
def test_what_is_called_a_secret_is_masked(text: str, shown: str) -> None:
    assert masked(text, []) == shown


@pytest.mark.parametrize(("body", "kind", "shown"), [
    (b'{"a":"\xd1\x8f"}', "", '{\n  "a": "я"\n}'), ("привет".encode("cp1251"), "", "привет"),
    (b"a=1&b=%D1%8F+x", "application/x-www-form-urlencoded", "a=1\nb=я x"), (b"{broken", "", "{broken"), (b"", "", "")])
def test_a_body_is_read_as_its_sender_meant_it(body: bytes, kind: str, shown: str) -> None:
    assert readable(body, kind) == shown


def test_a_receipt_outlives_its_buyer(shop: World) -> None:
    receipt = shop.receipt(shop.source(), "recorded", register=shop.register())
    with shop.db.write() as session:
        session.execute(table(Buyer).delete())
    text = shop.client().get(f"/receipts/{receipt}").text
    assert "стёрт по истечении срока" in text and "anna@example.com" not in text


def test_deliveries_and_contradictions_are_told(shop: World) -> None:
    row = shop.source()
    receipt = shop.receipt(row, "recorded", register=shop.register())
    with shop.db.write() as session:
        session.add(Delivery(organisation_id=shop.org.id, receipt_id=shop.ids[receipt], source_id=row.id,
                             target="source", about="recorded", state="pending", tries=3,
                             error={"en": "HTTP 502", "ru": "HTTP 502"}))
        have = session.get_one(ReceiptRow, shop.ids[receipt])
        session.add(KeyConflict(organisation_id=shop.org.id, receipt_id=have.id, content_hash="x",
                                order_data=have.order_data))
    client = shop.client()
    text = client.get(f"/receipts/{receipt}").text
    assert "источнику" in text and "попыток: 3" in text and "HTTP 502" in text
    assert "Тот же заказ пришёл с другим содержимым" in text
    conflict = re.search(r'action="(/receipts/\w+/conflicts/\w+)"', text)
    assert conflict is not None
    post(client, conflict[1], f"/receipts/{receipt}", another="1")
    text = client.get(f"/receipts/{receipt}").text
    assert "не хранится целиком" in text and conflict[1] in text, "no event to make it of: nothing is decided"
    post(client, conflict[1], f"/receipts/{receipt}")
    text = client.get(f"/receipts/{receipt}").text
    assert "Решено: та же оплата" in text and conflict[1] not in text


def test_the_sample_order_is_followed_to_its_end(shop: World) -> None:
    shop.register()
    client = shop.client()
    answer = post(client, "/try")
    assert answer.status_code == 302
    page = client.get(answer.location).text
    assert 'hx-trigger="every 1s"' in page and "Пробный чек" in page
    assert 'id="try"' in client.get(answer.location + "/now").text
    with shop.db.write() as session:
        session.execute(table(ReceiptRow).update().values(state="refused"))
    assert "hx-trigger" not in client.get(answer.location + "/now").text
    with shop.db.session() as session:
        assert session.scalars(select(SourceRow.plugin)).all() == ["manual"]
    assert "Хаб" not in client.get("/connectors").text, "the hub's own source is no connection"
