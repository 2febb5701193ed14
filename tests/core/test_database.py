"""Writing: many threads, one commit; all or nothing; a database that is away; leases in its time."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, event, insert, select, text, update

from hub.bell import Bell
from hub.dispatch import workshop
from hub.dispatch.workshop import Workshop
from hub.store import Audit, Database, DatabaseAway, Lease, accounts, leases, table, turn, utcnow
from hub.store.hot import Hot
from hub.store.turn import Turn
from tests.conftest import Cluster
from tests.core.support import Shop, at_once, wait_until

AUDIT, LEASE = table(Audit), table(Lease)


def note(connection: Connection, action: str) -> None:
    connection.execute(insert(AUDIT).values(actor="test", action=action))


def notes(db: Database) -> list[str]:
    with db.read() as connection:
        return sorted(connection.execute(select(AUDIT.c.action)).scalars())


# -- group commit ----------------------------------------------------------------------------------------------------


def test_many_threads_write_and_each_gets_its_own_answer(db: Database) -> None:
    def thread(name: int) -> list[str]:
        def work(connection: Connection, word: str) -> str:
            note(connection, word)
            return word

        return [db.submit(lambda connection, word=f"{name:02}-{turn:02}": work(connection, word))  # type: ignore[misc]
                for turn in range(10)]

    answers = at_once(*[lambda name=name: thread(name) for name in range(12)])
    assert answers == [[f"{name:02}-{turn:02}" for turn in range(10)] for name in range(12)]
    assert notes(db) == sorted(word for one in answers for word in one)


def test_an_exception_in_one_work_harms_no_other_and_leaves_nothing_of_itself(db: Database) -> None:
    class Oops(Exception):
        pass

    def fails(connection: Connection) -> None:
        note(connection, "never")
        raise Oops

    def breaks_a_rule(connection: Connection) -> None:
        note(connection, "never")
        connection.execute(insert(AUDIT).values(actor="test", action="x", organisation_id=999))

    calls = [lambda number=number: db.submit(lambda connection: note(connection, f"good {number}"))
             for number in range(20)]
    results = at_once(*calls, *[lambda: db.submit(fails)] * 5, *[lambda: db.submit(breaks_a_rule)] * 5)
    assert results[:20] == [None] * 20
    assert all(isinstance(one, Oops) for one in results[20:25])
    assert all(type(one).__name__ == "IntegrityError" for one in results[25:])
    assert notes(db) == sorted(f"good {number}" for number in range(20))


def test_waiting_works_share_one_commit(sqlite_db: Database) -> None:
    commits: list[int] = []
    event.listen(sqlite_db.engine, "commit", lambda connection: commits.append(1))
    hold, holding = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        holding.set()
        hold.wait(10)

    calls = [lambda: sqlite_db.submit(slow)] + [
        lambda number=number: (holding.wait(10), sqlite_db.submit(lambda connection: note(connection, str(number))))
        for number in range(30)]
    writer = sqlite_db._writer
    assert writer is not None
    release = threading.Thread(target=lambda: (
        wait_until(lambda: len(writer._waiting) == 30), hold.set()))
    release.start()
    at_once(*calls)
    release.join()
    assert len(notes(sqlite_db)) == 30
    assert len(commits) == 2, "the first, then all that had gathered"


def test_an_error_of_one_statement_in_a_group_harms_no_other(sqlite_db: Database) -> None:
    """sqlite3 calls a missing table an OperationalError, as it does a full disk: only the culprit may feel it."""
    def wrong(connection: Connection) -> None:
        connection.execute(text("SELECT * FROM no_such_table"))

    good = [lambda number=number: sqlite_db.submit(lambda connection: note(connection, str(number)))
            for number in range(30)]
    results = at_once(*good, *[lambda: sqlite_db.submit(wrong)] * 4)
    assert results[:30] == [None] * 30
    assert all(isinstance(one, DatabaseAway) for one in results[30:])
    assert len(notes(sqlite_db)) == 30


def test_a_commit_that_fails_tells_everybody_and_keeps_nothing(sqlite_db: Database) -> None:
    failing = True

    @event.listens_for(sqlite_db.engine, "commit")
    def refuse(connection: Any) -> None:
        if failing:
            raise OSError("the disk is gone")

    results = at_once(*[lambda number=number: sqlite_db.submit(lambda connection: note(connection, str(number)))
                        for number in range(8)])
    assert all(isinstance(one, DatabaseAway) for one in results)
    failing = False
    sqlite_db.submit(lambda connection: note(connection, "after"))
    assert notes(sqlite_db) == ["after"]


def test_nothing_is_written_after_closing_and_nobody_waits_for_ever(sqlite_db: Database) -> None:
    results: list[Any] = []

    def writer() -> None:
        try:
            while True:
                results.append(sqlite_db.submit(lambda connection: note(connection, "x")))
        except DatabaseAway as problem:
            results.append(problem)

    threads = [threading.Thread(target=writer, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(results) > 10)
    sqlite_db.close()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive(), "a writer waits for an answer that never comes"


def test_a_session_keeps_all_or_nothing(db: Database) -> None:
    with pytest.raises(ZeroDivisionError), db.write() as session:
        session.add(Audit(actor="test", action="half"))
        session.flush()
        raise ZeroDivisionError
    with db.write() as session:
        session.add(Audit(actor="test", action="whole"))
    assert notes(db) == ["whole"]


def test_reads_see_no_half_of_a_transaction(db: Database) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def work(connection: Connection) -> None:
        note(connection, "one")
        inside.set()
        go_on.wait(10)
        note(connection, "two")

    thread = threading.Thread(target=lambda: db.submit(work))
    thread.start()
    assert inside.wait(10)
    assert notes(db) == []
    go_on.set()
    thread.join()
    assert notes(db) == ["one", "two"]


# -- away ------------------------------------------------------------------------------------------------------------


def test_a_database_file_that_is_gone_is_away(sqlite_db: Database, tmp_path: Path) -> None:
    sqlite_db.submit(lambda connection: note(connection, "before"))
    (tmp_path / "hub.db").rename(tmp_path / "elsewhere.db")
    with pytest.raises(DatabaseAway):
        sqlite_db.submit(lambda connection: note(connection, "lost?"))
    (tmp_path / "hub.db").unlink(missing_ok=True)
    (tmp_path / "elsewhere.db").rename(tmp_path / "hub.db")
    sqlite_db.submit(lambda connection: note(connection, "after"))
    assert notes(sqlite_db) == ["after", "before"]


def test_a_read_only_database_is_away(sqlite_db: Database) -> None:
    @event.listens_for(sqlite_db.engine, "checkout")
    def read_only(connection: Any, *_: Any) -> None:
        connection.execute("PRAGMA query_only=ON")

    with pytest.raises(DatabaseAway, match="readonly"):
        sqlite_db.submit(lambda connection: note(connection, "x"))
    with sqlite_db.read() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    with pytest.raises(DatabaseAway):
        sqlite_db.ping()  # "ready" means that an order can be stored


@pytest.mark.postgres
def test_a_server_that_stops_is_away_and_is_found_again(postgresql: Cluster) -> None:
    db = Database(postgresql.create("away", "hub_template"))
    db.submit(lambda connection: note(connection, "before"))
    postgresql.stop()
    try:
        for call in (db.ping, lambda: db.submit(lambda connection: note(connection, "lost"))):
            with pytest.raises(DatabaseAway):
                call()
    finally:
        postgresql.start()
    db.submit(lambda connection: note(connection, "after"))
    assert notes(db) == ["after", "before"]
    db.close()


@pytest.mark.postgres
def test_a_session_that_the_server_ends_in_mid_work_is_away(postgresql: Cluster) -> None:
    db = Database(postgresql.create("cut", "hub_template"))

    def work(connection: Connection) -> None:
        note(connection, "lost")
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(DatabaseAway):
        db.submit(work)
    assert notes(db) == []
    db.close()


# -- leases ----------------------------------------------------------------------------------------------------------


def test_of_many_who_want_a_lease_one_gets_it(db: Database) -> None:
    got = at_once(*[lambda number=number: leases.acquire(db, "ticker", f"host-{number}", 30.0)
                    for number in range(8)])
    assert sorted(got, key=str) == [1] + [None] * 7


def test_a_lease_is_kept_given_back_and_ends_with_a_growing_fence(db: Database) -> None:
    assert leases.acquire(db, "ticker", "a", 30.0) == 1
    assert leases.acquire(db, "ticker", "a", 30.0) == 1, "who has it keeps its fence"
    assert leases.acquire(db, "ticker", "b", 30.0) is None
    leases.release(db, "ticker", "b")
    assert leases.acquire(db, "ticker", "b", 30.0) is None, "nobody gives back what is another's"
    leases.release(db, "ticker", "a")
    assert leases.acquire(db, "ticker", "b", 30.0) == 2
    db.submit(lambda connection: connection.execute(
        update(LEASE).values(until=utcnow() - timedelta(seconds=1))))
    assert leases.acquire(db, "ticker", "a", 30.0) == 3


def test_a_register_has_one_holder_and_a_fence_that_only_grows(shop: Shop) -> None:
    db, register = shop.db, shop.add_register()
    got = at_once(*[lambda number=number: leases.acquire_register(db, register, f"host-{number}", 30.0)
                    for number in range(6)])
    assert sorted(got, key=str) == [1] + [None] * 5
    holder = f"host-{got.index(1)}"
    assert leases.renew_register(db, register, holder, 1, 30.0)
    assert not leases.renew_register(db, register, "another", 1, 30.0)
    assert not leases.renew_register(db, register, holder, 2, 30.0)
    shop.expire(register)
    assert leases.renew_register(db, register, holder, 1, 30.0), "it ended, but nobody took it meanwhile"
    shop.expire(register)
    assert leases.acquire_register(db, register, "next", 30.0) == 2
    assert not leases.renew_register(db, register, holder, 1, 30.0)
    leases.release_register(db, register, holder, 1)
    assert leases.acquire_register(db, register, "third", 30.0) is None, "a stale holder releases nothing"
    leases.release_register(db, register, "next", 2)
    assert leases.acquire_register(db, register, "third", 30.0) == 3


def test_an_archived_register_has_no_owner(shop: Shop) -> None:
    register = shop.add_register()
    with shop.db.write() as session:
        session.execute(text("UPDATE register SET archived_at = created_at"))
    assert leases.acquire_register(shop.db, register, "a", 30.0) is None


def test_a_copy_of_the_file_taken_in_mid_work_opens(sqlite_db: Database, tmp_path: Path) -> None:
    """A backup by copying file and WAL while nothing writes is a whole database."""
    sqlite_db.submit(lambda connection: note(connection, "before"))
    for one in tmp_path.glob("hub.db*"):
        shutil.copy(one, tmp_path / one.name.replace("hub", "copy"))
    copy = Database(f"sqlite:///{tmp_path / 'copy.db'}")
    assert notes(copy) == ["before"]
    copy.close()


_HOLDER = """
import sys
from hub.store import Database, leases
db = Database(sys.argv[1])
assert leases.acquire(db, "source:7", leases.process(), 60.0)
assert leases.acquire_register(db, int(sys.argv[2]), leases.process() + ":" + sys.argv[2], 60.0)
print(leases.process(), flush=True)
sys.stdin.read()
"""


def test_what_a_killed_process_held_here_is_free_at_once(shop: Shop) -> None:
    db, register = shop.db, shop.add_register()
    freed: list[int] = []
    child = subprocess.Popen([sys.executable, "-c", _HOLDER, db.url, str(register)], text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None and child.stdout is not None
    name = child.stdout.readline().strip()
    assert name and not leases.dead(name) and leases.orphans(db) == []
    assert leases.acquire(db, "source:7", leases.process(), 60.0) is None, "its holder lives"
    assert leases.acquire_register(db, register, leases.process(), 60.0) is None
    child.kill()
    child.wait(10)
    child.stdin.close()
    child.stdout.close()
    assert leases.dead(name) and leases.orphans(db) == ["source:7"]
    assert leases.acquire(db, "source:7", leases.process(), 60.0, lambda connection: freed.append(1)) == 2
    assert leases.acquire_register(db, register, leases.process(), 60.0) == 2
    assert freed == [1] and leases.orphans(db) == []


def test_a_lease_that_a_clock_set_right_ended_leaves_nothing_claimed_behind(db: Database) -> None:
    """It was taken while the clock was behind; what was claimed under it after that runs for a minute and a half."""
    me = leases.process()
    host, machine, number = me.split("|")
    gone = f"{host}|{machine}|{number.partition('.')[0]}.1"
    freed: list[str] = []

    for name, holder in (("source:1", gone), ("source:2", "elsewhere|x|1.2"), ("source:3", me)):
        assert leases.acquire(db, name, holder, 60.0) == 1
    with db.read() as connection:
        past = db.now(connection) - timedelta(minutes=12)
    db.submit(lambda connection: connection.execute(update(LEASE).values(until=past)))
    assert leases.orphans(db) == ["source:1"]
    for name in ("source:1", "source:2", "source:3"):
        assert leases.acquire(db, name, me, 60.0, lambda connection, name=name: freed.append(name)) == 2
    assert freed == ["source:1", "source:3"], "whoever may live works on it; an earlier turn of ours does not"


def _holder(db: Database, name: str) -> str:
    with db.read() as connection:
        return str(connection.execute(select(LEASE.c.holder).where(LEASE.c.name == name)).scalar())


def test_a_lock_of_a_process_that_died_here_is_given_back_for_those_who_cannot_know(
        db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine does not see that its holder is dead; the claims of a drain are not its business."""
    monkeypatch.setattr(workshop, "LOOK_SECONDS", 0.02)
    host, machine, number = leases.process().split("|")
    gone = f"{host}|{machine}|{number.partition('.')[0]}.1"
    for name, holder in (("account:x:api", f"{gone}:5"), ("source:7", gone), ("source:7:api", "elsewhere|x|1.2")):
        assert leases.acquire(db, name, holder, 60.0)
    rung: list[int] = []
    shop = Workshop(db, Bell(), {"source": lambda number: rung.append(number) or 0}, threads=1)
    shop.start()
    try:
        # By the row: who asks for it here would see for himself that the holder is dead.
        wait_until(lambda: rung and not _holder(db, "account:x:api"))
    finally:
        shop.stop(5.0)
    assert set(rung) == {7} and leases.held(db, "source:7:") == {"source:7:api"}
    assert leases.orphans(db) == ["source:7"], "its drain frees what was claimed under it"


def test_a_lock_is_given_back_when_the_database_is_there_again(
        db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The torture found it: the disk was full while an account's lock was given back, and for the 45 seconds that it
    may be held nobody spoke to that account."""
    monkeypatch.setattr(accounts, "GIVE_BACK_LOOK", 0.01)
    release, away = leases.release, threading.Event()

    def at_times(*args: Any) -> None:
        if away.is_set():
            raise DatabaseAway("the disk is full")
        release(*args)

    monkeypatch.setattr(leases, "release", at_times)
    away.set()
    with pytest.raises(DatabaseAway), accounts.locked(db, "account:x:api", 600.0) as got:
        assert got
    assert _holder(db, "account:x:api")
    away.clear()
    wait_until(lambda: not _holder(db, "account:x:api"))
    with accounts.locked(db, "account:x:api", 600.0) as got:
        assert got

    acquire = leases.acquire

    def unheard(*args: Any) -> None:
        acquire(*args)
        raise DatabaseAway("the server went away behind the commit")

    with monkeypatch.context() as patch, pytest.raises(DatabaseAway):
        patch.setattr(leases, "acquire", unheard)
        with accounts.locked(db, "account:x:api", 600.0):
            raise AssertionError
    wait_until(lambda: not _holder(db, "account:x:api"))


def test_whoever_has_just_written_lets_the_next_one_go_first(tmp_path: Path) -> None:
    """SQLite's own waiting overtakes: a process that commits group after group left the others asleep."""
    path, order, asked = str(tmp_path / "hub.db"), list[str](), threading.Event()

    def another() -> None:
        asked.set()
        with Turn(path).taken() as got:
            order.append(f"another {got}")

    waiter = threading.Thread(target=another)
    with Turn(path).taken():
        waiter.start()
        asked.wait(10)
        wait_until(lambda: _is_held(f"{path}.next"))
        order.append("first")
    with Turn(path).taken() as got:
        order.append(f"again {got}")
    waiter.join(10)
    assert order == ["first", "another True", "again True"]


def _is_held(path: str) -> bool:
    with Path(path).open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_a_turn_is_a_courtesy_and_no_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that sleeps with the turn in hand, and a folder that takes no file, keep nobody from writing; a dead
    process's turn is free."""
    monkeypatch.setattr(turn, "PATIENCE", 0.05)
    path = str(tmp_path / "hub.db")
    database = Database(f"sqlite:///{path}")
    held = subprocess.Popen([sys.executable, "-c", f"""
import time
from hub.store.turn import Turn
with Turn({path!r}).taken():
    print("mine", flush=True)
    time.sleep(600)
"""], stdout=subprocess.PIPE, text=True)
    try:
        assert held.stdout is not None and held.stdout.readline() == "mine\n"
        with Turn(path).taken() as got:
            assert not got
        assert database.submit(lambda connection: connection.scalar(text("SELECT 7"))) == 7
    finally:
        held.kill()
        held.wait()
    with Turn(path).taken() as got:
        assert got
    with Turn(str(tmp_path / "nowhere" / "hub.db")).taken() as got:
        assert not got
    database.close()


def test_nobody_is_called_dead_on_a_guess() -> None:
    mine = leases.process()
    host, machine, number = mine.split("|")
    for one in ("", "another-host:1", mine, f"{mine}:7", f"{host}|{machine}|1.0", f"elsewhere|{machine}|999999999.5",
                f"{host}|other.boot|999999999.5", f"{host}||999999999.5", f"{host}|{machine}|x.5"):
        assert not leases.dead(one), one
    pid = number.partition(".")[0]
    assert leases.dead(f"{host}|{machine}|{pid}.1"), "the number was given to another process since"


def test_a_prepared_statement_misses_a_value_that_it_was_not_given(db: Database) -> None:
    """An error of ours: it must not become an empty column."""
    statement = Hot(insert(table(Lease)).values(name=bindparam("name"), holder="nobody", fence=1,
                                                until=bindparam("until")))
    at = utcnow()
    with pytest.raises(KeyError):
        db.submit(lambda connection: statement.run(connection, {"name": "a"}))
    db.submit(lambda connection: statement.run(connection, {"name": "a", "until": at}).close())
    with db.read() as connection:
        kept = connection.execute(select(table(Lease))).one()
    assert (kept.name, kept.holder, kept.fence, kept.until) == ("a", "nobody", 1, at)
