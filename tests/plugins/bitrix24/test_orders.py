"""A paid deal becomes the right order, to the kopeck."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from hub.contracts import NeedsAttention
from hub.fiscal import Country, Form, Invalid, Measure, Method, Money, Subject, Terms
from hub.testing.simulator import Running
from tests.plugins.bitrix24.support import CONTACT, ROWS, SUM, TERMS, desk, receipt_of


def test_paid_deal_becomes_its_receipt(sim: Running) -> None:
    here = desk(sim)
    deal = here.deal()
    order = here.order(deal)
    assert order.key == f"deal:{deal}:paid" and order.number == str(deal) and order.currency == "RUB"
    assert order.origin["deal"] == deal
    receipt = receipt_of(order)
    assert receipt.total == SUM == receipt.paid(Form.ELECTRONIC)
    coffee, delivery = receipt.lines
    assert (coffee.name, coffee.price, coffee.quantity, coffee.amount) == (
        "Кофе в зёрнах, 1 кг", Money(148_050), Decimal(2), Money(296_100))
    assert (coffee.vat, coffee.vat_amount, coffee.subject) == ("vat22", Money(53_395), Subject.COMMODITY)
    assert (delivery.amount, delivery.vat_amount, delivery.subject) == (Money(35_000), Money(6_311), Subject.SERVICE)
    assert coffee.method is Method.FULL_PAYMENT and coffee.measure is Measure.PIECE
    assert receipt.contact == "anna@example.org" and receipt.customer.name == "Ким Анна"
    assert order.settled_at is not None and order.settled_at.isoformat().startswith("2026-11-20T12:0")


def test_it_costs_one_request(sim: Running) -> None:
    here = desk(sim)
    deal = here.deal()
    here.order(deal)
    assert here.requests() == 1
    assert sim.state()["calls"] == {"crm.item.get": 3, "crm.item.productrow.list": 1}


def test_a_hundred_updates_are_one_order(sim: Running) -> None:
    here = desk(sim)
    deal = here.deal()
    first = here.order(deal)
    here.keep(first)
    sim.do("touch", deal=deal, times=100)
    assert here.order(deal) == first


def test_unpaid_deal_says_why(sim: Running) -> None:
    here = desk(sim)
    deal = here.deal(stage="EXECUTING")
    assert here.reason(deal) == f"Сделка {deal} ещё не оплачена: стадия EXECUTING."
    sim.do("move", deal=deal, stage="WON")
    assert here.order(deal).key == f"deal:{deal}:paid"


def test_moving_on_among_paid_stages_is_no_other_content(sim: Running) -> None:
    here = desk(sim, paid_stages=["C3:PREPAYMENT", "C3:WON"], stage_forms={"C3:WON": "cash"})
    deal = here.deal(stage="C3:PREPAYMENT")
    first = here.order(deal)
    here.keep(first)
    sim.do("move", deal=deal, stage="C3:WON")
    assert here.order(deal) == first and first.payments[0].form is Form.ELECTRONIC


@pytest.mark.parametrize(("rate", "key"), [(None, "none"), (0, "vat0"), (5, "vat5"), (7, "vat7"), (10, "vat10"),
                                           (22, "vat22"), ("22.00", "vat22")])
def test_vat_rates(sim: Running, rate: object, key: str) -> None:
    here = desk(sim)
    deal = here.deal([{"name": "Чай", "price": 100, "tax_rate": rate}])
    assert receipt_of(here.order(deal)).lines[0].vat == key


@pytest.mark.parametrize(("rate", "problem"), [(20, "vat_outdated"), (18, "vat_outdated"), (13, "vat_unknown"),
                                               ("16.67", "vat_unknown")])
def test_wrong_vat_is_said_by_the_core(sim: Running, rate: object, problem: str) -> None:
    here = desk(sim)
    order = here.order(here.deal([{"name": "Чай", "price": 100, "tax_rate": rate}]))
    with pytest.raises(Invalid) as caught:
        receipt_of(order)
    assert [one.code for one in caught.value.problems] == [problem]


def test_empty_vat_as_the_settings_say(sim: Running) -> None:
    deal = desk(sim).deal([{"name": "Чай", "price": 100}])
    assert desk(sim, vat_when_none="vat10").order(deal).lines[0].vat == "vat10"
    assert desk(sim, vat_when_none="organisation").order(deal).lines[0].vat == ""


def test_kazakhstan(sim: Running) -> None:
    here = desk(sim)
    here.context.currency, here.context.zone = "KZT", "Asia/Almaty"
    order = here.order(here.deal([{"name": "Шай", "price": 1160, "tax_rate": 16}], currency="KZT"))
    receipt = receipt_of(order, Terms(country=Country.KZ))
    assert receipt.lines[0].vat_amount == Money(16_000, "KZT")


def test_measures_fractions_and_odd_prices(sim: Running) -> None:
    here = desk(sim)
    rows = [{"name": "Сыр", "price": "899.90", "quantity": "0.345", "measure_code": 166},
            {"name": "Треть", "price": "33.3333", "quantity": 3}, {"name": "Час", "price": 1, "measure_code": 356},
            {"name": "Ящик", "price": 1, "measure_code": 999}]
    deal = here.deal(rows)
    order = here.order(deal)
    assert [line.measure for line in order.lines] == [Measure.KILOGRAM, Measure.PIECE, Measure.HOUR, Measure.OTHER]
    assert [line.amount for line in order.lines if line.amount] == [Money(31_047), Money(10_000), Money(100),
                                                                   Money(100)]
    assert receipt_of(order).total == Money(41_247) == order.payments[0].amount


def test_all_pages_of_rows(sim: Running) -> None:
    here = desk(sim)
    deal = here.deal([{"name": f"Товар {number}", "price": number} for number in range(1, 121)])
    order = here.order(deal)
    assert [line.name for line in order.lines] == [f"Товар {number}" for number in range(1, 121)]
    assert receipt_of(order).total == Money(7260_00)


def test_deal_without_rows_is_told_so(sim: Running) -> None:
    here = desk(sim)
    order = here.order(here.deal([], opportunity=500))
    with pytest.raises(Invalid) as caught:
        receipt_of(order)
    assert [one.code for one in caught.value.problems] == ["no_lines"]


# -- sums that differ ----------------------------------------------------------------------------------------------


def test_other_sum_is_refused_by_default(sim: Running) -> None:
    here = desk(sim)
    order = here.order(here.deal(opportunity="3000.00"))
    with pytest.raises(Invalid) as caught:
        receipt_of(order)
    assert [one.code for one in caught.value.problems] == ["sums_differ"]


def test_other_sum_in_cash_is_not_change(sim: Running) -> None:
    """4000 for goods of 3311: without a look of our own the core would give 689 back as change."""
    here = desk(sim, form="cash")
    with pytest.raises(Invalid) as caught:
        here.fetch(here.deal(opportunity=4000))
    assert [one.code for one in caught.value.problems] == ["sums_differ"]
    assert (caught.value.key, caught.value.number) == ("deal:54:paid", "54"), "the owner finds it among the receipts"


@pytest.mark.parametrize("amount", ["3000.00", "3310.99", "3311.01", "4000.00", "0.07"])
def test_other_sum_is_shared_when_wanted(sim: Running, amount: str) -> None:
    here = desk(sim, mismatch="scale")
    order = here.order(here.deal(opportunity=amount))
    assert receipt_of(order).total == Money.of(amount) == order.payments[0].amount
    assert all(line.method is Method.FULL_PAYMENT for line in order.lines)


# -- how it was paid -----------------------------------------------------------------------------------------------


def test_forms_by_stage(sim: Running) -> None:
    settings = {"paid_stages": ["WON", "C3:WON", "EXECUTING"], "stage_forms": {"C3:WON": "cash", "EXECUTING": "skip"}}
    here = desk(sim, **settings)
    assert here.order(here.deal()).payments[0].form is Form.ELECTRONIC
    assert here.order(here.deal(stage="C3:WON")).payments[0].form is Form.CASH
    assert "другая система" in here.reason(here.deal(stage="EXECUTING"))


def test_method_when_goods_come_later(sim: Running) -> None:
    here = desk(sim, method="full_prepayment")
    receipt = receipt_of(here.order(here.deal()))
    assert {(line.method, line.vat) for line in receipt.lines} == {(Method.FULL_PREPAYMENT, "vat122")}


# -- payments ------------------------------------------------------------------------------------------------------


def test_whole_payment(sim: Running) -> None:
    here = desk(sim, paid_by_payment=True)
    deal = here.deal(stage="NEW")
    payment = sim.do("add_payment", deal=deal)["id"]
    assert here.reason(deal) == f"В сделке {deal} нет оплаченной оплаты."
    sim.do("pay", payment=payment)
    order = here.order(deal)
    assert order.key == f"deal:{deal}:payment:{payment}" and order.tags["payment.number"] == f"{3600 + deal}/1"
    receipt = receipt_of(order)
    assert receipt.total == SUM and {line.method for line in receipt.lines} == {Method.FULL_PAYMENT}


def test_partial_payments_add_up(sim: Running) -> None:
    here = desk(sim, paid_by_payment=True)
    rows = [*ROWS, {"name": "Пакет", "price": 7, "quantity": 3, "tax_rate": 10}]
    deal = here.deal(rows, stage="NEW")
    amounts = ["1000.01", "999.99", "1332.00"]
    payments = [sim.do("add_payment", deal=deal, sum=one)["id"] for one in amounts]
    for payment in payments[:2]:
        sim.do("pay", payment=payment)
    orders = here.orders(deal)
    assert [one.key for one in orders] == [f"deal:{deal}:payment:{one}" for one in payments[:2]]
    for order, amount in zip(orders, amounts, strict=False):
        receipt = receipt_of(order)
        assert receipt.total == Money.of(amount) == receipt.paid(Form.ELECTRONIC)
        assert {line.method for line in receipt.lines} == {Method.PREPAYMENT}
        assert {line.vat for line in receipt.lines} == {"vat122", "vat110"}
    sim.do("pay", payment=payments[2])
    assert here.orders(deal)[:2] == orders, "a later payment changes nothing in the earlier receipts"


def test_part_of_a_wrong_sum_is_refused(sim: Running) -> None:
    """In a share of the sum the difference would be lost."""
    here = desk(sim, paid_by_payment=True)
    deal = here.deal(stage="NEW", opportunity=9000)
    payment = sim.do("add_payment", deal=deal, sum=1000)["id"]
    sim.do("pay", payment=payment)
    with pytest.raises(Invalid) as caught:
        here.fetch(deal)
    assert caught.value.key == f"deal:{deal}:payment:{payment}"


def test_forms_by_payment_system(sim: Running) -> None:
    here = desk(sim, paid_by_payment=True, payment_forms={"наличные": "cash", "2": "skip"})
    deal = here.deal(stage="NEW")
    for system in (1, 2, 3):
        sim.do("pay", payment=sim.do("add_payment", deal=deal, sum=100, pay_system=system)["id"])
    assert [one.payments[0].form for one in here.orders(deal)] == [Form.CASH, Form.ELECTRONIC]
    other = here.deal(stage="NEW")
    sim.do("pay", payment=sim.do("add_payment", deal=other)["id"])
    assert "другая система" in here.reason(other)


def test_one_money_one_receipt_when_stage_came_first(sim: Running) -> None:
    here = desk(sim, paid_by_payment=True, paid_stages=["WON"])
    deal = here.deal()
    first = here.order(deal)
    here.keep(first)
    payment = sim.do("add_payment", deal=deal)["id"]
    sim.do("pay", payment=payment)
    assert here.order(deal) == first
    sim.do("move", deal=deal, stage="NEW")
    assert "чек уже есть" in here.reason(deal)


def test_one_money_one_receipt_when_payment_came_first(sim: Running) -> None:
    here = desk(sim, paid_by_payment=True, paid_stages=["WON"])
    deal = here.deal(stage="NEW")
    payment = sim.do("add_payment", deal=deal)["id"]
    sim.do("pay", payment=payment)
    here.keep(here.order(deal))
    sim.do("unpay", payment=payment)
    sim.do("move", deal=deal, stage="WON")
    assert "чеки уже есть" in here.reason(deal)


# -- what is too old -----------------------------------------------------------------------------------------------


def test_deal_paid_long_ago_gets_nothing(sim: Running) -> None:
    here = desk(sim)
    deal = here.deal()
    here.ahead = timedelta(days=8)
    sim.do("touch", deal=deal)
    assert "20" in here.reason(deal) and "раньше" in here.reason(deal)
    assert desk(sim, max_age_days=0).order(deal).key == f"deal:{deal}:paid"
    assert "раньше" in desk(sim, since="2026-11-21").reason(deal)


def test_deals_of_the_days_before_the_hub_came(sim: Running) -> None:
    """Their receipts were printed by whatever the hub replaced."""
    here = desk(sim)
    deal = here.deal()
    here.later(25 * 3600)
    here.source.poll("")
    sim.do("touch", deal=deal)
    assert "раньше" in here.reason(deal)
    assert here.order(here.deal()).lines
    assert desk(sim, since="2026-11-20").order(deal).lines, "unless the owner says otherwise"


def test_the_first_day_stays_the_first_day(sim: Running) -> None:
    here = desk(sim)
    here.order(here.deal())
    here.later(3 * 24 * 3600)
    deal = here.deal()
    here.later(2 * 24 * 3600)
    here.source.poll("")
    assert here.order(deal).lines


def test_mended_order_is_never_too_old(sim: Running) -> None:
    here = desk(sim)
    deal = here.deal()
    first = here.order(deal)
    here.keep(first, "invalid")
    here.ahead = timedelta(days=30)
    assert here.order(deal) == first


# -- the buyer and the tags ----------------------------------------------------------------------------------------


def test_buyer_is_contact_or_company(sim: Running) -> None:
    firm = {"title": "ООО Ромашка", "email": "buh@romashka.example"}
    here, other = desk(sim), desk(sim, buyer="company")
    deal = here.deal(company=firm)
    assert (here.order(deal).customer.name, here.order(deal).customer.email) == ("Ким Анна", "anna@example.org")
    customer = other.order(deal).customer
    assert (customer.name, customer.email, customer.phone) == ("ООО Ромашка", "buh@romashka.example",
                                                               "+7 900 000-00-00")
    alone = here.deal(contact=None, company=firm)
    assert here.order(alone).customer.email == "buh@romashka.example"


def test_buyer_without_contacts(sim: Running) -> None:
    here = desk(sim)
    order = here.order(here.deal(contact=None))
    with pytest.raises(Invalid) as caught:
        receipt_of(order)
    assert [one.code for one in caught.value.problems] == ["contact_missing"]


def test_tags_and_own_fields(sim: Running) -> None:
    here = desk(sim, result_field="UF_CRM_KKT_LINK")
    for name in ("UF_CRM_KKT_LINK", "UF_CRM_PREDMET", "UF_CRM_1747309879"):
        sim.do("field", name=name)
    deal = here.deal(fields={"UF_CRM_KKT_LINK": "https://old", "UF_CRM_PREDMET": ["Физика", "Химия"],
                             "UF_CRM_1747309879": "2026-12-01T03:00:00+03:00"})
    tags = here.order(deal).tags
    assert tags["deal.title"] == "Заказ с сайта" and tags["deal.sum"] == "3311.00"
    assert tags["contact.name"] == "Ким Анна" and tags["deal.created"] == "20.11.2026"
    assert tags["custom_predmet"] == "Физика, Химия" and tags["custom_1747309879"] == "01.12.2026"
    assert "custom_kkt_link" not in tags, "what the hub writes itself must not change the order"


def test_contact_that_may_not_be_read(sim: Running) -> None:
    """A receipt without the buyer's e-mail because of a missing right would be the wrong receipt."""
    here = desk(sim)
    deal = here.deal()
    sim.do("configure", denied=["crm.item.get:3"])
    with pytest.raises(NeedsAttention) as caught:
        here.fetch(deal)
    assert caught.value.code == "ACCESS_DENIED" and caught.value.field == "webhook"
    assert "crm.item.get" in caught.value.reason.say("ru")
    assert "не оплачена" in here.reason(here.deal(stage="NEW")), "as long as nothing is paid it does not matter"


def test_deleted_deal(sim: Running) -> None:
    here = desk(sim)
    deal = here.deal()
    sim.do("remove_deal", deal=deal)
    with pytest.raises(NeedsAttention) as caught:
        here.fetch(deal)
    assert caught.value.code == "NOT_FOUND"


def test_without_mail_the_terms_of_paper_hold(sim: Running) -> None:
    here = desk(sim)
    order = here.order(here.deal(contact={**CONTACT, "email": ""}))
    assert receipt_of(order, TERMS).contact == "+79000000000"
