"""``wire``: a register on a serial wire of 115,200 baud (a pseudo-terminal whose bytes take their time), no think-time.

A ten-line receipt by the driver against the time of the bytes that both sides must send by the protocol; the same plain
sales by pyshtrih in the same run; what an idle connected register costs; how fast the frame parsers are, and what a
million inputs of rubbish do to them.

    python -m benchmarks.wire [--rounds 15] [--inputs 1000000]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyshtrih
from hub_plugins.drivers.shtrih_m.driver import ShtrihDriver
from hub_plugins.drivers.shtrih_m.frames import Hearing, Hearing2, pack, pack2
from hub_plugins.drivers.shtrih_m.settings import ShtrihSettings
from hub_plugins.drivers.shtrih_m.simulated_frames import Packets
from hub_plugins.drivers.shtrih_m.simulator import shtrih

from hub.contracts import Job, NoGuard
from hub.contracts.settings import load
from hub.fiscal import (
    Cashier,
    Country,
    Ffd,
    FiscalRecord,
    Form,
    Money,
    Order,
    OrderLine,
    Payment,
    Receipt,
    TaxSystem,
    Terms,
    build,
)
from hub.testing.context import RegisterContext
from hub.testing.device import RunningDevice
from hub.testing.work import NOW

BAUD, BITS = 115_200, 10
LINES, PRICE = 10, 149_50
EFFICIENT, PARSED, IDLE, INPUTS = 0.9, 20.0, 0.5, 1_000_000
#: What the reference's sequence of a receipt must send, and how often: the state before and after it, what recovery
#: wants to know of the storage and the shift, opening, tags, lines with their tags, close, and the document's time,
#: which the close does not tell. Anything else that a driver sends counts against it.
MUST = {"10": 2, "FF01": 1, "FF40": 1, "8D": 1, "FF0C": None, "FF46": LINES, "FF4D": None, "FF45": 1, "FF76": 1,
        "FF78": 1, "FF0A": 1}
#: Seconds between two looks at an idle register, as its owner has them.
LOOK = 5.0


def receipt(number: int, ffd: Ffd, form: Form = Form.ELECTRONIC) -> Receipt:
    """Ten plain lines, paid by card. Cash costs one exchange more: before the close the register's own total is asked
    for, because it would give change for a wrong one."""
    lines = tuple(OrderLine(f"Товар номер {line}", Money(PRICE, "RUB"), Decimal(1)) for line in range(LINES))
    order = Order(f"o-{number}", str(number), lines, (Payment(form, Money(PRICE * LINES, "RUB")),), currency="RUB")
    terms = Terms(country=Country.RU, ffd=ffd, tax_system=TaxSystem.OSN, cashier=Cashier("Кассир 1"),
                  settlement_place="shop.example", internet=False)
    return build(order, terms, f"wire{number:012d}", NOW)


def driver_at(address: str, folder: str) -> ShtrihDriver:
    """The driver without a hub around it."""
    return ShtrihDriver(load(ShtrihSettings, {"address": address}), RegisterContext(folder))


# -- one receipt -------------------------------------------------------------------------------------------------------


def must(before: dict[str, Any], after: dict[str, Any]) -> int:
    """Bytes that had to be sent for one receipt, of the exchanges that there were."""
    found = 0
    for name, most in MUST.items():
        old, new = before.get(name, (0, 0)), after.get(name, (0, 0))
        count, cost = new[0] - old[0], new[1] - old[1]
        if count:
            found += cost * min(count, most or count) // count
    return found


def ours(register: RunningDevice, driver: ShtrihDriver, number: int, ffd: Ffd,
         form: Form = Form.ELECTRONIC) -> tuple[float, float, int]:
    """Seconds of one receipt, seconds of the bytes that had to be sent, and all bytes that were."""
    asked = receipt(number, ffd, form)
    before = register.state()
    started = time.perf_counter()
    record = driver.fiscalise(Job(asked, asked.key), NoGuard())
    taken = time.perf_counter() - started
    assert isinstance(record, FiscalRecord), record
    after = register.state()
    sent = sum(after["bytes"].values()) - sum(before["bytes"].values())
    return taken, must(before["exchanges"], after["exchanges"]) * BITS / BAUD, sent


def theirs(client: pyshtrih.ShtrihM01F) -> float:
    """Seconds of the same lines by pyshtrih."""
    started = time.perf_counter()
    client.open_check(0)
    for line in range(LINES):
        client.sale((f"Товар номер {line}", 1_000, PRICE), tax1=1)
    client.close_check(payment_type2=PRICE * LINES)
    return time.perf_counter() - started


def receipts(rounds: int, ffd: Ffd) -> dict[str, Any]:
    """Both clients in turns, each at a register of its own."""
    options = ("--ffd", ffd.value, "--pty", "--baud", str(BAUD), "--ofd-delay", "0", "--no-sync", "--byte-timeout", "1")
    mine, wire, other, sent = [], [], [], []
    with tempfile.TemporaryDirectory() as folder, shtrih(*options) as first, shtrih(*options) as second:
        driver = driver_at(first.address, folder)
        driver.open()
        driver.open_shift(Cashier("Кассир 1"), NoGuard())
        client = pyshtrih.ShtrihM01F(port=second.address, baudrate=BAUD, timeout=2)
        client.connect()
        client.open_shift()
        for number in range(rounds + 1):
            taken, needed, count = ours(first, driver, number, ffd)
            against = theirs(client)
            if number:  # the first one warms up
                mine.append(taken)
                wire.append(needed)
                other.append(against)
                sent.append(count)
        cash = [ours(first, driver, rounds + 1 + number, ffd, Form.CASH) for number in range(max(3, rounds // 3))]
        client.disconnect()
        driver.close()
    efficiency = statistics.median(needed / taken for needed, taken in zip(wire, mine, strict=True))
    times = statistics.median(theirs / taken for theirs, taken in zip(other, mine, strict=True))
    return {"efficiency": round(efficiency, 3), "ms": round(statistics.median(mine) * 1e3, 1),
            "cash_efficiency": round(statistics.median(needed / taken for taken, needed, _ in cash), 3),
            "wire_ms": round(statistics.median(wire) * 1e3, 1), "bytes": int(statistics.median(sent)),
            "pyshtrih_ms": round(statistics.median(other) * 1e3, 1), "times_as_fast": round(times, 2)}


# -- an idle register --------------------------------------------------------------------------------------------------

_IDLE = f"""
import sys, tempfile, time
from benchmarks.wire import driver_at
with tempfile.TemporaryDirectory() as folder:
    driver = driver_at(sys.argv[1], folder)
    driver.open()
    driver.status()
    began, used = time.monotonic(), time.process_time()
    while time.monotonic() - began < float(sys.argv[2]):
        time.sleep({LOOK})
        driver.status()
        driver.drawer()
    print((time.process_time() - used) / (time.monotonic() - began) * 100)
    driver.close()
"""


def idle(seconds: float) -> float:
    """Per cent of a core that a driver takes whose register has nothing to do but be looked at."""
    with shtrih("--pty", "--baud", str(BAUD)) as register:
        done = subprocess.run([sys.executable, "-c", _IDLE, register.address, str(seconds)], capture_output=True,
                              text=True, check=True, timeout=seconds + 60)
    return float(done.stdout)


# -- parsers -----------------------------------------------------------------------------------------------------------


def speed(feed: Callable[[bytes], object], stream: bytes, rounds: int = 7) -> float:
    """MB/s through a parser, by the best of some rounds, in pieces as they come from a line."""
    best = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        for at in range(0, len(stream), 4096):
            feed(stream[at:at + 4096])
        best = min(best, time.perf_counter() - started)
    return len(stream) / best / 1e6


def rubbish(count: int) -> dict[str, float]:
    """Feeds so many inputs to every parser, good frames, broken ones and noise: seconds, and frames that came out."""
    chance = random.Random(7)
    good = [pack(chance.randbytes(chance.randrange(1, 24))) for _ in range(200)]
    good += [pack2(number, chance.randbytes(chance.randrange(0, 24))) for number in range(200)]
    parsers: tuple[Any, ...] = (Hearing(), Hearing2(), Packets())
    started, out = time.perf_counter(), 0
    for number in range(count):
        kind = number & 3
        if kind == 0:
            data = good[chance.randrange(400)]
        elif kind == 1:
            data = chance.randbytes(chance.randrange(1, 12))
        elif kind == 2:
            data = good[chance.randrange(400)][:chance.randrange(1, 20)]
        else:
            data = bytes(good[chance.randrange(400)])
            data = data[:-1] + bytes((data[-1] ^ 1 << chance.randrange(8),))
        out += sum(1 for one in parsers[number % 3].feed(data) if one)
    return {"inputs": count, "inputs_s": round(count / (time.perf_counter() - started)), "came_out": out}


def main() -> int:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--idle", type=float, default=10.0, help="seconds to look at the idle register")
    parser.add_argument("--inputs", type=int, default=INPUTS)
    options = parser.parse_args()
    # FFD 1.05 is what pyshtrih's lines amount to; with 1.2 each line also has its measure, which it cannot send.
    plain, found = receipts(options.rounds, Ffd.V1_05), receipts(options.rounds, Ffd.V1_2)
    core = idle(options.idle)
    frames = pack(bytes(range(1, 256))) * 4000
    parsed = {"mb_s": round(speed(Hearing().feed, frames), 1), "floor": PARSED,
              "protocol_2_mb_s": round(speed(Hearing2().feed, pack2(1, bytes(range(255))) * 1000), 1)}
    fuzz = rubbish(options.inputs)
    good = (min(plain["efficiency"], found["efficiency"]) >= EFFICIENT and plain["times_as_fast"] >= 1
            and core < IDLE and parsed["mb_s"] >= PARSED)
    print(json.dumps({
        "name": "wire", "baud": BAUD, "lines": LINES, "ffd_1.05": plain, "ffd_1.2": found,
        "efficiency_floor": EFFICIENT, "against": "pyshtrih 2.0.6 (as fast with FFD 1.05)",
        "idle_core_percent": round(core, 3), "most_idle_percent": IDLE, "parser": parsed, "fuzz": fuzz}))
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
