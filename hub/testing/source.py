"""The contract suite of order sources. A plugin's test file subclasses it in a few lines and gets every test:

    from hub.contracts import Answer, Request
    from hub.testing.source import SourceContract
    from kassahub_shop.simulator import Simulator
    from kassahub_shop.source import Shop

    class TestShop(SourceContract):
        source = Shop
        settings = {"portal": "shop.example", "token": "t0ken-of-the-suite"}

        def other_side(self):                       # fresh for each test; or only: serve(self, request) -> Answer
            return Simulator(orders=[...])

        def good_request(self):
            return Request("POST", "", "", {"content-type": "application/json"}, b'{"order": "17"}')

        def forged_requests(self):                  # requests that must be Unauthorised
            return [replace(self.good_request(), headers={"x-secret": "wrong"})]

Whatever host the settings name, the suite's bench (hub.testing.faults) stands in for it: no address needs to be set.
``calls_out`` names the operations that ask the other side; those are run against each fault, at each of their calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, get_args

import pytest

from hub.contracts import (
    Answer,
    Check,
    Event,
    Instead,
    Malformed,
    NeedsAttention,
    NoOrder,
    Polled,
    Reception,
    Request,
    Source,
    SourcePayment,
    Step,
    TryLater,
    Unauthorised,
    Withdrawn,
    describe,
    load,
)
from hub.fiscal import Country, Invalid, Order, Receipt, TaxSystem, Terms, Text, build
from hub.testing.context import MemoryContext
from hub.testing.faults import TROUBLES, Bench, Toy, Trouble, bad_bodies, bent_answers
from hub.testing.shape import class_problems
from hub.testing.simulator import HttpSimulator
from hub.testing.work import (
    NOW,
    AtWork,
    bent_requests,
    end_of,
    honest,
    keeps_secrets,
    line_name,
    order_in_words,
    orders_of,
    report_of,
    stored,
)

OPERATIONS = ("fetch", "report", "check", "poll", "setup", "payments", "tell_person")
#: How an operation may end when nothing broke but the data.
ENDS: dict[str, tuple[type[Any], ...]] = {
    "fetch": (Order, NoOrder, Withdrawn, Invalid), "report": (type(None),), "check": (Check,), "poll": (Polled,),
    "setup": (tuple,), "payments": (list,), "tell_person": (type(None),)}


class SourceContract:
    """Subclass it with a name that begins with ``Test``. What an author gives stands first, the tests below."""

    source: ClassVar[type[Source]]
    #: Settings that work against :meth:`other_side`.
    settings: ClassVar[Mapping[str, Any]] = {}
    #: Which operations ask the other side. The rest must not.
    calls_out: ClassVar[frozenset[str]] = frozenset({"fetch", "report", "check"})
    #: Settings that are named like a secret and are none.
    not_secret: ClassVar[frozenset[str]] = frozenset()
    currency: ClassVar[str] = "RUB"
    #: Places of one answer that are spoiled, one at a time; fewer where another class of the plugin spoils them too.
    bends: ClassVar[int] = 25

    def good_request(self) -> Request:
        """A request that yields an event whose ``fetch`` gives an order."""
        raise NotImplementedError("give good_request() -> Request")

    def other_side(self) -> HttpSimulator:
        """The other system with the order in it, fresh for each test: the plugin's simulator (it need not serve)."""
        return Toy(self.serve)

    def serve(self, request: Request) -> Answer:
        """The other system as one function, for plugins without a simulator. ``path`` is the whole path."""
        return Answer.text("there is no such page", 404)

    def forged_requests(self) -> Iterable[Request]:
        """Requests with a wrong or missing secret. None, when only the address is secret."""
        return ()

    def ready(self, context: MemoryContext, other: HttpSimulator) -> None:
        """Prepares what good settings take for granted (a token in ``context.remember``)."""

    def edit(self, other: HttpSimulator) -> bool:
        """Changes the sum of the good order over there, as a person does after its receipt. False: this cannot happen
        (the other side sends each order once, whole)."""
        return False

    def take_back(self, other: HttpSimulator) -> Request | None:
        """Takes the good order's payment back over there (deletes it, marks it unpaid); the request that tells of it,
        or the good request when any look would find it. None: the other side has no such thing."""
        return None

    def without_right(self, other: HttpSimulator) -> str:
        """Takes a right away that the settings need; its name, as a person finds it over there. Empty: there are no
        rights to take."""
        return ""

    def terms(self) -> Terms:
        """Ordinary terms under which the good order must become a receipt."""
        if self.currency == "KZT":
            return Terms(country=Country.KZ)
        return Terms(tax_system=TaxSystem.USN_INCOME)

    def allowed(self, operation: str, trouble: Trouble, call: int) -> tuple[type[Any], ...]:
        """How ``operation`` may end when its call number ``call`` (from 0) and all later ones meet ``trouble``.

        Add to it where the protocol means something else by it; say why. ``Order`` and ``NoOrder`` stand for
        what fetch gives, ``type(None)`` for a report that ends well.
        """
        ends: tuple[type[Any], ...] = trouble.ends
        if operation == "fetch" and trouble.name in ("404", "garbage", "empty"):
            ends += (Invalid,)
        if operation == "fetch" and trouble.name == "404":
            ends += (NoOrder,)  # never Withdrawn: a wrong address must not cancel what waits
        if operation == "check":
            ends += (Check, TryLater, NeedsAttention)
        if operation == "setup":
            ends += (tuple, TryLater, NeedsAttention)
        return ends

    # -- the class -----------------------------------------------------------------------------------------------

    def test_class_is_complete(self) -> None:
        problems = class_problems(self.source, "source", self.not_secret)
        assert not problems, "; ".join(problems)
        unknown = self.calls_out - set(OPERATIONS)
        assert not unknown, f"calls_out names no operation: {unknown}"

    def test_good_settings_load(self) -> None:
        loaded = load(self.source.settings, self.settings)
        assert set(loaded) <= {spec.name for spec in describe(self.source.settings)}

    def test_setup_is_repeatable(self) -> None:
        with AtWork(self) as work:
            first, second = work.source.setup(), work.fresh().setup()
            assert first and isinstance(first, tuple), "setup() gives a tuple of Step, at least one"
            assert all(isinstance(one, Step) and isinstance(one.text, Text) for one in first), first
            assert [one.copy for one in first] == [one.copy for one in second], "setup() changed when repeated"

    # -- receive -------------------------------------------------------------------------------------------------

    def test_good_request_gives_an_event(self) -> None:
        with AtWork(self) as work:
            reception = work.local().receive(self.good_request())
            self._reception(reception, "the good request")
            assert reception.events, f"the good request gave no event: {reception.ignored}"
            assert 200 <= reception.answer.status < 300, f"the good request was answered {reception.answer.status}"

    def test_receive_is_local(self) -> None:
        with AtWork(self) as work:
            work.local().receive(self.good_request())
            assert work.bench.calls == 0, "receive() called the other system"
            assert not work.bench.strays, f"receive() opened {work.bench.strays}"

    def test_forged_requests_are_unauthorised(self) -> None:
        with AtWork(self) as work:
            for number, request in enumerate(self.forged_requests()):
                with pytest.raises(Unauthorised):
                    work.local().receive(request)
                    pytest.fail(f"forged request {number} was taken for a real one")

    def test_bad_bodies_end_in_words(self) -> None:
        """Garbage, nothing, half a body, wild nesting, wrong encoding: never another exception."""
        good = self.good_request()
        with AtWork(self) as work:
            for what, body in bad_bodies(good.body):
                self._receive(work, replace(good, body=body), f"a body of {what}")
                self._receive(work, replace(good, body=body, headers={}), f"a body of {what} without headers")

    def test_bent_requests_end_in_words(self) -> None:
        """One place of the request spoiled at a time; what it still takes for an event must survive ``fetch``."""
        with AtWork(self) as work:
            for what, request in bent_requests(self.good_request()):
                reception = self._receive(work, request, what)
                for event in reception.events if reception else ():
                    self._in_words("fetch", end_of(partial(work.source.fetch, event)), f"the request with {what}")

    def test_every_reason_has_an_answer(self) -> None:
        good = self.good_request()
        for why in get_args(Instead):
            for request in (good, Request("GET", "", "", {}, b""), replace(good, body=b"\xff\x00{")):
                answer = self.source.answer_instead(why, request)
                assert isinstance(answer, Answer) and isinstance(answer.body, bytes), f"{why}: {answer!r}"

    def test_events_survive_the_inbox(self) -> None:
        with AtWork(self) as work:
            for event in work.source.receive(self.good_request()).events:
                assert event.subject and isinstance(event.subject, str), f"an event without a subject: {event!r}"
                assert event.kind and isinstance(event.kind, str), f"an event without a kind: {event!r}"
                assert stored(event) == event, f"not the same after JSON: {event!r}"

    # -- fetch ---------------------------------------------------------------------------------------------------

    def test_fetch_gives_the_order(self) -> None:
        with AtWork(self) as work:
            orders = work.orders()
            keys = [order.key for order in orders]
            assert all(keys) and len(set(keys)) == len(keys), f"each order needs a key of its own: {keys}"
            for order in orders:
                order_in_words(order, self.terms(), "the good order")
                self._tags(order)
                receipt = build(order, self.terms(), "k" * 16, NOW, line_name)
                assert isinstance(receipt, Receipt)

    def test_fetch_is_repeatable(self) -> None:
        """Another worker, later, with the event read from the inbox: equal orders under equal keys."""
        with AtWork(self) as work:
            first = work.orders()
            again = work.fresh().fetch(work.event())
            assert orders_of(again) == first, "the same event gave another order the second time"

    # -- one payment, one receipt --------------------------------------------------------------------------------

    def test_the_same_payment_by_every_way_has_one_key(self) -> None:
        """Told twice, found by a poll, taken from the list: whichever comes first, the keys are the same, so that the
        core makes one receipt of all."""
        with AtWork(self) as work:
            told = work.orders()
            keys, kinds = {order.key for order in told}, {order.key: order.kind for order in told}
            ways = [("the request once more", work.fresh().receive(self.good_request()).events[0])]
            if self.source.poll_every and work.source.polling():
                subjects = {work.event().subject}
                ways += [("a poll", event) for event in work.fresh().poll("").events if event.subject in subjects]
            if work.source.lists_payments():
                ways += [("the list", work.local().event_of(one.subject)) for one in work.payments()
                         if set(one.keys) & keys and one.verdict == "receipt"]
            for way, event in ways:
                for order in orders_of(end_of(partial(work.fresh().fetch, stored(event)))):
                    assert order.key in keys, f"{way} gave the payment another key: {order.key}, not {sorted(keys)}"
                    assert order.kind is kinds[order.key]

    def test_an_edit_after_printing_makes_no_second_receipt(self) -> None:
        """The sum is changed over there after the receipt was printed: the same key with other content (the core shows
        both and a person decides), or a reason; never a new key."""
        with AtWork(self) as work:
            before = work.orders()
            if not self.edit(work.other):
                return
            for order in before:
                work.context.receipts[order.key] = report_of(order.key, "recorded", order=order).receipt
            end = end_of(partial(work.fresh().fetch, work.event()))
            self._in_words("fetch", end, "the edited order")
            keys, after = {order.key for order in before}, orders_of(end)
            made = {order.key for order in after}
            assert made <= keys, f"the edit made {sorted(made)}, the receipt's is {sorted(keys)}"
            assert not after or after != before, "the edit is not to be seen: nobody would be told of it"

    def test_what_is_taken_back_before_printing_is_withdrawn(self) -> None:
        """Then the core cancels what waits."""
        with AtWork(self) as work:
            before, request = work.orders(), self.take_back(work.other)
            if request is None:
                return
            for order in before:
                work.context.receipts[order.key] = report_of(order.key, "queued", order=order).receipt
            event = stored(work.fresh().receive(request).events[0])
            end = end_of(partial(work.fresh().fetch, event))
            back = [one for one in (end if isinstance(end, tuple) else (end,)) if isinstance(one, Withdrawn)]
            assert back, f"the payment was taken back, fetch() gave {end!r}"
            assert {order.key for order in before} <= {key for one in back for key in one.keys}, f"{back!r}"
            assert not orders_of(end), "what was taken back makes an order"

    @pytest.mark.parametrize("name", list(TROUBLES))
    def test_no_fault_looks_like_a_payment_that_was_taken_back(self, name: str) -> None:
        """An error, half an answer, a wrong page: the receipt waits on, for it was paid."""
        for call in range(self._calls("fetch")):
            with AtWork(self) as work:
                run = work.prepared("fetch")
                for order in work.orders():
                    work.context.receipts[order.key] = report_of(order.key, "queued", order=order).receipt
                work.bench.calm()
                work.bench.plan(TROUBLES[name], call)
                end = end_of(run)
                back = [one for one in (end if isinstance(end, tuple) else (end,)) if isinstance(one, Withdrawn)]
                assert not back, f"fetch() met {TROUBLES[name]} at call {call + 1} and gave {back!r}"

    def test_the_check_names_the_missing_right(self) -> None:
        with AtWork(self) as work:
            name = self.without_right(work.other)
            if not name:
                return
            check = work.fresh().check()
            assert not check.ok, f"check() says that all is well without {name}"
            said = [one.say(language) for one in (*check.missing, check.message) for language in ("en", "ru")]
            assert any(name in one for one in said), f"check() does not name {name}: {said}"

    # -- report, check, poll -------------------------------------------------------------------------------------

    def test_reports_every_state(self) -> None:
        """Each state that the class says it reports, each twice: the first answer may have been lost."""
        with AtWork(self) as work:
            order = work.orders()[0]
            for state in sorted(self.source.reports):
                for attempt in (1, 2):
                    work.fresh().report(report_of(order.key, state, attempt, order))

    def test_check_is_good(self) -> None:
        with AtWork(self) as work:
            check = work.source.check()
            assert isinstance(check, Check), f"check() gives a Check, not {check!r}"
            assert check.ok, f"the good settings do not pass check(): {check.message}"

    def test_polls_what_it_promises(self) -> None:
        if not self.source.poll_every:
            with AtWork(self) as work, pytest.raises(NotImplementedError):
                work.source.poll("")
            return
        with AtWork(self) as work:
            polled = work.source.poll("")
            assert isinstance(polled, Polled) and isinstance(polled.cursor, str), polled
            assert all(stored(event) == event for event in polled.events), "not the same after JSON"
            again = work.fresh().poll(polled.cursor)
            assert isinstance(again, Polled), again

    # -- payments as a list --------------------------------------------------------------------------------------

    #: The period in which the good order was paid: since, until.
    period: ClassVar[tuple[datetime, datetime]] = (NOW - timedelta(days=1), NOW + timedelta(days=1))

    def test_lists_its_payments(self) -> None:
        """The good order is among them, under the keys that ``fetch`` gives it, with a sum and words."""
        with AtWork(self) as work:
            if not work.source.lists_payments():
                return
            listed = work.payments()
            subjects = [one.subject for one in listed]
            assert len(set(subjects)) == len(subjects), f"a payment stands twice: {subjects}"
            keys = {key: one for one in listed for key in one.keys}
            for one in listed:
                self._payment(one)
            for order in work.orders():
                assert order.key in keys, f"the payment of {order.key} is not listed; listed are {sorted(keys)}"
                one = keys[order.key]
                assert one.verdict != "skip", f"{order.key} became an order, the list says: {one.why}"
                assert one.kind is order.kind, f"{order.key} is a {order.kind}, the list says {one.kind}"

    def test_a_listed_payment_can_be_taken(self) -> None:
        """The event of each payment makes orders under the keys that were listed, or none where the rule says so."""
        with AtWork(self) as work:
            for one in work.payments() if work.source.lists_payments() else ():
                for button in ("", *(each.name for each in one.buttons)):
                    event = work.local().event_of(one.subject, button)
                    assert event.subject == one.subject and stored(event) == event, f"{one.subject}: {event!r}"
                    end = end_of(partial(work.fresh().fetch, event))
                    orders = orders_of(end)
                    made = {order.key for order in orders}
                    assert made <= set(one.keys), f"{one.subject} was listed with {one.keys} and made {sorted(made)}"
                    if one.verdict == "receipt" or button:
                        assert orders or isinstance(end, Invalid), f"{one.subject} should make an order: {end!r}"
                    else:
                        assert not orders, f"{one.subject} makes an order, but the list says: {one.why}"

    def test_payments_that_never_were_cannot_be_taken(self) -> None:
        with AtWork(self) as work:
            source = work.local()
            listed = work.payments() if work.source.lists_payments() else []
            wrong = [("", ""), ("nothing:of:the:kind", ""), *((one.subject, "no button") for one in listed)]
            for subject, button in wrong:
                with pytest.raises(LookupError):
                    source.event_of(subject, button)

    def test_calls_out_where_it_says(self) -> None:
        """Otherwise the fault tests would prove nothing."""
        for operation in self._operations():
            with AtWork(self) as work:
                calls = work.count(operation)
                assert not work.bench.strays, f"{operation}() went past Client: {work.bench.strays}"
                said = operation in self.calls_out
                assert bool(calls) == said, f"{operation}() made {calls} calls; calls_out says {sorted(self.calls_out)}"

    # -- faults --------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", list(TROUBLES))
    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_fault(self, operation: str, name: str) -> None:
        """The fault at the first call, at the second ...: an honest exception, never an order, never a good check."""
        trouble = TROUBLES[name]
        for call in range(self._calls(operation)):
            with AtWork(self) as work:
                run = work.prepared(operation)
                work.bench.plan(trouble, call)
                end = end_of(run)
                where = f"{operation}() met {trouble} at call {call + 1}"
                honest(end, self.allowed(operation, trouble, call), where)
                keeps_secrets(end, self.source.settings, self.settings, where)
                assert not work.bench.strays, f"{operation}() went past Client: {work.bench.strays}"

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_bent_answers_end_in_words(self, operation: str) -> None:
        """One place of one JSON answer spoiled at a time: a field missing, null, of another type."""
        for call in range(self._calls(operation)):
            with AtWork(self) as work:
                work.count(operation)
                bends = bent_answers(work.bench.answers[call], self.bends) if call < len(work.bench.answers) else []
            for what, answer in bends:
                with AtWork(self) as work:
                    run = work.prepared(operation)
                    work.bench.bend(call, answer)
                    end = end_of(run)
                    self._in_words(operation, end, f"the answer to call {call + 1} with {what}")
                    keeps_secrets(end, self.source.settings, self.settings, what)

    # -- machinery -----------------------------------------------------------------------------------------------

    bench: ClassVar[Bench]
    _counted: ClassVar[dict[str, int]]

    @classmethod
    def setup_class(cls) -> None:
        """One server for all tests of the class."""
        cls.bench = Bench()
        cls.bench.start()
        cls._counted = {}

    @classmethod
    def teardown_class(cls) -> None:
        cls.bench.stop()

    def _operations(self) -> Iterator[str]:
        """Those that the class has: the others are asked of nobody."""
        has = {"poll": bool(self.source.poll_every), "payments": self._lists(),
               "tell_person": self.source.tell_person is not Source.tell_person}
        return (one for one in OPERATIONS if has.get(one, True))

    def _lists(self) -> bool:
        """Whether there is a list with the suite's settings."""
        if self.source.payments is Source.payments:
            return False
        with AtWork(self) as work:
            return work.source.lists_payments()

    def _calls(self, operation: str) -> int:
        """How many calls the operation makes on a good day."""
        if operation not in tuple(self._operations()):
            return 0
        if operation not in self._counted:
            with AtWork(self) as work:
                self._counted[operation] = work.count(operation)
        return self._counted[operation]

    def _receive(self, work: AtWork, request: Request, what: str) -> Reception | None:
        try:
            reception = work.local().receive(request)
        except (Malformed, Unauthorised):
            return None
        except Exception as problem:
            raise AssertionError(f"{what}: receive() raised {problem!r}, not Malformed or Unauthorised") from problem
        self._reception(reception, what)
        return reception

    def _reception(self, reception: object, what: str) -> None:
        assert isinstance(reception, Reception), f"{what}: receive() gave {reception!r}"
        assert isinstance(reception.answer, Answer), f"{what}: the answer is {reception.answer!r}"
        assert isinstance(reception.answer.body, bytes), f"{what}: the answer's body must be bytes"
        assert all(isinstance(event, Event) for event in reception.events), f"{what}: {reception.events!r}"
        assert reception.events or reception.ignored or not reception.keep, \
            f"{what}: no events, and ignored does not say why"

    def _payment(self, one: object) -> None:
        assert isinstance(one, SourcePayment), f"payments() gave {one!r}"
        assert one.subject and one.keys and all(one.keys), f"a payment without subject or keys: {one!r}"
        assert one.at.tzinfo is not None, f"{one.subject}: a time without a zone"
        since, until = self.period
        assert since <= one.at < until, f"{one.subject}: {one.at} is outside what was asked for"
        assert one.amount.amount >= 0, f"{one.subject}: a return has a kind, not a negative sum"
        assert one.verdict == "receipt" or one.why, f"{one.subject}: {one.verdict}, but nobody says why"
        assert one.verdict != "by_hand" or one.buttons, f"{one.subject} waits for a person and has no button"

    def _in_words(self, operation: str, end: Any, where: str) -> None:
        """Whatever the data was: an outcome of the contract, and orders that build or are invalid."""
        allowed = (*ENDS[operation], TryLater, NeedsAttention)
        if isinstance(end, Exception) and not isinstance(end, allowed):
            raise AssertionError(f"{where}: {operation}() raised {end!r}") from end
        assert isinstance(end, allowed) or orders_of(end), f"{where}: {operation}() gave {end!r}"
        for order in orders_of(end):
            order_in_words(order, self.terms(), where)

    def _tags(self, order: Order) -> None:
        for name, value in [*order.tags.items(), *(pair for line in order.lines for pair in line.tags.items())]:
            assert isinstance(value, str), f"the tag {name} is {value!r}, not text"
            known = name in self.source.tags or name.startswith(self.source.tag_prefixes or ("\0",))
            assert known, f"the tag {name} is not declared in tags or tag_prefixes"
