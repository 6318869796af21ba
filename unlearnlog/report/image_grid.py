"""Pictures of several revisions side by side, as one PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw

from unlearnlog.errors import UsageError
from unlearnlog.report.output_file import write_output
from unlearnlog.report.picture_text import PictureText

if TYPE_CHECKING:
    from torch import Tensor

_GAP: Final = 8
_LABEL: Final = 22
_LINE: Final = 18
_LEAST: Final = 160


def image_grid(
    rows: Sequence[Tensor], labels: Sequence[str], caption: str
) -> Image.Image:
    """Return a grid of pictures, enlarged without smoothing, a row for each revision.

    Args:
        rows: Pictures of each revision, uint8 ``[n, height, width, 3]``, paired by
            column.
        labels: Text above each row.
        caption: Text at the top.
    """
    n, height, width = rows[0].shape[:3]
    scale = max(1, -(-_LEAST // max(height, width)))
    tall, wide = height * scale, width * scale
    across = max(n * (wide + _GAP) + _GAP, 320)
    pen = PictureText.of((caption, *labels))
    above = [pen.lines(text, across - 2 * _GAP) for text in (caption, *labels)]
    heights = [_LABEL + _LINE * (len(lines) - 1) for lines in above]
    down = sum(heights) + _GAP + len(rows) * (tall + _GAP)
    sheet = Image.new("RGB", (across, down), "white")
    draw = ImageDraw.Draw(sheet)
    pen.write(draw, (_GAP, 4), above[0], fill="black")
    top = heights[0] + _GAP
    for row, lines, label in zip(rows, above[1:], heights[1:], strict=True):
        pen.write(draw, (_GAP, top), lines, fill="#555555")
        for j, picture in enumerate(row):
            tile = Image.fromarray(picture.numpy()).resize(
                (wide, tall), Image.Resampling.NEAREST
            )
            sheet.paste(tile, (_GAP + j * (wide + _GAP), top + label))
        top += label + tall + _GAP
    return sheet


def single_pictures(row: Tensor) -> list[Image.Image]:
    """Return pictures one by one, in their own size.

    Args:
        row: Pictures, uint8 ``[n, height, width, 3]``.
    """
    return [Image.fromarray(each.numpy()) for each in row]


def save_png(sheet: Image.Image, path: Path) -> None:
    """Write a PNG, whole or not at all.

    Raises:
        UsageError: The path is not a PNG's, or cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise UsageError(
            f"'{path}' is not the name of a PNG", fix=f"write to {path.stem}.png"
        )
    file = io.BytesIO()
    sheet.save(file, "PNG")
    write_output(path, file.getvalue())
