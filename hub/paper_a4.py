"""A receipt on a sheet of A4: HTML to be printed from the browser, PNG to be sent. What it says is hub.fiscal.paper's.

Same words, same order, same facts as on the narrow paper; only the positions stand in a table, and the QR code beside
the fiscal data. Classes only, no request to anybody (``assets/paper.css``).
"""

from __future__ import annotations

import html
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hub.fiscal.paper_rows import (
    Centred,
    Form,
    Gap,
    Item,
    Logo,
    Pair,
    QrCode,
    Rule,
    Words,
    cells,
    wrapped,
)
from hub.paper import INK, code_size, draw_code, fitting, font_of, logo_html, logo_size, paste_logo, svg, write_cells

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

#: The sheet in CSS pixels (210 x 297 mm at 96 dots an inch), its margin, and its letters.
WIDTH, HEIGHT, MARGIN = 794, 1123, 57
LETTER, LEADING, SIZE = 7, 18, 12
COLUMNS = (WIDTH - 2 * MARGIN) // LETTER
#: The table's columns in letters; the name takes what is left.
_NUMBER, _COUNT, _PRICE, _VAT, _SUM = 4, 12, 13, 13, 14
_NAME = COLUMNS - _NUMBER - _COUNT - _PRICE - _VAT - _SUM
QR_SIDE = 150

#: The table's columns by name, in the order of Form.heads.
_HEADS = ("number", "name", "count", "price", "vat", "sum")


@dataclass
class _Parts:
    """A form taken apart: what stands above, in and below the table."""

    above: list[Centred | Pair | Words | Logo | Gap | Rule] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    below: list[Centred | Pair | Words | Gap | Rule] = field(default_factory=list)
    qr: QrCode | None = None


def _parts(form: Form) -> _Parts:
    parts = _Parts()
    with_items = any(isinstance(one, Item) for one in form.blocks)
    for block in form.blocks:
        if isinstance(block, Item):
            parts.items.append(block)
        elif isinstance(block, QrCode):
            parts.qr = block
        elif isinstance(block, Logo) or (with_items and not parts.items):
            parts.above.append(block)
        elif parts.below or not isinstance(block, Rule):
            parts.below.append(block)
    return parts


# -- HTML ------------------------------------------------------------------------------------------------------------


def a4_html(form: Form) -> str:
    """An ``<article class="sheet">``: every text escaped, the positions a table, the QR code an inline SVG."""
    parts = _parts(form)
    out = [f'<article class="sheet" lang="{form.language}" dir="ltr" aria-label="{html.escape(form.title)}">']
    out += _html(parts.above)
    if parts.items:
        out.append('<table class="sheet-items"><thead><tr>' + "".join(
            f'<th scope="col" class="sheet-{key}">{html.escape(word)}</th>'
            for key, word in zip(_HEADS, form.heads, strict=True)) + "</tr></thead><tbody>")
        out += [_html_item(one, form.heads) for one in parts.items]
        out.append("</tbody></table>")
    out.append('<div class="sheet-below"><div class="sheet-facts">')
    out += _html(parts.below)
    out.append("</div>")
    if parts.qr is not None:
        out.append(f'<figure class="sheet-qr">{svg(parts.qr.text)}</figure>')
    out.append("</div></article>\n")
    return "\n".join(out)


def _html(blocks: Iterable[Centred | Pair | Words | Logo | Gap | Rule]) -> list[str]:
    out = []
    for block in blocks:
        if isinstance(block, Logo):
            out.append(logo_html(block.data))
        elif isinstance(block, Centred):
            bold = " sheet-bold" if block.bold else ""
            out.append(f'<p class="sheet-center{bold}">{html.escape(" / ".join(block.tongues))}</p>')
        elif isinstance(block, Pair):
            bold = " sheet-total" if block.double else ""
            out.append(f'<p class="sheet-pair{bold}"><span>{html.escape(block.label)}</span> '
                       f"<span>{html.escape(block.value)}</span></p>")
        elif isinstance(block, Words):
            out.append(f"<p>{html.escape(block.text)}</p>")
        else:
            out.append("<hr>" if isinstance(block, Rule) else "")
    return [one for one in out if one]


def _html_item(item: Item, heads: tuple[str, ...]) -> str:
    """A row of the table; every figure also bears its column's head, for a screen too narrow for a table."""
    def figure(head: str, inner: str) -> str:
        return f'<td class="sheet-num" data-head="{html.escape(head)}">{inner}</td>'

    notes = "".join(f"<small>{html.escape(f'{one.label}: {one.value}' if isinstance(one, Pair) else one.text)}</small>"
                    for one in item.notes)
    vat = html.escape(item.vat) + (f"<small>{html.escape(item.vat_amount)}</small>" if item.vat_amount else "")
    figures = figure(heads[2], html.escape(item.count)) + figure(heads[3], html.escape(item.price)) \
        + figure(heads[4], vat) + figure(heads[5], html.escape(item.amount))
    return f'<tr><td>{item.number}</td><td class="sheet-name">{html.escape(item.name)}{notes}</td>{figures}</tr>'


# -- PNG -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Text:
    """Words at a column, right-aligned to ``end`` when that is given."""

    text: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the sheet: words at their columns, or a line across it. ``tall`` is in CSS pixels."""

    texts: tuple[_Text, ...] = ()
    bold: bool = False
    rule: bool = False
    tall: int = LEADING


def a4_png(form: Form, scale: int = 2) -> bytes:
    """The sheet as a PNG on white, ``scale`` dots for each CSS pixel (1 to 4; a very long one is drawn with 1); what
    does not fit one sheet makes the picture longer by whole sheets. hub.paper.TooLong for many thousand rows."""
    from PIL import Image, ImageDraw

    parts = _parts(form)
    logos = [(one.data, logo_size(one.data, WIDTH - 2 * MARGIN)) for one in parts.above if isinstance(one, Logo)]
    beside = COLUMNS if parts.qr is None else COLUMNS - (QR_SIDE + 24) // LETTER
    above = _rows(parts.above, COLUMNS) + _table(parts.items, form)
    below = _rows(parts.below, beside)
    start = MARGIN + sum(size[1] + 12 for _, size in logos if size[1])
    middle = start + sum(one.tall for one in above)
    end = max(middle + sum(one.tall for one in below), middle + QR_SIDE + 12 if parts.qr else 0) + MARGIN
    height = -(-end // HEIGHT) * HEIGHT
    scale = fitting(WIDTH, height, scale)
    sheet = Image.new("RGB", (WIDTH * scale, height * scale), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    _logos(sheet, logos, scale)
    _draw(draw, above, start, COLUMNS, scale)
    _draw(draw, below, middle, beside, scale)
    if parts.qr is not None:
        _code(draw, parts.qr.text, middle + 12, scale)
    out = io.BytesIO()
    sheet.save(out, "PNG", compress_level=7)
    return out.getvalue()


def _logos(sheet: Image.Image, logos: list[tuple[bytes, tuple[int, int]]], scale: int) -> None:
    top = MARGIN
    for data, (wide, tall) in logos:
        paste_logo(sheet, data, ((WIDTH - wide) // 2 * scale, top * scale), (wide * scale, tall * scale))
        top += tall + 12 if tall else 0


def _rows(blocks: Iterable[Centred | Pair | Words | Logo | Gap | Rule], columns: int) -> list[_Row]:
    rows: list[_Row] = []
    for block in blocks:
        if isinstance(block, Centred):
            for one in wrapped(" / ".join(block.tongues), columns):
                rows.append(_Row((_Text(one, (columns - cells(one)) // 2),), block.bold))
        elif isinstance(block, Pair):
            rows += _pair(block, columns)
        elif isinstance(block, Words):
            rows += [_Row((_Text(one),)) for one in wrapped(block.text, columns)]
        elif isinstance(block, Gap):
            rows.append(_Row(tall=8))
        elif isinstance(block, Rule):
            rows.append(_Row(rule=True, tall=13))
    return rows


def _pair(pair: Pair, columns: int) -> list[_Row]:
    """Label left, value right, each wrapped within its half; the half grows when the other side needs less."""
    label_room = min(cells(pair.label), max(columns // 2, columns - 2 - cells(pair.value)))
    labels = wrapped(pair.label, max(8, label_room)) or [""]
    values = wrapped(pair.value, columns - 2 - max(cells(one) for one in labels)) or [""]
    rows = []
    for at in range(max(len(labels), len(values))):
        texts = [_Text(labels[at])] if at < len(labels) else []
        texts += [_Text(values[at], 0, columns)] if at < len(values) else []
        rows.append(_Row(tuple(texts), pair.bold))
    return rows


def _table(items: list[Item], form: Form) -> list[_Row]:
    if not items:
        return []
    edges = [_NUMBER]
    for width in (_NAME, _COUNT, _PRICE, _VAT, _SUM):
        edges.append(edges[-1] + width)
    heads = [wrapped(one, width - 1) for one, width in zip(
        form.heads, (_NUMBER, _NAME, _COUNT, _PRICE, _VAT, _SUM), strict=True)]
    rows = [*_side_by_side(heads, edges, True), _Row(rule=True, tall=10)]
    for item in items:
        notes = [line for one in item.notes for line in wrapped(
            f"{one.label}: {one.value}" if isinstance(one, Pair) else one.text, _NAME - 1)]
        vat = wrapped(item.vat, _VAT - 1) + ([item.vat_amount] if item.vat_amount else [])
        columns = [[str(item.number)], wrapped(item.name, _NAME - 1) + notes, wrapped(item.count, _COUNT - 1),
                   wrapped(item.price, _PRICE - 1), vat, wrapped(item.amount, _SUM - 1)]
        rows += [*_side_by_side(columns, edges), _Row(tall=6)]
    return [*rows, _Row(rule=True, tall=13)]


def _side_by_side(columns: list[list[str]], edges: list[int], bold: bool = False) -> list[_Row]:
    """Rows of the table: number and name from the left, everything else to the right edge of its column."""
    rows = []
    for at in range(max(map(len, columns))):
        rows.append(_Row(tuple(
            _Text(column[at], edges[0] if index == 1 else 0, edges[index] if index > 1 else 0)
            for index, column in enumerate(columns) if at < len(column)), bold))
    return rows


def _draw(draw: ImageDraw.ImageDraw, rows: list[_Row], top: int, columns: int, scale: int) -> None:
    cell = LETTER * scale
    for row in rows:
        if row.rule:
            y = (top + row.tall // 2) * scale
            draw.rectangle((MARGIN * scale, y, (MARGIN + columns * LETTER) * scale - 1, y + max(1, scale // 2) - 1),
                           fill=INK)
        font = font_of(SIZE * scale, row.bold)
        for one in row.texts:
            at = one.end - cells(one.text) if one.end else one.start
            write_cells(draw, one.text, MARGIN * scale + at * cell, (top + 13) * scale, cell, font)
        top += row.tall


def _code(draw: ImageDraw.ImageDraw, text: str, top: int, scale: int) -> None:
    """The code at the right margin, in whole dots so that it stays sharp."""
    module = max(1, QR_SIDE * scale // code_size(text))
    side = module * code_size(text)
    draw_code(draw, text, (WIDTH - MARGIN) * scale - side, top * scale, module)
