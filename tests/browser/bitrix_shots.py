"""The pictures of docs/ru/bitrix.md, from the real pages beside a simulated site.

    python -m tests.browser.bitrix_shots docs/images
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hub_plugins.bitrix.book import Book
from hub_plugins.bitrix.simulator import BitrixSite
from hub_plugins.bitrix.source import BitrixSource
from sqlalchemy import update

from hub import office
from hub.intake.sources import Sources
from hub.store import Register, SourceRow, utcnow
from tests.browser.live import browsing, chromium_path, serving
from tests.browser.shots import _log_in
from tests.web.world import World, make

ADDRESS = "https://kassa.shop.example"
SERIAL = "00106900000017"
VAT = "1 = none\n2 = vat22\n3 = vat10"
#: The same rows as a site of today has them.
RATES = ((1, "Без НДС", None), (2, "НДС 22%", 22), (3, "НДС 10%", 10))


@contextmanager
def _site(**options: Any) -> Iterator[BitrixSite]:
    site = BitrixSite(**options)
    site.vats = RATES
    site.start()
    try:
        yield site
    finally:
        site.stop()


def connection(world: World, title: str, given: Mapping[str, Any]) -> SourceRow:
    """An enabled connection to a site."""
    with world.db.write() as session:
        return office.add_source(session, world.vault, "test", world.org.id, "bitrix", title, BitrixSource.settings,
                                 given, template=BitrixSource.template)


def trouble(world: World, row: SourceRow) -> None:
    """What a bad week leaves on a connection's page."""
    sources = Sources(world.db, world.vault, world.catalogue, ADDRESS)
    facts = sources.by_id(row.id)
    assert facts is not None
    book = Book(sources.context(facts))
    for _ in range(5):
        book.note("stuck", "polls", run=5)
    book.note("gone", "check:841:0123456789abcdef", number="841")
    book.note("untold", "check:902:0123456789abcdef", number="902")
    world.receipt(row, "refused", world.order(number="918"))


def shoot(page: Any, folder: Path, name: str, until: str) -> None:
    """The page from its top to the end of what the picture is about: the first element of a selector."""
    box = page.locator(until).first.bounding_box()
    assert box is not None, until
    height = int(box["y"] + box["height"]) + 16
    page.set_viewport_size({"width": 1000, "height": height})
    page.screenshot(path=str(folder / f"{name}.png"))
    page.set_viewport_size({"width": 1000, "height": 900})


def pictures(page: Any, address: str, folder: Path, rest: SourceRow, poll: SourceRow, bad: SourceRow) -> None:
    """All of them, as an owner would see them one after another."""
    page.goto(f"{address}/connectors/new/bitrix")
    shoot(page, folder, "bitrix-settings", "#s-vat")
    page.goto(f"{address}/connectors/{rest.public_id}")
    page.locator("form[action$='/check'] button").click()
    shoot(page, folder, "bitrix-check", ".note")
    page.locator("form[action$='/setup'] button").click()
    shoot(page, folder, "bitrix-rest", "section[aria-labelledby=other]")
    page.goto(f"{address}/connectors/{poll.public_id}")
    page.locator("form[action$='/setup'] button").click()
    shoot(page, folder, "bitrix-poll", "section[aria-labelledby=other]")
    page.goto(f"{address}/connectors/{bad.public_id}")
    shoot(page, folder, "bitrix-state", "#state")


def main(arguments: list[str]) -> int:
    """Photographs into a folder; 2 without a browser."""
    folder, path = Path(arguments[0]), chromium_path()
    if path is None:
        print("Chromium is not installed", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as place, _site() as site, \
            _site(host="127.0.0.2", poll_wait=1.0) as other, browsing(path) as browser:
        world = make(Path(place) / "hub", ADDRESS).with_owner()
        world.catalogue.sources["bitrix"] = BitrixSource
        till = world.register("Касса у входа")
        with world.db.write() as session:
            session.get_one(Register, till.id).serial = SERIAL
        hook = {"way": "rest", "rest_url": site.state()["webhook"], "register_email": "kassa@shop.example", "vat": VAT}
        rest = connection(world, "Интернет-магазин", hook)
        poll = connection(world, "Магазин на старой кассе", {"way": "poll", "poll_url": other.state()["poll_url"],
                                                            "poll_version": "3", "poll_reset": True})
        bad = connection(world, "Магазин подарков", {"way": "rest", "vat": VAT})
        trouble(world, bad)
        with world.db.write() as session:
            session.execute(update(SourceRow).values(last_ok_at=utcnow()))
        with serving(world.app) as address:
            context = browser.new_context(viewport={"width": 1000, "height": 900})
            page = context.new_page()
            _log_in(page, address)
            pictures(page, address, folder, rest, poll, bad)
            context.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
