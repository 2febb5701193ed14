"""Operators and their pages of a receipt; a buyer gets one only of a confirmed receipt."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.fiscal import Country, links
from hub.fiscal.links import for_buyer, link_request, operator, operator_of, operators, read_link, receipt_url, safe
from tests.fiscal.papers import OMSK, kazakh, record_of, russian

INN = "7707083893"
RECORD = replace(record_of(russian()), printed_at=datetime(2026, 11, 20, 13, 22, 5, tzinfo=OMSK))
KZ_RECORD = replace(record_of(kazakh()), fiscal_sign="1234567890", registration_number="010102345678")
CASES = {
    "first": "https://consumer.1-ofd.ru/v1?t=20261120T132205&s=1602.50&fn=9999078900001234&i=512&fp=754674267&n=1",
    "platforma": "https://lk.platformaofd.ru/web/noauth/cheque?fn=9999078900001234&fp=754674267&i=512",
    "taxcom": "https://receipt.taxcom.ru/v01/show?fp=754674267&s=1602.50",
    "ofd_ru": "https://ofd.ru/rec/7707083893/0000000001012345/9999078900001234/512/754674267",
    "kontur": "https://cash.kontur.ru/CashReceipt/View/FN/9999078900001234/FD/512/FP/754674267",
    "sbis": "https://ofd.sbis.ru/rec/0000000001012345/201126/754674267",
    "yarus": None, "yandex": None, "magnit": None,
    "e_ofd": "https://e-ofd.ru/check?fn=9999078900001234&fp=754674267&fd=512",
    "nvg": "https://ofd.nvg.ru/public/document?summa=1602.50&fpd=754674267",
}
KZ_CASES = {
    "kazakhtelecom": "http://consumer.oofd.kz?i=1234567890&f=010102345678&s=2210.00&t=20261120T144507",
    "transtelecom": "http://ofd1.kz/t/?i=1234567890&f=010102345678&s=2210.00&t=20261120T144507",
    "wofd": "http://cabinet.wofd.kz/consumer?i=1234567890&f=010102345678&s=2210.00&t=20261120T144507",
    "jusan": None,
}


@pytest.mark.parametrize(("name", "url"), CASES.items())
def test_the_page_of_each_russian_operator(name: str, url: str | None) -> None:
    of = operator(name)
    assert of is not None and receipt_url(of, RECORD, INN) == url
    assert (of.note is None) is (url is not None), "what has no link says why"


@pytest.mark.parametrize(("name", "url"), KZ_CASES.items())
def test_the_page_of_each_kazakh_operator(name: str, url: str | None) -> None:
    of = operator(name)
    assert of is not None and receipt_url(of, KZ_RECORD) == url


def test_every_operator_of_the_reference_is_there() -> None:
    assert {one.id for one in operators(Country.RU)} == set(CASES)
    assert {one.id for one in operators(Country.KZ)} == set(KZ_CASES)
    assert len(operators()) == len({one.id for one in operators()}) == len(CASES) + len(KZ_CASES)
    assert [one.id for one in operators() if "token" in one.needs] == ["yarus"]
    assert all(one.name and one.aliases for one in operators())
    assert operator("nobody") is None


@pytest.mark.parametrize(("name", "lacks"), [
    ("ofd_ru", {"registration_number": ""}), ("sbis", {"registration_number": "  "}), ("taxcom", {"fiscal_sign": ""}),
    ("platforma", {"storage_number": ""})])
def test_a_link_that_lacks_a_fact_is_none(name: str, lacks: dict[str, str]) -> None:
    of = operator(name)
    assert of is not None and receipt_url(of, replace(RECORD, **lacks), INN) is None  # type: ignore[arg-type]
    if "inn" in of.needs:
        assert receipt_url(of, RECORD, "") is None


def test_padded_numbers_are_trimmed_and_odd_ones_escaped() -> None:
    of = operator("ofd_ru")
    assert of is not None
    odd = replace(RECORD, registration_number="0000000001012345    ", fiscal_sign='1"/../<b>&x=1')
    url = receipt_url(of, odd, "7707083893  ") or ""
    assert "/0000000001012345/" in url and not set(url) & set('"<> ') and safe(url) == url
    assert url.count("/") == CASES["ofd_ru"].count("/")  # type: ignore[union-attr]


# -- whose register it is --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stated", "name"), [
    ("ООО «Такском»", "taxcom"), ("ТАКСКОМ", "taxcom"), ("7704211201", "taxcom"), ("f1.taxcom.ru:7777", "taxcom"),
    ('АО "ЭНЕРГЕТИЧЕСКИЕ СИСТЕМЫ И КОММУНИКАЦИИ"', "first"), ("Первый ОФД", "first"), ("k-server.1-ofd.ru", "first"),
    ("7709364346", "first"), ("ПЕТЕР-СЕРВИС Спецтехнологии", "ofd_ru"), ("OFD.RU", "ofd_ru"), ("ОФД.РУ", "ofd_ru"),
    ("gate.ofd.ru:4001", "ofd_ru"), ("007841465198", "ofd_ru"), ("ИНН 7841465198", "ofd_ru"),
    ('ООО "Эвотор ОФД"', "platforma"), ("Платформа ОФД", "platforma"), ("ofdp.platformaofd.ru", "platforma"),
    ("АО «ПФ «СКБ Контур»", "kontur"), ("Контур.ОФД", "kontur"), ("ООО «Компания «Тензор»", "sbis"),
    ("СБИС", "sbis"),
    ("7605016030", "sbis"), ("7605015260", "sbis"),
    ("kkt.sbis.ru", "sbis"), ("ООО «Ярус»", "yarus"), ("ОФД-Я", "yarus"),
    ("connect.ofd-ya.ru", "yarus"), ("Яндекс.ОФД", "yandex"), ("ОФД Яндекс", "yandex"), ("е-ОФД", "e_ofd"),
    ("e-ofd.ru", "e_ofd"),
    ("ofd.nvg.ru", "nvg"), ("АО «Казахтелеком»", "kazakhtelecom"), ("Jusan Mobile", "jusan"),
    ("http://consumer.oofd.kz?i=1&f=2", "kazakhtelecom"), ("http://ofd1.kz/t/?i=1", "transtelecom"),
    ("http://cabinet.wofd.kz/consumer?i=1", "wofd")])
def test_registers_name_their_operator_in_many_ways(stated: str, name: str) -> None:
    found = operator_of(stated)
    assert found is not None and found.id == name


@pytest.mark.parametrize("stated", ["", "   ", "ОФД-эмулятор", "ООО «Ромашка»", "7707083893", "Такском или Контур"])
def test_an_unknown_or_ambiguous_name_is_nobody(stated: str) -> None:
    assert operator_of(stated) is None
    assert for_buyer("confirmed", RECORD, stated, INN) == ""


@given(st.text(max_size=60))
def test_no_name_breaks_the_search(stated: str) -> None:
    operator_of(stated)


# -- only a confirmed receipt ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["accepted", "queued", "printing", "recorded", "invalid", "refused", "uncertain",
                                   "cancelled", ""])
@pytest.mark.parametrize("named", ["", "https://ofd.example/r/1"])
def test_nobody_gets_a_link_before_the_operator_has_the_receipt(state: str, named: str) -> None:
    assert for_buyer(state, replace(RECORD, url=named), "Такском", INN) == ""


def test_a_confirmed_receipt_has_its_link() -> None:
    assert for_buyer("confirmed", RECORD, "ООО «Такском»", INN) == CASES["taxcom"]
    assert for_buyer("confirmed", replace(RECORD, url="https://ofd.example/r/1"), "Такском") == "https://ofd.example/r/1"
    assert for_buyer("confirmed", RECORD, "ОФД-Я") == "" and for_buyer("confirmed", None, "Такском") == ""


@pytest.mark.parametrize("url", [
    "javascript:alert(1)", "data:text/html,x", "//ofd.example/1", "ofd.example", "https://", "https://a b.example/",
    "https://ofd.example/\n", "https://user:key@ofd.example/", "https://[", "https://ofd.example/" + "9" * 3000,
    "https://оф.example/"])
def test_an_address_that_is_none_is_not_given_to_anybody(url: str) -> None:
    assert safe(url) == ""
    assert for_buyer("confirmed", replace(RECORD, url=url), "Такском") == CASES["taxcom"]


# -- the owner's token -----------------------------------------------------------------------------------------------


def test_the_operator_that_wants_a_token_is_asked_with_it() -> None:
    of = operator("yarus")
    assert of is not None
    asked = link_request(of, RECORD, " secret-token ")
    assert (asked.method, urlsplit(asked.url).hostname, urlsplit(asked.url).path) == (
        "POST", "api.ofd-ya.ru", "/ofdapi/v1/getChequeLink")
    assert asked.headers == {"Ofdapitoken": "secret-token"}
    assert asked.body == {"fiscalDocumentNumber": 512, "fiscalDriveNumber": "9999078900001234"}
    assert "secret-token" not in asked.url
    note = of.note
    assert note is not None and "токен" in note.say("ru") and "token" in note.say("en")
    with pytest.raises(ValueError, match="needs the owner's token"):
        link_request(of, RECORD, "  ")
    other = operator("taxcom")
    assert other is not None
    with pytest.raises(ValueError, match="needs no token"):
        link_request(other, RECORD, "secret")


@pytest.mark.parametrize(("answer", "link"), [
    ({"link": "https://ofd-ya.ru/getFiscalDoc?a=1"}, "https://ofd-ya.ru/getFiscalDoc?a=1"), ({"link": None}, ""),
    ({}, ""),
    ({"link": "javascript:1"}, ""), ([], ""), (None, ""), ("https://ofd-ya.ru", ""), ({"link": 5}, "")])
def test_the_answer_is_read_leniently(answer: object, link: str) -> None:
    assert read_link(answer) == link


def test_templates_ask_only_for_facts_that_exist() -> None:
    facts = links.facts_of(RECORD, INN)
    for one in operators():
        one.template.format_map(facts)
