"""The contract suite of gateways, over an intake in memory. A plugin's test file subclasses it in a few lines:

    class TestShopApi(GatewayContract):
        gateway = ShopApi
        settings = {"token": TOKEN}

        def good_request(self, gateway, other=False):      # other: the same key, other content
            return Request("POST", "/receipts", "", {"authorization": TOKEN}, body(price="1" if other else "2"))

        def status_request(self, gateway, submitted):      # asks for what ``submitted`` answered
            return Request("GET", "/receipts/" + json.loads(submitted.body)["id"], "", {...}, b"")

        def forged_requests(self, gateway): ...            # nothing of these may be stored

Where a vendor answers 200 to everything, override ``accepted(answer)``: it tells what the shop takes for "stored".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Thread
from typing import Any, ClassVar, get_args

import pytest

from hub.contracts import (
    Answer,
    Gateway,
    Instead,
    Malformed,
    NeedsAttention,
    Request,
    State,
    Step,
    Text,
    TryLater,
    Unauthorised,
    load,
)
from hub.fiscal import Country, Order, TaxSystem, Terms
from hub.fiscal.codec import from_json, to_json
from hub.testing.context import MemoryContext
from hub.testing.faults import LIMIT, TROUBLES, Bench, Toy, Trouble, bad_bodies
from hub.testing.intake import IntakeAway, MemoryIntake
from hub.testing.shape import class_problems
from hub.testing.simulator import HttpSimulator
from hub.testing.work import NOW, bent_requests, end_of, honest, keeps_secrets, record_of, report_of


@dataclass
class _Work:
    gateway: Gateway
    intake: MemoryIntake
    context: MemoryContext
    bench: Bench


class GatewayContract:
    """Subclass it with a name that begins with ``Test``. What an author gives stands first, the tests below."""

    gateway: ClassVar[type[Gateway]]
    settings: ClassVar[Mapping[str, Any]] = {}
    #: ``{"report"}`` when the vendor's API calls the shop back.
    calls_out: ClassVar[frozenset[str]] = frozenset()
    #: Settings that are named like a secret and are none.
    not_secret: ClassVar[frozenset[str]] = frozenset()
    currency: ClassVar[str] = "RUB"

    def good_request(self, gateway: Gateway, other: bool = False) -> Request:
        """A request that submits a receipt; ``gateway`` may be asked for a token first. ``other``: the same key
        with other content."""
        raise NotImplementedError("give good_request(gateway, other=False) -> Request")

    def status_request(self, gateway: Gateway, submitted: Answer) -> Request:
        """A request for the state of what ``submitted`` answered."""
        raise NotImplementedError("give status_request(gateway, submitted) -> Request")

    def invalid_request(self, gateway: Gateway) -> Request | None:
        """A well-formed request whose order breaks a rule (no lines, say)."""
        return None

    def forged_requests(self, gateway: Gateway) -> Iterable[Request]:
        """Requests with a wrong or missing secret."""
        return ()

    def signed_again(self, request: Request) -> Request:
        """The request after a change, signed anew where the vendor's requests carry a signature: without it no bent
        request would come past the door."""
        return request

    def accepted(self, answer: Answer) -> bool:
        """Whether the shop takes this answer for "the receipt is stored"."""
        return 200 <= answer.status < 300

    def shows(self, answer: Answer) -> bool:
        """Whether the answer to a status request carries the record of ``hub.testing.work.record_of``."""
        return b"1234567890" in answer.body

    def other_side(self) -> HttpSimulator:
        """The shop that is called back, where the vendor's API has callbacks."""
        return Toy(self.serve)

    def serve(self, request: Request) -> Answer:
        """The shop as one function."""
        return Answer.text("ok")

    def terms(self) -> Terms:
        """Ordinary terms under which the good order becomes a receipt."""
        if self.currency == "KZT":
            return Terms(country=Country.KZ)
        return Terms(tax_system=TaxSystem.USN_INCOME)

    def allowed(self, trouble: Trouble, call: int) -> tuple[type[Any], ...]:
        """How ``report`` may end when its call number ``call`` and all later ones meet ``trouble``."""
        return trouble.ends

    # -- the class -----------------------------------------------------------------------------------------------

    def test_class_is_complete(self) -> None:
        problems = class_problems(self.gateway, "gateway", self.not_secret)
        assert not problems, "; ".join(problems)

    def test_setup_is_repeatable(self) -> None:
        with self._at_work() as work:
            first, second = work.gateway.setup(), work.gateway.setup()
            assert first and all(isinstance(one, Step) and isinstance(one.text, Text) for one in first), first
            assert first == second, "setup() changed when repeated"

    def test_every_reason_has_an_answer(self) -> None:
        for why in get_args(Instead):
            answer = self.gateway.answer_instead(why, Request("POST", "", "", {}, b"\xff{"))
            assert isinstance(answer, Answer) and isinstance(answer.body, bytes), f"{why}: {answer!r}"
            if why in ("unauthorised", "malformed", "failed", "disabled"):
                assert not self.accepted(answer), f"{why} is answered as if the receipt were stored"

    # -- submitting ----------------------------------------------------------------------------------------------

    def test_good_request_is_stored(self) -> None:
        with self._at_work() as work:
            answer = self._submit(work)
            assert self.accepted(answer), f"the good request was answered {answer!r}"
            assert [one.state for one in work.intake.views.values()] == ["queued"], work.intake.views
            order = next(iter(work.intake.orders.values()))
            assert from_json(Order, json.loads(json.dumps(to_json(order)))) == order, "not the same after JSON"

    def test_same_again_is_one_receipt(self) -> None:
        with self._at_work() as work:
            self._submit(work)
            self._submit(work)
            assert len(work.intake.views) == 1 and not work.intake.conflicts, "a repeat must be a duplicate"

    def test_other_content_is_a_conflict(self) -> None:
        """One key, two contents: the first stays, the shop is not told that the second was stored."""
        with self._at_work() as work:
            self._submit(work)
            kept = dict(work.intake.orders)
            answer = self._handle(work, self.good_request(work.gateway, other=True), "the same key with other content")
            assert work.intake.conflicts and work.intake.orders == kept, "other content under one key is a conflict"
            assert answer.status < 500, f"a conflict was answered {answer.status}"

    def test_invalid_order_is_no_receipt(self) -> None:
        with self._at_work() as work:
            request = self.invalid_request(work.gateway)
            if request is not None:
                self._handle(work, request, "an order that breaks a rule")
                assert all(one.state == "invalid" for one in work.intake.views.values()), work.intake.views

    def test_forged_requests_store_nothing(self) -> None:
        with self._at_work() as work:
            for request in self.forged_requests(work.gateway):
                answer = self._handle(work, request, "a forged request")
                assert not self.accepted(answer), f"a forged request was answered {answer!r}"
            assert not work.intake.orders, "a forged request was stored"

    def test_unstored_is_never_accepted(self) -> None:
        """The database is away: an error, or an answer that is no "stored". Afterwards the repeat is stored once."""
        with self._at_work() as work:
            request = self.good_request(work.gateway)
            work.intake.away = True
            end = end_of(lambda: work.gateway.handle(request))
            assert isinstance(end, (IntakeAway, TryLater)) or (isinstance(end, Answer) and not self.accepted(end)), \
                f"nothing was stored, but the shop heard {end!r}"
            work.intake.away = False
            assert self.accepted(self._submit(work)) and len(work.intake.views) == 1

    # -- garbage -------------------------------------------------------------------------------------------------

    def test_bad_bodies_end_in_an_answer(self) -> None:
        with self._at_work() as work:
            good = self.good_request(work.gateway)
            for what, body in bad_bodies(good.body):
                spoiled = replace(good, body=body)
                for request in (self.signed_again(spoiled), spoiled, replace(spoiled, headers={}),
                                replace(spoiled, path=good.path + "/x")):
                    self._truthful(work, request, f"a body of {what}")

    def test_bent_requests_end_in_an_answer(self) -> None:
        with self._at_work() as work:
            for what, request in bent_requests(self.good_request(work.gateway)):
                self._truthful(work, request, what)
                self._truthful(work, self.signed_again(request), f"{what}, signed anew")

    def test_unknown_addresses_end_in_an_answer(self) -> None:
        with self._at_work() as work:
            good = self.good_request(work.gateway)
            for path in ("", "/", "//", "/%ff%00", "/../..", good.path + "/" + "9" * 5000, "/" + "a/" * 500):
                for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
                    self._handle(work, self.signed_again(replace(good, method=method, path=path, body=b"")),
                                 f"{method} {path[:30]}")

    def test_a_root_names_its_account(self) -> None:
        """Where clients always call the same path, a good request says whose it is, and garbage is nobody's."""
        with self._at_work() as work:
            if not self.gateway.roots:
                return
            good = self.good_request(work.gateway)
            assert all(root.startswith("/") and root.endswith("/") and root.count("/") > 2
                       for root in self.gateway.roots), f"a root is a path of its own: {self.gateway.roots}"
            assert good.path.startswith(self.gateway.roots), f"{good.path} stands below none of {self.gateway.roots}"
            names = self.gateway.accounts(self.settings, work.context.public_id)
            assert self.gateway.account(good) in names, f"the good request is not of {names}"
            assert work.context.public_id in names, "the hub's own id always names the source"
            assert self.gateway.account(replace(good, headers={})) not in names

    # -- state and callbacks -------------------------------------------------------------------------------------

    def test_status_follows_the_receipt(self) -> None:
        with self._at_work() as work:
            submitted = self._submit(work)
            request = self.status_request(work.gateway, submitted)
            assert not self.shows(self._handle(work, request, "a status request")), "a record before there is one"
            key = next(iter(work.intake.views))
            work.intake.record(key, record_of(work.intake.receipts[key].total, work.intake.receipts[key].kind))
            answer = self._handle(work, request, "a status request after printing")
            assert self.shows(answer), f"the record is not in the answer: {answer.body[:300]!r}"

    def test_every_state_has_an_answer(self) -> None:
        """Whatever became of the receipt, the shop can read it, and only a printed one has a record."""
        with self._at_work() as work:
            request = self.status_request(work.gateway, self._submit(work))
            key, view = next(iter(work.intake.views.items()))
            for state in get_args(State):
                work.intake.views[key] = replace(view, state=state, reason=Text("There is no paper.", "Нет бумаги."))
                answer = self._handle(work, request, f"a status request while {state}")
                assert not self.shows(answer), f"{state}: a record before there is one"

    def test_one_at_a_time_or_all_at_once(self) -> None:
        """The same check from several threads of the web server: one receipt."""
        with self._at_work() as work:
            request, ends = self.good_request(work.gateway), []
            threads = [Thread(target=lambda: ends.append(end_of(lambda: work.gateway.handle(request))))
                       for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(LIMIT)
            assert len(ends) == 4 and all(isinstance(one, Answer) for one in ends), ends
            assert len(work.intake.views) == 1 and not work.intake.conflicts, work.intake.views

    def test_handle_is_local(self) -> None:
        with self._at_work() as work:
            self._submit(work)
            assert not work.bench.calls and not work.bench.strays, "handle() called somebody"

    @pytest.mark.parametrize("name", list(TROUBLES))
    def test_fault(self, name: str) -> None:
        """The shop that should be called back has a bad day: an honest exception."""
        calls = self._reported(None, 0)[1]
        assert bool(calls) == ("report" in self.calls_out), f"report() made {calls} calls; calls_out says otherwise"
        for call in range(calls):
            trouble = TROUBLES[name]
            end, _ = self._reported(trouble, call)
            where = f"report() met {trouble} at call {call + 1}"
            honest(end, self.allowed(trouble, call), where)
            keeps_secrets(end, self.gateway.settings, self.settings, where)

    def _reported(self, trouble: Trouble | None, call: int) -> tuple[Any, int]:
        with self._at_work() as work:
            self._submit(work)
            key, order = next(iter(work.intake.orders.items()))
            report = report_of(key, "recorded", order=order)
            work.bench.calm()
            if trouble:
                work.bench.plan(trouble, call)
            end = end_of(lambda: work.gateway.report(report))
            if not trouble:
                assert not isinstance(end, (TryLater, NeedsAttention)), f"report() fails on a good day: {end!r}"
            return end, work.bench.calls

    # -- machinery -----------------------------------------------------------------------------------------------

    bench: ClassVar[Bench]

    @classmethod
    def setup_class(cls) -> None:
        """One server for all tests of the class."""
        cls.bench = Bench()
        cls.bench.start()

    @classmethod
    def teardown_class(cls) -> None:
        cls.bench.stop()

    @contextmanager
    def _at_work(self) -> Iterator[_Work]:
        context = MemoryContext(clock=lambda: NOW, currency=self.currency)
        intake = MemoryIntake(self.terms(), context)
        with self.bench.connect(self.other_side()) as bench:
            gateway = self.gateway(load(self.gateway.settings, self.settings), context, intake)
            yield _Work(gateway, intake, context, bench)

    def _submit(self, work: _Work) -> Answer:
        return self._handle(work, self.good_request(work.gateway), "the good request")

    def _handle(self, work: _Work, request: Request, what: str) -> Answer:
        """The answer; an exception (but for those that the core answers) or a server error fails the test."""
        try:
            answer = work.gateway.handle(request)
        except Unauthorised:
            answer = self.gateway.answer_instead("unauthorised", request)
        except Malformed:
            answer = self.gateway.answer_instead("malformed", request)
        except Exception as problem:
            raise AssertionError(f"{what}: handle() raised {problem!r}") from problem
        assert isinstance(answer, Answer) and isinstance(answer.body, bytes), f"{what}: {answer!r}"
        assert answer.status < 500, f"{what}: answered {answer.status}"
        return answer

    def _truthful(self, work: _Work, request: Request, what: str) -> None:
        """An answer, and one that says "stored" only when something was handed to the intake."""
        before = work.intake.handed
        answer = self._handle(work, request, what)
        if request.method == "POST" and self.accepted(answer):
            assert work.intake.handed > before, f"{what}: answered as stored, but nothing was handed to the intake"
