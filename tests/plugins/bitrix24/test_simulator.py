"""The portal behaves as bitrix24.md says; seen with nothing of the plugin's client."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from hub_plugins.bitrix24.simulator_rest import uf_camel

from hub.testing.simulator import Running
from tests.plugins.bitrix24 import support


def rest(sim: Running, method: str, **params: Any) -> Any:
    """A call with a JSON body."""
    return requests.post(sim.state()["webhook"] + method, json=params, timeout=10).json()


def test_any_case_any_body(sim: Running) -> None:
    deal = sim.do("create_deal", rows=support.ROWS, contact=support.CONTACT)["id"]
    address = sim.state()["webhook"]
    titles = [requests.get(f"{address}CRM.item.Get.json?entityTypeId=2&id={deal}", timeout=10).json(),
              requests.post(f"{address}crm.item.get", data={"entityTypeId": 2, "id": deal}, timeout=10).json(),
              requests.post(f"{address}crm.item.get.json", json={"entityTypeId": 2, "id": deal}, timeout=10).json()]
    assert [one["result"]["item"]["title"] for one in titles] == ["Сделка"] * 3
    assert set(titles[0]["time"]) >= {"start", "finish", "duration", "processing", "date_start", "date_finish"}


def test_numbers_as_numbers_and_as_text(sim: Running) -> None:
    deal = sim.do("create_deal", rows=support.ROWS)["id"]
    item = rest(sim, "crm.item.get", entityTypeId=2, id=deal)["result"]["item"]
    classic = rest(sim, "crm.deal.get", id=deal)["result"]
    assert item["opportunity"] == 3311 and classic["OPPORTUNITY"] == "3311.00" and classic["ID"] == str(deal)
    assert classic["STAGE_ID"] == "NEW" and classic["DATE_MODIFY"] == item["updatedTime"]


def test_rows_of_the_documents_sample(sim: Running) -> None:
    """§5: 90909.09 net, 10 % off, 10 % VAT → price 90000, priceExclusive 81818.18, priceBrutto 100000."""
    deal = sim.do("create_deal", rows=[{"name": "iphone 14", "price": 90000, "quantity": 3, "tax_rate": 10,
                                        "discount": 10}])["id"]
    answer = rest(sim, "crm.item.productrow.list", filter={"=ownerType": "D", "=ownerId": deal})
    (row,) = answer["result"]["productRows"]
    assert (row["price"], row["priceBrutto"], row["discountRate"]) == (90000, 100000, 10)
    assert (row["priceExclusive"], row["priceNetto"], row["discountSum"]) == (81818.18181818, 90909.09090909,
                                                                             9090.90909091)
    assert rest(sim, "crm.item.productrow.list", filter={})["error"] == "REQUIRED_ARG_MISSING"


def test_paging(sim: Running) -> None:
    for _ in range(55):
        sim.do("create_deal")
    first = rest(sim, "crm.item.list", entityTypeId=2, select=["id"])
    assert (len(first["result"]["items"]), first["total"], first["next"]) == (50, 55, 50)
    second = rest(sim, "crm.item.list", entityTypeId=2, start=50)
    assert len(second["result"]["items"]) == 5 and "next" not in second
    by_id = rest(sim, "crm.item.list", entityTypeId=2, filter={">id": 100}, order={"id": "ASC"}, start=-1)
    assert by_id["total"] == 0 and [one["id"] for one in by_id["result"]["items"]] == list(range(101, 109))


def test_batch_with_macros_and_empties(sim: Running) -> None:
    deal = sim.do("create_deal", rows=support.ROWS, contact=support.CONTACT)["id"]
    answer = rest(sim, "batch", halt=0, cmd={
        "d": f"crm.item.get?entityTypeId=2&id={deal}",
        "c": "crm.item.get?entityTypeId=3&id=$result[d][item][contactId]",
        "e": "crm.timeline.comment.add?" + urlencode({
            "fields[ENTITY_ID]": "$result[d][item][id]", "fields[ENTITY_TYPE]": "deal",
            "fields[COMMENT]": "Сделка $result[d][item][title], контакт $result[c][item], сумма $result[d][item][id]"}),
        "f": "crm.item.get?entityTypeId=4&id=$result[d][item][companyId]"})["result"]
    assert answer["result"]["c"]["item"]["name"] == "Анна" and answer["result"]["e"] == 999
    assert list(answer["result_error"]) == ["f"] and answer["result_error"]["f"]["error"] == "NOT_FOUND"
    assert answer["result_total"] == [] == answer["result_next"], "PHP writes an empty map as a list"
    assert sim.state()["deals"][str(deal)]["comments"] == [f"Сделка Сделка, контакт , сумма {deal}"]


def test_batch_over_fifty_runs_the_first_fifty(sim: Running) -> None:
    """Never repeat the whole batch: only the surplus failed."""
    deal = sim.do("create_deal")["id"]
    command = "crm.timeline.comment.add?" + urlencode({
        "fields[ENTITY_ID]": deal, "fields[ENTITY_TYPE]": "deal", "fields[COMMENT]": "x"})
    answer = rest(sim, "batch", cmd={f"k{n}": command for n in range(53)})["result"]
    assert len(answer["result"]) == 50 == len(sim.state()["deals"][str(deal)]["comments"])
    assert {one["error"] for one in answer["result_error"].values()} == {"ERROR_BATCH_LENGTH_EXCEEDED"}
    assert list(answer["result_error"]) == ["k50", "k51", "k52"]


def test_nested_batch_and_halt(sim: Running) -> None:
    answer = rest(sim, "batch", cmd=["profile", "batch?cmd[a]=profile", "nonsense", "profile"])["result"]
    assert answer["result_error"]["1"]["error"] == "ERROR_BATCH_METHOD_NOT_ALLOWED"
    assert answer["result_error"]["2"]["error"] == "ERROR_METHOD_NOT_FOUND" and set(answer["result"]) == {"0", "3"}
    halted = rest(sim, "batch", halt=1, cmd={"a": "nonsense", "b": "profile"})["result"]
    assert halted["result"] == [] and list(halted["result_error"]) == ["a"]


@pytest.mark.parametrize(("method", "params", "status", "code"), [
    ("nonsense", {}, 404, "ERROR_METHOD_NOT_FOUND"), ("crm.item.get", {"entityTypeId": 2}, 400, "100"),
    ("crm.item.get", {"entityTypeId": 2, "id": "x"}, 400, "100"),
    ("crm.item.get", {"entityTypeId": 2, "id": 5}, 400, "NOT_FOUND"),
    ("crm.item.get", {"entityTypeId": 5, "id": 5}, 400, "ENTITY_TYPE_NOT_SUPPORTED"),
    ("crm.deal.get", {"id": 5}, 400, ""), ("crm.item.payment.list", {"entityTypeId": 2, "entityId": 5}, 400, 0),
    ("sale.payment.get", {"id": 5}, 400, "200640400001"), ("event.bind", {}, 403, "WRONG_AUTH_TYPE"),
    ("crm.timeline.comment.add", {"FIELDS": {}}, 400, "100"),
    ("crm.timeline.comment.add", {"fields": {"ENTITY_ID": 5, "ENTITY_TYPE": "deal", "COMMENT": "x"}}, 400,
     "OWNER_NOT_FOUND"),
    ("crm.timeline.comment.add", {"fields": {"ENTITY_ID": 5, "ENTITY_TYPE": "deal"}}, 400, "INVALID_ARG_VALUE")])
def test_errors(sim: Running, method: str, params: dict[str, Any], status: int, code: Any) -> None:
    answer = requests.post(sim.state()["webhook"] + method, json=params, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (status, code)


def test_limit_per_address(sim: Running) -> None:
    sim.do("configure", burst=5, rate=0.0)
    address = sim.state()["webhook"] + "profile"
    answers = [requests.post(address, timeout=10) for _ in range(7)]
    assert [one.status_code for one in answers] == [200] * 5 + [503] * 2
    assert answers[-1].json()["error"] == "QUERY_LIMIT_EXCEEDED"


def test_wrong_secret_and_missing_scope(sim: Running) -> None:
    wrong = requests.post(sim.state()["webhook"].replace("simulated0secret", "other0secret") + "profile", timeout=10)
    assert (wrong.status_code, wrong.json()["error"]) == (401, "INVALID_CREDENTIALS")
    sim.do("configure", scopes=["sale"])
    assert rest(sim, "crm.item.get", entityTypeId=2, id=1)["error"] == "insufficient_scope"


def test_saving_the_same_saves_nothing(sim: Running) -> None:
    sim.do("field", name="UF_CRM_KKT_LINK")
    deal = sim.do("create_deal", rows=support.ROWS)["id"]
    sim.do("later", seconds=5)
    change = {"entityTypeId": 2, "id": deal, "useOriginalUfNames": "Y",
              "fields": {"UF_CRM_KKT_LINK": "https://a", "UF_CRM_UNKNOWN": "x"}}
    item = rest(sim, "crm.item.update", **change)["result"]["item"]
    assert item["UF_CRM_KKT_LINK"] == "https://a" and "UF_CRM_UNKNOWN" not in item, "unknown fields: silence"
    sim.do("later", seconds=5)
    assert rest(sim, "crm.item.update", **change)["result"]["item"]["updatedTime"] == item["updatedTime"]
    plain = rest(sim, "crm.item.get", entityTypeId=2, id=deal)["result"]["item"]
    assert plain["ufCrmKktLink"] == "https://a"


@pytest.mark.parametrize(("name", "camel"), [("UF_CRM_KKT_LINK", "ufCrmKktLink"), ("title", "title"),
                                             ("UF_CRM_1747309879", "ufCrm_1747309879"), ("UF_CRM_A1", "ufCrm_A1")])
def test_names_of_own_fields(name: str, camel: str) -> None:
    assert uf_camel(name) == camel


def test_history_of_stages(sim: Running) -> None:
    deal = sim.do("create_deal")["id"]
    sim.do("move", deal=deal, stage="PREPARATION")
    sim.do("move", deal=deal, stage="WON")
    sim.do("move", deal=deal, stage="WON")
    rows = rest(sim, "crm.stagehistory.list", entityTypeId=2, filter={">ID": 300, "@STAGE_ID": ["WON"]},
                order={"ID": "ASC"}, start=-1)["result"]["items"]
    assert [(one["ID"], one["TYPE_ID"], one["OWNER_ID"], one["STAGE_SEMANTIC_ID"]) for one in rows] == [
        (302, 3, deal, "S")]


def test_unknown_switch_is_told(sim: Running) -> None:
    with pytest.raises(RuntimeError, match="no switch"):
        sim.do("configure", handler="x")
