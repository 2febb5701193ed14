"""``hub web``: the pages and doors on a production WSGI server, one process with threads."""

from __future__ import annotations

import signal
import sys
import threading
from dataclasses import replace

import structlog

from hub import office
from hub.config import Config
from hub.runtime import Runtime, lifeline, loaded, public_url
from hub.store import DatabaseAway, schema

log = structlog.get_logger("hub.web")


def run(config: Config) -> int:
    """Serves until it is asked to stop."""
    # Without HUB_PUBLIC_URL the addresses we show are those of this machine.
    config = replace(config, public_url=public_url(config))
    runtime = Runtime.start(config, "web")
    stop = threading.Event()
    ready = False
    try:
        schema.upgrade(runtime.db)
        ready = True
    except DatabaseAway as problem:
        # The doors open all the same: what comes is spooled, and a thread migrates when the database is back.
        log.error("database_away", error=str(problem))
        threading.Thread(target=_upgrade_later, args=(runtime, stop), daemon=True).start()
    from hub.web.app import create_app
    from hub.web.server import listening

    app = create_app(config, runtime.db, runtime.vault, runtime.catalogue, runtime.bell)
    server = listening(
        app, config.host, config.port or 8000, config.web_threads,
        max_request_body_size=64 * 1024 * 1024, channel_timeout=75, connection_limit=1000, backlog=512,
        clear_untrusted_proxy_headers=False)

    def leave(*_: object) -> None:
        # Raised in the server's own loop: it takes no more, finishes what its threads have in hand, and returns.
        stop.set()
        raise SystemExit

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    lifeline(lambda: signal.raise_signal(signal.SIGTERM))
    if ready:
        _invite(runtime)  # the socket listens by now: the link works as soon as it can be read
    log.info("serving", host=config.host, port=config.port or 8000)
    loaded()
    try:
        server.run()
    finally:
        server.close()
        runtime.close()
    return 0


def _invite(runtime: Runtime) -> None:
    """Prints the one-time set-up link while nobody can log in. Standard output: it must not get into a log file."""
    with runtime.db.write() as session:
        if office.is_set_up(session):
            return
        token = office.setup_token(session)
    print(f"\n  Первый вход · First steps:  {public_url(runtime.config)}/setup/{token}\n", file=sys.stdout, flush=True)


def _upgrade_later(runtime: Runtime, stop: threading.Event) -> None:
    while not stop.wait(2.0):
        try:
            schema.upgrade(runtime.db)
            _invite(runtime)
            return
        except DatabaseAway:
            continue
