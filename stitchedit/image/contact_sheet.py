"""Contact sheets: the same moments of several pictures side by side, with captions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stitchedit.types import ByteArray, IntArray

CAPTION_PX = 28
GAP_PX = 4
BACKGROUND, INK = (24, 24, 24), (235, 235, 235)


def contact_sheet(
    rows: Sequence[Sequence[ByteArray]], columns: Sequence[str], labels: Sequence[str], cell_px: int = 256
) -> ByteArray:
    """A grid of pictures.

    Args:
        rows: pictures [H, W, 3] RGB, one list a row; all rows equally long.
        columns: caption above each column; labels: caption inside each row's first cell.
        cell_px: height of a cell; widths follow from the pictures.
    Returns: uint8 [H, W, 3].
    """
    cells = [[_fit(picture, cell_px) for picture in row] for row in rows]
    widths = [max(row[c].width for row in cells) for c in range(len(columns))]
    sheet = Image.new(
        "RGB",
        (sum(widths) + GAP_PX * (len(widths) + 1), CAPTION_PX + (cell_px + GAP_PX) * len(rows) + GAP_PX),
        BACKGROUND,
    )
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=CAPTION_PX * 0.6)
    x = GAP_PX
    for c, caption in enumerate(columns):
        draw.text((x + widths[c] / 2, CAPTION_PX / 2), caption, INK, font, anchor="mm")
        for r, row in enumerate(cells):
            y = CAPTION_PX + GAP_PX + r * (cell_px + GAP_PX)
            sheet.paste(row[c], (x, y))
            if c == 0:
                draw.text((x + 6, y + 4), labels[r], INK, font, stroke_width=2, stroke_fill=BACKGROUND)
        x += widths[c] + GAP_PX
    return np.asarray(sheet)


def _fit(picture: ByteArray, height: int) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(picture))
    width = max(1, round(image.width * height / image.height))
    return image.resize((width, height), Image.Resampling.LANCZOS)


def spread(frames: IntArray, count: int) -> list[int]:
    """`count` of the frames, evenly spread and away from the ends."""
    count = min(count, len(frames))
    return [int(frames[int((k + 0.5) * len(frames) / count)]) for k in range(count)]
