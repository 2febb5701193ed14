"""The picture of paper: HTML that nobody can break out of, a PNG whose QR code holds the text."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import segno
from PIL import Image, ImageDraw, ImageFont

from hub import paper as picture
from hub import paper_a4 as sheet
from hub.fiscal import Customer, qr_text
from hub.fiscal.paper import NARROW, WIDE, Extras, Form, Look, QrCode, as_text, clean, form, on, paper
from hub.fiscal.paper_rows import Pair, Words
from hub.paper_a4 import a4_html, a4_png
from tests.fiscal.papers import kazakh as kazakh_full
from tests.fiscal.papers import russian
from tests.fiscal.test_paper import kazakh, record_of, shop
from tests.fiscal.test_paper_details import KAZAKH, KZ_EXTRAS, KZ_URL, RUSSIAN


class _Reader(HTMLParser):
    """Collects tags, attributes and text; fails on a tag that is closed wrongly."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.labels: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names.update(name for name, _ in attrs)
        self.labels += [value or "" for name, value in attrs if name == "aria-label"]
        if tag not in ("hr", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names.update(name for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def test_html_is_semantic_and_carries_classes_only() -> None:
    receipt = shop()
    html = picture.as_html(paper(receipt, record_of(receipt)))
    reader = read(html)
    assert reader.tags == {"article", "div", "p", "span", "hr", "figure", "svg", "path"}
    assert reader.names <= {"class", "lang", "dir", "aria-label", "role", "viewbox", "transform", "stroke", "d"}
    assert html.startswith('<article class="paper paper-48" lang="ru" dir="ltr" aria-label="Приход, 3596.71 RUB">')
    assert '<p class="paper-row paper-bold paper-double paper-pair"><span>ИТОГ</span> <span>=3596.71</span></p>' in html
    assert reader.labels == ["Приход, 3596.71 RUB", qr_text(record_of(receipt))]


def test_a_hostile_name_is_only_text() -> None:
    evil = '<script>alert("1")</script><img src=x onerror=alert(1)>\' & </p>'
    receipt = shop()
    receipt = replace(receipt, lines=(replace(receipt.lines[0], name=evil),), seller_name=evil, settlement_place=evil,
                      customer=Customer(evil, inn='"><b>'))
    record = replace(record_of(receipt), fiscal_sign='"><script>')
    for language in ("ru", "en", "kk"):
        html = picture.as_html(paper(receipt, record, language=language))
        reader = read(html)
        assert reader.tags == {"article", "div", "p", "span", "hr", "figure", "svg", "path"}
        assert "onerror" not in reader.names and "<script" not in html
        assert "".join(evil.split()) in "".join(reader.words.split())


def test_the_stylesheet_ships_and_asks_nobody() -> None:
    css = picture.css()
    assert ".paper-sheet" in css and "url(" not in css and "@import" not in css
    pages = [picture.as_html(paper(shop(), record_of(shop()), width=width)) for width in (NARROW, WIDE)]
    names = {name for part in "".join(pages).split('class="')[1:] for name in part.split('"')[0].split()}
    assert {name for name in names if f".{name}" not in css} <= {"paper-48", "paper-code"}


def ink(png: bytes, scale: int) -> Image.Image:
    """The picture on white: True where there is ink."""
    drawn = Image.open(io.BytesIO(png))
    assert drawn.mode == "RGBA"
    ground = Image.new("RGB", drawn.size, "white")
    ground.paste(drawn, (0, 0), drawn)
    return ground.convert("L").point(lambda value: 255 if value < 110 else 0)


def modules(dots: Image.Image, size: int) -> list[list[int]]:
    """The modules of the QR code at the paper's end, each read in its middle."""
    rows = [dots.crop((0, y, dots.width, y + 1)).getbbox() is not None for y in range(dots.height)]
    bottom = max(y for y, dark in enumerate(rows) if dark) + 1
    top = bottom
    while rows[top - 1]:
        top -= 1
    box = dots.crop((0, top, dots.width, bottom)).getbbox()
    assert box is not None
    left, side = box[0], bottom - top
    assert box[2] - box[0] == side and side % size == 0
    step = side // size
    return [[1 if dots.getpixel((left + x * step + step // 2, top + y * step + step // 2)) else 0
             for x in range(size)] for y in range(size)]


@pytest.mark.parametrize(("width", "scale"), [(NARROW, 1), (NARROW, 2), (WIDE, 2), (WIDE, 3)])
def test_the_code_in_the_picture_holds_the_text(width: int, scale: int) -> None:
    receipt = shop()
    record = record_of(receipt)
    code = segno.make(qr_text(record), error="m", micro=False)
    png = picture.as_png(paper(receipt, record, width=width), scale)
    assert modules(ink(png, scale), len(code.matrix)) == [list(row) for row in code.matrix]


def test_a_long_kazakh_address_fits_the_narrow_paper() -> None:
    receipt = kazakh()
    url = "http://cabinet.wofd.kz/consumer?i=754674267&f=010102345678&s=2320.00&t=20261120T144500" + "&x=" + "9" * 120
    printed = paper(receipt, record_of(receipt, url), width=NARROW)
    assert printed.rows[-1] == QrCode(url)
    code = segno.make(url, error="m", micro=False)
    assert modules(ink(picture.as_png(printed), 2), len(code.matrix)) == [list(row) for row in code.matrix]


def test_the_picture_is_sharp_and_as_large_as_its_scale() -> None:
    printed = paper(shop(), record_of(shop()), width=NARROW)
    one, two = (Image.open(io.BytesIO(picture.as_png(printed, scale))) for scale in (1, 2))
    assert two.size == (one.width * 2, one.height * 2)
    assert two.width == 2 * (NARROW * picture.CELL + 2 * picture.EDGE_X + 2 * picture.SHADOW)
    # The corners are clear, so that the paper lies on any ground.
    assert [two.getpixel(place)[3] for place in ((0, 0), (two.width - 1, 0), (0, two.height - 1))] == [0, 0, 0]
    for scale in (0, 5):
        with pytest.raises(ValueError, match="1 to 4"):
            picture.as_png(printed, scale)


def test_the_font_has_every_letter_of_a_receipt() -> None:
    """A missing glyph is drawn as the font's box, so no letter may look like an unassigned code point."""
    for bold in (False, True):
        font = picture.font_of(30, bold)
        assert isinstance(font, ImageFont.FreeTypeFont)
        box = bytes(font.getmask("\U000e0fff"))
        letters = "АБВЯабвяЁёЙйӘәҒғҚқҢңӨөҰұҮүҺһІі₽₸№«»—–…×·[]=%@"
        assert [one for one in letters if bytes(font.getmask(one)) == box] == []
        assert {font.getlength(one) for one in letters} == {font.getlength("M")}


def test_text_stays_within_the_margins() -> None:
    scale = 2
    receipt = replace(shop(), seller_name="Ш" * 200)
    dots = ink(picture.as_png(paper(receipt, None, width=NARROW), scale), scale)
    left, _, right, _ = dots.getbbox() or (0, 0, 0, 0)
    edge = (picture.SHADOW + picture.EDGE_X) * scale
    assert edge - scale <= left and right <= dots.width - edge + scale


# -- the owner's picture ---------------------------------------------------------------------------------------------


def logo(kind: str = "PNG", size: tuple[int, int] = (400, 160)) -> bytes:
    """A dark picture on a clear ground."""
    drawn = Image.new("RGBA", size, (0, 0, 0, 0))
    ImageDraw.Draw(drawn).rectangle((size[0] // 4, 10, size[0] * 3 // 4, size[1] - 10), fill=(10, 20, 60, 255))
    out = io.BytesIO()
    (drawn if kind == "PNG" else drawn.convert("RGB")).save(out, kind)
    return out.getvalue()


def test_the_logo_is_drawn_on_the_picture_and_in_the_page_without_a_request() -> None:
    receipt = shop()
    look = Look(logo())
    bare, dressed = (Image.open(io.BytesIO(picture.as_png(paper(receipt, record_of(receipt), look=one))))
                     for one in (Look(), look))
    assert dressed.height - bare.height == 2 * (picture.LOGO_HEIGHT + picture.LOGO_SPACE)
    middle = dressed.getpixel((dressed.width // 2, 2 * (picture.SHADOW + picture.EDGE_Y + 50)))
    assert sum(middle[:3]) < 150
    html = picture.as_html(paper(receipt, record_of(receipt), look=look))
    source = 'src="data:image/png;base64,' + base64.b64encode(look.logo).decode() + '"'
    assert source in html and read(html).tags >= {"img"} and "http" not in html.partition(source)[0]
    assert as_text(paper(receipt, None, look=look)) == as_text(paper(receipt, None))


@pytest.mark.parametrize(("data", "kind"), [
    (logo(), "png"), (logo("JPEG"), "jpeg"), (b"", ""), (b"GIF89a" + b"x" * 50, ""), (b"\x89PNG\r\n\x1a\n broken", ""),
    (b'<svg onload="alert(1)">', ""), (logo(size=(2600, 2600)), ""), (logo()[:200], ""),
    (logo() + b"\0" * picture.LARGEST_LOGO, "")])
def test_what_is_no_picture_is_left_out(data: bytes, kind: str) -> None:
    assert picture.logo_kind(data) == kind
    receipt = shop()
    look = Look(data)
    for printed in (picture.as_html(paper(receipt, None, look=look)), a4_html(form(receipt, None, look=look))):
        assert ("<img" in printed) is bool(kind)
    assert picture.as_png(paper(receipt, None, look=look)) and a4_png(form(receipt, None, look=look))


# -- A4 --------------------------------------------------------------------------------------------------------------


def test_a4_says_what_the_narrow_paper_says() -> None:
    for receipt, table, extras, url in ((russian(), RUSSIAN, Extras(), ""), (kazakh_full(), KAZAKH, KZ_EXTRAS, KZ_URL)):
        reader = read(a4_html(form(receipt, record_of(receipt, url), extras=extras)))
        together = "".join(reader.words.split())
        # In a table number, count, price and sum have columns of their own, and a note has a colon.
        left = {detail: fact for detail, fact in table.items() if "".join(fact.split()) not in together
                and "".join(fact.split()) not in together.replace(":", "")}
        split = {"1030 name", "1023 and 1079", "2108 measure", "1043 cost", "1200 VAT of a line", "name",
                 "quantity, unit and price", "cost", "VAT of a line", "without VAT"}
        assert set(left) <= split, left
        for cell in ("1220.00", "2 шт.", "610.00", "НДС 22%", "220.00") if receipt.currency == "RUB" else (
                "2200.00", "2 шт.", "1160.00", "ҚҚС / НДС 16%", "303.45"):
            assert "".join(cell.split()) in together
        assert reader.labels[-1] == (url or qr_text(record_of(receipt)))
        assert reader.tags <= {"article", "div", "p", "span", "hr", "figure", "svg", "path", "table", "thead", "tbody",
                               "tr", "th", "td", "small"}


def test_a_hostile_name_is_only_text_on_a4() -> None:
    evil = '<script>alert("1")</script><img src=x onerror=alert(1)>\' & </p>'
    receipt = russian(seller_name=evil, settlement_place=evil, customer=Customer(evil, inn='"><b>'))
    receipt = replace(receipt, lines=(replace(receipt.lines[1], name=evil, unit=evil, additional=evil),))
    html = a4_html(form(receipt, record_of(receipt), look=Look(above=evil, below=evil)))
    reader = read(html)
    assert "script" not in reader.tags and "img" not in reader.tags and "onerror" not in reader.names
    assert "".join(reader.words.split()).count("".join(evil.split())) >= 5


@pytest.mark.parametrize("scale", [1, 2])
def test_a4_as_a_picture_has_the_size_of_the_sheet_and_a_sharp_code(scale: int) -> None:
    receipt = shop()
    record = record_of(receipt)
    drawn = Image.open(io.BytesIO(a4_png(form(receipt, record), scale)))
    assert drawn.size == (sheet.WIDTH * scale, sheet.HEIGHT * scale)
    code = segno.make(qr_text(record), error="m", micro=False)
    size = len(code.matrix)
    step = sheet.QR_SIDE * scale // size
    dots = drawn.convert("L").point(lambda value: 255 if value < 110 else 0)
    left = (sheet.WIDTH - sheet.MARGIN) * scale - step * size
    column = dots.crop((left, 0, left + step, dots.height)).getbbox()
    assert column is not None
    right = dots.crop((left, 0, dots.width, dots.height))
    tops = [y for y in range(dots.height - step * size) if all(
        bool(right.getpixel((x * step + step // 2, y + row * step + step // 2))) == bool(bit)
        for row, bits in ((0, code.matrix[0]), (size - 1, code.matrix[-1])) for x, bit in enumerate(bits))]
    assert tops, "the code is nowhere"
    top = tops[len(tops) // 2]
    assert [[1 if right.getpixel((x * step + step // 2, top + y * step + step // 2)) else 0 for x in range(size)]
            for y in range(size)] == [list(row) for row in code.matrix]
    with pytest.raises(ValueError, match="1 to 4"):
        a4_png(form(receipt, record), 0)


def test_a_long_receipt_takes_whole_sheets_and_nothing_leaves_the_margins() -> None:
    receipt = russian()
    long = replace(receipt, lines=receipt.lines * 12, seller_name="Ш" * 200, settlement_place="字" * 100)
    drawn = Image.open(io.BytesIO(a4_png(form(long, record_of(long)), 1)))
    assert drawn.width == sheet.WIDTH and drawn.height % sheet.HEIGHT == 0 and drawn.height > sheet.HEIGHT
    left, top, right, bottom = drawn.convert("L").point(lambda value: 255 if value < 128 else 0).getbbox() or (0,) * 4
    assert left >= sheet.MARGIN - 1 and right <= sheet.WIDTH - sheet.MARGIN + 1
    assert top >= sheet.MARGIN and bottom <= drawn.height - sheet.MARGIN


def test_a_very_long_receipt_is_drawn_coarser_and_one_beyond_all_bounds_is_not() -> None:
    receipt = shop()
    long = replace(receipt, lines=receipt.lines * 120)
    for drawn, wide in ((picture.as_png(paper(long, None)), WIDE * picture.CELL + 2 * picture.EDGE_X),
                        (a4_png(form(long, None)), sheet.WIDTH)):
        assert Image.open(io.BytesIO(drawn)).width in (wide, wide + 2 * picture.SHADOW)
    endless = replace(receipt, lines=receipt.lines * 800)
    with pytest.raises(picture.TooLong):
        picture.as_png(paper(endless, None))
    with pytest.raises(picture.TooLong):
        a4_png(form(endless, None))
    assert as_text(paper(endless, None)).count("=2300.00") == 800


def test_wide_letters_do_not_move_what_stands_beside_them() -> None:
    """The sum at the right edge is drawn at the same place whatever the label holds."""
    def row_of(label: str) -> Image.Image:
        said = Form((Pair(clean(label), "=1220.00"),), "ru", "")
        drawn = ink(picture.as_png(on(said, WIDE), 1), 1)
        return drawn.crop((drawn.width // 2, 0, drawn.width, drawn.height))

    def after(label: str) -> bytes:
        """The letter that stands in the eighth column."""
        dots = ink(picture.as_png(on(Form((Words(clean(label) + " Я"),), "ru", ""), WIDE), 1), 1)
        left = picture.SHADOW + picture.EDGE_X + 7 * picture.CELL
        return dots.crop((left, 0, left + picture.CELL, dots.height)).tobytes()

    assert any(after("abcdef"))
    for label in ("日本語", "abcde\u0301\u0323f", "x\u0336" * 6, "אבגדהו"):
        assert after(label) == after("abcdef"), label
    plain = row_of("Иванова")
    for label in ("e\u0301\u0323 x\u0336", "日本語 字", "אבג", "👩🏽"):
        assert row_of(label).tobytes() == plain.tobytes(), label
