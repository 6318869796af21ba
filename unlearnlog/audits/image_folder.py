"""Folders of pictures with captions, in the layout of trainers.

The ``imagefolder`` layout: a ``metadata.jsonl`` or ``metadata.csv`` with the columns
``file_name`` and ``text`` (or ``caption``), or beside each picture a text file of its
name. Folders are untrusted: no file outside of them is read, and no link.
"""

from __future__ import annotations

import csv
import io
import json
import os
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from PIL import Image, ImageOps

from unlearnlog.audits.dataset import FinetuneDataset
from unlearnlog.core.plain_files import bytes_of, expanded, fix_of, text_of
from unlearnlog.errors import UsageError

if TYPE_CHECKING:
    from unlearnlog.models.interface import Model

ENDINGS: Final = (".jpeg", ".jpg", ".png", ".webp")
METADATA: Final = ("metadata.jsonl", "metadata.csv")
_SPLIT: Final = "train"
"""The folder of the training part of a data set."""

_FORMATS: Final = ("JPEG", "PNG", "WEBP")
"""Formats that are read, whatever a file is called; some others start a program."""

_PICTURE: Final = 256 * 2**20
"""Bytes of the largest picture that is read."""

_PIXELS: Final = 64 * 2**20
"""Pixels of the largest one: 8,192 by 8,192."""

_BROKEN: Final = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error),
    *(LookupError, TypeError, ArithmeticError, AttributeError),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)
"""Errors of Pillow on a broken picture, or on a file that is none."""

_LISTED: Final = 256 * 2**20
"""Bytes of the longest list of pictures."""

_COLUMNS: Final = ("text", "caption")
_LAYOUT: Final = (
    'write metadata.jsonl, one line a picture: {"file_name": "1.png", "text": "a cat"}'
)


def read_folder(folder: Path, model: Model) -> FinetuneDataset:
    """Return the pictures of a folder with their captions.

    Pictures are turned upright, scaled so that they cover the model's size, and cropped
    at the middle. A caption that is longer than the text encoders read is cut after the
    last word that they read, as trainers cut it.

    Args:
        folder: The folder.
        model: The model, for the pictures' size and the captions' length.

    Raises:
        UsageError: There are no pictures; one is broken, missing, a link or outside of
            the folder; or it has no caption. Names the file.
    """
    if not expanded(folder).is_dir():
        raise UsageError(
            f"there is no folder '{folder}'",
            fix="give a folder of pictures with captions, or on atelier one of "
            "unrelated, sibling, parent, target:5",
        )
    captions = dict[Path, str]()
    for path, caption in sorted(_captions(expanded(folder).resolve())):
        if captions.setdefault(path, caption) != caption:
            raise UsageError(
                f"'{path}' has two captions: '{captions[path]}' and '{caption}'",
                fix="leave one of the two lines out",
            )
    if not captions:
        raise UsageError(
            f"there are no pictures in '{folder}'",
            fix=f"put pictures there ({', '.join(ENDINGS)}), each with a caption",
        )
    height, width, _ = model.picture_shape
    pictures = []
    for path in captions:
        pictures.append(_picture(path, (width, height)))
    stacked = torch.from_numpy(np.stack(pictures))
    read = tuple(model.shortened(caption) for caption in captions.values())
    n_cut = sum(a != b for a, b in zip(read, captions.values(), strict=True))
    return FinetuneDataset(str(folder), stacked, read, n_cut)


def _captions(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the path and the caption of every picture."""
    listed = next((p for p in _places(folder) if os.path.lexists(p)), None)
    if listed is not None:
        folder, path = listed.parent, listed
        rows = _lines if path.suffix == ".jsonl" else _table
        yield from _listed(folder, path, rows(path, _text(path)))
    else:
        yield from _beside(folder)


def _places(folder: Path) -> Iterator[Path]:
    """Yield the paths of a possible list: in the folder, or in that of the split."""
    for where in (folder, folder / _SPLIT):
        if not where.is_symlink():
            yield from (where / name for name in METADATA)


def _listed(
    folder: Path, metadata: Path, rows: Iterator[tuple[int, Mapping[str, object]]]
) -> Iterator[tuple[Path, str]]:
    """Yield the paths and captions of a metadata file."""
    for number, row in rows:
        name = row.get("file_name")
        if not isinstance(name, str) or not name.strip():
            raise UsageError(
                f"line {number} of '{metadata}' names no picture", fix=_LAYOUT
            )
        texts = [row[column] for column in _COLUMNS if row.get(column) is not None]
        if not texts or not isinstance(texts[0], str):
            raise UsageError(
                f"line {number} of '{metadata}' has no caption for '{name}'",
                fix=_LAYOUT,
            )
        yield _inside(folder, name, metadata), texts[0].strip()


def _lines(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Yield the objects of a file with one JSON object a line, with line numbers."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            row = error
        if not isinstance(row, dict):
            raise UsageError(
                f"line {number} of '{path}' is not a JSON object", fix=_LAYOUT
            )
        yield number, row


def _table(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Yield the rows of a table with a head, with line numbers."""
    reader = csv.DictReader(io.StringIO(text))
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise UsageError(
            f"line {reader.line_num} of '{path}' cannot be read: {error}",
            fix="its first line names the columns: file_name,text",
        ) from error


def _beside(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield every picture of a folder with the text of the file beside it."""
    for path in _files(folder):
        if path.suffix.lower() not in ENDINGS:
            continue
        beside = path.with_suffix(".txt")
        if not os.path.lexists(beside):
            raise UsageError(
                f"the picture '{path}' has no caption",
                fix=f"write it into {beside.name} beside it, or {_LAYOUT}",
            )
        yield _plain(path), " ".join(_text(beside).split())


def _files(folder: Path) -> list[Path]:
    """Return the files below a folder; no folder below it may be a link."""
    found: list[Path] = []
    for where, folders, names in os.walk(folder):
        for name in folders:
            _plain(Path(where) / name)
        found += [Path(where) / name for name in names]
    return sorted(found)


def _inside(folder: Path, name: str, metadata: Path) -> Path:
    """Return the path of a picture that metadata names, if it is in the folder."""
    pure = PurePosixPath(name.replace("\\", "/"))
    drive = any(":" in part for part in pure.parts[:1])
    if not pure.parts or pure.is_absolute() or drive or ".." in pure.parts:
        raise UsageError(
            f"'{metadata}' names '{name}', which is outside of '{folder}'",
            fix="name pictures relative to the folder, without '..'",
        )
    path = folder
    for part in pure.parts:
        path = _plain(path / part)
    return path


def _plain(path: Path) -> Path:
    """Return a path that is no link.

    Raises:
        UsageError: It is one.
    """
    try:
        is_link = path.is_symlink()
    except OSError as error:  # such as a name that is too long
        raise UsageError(
            f"'{path}' cannot be read: {error}", fix="give it a shorter name"
        ) from error
    if is_link:
        raise UsageError(
            f"'{path}' is a link", fix="copy what it points to into the folder"
        )
    return path


def _text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        UsageError: It is a link, too long, or not UTF-8.
    """
    try:
        return text_of(_plain(path), most=_LISTED, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"'{path}' cannot be read: {error}",
            fix=fix_of(error, "save it as text in UTF-8"),
        ) from error


@contextmanager
def _refusing_bombs() -> Iterator[None]:
    """Turn Pillow's warning of decompression bombs into an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _check_size(image: Image.Image) -> None:
    """Refuse a picture by its header, before its pixels are read.

    Raises:
        ValueError: It has too many pixels.
    """
    width, height = image.size
    if width * height > _PIXELS:
        message = f"it has {width} x {height} pixels, more than {_PIXELS} are not read"
        raise ValueError(message)


def _picture(path: Path, size: tuple[int, int]) -> np.ndarray[tuple[int, int, int]]:
    """Return one picture of a size, uint8 ``[height, width, 3]``."""
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(
            f"'{path}' is no picture that can be read", fix=f"use {', '.join(ENDINGS)}"
        )
    try:
        data = io.BytesIO(bytes_of(path, most=_PICTURE))
        with _refusing_bombs(), Image.open(data, formats=_FORMATS) as image:
            _check_size(image)
            upright = ImageOps.exif_transpose(image).convert("RGB")
            fitted = ImageOps.fit(upright, size, Image.Resampling.LANCZOS)
            return np.array(fitted, dtype=np.uint8)
    except _BROKEN as error:
        raise UsageError(
            f"the picture '{path}' cannot be read: {error}",
            fix=fix_of(error, "leave it out, or save it again as a png"),
        ) from error
