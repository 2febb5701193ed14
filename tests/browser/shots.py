"""Screenshots of every page, at 390 and 1280, light and dark, Russian and English, with no data and with data.

``python -m tests.browser.shots FOLDER [--readme]`` fills a hub with varied receipts and photographs it; with
``--readme`` it makes the two pictures of the README instead.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hub_plugins.notifiers.telegram.settings import TelegramSettings
from sqlalchemy import update

from hub import office
from hub.fiscal import Text
from hub.store import Alarm, Delivery, Evidence, Register, SourceRow, table, utcnow
from hub.store.receipts import RECEIPT
from hub.web.today import midnight
from tests.browser.live import browsing, chromium_path, serving
from tests.web.test_shifts import closed_shift
from tests.web.world import PASSWORD, World, make

LONG = ("Набор для опытов по химии «Юный исследователь» с защитными очками, перчатками, подставкой и подробной "
        "инструкцией на 64 страницах")
NAMES = ["Анна Иванова", "Константин Константинопольский-Заболотный", "Ольга", "ИП Ким Сергей Владимирович", ""]
GOODS = [("Чай чёрный, 100 г", "740.00", "2"), ("Занятие английским, группа B1", "1480.00", "1"),
         (LONG[:128], "9999999.99", "1"), ("Кофе в зёрнах", "1290.50", "0.75"), ("Абонемент на 8 занятий", "8400", "1")]


def fill(world: World) -> dict[str, str]:
    """Thirty receipts of every kind, a register that complains, a source that fails; ids by what they show."""
    shop = world.source("Интернет-магазин «Ромашка»")
    crm = world.source("Школа английского: " + "очень длинное название подключения, " * 3)
    gate = world.source("Сайт", "gate")
    till = world.register("Прилавок")
    cloud = world.register("Облачная касса", ofd_unsent=14, ofd_oldest=utcnow() - timedelta(days=4), paper=None,
                           storage_capacity=None)
    ids: dict[str, str] = {}
    states = ["confirmed"] * 16 + ["recorded"] * 5 + ["printing", "queued", "queued", "cancelled"]
    for index, state in enumerate(states):
        name, price, count = GOODS[index % len(GOODS)]
        order = world.order(buyer=NAMES[index % len(NAMES)], lines=[{"name": name, "price": price, "quantity": count}],
                            form="CASH" if index % 4 == 0 else "ELECTRONIC")
        ids[f"{state}{index}"] = world.receipt([shop, crm, gate][index % 3], state, order, till)
    for state in ("uncertain", "refused", "invalid"):
        ids[state] = world.receipt(shop, state, register=till)
    ids["wide"] = world.receipt(shop, "confirmed", world.order(
        buyer=LONG, lines=[{"name": one, "price": price, "quantity": count} for one, price, count in GOODS]), till)
    _spread(world)
    for subject, state, reason in (("order:77", "ignored", Text("Not paid yet.", "Ещё не оплачен.")),
                                   ("", "malformed", Text("The body is no order.", "В теле нет заказа.")),
                                   ("order:78", "done", None)):
        world.event(shop, subject, state, reason)
    with world.db.write() as session:
        row = session.get_one(SourceRow, crm.id)
        row.failures, row.last_error_at = 4, utcnow()
        row.last_error = Text("school.example did not answer in time.", "school.example не ответил вовремя.").to_json()
        session.get_one(SourceRow, gate.id).wrong_secrets = 3
        session.get_one(SourceRow, shop.id).last_ok_at = utcnow()
        away = session.get_one(Register, cloud.id)
        away.trouble = Text("The cloud does not answer.", "Облако не отвечает.").to_json()
        away.trouble_code = "503"
        session.add(Evidence(organisation_id=world.org.id, register_id=till.id, what="cumulative_differs",
                             details={"shift": 3, "stated": 148_000_00, "expected": 147_000_00}))
        office.add_queue(session, "user:anna", world.org.id, "Склад")
        teller = office.add_notifier(session, world.vault, "user:anna", world.org.id, "telegram", "Telegram",
                                     TelegramSettings, {"token": "123456789:AAFakeFakeFakeFakeFakeFakeFake"},
                                     to_buyers=False)
        office.add_watcher(session, "user:anna", teller, title="Анна", address="1001", quiet_from=22 * 60,
                           quiet_until=8 * 60, muted=["no_receipts"])
        office.add_watcher(session, "user:anna", teller, title=LONG, address="-1001234567890")
        session.add(Alarm(organisation_id=world.org.id, kind="register_off", subject="x", level="red",
                          raised_at=utcnow(), words=away.trouble))
        ids["teller"] = teller.public_id
        session.execute(update(table(Delivery)).where(table(Delivery).c.receipt_id == world.ids[ids["invalid"]]).values(
            state="given_up", tries=12, error=Text("HTTP 502", "HTTP 502").to_json()))
    for number, (fits, who, why) in enumerate(((None, "hub", "age"), (True, "hub", "time"), (False, "user:anna", ""))):
        ids["shift"] = closed_shift(world, till, number + 1, fits, who, why)
    ids.update(shop=shop.public_id, crm=crm.public_id, gate=gate.public_id, till=till.public_id, cloud=cloud.public_id)
    return ids


def fill_nicely(world: World) -> dict[str, str]:
    """A day as most are: one receipt that needs a person, everything else well."""
    shop, crm = world.source("Интернет-магазин"), world.source("Школа английского")
    till, spare = world.register("Прилавок"), world.register("Склад", ofd_unsent=2, ofd_oldest=utcnow())
    goods = [("Чай чёрный, 100 г", "740.00", "2"), ("Занятие английским, группа B1", "1480.00", "1"),
             ("Кофе в зёрнах, 1 кг", "1290.50", "1"), ("Абонемент на 8 занятий", "8400", "1")]
    ids = {}
    for index in range(34):
        name, price, count = goods[index % 4]
        lines = [{"name": name, "price": price, "quantity": count}]
        if index % 3 == 0:
            lines.append({"name": "Фильтры бумажные, 40 шт.", "price": "129.00", "quantity": "2"})
        order = world.order(buyer=NAMES[index % 4], lines=lines, form="CASH" if index % 5 == 0 else "ELECTRONIC")
        ids[f"good{index}"] = world.receipt(crm if index % 4 in (1, 3) else shop, "confirmed", order,
                                            till if index % 3 else spare)
    ids["uncertain"] = world.receipt(shop, "uncertain", register=till)
    _spread(world)
    world.event(shop, "order:1031", "done")
    world.event(crm, "pay:512", "done")
    return ids


def _spread(world: World) -> None:
    """Receipts over the hours of today, from eight on, so that there are bars."""
    start = midnight(ZoneInfo(world.org.zone))
    hours = max(1, int((utcnow() - start).total_seconds() // 3600))
    first = min(8, hours - 1)
    with world.db.write() as session:
        for index, receipt_id in enumerate(world.ids.values()):
            session.execute(update(RECEIPT).where(RECEIPT.c.id == receipt_id).values(
                created_at=min(start + timedelta(hours=first + (index * 5 + index // 3) % (hours - first),
                                                 minutes=index), utcnow())))


def pages(ids: dict[str, str]) -> dict[str, str]:
    """Name -> path of every page; with data those of single things too."""
    found = {"today": "/", "receipts": "/receipts", "registers": "/registers", "register-new": "/registers/new",
             "register-add": "/registers/new/till", "connectors": "/connectors", "connect": "/connectors/new/toy",
             "queues": "/queues", "organisation": "/settings/organisation", "people": "/settings/people",
             "health": "/settings/health", "audit": "/settings/audit", "me": "/settings/me", "start": "/start",
             "try": "/try", "nothing": "/no-such-page", "found-none": "/receipts?q=нет такого"}
    if ids:
        found.update({f"receipt-{name}": f"/receipts/{ids[name]}" for name in ids
                      if name in ("confirmed0", "wide", "uncertain", "refused", "invalid", "queued22", "cancelled24")})
        found.update({
            "return": f"/receipts/{ids['wide']}/return", "public": f"/r/{ids['confirmed0']}",
            "public-narrow": f"/r/{ids['wide']}?w=58&lang=kk", "public-a4": f"/r/{ids['wide']}/a4",
            "register": f"/registers/{ids['till']}", "register-cloud": f"/registers/{ids['cloud']}",
            "register-z": f"/registers/{ids['till']}/order/z",
            "register-cash": f"/registers/{ids['till']}/order/cash_in",
            "shifts": f"/registers/{ids['till']}/shifts", "shift": f"/registers/{ids['till']}/shifts/{ids['shift']}",
            "alarms": "/alarms", "receipts-late": "/receipts?state=late",
            "watchers": f"/notifiers/{ids['teller']}/people",
            "connector": f"/connectors/{ids['shop']}", "connector-crm": f"/connectors/{ids['crm']}",
            "connector-settings": f"/connectors/{ids['shop']}/settings",
            "template": f"/connectors/{ids['shop']}/template", "try-follow": f"/try/{ids['confirmed0']}",
            "address": f"/connectors/{ids['shop']}/address"})
    return found


def photograph(browser: Any, address: str, folder: Path, shown: dict[str, str], name: str, width: int, dark: bool,
               language: str) -> list[str]:
    """One walk over all pages; gives what overflows."""
    context = browser.new_context(viewport={"width": width, "height": 844 if width < 500 else 900},
                                  color_scheme="dark" if dark else "light", device_scale_factor=1)
    context.add_cookies([{"name": "language", "value": language, "url": address}])
    page = context.new_page()
    _log_in(page, address)
    page.goto(f"{address}/language/{language}")
    wrong = []
    for label, path in shown.items():
        page.goto(address + path)
        file = folder / f"{name}-{label}-{width}-{'dark' if dark else 'light'}-{language}.png"
        page.screenshot(path=str(file), full_page=True)
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wrong.append(f"{label} overflows at {width} in {language}")
    context.close()
    return wrong


def _log_in(page: Any, address: str) -> None:
    page.goto(f"{address}/login")
    page.fill("#f-login", "anna")
    page.fill("#f-password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/")


def readme(browser: Any, address: str, ids: dict[str, str], folder: Path) -> None:
    """The two pictures of the README."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    _log_in(page, address)
    page.screenshot(path=str(folder / "today.png"))
    page.set_viewport_size({"width": 1280, "height": 1140})
    page.goto(f"{address}/receipts/{ids['good7']}")
    page.screenshot(path=str(folder / "receipt.png"))
    context.close()


def main(arguments: list[str]) -> int:
    """Photographs; 1 when something overflows."""
    folder, path = Path(arguments[0]), chromium_path()
    folder.mkdir(parents=True, exist_ok=True)
    if path is None:
        print("Chromium is not installed", file=sys.stderr)
        return 2
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as place, browsing(path) as browser:
        full, empty = make(Path(place) / "full").with_owner(), make(Path(place) / "empty").with_owner()
        ids = fill_nicely(full) if "--readme" in arguments else fill(full)
        with serving(full.app) as address:
            if "--readme" in arguments:
                readme(browser, address, ids, folder)
                return 0
            for width, dark, language in ((1280, False, "ru"), (390, False, "ru"), (390, True, "en"),
                                          (1280, True, "en")):
                wrong += photograph(browser, address, folder, pages(ids), "full", width, dark, language)
        with serving(empty.app) as address:
            for width, dark, language in ((1280, False, "ru"), (390, True, "ru"), (390, False, "en")):
                wrong += photograph(browser, address, folder, pages({}), "empty", width, dark, language)
    print("\n".join(wrong) or "nothing overflows")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
