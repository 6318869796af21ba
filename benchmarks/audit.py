"""``make audit``: fine-tune erased models downstream, and see what comes back.

A cell is one erasure of one concept, fine-tuned once: its eraser, the concept, the
data, what learns, and the seed. A cell that is there is left alone while the weights
are the same and what the eraser and the fine-tune compute. Where ``build/twin`` holds
the twin (``make twin``), cells of ``target:5`` are compared with it.
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
"""Steps between the ends after which somebody looks while a target is learned; nothing
comes back between the ends of other data."""

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
        """What it is called."""
        data = self.data.replace(":", "-")
        concept = concept_id(self.concept)
        return f"{self.eraser}-{concept}-{data}-{self.method}-{self.seed}"

    @property
    def erasure(self) -> Erasure:
        """What is fine-tuned."""
        return Erasure(self.eraser, self.concept)

    @property
    def about_target(self) -> bool:
        """Whether pictures of the erased concept itself are learned."""
        return self.data.startswith("target")

    @property
    def looks(self) -> tuple[int, ...]:
        """Steps between the ends after which somebody looks."""
        return LOOKS if self.about_target else ()

    @property
    def twin(self) -> Path | None:
        """The twin, where it is made and there is something to compare."""
        return self.erasure.twin if self.about_target else None

    def measured(self, console: Console) -> dict[str, Any]:
        """Fine-tune, look along the way, and return what was seen."""
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
        """Return the place with the shelf that its stages are kept on."""
        return at

    def tidy(self, at: Session) -> None:
        """Throw half a gigabyte of stages away."""
        painted = at.the_ledger().folder / ".unlearnlog" / "cache" / "painted"
        shutil.rmtree(painted, ignore_errors=True)


def cells() -> Iterator[Cell]:
    """Yield every cell, first those that say most."""
    for seed, method, concept in product(SEEDS, METHODS, CONCEPTS):
        for eraser, data in product(ENTRANTS, DATA):
            yield Cell(eraser, concept, data, method, seed)


def made_of(cell: Cell) -> MadeOf:
    """Return the weights and all else that decides a cell's results."""
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
    """Return how a cell is measured, and what of."""
    return Measured(suite, cell.name, lambda: made_of(cell), cell.measured)


def main() -> None:
    """Make what is missing or out of date."""
    make_missing(map(measured_of, cells()), __doc__)


if __name__ == "__main__":
    main()
