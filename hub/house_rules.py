"""House rules: what an organisation, a source or a register says of its receipts, checked and stored; and the logo.

Beside hub.office, with its manners: an ORM session of a write transaction, every change in the audit, ``Wrong`` with a
sentence for each field.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.fiscal import Cashier, Country, Ffd, Rounding, Subject, Text
from hub.fiscal import contact as contacts
from hub.fiscal import vat as vat_rates
from hub.fiscal.codes import LONGEST, Tag
from hub.fiscal.levels import MAY_SAY, Level, Settings
from hub.fiscal.taxid import is_valid
from hub.office import SHIFT_IS_OPEN, Wrong, audit, rearm_source, shift_is_open
from hub.store import Organisation, Picture, QueueRegister, Register, SourceRow, fiscal, utcnow

#: The owner's words under a receipt: rows of paper and characters in all.
MOST_LINES, MOST_WORDS = 8, 400
#: Minutes until a receipt must be recorded, at most.
LONGEST_WAIT = 31 * 1440
#: A logo as it is sent, in bytes and dots, and what it is drawn down to: the dots of an 80 mm printer.
LARGEST_UPLOAD, MOST_DOTS, LOGO_SIZE = 512 * 1024, 4_000_000, (384, 192)

#: How sums may be rounded where (fiscal-domain §4; webkassa §4).
ROUNDINGS: Mapping[Country, tuple[Rounding, ...]] = {
    Country.RU: (Rounding.NONE, Rounding.DOWN),
    Country.KZ: (Rounding.NONE, Rounding.POSITIONS, Rounding.TOTAL)}

_LONGEST = {"settlement_place": LONGEST[Tag.SETTLEMENT_PLACE], "settlement_address": LONGEST[Tag.SETTLEMENT_ADDRESS],
            "sender_email": LONGEST[Tag.SENDER_EMAIL]}


def subjects(ffd: Ffd) -> tuple[Subject, ...]:
    """Payment objects that a format knows."""
    return tuple(one for one in Subject if ffd is Ffd.V1_2 or one.value < Subject.EXCISE_UNMARKED.value)


def problems(settings: Settings, country: Country, ffd: Ffd) -> dict[str, Text]:
    """What is wrong with what a level says, by field (``cashier_inn`` for the cashier's number)."""
    wrong = _of_goods(settings, country, ffd)
    for name, most in _LONGEST.items():
        if len(getattr(settings, name) or "") > most:
            wrong[name] = Text("At most {n} characters fit into a receipt. Shorten it.",
                               "В чек помещается не больше {n} знаков. Сократите.", params={"n": most})
    email = settings.sender_email
    if email and not contacts.email(email):
        wrong["sender_email"] = Text("This is no e-mail address.", "Это не адрес почты.")
    if settings.record_within is not None and not 1 <= settings.record_within <= LONGEST_WAIT:
        wrong["record_within"] = Text("From 1 minute to 31 days ({n} minutes).", "От 1 минуты до 31 дня ({n} минут).",
                                      params={"n": LONGEST_WAIT})
    words = settings.advertising or ""
    if len(words) > MOST_WORDS or len(words.splitlines()) > MOST_LINES:
        wrong["advertising"] = Text("At most {lines} lines and {n} characters. Shorten it.",
                                    "Не больше {lines} строк и {n} знаков. Сократите.",
                                    params={"lines": MOST_LINES, "n": MOST_WORDS})
    return {**wrong, **_of_cashier(settings.cashier or Cashier(), country)}


def _of_goods(settings: Settings, country: Country, ffd: Ffd) -> dict[str, Text]:
    wrong: dict[str, Text] = {}
    valid = {one.key for one in vat_rates.rates_on(utcnow().date(), country) if not one.calculated}
    if settings.vat is not None and settings.vat not in valid:
        wrong["vat"] = Text("Choose one of the rates that are valid today.", "Выберите одну из ставок, действующих "
                                                                             "сегодня.")
    if settings.subject is not None and settings.subject not in subjects(ffd):
        wrong["subject"] = Text("This kind exists in FFD 1.2 only. Choose another one.",
                                "Такой предмет расчёта есть только в ФФД 1.2. Выберите другой.")
    if settings.rounding is not None and settings.rounding not in ROUNDINGS[country]:
        wrong["rounding"] = Text("Sums are not rounded like this in your country.",
                                 "В вашей стране суммы так не округляют.")
    if settings.tax_system is not None and country is not Country.RU:
        wrong["tax_system"] = Text("Only receipts of Russia name a tax system.",
                                   "Систему налогообложения называют только чеки России.")
    return wrong


def _of_cashier(cashier: Cashier, country: Country) -> dict[str, Text]:
    if len(cashier.name) > LONGEST[Tag.CASHIER]:
        return {"cashier": Text("At most {n} characters fit into a receipt. Shorten it.",
                                "В чек помещается не больше {n} знаков. Сократите.",
                                params={"n": LONGEST[Tag.CASHIER]})}
    if cashier.inn and not cashier.name:
        return {"cashier": Text("Write the cashier's name, too.", "Впишите и имя кассира.")}
    if cashier.inn and (len(cashier.inn) != 12 or not is_valid(cashier.inn, country)):
        return {"cashier_inn": Text("The cashier's number has twelve digits with check digits.",
                                    "Номер кассира — двенадцать цифр с контрольными.")}
    return {}


def say(session: Session, actor: str, row: Organisation | SourceRow | Register, settings: Settings) -> None:
    """Stores what a level says. Raises Wrong, of a register (its cashier, its taxes, its place) also while its shift is
    open. Invalid receipts that it may mend are looked at again.

    Of an organisation this is what has no column of its own; the columns are hub.office's.
    """
    level = (Level.ORGANISATION if isinstance(row, Organisation)
             else Level.SOURCE if isinstance(row, SourceRow) else Level.REGISTER)
    organisation = row if isinstance(row, Organisation) else session.get_one(Organisation, row.organisation_id)
    settings = settings.only(MAY_SAY[level])
    wrong = problems(settings, Country(organisation.country), Ffd(organisation.ffd))
    if wrong:
        raise Wrong(wrong)
    if isinstance(row, Register) and shift_is_open(session, row) and fiscal.stored(settings) != (row.fiscal or {}):
        raise Wrong({"shift": SHIFT_IS_OPEN})
    row.fiscal = fiscal.beside_columns(settings) if isinstance(row, Organisation) else fiscal.stored(settings)
    session.flush()
    audit(session, actor, f"{level.value}.receipts", row.public_id, organisation.id, fields=sorted(settings.said()))
    for source in _sources(session, row):
        rearm_source(session, source)


def _sources(session: Session, row: Organisation | SourceRow | Register) -> list[SourceRow]:
    """The sources whose receipts a level has a say in."""
    if isinstance(row, SourceRow):
        return [row]
    query = select(SourceRow).where(SourceRow.archived_at.is_(None))
    if isinstance(row, Organisation):
        return list(session.scalars(query.where(SourceRow.organisation_id == row.id)))
    return list(session.scalars(query.where(SourceRow.queue_id.in_(
        select(QueueRegister.queue_id).where(QueueRegister.register_id == row.id)))))


# -- the logo --------------------------------------------------------------------------------------------------------


def set_logo(session: Session, actor: str, organisation: Organisation, content: bytes) -> Picture:
    """Stores an owner's picture, drawn anew in shades of grey and as small as paper needs it. Raises Wrong."""
    drawn, width, height = _drawn(content)
    row = logo(session, organisation.id)
    if row is None:
        row = Picture(organisation_id=organisation.id, name="logo", content=drawn, width=width, height=height)
        session.add(row)
    else:
        row.content, row.width, row.height = drawn, width, height
        row.row_version += 1
    session.flush()
    audit(session, actor, "organisation.logo", organisation.public_id, organisation.id, bytes=len(drawn))
    return row


def drop_logo(session: Session, actor: str, organisation: Organisation) -> None:
    """Takes the picture away; receipts are shown without it from now on."""
    row = logo(session, organisation.id)
    if row is not None:
        session.delete(row)
        audit(session, actor, "organisation.no_logo", organisation.public_id, organisation.id)


def logo(session: Session, organisation_id: int) -> Picture | None:
    """The organisation's picture."""
    return session.scalar(select(Picture).where(Picture.organisation_id == organisation_id, Picture.name == "logo"))


def _drawn(content: bytes) -> tuple[bytes, int, int]:
    """A new PNG of the picture: nothing of the file that was sent is kept but its dots."""
    from PIL import Image

    if len(content) > LARGEST_UPLOAD:
        raise Wrong({"logo": Text("The picture is larger than {n} KB. Make it smaller and try again.",
                                  "Картинка больше {n} КБ. Уменьшите её и попробуйте снова.",
                                  params={"n": LARGEST_UPLOAD // 1024})})
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as found:
            # The header tells the size before a single dot is read: a small file may be a huge picture.
            if found.width * found.height > MOST_DOTS:
                raise Wrong({"logo": Text("The picture has too many dots: {w} by {h}. 384 across are enough.",
                                          "В картинке слишком много точек: {w} на {h}. По ширине хватит 384.",
                                          params={"w": found.width, "h": found.height})})
            coloured = found.convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as problem:
        raise Wrong({"logo": Text("This is no PNG or JPEG picture. Save it as PNG and try again.",
                                  "Это не картинка PNG или JPEG. Сохраните её как PNG и попробуйте снова.")}) \
            from problem
    # Thermal paper is white: what was clear becomes white.
    sheet = Image.new("RGBA", coloured.size, "white")
    sheet.alpha_composite(coloured)
    grey: Any = sheet.convert("L")
    grey.thumbnail(LOGO_SIZE, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    grey.save(out, "PNG", optimize=True)
    return out.getvalue(), grey.width, grey.height
