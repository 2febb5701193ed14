"""Between two steps of hub.steps nothing changes in the database: held against the code of the rooms themselves."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from hub import steps
from tests.core.commits import silent

PASSING = re.compile(r"(?:steps\.at|self\.step)\(([^)]*)\)")
#: Module -> function (and how many of its commits, if several) -> why no step follows: why dying there loses no receipt
#: and prints none twice. Of every other commit the step that follows is named, and a process is killed there.
NO_STEP: dict[str, dict[str, str]] = {
    "intake/doors.py": {
        "store_events": "its callers pass inbox_kept and spool_stored",
        "_keep": "a request that made no event: shown to the owner, moves no receipt",
        "receive_again": "a person's button; a repeat of it is the same event",
        "_unauthorised": "a counter",
        "cancel": "one commit, and its answer: a repeat finds it cancelled"},
    "intake/drain.py": {
        "_claim": "its caller passes events_claimed",
        "_release": "claims given back early; else they end by themselves",
        "_trouble": "a note on a card",
        "poll 2": "when to ask next; else it is asked at once",
        "_poll_failed": "when to ask next; else it is asked at once"},
    "intake/batch.py": {
        "settle 2": "the words of orders that could not be stored, and that the source is well: dying before, their "
                    "events' claims end by themselves"},
    "intake/exchange.py": {
        "_keep": "its caller passes call_kept",
        "_trouble": "a note on a card",
        "_renew": "a note on a card",
        "_reports": "a report that is no longer true ends"},
    "intake/context.py": {
        "remember 2": "a plugin's own memory: what it forgets it asks for again"},
    "intake/history.py": {
        "import_history 2": "payments from before the hub, in pieces; the moment is set last, the owner repeats it"},
    "intake/register_doors.py": {"_heard": "when to ask a cloud for a receipt; else it is asked in its time"},
    "intake/strangers.py": {"note": "a counter"},
    "dispatch/fiscalise.py": {
        "one": "nothing to claim: nothing was written",
        "_insist": "its callers pass recorded and bound",
        "_free": "another owns the register: nothing was written",
        "_compare": "evidence for a person: dying before loses it, never the record (its docstring)",
        "_say": "the audit of a command that was found again; its slip is kept",
        "poll_submitted": "when to ask a cloud again; else it is asked at once",
        "bind_printed": "evidence of a second document: found again with the next look, as long as it is not kept"},
    "dispatch/owner.py": {
        "_own": "the register was read whole: else it is read once more",
        "_look": "a shift that was opened past us, seen at the next look again",
        "mark_misfits": "words on a card"},
    "dispatch/inventory.py": {
        "new_identity": "its caller passes identity_kept",
        "new_status": "what a card shows; read again at the next look",
        "new_checks": "what a card shows; read again when it is opened",
        "trouble": "words on a card"},
    "dispatch/commands.py": {
        "_do": "another owns the register: nothing was written",
        "_account": "a high-water mark: without it documents are read once more",
        "_keep_opened": "a shift's opening, read from the register again",
        "run_ordered": "another took the order: nothing was written",
        "_x": "the copy of a report that is no document; dying before loses the copy, nothing else",
        "_audited 2": "the audit of a command that ran"},
    "dispatch/marks.py": {"compare": "the files that it was made of go after it: dying before, they say it again"},
    # -- a person presses a button: one commit that does it whole, and the answer; a repeat finds it done. What it frees
    # is found without a ring.
    "dispatch/doubt.py": dict.fromkeys(("resolve_printed", "resolve_not_printed", "give_up"), "a person's decision"),
    "dispatch/actions.py": {
        **dict.fromkeys(("cancel", "retry", "pin", "hurry", "settle_contradiction", "make_return", "order_register",
                         "withdraw_order"), "a person's button"),
        "submit_test_order 2": "the source of trial orders, then one; a repeat is another trial"},
    "dispatch/approval.py": dict.fromkeys(("approve", "reject"), "a person's decision"),
    "dispatch/devices.py": dict.fromkeys(("ask", "_take", "_keep"), "a search for devices moves no receipt"),
    # -- beside receipts
    "dispatch/clocks.py": {"set_right": "what was put off by a clock that was ahead: found again by the next tick"},
    "dispatch/wire_logs.py": {"_write": "a log"},
    "dispatch/erasing.py": {"erase 8": "what is old goes, in pieces; what is left goes with the next turn"},
    # -- reports
    "delivery/rounds.py": {
        "_claim": "its caller passes report_claimed",
        "_release": "claims given back early; else they end by themselves"},
    "delivery/drain.py": {
        "_tell 2": "a notice that is planned once, under its key; that the rest may be told sooner: dying before, it "
                   "waits for its own time",
        "_later": "the same again, later: without the commit the claim ends by itself"},
    "delivery/notices.py": {
        "_failed": "the same again, later: without the commit the claim ends by itself",
        "_hold": "a note on a card"},
    "delivery/sheets.py": {
        "_print": "printed and done; the next thing is the next claim, which passes report_claimed",
        "_later": "the same again, later: without the commit the claim ends by itself",
        "_hold": "a note on a card"},
    "delivery/webhooks.py": {
        "_told": "told and done; the next thing is the next claim, which passes report_claimed",
        "_failed": "the same again, later: without the commit the claim ends by itself"},
    "delivery/ofd_links.py": {"_keep": "a link for the buyer; without it it is asked for again"},
    "delivery/alarms.py": {"look": "alarms, all in one commit; found again by the next look"},
}


def _sources(folders: tuple[str, ...] = ("intake", "dispatch", "delivery")) -> dict[str, str]:
    """The text of every module of the rooms, by its path below ``hub``."""
    return {f"{folder}/{file.name}": file.read_text() for folder in folders
            for file in (files("hub") / folder).iterdir() if file.name.endswith(".py")}


def test_every_step_is_passed_in_the_code_and_every_passed_step_is_named() -> None:
    used = [one for source in _sources().values() for one in PASSING.findall(source)]
    assert used and all(re.fullmatch(r'"[a-z_]+"', one) for one in used), "a step is named where it is passed"
    assert {one.strip('"') for one in used} == set(steps.STEPS)


def test_a_step_follows_every_commit_of_the_rooms_or_it_is_said_why_none_has_to() -> None:
    found = {room: {name if count == 1 else f"{name} {count}" for name, count in silent(source).items()}
             for room, source in _sources().items() if silent(source)}
    said = {room: set(functions) for room, functions in NO_STEP.items()}
    assert found == said, "name the step (hub/steps.py) and kill a process there, or say here why not"
    assert all(why for functions in NO_STEP.values() for why in functions.values())


@pytest.mark.parametrize("body, count", [
    ("db.submit(a); steps.at('x')", 0),
    ("steps.at('x'); db.submit(a)", 1),
    ("db.submit(a); steps.at('x'); db.submit(b)", 1),
    ("db.submit(a); db.submit(b); steps.at('x')", 1),
    ("db.submit(a)\n    if done: return\n    steps.at('x')", 1),
    ("if one: db.submit(a)\n    else: db.submit(b)\n    steps.at('x')", 0),
    ("if one:\n     db.submit(a); steps.at('x')\n    else: db.submit(b)", 1),
    ("for one in many: db.submit(a)\n    steps.at('x')", 1),
    ("for one in many:\n     db.submit(a); steps.at('x')", 0),
    ("try: db.submit(a)\n    except Away: return\n    steps.at('x')", 1),
    ("with db.write() as session: session.add(a)\n    steps.at('x')", 0),
    ("with db.write() as session: session.add(a)", 1),
    ("return self._insist(a)", 1),
    ("def work(c): return db.submit(c)", 0),
])
def test_a_commit_without_a_step_is_seen(body: str, count: int) -> None:
    assert silent(f"def it():\n    {body}\n")["it"] == count
