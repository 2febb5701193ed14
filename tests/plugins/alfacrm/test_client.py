"""The wire: one login for all workers, pacing, pages that lie, and every fault as the right exception."""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext
from typing import Any

import pytest
from hub_plugins.alfacrm.client import Forbidden, Gone, Refused

from hub.contracts import NeedsAttention, TryLater
from hub.testing.context import MemoryAccount
from hub.testing.simulator import Fault
from tests.plugins.alfacrm.conftest import DAY, Desk, Turning


def logins(desk: Desk) -> int:
    return int(desk.school.state()["logins"])


def door(desk: Desk) -> MemoryAccount:
    """The lock that all who call the account share."""
    return desk.context.account(desk.source().rules.origin)


def pays(desk: Desk, source: Any = None) -> list[int]:
    rows = (source or desk.source()).client.rows(1, "pay", {})
    return [one["id"] for one in rows]


def test_one_login_for_all_workers(desk: Desk) -> None:
    """Four that find no token at the same moment, and one that comes later."""
    threads = [threading.Thread(target=pays, args=(desk, desk.source())) for _ in range(4)]
    with door(desk).lock("api"):
        for one in threads:
            one.start()
        time.sleep(0.2)
    for one in threads:
        one.join()
    assert logins(desk) == 1
    pays(desk, desk.source())
    assert logins(desk) == 1


def test_login_again_when_the_token_is_refused(desk: Desk) -> None:
    number = desk.pay()
    assert pays(desk) == [number]
    desk.school.do("expire_tokens")
    assert pays(desk) == [number]
    assert logins(desk) == 2


def test_a_token_is_kept_fifty_minutes(desk: Desk) -> None:
    pays(desk)
    ((_, until),) = [one.memory["token"] for one in desk.context.accounts.values() if "token" in one.memory]
    assert until == desk.context.now().timestamp() + 50 * 60
    assert not any("token" in name for name in desk.context.memory), "it is the account's, not this source's"


def test_other_settings_never_use_the_old_token(desk: Desk) -> None:
    pays(desk)
    with pytest.raises(NeedsAttention) as caught:
        pays(desk, desk.source(api_key="another-key-altogether"))
    assert caught.value.field == "api_key"


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_pair(desk: Desk, status: int) -> None:
    desk.school.do("configure", login_status=status)
    with pytest.raises(NeedsAttention) as caught:
        pays(desk, desk.source(api_key="wrong-wrong-wrong"))
    assert (caught.value.field, caught.value.code) == ("api_key", str(status))
    assert "wrong-wrong" not in str(caught.value.reason)


def test_a_missing_right_is_no_login_loop(desk: Desk) -> None:
    desk.school.do("configure", forbidden=["pay"])
    with pytest.raises(Forbidden) as caught:
        pays(desk)
    assert "pay" in caught.value.reason.say("ru")
    assert logins(desk) == 1
    with pytest.raises(Forbidden):
        pays(desk)
    assert logins(desk) == 2, "once per call, because 403 may also mean an old token"


def test_extra_headers_travel_with_login_and_data(desk: Desk) -> None:
    desk.school.do("configure", app_key="abc-123")
    with pytest.raises(NeedsAttention):
        pays(desk)
    assert pays(desk, desk.source(extra_headers="X-APP-KEY: abc-123")) == []


def test_every_request_books_its_turn_at_the_account(desk: Desk) -> None:
    source = desk.source()
    number = desk.pay()
    source.client.rows(1, "pay", {})
    source.client.update(1, "pay", number, {"note": "x"})
    origin = source.rules.origin
    assert desk.context.turns == {origin: 3, f"{origin} write": 1}, "login, read, write"


def test_the_real_pauses_stay_within_the_limit(desk: Desk) -> None:
    """Four a second is what the simulated school allows; two workers at once keep it, being told once at most: a
    machine that is very busy may hold one request up until the next one overtakes it."""
    desk.pay()
    desk.school.do("configure", rate=4)
    desk.context, desk.sleep = Turning(clock=desk.context.clock), time.sleep
    sources = [desk.source() for _ in range(2)]

    def asking(source: Any) -> None:
        for _ in range(4):
            try:
                pays(desk, source)
            except TryLater as told:
                time.sleep(told.after or 0.5)

    threads = [threading.Thread(target=asking, args=(one,)) for one in sources]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert desk.school.state()["limited"] <= 1


FAULTS: list[tuple[Fault, type[Exception]]] = [
    (Fault("reset"), TryLater), (Fault("half"), TryLater), (Fault("lost_answer"), TryLater),
    (Fault("garbage"), TryLater), (Fault("empty"), TryLater), (Fault("status", status=429, body=""), TryLater),
    (Fault("status", status=408), TryLater), (Fault("status", status=500), TryLater),
    (Fault("status", status=503), TryLater), (Fault("status", status=200, body="<html>Войдите</html>"), TryLater),
    (Fault("status", status=200, body="[]"), TryLater),
    (Fault("status", status=200, body='{"total": 3, "count": 0, "page": 0, "items": []}'), TryLater),
    (Fault("status", status=200, body='{"name": "Too Many Requests", "code": 0, "status": 429}'), TryLater),
    (Fault("status", status=200, body='{"message": "hm"}'), TryLater),
    (Fault("status", status=200, body='{"items": ["x"]}'), TryLater),
    (Fault("status", status=404), Gone), (Fault("status", status=400), NeedsAttention),
    (Fault("status", status=405), NeedsAttention), (Fault("status", status=302), NeedsAttention),
    (Fault("status", status=200, body='{"name": "Not Found", "code": 0, "status": 404}'), Gone),
    (Fault("status", status=200, body='{"success": false, "errors": {"page": ["нет"]}}'), Refused),
    (Fault("status", status=200, body='{"success": false, "errors": ["нет"]}'), Refused),
    (Fault("status", status=200, body='{"success": false, "message": "нет"}'), Refused),
]


@pytest.mark.parametrize(("fault", "expected"), FAULTS, ids=lambda one: getattr(one, "kind", "") or "")
def test_an_error_is_never_an_empty_page(desk: Desk, fault: Fault, expected: type[Exception]) -> None:
    desk.pay()
    source = desk.source()
    source.client.login()
    fault.path = "/pay/index"
    desk.school.faults(fault)
    with pytest.raises(expected):
        pays(desk, source)
    assert len(pays(desk, source)) == 1, "and the next call is as ever"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_inside_200_logs_in_again(desk: Desk, status: int) -> None:
    desk.pay()
    source = desk.source()
    source.client.login()
    desk.school.faults(Fault("status", path="/pay/index", status=200, body=f'{{"name": "x", "status": {status}}}'))
    assert len(pays(desk, source)) == 1
    assert logins(desk) == 2


@pytest.mark.parametrize(("asked", "after"), [(0, None), (7, 7.0)])
def test_the_limiter_is_told_as_try_later(desk: Desk, asked: int, after: float | None) -> None:
    source = desk.source()
    source.client.login()
    desk.school.do("configure", rate=1, retry_after=asked)
    with pytest.raises(TryLater) as caught:
        for _ in range(3):
            pays(desk, source)
    assert caught.value.after == after


@pytest.mark.parametrize("shape", ["object", "strings", "message"])
def test_refused_writes_carry_the_words(desk: Desk, shape: str) -> None:
    number = desk.pay()
    desk.school.do("configure", error_shape=shape)
    with pytest.raises(Refused) as caught:
        desk.source().client.update(1, "pay", number, {"document_date": "завтра", "pay_account_id": 3})
    assert "Неверный формат" in caught.value.reason.say("ru") and "филиала" in caught.value.reason.say("ru")
    assert caught.value.fields == ({"document_date", "pay_account_id"} if shape == "object" else set())


@pytest.mark.parametrize(("how", "expected"), [("404", Gone), ("refuse", Refused)])
def test_updating_what_is_gone(desk: Desk, how: str, expected: type[Exception]) -> None:
    desk.school.do("configure", gone=how)
    with pytest.raises(expected):
        desk.source().client.update(1, "pay", 999, {"note": "x"})


ODD: list[dict[str, Any]] = [
    {}, {"page_sizes": "ignore"}, {"page_cap": 7}, {"repeat_last_page": True}, {"total": False},
    {"total": False, "repeat_last_page": True}, {"page_cap": 500}, {"default_page": 3, "page_sizes": "ignore"}]


@pytest.mark.parametrize("options", ODD, ids=str)
def test_all_rows_once_whatever_the_pages_do(desk: Desk, options: dict[str, Any]) -> None:
    wanted = desk.school.do("create_pays", count=63, document_date=DAY)
    desk.school.do("configure", **options)
    assert sorted(pays(desk)) == wanted


def test_rows_that_shift_while_being_read_are_doubled_by_nobody(desk: Desk) -> None:
    wanted = desk.school.do("create_pays", count=63, document_date=DAY)
    desk.school.do("configure", shifting=True, page_cap=10)
    found = pays(desk)
    assert len(found) == len(set(found)) and set(wanted) <= set(found)


def test_a_list_without_an_end_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_plugins.alfacrm.client.MOST_PAGES", 3)
    desk.school.do("create_pays", count=9, document_date=DAY)
    desk.school.do("configure", page_cap=2)
    with pytest.raises(NeedsAttention) as caught:
        pays(desk)
    assert "не кончается" in caught.value.reason.say("ru")


def test_a_filter_that_is_ignored_fools_nobody(desk: Desk) -> None:
    """Another row than the one that was asked for is not the one."""
    number = desk.pay()
    body = '{"total": 1, "count": 1, "page": 0, "items": [{"id": 5, "income": "1.00"}]}'
    source = desk.source()
    source.client.login()
    desk.school.faults(Fault("status", path="/pay/index", status=200, body=body))
    assert source.client.one(1, "pay", number) is None


def test_two_workers_take_turns(desk: Desk) -> None:
    """While one is in the middle of a request, another waits for its turn."""
    pays(desk)
    source, done = desk.source(), threading.Event()
    with door(desk).lock("api"):
        worker = threading.Thread(target=lambda: (pays(desk, source), done.set()))
        worker.start()
        assert not done.wait(0.2)
    assert done.wait(5)
    worker.join()


def test_a_turn_that_never_comes_is_tried_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door(desk), "lock", lambda name, seconds=30.0: nullcontext(False))
    with pytest.raises(TryLater):
        pays(desk)
