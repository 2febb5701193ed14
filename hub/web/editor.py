"""The receipt template's editor: checked when saved, shown live beside it with a real order."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext

from hub import office, templating
from hub.fiscal import Customer, Form, Money, Order, OrderLine, Payment, Text, shorten
from hub.fiscal.codes import LONGEST, Tag
from hub.store import SourceRow
from hub.web import forms, queries
from hub.web.auth import owner_only
from hub.web.filters import language
from hub.web.state import actor, found, organisation, the_hub

page = Blueprint("editor", __name__, url_prefix="/connectors")
LONGEST_TEMPLATE = 2000


def tags_of(kind: Any) -> dict[str, Text]:
    """Every tag that may stand in a template of that source."""
    return {**templating.STANDARD_TAGS, **dict(kind.tags)}


def sample(currency: str, kind: Any) -> Order:
    """An order for the preview while the source has sent none: each of its tags holds what it means."""
    price = Money(148_000, currency)
    words = {name: text.say(language()) for name, text in kind.tags.items()}
    return Order(key="sample", number="1042", lines=(OrderLine(gettext("Lesson of English"), price, Decimal(1)),),
                 payments=(Payment(Form.ELECTRONIC, price),), currency=currency,
                 customer=Customer(gettext("Anna Ivanova"), "anna@example.com", "+79161234567"),
                 settled_at=datetime(2026, 11, 20, 11, 5, tzinfo=UTC), note="", tags=words)


def preview(kind: Any, row: SourceRow, text: str) -> dict[str, Any]:
    """The lines as they would be printed, or what is wrong with the template."""
    try:
        template = templating.compile(text, tags_of(kind), kind.tag_prefixes)
    except templating.TemplateError as problem:
        return {"error": problem.text, "lines": []}
    hub, org = the_hub(), organisation()
    with hub.db.session() as session:
        order = queries.latest_order(session, row.id)
    real = order is not None
    order = order or sample(org.currency, kind)
    lines, more = [], hub.catalogue.tags(order)
    for line in order.lines[:10]:
        keeps = not text or (line.name and "line.name" not in template.tags)
        full = line.name if keeps else template.render(
            templating.values_of(order, line, org.name, more, zone=ZoneInfo(org.zone)))
        lines.append({"full": full, "printed": shorten(full), "keeps": bool(keeps and text), "empty": not full})
    return {"error": None, "lines": lines, "real": real, "number": order.number, "limit": LONGEST[Tag.ITEM_NAME]}


def _row(public_id: str) -> SourceRow:
    with the_hub().db.session() as session:
        row: SourceRow = found(queries.source(session, organisation().id, public_id))
    return row


@page.route("/<public_id>/template", methods=["GET", "POST"])
@owner_only
def edit(public_id: str) -> Any:
    """The editor; a template with a mistake is not saved, and nothing of it is lost."""
    row = _row(public_id)
    kind = found(the_hub().catalogue.connector(row.plugin))
    text = request.form.get("template", row.template).replace("\r\n", "\n")[:LONGEST_TEMPLATE]
    shown = preview(kind, row, text)
    status = 200
    if request.method == "POST":
        if shown["error"] is None:
            error = _save(row, kind, text)
            if error is None:
                flash(gettext("The template is saved. It holds for receipts made from now on."), "green")
                return redirect(url_for("connectors.one", public_id=public_id))
            shown["error"] = error
        status = 422
    return render_template("template.html", row=row, kind=kind, text=text, shown=shown, tags=tags_of(kind),
                           prefixes=kind.tag_prefixes), status


def _save(row: SourceRow, kind: Any, text: str) -> Any:
    """None after saving, else a sentence: the source's other settings may have become wrong."""
    hub = the_hub()
    try:
        with hub.db.write() as session:
            mine = session.get_one(SourceRow, row.id)
            office.change_source(session, hub.vault, actor(), mine, kind.settings, mine.settings, template=text)
    except office.Wrong as wrong:
        return next(iter(forms.problems(wrong).values()))
    hub.sources.forget()
    hub.bell.ring("jobs", f"source:{row.id}")
    return None


@page.post("/<public_id>/template/preview")
@owner_only
def live(public_id: str) -> str:
    """The preview alone, asked for while typing."""
    row = _row(public_id)
    kind = found(the_hub().catalogue.connector(row.plugin))
    text = request.form.get("template", "").replace("\r\n", "\n")[:LONGEST_TEMPLATE]
    return render_template("_preview.html", shown=preview(kind, row, text))
