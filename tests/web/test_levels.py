"""Settings of receipts on the page: what each level says, what it inherits and from whom; returns that wait."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select

from hub import house_rules, office
from hub.fiscal import Cashier, Kind, Method, Rounding, Subject, TaxSystem
from hub.fiscal.levels import Settings
from hub.store import Audit, Organisation, Picture, ReceiptRow, Register, SourceRow, fiscal
from tests.web.world import PASSWORD, World, post, token

COMPANY = {"name": "ООО «Ромашка»", "tax_system": "OSN", "default_vat": "vat22", "zone": "Europe/Moscow",
           "settlement_place": "https://shop.example", "sender_email": "", "ffd": "1.05", "internet": "1"}
#: The organisation's own fields of this form, as a browser sends them.
MORE = {"method": "", "subject": "", "rounding": "", "settlement_address": "", "cashier": "", "cashier_inn": "",
        "approve_returns": "", "advertising": ""}


def said(shop: World, model: Any, row_id: int) -> Settings:
    """What a row says now."""
    with shop.db.session() as session:
        return fiscal.opened(session.get_one(model, row_id).fiscal)


def say(shop: World, model: Any, row_id: int, **values: Any) -> None:
    with shop.db.write() as session:
        house_rules.say(session, "test", session.get_one(model, row_id), Settings(**values))


def waiting(shop: World, number: str = "R-7") -> str:
    """A return of a source that waits for the owner: its public id."""
    say(shop, Organisation, shop.org.id, approve_returns=True)
    shop.app.extensions["hub"].sources.forget()
    with shop.db.session() as session:
        shop.organisation = session.get_one(Organisation, shop.org.id)
    return shop.receipt(shop.source(), "accepted", replace(shop.order(number=number), kind=Kind.SALE_RETURN))


def state(shop: World, public_id: str) -> str:
    with shop.db.session() as session:
        return session.scalars(select(ReceiptRow.state).where(ReceiptRow.public_id == public_id)).one()


# -- the organisation ------------------------------------------------------------------------------------------------


def test_the_organisation_says_what_all_receipts_say(shop: World) -> None:
    client = shop.client()
    values = {**COMPANY, **MORE, "method": "FULL_PREPAYMENT", "subject": "SERVICE", "rounding": "down",
              "settlement_address": "101000, Москва", "cashier": "Иванова И. И.", "cashier_inn": "500100732259",
              "approve_returns": "1", "advertising": "Спасибо за покупку\r\nЖдём вас"}
    assert post(client, "/settings/organisation", **values).status_code == 302
    assert said(shop, Organisation, shop.org.id) == Settings(
        method=Method.FULL_PREPAYMENT, subject=Subject.SERVICE, rounding=Rounding.DOWN,
        settlement_address="101000, Москва", cashier=Cashier("Иванова И. И.", "500100732259"), approve_returns=True,
        advertising="Спасибо за покупку\nЖдём вас")
    page = client.get("/settings/organisation").text
    for text in ('<option value="FULL_PREPAYMENT" selected>', '<option value="SERVICE" selected>', "Иванова И. И.",
                 "101000, Москва", "Ждём вас"):
        assert text in page, text
    assert post(client, "/settings/organisation", **COMPANY, **MORE).status_code == 302
    assert said(shop, Organisation, shop.org.id) == Settings(), "emptied fields say nothing"
    assert "Если не задано: Полный расчёт, как обычно." in client.get("/settings/organisation").text


@pytest.mark.parametrize(("wrong", "words"), [
    ({"cashier": "Иванова", "cashier_inn": "1"}, "двенадцать цифр с контрольными"),
    ({"subject": "nonsense"}, "Выберите из списка"), ({"rounding": "total"}, "так не округляют"),
    ({"advertising": "а\n" * 9}, "Не больше 8 строк"), ({"sender_email": "nobody"}, "Это не адрес почты")])
def test_nothing_is_lost_when_the_organisation_cannot_be_saved(shop: World, wrong: dict[str, str],
                                                               words: str) -> None:
    client = shop.client()
    answer = post(client, "/settings/organisation", **{
        **COMPANY, **MORE, "name": "ООО «Лютик»", "settlement_address": "Тверь", **wrong})
    assert answer.status_code == 422 and words in answer.text
    assert 'value="ООО «Лютик»"' in answer.text and 'value="Тверь"' in answer.text
    assert said(shop, Organisation, shop.org.id) == Settings()
    with shop.db.session() as session:
        assert session.get_one(Organisation, shop.org.id).name == "ООО «Ромашка»", "all of the form or nothing"


def test_kazakhstan_is_asked_what_its_law_asks(world: World) -> None:
    page = world.with_owner(country="KZ").client().get("/settings/organisation").text
    assert "итог до целых тенге" in page and "до целых рублей" not in page
    assert 'name="tax_system"' not in page and 'name="settlement_address"' not in page


def png(width: int = 40, height: int = 20) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "navy").save(out, "PNG")
    return out.getvalue()


def upload(client: Any, content: bytes, **form: str) -> Any:
    return client.post("/settings/logo", data={"csrf_token": token(client, "/settings/organisation"),
                                               "logo": (io.BytesIO(content), "logo.png"), **form},
                       content_type="multipart/form-data", follow_redirects=True)


def test_a_logo_stands_in_the_page_and_has_no_address(shop: World) -> None:
    client = shop.client()
    page = upload(client, png()).text
    (shown,) = re.findall(r'<img alt="" src="data:image/png;base64,([^"]+)"', page)
    with shop.db.session() as session:
        assert session.scalars(select(Picture.content)).one() == base64.b64decode(shown)
    assert "Это не картинка" in upload(client, b"<svg onload=alert(1)>").text
    assert shown in client.get("/settings/organisation").text, "a wrong file leaves the old one"
    receipt = shop.receipt(shop.source(), "recorded", register=shop.register())
    assert shown in shop.app.test_client().get(f"/r/{receipt}").text
    assert shown in client.get(f"/receipts/{receipt}").text
    assert shop.app.test_client().get("/settings/logo").status_code in (302, 405)
    gone = post(client, "/settings/logo", "/settings/organisation", drop="1")
    assert gone.status_code == 302 and shown not in client.get("/settings/organisation").text


# -- a connection ----------------------------------------------------------------------------------------------------


def test_a_connection_shows_what_it_inherits_and_says_its_own(shop: World) -> None:
    row, client = shop.source(), shop.client()
    say(shop, Organisation, shop.org.id, subject=Subject.SERVICE, cashier=Cashier("Иванова И. И."))
    here = f"/connectors/{row.public_id}"
    page = client.get(here).text
    assert "Если не задано: Услуга, из настроек организации." in page
    assert "Если пусто: Иванова И. И., из настроек организации." in page
    assert "Всё как у организации" in page and "<details><summary>Всё" in page, "folded until it is wanted"
    answer = post(client, f"{here}/receipts", here, tax_system="PATENT", internet="0", approve_returns="1",
                  advertising="Спасибо", cashier="")
    assert answer.status_code == 302 and answer.location.endswith("#receipt-settings")
    assert said(shop, SourceRow, row.id) == Settings(tax_system=TaxSystem.PATENT, internet=False, approve_returns=True,
                                                     advertising="Спасибо")
    page = client.get(here).text
    assert "Задано здесь: 4" in page
    assert '<option value="PATENT" selected>' in page and '<option value="0" selected>нет' in page


def test_nothing_is_lost_when_a_connection_cannot_be_saved(shop: World) -> None:
    row, client = shop.source(), shop.client()
    here = f"/connectors/{row.public_id}"
    answer = post(client, f"{here}/receipts", here, sender_email="nobody", cashier="<b>И</b>", vat="vat18")
    assert answer.status_code == 422 and "<details open>" in answer.text
    assert "Это не адрес почты" in answer.text and "действующих сегодня" in answer.text
    assert 'value="&lt;b&gt;И&lt;/b&gt;"' in answer.text and "<b>И</b>" not in answer.text
    assert said(shop, SourceRow, row.id) == Settings()


def test_a_connection_says_what_its_registers_overrule(shop: World) -> None:
    row, client = shop.source(), shop.client()
    one, two = shop.register("Прилавок", shift_open=False), shop.register("Склад", shift_open=False)
    for till in (one, two):
        say(shop, Register, till.id, cashier=Cashier("Петров П. П."))
    page = client.get(f"/connectors/{row.public_id}").text
    assert "Кассир: касса говорит «Петров П. П.», и это главнее." in page
    say(shop, Register, two.id, cashier=Cashier("Сидоров С. С."))
    page = client.get(f"/connectors/{row.public_id}").text
    assert "это главнее" not in page and "Кассы очереди говорят разное («Кассир»)" in page
    page = client.get(f"/registers/{one.public_id}").text
    assert "Для чеков очереди «Чеки» не действует: её кассы говорят разное" in page


# -- a register ------------------------------------------------------------------------------------------------------


def test_a_register_says_where_it_stands_and_not_what_is_sold(shop: World) -> None:
    row, client = shop.register(shift_open=False), shop.client()
    here = f"/registers/{row.public_id}"
    page = client.get(here).text
    assert 'name="settlement_place"' in page and 'name="cashier"' in page
    for name in ("vat", "method", "subject", "rounding", "approve_returns", "advertising"):
        assert f'name="{name}"' not in page, name
    answer = post(client, f"{here}/receipts", here, settlement_place="ул. Ленина, 1", electronic_only="0", vat="none")
    assert answer.status_code == 302
    assert said(shop, Register, row.id) == Settings(settlement_place="ул. Ленина, 1", electronic_only=False)
    assert post(client, f"{here}/receipts", here, sender_email="x").status_code == 422
    cashier = shop.client("ivan").get(here).text
    assert 'name="settlement_place"' not in cashier, "a cashier works with it and sets nothing"


# -- who may ---------------------------------------------------------------------------------------------------------


def doors(shop: World) -> list[str]:
    receipt = waiting(shop)
    with shop.db.session() as session:
        source = session.scalars(select(SourceRow.public_id)).first()
    return ["/settings/logo", f"/connectors/{source}/receipts", f"/registers/{shop.register().public_id}/receipts",
            f"/receipts/{receipt}/approve", f"/receipts/{receipt}/reject"]


def test_only_owners_with_their_token_change_anything(shop: World) -> None:
    paths = doors(shop)
    nobody, cashier, owner = shop.app.test_client(), shop.client("ivan"), shop.client()
    with shop.db.write() as session:
        other = office.create_organisation(session, "test", name="ИП Чужой", country="RU", tax_id="500100732259",
                                           tax_system="PATENT")
        office.create_user(session, "test", other.id, "stranger", PASSWORD)
    stranger = shop.client("stranger")
    for path in paths:
        values = {"why": "нет", "advertising": "взлом", "settlement_place": "взлом"}
        assert owner.post(path, data=values).status_code == 400, path
        assert post(nobody, path, "/login", **values).status_code == 302, path
        assert post(cashier, path, "/settings/me", **values).status_code == 403, path
        if path != "/settings/logo":
            assert post(stranger, path, "/settings/me", **values).status_code == 404, path
        assert owner.get(path).status_code == 405, path
    receipt = paths[-1].split("/")[2]
    assert state(shop, receipt) == "accepted"
    with shop.db.session() as session:
        assert "взлом" not in str([one.fiscal for model in (SourceRow, Register) for one in session.scalars(
            select(model))])


# -- returns that wait -----------------------------------------------------------------------------------------------


def test_a_return_that_waits_is_seen_and_approved(shop: World) -> None:
    receipt, client = waiting(shop), shop.client()
    today = client.get("/").text
    assert re.search(r"Возврат на 1.480,00.₽ ждёт одобрения \(заказ R-7\)", today) and "Посмотреть и решить" in today
    cashier = shop.client("ivan")
    assert "пока его не одобрит владелец" in cashier.get("/").text
    seen = cashier.get(f"/receipts/{receipt}").text
    assert "Попросите владельца посмотреть" in seen and "/approve" not in seen
    assert "ждёт одобрения" in client.get("/receipts?state=person").text
    here = f"/receipts/{receipt}"
    page = client.get(here).text
    assert "Этот возврат ждёт одобрения владельца" in page and "Возврат ждёт одобрения владельца." in page
    done = post(client, f"{here}/approve", here)
    assert done.status_code == 302 and state(shop, receipt) == "queued"
    assert [one for one in shop.bell.rings if one[0] == "registers" and one[1].startswith("queue:")]
    page = client.get(here).text
    assert "Владелец одобрил возврат" in page and "Одобрено. Возврат в очереди." in page
    assert "ждёт одобрения" not in client.get("/").text
    again = post(client, f"{here}/reject", here, why="поздно")
    assert again.status_code == 302 and state(shop, receipt) == "queued"
    assert "За это время чек изменился" in client.get(here).text
    assert "возврат одобрен" in client.get("/settings/audit").text


def test_a_return_is_rejected_with_a_reason(shop: World) -> None:
    receipt, client = waiting(shop), shop.client()
    here = f"/receipts/{receipt}"
    post(client, f"{here}/reject", here, why="  ")
    assert state(shop, receipt) == "accepted" and "Напишите, почему" in client.get(here).text
    post(client, f"{here}/reject", here, why="Товар <b>не вернули</b>")
    page = client.get(here).text
    assert state(shop, receipt) == "cancelled"
    assert "Владелец отклонил возврат: Товар &lt;b&gt;не вернули&lt;/b&gt;" in page
    with shop.db.session() as session:
        assert [one.actor for one in session.scalars(select(Audit).where(Audit.action == "return.reject"))] == [
            "user:anna"]


def test_a_cashiers_return_waits_and_the_owners_does_not(shop: World) -> None:
    say(shop, Organisation, shop.org.id, approve_returns=True)
    source, till = shop.source(), shop.register()
    for login, expected, words in (("ivan", "accepted", "Возврат ждёт одобрения владельца."),
                                   ("anna", "queued", "Возврат в очереди.")):
        sale = shop.receipt(source, "recorded", register=till)
        client = shop.client(login)
        answer = post(client, f"/receipts/{sale}/return", q0="1", form="ELECTRONIC")
        assert answer.status_code == 302
        assert state(shop, answer.location.rsplit("/", 1)[1]) == expected
        assert words in client.get(answer.location).text
