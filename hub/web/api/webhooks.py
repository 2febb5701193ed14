"""Webhooks of the shop: subscribe, rotate the secret, try, look at the deliveries, send again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Response
from marshmallow import fields
from sqlalchemy import Connection

from hub.api import webhooks
from hub.api.webhooks import DELIVERY
from hub.fiscal import Text
from hub.office import Wrong
from hub.web.api.calls import Done, cursor_of, needs, once, reply, row_before, the_api, the_key, the_shop
from hub.web.api.document import Blueprint, answers
from hub.web.api.problems import FIELDS, Trouble, language
from hub.web.api.schemas import (
    DeliveriesQuery,
    DeliveryOut,
    NewWebhookOut,
    PeriodIn,
    ReplayedOut,
    RotateIn,
    Shown,
    WebhookChange,
    WebhookIn,
    WebhookOut,
    page_of,
)

page = Blueprint("webhooks", __name__, url_prefix="/webhooks", description="Who is told of the shop's receipts")

DeliveriesPage = page_of(DeliveryOut, "Deliveries")
BODY = ("invalid", "key_reused", "malformed", "too_large", "unsupported_media_type")

NO_WEBHOOK = Text("There is no webhook “{id}” of this shop.", "У этого магазина нет вебхука «{id}».")
NO_DELIVERY = Text("This webhook has no delivery “{id}” that could be sent again now.",
                   "У этого вебхука нет доставки «{id}», которую можно отправить снова.")
TURNED = Text("The period must begin before it ends.", "Начало периода должно быть раньше конца.")


class WebhooksOut(Shown):
    items = fields.List(fields.Nested(WebhookOut), required=True)


def _wrong(problem: Wrong) -> Trouble:
    return Trouble("invalid", FIELDS, [(name, "invalid", words) for name, words in problem.fields.items()])


@page.get("")
@page.response(200, WebhooksOut)
@answers()
@needs("webhooks.write")
def list_webhooks() -> Response:
    """List webhooks"""
    with the_api().hub.db.read() as connection:
        return reply({"items": [webhooks.webhook_json(row, language())
                                for row in webhooks.listed(connection, the_shop().id)]})


@page.post("")
@page.arguments(WebhookIn())
@page.response(201, NewWebhookOut, description="Subscribed. The secret is shown this once.")
@answers(*BODY, once=True)
@needs("webhooks.write")
def subscribe(data: dict[str, Any]) -> Response:
    """Subscribe a webhook

    Only public addresses are called, unless the hub's operator allowed more; redirects are not followed.
    """
    shop, speech, actor, vault = the_shop(), language(), the_key().actor, the_api().hub.vault

    def work(connection: Connection) -> Done:
        try:
            public_id, secret = webhooks.subscribe(connection, vault, (shop.organisation_id, shop.id), actor,
                                                   data["url"], data.get("title", ""), data.get("events", ()))
        except Wrong as problem:
            raise _wrong(problem) from problem
        row = webhooks.one(connection, shop.id, public_id)
        assert row is not None
        return Done(201, {**webhooks.webhook_json(row, speech), "secret": secret},
                    {"Location": f"/api/v1/webhooks/{public_id}"})

    return once(work)


@page.get("/<webhook_id>")
@page.response(200, WebhookOut)
@answers("not_found")
@needs("webhooks.write")
def read_webhook(webhook_id: str) -> Response:
    """Read a webhook"""
    shop = the_shop()
    with the_api().hub.db.read() as connection:
        found = [row for row in webhooks.listed(connection, shop.id) if row["public_id"] == webhook_id]
    if not found:
        raise Trouble("not_found", NO_WEBHOOK.with_(id=webhook_id[:60]))
    return reply(webhooks.webhook_json(found[0], language()))


@page.patch("/<webhook_id>")
@page.arguments(WebhookChange())
@page.response(200, WebhookOut)
@answers("not_found", "invalid", "malformed", "too_large", "unsupported_media_type")
@needs("webhooks.write")
def change_webhook(data: dict[str, Any], webhook_id: str) -> Response:
    """Change a webhook

    What is left out stays. What waits is sent at once.
    """
    shop, speech, actor = the_shop(), language(), the_key().actor

    def work(connection: Connection) -> Any:
        row = found(connection, shop.id, webhook_id)
        try:
            webhooks.change(connection, row, actor, data)
        except Wrong as problem:
            raise _wrong(problem) from problem
        return webhooks.webhook_json(found(connection, shop.id, webhook_id), speech)

    return reply(the_api().hub.db.submit(work))


def found(connection: Connection, source_id: int, public_id: str) -> Mapping[str, Any]:
    """The webhook, or a problem. On any thread."""
    row = webhooks.one(connection, source_id, public_id)
    if row is None:
        raise Trouble("not_found", NO_WEBHOOK.with_(id=public_id[:60]))
    return row


@page.delete("/<webhook_id>")
@page.response(204, description="It is told nothing more.")
@answers("not_found")
@needs("webhooks.write")
def unsubscribe(webhook_id: str) -> Response:
    """Take a webhook away"""
    shop, actor = the_shop(), the_key().actor
    the_api().hub.db.submit(lambda connection: webhooks.archive(
        connection, found(connection, shop.id, webhook_id), actor))
    return Response(status=204)


@page.post("/<webhook_id>/rotate")
@page.arguments(RotateIn())
@page.response(200, NewWebhookOut, description="The new secret, shown this once.")
@answers("not_found", *BODY, once=True)
@needs("webhooks.write")
def rotate(data: dict[str, Any], webhook_id: str) -> Response:
    """Rotate the secret

    Messages are signed with both until the hours are over, so the receiver can change at any time between.
    """
    shop, speech, actor, vault = the_shop(), language(), the_key().actor, the_api().hub.vault

    def work(connection: Connection) -> Done:
        secret = webhooks.rotate(connection, vault, found(connection, shop.id, webhook_id), actor,
                                 timedelta(hours=data["hours"]))
        return Done(200, {**webhooks.webhook_json(found(connection, shop.id, webhook_id), speech), "secret": secret})

    return once(work)


# -- deliveries ------------------------------------------------------------------------------------------------------


@page.get("/<webhook_id>/deliveries")
@page.arguments(DeliveriesQuery(), location="query", unknown=None)
@page.response(200, DeliveriesPage)
@answers("not_found", "invalid")
@needs("webhooks.write")
def list_deliveries(wanted: dict[str, Any], webhook_id: str) -> Response:
    """List deliveries

    Newest first: what was told, how often it was tried, what came back.
    """
    shop, before, most = the_shop(), row_before(wanted.get("cursor")), wanted["limit"]
    with the_api().hub.db.read() as connection:
        condition = DELIVERY.c.webhook_id == found(connection, shop.id, webhook_id)["id"]
        if wanted.get("state") is not None:
            condition &= DELIVERY.c.state == wanted["state"]
        if before is not None:
            condition &= DELIVERY.c.id < before
        rows = webhooks.deliveries(connection, condition, language(), most + 1)
    return reply({"items": [one for _, one in rows[:most]],
                  "next_cursor": cursor_of(rows[most - 1][0]) if len(rows) > most else None})


@page.post("/<webhook_id>/test")
@page.response(202, DeliveryOut, description="A message of the type “test” is on its way.")
@answers("not_found", "key_reused", once=True)
@needs("webhooks.write")
def try_webhook(webhook_id: str) -> Response:
    """Send a test message"""
    api, shop, speech = the_api(), the_shop(), language()

    def work(connection: Connection) -> Done:
        row = found(connection, shop.id, webhook_id)
        made = webhooks.test(connection, row)
        return Done(202, webhooks.deliveries(connection, DELIVERY.c.public_id == made, speech, 1)[0][1],
                    after=lambda: api.hub.bell.ring("jobs", f"webhook:{row['id']}"))

    return once(work)


@page.post("/<webhook_id>/replay")
@page.arguments(PeriodIn())
@page.response(202, ReplayedOut, description="They are on their way.")
@answers("not_found", *BODY, once=True)
@needs("webhooks.write")
def replay_period(data: dict[str, Any], webhook_id: str) -> Response:
    """Send a period again

    Under the same event ids: a receiver that keeps them takes nothing twice.
    """
    api, shop, actor = the_api(), the_shop(), the_key().actor
    if data["since"] >= data["until"]:
        raise Trouble("invalid", FIELDS, [("until", "invalid", TURNED)])

    def work(connection: Connection) -> Done:
        row = found(connection, shop.id, webhook_id)
        count = webhooks.replay(connection, row, actor, since=data["since"], until=data["until"],
                                failed_only=data["failed_only"])
        return Done(202, {"deliveries": count}, after=lambda: api.hub.bell.ring("jobs", f"webhook:{row['id']}"))

    return once(work)


@page.post("/<webhook_id>/deliveries/<delivery_id>/replay")
@page.response(202, ReplayedOut, description="It is on its way.")
@answers("not_found", "key_reused", once=True)
@needs("webhooks.write")
def replay_one(webhook_id: str, delivery_id: str) -> Response:
    """Send a delivery again"""
    api, shop, actor = the_api(), the_shop(), the_key().actor

    def work(connection: Connection) -> Done:
        row = found(connection, shop.id, webhook_id)
        if not webhooks.replay(connection, row, actor, delivery=delivery_id):
            raise Trouble("not_found", NO_DELIVERY.with_(id=delivery_id[:60]))
        return Done(202, {"deliveries": 1}, after=lambda: api.hub.bell.ring("jobs", f"webhook:{row['id']}"))

    return once(work)
