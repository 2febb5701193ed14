"""Receipts, returns and corrections: made through the same rules and the same transaction as everybody's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from flask import Response, request
from sqlalchemy import Connection, select

from hub.api import shapes
from hub.api.orders import order_of
from hub.api.shapes import Json
from hub.contracts import Request
from hub.dispatch import actions
from hub.fiscal import Form, Invalid, Problem, Text
from hub.intake.context import SourceFacts
from hub.intake.doors import SourceIntake
from hub.intake.orders import Stored
from hub.store.receipts import CANCELLABLE, RECEIPT, change, tell
from hub.web.api.calls import (
    Done,
    cursor_of,
    needs,
    once,
    our_url,
    reply,
    row_before,
    the_api,
    the_key,
    the_shop,
)
from hub.web.api.document import Blueprint, answers
from hub.web.api.problems import Trouble, language, problem_json
from hub.web.api.schemas import CorrectionReceiptIn, ReceiptIn, ReceiptOut, ReceiptsQuery, ReturnIn, page_of

page = Blueprint("receipts", __name__, url_prefix="/receipts", description="Receipts of the key's shop")
corrections = Blueprint("corrections", __name__, url_prefix="/corrections", description="Corrections")

ReceiptsPage = page_of(ReceiptOut, "Receipts")

NO_RECEIPT = Text("There is no receipt “{id}” in this shop.", "В этом магазине нет чека «{id}».")
OTHER_CONTENT = Text("A receipt with the key “{key}” exists and says something else; it was left as it is, and the "
                     "difference is shown to the owner. Take a new key for a new receipt.",
                     "Чек с ключом «{key}» уже есть, и в нём другое; он не изменён, разница показана владельцу. "
                     "Для нового чека возьмите новый ключ.")
BROKEN = Text("The receipt is kept as invalid, nothing was printed. Correct what “errors” names and send it again "
              "under the same key.",
              "Чек сохранён с ошибками, ничего не напечатано. Исправьте названное в «errors» и отправьте снова под тем "
              "же ключом.")
NOT_NOW = Text("The receipt is “{state}”; only one that waits can be cancelled. One that was printed is taken back by "
               "a return.",
               "Чек в состоянии «{state}»; отменить можно только ожидающий. Напечатанный возвращают чеком возврата.")
NOT_PRINTED = Text("The receipt is “{state}”; only one that was printed can be returned.",
                   "Чек в состоянии «{state}»; вернуть можно только напечатанный.")
FIX = Text("Correct what “errors” names and send it again.", "Исправьте названное в «errors» и отправьте снова.")


def raw_request() -> Request:
    """The call as the owner may look at it. The key is not in it."""
    return Request(request.method, request.path, request.query_string.decode("latin-1"),
                   {name.lower(): value for name, value in request.headers if name.lower() != "authorization"},
                   request.get_data(), request.remote_addr or "")


# -- creating --------------------------------------------------------------------------------------------------------


@page.post("")
@page.arguments(ReceiptIn())
@page.response(201, ReceiptOut, description="The receipt is stored, durably, and waits for a register.")
@answers("conflict", "rules", "invalid", "key_reused", "malformed", "too_large", "unsupported_media_type",
         repeat=ReceiptOut, body=True, once=True)
@needs("receipts.write")
def create(data: dict[str, Any]) -> Response:
    """Create a receipt

    The key makes it one: sent again with the same content it is the same receipt (200), with other content a conflict
    (409). A receipt that breaks rules is kept as invalid (422) and may be sent again, corrected, under its key.
    """
    return _made(data)


@corrections.post("")
@corrections.arguments(CorrectionReceiptIn())
@corrections.response(201, ReceiptOut, description="The correction is stored, durably, and waits for a register.")
@answers("conflict", "rules", "invalid", "key_reused", "malformed", "too_large", "unsupported_media_type",
         repeat=ReceiptOut, body=True, once=True)
@needs("receipts.write")
def correct(data: dict[str, Any]) -> Response:
    """Create a correction

    As a receipt, with the reason of the correction beside it.
    """
    return _made(data)


def _made(data: Mapping[str, Any]) -> Response:
    api, source, speech, show = the_api(), the_shop(), language(), _shower()
    order = order_of(data, str(source.organisation["currency"]))
    intake, actor, url = SourceIntake(api.hub.doors, source), the_key().actor, our_url()
    ready = intake.ready(order, raw_request())

    def work(connection: Connection) -> Done:
        stored = intake.put(connection, ready, actor)
        if stored.outcome == "accepted" and stored.at is not None and not order.base_key:
            body = shapes.new_receipt(order, ready.prepared.receipt, stored.problems, stored.public_id, stored.state,
                                      stored.at, speech, url)
        else:
            body = show(connection, stored.receipt_id)
        return _outcome(stored, body, order.key, speech, lambda: intake.rung(stored))

    return once(work)


def _outcome(stored: Stored, body: Json, key: str, speech: str, ring: Callable[[], None]) -> Done:
    if stored.outcome == "invalid":
        trouble = Trouble("rules", BROKEN, _errors(stored.problems), receipt=body)
        return Done(422, problem_json(trouble, speech))
    if stored.outcome == "conflict":
        return Done(409, problem_json(Trouble("conflict", OTHER_CONTENT.with_(key=key), receipt=body), speech))
    status = 200 if stored.outcome == "duplicate" else 201
    return Done(status, body, {"Location": f"/api/v1/receipts/{body['id']}"}, ring)


def _errors(problems: tuple[Problem, ...] | list[Problem]) -> list[tuple[str, str, Text]]:
    return [(one.field, one.code, one.text) for one in problems]


def _shower() -> Callable[[Connection, int], Json]:
    """Gives a receipt as it is in a transaction, on any thread: what of the request it needs is read now."""
    speech, url = language(), our_url()
    return lambda connection, receipt_id: shapes.receipts(connection, RECEIPT.c.id == receipt_id, speech, url)[0]


# -- reading ---------------------------------------------------------------------------------------------------------


@page.get("")
@page.arguments(ReceiptsQuery(), location="query", unknown=None)
@page.response(200, ReceiptsPage)
@answers("invalid")
@needs("receipts.read")
def listed(wanted: dict[str, Any]) -> Response:
    """List receipts

    Newest first. What is created while you read pages moves nothing.
    """
    api, source, speech = the_api(), the_shop(), language()
    condition = RECEIPT.c.source_id == source.id
    before = row_before(wanted.get("cursor"))
    for given, column in (("state", RECEIPT.c.state), ("key", RECEIPT.c.source_key),
                          ("number", RECEIPT.c.order_number)):
        if wanted.get(given) is not None:
            condition &= column == wanted[given]
    if wanted.get("since") is not None:
        condition &= RECEIPT.c.created_at >= wanted["since"]
    if wanted.get("until") is not None:
        condition &= RECEIPT.c.created_at < wanted["until"]
    if before is not None:
        condition &= RECEIPT.c.id < before
    most = wanted["limit"]
    with api.hub.db.read() as connection:
        found = shapes.receipts(connection, condition, speech, our_url(), most + 1)
        last = None if len(found) <= most else connection.execute(select(RECEIPT.c.id).where(
            RECEIPT.c.public_id == found[most - 1]["id"])).scalar_one()
    return reply({"items": found[:most], "next_cursor": None if last is None else cursor_of(last)})


@page.get("/<receipt_id>")
@page.response(200, ReceiptOut)
@answers("not_found")
@needs("receipts.read")
def one(receipt_id: str) -> Response:
    """Read a receipt"""
    api, source = the_api(), the_shop()
    with api.hub.db.read() as connection:
        found = shapes.receipts(connection, (RECEIPT.c.source_id == source.id) & (RECEIPT.c.public_id == receipt_id),
                                language(), our_url())
    if not found:
        raise Trouble("not_found", NO_RECEIPT.with_(id=receipt_id[:60]))
    return reply(found[0])


# -- changing --------------------------------------------------------------------------------------------------------


@page.post("/<receipt_id>/cancel")
@page.response(200, ReceiptOut)
@answers("not_found", "wrong_state", "key_reused", once=True)
@needs("receipts.write")
def cancel(receipt_id: str) -> Response:
    """Cancel a receipt

    Only while nothing of it is under way; a register that is faster wins. Cancelled again it stays cancelled.
    """
    source, show, actor = the_shop(), _shower(), the_key().actor

    def work(connection: Connection) -> Done:
        row = _row(connection, source, receipt_id)
        if row.state != "cancelled":
            if not change(connection, source.organisation_id, row.id, CANCELLABLE, "cancelled", actor, "cancelled"):
                raise Trouble("wrong_state", NOT_NOW.with_(state=_row(connection, source, receipt_id).state))
            tell(connection, source.organisation_id, row.id, source.id, "cancelled")
        return Done(200, show(connection, row.id))

    return once(work)


def _row(connection: Connection, source: SourceFacts, public_id: str) -> Any:
    row = connection.execute(select(RECEIPT.c.id, RECEIPT.c.state).where(
        RECEIPT.c.source_id == source.id, RECEIPT.c.public_id == public_id)).first()
    if row is None:
        raise Trouble("not_found", NO_RECEIPT.with_(id=public_id[:60]))
    return row


@page.post("/<receipt_id>/returns")
@page.arguments(ReturnIn())
@page.response(201, ReceiptOut, description="The return is stored; it waits for a register, or for the owner.")
@answers("not_found", "wrong_state", "conflict", "rules", "invalid", "key_reused", "malformed", "too_large",
         "unsupported_media_type", repeat=ReceiptOut, body=True, once=True)
@needs("receipts.write")
def give_back(data: dict[str, Any], receipt_id: str) -> Response:
    """Return a receipt

    Whole or by lines. Returns never give back more than is left. Where the settings say so it waits for the owner
    (“accepted”).
    """
    api, source, speech, show, actor = the_api(), the_shop(), language(), _shower(), the_key().actor
    quantities: dict[int, Decimal] | None = None
    if "lines" in data:
        quantities = {}
        for line in data["lines"]:
            quantities[line["line"]] = quantities.get(line["line"], Decimal(0)) + line["quantity"]
    asked = _asked(quantities, data.get("form"), receipt_id)

    def work(connection: Connection) -> Done:
        row = _row(connection, source, receipt_id)
        known = connection.execute(select(RECEIPT.c.id, RECEIPT.c.order_data).where(
            RECEIPT.c.source_id == source.id, RECEIPT.c.source_key == data["key"])).first()
        if known is not None:
            body = show(connection, known.id)
            if known.order_data["data"].get("origin", {}).get("asked") == asked:
                return Done(200, body, {"Location": f"/api/v1/receipts/{body['id']}"})
            return Done(409, problem_json(Trouble("conflict", OTHER_CONTENT.with_(key=data["key"]), receipt=body),
                                          speech))
        if row.state not in ("recorded", "confirmed"):
            raise Trouble("wrong_state", NOT_PRINTED.with_(state=row.state))
        form = Form[data["form"].upper()] if data.get("form") else None
        try:
            new_id, target = actions.return_within(connection, source.organisation_id, row.id, quantities, form, actor,
                                                   False, data["key"], {"asked": asked})
        except Invalid as problem:
            raise Trouble("rules", FIX, _errors(problem.problems)) from problem
        body = show(connection, new_id)
        return Done(201, body, {"Location": f"/api/v1/receipts/{body['id']}"},
                    (lambda: api.hub.bell.ring("registers", target)) if target else None)

    return once(work)


def _asked(quantities: Mapping[int, Decimal] | None, form: str | None, receipt_id: str) -> str:
    """What makes two requests for a return the same."""
    told = [receipt_id, form, None if quantities is None else
            sorted([index, str(count.normalize())] for index, count in quantities.items() if count)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]
