"""A real application on the hub's server in a thread, and a real browser in front of it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from hub.web.server import listening

#: Debian's names; nothing is downloaded.
NAMES = ("chromium", "chromium-browser", "google-chrome")
#: A browser that talks to nobody but us.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]


def chromium_path() -> str | None:
    """The browser that this machine has."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """The application's address while it is served."""
    server = listening(app, "127.0.0.1", 0, 8)

    def run() -> None:
        # Closing takes the sockets from under the loop while it waits on them.
        with suppress(OSError):
            server.run()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.close()
        thread.join(5)


@contextmanager
def browsing(path: str) -> Iterator[Any]:
    """A headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
