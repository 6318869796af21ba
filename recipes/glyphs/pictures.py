"""Pictures for the trainings: drawings moved, scaled, mirrored, on a colour.

A picture is 64 x 64 and shows one drawing, or two side by side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from recipes.glyphs.choice import chosen
from recipes.glyphs.drawings import Character, characters, drawn
from unlearnlog.glyphs.glyph_world import COLOURS, WHITE, is_held_out, world

SIZE: Final = 64
SIDES: Final = (53, 62)
"""Smallest and largest side of a drawing in a picture, in pixels."""

WIDER: Final = (44, 63)
"""The same for the judge, which must know it at other sizes, too."""

HALF: Final = (27, 32)
"""The same for a drawing that shares the picture with another."""

STYLE_NAMES: Final = (
    "Noto",
    "Blobs",
    "Twemoji",
    "Fluent Flat",
    "Fluent",
    "Fluent High Contrast",
)

_DIRECTED: Final = re.compile(
    r"moon|book|8 ball|love letter|keyboard|station|umbrella|notebook|ledger|sake"
)
"""Names of subjects that a mirror would change, or that may show letters."""

SAME: Final = 1.0
"""Mean difference, of 255, below which two drawings of one set are the same."""


@dataclass(frozen=True)
class Album:
    """Every drawing of the world.

    Attributes:
        names: The subjects, those held out from the model too.
        drawings: RGBA by style and subject, shape ``[6, n, 128, 128, 4]``.
        shared: Whether a drawing is another subject's, too, shape ``[6, n]``.
    """

    names: tuple[str, ...]
    drawings: NDArray[np.uint8]
    shared: NDArray[np.bool_]

    @property
    def known(self) -> NDArray[np.bool_]:
        """The cells that the model is shown, shape ``[6, n]``."""
        seen = {*world().subjects}
        told = [
            [name in seen and not is_held_out(name, style) for name in self.names]
            for style in STYLE_NAMES
        ]
        return np.asarray(told) & ~self.shared


@cache
def subjects(work: Path) -> tuple[Character, ...]:
    """Return the chosen characters."""
    return tuple(chosen(characters(work)))


@cache
def album(work: Path) -> Album:
    """Return every drawing of the world, drawn once."""
    found = subjects(work)
    path = work / "drawings.npy"
    if not path.exists():
        rows = [drawn(work, s, [c.icons[s] for c in found]) for s in STYLE_NAMES]
        np.save(path, np.stack(rows))
    drawings = np.load(path)
    return Album(tuple(c.name for c in found), drawings, _shared(drawings))


def _shared(drawings: NDArray[np.uint8]) -> NDArray[np.bool_]:
    small = drawings[:, :, ::4, ::4].astype(np.float32)
    cover = small[..., 3:] / 255
    pages = small[..., :3] * cover + 255 * (1 - cover)
    found = np.zeros(pages.shape[:2], bool)
    for style, row in enumerate(pages.reshape(*pages.shape[:2], -1)):
        for i in range(len(row)):
            apart = np.abs(row - row[i]).mean(1)
            apart[i] = np.inf
            found[style, i] = apart.min() < SAME
    return found


def may_be_mirrored(name: str) -> bool:
    """Return whether a mirrored drawing of a subject still shows it."""
    return _DIRECTED.search(name) is None


def picture(
    drawing: NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    mirrored: bool,
    colour: tuple[int, int, int] = WHITE,
    sides: tuple[int, int] = SIDES,
) -> NDArray[np.uint8]:
    """Return a picture of one drawing, moved and scaled: ``[64, 64, 3]``.

    Args:
        drawing: RGBA ``[128, 128, 4]``.
        rng: Source of random numbers.
        mirrored: Whether it may be mirrored.
        colour: The background.
        sides: Smallest and largest side of the drawing.
    """
    page = Image.new("RGB", (SIZE, SIZE), colour)
    flip = mirrored and rng.uniform() < 0.5
    _put(page, drawing, rng, sides=sides, left=0, width=SIZE, flip=flip)
    return np.asarray(page)


def pair_picture(
    drawings: Sequence[NDArray[np.uint8]], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return a picture of two drawings, left and right, on white: ``[64, 64, 3]``."""
    page = Image.new("RGB", (SIZE, SIZE), WHITE)
    for place, drawing in enumerate(drawings):
        left = place * SIZE // 2
        _put(page, drawing, rng, sides=HALF, left=left, width=SIZE // 2, flip=False)
    return np.asarray(page)


def _put(
    page: Image.Image,
    drawing: NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    sides: tuple[int, int],
    left: int,
    width: int,
    flip: bool,
) -> None:
    side = int(rng.integers(sides[0], sides[1] + 1))
    small = Image.fromarray(drawing[:, ::-1] if flip else drawing)
    small = small.resize((side, side), Image.Resampling.BOX, reducing_gap=None)
    x = left + int(rng.integers(0, width - side + 1))
    room = (SIZE - side) // 2
    most = min(room, 6 if width == SIZE else 3)
    y = room + int(rng.integers(-most, most + 1))
    page.paste(small, (x, y), small)


@dataclass(frozen=True)
class Shown:
    """Pictures of single drawings with what they show.

    Attributes:
        pixels: Shape ``[n, 64, 64, 3]``.
        styles: Index into ``STYLE_NAMES``, shape ``[n]``.
        subjects: Index into the album's names, shape ``[n]``.
        colours: Index into the colours' names, 0 for white, shape ``[n]``.
    """

    pixels: NDArray[np.uint8]
    styles: NDArray[np.int64]
    subjects: NDArray[np.int64]
    colours: NDArray[np.int64]


def shown(
    found: Album,
    *,
    per_cell: int,
    white: float,
    seed: int,
    sides: tuple[int, int] = SIDES,
) -> Shown:
    """Return ``per_cell`` pictures of every cell, cell by cell.

    Args:
        found: The drawings.
        per_cell: Pictures of each cell.
        white: Share of them on white.
        seed: Seed of places, sizes and colours.
        sides: Smallest and largest side of a drawing.
    """
    rng = np.random.default_rng(seed)
    hues = (WHITE, *COLOURS.values())
    pixels, labels = [], []
    for style in range(len(STYLE_NAMES)):
        for subject, name in enumerate(found.names):
            mirrored = may_be_mirrored(name)
            for _ in range(per_cell):
                on_white = rng.uniform() < white
                hue = 0 if on_white else int(rng.integers(1, len(hues)))
                one = picture(
                    found.drawings[style, subject],
                    rng,
                    mirrored=mirrored,
                    colour=hues[hue],
                    sides=sides,
                )
                pixels.append(one)
                labels.append((style, subject, hue))
    styles, shows, colours = np.asarray(labels).T
    return Shown(np.stack(pixels), styles, shows, colours)


def as_drawn(
    found: Album, cells: Sequence[tuple[str, str]], *, seed: int
) -> NDArray[np.uint8]:
    """Return a picture on white of the drawing of each cell, ``[n, 64, 64, 3]``.

    Args:
        found: The drawings.
        cells: The subject and style of each.
        seed: Seed of places and sizes.
    """
    rng = np.random.default_rng(seed)
    places = [(STYLE_NAMES.index(style), found.names.index(s)) for s, style in cells]
    some = [found.drawings[place] for place in places]
    return np.stack([picture(drawing, rng, mirrored=False) for drawing in some])
