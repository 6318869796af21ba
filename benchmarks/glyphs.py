"""The suite of the real drawings: every eraser where erasing is hard.

Cells, in this order: each closed form alone on three styles and nine subjects; a
hundred subjects one after another; sixty concepts alone by one eraser; every keyword as
an attack; then the trained erasers, some at each place of a joint model. Each figure is
a count beside the base's on the same prompts and latents, which are painted once for
all cells. A stopped run is resumed; ``--only 'ridge-*'`` measures some of the cells.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

from rich.console import Console

from benchmarks.computed import eraser_witness
from benchmarks.glyph_alone import FULL, LEAN, Alone
from benchmarks.glyph_choice import CHOSEN, N_ALONE, STYLES, SUBJECTS
from benchmarks.glyph_hundred import CLOSE_ORDER, Hundred
from benchmarks.glyph_hundred import SIZES as HUNDRED
from benchmarks.glyph_pictures import SAMPLING, glyph_weights
from benchmarks.glyph_words import SIZES as WORDS
from benchmarks.glyph_words import WordSearch
from benchmarks.looks import Entrant
from benchmarks.making import MadeOf, Measured, make_missing
from benchmarks.suite import Suite
from unlearnlog.core.digest import Digest, digest_of
from unlearnlog.erasers.eraser_table import ERASERS
from unlearnlog.glyphs.glyph_world import CONCEPTS, world

SUITE: Final = Suite.called("glyphs")

SOLVED: Final = ("rece",)
"""Closed forms that are not joint."""

SEQUENCES: Final = ("ridge", "uce", "speed", "scapre", "mace", "hybrid", "mim")
"""Erasers of a hundred subjects; those that train come last."""

IN_MORE_ORDERS: Final = ("ridge", "uce", "speed")
N_ORDERS: Final = 3

Cell = Alone | Hundred | WordSearch


def cells() -> Iterator[Cell]:
    """Yield every cell in the order in which they are measured."""
    closed = [e for e in entrants() if is_solved(e)]
    yield from alone(closed)
    yield from sequences([e for e in closed if e.label in SEQUENCES])
    yield from sixty(Entrant(CHOSEN, CHOSEN))
    for subjects in SUBJECTS.values():
        yield from (WordSearch(Entrant(CHOSEN, CHOSEN), s, WORDS) for s in subjects)
    trained = [e for e in entrants() if not is_solved(e)]
    yield from alone([*placed(), *trained])
    yield from sequences([e for e in trained if e.label in SEQUENCES])


def entrants() -> list[Entrant]:
    """Return every eraser with its defaults."""
    return [Entrant(name, name) for name in ERASERS]


def placed() -> list[Entrant]:
    """Return the trained erasers at places that are not their default."""
    return [
        Entrant(f"{name}-{where}", name, (("where", where),))
        for name, where in (("mim", "entry"), ("mim", "both"), ("hybrid", "entry"))
    ]


def alone(of: Sequence[Entrant]) -> Iterator[Alone]:
    """Yield a cell for each concept and eraser, one concept after another."""
    names = [*STYLES, *(s for each in SUBJECTS.values() for s in each)]
    yield from (Alone(entrant, name, FULL) for name in names for entrant in of)


def sequences(of: Sequence[Entrant]) -> Iterator[Hundred]:
    """Yield a hundred subjects by each eraser, some in more than one order."""
    for order in range(CLOSE_ORDER, N_ORDERS + 1):
        for each in of:
            if order == CLOSE_ORDER or each.label in IN_MORE_ORDERS:
                yield Hundred(each, order, HUNDRED)


def sixty(entrant: Entrant) -> Iterator[Alone]:
    """Yield the concepts that one eraser erases alone, styles first."""
    n = N_ALONE - len(world().styles)
    drawn = random.Random(60).sample(world().subjects, n)
    for name in (*world().styles, *sorted(drawn)):
        yield Alone(entrant, name, LEAN, prefix="sixty-")


def is_solved(entrant: Entrant) -> bool:
    """Return whether an eraser is solved, in seconds."""
    return ERASERS[entrant.eraser].joint or entrant.eraser in SOLVED


@cache
def _world() -> Digest:
    return digest_of(CONCEPTS.read_bytes())


def made_of(cell: Cell) -> MadeOf:
    """Return the inputs of a cell: model, world, eraser and settings, sizes."""
    settings = cell.entrant.settings
    plain: dict[str, Any] = {
        "weights": glyph_weights(),
        "world": _world(),
        "eraser": cell.entrant.eraser,
        "settings": ERASERS[cell.entrant.eraser].of(dict(settings)).settings,
        "concepts": cell.concepts,
        "sizes": dict(cell.sizes),
        "sampling": [SAMPLING.steps, SAMPLING.guidance],
    }
    if isinstance(cell, Hundred):
        plain["marks"] = list(cell.marks)
    return MadeOf(
        plain, {"eraser": eraser_witness(cell.entrant.eraser, _kept(settings))}
    )


def _kept(settings: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
    """Return settings without the place: the witness's model has cross-attention."""
    return tuple((key, value) for key, value in settings if key != "where")


def measured_of(cell: Cell) -> Measured:
    """Return a cell with its measurement and its inputs."""

    def measure(console: Console) -> dict[str, Any]:
        return cell.measured(console)

    return Measured(SUITE, cell.name, lambda: made_of(cell), measure)


def main() -> None:
    """Measure the cells that are missing or out of date."""
    make_missing(map(measured_of, cells()), __doc__)


if __name__ == "__main__":
    main()
