"""The drain of Z reports that are sent: "slip:<notifier id>". Who gets them the register's rules said at its closing.

A letter that is sent again, because the process died after it was sent, has the same key: the row's public id.
"""

from __future__ import annotations

from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from hub.contracts import Notice, Notifier
from hub.delivery.notices import Letters
from hub.delivery.rounds import Row
from hub.delivery.sheets import slip_of, till_of
from hub.fiscal import Money, Text
from hub.fiscal import paper as papers
from hub.fiscal.paper_shift import slip_form
from hub.store import Organisation, Register, Slip, SlipNotice, table

NOTICE, SLIP, REGISTER, ORGANISATION = table(SlipNotice), table(Slip), table(Register), table(Organisation)

SUBJECT = Text("Z report of shift {shift}, {title}: {sales}", "Z-отчёт смены {shift}, {title}: {sales}")
FITS = Text("The total since the beginning follows from the last report.",
            "Итог с начала работы сходится с прошлым отчётом.")
DIFFERS = Text("Attention: the total since the beginning is {stated}, but the earlier reports add up to {expected}.",
               "Внимание: итог с начала работы {stated}, а по прошлым отчётам должно быть {expected}.")
NOTHING = Text("There was no earlier report to compare the total with.", "Итог сравнить не с чем: прошлого отчёта нет.")


class SlipNotices(Letters):
    """Letters with Z reports."""

    kind = "slip"
    rows = NOTICE
    wanted = ("id", "public_id", "slip_id", "address", "tries")

    def _mine(self, number: int) -> Any:
        return NOTICE.c.notifier_id == number

    def _notice(self, row: Row, notifier: Notifier) -> tuple[str, Notice | str]:
        with self.db.read() as connection:
            slip = connection.execute(select(SLIP).where(SLIP.c.id == row["slip_id"])).mappings().one()
            register = connection.execute(select(REGISTER).where(
                REGISTER.c.id == slip["register_id"])).mappings().one()
            organisation = connection.execute(select(ORGANISATION).where(
                ORGANISATION.c.id == slip["organisation_id"])).mappings().one()
        if not notifier.reaches(str(row["address"])):
            return str(slip["public_id"]), "the address is of another kind"
        return str(slip["public_id"]), letter(dict(slip), dict(register), dict(organisation), str(row["address"]),
                                              str(row["public_id"]), self.public_url)


def letter(slip: dict[str, Any], register: dict[str, Any], organisation: dict[str, Any], to: str, key: str,
           public_url: str) -> Notice:
    """What is sent: the report as the register printed it, and whether its total fits."""
    currency, figures = str(organisation["currency"]), dict(slip["figures"] or {})
    content = {**figures, "at": slip["at"].isoformat(), "shift": slip["shift_number"], "cashier": slip["cashier"]}
    form = slip_form(slip_of(slip["what"], content, currency, ZoneInfo(register["zone"])),
                     till_of(organisation, register), duplicate=True)
    paper = papers.as_text(papers.on(form, papers.WIDE))
    check = check_words(figures.get("check") or {}, currency).say("ru")
    sales = Money(int(figures["sales"]), currency) if figures.get("sales") is not None else "—"
    subject = SUBJECT.with_(shift=slip["shift_number"], title=register["title"], sales=sales).say("ru")
    url = f"{public_url}/registers/{register['public_id']}/shifts"
    return Notice(to=to, subject=subject, text=f"{paper}\n\n{check}\n\n{url}\n", key=key, url=url,
                  html=f"<pre>{escape(paper)}</pre><p>{escape(check)}</p><p><a href=\"{escape(url)}\">{escape(url)}</a>"
                       "</p>")


def check_words(check: dict[str, Any], currency: str) -> Text:
    """What the check of a Z came to, as a sentence."""
    if check.get("fits") is None:
        return NOTHING
    if check["fits"]:
        return FITS
    return DIFFERS.with_(stated=Money(int(check["stated"]), currency), expected=Money(int(check["expected"]), currency))
