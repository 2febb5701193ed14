"""Paper into bytes, by python-escpos: rows of text in the printer's own letters, what they lack as pictures, QR, logo.

The rows come laid for the printer's columns from hub.fiscal.paper, so what is printed is what the page shows.
"""

from __future__ import annotations

import io
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from hub_plugins.drivers.escpos.letters import PAGES, CodePage, encoded
from hub_plugins.drivers.escpos.settings import WIDTHS, Width

from hub.contracts import Sheet
from hub.fiscal.paper import Line, Logo, Paper, QrCode, Rule
from hub.fiscal.paper_rows import drawn

if TYPE_CHECKING:
    from PIL import Image

#: Height of a row of the usual font, in dots, and how many letters' widths its size is.
ROW, FONT_ASPECT = 24, 0.602
#: The owner's picture: a share of the paper's width, and the most dots it may be high.
LOGO_SHARE, LOGO_HEIGHT = 0.6, 200
#: A picture of a code: dots of a square, and white around.
SQUARE, MOST_SQUARE = 6, 0.8
FEED = 4
#: ``GS V``: python-escpos without its own feed of six rows always sends the partial one.
CUTS = {"full": b"\x1dV\x00", "partial": b"\x1dV\x01", "none": b""}
#: Rows of dots sent as one picture: with the widest paper less than :data:`PADDING` bytes.
FRAGMENT = 48
#: A printer whose cable broke in the middle of a picture takes what comes next for its dots. White ones end it, and
#: mean nothing to a printer that stands between two commands.
PADDING = b"\x00" * 4096
#: ``FS .`` leaves the mode of hieroglyphs (point-of-sale §3).
LEAVE_CHINESE = b"\x1c."


class Composer:
    """The bytes of sheets for one printer."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.page: CodePage = PAGES[config["code_page"]]
        self.width: Width = WIDTHS[config["width"]]

    def sheet(self, sheet: Sheet) -> bytes:
        """One sheet from reset to cut."""
        from escpos.printer import Dummy

        out = Dummy()
        if sheet.tries > 1:
            out._raw(PADDING + b"\n")
        out.hw("INIT")
        if self.config["chinese"]:
            out._raw(LEAVE_CHINESE)
        out._raw(b"\x1bt" + bytes((self.page.number,)))
        if sheet.cash and self.config["drawer"] != "none":
            out.cashdraw(int(self.config["drawer"]))
        self._rows(out, sheet.paper)
        out.print_and_feed(FEED)
        out._raw(CUTS[self.config["cut"]])
        return bytes(out.output)

    def _rows(self, out: Any, paper: Paper) -> None:
        for row in paper.rows:
            if isinstance(row, Line):
                self._line(out, row)
            elif isinstance(row, Rule):
                out._raw(b"-" * self.width.columns + b"\n")
            elif isinstance(row, QrCode):
                self._code(out, row.text)
            elif isinstance(row, Logo):
                self._logo(out, row.data)
            else:
                out._raw(b"\n")

    def _line(self, out: Any, row: Line) -> None:
        text = row.text(self.width.columns // 2 if row.double else self.width.columns)
        data = encoded(text, self.page.codec)
        if data is None:
            out.image(self._picture(text, row.bold, row.double), impl="bitImageRaster", fragment_height=FRAGMENT)
            return
        if row.bold or row.double:
            out.set(bold=row.bold, double_width=row.double, double_height=row.double)
        out._raw(data + b"\n")
        if row.bold or row.double:
            out.set(bold=False, normal_textsize=True)

    def _picture(self, text: str, bold: bool, double: bool) -> Image.Image:
        """A row whose letters the printer lacks, drawn with the letters of the page's own picture."""
        from PIL import Image, ImageDraw, ImageFont

        times = 2 if double else 1
        cell, height = self.width.dots // self.width.columns * times, ROW * times
        name = "DejaVuSansMono-Bold.ttf" if bold else "DejaVuSansMono.ttf"
        font = ImageFont.truetype(io.BytesIO(files("hub").joinpath("assets", name).read_bytes()),
                                  int(cell / FONT_ASPECT))
        image = Image.new("1", (self.width.dots, height), 1)
        draw = ImageDraw.Draw(image)
        at = 0
        for cluster, cells in drawn(text):
            draw.text((at * cell, height // 2), cluster, fill=0, font=font, anchor="lm")
            at += cells
        return image

    def _code(self, out: Any, text: str) -> None:
        out.set(align="center")
        if self.config["qr"] == "native":
            from escpos.constants import QR_ECLEVEL_M

            out.qr(text, ec=QR_ECLEVEL_M, size=SQUARE, native=True)
        else:
            out.image(self._drawn_code(text), impl="bitImageRaster", fragment_height=FRAGMENT)
        out.set(align="left")

    def _drawn_code(self, text: str) -> Image.Image:
        import segno
        from PIL import Image

        code = segno.make(text, error="m", micro=False)
        rows = [bytearray(row) for row in code.matrix]
        most = int(self.width.dots * MOST_SQUARE) // (len(rows) + 8)
        scale = max(1, min(SQUARE, most))
        image = Image.new("1", (len(rows), len(rows)), 1)
        for y, row in enumerate(rows):
            for x, dark in enumerate(row):
                if dark:
                    image.putpixel((x, y), 0)
        image = image.resize((len(rows) * scale, len(rows) * scale))
        framed = Image.new("1", (self.width.dots, image.height + 8 * scale), 1)
        framed.paste(image, ((self.width.dots - image.width) // 2, 4 * scale))
        return framed

    def _logo(self, out: Any, data: bytes) -> None:
        """The owner's picture, on white, in dots; a picture that cannot be opened is left out."""
        from PIL import Image

        if not self.config["logo"]:
            return
        try:
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as found:
                picture = found.convert("RGBA")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return
        picture.thumbnail((int(self.width.dots * LOGO_SHARE), LOGO_HEIGHT))
        white = Image.new("L", (self.width.dots, picture.height), 255)
        white.paste(picture.convert("L"), ((self.width.dots - picture.width) // 2, 0), picture.getchannel("A"))
        out.image(white.convert("1"), impl="bitImageRaster", fragment_height=FRAGMENT)
