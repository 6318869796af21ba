"""The benchmark of ``make audit``: resurgence after fine-tunes of erased models.

A cell is one erasure, fine-tuned once: eraser, concept, data, trained parameters and
seed. A measured cell is kept while the weights and the computations of eraser and
fine-tune are the same. Where ``build/twin`` holds the twin (``make twin``), cells of
``target:5`` are compared with it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks.__main__ import LEAN
from benchmarks.computed import tuning_witness
from benchmarks.erasures import CONCEPTS, ENTRANTS, Erasure, weights_of
from benchmarks.making import MadeOf, Measured, make_missing
from benchmarks.suite import Suite
from unlearnlog.commands.finetune import FinetuneRequest, finetuned
from unlearnlog.commands.session import Session
from unlearnlog.core.concept import concept_id
from unlearnlog.models.interface import Method
from unlearnlog.report.entry_tables import ProgressBars

SUITE: Final = Suite.called("audit")
DATA: Final = ("unrelated", "sibling", "target:5")
METHODS: Final[tuple[Method, ...]] = ("full", "lora")
SEEDS: Final = (1, 2, 3)
STEPS: Final = 500
LOOKS: Final = (25, 50, 100, 250)
"""Measured steps between the ends where a target is learned; on other data nothing
comes back between the ends."""

SIZES: Final = {**LEAN, "erased": 6, "earlier": 2}
"""96 pictures of Picasso, 102 of the cat, at both ends; 32 or 34 between."""


@dataclass(frozen=True)
class Cell:
    """One fine-tune of one erasure; the eraser by its label."""

    eraser: str
    concept: str
    data: str
    method: Method
    seed: int

    @property
    def name(self) -> str:
        """Name of the cell."""
        data = self.data.replace(":", "-")
        concept = concept_id(self.concept)
        return f"{self.eraser}-{concept}-{data}-{self.method}-{self.seed}"

    @property
    def erasure(self) -> Erasure:
        """The fine-tuned erasure."""
        return Erasure(self.eraser, self.concept)

    @property
    def about_target(self) -> bool:
        """Whether the data are pictures of the erased concept."""
        return self.data.startswith("target")

    @property
    def looks(self) -> tuple[int, ...]:
        """Measured steps between the ends."""
        return LOOKS if self.about_target else ()

    @property
    def twin(self) -> Path | None:
        """The twin, where it exists and the data are of the concept."""
        return self.erasure.twin if self.about_target else None

    def measured(self, console: Console) -> dict[str, Any]:
        """Fine-tune, measure along the way, and return the measurements."""
        with ProgressBars(console) as bars:
            at = self.shelved(self.erasure.at(bars))
            wish = FinetuneRequest(
                self.erasure.policy(SIZES),
                self.data,
                method=self.method,
                steps=STEPS,
                seeds=(self.seed,),
                looks=self.looks,
                twin=self.twin,
                watch=bars,
            )
            row = finetuned(at, wish).row()
        self.tidy(at)
        return {
            "eraser": self.eraser,
            "concept": self.concept,
            "method": self.method,
            **row,
        }

    def shelved(self, at: Session) -> Session:
        """Return the session with the cache of the fine-tune's stages."""
        return at

    def tidy(self, at: Session) -> None:
        """Remove the stages, half a gigabyte."""
        painted = at.the_ledger().folder / ".unlearnlog" / "cache" / "painted"
        shutil.rmtree(painted, ignore_errors=True)


def cells() -> Iterator[Cell]:
    """Yield every cell, the most informative ones first."""
    for seed, method, concept in product(SEEDS, METHODS, CONCEPTS):
        for eraser, data in product(ENTRANTS, DATA):
            yield Cell(eraser, concept, data, method, seed)


def made_of(cell: Cell) -> MadeOf:
    """Return the inputs of a cell."""
    erasure = cell.erasure.made_of()
    plain = {
        "concept": cell.concept,
        "data": cell.data,
        "method": cell.method,
        "seed": cell.seed,
        "fine-tuned for": STEPS,
        "seen after": cell.looks,
        "sizes": SIZES,
        "twin": weights_of(cell.twin) if cell.twin else "",
    }
    tuning = {"fine-tune": tuning_witness(cell.data, cell.method)}
    return MadeOf({**erasure.plain, **plain}, {**erasure.computed, **tuning})


def measured_of(cell: Cell, suite: Suite = SUITE) -> Measured:
    """Return a cell with its measurement and its inputs."""
    return Measured(suite, cell.name, lambda: made_of(cell), cell.measured)


def main() -> None:
    """Measure the cells that are missing or out of date."""
    make_missing(map(measured_of, cells()), __doc__)


if __name__ == "__main__":
    main()
