"""Pictures of several revisions side by side, as one PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw, ImageFont

from unlearnlog.errors import UsageError
from unlearnlog.report.files import write

if TYPE_CHECKING:
    from torch import Tensor

_GAP: Final = 8
_LABEL: Final = 22
_LEAST: Final = 160


def montage(rows: Sequence[Tensor], labels: Sequence[str], caption: str) -> Image.Image:
    """Return one row of pictures a revision, each enlarged without smoothing.

    Args:
        rows: Pictures of each revision, uint8 ``[n, height, width, 3]``, paired by
            column.
        labels: What to write above each row.
        caption: What to write at the top.
    """
    n, height, width = rows[0].shape[:3]
    scale = max(1, -(-_LEAST // max(height, width)))
    tall, wide = height * scale, width * scale
    size = (
        max(n * (wide + _GAP) + _GAP, 320),
        _LABEL + _GAP + len(rows) * (tall + _LABEL + _GAP),
    )
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    draw.text((_GAP, 4), caption, fill="black", font=font)
    for i, (row, label) in enumerate(zip(rows, labels, strict=True)):
        top = _LABEL + _GAP + i * (tall + _LABEL + _GAP)
        draw.text((_GAP, top), label, fill="#555555", font=font)
        for j, picture in enumerate(row):
            tile = Image.fromarray(picture.numpy()).resize(
                (wide, tall), Image.Resampling.NEAREST
            )
            sheet.paste(tile, (_GAP + j * (wide + _GAP), top + _LABEL))
    return sheet


def save(sheet: Image.Image, path: Path) -> None:
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
    write(file.getvalue(), path)
