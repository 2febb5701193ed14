"""Who is woken for a ring: as many registers as there is work for, and nobody is forgotten."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Connection, update

from hub.dispatch import claims, owner
from hub.dispatch.claims import RECEIPT
from hub.dispatch.herd import Herd
from hub.dispatch.owner import Keepers
from hub.intake.orders import prepare, store
from hub.store.base import utcnow
from tests.core.support import Shop, device, order, printed, wait_until


@dataclass(eq=False)
class One:
    """A register's thread that only notes that it was woken."""

    serves: tuple[int, ...] = ()
    idle_since: float | None = None
    wake: threading.Event = field(default_factory=threading.Event)


def woken(*threads: One) -> list[bool]:
    return [one.wake.is_set() for one in threads]


def test_a_ring_wakes_the_one_that_has_been_idle_for_longest() -> None:
    herd, all_ = Herd(), [One((7,), 30.0), One((7,), 10.0), One((7,), 20.0), One((7,))]
    herd.ring(7, all_)
    assert woken(*all_) == [False, True, False, False]
    herd.more(1)
    assert woken(*all_) == [False, True, True, False]


def test_nobody_free_wakes_everybody_and_a_free_one_leaves_the_busy_alone() -> None:
    herd, all_ = Herd(), [One((7,)), One((7,))]
    herd.ring(7, all_)
    assert woken(*all_) == [True, True]
    free = One((7,), 1.0)
    busy = [One((7,)), One((7,))]
    herd.ring(7, [*busy, free])
    assert woken(*busy, free) == [False, False, True]
    herd.more(1)
    assert woken(*busy) == [True, True], "nobody free is left: whoever comes back first"


def test_only_who_serves_the_queue_or_has_not_said_so_yet_is_woken() -> None:
    herd, mine, other, new = Herd(), One((7, 8), 2.0), One((9,), 1.0), One((), 3.0)
    herd.ring(7, [mine, other, new])
    herd.more()
    assert woken(mine, other, new) == [True, False, True]


def test_who_has_looked_since_the_ring_is_not_woken_for_it_again() -> None:
    """Else two registers that both cannot take a receipt would wake each other for ever."""
    herd, a, b = Herd(), One((7,), 1.0), One((7,), 2.0)
    herd.ring(7, [a, b])
    for one in (a, b):
        one.wake.clear()
        herd.looks(one)
        herd.more()
    assert woken(a, b) == [False, False]
    herd.ring(7, [a, b])
    assert woken(a, b) == [True, False], "the next ring counts anew"


def test_a_second_ring_for_another_queue_forgets_nobody_of_the_first() -> None:
    herd, a, b, c = Herd(), One((7,), 1.0), One((7,), 2.0), One((8,), 3.0)
    herd.ring(7, [a, b, c])
    herd.ring(8, [a, b, c])
    a.wake.clear()
    herd.looks(a)
    herd.more()
    assert b.wake.is_set() and c.wake.is_set()


def test_those_that_are_gone_are_not_kept() -> None:
    herd, gone, here = Herd(), One((7,), 1.0), One((8,), 2.0)
    herd.ring(7, [gone, here])
    herd.ring(8, [here])
    assert herd._behind == [here]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> Callable[[Keepers, int], None]:
    """From the moment on when so many registers are idle, nobody looks by themselves any more."""

    def idle(keepers: Keepers, count: int) -> None:
        monkeypatch.setattr(owner, "LOOK_SECONDS", 600.0)
        began = time.monotonic()
        wait_until(lambda: sum(one.idle_since is not None and one.idle_since > began
                               for one in keepers.threads.values()) == count)

    monkeypatch.setattr(owner, "LOOK_SECONDS", 0.2)
    return idle


def accepted(shop: Shop, number: str, **columns: Any) -> None:
    """An order that is bound from its first moment on: a register that happens to look must not see it unbound."""
    ready = prepare(shop.facts(), order(number), shop.catalogue, utcnow())

    def work(connection: Connection) -> None:
        stored = store(connection, shop.facts(), ready, actor="test")
        connection.execute(update(RECEIPT).where(RECEIPT.c.id == stored.receipt_id).values(**columns))

    shop.db.submit(work)


def test_a_receipt_reaches_the_only_register_that_may_print_it_by_rings_alone(
        little_shop: Shop, patient: Callable[[Keepers, int], None]) -> None:
    """Bound to the last one, then of a kind that the first ones do not take: each passes the ring on."""
    shop, tills = little_shop, [device(serial=f"EMU{number}", marking=number == 3) for number in range(1, 4)]
    for one in tills:
        one.engine.shift_open({})
    ids = [shop.add_register(one) for one in tills]
    with shop.at_work() as (keepers,):
        wait_until(lambda: len(keepers.threads) == 3 and all(one.idle_since for one in keepers.threads.values()))
        patient(keepers, 3)
        for number, till in enumerate((2, 0, 1), 1):
            accepted(shop, str(number), pinned_register_id=ids[till])
            keepers.ring(f"queue:{shop.queue_id}")
            wait_until(lambda number=number: shop.state(str(number)) == "recorded", words=shop.states)
            assert len(printed(tills[till])) == 1
        accepted(shop, "marked", marking=True)
        keepers.ring(f"queue:{shop.queue_id}")
        wait_until(lambda: shop.state("marked") == "recorded", words=shop.states)
        assert [len(printed(one)) for one in tills] == [1, 1, 2]


def test_one_ring_for_many_receipts_sets_as_many_registers_to_work(
        little_shop: Shop, patient: Callable[[Keepers, int], None]) -> None:
    shop, tills = little_shop, [device(serial=f"EMU{number}") for number in range(1, 4)]
    for one in tills:
        one.engine.shift_open({})
        shop.add_register(one)
    with shop.at_work() as (keepers,):
        wait_until(lambda: len(keepers.threads) == 3 and all(one.idle_since for one in keepers.threads.values()))
        patient(keepers, 3)
        shop.accept(*[order(str(number)) for number in range(12)])
        with shop.db.read() as connection:
            assert claims.look(connection, 1).waiting == 12
        keepers.ring(f"queue:{shop.queue_id}")
        wait_until(lambda: set(shop.states().values()) == {"recorded"}, words=shop.states)
        assert sum(len(printed(one)) for one in tills) == 12
