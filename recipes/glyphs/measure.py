"""What the judge makes of real, of encoded and of painted pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from PIL import Image

from recipes.glyphs.latents import decoded, encoded
from recipes.glyphs.painting import Painter, halves, right_answers
from recipes.glyphs.pictures import STYLE_NAMES, WIDER, album, as_drawn, shown
from unlearnlog.atelier.atelier_judge import AtelierJudge
from unlearnlog.concepts.templates import TEMPLATES, spoken
from unlearnlog.glyphs.glyph_captions import coloured_text, known_cells, pair_text
from unlearnlog.glyphs.glyph_world import COLOURS, WHITE, is_held_out, keywords, world

SEED: Final = 71
CORNERS: Final = 3
COLUMNS: Final = 24
"""Pictures in a row of the sheet."""

Figures = dict[str, list[float]]


def of_real_pictures(work: Path, judge: AtelierJudge, vae: AutoencoderKL) -> Figures:
    """Return the judge's accuracy on drawings it has not seen moved so."""
    found = album(work)
    fresh = shown(found, per_cell=1, white=0.5, seed=SEED, sides=WIDER)
    cells = [
        (found.names[s], STYLE_NAMES[t])
        for s, t in zip(fresh.subjects, fresh.styles, strict=True)
    ]
    coded = decoded(vae, encoded(vae, fresh.pixels))
    return {
        "real": [*right_answers(judge, fresh.pixels, cells)],
        "encoded and decoded": [*right_answers(judge, coded, cells)],
    }


def of_painted_pictures(
    work: Path, painter: Painter, judge: AtelierJudge, n: int, sheet: Path
) -> Figures:
    """Return the judge's accuracy on painted pictures, and save a sheet of some.

    On the sheet the drawings stand above what is painted of the same cells.

    Args:
        work: Folder of the drawings.
        painter: What paints.
        judge: The judge.
        n: Pictures of each kind of caption.
        sheet: Path of the picture of them all.
    """
    rng = np.random.default_rng(SEED)
    seen = world()
    trained = sorted(known_cells())
    held = [(s, t) for s in seen.subjects for t in seen.styles if is_held_out(s, t)]
    figures, rows = {}, []
    for name, cells in (("trained cells", trained), ("held-out cells", held)):
        some = [cells[i] for i in rng.choice(len(cells), n, replace=False)]
        pictures = painter.pictures([_named(*c) for c in some], SEED)
        figures[name] = [*right_answers(judge, pictures, some)]
        rows += [as_drawn(album(work), some[:COLUMNS], seed=SEED), pictures]
    for name, unseen in (("keywords", False), ("unseen keywords", True)):
        told = _by_keyword(trained, unseen=unseen)
        some_words = [told[i] for i in rng.choice(len(told), min(n, len(told)), False)]
        pictures = painter.pictures([text for text, _, _ in some_words], SEED)
        figures[name] = [_share_meant(judge, pictures, [m for _, m, _ in some_words])]
        rows.append(pictures)
    figures["pairs"], pairs = _pairs(painter, judge, rng, n)
    figures["background"], coloured = _backgrounds(painter, trained, rng, n)
    _sheet([*rows, pairs, coloured], sheet)
    return figures


def _named(subject: str, style: str) -> str:
    return spoken(TEMPLATES[0].text, subject=subject, style=style)


def _by_keyword(
    cells: Sequence[tuple[str, str]], *, unseen: bool
) -> list[tuple[str, tuple[str, ...], str]]:
    """Return captions with a keyword for a name, what it means, and the style."""
    words = keywords()
    return [
        (_named(word, style), words.meanings[word], style)
        for subject, style in cells
        for word in words.of(subject)
        if (word in words.unseen) == unseen and len(words.meanings[word]) <= 3
    ]


def _share_meant(
    judge: AtelierJudge,
    pictures: NDArray[np.uint8],
    meant: Sequence[Sequence[str]],
) -> float:
    answers = judge.of_pictures(torch.from_numpy(pictures))
    right = [a.subject in names for a, names in zip(answers, meant, strict=True)]
    return float(np.mean(right))


def _pairs(
    painter: Painter, judge: AtelierJudge, rng: np.random.Generator, n: int
) -> tuple[list[float], NDArray[np.uint8]]:
    """Return the shares of pairs with both, the left, the right subject right."""
    seen = world()
    cells = [
        (*(str(s) for s in rng.choice(seen.subjects, 2, False)), seen.styles[i % 6])
        for i in range(n)
    ]
    pictures = painter.pictures([pair_text(*cell) for cell in cells], SEED)
    left, right = (judge.of_pictures(torch.from_numpy(p)) for p in halves(pictures))
    one = np.asarray([a.subject == c[0] for a, c in zip(left, cells, strict=True)])
    two = np.asarray([a.subject == c[1] for a, c in zip(right, cells, strict=True)])
    return [float(x.mean()) for x in (one & two, one, two)], pictures


def _backgrounds(
    painter: Painter,
    cells: Sequence[tuple[str, str]],
    rng: np.random.Generator,
    n: int,
) -> tuple[list[float], NDArray[np.uint8]]:
    """Return the share of pictures whose corners have the colour asked for."""
    some = [cells[i] for i in rng.choice(len(cells), n, replace=False)]
    hues = [list(COLOURS)[i % len(COLOURS)] for i in range(n)]
    texts = [coloured_text(_named(*c), h) for c, h in zip(some, hues, strict=True)]
    pictures = painter.pictures(texts, SEED)
    right = [
        background(picture) == hue for picture, hue in zip(pictures, hues, strict=True)
    ]
    return [float(np.mean(right))], pictures


def background(picture: NDArray[np.uint8]) -> str:
    """Return the name of the colour nearest to a picture's corners, "" for white."""
    ends = np.r_[:CORNERS, -CORNERS:0]
    corners = picture[ends][:, ends].reshape(-1, 3)
    names, hues = ["", *COLOURS], np.asarray([WHITE, *COLOURS.values()])
    return names[int(np.square(hues - np.median(corners, 0)).sum(1).argmin())]


def _sheet(rows: Sequence[NDArray[np.uint8]], path: Path) -> None:
    lines = []
    for row in rows:
        page = np.full((COLUMNS, 64, 64, 3), 255, np.uint8)
        page[: len(row[:COLUMNS])] = row[:COLUMNS]
        lines.append(np.concatenate(list(page), 1))
    whole = Image.fromarray(np.concatenate(lines))
    whole.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
