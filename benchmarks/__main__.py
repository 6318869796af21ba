"""The benchmark of ``make bench``: erasures, measured by every probe at full size.

Each cell is a short history: one concept alone, several in one entry, or one after
another. A measured cell is kept as long as the weights, the eraser's computation and
the measurements are the same, so a run that was stopped is resumed.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks.computed import eraser_witness, reading_witness
from benchmarks.making import MadeOf, Measured, bundled_weights, make_missing
from benchmarks.suite import Suite
from unlearnlog.atelier.bundled_concepts import world
from unlearnlog.commands import add
from unlearnlog.commands.session_opening import open_session
from unlearnlog.core.concept import concept_id
from unlearnlog.core.progress import Progress
from unlearnlog.policy import Policy
from unlearnlog.report.entry_tables import ProgressBars

SUITE: Final = Suite.called("alone")
ALONE: Final = ("Picasso", "Hokusai", "cat", "castle")
ERASER: Final = "mim"
TARGETS: Final = ("anchor", "context", "unconditional")
N_ORDERS: Final = 2
BATCH: Final = ("Picasso", "Monet", "Warhol", "Hokusai", "Klimt")
COARSE: Final = {"erased": 6, "kept": 1, "earlier": 2, "information": 16}
"""Sizes for comparisons: means are as precise, single concepts are screens."""

FULL: Final = {**COARSE, "kept": 6, "distance": 256}
LEAN: Final = {**COARSE, "renamed": 0, "family": 0, "alike": 0, "information": 8}
"""Sizes for long histories: only what their questions need."""


@dataclass(frozen=True)
class Cell:
    """A history to be measured.

    Attributes:
        name: Name of the cell.
        steps: Concepts of each entry.
        target: Target of the erasures.
        sizes: Pictures of each probe.
    """

    name: str
    steps: tuple[tuple[str, ...], ...]
    target: str = TARGETS[0]
    sizes: tuple[tuple[str, int], ...] = tuple(FULL.items())


def cells() -> list[Cell]:
    """Return every cell, in the order of the tables."""
    coarse = tuple(COARSE.items())
    found = [alone(name) for name in ALONE]
    found += [alone(n, t) for n in ("Picasso", "cat") for t in TARGETS[1:]]
    found.append(Cell("batch-of-five", (BATCH,), sizes=coarse))
    found += [in_sequence(order) for order in range(1, N_ORDERS + 1)]
    seen = world()
    others = [n for n in (*seen.styles, *seen.subjects) if n not in ALONE]
    return found + [alone(name) for name in others]


def alone(concept: str, target: str = TARGETS[0]) -> Cell:
    """Return the cell of one concept erased on the base."""
    known = concept in ALONE and target == TARGETS[0]
    sizes = FULL if known else COARSE
    name = f"{concept_id(concept)}-{target}"
    return Cell(name, ((concept,),), target, tuple(sizes.items()))


def in_sequence(order: int) -> Cell:
    """Return the cell of every style erased one after another, in one of the orders."""
    styles = list(world().styles)
    random.Random(order).shuffle(styles)
    steps = tuple((name,) for name in styles)
    return Cell(f"all-styles-{order}", steps, sizes=tuple(LEAN.items()))


def full_policy(target: str, probes: dict[str, int]) -> Policy:
    """Return the default policy with `mim`, a target, these probes and no limits."""
    data = Policy.load("default").model_dump()
    data["name"] = "bench"
    data["eraser"] = {"name": ERASER, "target": target}
    data["probes"] = {**data["probes"], **probes}
    data["limits"] = ()
    return Policy.of(data, "bench")


def added(
    folder: Path, names: Sequence[str], policy: Policy, watch: Progress
) -> dict[str, Any]:
    """Erase concepts on top of the folder's ledger and return the entry's row."""
    at = open_session(folder, may_create=True)
    concepts = tuple(at.world.concept(name) for name in names)
    return add.add(at, add.AddRequest(concepts, policy, watch=watch)).entry.row()


def measured(cell: Cell, console: Console) -> list[dict[str, Any]]:
    """Run a cell's history in an empty folder and return its entries' rows."""
    rules = full_policy(cell.target, dict(cell.sizes))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for step in cell.steps:
            with ProgressBars(console) as bars:
                rows.append(added(Path(folder), step, rules, bars))
    return rows


def made_of(cell: Cell) -> MadeOf:
    """Return the inputs of a cell: base weights, eraser, concepts, sizes."""
    rules = full_policy(cell.target, dict(cell.sizes))
    return MadeOf(
        {
            "weights": bundled_weights(),
            "eraser": ERASER,
            "settings": rules.chosen_eraser().settings,
            "steps": cell.steps,
            "sizes": dict(cell.sizes),
            "sampling": rules.model_dump(mode="json")["sampling"],
        },
        {"eraser": eraser_witness(ERASER, (("target", cell.target),))},
    )


def rows_of(cell: Cell) -> list[dict[str, Any]]:
    """Return the entries' rows of a cell that was measured."""
    rows: list[dict[str, Any]] = SUITE.cells()[cell.name]["rows"]
    return rows


def measured_of(cell: Cell) -> Measured:
    """Return a cell with its measurement and its inputs."""
    return Measured(
        SUITE,
        cell.name,
        lambda: made_of(cell),
        lambda console: {"rows": measured(cell, console)},
        reading_witness(),
    )


def main() -> None:
    """Measure the cells that are missing or out of date, in the order of the tables."""
    make_missing(map(measured_of, cells()), __doc__)


if __name__ == "__main__":
    main()
