"""Paper as a picture: HTML for the page, PNG for mail, chat and the README. What prints is hub.fiscal.paper's.

HTML carries classes only (``assets/paper.css`` draws them, so a strict content policy holds); the PNG is thermal
paper with a torn edge and a soft shadow on a transparent ground, so that it lies on any page, light or dark.
"""

from __future__ import annotations

import base64
import html
import io
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from hub.fiscal.paper import Gap, Line, Logo, Paper, QrCode, Row, Rule
from hub.fiscal.paper_rows import cells, drawn

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

# Measures in CSS pixels; a picture has ``scale`` dots for each.
CELL, LEADING = 9, 20
EDGE_X, EDGE_Y = 26, 30
SHADOW = 22
TOOTH = 6
RULE_SPACE, GAP = 15, 7
QR_SHARE = 0.5
QR_SPACE = 16
#: The owner's picture: as wide as the paper at most, and no higher than this.
LOGO_HEIGHT, LOGO_SPACE = 110, 12
#: A picture that is larger than this, in bytes or in dots, is not drawn: it would cost more than a receipt is worth.
LARGEST_LOGO, MOST_DOTS = 256 * 1024, 4_000_000
#: A picture with more dots is drawn with one dot a pixel, with more even so without its shadow (which takes many times
#: the memory), and beyond the last figure not at all: anybody may ask for the picture of a public receipt.
FINE_DOTS, SHADOW_DOTS, MOST_PICTURE_DOTS = 12_000_000, 12_000_000, 60_000_000
#: Size of the font whose characters are CELL wide.
_FONT = 15

INK, PAPER = (30, 32, 38), (253, 252, 249)


def css(name: str = "paper") -> str:
    """The stylesheet of :func:`as_html` (``paper``) or of hub.paper_a4 (``sheet``), to be served or inlined."""
    return files("hub").joinpath("assets", f"{name}.css").read_text(encoding="utf-8")


def as_html(paper: Paper) -> str:
    """An ``<article class="paper">``: every text escaped, the QR code an inline SVG with its text as its name."""
    rows = "\n".join(_html_row(row) for row in paper.rows)
    return (f'<article class="paper paper-{paper.width}" lang="{paper.language}" dir="ltr" '
            f'aria-label="{html.escape(paper.title)}"><div class="paper-sheet">\n{rows}\n</div></article>\n')


def _html_row(row: Row) -> str:
    if isinstance(row, Rule):
        return "<hr>"
    if isinstance(row, Gap):
        return '<p class="paper-gap"></p>'
    if isinstance(row, QrCode):
        return f'<figure class="paper-qr">{svg(row.text)}</figure>'
    if isinstance(row, Logo):
        return logo_html(row.data)
    names = ["paper-row"]
    if row.align != "left" and not row.right:
        names.append(f"paper-{row.align}")
    names += [name for name, wanted in (("paper-bold", row.bold), ("paper-double", row.double)) if wanted]
    words = html.escape(row.left)
    if row.right:
        names.append("paper-pair")
        words = f"<span>{words}</span> <span>{html.escape(row.right)}</span>"
    return f'<p class="{" ".join(names)}">{words}</p>'


@lru_cache(maxsize=64)
def _qr(text: str) -> Any:
    import segno

    return segno.make(text, error="m", micro=False)


def svg(text: str) -> str:
    """A QR code as an inline picture whose name is its text."""
    code: str = _qr(text).svg_inline(border=0, omitsize=True, svgclass="paper-code", lineclass=None)
    return code.replace("<svg ", f'<svg role="img" aria-label="{html.escape(text)}" ', 1)


# -- the owner's picture ---------------------------------------------------------------------------------------------


def logo_kind(data: bytes) -> str:
    """``png`` or ``jpeg`` when ``data`` is a picture that paper can bear; else an empty text."""
    kind = "png" if data.startswith(b"\x89PNG\r\n") else "jpeg" if data.startswith(b"\xff\xd8\xff") else ""
    return kind if kind and len(data) <= LARGEST_LOGO and _opened(data) is not None else ""


@lru_cache(maxsize=16)
def _opened(data: bytes) -> Image.Image | None:
    """The picture in shades of grey, with what of it is clear; None for what is none, or far too large."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as found:
            if found.width * found.height > MOST_DOTS:
                return None
            return found.convert("RGBA").convert("LA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def logo_html(data: bytes) -> str:
    """The picture inside the page itself: no request to anybody. Nothing when it cannot be drawn."""
    kind = logo_kind(data)
    if not kind:
        return ""
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return f'<figure class="paper-logo"><img alt="" src="{source}"></figure>'


def logo_size(data: bytes, across: int, most: int = LOGO_HEIGHT) -> tuple[int, int]:
    """Width and height of the picture in CSS pixels, at most ``across`` wide; (0, 0) when it cannot be drawn."""
    found = _opened(data) if logo_kind(data) else None
    if found is None:
        return 0, 0
    share = min(1.0, across / found.width, most / found.height)
    return max(1, round(found.width * share)), max(1, round(found.height * share))


def paste_logo(sheet: Image.Image, data: bytes, place: tuple[int, int], size: tuple[int, int]) -> None:
    """Draws the picture on a sheet; ``place`` and ``size`` in dots."""
    from PIL import Image

    found = _opened(data)
    if found is not None and size[0]:
        shown = found.resize(size, Image.Resampling.LANCZOS)
        sheet.paste(shown.convert("L").convert("RGB"), place, shown.getchannel("A"))


# -- PNG -------------------------------------------------------------------------------------------------------------


class TooLong(ValueError):
    """A receipt of so many lines that no picture can hold it; its text can."""


def fitting(width: int, height: int, scale: int) -> int:
    """``scale``, or 1 for a picture that would be too large with it. :class:`TooLong` when it is too large even so."""
    if not 1 <= scale <= 4:
        raise ValueError(f"a picture has 1 to 4 dots a pixel, not {scale}")
    if width * height > MOST_PICTURE_DOTS:
        raise TooLong(f"a picture of {width} x {height} is too large")
    return scale if width * height * scale * scale <= FINE_DOTS else 1


def as_png(paper: Paper, scale: int = 2) -> bytes:
    """The paper as a PNG with a transparent ground, ``scale`` dots for each CSS pixel (1 to 4; a very long one is
    drawn with 1, and without its shadow). :class:`TooLong` for one of many thousand rows."""
    from PIL import Image, ImageDraw

    rows = [(row, _height(row, paper.width)) for row in paper.rows]
    width = paper.width * CELL + 2 * EDGE_X
    height = sum(high for _, high in rows) + 2 * EDGE_Y
    scale = fitting(width, height, scale)
    sheet = Image.new("RGB", (width * scale, height * scale), PAPER)
    draw = ImageDraw.Draw(sheet)
    top = EDGE_Y
    for row, high in rows:
        if isinstance(row, Logo):
            wide, tall = logo_size(row.data, paper.width * CELL)
            paste_logo(sheet, row.data, (((width - wide) * scale) // 2, top * scale), (wide * scale, tall * scale))
        else:
            _draw(draw, row, top * scale, paper.width, scale)
        top += high
    out = io.BytesIO()
    light = sheet.width * sheet.height <= SHADOW_DOTS
    (_laid_down(sheet, scale) if light else sheet).save(out, "PNG", compress_level=7 if light else 1)
    return out.getvalue()


def _height(row: Row, columns: int) -> int:
    if isinstance(row, Rule):
        return RULE_SPACE
    if isinstance(row, Gap):
        return GAP
    if isinstance(row, QrCode):
        return _module(row.text, columns) * len(_qr(row.text).matrix) + 2 * QR_SPACE - 4
    if isinstance(row, Logo):
        tall = logo_size(row.data, columns * CELL)[1]
        return tall + LOGO_SPACE if tall else 0
    return LEADING * 2 if row.double else LEADING


def _module(text: str, columns: int) -> int:
    """CSS pixels of one module: whole ones, so that the code is sharp at every scale."""
    return max(2, int(columns * CELL * QR_SHARE) // len(_qr(text).matrix))


@lru_cache(maxsize=16)
def font_of(dots: int, bold: bool) -> ImageFont.FreeTypeFont:
    from PIL import ImageFont

    data = files("hub").joinpath("assets", "DejaVuSansMono-Bold.ttf" if bold else "DejaVuSansMono.ttf").read_bytes()
    return ImageFont.truetype(io.BytesIO(data), dots, layout_engine=ImageFont.Layout.BASIC)


def _draw(draw: ImageDraw.ImageDraw, row: Line | Rule | Gap | QrCode, top: int, columns: int, scale: int) -> None:
    left, across = EDGE_X * scale, columns * CELL * scale
    if isinstance(row, Gap):
        return
    if isinstance(row, Rule):
        # A dash for each column, flush with the text at both ends: what a thermal head makes of "----".
        middle = top + RULE_SPACE * scale // 2 - scale
        dash = 6 * scale
        for index in range(columns):
            x = left + round(index * (across - dash) / (columns - 1))
            draw.rectangle((x, middle, x + dash - 1, middle + scale - 1), fill=INK)
        return
    if isinstance(row, QrCode):
        module = _module(row.text, columns) * scale
        draw_code(draw, row.text, left + (across - len(_qr(row.text).matrix) * module) // 2, top + QR_SPACE * scale,
                  module)
        return
    _write(draw, row, left, top, across, scale)


def code_size(text: str) -> int:
    """Modules on a side of a QR code."""
    return len(_qr(text).matrix)


def draw_code(draw: ImageDraw.ImageDraw, text: str, left: int, top: int, module: int) -> int:
    """A QR code with its upper left corner at a place, ``module`` dots a module; its side in dots."""
    matrix = _qr(text).matrix
    for y, bits in enumerate(matrix):
        for x, bit in enumerate(bits):
            if bit:
                draw.rectangle((left + x * module, top + y * module, left + (x + 1) * module - 1,
                                top + (y + 1) * module - 1), fill=INK)
    return len(matrix) * module


def _write(draw: ImageDraw.ImageDraw, row: Line, left: int, top: int, across: int, scale: int) -> None:
    """Characters stand in cells of equal width, so that columns align as they do on a real head."""
    cell = CELL * scale * (2 if row.double else 1)
    font = font_of(_FONT * scale * (2 if row.double else 1), row.bold)
    base = top + round(cell * 1.72)

    def put(text: str, x: int) -> None:
        write_cells(draw, text, x, base, cell, font)

    if row.right or row.align == "left":
        put(row.left, left)
    elif row.align == "right":
        put(row.left, left + across - cells(row.left) * cell)
    else:
        put(row.left, left + (across - cells(row.left) * cell) // 2)
    put(row.right, left + across - cells(row.right) * cell)


def write_cells(draw: ImageDraw.ImageDraw, text: str, x: int, base: int, cell: int,
                font: ImageFont.FreeTypeFont) -> None:
    """Each letter with its marks in the middle of its own cells, so that nothing it holds moves its neighbours."""
    for cluster, columns in drawn(text):
        if cluster != " ":
            if len(cluster) == 1 and columns == 1:
                draw.text((x, base), cluster, font=font, fill=INK, anchor="ls")
            else:
                middle = x + cell * columns // 2
                for one in cluster:
                    draw.text((middle, base), one, font=font, fill=INK, anchor="ms")
        x += cell * columns


def _laid_down(sheet: Image.Image, scale: int) -> Image.Image:
    """The sheet with torn edges above and below, lying on a transparent ground with a soft shadow."""
    from PIL import Image, ImageChops, ImageDraw, ImageFilter

    width, height = sheet.size
    tooth, margin = TOOTH * scale, SHADOW * scale
    shape = Image.new("L", (width * 2, height * 2), 0)
    teeth = max(1, round(width / (2 * tooth)))
    step = width * 2 / teeth
    outline: list[tuple[float, float]] = []
    for edge, inner, order in ((0, tooth * 2, range(teeth)), (height * 2, height * 2 - tooth * 2,
                                                             range(teeth - 1, -1, -1))):
        for index in order:
            corner = [(index * step, inner), ((index + 0.5) * step, edge), ((index + 1) * step, inner)]
            outline += corner if edge == 0 else corner[::-1]
    ImageDraw.Draw(shape).polygon(outline, fill=255)
    shape = shape.resize(sheet.size, Image.Resampling.LANCZOS)

    full = Image.new("L", (width + 2 * margin, height + 2 * margin), 0)
    full.paste(shape, (margin, margin))
    near = ImageChops.offset(full, 0, scale).filter(ImageFilter.GaussianBlur(1.5 * scale)).point(lambda v: v * 0.16)
    far = ImageChops.offset(full, 0, 5 * scale).filter(ImageFilter.GaussianBlur(8 * scale)).point(lambda v: v * 0.22)
    ground = Image.merge("RGBA", [Image.new("L", full.size, 0)] * 3 + [ImageChops.lighter(near, far)])
    top = Image.new("RGBA", full.size, (0, 0, 0, 0))
    top.paste(sheet, (margin, margin), shape)
    return Image.alpha_composite(ground, top)
