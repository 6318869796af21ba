"""Pictures that another program painted, each with the row of prompts it is of.

A row's picture is the file that its column ``file_name`` names; or else the one called
after its case, ``7.png`` or ``7_0.png``, as the programs of ESD, UCE and MACE write
them; or else, of files numbered from 0, the one at its place. Pictures that are called
``Van_Gogh_Cats_seed188.jpg`` are UnlearnCanvas's and need no table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from unlearnlog.concepts.canvas_prompts import canvas_prompt
from unlearnlog.concepts.prompt_file import PromptFile, PromptLine
from unlearnlog.errors import UsageError
from unlearnlog.models.interface import Painted

ENDINGS: Final = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
_NUMBERED: Final = re.compile(r"(?P<case>.+?)_(?P<of>\d+)")
_OF_CANVAS: Final = re.compile(r"(?P<both>.+)_seed(?P<seed>\d+)")
_AT_ONCE: Final = 64

Placed = Sequence[tuple[PromptLine, Path]]


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder, by name.

    Raises:
        UsageError: There is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise UsageError(
            f"there is no folder '{folder}'", fix="give a folder of pictures"
        )
    found = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in ENDINGS]
    if not found:
        raise UsageError(
            f"there is no picture in '{folder}'",
            fix=f"give a folder of pictures: {', '.join(ENDINGS)}",
        )
    return found


def placed(folder: Path, file: PromptFile) -> Placed:
    """Return the pictures of a folder with their rows; those without a row stay out.

    Raises:
        UsageError: No picture is of any row, or a file that a row names is missing.
    """
    pictures = pictures_in(folder)
    if "file" in file.used:
        return [(row, _named(folder, row)) for row in file.rows if row.file]
    by_case = {row.case: row for row in file.rows if row.case}
    found = [
        (row, picture)
        for picture in pictures
        if (row := _by_case(picture.stem, by_case)) is not None
    ]
    if not found and all(picture.stem.isdecimal() for picture in pictures):
        n = len(file.rows)
        numbered = sorted(pictures, key=lambda picture: int(picture.stem))
        found = [(file.rows[i], p) for p in numbered if (i := int(p.stem)) < n]
    if not found:
        raise UsageError(
            f"no picture in '{folder}' is of a row of '{file.source}', such as "
            f"'{pictures[0].name}'",
            fix="name each picture in a column file_name, or call it after its "
            "case_number: 7.png or 7_0.png",
        )
    return found


def canvas_pictures(
    folder: Path, styles: Mapping[str, str], subjects: Mapping[str, str]
) -> list[tuple[str, str, int, Path]]:
    """Return UnlearnCanvas's pictures of a folder: style, subject, seed and path.

    Args:
        folder: The folder.
        styles: Known styles by their spelling in files: ``Van_Gogh``.
        subjects: Known subjects by theirs.
    """
    found = []
    for picture in pictures_in(folder):
        match = _OF_CANVAS.fullmatch(picture.stem)
        if match is None:
            continue
        words = match["both"].split("_")
        for i in range(1, len(words)):
            style, subject = "_".join(words[:i]), "_".join(words[i:])
            if style in styles and subject in subjects:
                both = styles[style], subjects[subject]
                found.append((*both, int(match["seed"]), picture))
                break
    return found


def canvas_rows(
    pictures: Sequence[tuple[str, str, int, Path]],
) -> list[tuple[PromptLine, Path]]:
    """Return UnlearnCanvas's pictures with the rows of their prompts."""
    return [
        (PromptLine(i, canvas_prompt(subject, style), seed, case=picture.stem), picture)
        for i, (style, subject, seed, picture) in enumerate(pictures, 1)
    ]


def read_pictures(paths: Sequence[Path]) -> Iterator[tuple[slice, Painted]]:
    """Yield pictures in runs of one size, each with its place among all.

    Raises:
        UsageError: A file is no picture.
    """
    begin = 0
    while begin < len(paths):
        run = [_pixels(paths[begin])]
        while begin + len(run) < len(paths) and len(run) < _AT_ONCE:
            other = _pixels(paths[begin + len(run)])
            if other.shape != run[0].shape:
                break
            run.append(other)
        place = slice(begin, begin + len(run))
        begin += len(run)
        yield place, Painted(torch.empty(len(run), 0, 0, 0), torch.stack(run))


def _pixels(path: Path) -> torch.Tensor:
    """Return a picture's pixels, uint8 ``[height, width, 3]``."""
    try:
        with Image.open(path) as picture:
            return torch.from_numpy(np.array(picture.convert("RGB")))
    except (OSError, ValueError, UnidentifiedImageError) as error:
        raise UsageError(
            f"'{path}' is no picture that can be read: {error}",
            fix="take it out of the folder, or save it anew",
        ) from error


def _named(folder: Path, row: PromptLine) -> Path:
    path = folder / Path(row.file).name
    if not path.is_file():
        raise UsageError(
            f"there is no picture '{row.file}' of row {row.line} in '{folder}'",
            fix="copy it there, or leave the row out",
        )
    return path


def _by_case(stem: str, cases: Mapping[str, PromptLine]) -> PromptLine | None:
    if stem in cases:
        return cases[stem]
    match = _NUMBERED.fullmatch(stem)
    return cases.get(match["case"]) if match else None
