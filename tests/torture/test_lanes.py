"""What paces the torture, so that a long run ends: shares of faults, hosts that are woken, faults that end."""

from __future__ import annotations

import random
import signal
import threading
from types import SimpleNamespace
from typing import Any

from hub.testing.simulator import Fault, HttpSimulator
from hub.torture.lanes import Buyers, Disasters, FaultLane, Log
from hub.torture.plan import SHARES, Deck
from hub.torture.stage import Options


class Counted(FaultLane):
    """Every second fault comes to pass."""

    tried = 0

    def strike_once(self) -> bool:
        self.tried += 1
        return self.tried % 2 == 0

    def idle(self) -> None:
        """No pause."""


def stage(faults: int, *workers: Any) -> Any:
    return SimpleNamespace(options=Options(receipts=1000, seed=1, faults=faults), hub=SimpleNamespace(workers=workers))


def lane(faults: int, buyers: Any) -> Counted:
    return Counted(stage(faults), Log(), "strikes", "seed", Deck(["frozen"], random.Random(1)), buyers)


def test_no_more_faults_than_belong_to_what_was_paid() -> None:
    buyers = SimpleNamespace(number=5000)  # of an earlier round
    one = lane(100, buyers)
    for paid in (0, 250, 1000):
        buyers.number = 5000 + paid
        for _ in range(300):
            assert one.step()
        assert abs(one.tried / 2 - SHARES["strikes"] * 100 * paid / 1000) <= 1, paid
    assert sum(SHARES.values()) == 1.0


def test_without_a_number_of_faults_nobody_waits() -> None:
    one = lane(0, SimpleNamespace(number=0))
    for _ in range(50):
        one.step()
    assert one.tried == 50


def buyers(late: Any, missing: Any, count: int = 3) -> Buyers:
    """They pay at one source, which takes everything; nothing is behind."""
    school = SimpleNamespace(it=SimpleNamespace(pay=lambda words, amount, back, cash: words))
    place: Any = SimpleNamespace(options=Options(receipts=count, seed=1), sources=[school], deleted=[],
                                 store=SimpleNamespace(rows=lambda sql: [(0,)]))
    return Buyers(place, Log(), count, 0, 1e6, "seed", late, missing)


def test_nobody_pays_any_more_when_the_minutes_are_over() -> None:
    one: Buyers = buyers(lambda: one.number == 2, lambda: False)
    one.run()
    assert one.number == 2 and one.left == 1 and one.problem is None


def test_buyers_go_on_until_the_faults_of_a_broken_run_have_come() -> None:
    one: Buyers = buyers(lambda: False, lambda: one.number < 4)
    one.run()
    assert one.number == len(one.paid) == 4 and one.problem is None


def test_a_host_that_fell_asleep_after_its_order_was_taken_back_is_woken() -> None:
    signals: list[int] = []
    asleep = SimpleNamespace(held=True, signal=signals.append)
    awake = SimpleNamespace(held=False, signal=lambda number: signals.append(-number))
    Disasters(stage(1, asleep, awake), Log(), Deck(["web_killed"], random.Random(1)), None,  # type: ignore[arg-type]
              threading.Lock(), "seed", SimpleNamespace(number=0)).step()  # type: ignore[arg-type]
    assert signals == [signal.SIGCONT]


def test_a_fault_that_lasts_ends_whether_anybody_met_it_or_not() -> None:
    simulator = HttpSimulator()
    try:
        simulator.faults = [Fault("status", times=5, lasts=60.0), Fault("reset", times=5)]
        found = simulator.fault_for("/x")
        assert found is not None and found.kind == "status"
        simulator.faults[0].since -= 61.0
        found = simulator.fault_for("/x")
        assert found is not None and found.kind == "reset"
    finally:
        simulator._server.server_close()
