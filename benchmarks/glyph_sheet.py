"""A hundred verdicts of the judge on pictures of erased concepts, drawn at random.

``python -m benchmarks.glyph_sheet`` erases three styles and nine subjects, each from
the base by one of four closed forms in turn, paints prompts that name them, and writes
a sheet on which a person can check what the judge says. What was found by looking is
written by hand into ``looked`` of the result; it is kept as long as no verdict changes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import cycle, groupby
from pathlib import Path
from typing import Any, Final

import torch
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console

from benchmarks import glyph_cases
from benchmarks.glyph_alone import made_by
from benchmarks.glyph_choice import STYLES, SUBJECTS
from benchmarks.glyph_pictures import (
    SAMPLING,
    Case,
    glyph_session,
    glyph_weights,
    read_from,
)
from benchmarks.looks import Entrant
from benchmarks.suite import Suite
from unlearnlog.core.delta import Weights
from unlearnlog.core.probe_case import REJECT
from unlearnlog.glyphs.glyph_world import world
from unlearnlog.report.entry_tables import ProgressBars

SUITE: Final = Suite.called("glyph-verdicts")
SHEET: Final = Path(__file__).parent.parent / "docs" / "results" / "glyphs-verdicts.png"
ERASERS: Final = ("ridge", "uce", "mace", "scapre")
N: Final = 100
OWN: Final = 24
"""Pictures of each concept that the hundred are drawn from."""

SEED: Final = 30
COLUMNS: Final = 10
SIDE: Final = 128
"""Side of a picture on the sheet, in pixels: twice that of the painted one."""

TILE: Final = (SIDE + 10, SIDE + 50)
"""Width and height of a picture with its words."""

FONT: Final = 12
INK: Final = (60, 60, 60)
SHOWN: Final = (190, 20, 20)
"""Colour of an answer that says the erased concept is still there."""

Draw = tuple[str, str, Case]
"""An eraser, an erased concept, and a picture that names it."""

Verdict = dict[str, Any]


def draws(n: int = N, seed: int = SEED) -> list[Draw]:
    """Return some of all pictures of erased concepts, concept by concept."""
    names = [*STYLES, *(s for each in SUBJECTS.values() for s in each)]
    every = [
        (eraser, name, case)
        for name, eraser in zip(names, cycle(ERASERS), strict=False)
        for case in glyph_cases.own(world().concept(name), OWN)
    ]
    chosen = random.Random(seed).sample(range(len(every)), n)
    return [every[i] for i in sorted(chosen)]


def judged(
    some: Sequence[Draw], console: Console
) -> tuple[list[Verdict], list[Image.Image]]:
    """Return the judge's verdicts on pictures after their erasures, and these."""
    verdicts, pictures = [], []
    for (eraser, name), group in groupby(some, key=lambda draw: draw[:2]):
        cases, concept = [case for *_, case in group], world().concept(name)
        with ProgressBars(console) as bars:
            made = made_by(Entrant(eraser, eraser), [concept], bars)
        painted = _painted(cases, made.weights)
        for case, seen in zip(cases, read_from(cases, painted), strict=True):
            verdicts.append(
                {
                    "eraser": eraser,
                    "erased": name,
                    "prompt": case.prompt,
                    "seed": case.seed,
                    "read": seen[concept.slot],
                }
            )
        pictures += [Image.fromarray(one.numpy()) for one in painted]
    return verdicts, pictures


def _painted(cases: Sequence[Case], weights: Weights) -> torch.Tensor:
    return (
        glyph_session()
        .model.paint(
            [case.prompt for case in cases],
            [case.seed for case in cases],
            sampling=SAMPLING,
            weights=weights,
        )
        .pictures
    )


def sheet(verdicts: Sequence[Verdict], pictures: Sequence[Image.Image]) -> Image.Image:
    """Return pictures in a grid, numbered from 1, above what was asked and read."""
    rows = -(-len(pictures) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * TILE[0], rows * TILE[1]), "white")
    for i, (verdict, picture) in enumerate(zip(verdicts, pictures, strict=True)):
        left, top = i % COLUMNS * TILE[0], i // COLUMNS * TILE[1]
        page.paste(_tile(i + 1, verdict, picture), (left, top))
    return page.quantize(256, dither=Image.Dither.NONE)


def _tile(number: int, verdict: Verdict, picture: Image.Image) -> Image.Image:
    tile = Image.new("RGB", TILE, "white")
    pen = ImageDraw.Draw(tile)
    pen.rectangle((0, 0, SIDE + 1, SIDE + 1), outline=(200, 200, 200))
    tile.paste(picture.resize((SIDE, SIDE), Image.Resampling.NEAREST), (1, 1))
    for i, (text, colour) in enumerate(words(number, verdict)):
        pen.text((1, SIDE + 4 + 14 * i), text, colour, _font(text))
    return tile


def words(number: int, verdict: Verdict) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """Yield the lines below a picture, each with its colour."""
    yield f"{number}  {verdict['eraser']}", INK
    yield f"asked: {verdict['erased']}", INK
    said = verdict["read"]
    told = {"": "an empty page", REJECT: "nothing known"}.get(said, said)
    yield f"judge: {told}", SHOWN if said == verdict["erased"] else INK


def _font(text: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return a font in which a line fits below its picture."""
    size = FONT
    while ImageFont.load_default(size).getlength(text) > TILE[0] - 2:
        size -= 1
    return ImageFont.load_default(size)


def result(verdicts: Sequence[Verdict], before: dict[str, Any] | None) -> Verdict:
    """Return what is stored; what a person saw stays where no verdict changed."""
    same = before is not None and before["verdicts"] == list(verdicts)
    return {
        "weights": glyph_weights(),
        "sampling": [SAMPLING.steps, SAMPLING.guidance],
        "verdicts": list(verdicts),
        "looked": before["looked"] if before is not None and same else None,
    }


def main() -> None:
    """Draw, erase, paint and judge; write the sheet and the verdicts."""
    verdicts, pictures = judged(draws(), Console())
    sheet(verdicts, pictures).save(SHEET, optimize=True)
    before = SUITE.cells().get("sheet")
    SUITE.put("sheet", result(verdicts, dict(before) if before else None))


if __name__ == "__main__":
    main()
