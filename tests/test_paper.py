"""The picture of paper: HTML that nobody can break out of, a PNG whose QR code holds the text."""

from __future__ import annotations

import io
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import segno
from PIL import Image, ImageFont

from hub import paper as picture
from hub.fiscal import Customer, qr_text
from hub.fiscal.paper import NARROW, WIDE, QrCode, paper
from tests.fiscal.test_paper import kazakh, record_of, shop


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
        if tag != "hr":
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
    assert reader.names <= {"class", "lang", "aria-label", "role", "viewbox", "transform", "stroke", "d"}
    assert html.startswith('<article class="paper paper-48" lang="ru" aria-label="Приход, 3596.71 RUB">')
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
        font = picture._font(30, bold)
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
