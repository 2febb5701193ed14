"""The Flask application: pages behind a login, open figures for machines, the doors in front of both."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from importlib.resources import files
from typing import Any

import structlog
from flask import Flask, Response, abort, g, redirect, render_template, request, url_for
from flask_babel import Babel, gettext
from flask_login import LoginManager, current_user
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from hub import __version__
from hub.api.keys import Keys
from hub.bell import Bell
from hub.config import Config
from hub.contracts import Outgoing
from hub.intake.doors import LARGEST_BODY, Doors
from hub.intake.sources import Sources
from hub.intake.spool import Spool
from hub.intake.standby import Standby
from hub.paper import css
from hub.plugins import Catalogue
from hub.runtime import public_url as own_url
from hub.store import Database, DatabaseAway
from hub.store.vault import Vault
from hub.web import (
    access,
    alarms,
    apipage,
    approval,
    auth,
    conditions,
    connectors,
    devices,
    documents,
    editor,
    filters,
    notifiers,
    ops,
    payments,
    printers,
    public,
    queues,
    receipts,
    registers,
    settings,
    shifts,
    slips,
    today,
    tryit,
    watchers,
    wire,
    words,
)
from hub.web.apidoor import ApiDoor
from hub.web.doors import DoorsApp
from hub.web.state import Hub, is_owner

LANGUAGES = ("ru", "en")
#: Largest form of the pages; the doors have their own limit.
LARGEST_FORM = 1024 * 1024
#: A shop owner looks in once a day, often on a phone: a login lasts.
SESSION = timedelta(days=30)

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
                               "form-action 'self'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

log = structlog.get_logger("hub.web")


def create_app(config: Config, db: Database, vault: Vault, catalogue: Catalogue, bell: Bell) -> Flask:
    """The WSGI application of ``hub web``. Everything it needs comes in; nothing is read from the environment."""
    app = Flask("hub.web", template_folder=str(files("hub_templates") / "pages"), static_folder="static")
    app.config.update(
        SECRET_KEY=vault.derived("cookies").hex(), MAX_CONTENT_LENGTH=LARGEST_FORM, MAX_FORM_MEMORY_SIZE=LARGEST_FORM,
        SESSION_COOKIE_NAME="hub", SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=config.public_url.startswith("https://"), PERMANENT_SESSION_LIFETIME=SESSION,
        WTF_CSRF_TIME_LIMIT=None, WTF_CSRF_SSL_STRICT=False, SEND_FILE_MAX_AGE_DEFAULT=timedelta(days=365),
        BABEL_DEFAULT_LOCALE="ru", BABEL_TRANSLATION_DIRECTORIES="translations")
    assert LARGEST_FORM < LARGEST_BODY, "a form is never larger than what a door takes"
    sources = Sources(db, vault, catalogue, own_url(config), Outgoing(config.outgoing_allow))
    doors = Doors(sources, bell, Spool(config.spool_dir), Standby(config.data_dir, catalogue))
    parts = app.extensions["hub"] = Hub(config, db, vault, catalogue, bell, sources, doors)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    filters.register(app)
    Babel(app, locale_selector=page_language)
    CSRFProtect(app)
    manager = _login(app)
    _assets(app)
    _pages(app, catalogue)
    _failures(app, manager)
    app.before_request(_nobodys)
    app.after_request(_headers)
    api = app.extensions["hub_api_door"] = ApiDoor(app.wsgi_app, parts, Keys(db))
    app.wsgi_app = DoorsApp(api, doors)  # type: ignore[method-assign]
    if config.trusted_proxies:
        count = config.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    return app


def page_language() -> str:
    """Russian first; the person's own choice wins, then the switch on the page."""
    if current_user.is_authenticated and current_user.row.language in LANGUAGES:
        return str(current_user.row.language)
    chosen = request.cookies.get("language", "")
    return chosen if chosen in LANGUAGES else "ru"


def _login(app: Flask) -> LoginManager:
    manager = LoginManager(app)
    manager.login_view = "auth.login"
    manager.login_message = None
    # "basic": a phone changes its address all day; "strong" would log it out each time.
    manager.session_protection = "basic"
    manager.user_loader(auth.load)
    return manager


def _assets(app: Flask) -> None:
    """One stylesheet, the paper's included; every asset's address carries its content's hash."""
    folder = files("hub.web") / "static"
    style = ((folder / "style.css").read_text("utf-8") + css()).encode()
    sheet = css("sheet").encode()
    stamps = {"style.css": hashlib.sha256(style).hexdigest()[:12], "sheet.css": hashlib.sha256(sheet).hexdigest()[:12]}
    for name in ("htmx.min.js", "page.js", "api.js", "icon.svg"):
        stamps[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()[:12]

    def kept(content: bytes) -> Response:
        answer = Response(content, mimetype="text/css")
        answer.cache_control.max_age, answer.cache_control.public = 365 * 86400, True
        return answer

    @app.get("/style.css")
    def stylesheet() -> Response:
        """The only stylesheet of the pages."""
        return kept(style)

    @app.get("/sheet.css")
    def sheet_style() -> Response:
        """What a sheet of A4 looks like, on the screen and from the printer."""
        return kept(sheet)

    def asset(name: str) -> str:
        if name in ("style.css", "sheet.css"):
            return url_for("stylesheet" if name == "style.css" else "sheet_style", v=stamps[name])
        return url_for("static", filename=name, v=stamps[name])

    app.jinja_env.globals.update(asset=asset, languages=LANGUAGES)


def _pages(app: Flask, catalogue: Catalogue) -> None:
    for page in (auth.page, today.page, alarms.page, receipts.page, approval.page, registers.page, devices.page,
                 documents.page, wire.page, printers.page, queues.page, connectors.page, conditions.page,
                 payments.page, notifiers.page, watchers.page, editor.page, tryit.page, settings.page, public.page,
                 shifts.page, slips.page, ops.page, access.page, apipage.page):
        app.register_blueprint(page)
    for name, blueprint in catalogue.blueprints():
        try:
            blueprint.before_request(auth.refuse_strangers)
            app.register_blueprint(blueprint, url_prefix=f"/x/{name}", name=f"x_{name}_{blueprint.name}")
        except Exception as problem:
            log.error("blueprint_failed", plugin=name, error=repr(problem))

    @app.context_processor
    def common() -> dict[str, Any]:
        return {"is_owner": is_owner(), "words": words, "version": __version__}


def _headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if response.mimetype == "text/html":
        # What one person saw must not come back from a cache to the next.
        response.headers["Cache-Control"] = "no-store"
    return response


def _nobodys() -> None:
    """PostgreSQL takes no zero byte even to look for: an address or a search that holds one leads nowhere."""
    if any("\0" in str(one) for one in (*(request.view_args or {}).values(), *request.args.values())):
        abort(404)


def _failures(app: Flask, login_manager: LoginManager) -> None:
    def told(status: int, title: str, why: str) -> tuple[str, int]:
        return render_template("error.html", status=status, title=title, why=why), status

    @app.errorhandler(CSRFError)
    def expired(problem: CSRFError) -> tuple[str, int]:
        return told(400, gettext("The page has been open for too long"),
                    gettext("Nothing was changed. Go back, reload the page and send it again."))

    @app.errorhandler(DatabaseAway)
    def away(problem: DatabaseAway) -> tuple[str, int]:
        log.error("page_without_database", error=str(problem))
        # Who asks cannot be known now, and asking again would fail again.
        g._login_user = login_manager.anonymous_user()
        return told(503, gettext("The database does not answer"),
                    gettext("Orders that come now are kept on disk and read later. Reload the page in a minute."))

    @app.errorhandler(HTTPException)
    def refused(problem: HTTPException) -> Any:
        if problem.response is not None or problem.code is None or problem.code < 400:
            return problem.get_response()
        title, why = _SAID.get(problem.code, _SAID[400])()
        return told(problem.code, title, why)

    @app.errorhandler(Exception)
    def broken(problem: Exception) -> tuple[str, int]:
        log.exception("page_failed", path=request.path)
        return told(500, gettext("The page could not be made"), gettext(
            "Receipts are not affected by it: they are printed by another part of the hub. Reload the page; the "
            "reason is in the log."))

    @app.get("/language/<code>")
    def language(code: str) -> Any:
        """The switch on every page: a cookie, and the person's own setting."""
        target = auth.safe_target(request.args.get("next", ""))
        answer = redirect(target)
        if code in LANGUAGES:
            answer.set_cookie("language", code, max_age=365 * 86400, samesite="Lax", httponly=True,
                              secure=bool(app.config["SESSION_COOKIE_SECURE"]))
            if current_user.is_authenticated:
                auth.set_language(code)
        return answer


_SAID: dict[int, Any] = {
    400: lambda: (gettext("This request cannot be read"), gettext("Go back, reload the page and try again.")),
    403: lambda: (gettext("This page is for the owner"),
                  gettext("Your role is cashier. Ask the owner to do it or to change your role.")),
    404: lambda: (gettext("There is no such page"),
                  gettext("It may have been taken away. Choose another one from the menu.")),
    405: lambda: (gettext("There is no such page"),
                  gettext("It may have been taken away. Choose another one from the menu.")),
    413: lambda: (gettext("That is too much for one form"), gettext("A form holds at most 1 MB. Shorten the text.")),
}
