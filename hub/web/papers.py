"""Paper on the page: which width, language and copy was asked for, and the owner's look. The words are hub.fiscal's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import Response, abort
from sqlalchemy import select

from hub.fiscal import Country, Customer, links
from hub.fiscal import paper as papers
from hub.fiscal.levels import Level, resolve
from hub.paper import TooLong, as_png
from hub.paper_a4 import a4_png
from hub.store import Organisation, Picture, fiscal, table
from hub.web import queries
from hub.web.filters import language
from hub.web.state import the_hub

#: What an address asks for -> columns (point-of-sale §3): millimetres of paper, or 42 for 80 mm with larger letters.
WIDTHS: Mapping[int, int] = {80: papers.WIDE, 42: papers.MIDDLE, 58: papers.NARROW}
#: Languages of paper, each named in itself. Kazakh paper speaks Kazakh and Russian at once.
LANGUAGES: Mapping[str, str] = {"ru": "Русский", "kk": "Қазақша", "en": "English"}
KZ_LANGUAGES: Mapping[str, str] = {"ru": "Қазақша / Русский", "en": "English"}
TYPES: Mapping[str, str] = {"png": "image/png", "txt": "text/plain; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Choice:
    """How somebody wants to see a receipt: paper (a key of WIDTHS), language, and whether it says that it is a copy."""

    width: int
    language: str
    duplicate: bool
    usual: str
    languages: Mapping[str, str]

    def query(self, **other: Any) -> dict[str, Any]:
        """What stands in an address for this choice with some of it changed; nothing for what is usual."""
        said = {"width": self.width, "language": self.language, "duplicate": self.duplicate, **other}
        out: dict[str, Any] = {} if said["width"] == 80 else {"w": said["width"]}
        if said["language"] != self.usual:
            out["lang"] = said["language"]
        return {**out, "copy": 1} if said["duplicate"] else out


def choice(arguments: Mapping[str, str], country: str) -> Choice:
    """The choice that an address states; what nobody can mean is as usual."""
    on_offer = KZ_LANGUAGES if country == Country.KZ else LANGUAGES
    width, wanted, usual = arguments.get("w", ""), arguments.get("lang", ""), language()
    return Choice(int(width) if width in ("42", "58") else 80, wanted if wanted in on_offer else usual,
                  arguments.get("copy") == "1", usual, on_offer)


def look_of_organisation(organisation_id: int) -> papers.Look:
    """The owner's picture alone: what stands on papers that no source asked for."""
    pictures = table(Picture)
    with the_hub().db.read() as connection:
        logo = connection.execute(select(pictures.c.content).where(
            pictures.c.organisation_id == organisation_id, pictures.c.name == "logo")).scalar()
    return papers.Look(bytes(logo or b""))


def look_of(organisation_id: int, source: Any) -> papers.Look:
    """The owner's picture and words: the source's own words win over the organisation's."""
    organisations = table(Organisation)
    with the_hub().db.read() as connection:
        row = connection.execute(select(organisations).where(organisations.c.id == organisation_id)).mappings().one()
    said = resolve((Level.ORGANISATION, fiscal.of_organisation(dict(row))),
                   (Level.SOURCE, fiscal.opened(source.fiscal)))
    return replace(look_of_organisation(organisation_id), below=said.advertising.value)


def ofd_of(whole: queries.Whole) -> str:
    """The name of the tax data operator as the register states it."""
    return str((whole.register.identity or {}).get("ofd_name") or "") if whole.register is not None else ""


def ofd_link(whole: queries.Whole) -> str:
    """The operator's page of a confirmed receipt; empty before that."""
    inn = whole.receipt.seller_inn if whole.receipt is not None else ""
    return links.for_buyer(whole.row.state, whole.fiscal, ofd_of(whole), inn)


def form_of(whole: queries.Whole, chosen: Choice, *, stranger: bool = False) -> papers.Form | None:
    """What the receipt says; None while there is none. A ``stranger`` sees nothing of the buyer."""
    receipt = whole.receipt
    if receipt is None:
        return None
    if stranger:
        receipt = replace(receipt, customer=Customer(), contact="")
    if not receipt.settlement_place and whole.register is not None:
        # The register prints its own where the receipt names none.
        place = str((whole.register.identity or {}).get("settlement_place") or "")
        receipt = replace(receipt, settlement_place=place)
    kz = receipt.country is Country.KZ
    of = links.operator_of(ofd_of(whole) or (whole.fiscal.url if kz and whole.fiscal else ""))
    # No register states yet that it worked without its operator, and "not confirmed" does not mean that.
    extras = papers.Extras(
        order_number=whole.row.order_number if kz else "", ofd_name=ofd_of(whole) or (of.name if of else ""),
        ofd_site=of.site if of else "")
    return papers.form(
        receipt, whole.fiscal, language=chosen.language, duplicate=chosen.duplicate,  # type: ignore[arg-type]
        look=look_of(whole.row.organisation_id, whole.source), extras=extras)


def file_of(form: papers.Form | None, chosen: Choice, kind: str, number: str, *, a4: bool = False,
            age: str = "no-store") -> Response:
    """The form as a file; 404 while there is none, and for kinds that are none; 413 for a picture that no memory
    would hold."""
    if form is None or kind not in TYPES or (a4 and kind != "png"):
        abort(404)
    if kind == "txt":
        body = papers.as_text(papers.on(form, WIDTHS[chosen.width])).encode()
    else:
        try:
            body = a4_png(form) if a4 else as_png(papers.on(form, WIDTHS[chosen.width]))
        except TooLong:
            abort(413)
    answer = Response(body, content_type=TYPES[kind])
    name = f"{number}{'-a4' if a4 else ''}{'-copy' if chosen.duplicate else ''}.{kind}"
    answer.headers["Content-Disposition"] = f'{"attachment" if chosen.duplicate else "inline"}; filename="{name}"'
    answer.headers["Cache-Control"] = f"private, {age}"
    return answer


__all__ = ["WIDTHS", "Choice", "choice", "file_of", "form_of", "look_of", "look_of_organisation", "ofd_link", "ofd_of"]
