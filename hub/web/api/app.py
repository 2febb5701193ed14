"""The application behind ``/api``."""

from __future__ import annotations

import structlog
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from hub.api.keys import Keys
from hub.api.own import BASE
from hub.fiscal import Text
from hub.store import DatabaseAway
from hub.store.vault import KeyMissing
from hub.web.api import calls, document, receipts, registers, webhooks
from hub.web.api.calls import Api, Rates, reply, tell_rate
from hub.web.api.document import NO_JSON, NO_MEDIA
from hub.web.api.problems import FIELDS, Trouble, answer, of_validation
from hub.web.state import Hub

#: A receipt of a thousand lines with everything that a line may say has about so many bytes.
LARGEST_CALL = 2 * 1024 * 1024
log = structlog.get_logger("hub.web.api")

AWAY = Text("Nothing was stored. Send it again in a few seconds, under the same key.",
            "Ничего не сохранено. Повторите через несколько секунд с тем же ключом.")
NO_PAGE = Text("The API has no such address: see its document.", "Такого адреса в API нет, смотрите его описание.")
OTHER_METHOD = Text("This address takes: {methods}.", "Этот адрес принимает: {methods}.")
TOO_LARGE = Text("A body holds at most {most} bytes. Split the order.",
                 "Тело — не больше {most} байт. Разделите заказ.")
FAILED = Text("It is our fault, and the reason is in the hub's log. Send it again under the same key; nothing is made "
              "twice.",
              "Это наша ошибка, причина в журнале хаба. Повторите с тем же ключом: дважды ничего не сделается.")


def create_api(hub: Hub, keys: Keys) -> Flask:
    """The WSGI application of ``/api``."""
    app = Flask("hub.web.api", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=LARGEST_CALL, TRAP_HTTP_EXCEPTIONS=False)
    app.extensions["hub_api"] = Api(hub, keys, Rates())
    app.before_request(calls.admit)
    app.after_request(tell_rate)
    _failures(app)

    @app.get(f"{BASE}/openapi.json")
    def openapi() -> Response:
        """The document."""
        return reply(document.document(app))

    described(app)
    return app


def described(app: Flask) -> Flask:
    """Gives an application the API's addresses; without a hub behind it, it is good for the document alone."""
    app.url_map.strict_slashes = False
    # No address answers with a redirect and its page: an empty id leads nowhere, as any other that is none.
    app.url_map.merge_slashes = False
    api = document.smorest(app)
    for page in (receipts.page, receipts.corrections, registers.page, registers.shifts, registers.orders,
                 registers.reports, webhooks.page, registers.key):
        api.register_blueprint(page, url_prefix=f"{BASE}{page.url_prefix}")
    return app


def _failures(app: Flask) -> None:
    @app.errorhandler(Trouble)
    def trouble(problem: Trouble) -> Response:
        return answer(problem)

    @app.errorhandler(DatabaseAway)
    @app.errorhandler(KeyMissing)
    def away(problem: Exception) -> Response:
        log.error("api_without_database", error=str(problem))
        return answer(Trouble("unavailable", AWAY, headers={"Retry-After": "3"}))

    @app.errorhandler(HTTPException)
    def refused(problem: HTTPException) -> Response:
        return answer(_of_http(problem))

    @app.errorhandler(Exception)
    def broken(problem: Exception) -> Response:
        log.exception("api_failed")
        return answer(Trouble("failed", FAILED))


def _of_http(problem: HTTPException) -> Trouble:
    """What werkzeug and webargs say, as a problem."""
    data = getattr(problem, "data", None) or {}
    if problem.code == 422 and data.get("messages"):
        return of_validation(data["messages"])
    if problem.code == 422:
        return Trouble("invalid", FIELDS)
    if problem.code == 405:
        methods = sorted(getattr(problem, "valid_methods", None) or ())
        return Trouble("method_not_allowed", OTHER_METHOD.with_(methods=", ".join(methods)),
                       headers={"Allow": ", ".join(methods)})
    if problem.code == 413:
        return Trouble("too_large", TOO_LARGE.with_(most=LARGEST_CALL))
    if problem.code == 415:
        return Trouble("unsupported_media_type", NO_MEDIA)
    if problem.code == 404:
        return Trouble("not_found", NO_PAGE)
    if problem.code is not None and problem.code >= 500:
        return Trouble("failed", FAILED)
    return Trouble("malformed", NO_JSON)
