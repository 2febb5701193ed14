"""What an order source is: a CRM, CMS or shop that tells us about paid orders and wants to hear the result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from hub.contracts.http import Answer, Client, Reply, Request
from hub.contracts.payments import SourcePayment
from hub.contracts.settings import PluginSettings
from hub.contracts.shelf import Shelf
from hub.fiscal import FiscalRecord, Order, Problem, Text

if TYPE_CHECKING:
    from hub.contracts.exchange import Call, Exchanged


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened over there. ``subject`` names the thing (``deal:54``): events of one subject that wait
    together are fetched once, with the data of the latest. ``data`` is JSON, handed back to ``fetch``.
    ``again`` True asks to try anew a receipt that a register refused (somebody pressed "print again"). ``tried`` is
    set by the hub: what was read before may be out of date, because ``fetch`` was called for it and failed, or because
    what a poll has found waited beside an event that came otherwise. ``known_at`` is set by the hub, too: a moment of
    this process's ``time.monotonic`` by which the event had happened, so that what is read over there after it is no
    older than the event, whatever anybody's clock says. None: nobody knows, read anew."""

    subject: str
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)
    again: bool = False
    tried: bool = False
    known_at: float | None = None


@dataclass(frozen=True, slots=True)
class Reception:
    """The events in a request, and the answer its protocol demands. No events: ``ignored`` says why, for the owner.
    ``keep`` False is for pure queries ("is it printed?") that need not be stored."""

    answer: Answer
    events: tuple[Event, ...] = ()
    ignored: Text | None = None
    keep: bool = True


@dataclass(frozen=True, slots=True)
class NoOrder:
    """Why an event makes no receipt (not paid yet, not ours, already printed elsewhere), for the owner."""

    reason: Text


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What an event was about is paid no more over there: deleted, cancelled, moved back. ``keys`` are the source keys
    of its orders. Receipts of them that wait are cancelled; one that is being printed gets no second try; one that is
    printed stays, and the page says that it has no payment any more. Paid again, the same key is printed after all.

    ``order`` is given when a person took it back here, so that the source hears of it as it does of every receipt that
    is cancelled: one that has no receipt yet gets one that is cancelled, and "cancelled" is reported. Its key is the
    only one.
    """

    keys: tuple[str, ...]
    reason: Text
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll found. ``cursor`` is stored only together with the events; ``more`` asks to be called at once."""

    events: tuple[Event, ...]
    cursor: str
    more: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """The result of "test connection": good, or a sentence on the field that it belongs to.

    ``facts`` are shown when good (portal name, rights, user). ``missing`` are the rights that the account lacks over
    there, each by the name that a person finds there; a check that lacks one is not ``ok``."""

    ok: bool
    message: Text
    field: str = ""
    facts: tuple[tuple[Text, str], ...] = ()
    missing: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a person does in the other system; ``copy`` is what they paste there, with a copy button."""

    text: Text
    copy: str = ""


State = Literal["accepted", "queued", "printing", "recorded", "confirmed", "invalid", "refused", "uncertain",
                "cancelled"]


@dataclass(frozen=True, slots=True)
class ReceiptView:
    """A receipt as its source may see it. ``url`` is our own page of it, which works at once. ``ofd_url`` is the tax
    data operator's, empty until the receipt is ``confirmed``; so is ``record.url``. ``id`` is a whole number of its own
    in this hub, for APIs whose ids are numbers; ``number`` is what people and addresses see.

    ``disputed``: the order came again under its key with other content, and nobody has said yet whether it is the same
    order; ``decided`` counts such contents of which somebody has. ``generation`` above 1: it was another order, and
    this receipt is the newer one's.
    """

    key: str
    state: State
    number: str
    record: FiscalRecord | None = None
    problems: tuple[Problem, ...] = ()
    reason: Text | None = None
    url: str = ""
    order_number: str = ""
    origin: Mapping[str, Any] = field(default_factory=dict)
    ofd_url: str = ""
    id: int = 0
    disputed: bool = False
    decided: int = 0
    generation: int = 1


@dataclass(frozen=True, slots=True)
class Report:
    """What to tell the source. ``delivery`` is the same on every try of one report; ``attempt`` counts from 1."""

    receipt: ReceiptView
    delivery: str
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class RegisterView:
    """A register that serves the source's queue, as far as the hub knows it: empty texts for what it has not said.
    ``ready`` is False when it is switched off or asks for a person."""

    serial: str
    storage_number: str = ""
    registration_number: str = ""
    ready: bool = True


Colour = Literal["green", "amber", "red", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing on a source's page that only its plugin can know: a lamp, or what needs a person.

    ``name`` (a word or two) makes it a lamp; ``words`` say what happened, why, and what to do. ``mend`` is an action's
    id for :meth:`Source.mend`, ``button`` the words on its button, ``copy`` something to paste over there.
    """

    colour: Colour
    words: Text
    name: Text | None = None
    mend: str = ""
    button: Text | None = None
    copy: str = ""


class AccountMemory(Protocol):
    """What an account over there has in common for all sources that work with it (:meth:`SourceContext.account`):
    of all organisations, in all workers and on all machines. Nothing of one source's belongs in it."""

    def recall(self, name: str) -> str | None:
        """What :meth:`remember` kept, unless it has expired. Encrypted at rest."""

    def remember(self, name: str, value: str, seconds: float) -> None:
        """Keeps a small value for so long (a token); an empty value forgets it."""

    def lock(self, name: str, seconds: float = 30.0) -> AbstractContextManager[bool]:
        """As :meth:`SourceContext.lock`, for all who work with the account."""


class SourceContext(Protocol):
    """What the core lends to a source. Everything that is not in the settings comes through here."""

    @property
    def public_id(self) -> str:
        """The source's public id."""

    @property
    def address(self) -> str:
        """Our address for this source, with its secret: ``https://hub.example/in/<plugin>/<id>/<token>``."""

    def secret(self, name: str) -> str:
        """A key of 40 hexadecimal digits that only this source and its owner know; the same each time until the
        source gets a new address. For protocols whose client wants a key to copy."""

    def shelf(self, name: str) -> Shelf:
        """Things that the source keeps by number (:mod:`hub.contracts.shelf`)."""

    @property
    def currency(self) -> str:
        """Currency of the organisation, ``RUB`` or ``KZT``."""

    @property
    def zone(self) -> str:
        """IANA zone of the organisation."""

    @property
    def tax_id(self) -> str:
        """INN or BIN of the organisation."""

    @property
    def rehearsing(self) -> bool:
        """Whether nothing will come of it: a page asks what payments would become. Then the owner's rule counts for
        every payment, also for those from before the hub's first day."""

    def now(self) -> datetime:
        """The time, with zone UTC."""

    def client(self) -> Client:
        """An HTTP client for the calling thread."""

    def outgoing(self) -> Client:
        """An HTTP client for the calling thread that reaches only public addresses, and those that the operator
        allowed: for every address that did not come from the owner (a callback's URL in a request)."""

    def receipt(self, key: str) -> ReceiptView | None:
        """The receipt of this source under that source key."""

    def waits(self, subject: str) -> bool:
        """Whether an event of that subject was accepted and is still to be taken up: what is known of its receipt may
        change. False from the moment in which the change is seen in :meth:`receipt`, so ask this first."""

    def registers(self) -> tuple[RegisterView, ...]:
        """The registers that may print this source's receipts."""

    def recall(self, name: str) -> str | None:
        """What :meth:`remember` kept, unless it has expired. Shared by all workers, encrypted at rest."""

    def remember(self, name: str, value: str, seconds: float | None = None) -> None:
        """Keeps a small value (a token, an own write-back's mark); an empty value forgets it."""

    def lock(self, name: str, seconds: float = 30.0) -> AbstractContextManager[bool]:
        """A lock shared by all workers; the value says whether it was got within a few seconds."""

    def turn(self, name: str, per_second: float, burst: int = 1, at_most: float = 5.0) -> float:
        """Books one call to the account ``name``, which bears so many a second (``burst`` at once after a rest), and
        says how many seconds to wait before it is made. More than ``at_most``: nothing was booked, come back later.
        Shared by all workers and all sources of the plugin. :class:`hub.contracts.Pace` does the waiting."""

    def quiet(self, name: str, seconds: float) -> None:
        """The account asked for quiet: no call is due within so many seconds."""

    def late(self, name: str, seconds: float) -> None:
        """The call that was booked last for the account may have arrived so many seconds after its turn: the next ones
        keep their distance to it. Only for accounts that are called one call at a time."""

    def account(self, identity: str) -> AccountMemory:
        """What is kept for an account over there instead of for this source. ``identity`` is everything that makes it
        the same one: a host for a lock, and the login and key too for a token, so that whoever has another key never
        comes upon it. It may be secret: only a digest of it is stored."""


Instead = Literal["unauthorised", "malformed", "unavailable", "failed", "lost", "too_large", "disabled"]


class PaymentDesk(ABC):
    """What is asked of whoever may list payments and take one at a person's word: of every source, and of the part of a
    gateway that does (:attr:`hub.contracts.Gateway.desk`)."""

    #: Whether every receipt of the source stands behind a payment of the list. If so, one that does not is shown as a
    #: difference; if not, it is nobody's worry (a gateway's receipts come by its API).
    lists_all: ClassVar[bool] = True

    def __init__(self, settings: Mapping[str, Any], context: SourceContext) -> None:
        self.config, self.context = settings, context

    @abstractmethod
    def fetch(self, event: Event) -> Order | tuple[Order | Withdrawn, ...] | NoOrder | Withdrawn:
        """Asks the other system for what the event did not carry and makes orders of it. A tuple may hold orders and
        what was taken back, when one event tells of both.

        Raises TryLater, NeedsAttention, or hub.fiscal.Invalid when what it read cannot become a receipt.
        """

    # -- payments as a list (optional) ---------------------------------------------------------------------------

    def lists_payments(self) -> bool:
        """Whether :meth:`payments` can be asked with these settings. Asks nobody."""
        return type(self).payments is not PaymentDesk.payments

    def no_list(self) -> Text | None:
        """Why there is no list with these settings, and what would give one, in words for the owner; None when there is
        nothing to say. Asks nobody."""
        return None

    def payments(self, since: datetime, until: datetime) -> Iterable[SourcePayment]:
        """The payments made at or after ``since`` and before ``until`` (both with a zone), each with what the owner's
        rule makes of it; those without a receipt too, and those that only a person may send.

        For the page of payments beside receipts, the dry run and the import of history: it stores nothing, and an
        error is raised, never an empty list. May be a generator: it is read no further than the page shows. Raises
        TryLater or NeedsAttention.
        """
        raise NotImplementedError(f"{type(self).__name__} lists no payments")

    def rule(self) -> tuple[Text, ...]:
        """The owner's rule in words, a sentence for each part of it: which payments become receipts. Shown above those
        that it sorts; may ask the other side for names. Raises TryLater or NeedsAttention."""
        return ()

    def event_of(self, subject: str, button: str = "") -> Event:
        """The event that takes a payment now, as :meth:`payments` named it; with ``button``, one of its buttons, as a
        person's word: then it makes an order whatever the rule says of who sends it. Asks nobody. LookupError when
        ``subject`` or ``button`` never was."""
        raise LookupError(subject)


class Source(PaymentDesk):
    """An order source. One instance serves one enabled source in one thread at a time."""

    #: Lower-case name, the same as the plugin's folder; part of the source's address.
    name: ClassVar[str]
    title: ClassVar[Text]
    #: One line on the card: what it does.
    summary: ClassVar[Text]
    settings: ClassVar[type[PluginSettings]]
    #: Whether it works without the other side being able to reach us.
    works_without_inbound: ClassVar[bool] = False
    #: Whether ``setup`` registers nothing over there and only says what to click.
    only_steps: ClassVar[bool] = False
    #: Seconds between polls; 0 when it does not poll.
    poll_every: ClassVar[int] = 0
    #: Whether it may hold long polls (hub.contracts.exchange); :meth:`exchanging` says whether these settings do.
    exchanges: ClassVar[bool] = False
    #: Whether ``fetch`` gives an order as it stands over there now, whatever the event carried. Then the newest is the
    #: true one: a receipt that still waits is made of it anew. Else a changed order is kept beside the receipt, and a
    #: person decides, as it is with every change after printing.
    reads_back: ClassVar[bool] = False
    #: States that are reported back.
    reports: ClassVar[frozenset[str]] = frozenset({"recorded", "invalid", "refused"})
    #: Default receipt template of a line's name; empty keeps the line's own name.
    template: ClassVar[str] = ""
    #: Tags it puts on every order, with what they mean: for the editor and its check.
    tags: ClassVar[Mapping[str, Text]] = {}
    #: Prefixes of tags whose names only the other system knows ("custom_").
    tag_prefixes: ClassVar[tuple[str, ...]] = ()
    #: End of a path (lower case) -> what the doors answer to it while the plugin is set aside and cannot be asked: for
    #: systems that take every error for success. Other paths are answered "later" (503).
    standby: ClassVar[Mapping[str, Answer]] = {}

    @abstractmethod
    def receive(self, request: Request) -> Reception:
        """Authenticates and reads one request. Fast and local: no call to the other system from here.

        Raises Unauthorised or Malformed; anything else it raises is answered by ``answer_instead("failed")`` after
        the raw request was kept.
        """

    def poll(self, cursor: str) -> Polled:
        """What happened since ``cursor`` (empty at first). Overlaps rather than misses; repeats are harmless."""
        raise NotImplementedError(f"{self.name} does not poll")

    def polling(self) -> int:
        """Seconds between polls with these settings; 0 when they need none."""
        return self.poll_every

    def state(self) -> tuple[Finding, ...]:
        """What the source's page shows of the other side beside the core's own lamps, worst first.

        From what is known here: the page waits for it, so it asks nobody.
        """
        return ()

    def mend(self, action: str) -> Text:
        """What a finding's button does; the sentence says what came of it.

        ``action`` is one that :meth:`state` gave, perhaps a while ago: what is mended already is no error. Raises
        TryLater or NeedsAttention; LookupError for an action that never was.
        """
        raise LookupError(action)

    # -- a person in the other system (optional) -----------------------------------------------------------------

    def tells_person(self) -> bool:
        """Whether :meth:`tell_person` can be asked with these settings. Asks nobody."""
        return type(self).tell_person is not Source.tell_person

    def tell_person(self, report: Report) -> None:
        """Tells whoever is responsible over there that a receipt failed (``invalid``, ``refused``): a notice or a task
        where they look every day. Like :meth:`report` it may be called again after a lost answer."""
        raise NotImplementedError(f"{self.name} has no way to tell a person")

    def serves(self) -> str:
        """What this source prints for (a host, an account), so that the page can warn when two sources print for one.
        Empty when the settings do not say. Asks nobody."""
        return ""

    def overlaps(self, other: Source) -> bool:
        """Whether a payment could be both this source's and ``other``'s, which is of the same class: then the page
        warns of two receipts. Asks nobody."""
        return bool(self.serves()) and self.serves() == other.serves()

    def exchanging(self) -> bool:
        """Whether a conversation is held with these settings. Then reports travel in its calls, and :meth:`report` is
        not asked."""
        return self.exchanges

    def next_call(self, state: str, reports: tuple[Report, ...]) -> Call | None:
        """The next call of the conversation: ``state`` is what the last ``called`` gave (empty at first), ``reports``
        is everything that the other side has not acknowledged, oldest first. None: nothing to call about now.

        Runs in a worker's thread, with the database behind ``context``. Raises TryLater or NeedsAttention.
        """
        raise NotImplementedError(f"{self.name} holds no conversation")

    def called(self, state: str, call: Call, reply: Reply) -> Exchanged:
        """What a whole answer meant, whatever its status. A call that brought no whole answer is the core's to repeat.
        Raises TryLater or NeedsAttention when nothing can be made of it: then the state stays as it was."""
        raise NotImplementedError(f"{self.name} holds no conversation")

    @abstractmethod
    def report(self, report: Report) -> None:
        """Tells the other system. May be called again after a lost answer: reads back before it writes twice."""

    @abstractmethod
    def check(self) -> Check:
        """Tries the real connection with the real settings."""

    @abstractmethod
    def setup(self) -> tuple[Step, ...]:
        """Registers our addresses over there, or says in steps what to click. Repeatable."""

    @classmethod
    def worth_keeping(cls, request: Request) -> bool:
        """Whether a request that cannot be received now must be kept on disk; False for pure queries."""
        return True

    @classmethod
    def answer_instead(cls, why: Instead, request: Request) -> Answer:
        """What to answer when ``receive`` cannot be used.

        unauthorised, malformed, too_large, disabled: nothing was taken. unavailable: the database is away, the raw
        request was kept on disk and is received later. failed: ``receive`` raised, the request was kept for the
        owner. lost: it could be kept nowhere (database away and disk full): only a repeat can help.

        A class method, because it must work when no settings can be read. Override where the vendor's protocol
        takes an error for something else.
        """
        status, words = _INSTEAD[why]
        return Answer.text(words, status)


_INSTEAD: dict[str, tuple[int, str]] = {
    "unauthorised": (403, "wrong secret"),
    "malformed": (400, "cannot be read"),
    "unavailable": (200, "accepted"),
    "failed": (500, "failed; the request was kept"),
    "lost": (503, "cannot be kept now; repeat later"),
    "too_large": (413, "over 10 MB"),
    "disabled": (403, "this source is switched off"),
}
