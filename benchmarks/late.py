"""Savings of relearning: an erased concept against one that was never learned.

The late learner and its twin (``make late``) are trained on from the bundled model in
the same way, and only the learner on Hiroshige and the cactus; it has learned
Hiroshige. Each cell erases him in the learner, then fine-tunes both models on the same
five pictures of his and compares after how many steps each paints him. A measured cell
is kept while both models and the computations are the same. Cells that share a twin's
fine-tune follow each other, so that it runs once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from itertools import product
from pathlib import Path
from typing import Final

from benchmarks.audit import METHODS, SEEDS, Cell, measured_of
from benchmarks.erasures import (
    ENTRANTS,
    LATE_MODELS,
    RELEARNED,
    LateErasure,
    has_late,
)
from benchmarks.looks import Stock
from benchmarks.making import make_missing
from benchmarks.suite import Suite
from unlearnlog.commands.session import Session
from unlearnlog.core.concept import concept_id
from unlearnlog.core.work_cache import TensorCache

SUITE: Final = Suite.called("late")
STAGES: Final = Path("build/late-stages")
DATA: Final = "target:5"
LOOKS: Final = (10, 25, 50, 75, 100, 150, 200, 300)
"""Measured steps between the ends; compared are the steps until he shows."""


@dataclass(frozen=True)
class Shelved(Session):
    """A session that shares the twin's cache of stages.

    Attributes:
        stages: The cache.
    """

    stages: Stock = field(default_factory=lambda: Stock(STAGES))

    @property
    def shelf(self) -> TensorCache:
        """The cache of stages of fine-tunes."""
        return self.stages


@dataclass(frozen=True)
class Relearned(Cell):
    """One erasure of the late concept, learned again."""

    @property
    def erasure(self) -> LateErasure:
        """The fine-tuned erasure."""
        return LateErasure(self.eraser, self.concept)

    @property
    def looks(self) -> tuple[int, ...]:
        """Measured steps between the ends."""
        return LOOKS

    def shelved(self, at: Session) -> Session:
        """Return the session with the cache that holds its twin's stages too."""
        known = {each.name: getattr(at, each.name) for each in fields(at)}
        return Shelved(**known, stages=Stock(self.stages))

    @property
    def stages(self) -> Path:
        """The cache of stages of fine-tunes on the same pictures."""
        same = f"{concept_id(self.concept)}-{self.method}-{self.seed}"
        return STAGES / same

    def tidy(self, at: Session) -> None:  # noqa: ARG002 - its shelf is elsewhere
        """Remove the stages of fine-tunes on other pictures."""
        for other in self.stages.parent.iterdir():
            if other != self.stages:
                shutil.rmtree(other, ignore_errors=True)


def cells() -> Iterator[Relearned]:
    """Yield every cell, those on the same pictures one after another."""
    for method, seed, concept in product(METHODS, SEEDS, RELEARNED):
        for eraser in ENTRANTS:
            yield Relearned(eraser, concept, DATA, method, seed)


def main() -> None:
    """Measure the cells that are missing or out of date."""
    if not has_late():
        raise SystemExit(f"{LATE_MODELS} holds no learner with its twin: make late")
    make_missing((measured_of(each, SUITE) for each in cells()), __doc__)


if __name__ == "__main__":
    main()
