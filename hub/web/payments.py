"""A source's payments beside its receipts: every difference with its reason and the button that mends it; what the
owner's rule makes of the last payments, on paper too; and the day from which the hub prints.

Looking prints nothing. A button puts an event into the source's inbox, where its key makes one receipt of it whatever
else tells of the same payment.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar

import structlog
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from flask_login import login_required
from markupsafe import Markup
from sqlalchemy import Connection, update
from werkzeug.exceptions import HTTPException

from hub.contracts import NeedsAttention, PaymentDesk, SourcePayment, TryLater
from hub.fiscal import Problem, Text
from hub.fiscal import paper as papers
from hub.intake import comparing, dry, history
from hub.intake.context import SourceFacts
from hub.intake.doors import event_digest, put
from hub.intake.drain import HAND
from hub.paper import as_html
from hub.store import SourceRow, table, utcnow
from hub.store.audit import noted
from hub.store.vault import KeyMissing
from hub.web import queries
from hub.web.auth import owner_only
from hub.web.filters import money, say
from hub.web.papers import WIDTHS, choice, look_of
from hub.web.state import actor, found, organisation, the_hub, zone
from hub.web.words import PAIRS, PairLook

page = Blueprint("payments", __name__, url_prefix="/payments")
log = structlog.get_logger("hub.web")

#: Papers of a dry run on one page: each asks the other system for its order.
PAPERS = 10
#: Seconds of quiet that a page waits for before it asks once more.
PATIENCE = 3.0
T = TypeVar("T")
_source = table(SourceRow)


@dataclass(frozen=True, slots=True)
class Desk:
    """A source at work, as its pages need it."""

    row: SourceRow
    facts: SourceFacts
    plugin: PaymentDesk


@dataclass(frozen=True, slots=True)
class Shown:
    """One line of the page: a pair, its look, why, and its buttons (words, what they post, where they lead).

    ``anyway``: those of a payment that the rule leaves out, if a person may outweigh it; ``after_all`` those of one
    from before the hub.
    """

    pair: comparing.Pair
    look: PairLook
    why: str
    take: tuple[tuple[str, str], ...] = ()
    href: str = ""
    button: str = ""
    anyway: tuple[tuple[str, str], ...] = ()
    after_all: tuple[tuple[str, str], ...] = ()


@page.app_template_global("lists_payments")
def lists(row: SourceRow) -> bool:
    """Whether a source lists its payments with its settings."""
    if the_hub().sources.desk_of(row.plugin) is None:
        return False
    try:
        return _desk(row).plugin.lists_payments()
    except (NeedsAttention, KeyMissing):
        return False
    except Exception:
        log.exception("lists_failed", source=row.public_id, plugin=row.plugin)
        return False


@page.app_template_global("no_list")
def no_list(row: SourceRow) -> Text | None:
    """Why a source lists no payments with its settings, where its plugin says so."""
    if the_hub().sources.desk_of(row.plugin) is None:
        return None
    try:
        return _desk(row).plugin.no_list()
    except (NeedsAttention, KeyMissing):
        return None
    except Exception:
        log.exception("lists_failed", source=row.public_id, plugin=row.plugin)
        return None


def _desk(row: SourceRow, rehearsing: bool = False) -> Desk:
    hub = the_hub()
    facts = found(hub.sources.by_id(row.id))
    return Desk(row, facts, dry.plugin_of(hub.sources, facts, rehearsing))


def _open(public_id: str, rehearsing: bool = False) -> Desk:
    with the_hub().db.session() as session:
        row: SourceRow = found(queries.source(session, organisation().id, public_id))
    if not lists(row):
        abort(404)
    return _desk(row, rehearsing)


@contextmanager
def _asking(said: list[str]) -> Iterator[None]:
    """Whatever the other system or its plugin raises becomes a sentence in ``said``."""
    try:
        yield
    except (TryLater, NeedsAttention) as problem:
        said.append(say(problem.reason))
    except KeyMissing:
        said.append(gettext("The secrets of this connection cannot be opened."))
    except HTTPException:
        raise
    except Exception as problem:
        log.exception("payments_failed")
        said.append(gettext("The plugin failed while listing the payments: %(error)s", error=type(problem).__name__))


def _patiently(ask: Callable[[], T]) -> T:
    """What the plugin lists; asked once more when the other side only wanted a moment's quiet, which a person at the
    page waits for rather than press a button for."""
    started = clock.monotonic()
    try:
        return ask()
    except TryLater as problem:
        # Whoever is away lets us wait for nothing: that was said slowly enough.
        if clock.monotonic() - started > dry.PATIENCE / 2 or (problem.after or 0.0) > PATIENCE:
            raise
        clock.sleep(min(PATIENCE, problem.after or 1.0))
        return ask()


# -- payments beside receipts --------------------------------------------------------------------------------------


def chosen_day() -> date:
    """The day in the address, in the organisation's zone; today when none, or none that can be read."""
    today = utcnow().astimezone(zone()).date()
    try:
        wanted = date.fromisoformat(request.values.get("day", ""))
    except ValueError:
        return today
    return wanted if date(2017, 1, 1) <= wanted <= today else today


def bounds(day: date) -> tuple[datetime, datetime]:
    """When a day begins and ends in the page's zone."""
    return (datetime.combine(day, time(), zone()), datetime.combine(day + timedelta(days=1), time(), zone()))


@page.get("/<public_id>")
@login_required
def beside(public_id: str) -> str:
    """A day's payments beside its receipts, what differs first."""
    desk, day = _open(public_id), chosen_day()
    (since, until), said = bounds(day), list[str]()
    result = comparing.Comparison(())
    with _asking(said):
        listed = _patiently(lambda: list(desk.plugin.payments(since, until)))
        with the_hub().db.read() as connection:
            result = comparing.compare(connection, desk.facts, listed, since, until, desk.plugin.lists_all)
    today = utcnow().astimezone(zone()).date()
    lines = [_shown(pair, day) for pair in result.pairs]
    colour, sentence = ("amber", "") if said else _sentence(result, day == today)
    return render_template(
        "payments.html", row=desk.row, day=day, today=today, before=day - timedelta(days=1),
        after=day + timedelta(days=1) if day < today else None, said=said, result=result, colour=colour,
        sentence=sentence, only_due=all(one.status == "due" for one in result.differences),
        differing=[one for one in lines if one.pair.status not in comparing.IN_ORDER],
        rest=[one for one in lines if one.pair.status in comparing.IN_ORDER], sums=_sums(result),
        most=comparing.MOST, asked=utcnow())


def _sentence(result: comparing.Comparison, today: bool) -> tuple[str, str]:
    """(colour, the one sentence)."""
    waiting = result.by_status.get("due", 0)
    differing = [one for one in result.differences if one.status not in comparing.UNDER_WAY and one.status != "due"]
    if differing:
        worst = PAIRS[differing[0].status].colour
        return worst, ngettext("%(num)d difference between payments and receipts",
                               "%(num)d differences between payments and receipts", len(differing))
    if waiting:
        return "blue", ngettext("%(num)d order waits for you to say how it ended",
                                "%(num)d orders wait for you to say how they ended", waiting)
    if result.differences:
        count = len(result.differences)
        return "blue", ngettext("%(num)d receipt is on its way", "%(num)d receipts are on their way", count)
    if not result.payments:
        return "grey", gettext("There were no payments today yet") if today else gettext("There were no payments that "
                                                                                         "day")
    if result.payments == 1:
        return "green", gettext("The only payment and its receipt agree")
    return "green", ngettext("%(num)d payment and its receipt agree", "All %(num)d payments and their receipts agree",
                             result.payments)


def _sums(result: comparing.Comparison) -> list[tuple[str, str]]:
    """(paid, receipted) in each currency: returns count as less."""
    paid: dict[str, int] = {}
    printed: dict[str, int] = {}
    for pair in result.pairs:
        if pair.payment is not None and pair.payment.verdict != "skip" and pair.status != "due":
            sign = -1 if pair.payment.kind.is_return else 1
            currency = pair.payment.amount.currency
            paid[currency] = paid.get(currency, 0) + sign * pair.payment.amount.amount
        for one in pair.papers:
            if one.printed:
                sign = -1 if one.kind in ("SALE_RETURN", "PURCHASE") else 1
                printed[one.currency] = printed.get(one.currency, 0) + sign * (one.total or 0)
    return [(money(paid.get(one, 0), one), money(printed.get(one, 0), one)) for one in sorted({*paid, *printed})]


def _shown(pair: comparing.Pair, day: date) -> Shown:
    look, status, payment = PAIRS[pair.status], pair.status, pair.payment
    first = next((one for one in pair.papers if one.state == status or status not in comparing.STATUSES),
                 pair.papers[-1] if pair.papers else None)
    why = say(_why(pair, first))
    href = url_for("receipts.one", public_id=first.public_id) if first is not None else ""
    if status == "disputed":
        href += "#conflicts"
    # Taken back before it was printed: pressed again, the same receipt is printed after all.
    back = bool(pair.papers) and all(one.state == "cancelled" and one.withdrawn is not None for one in pair.papers)
    if payment is None or (first is not None and not back):
        return Shown(pair, look, why, (), href, str(look.button))
    buttons = tuple((one.name, say(one.words)) for one in payment.buttons)
    take = {"untold": (("", gettext("Take it now")),), "by_hand": buttons}
    take["left"], take["cancelled"], take["due"] = take["untold"], buttons, buttons
    take["failed"] = buttons if payment.verdict == "by_hand" else take["untold"]
    # What another system prints is nobody's to print here, whatever the button says.
    anyway = buttons if status == "skipped" and payment.elsewhere is None else ()
    after_all: tuple[tuple[str, str], ...] = ()
    if status == "known":
        after_all = tuple((name, gettext("It has no receipt: %(button)s", button=words)) for name, words in buttons) \
            or (("", gettext("It has no receipt: print it")),)
    return Shown(pair, look, why, take.get(status, ()), href, str(look.button), anyway, after_all)


def _why(pair: comparing.Pair, first: comparing.Paper | None) -> Any:
    """The reason in words, where there is one beside the status's own."""
    payment, status = pair.payment, pair.status
    if first is not None:
        if status == "other_sum" and payment is not None:
            return gettext("Paid %(paid)s, the receipt says %(printed)s. It is never printed anew by itself.",
                           paid=money(payment.amount), printed=money(first.total, first.currency))
        if status == "invalid" and first.problems:
            return _problem(first.problems[0])
        if status in ("withdrawn", "refused", "uncertain", "cancelled") and (first.withdrawn or first.reason):
            return first.withdrawn or first.reason
        if status == "elsewhere_too" and payment is not None:
            return payment.elsewhere
    if status in ("failed", "left") and pair.event is not None:
        return pair.event.reason
    return payment.why if payment is not None else None


def _problem(tree: Mapping[str, Any]) -> Text:
    """What a stored problem says."""
    return Problem.from_json(dict(tree)).text


@page.post("/<public_id>/take")
@login_required
def take(public_id: str) -> Any:
    """Puts a payment's event into the inbox, as its button says. Pressed twice it is still one receipt."""
    desk, hub = _open(public_id), the_hub()
    subject, button, who = request.form.get("subject", ""), request.form.get("button", ""), actor()
    try:
        event = desk.plugin.event_of(subject, button)
    except LookupError:
        abort(404)

    def work(connection: Connection) -> None:
        put(connection, desk.facts, event, HAND, None, event_digest(event))
        connection.execute(update(_source).where(_source.c.id == desk.row.id).values(retry_at=None))
        noted(connection, desk.row.organisation_id, who, "payment.take", desk.row.public_id, subject=subject,
              button=button)

    hub.db.submit(work)
    hub.bell.ring("jobs", f"source:{desk.row.id}")
    if desk.row.enabled:
        flash(gettext("The payment is taken. In a moment its receipt stands here."), "green")
    else:
        flash(gettext("The payment is noted, but the connection is paused. It is worked on when it goes on."), "amber")
    return redirect(url_for("payments.beside", public_id=public_id, day=chosen_day().isoformat()))


# -- the rule and the dry run --------------------------------------------------------------------------------------


@page.get("/<public_id>/rule")
@login_required
def rule(public_id: str) -> str:
    """The owner's rule in words, and the last fifty payments sorted by it: what becomes a receipt, what does not, and
    why."""
    desk, said = _open(public_id, rehearsing=True), list[str]()
    listed: list[SourcePayment] = []
    rules: tuple[Text, ...] = ()
    with _asking(said):
        rules = desk.plugin.rule()
        listed = _patiently(lambda: dry.latest(desk.plugin, utcnow()))
    groups = [(verdict, [one for one in listed if one.verdict == verdict])
              for verdict in ("receipt", "by_hand", "skip")]
    return render_template("rule.html", row=desk.row, groups=groups, said=said, count=len(listed), last=dry.LAST,
                           rules=rules)


@page.get("/<public_id>/dry")
@login_required
def dry_run(public_id: str) -> str:
    """What the last fifty payments would become, on paper, ten at a time. Nothing of it is stored or printed."""
    desk, said = _open(public_id, rehearsing=True), list[str]()
    start = max(0, min(request.args.get("start", 0, type=int), dry.LAST - PAPERS))
    listed: list[SourcePayment] = []
    made: list[tuple[SourcePayment, dry.Dry, list[Markup], list[str]]] = []
    with _asking(said):
        listed = _patiently(lambda: dry.latest(desk.plugin, utcnow()))
        for one in listed[start:start + PAPERS]:
            became = dry.run(the_hub().sources, desk.facts, desk.plugin, one)
            made.append((one, became, _sheets(desk, became), _problems(became)))
            if became.later:
                break  # the other side wants some quiet: what is left would only say the same
    after = start + PAPERS if start + PAPERS < len(listed) else None
    return render_template("dry.html", row=desk.row, made=made, said=said, start=start, count=len(listed),
                           before=max(0, start - PAPERS) if start else None, after=after, last=dry.LAST)


def _sheets(desk: Desk, became: dry.Dry) -> list[Markup]:
    """The printed forms of what it would become."""
    chosen = choice({}, str(desk.facts.organisation["country"]))
    look = look_of(desk.row.organisation_id, desk.row)
    forms = [papers.form(one.receipt, None, language=chosen.language, look=look)  # type: ignore[arg-type]
             for one in became.prepared if one.receipt is not None]
    return [Markup(as_html(papers.on(form, WIDTHS[chosen.width]))) for form in forms]


def _problems(became: dry.Dry) -> list[str]:
    return [say(problem.text) for one in became.prepared for problem in one.problems]


# -- what was before the hub ---------------------------------------------------------------------------------------


@page.route("/<public_id>/history", methods=["GET", "POST"])
@owner_only
def before_hub(public_id: str) -> Any:
    """The day from which the hub prints: what was paid before is known and never printed."""
    desk, said = _open(public_id), list[str]()
    today = utcnow().astimezone(zone()).date()
    day, error = today.isoformat(), ""
    if request.method == "POST":
        day = request.form.get("from", "")
        start = _start(day, today)
        if start is None:
            error = gettext("Choose a day between 2017 and today.")
        else:
            until = datetime.combine(start, time(), zone())
            back = until - timedelta(days=_days())
            with _asking(said):
                listed = desk.plugin.payments(back, until)
                done = history.import_history(the_hub().sources, desk.facts, listed, until, actor())
                flash(_imported(done, start), "green")
                return redirect(url_for("payments.before_hub", public_id=public_id))
    with the_hub().db.read() as connection:
        known = history.count(connection, desk.row.id)
    return render_template("history.html", row=desk.row, facts=desk.facts, day=day, today=today, known=known,
                           said=said, error=error), 422 if error else 200


def _start(text: str, today: date) -> date | None:
    try:
        start = date.fromisoformat(text)
    except ValueError:
        return None
    return start if date(2017, 1, 1) <= start <= today else None


def _days() -> int:
    """How many days before it are looked through for keys."""
    asked = request.form.get("days", "31")
    return min(366, int(asked)) if asked.isdecimal() and int(asked) else 31


def _imported(done: history.Imported, start: date) -> str:
    words = ngettext("%(num)d payment from before is known now.", "%(num)d payments from before are known now.",
                     done.known)
    if done.receipted:
        words += " " + ngettext("%(num)d has its receipt in the hub already.",
                                "%(num)d have their receipts in the hub already.", done.receipted)
    return words + " " + gettext("Nothing was printed. The hub prints what is paid from %(day)s on.",
                                 day=f"{start:%d.%m.%Y}")


@page.post("/<public_id>/after-all")
@owner_only
def after_all(public_id: str) -> Any:
    """A payment from before the hub that has no receipt after all: it is taken."""
    desk, hub = _open(public_id), the_hub()
    day, who = chosen_day(), actor()
    subject, said = request.form.get("subject", ""), list[str]()
    with _asking(said):
        one = next((each for each in desk.plugin.payments(*bounds(day)) if each.subject == subject), None)
        if one is None:
            abort(404)
        button = request.form.get("button", "") or (one.buttons[0].name if one.verdict == "by_hand" else "")
        try:
            event = desk.plugin.event_of(subject, button)
        except LookupError:
            abort(404)

        def work(connection: Connection) -> None:
            history.release(connection, desk.facts, one.keys)
            put(connection, desk.facts, event, HAND, None, event_digest(event))
            noted(connection, desk.row.organisation_id, who, "payment.after_all", desk.row.public_id, subject=subject)

        hub.db.submit(work)
        hub.bell.ring("jobs", f"source:{desk.row.id}")
        flash(gettext("The payment is taken. In a moment its receipt stands here."), "green")
    for words in said:
        flash(words, "red")
    return redirect(url_for("payments.beside", public_id=public_id, day=day.isoformat()))
