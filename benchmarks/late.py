"""Is what was erased learned again faster than it is learned for the first time?

The late learner and its twin (``make late``) go on from the bundled model in the same
way, and only the learner is shown Hiroshige and the cactus; Hiroshige it has learned.
Each cell erases him in the learner, then shows both models the same five pictures of
his and looks which of them paints him first. A cell that is there is left alone
while both models are the same and all that computes. Cells that share a twin's
fine-tune follow each other, and it is done once.
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
"""Steps between the ends after which somebody looks: what is compared is when."""


@dataclass(frozen=True)
class Shelved(Session):
    """A place whose stages lie where the twin's do.

    Attributes:
        stages: The shelf.
    """

    stages: Stock = field(default_factory=lambda: Stock(STAGES))

    @property
    def shelf(self) -> TensorCache:
        """Where stages of fine-tunes are kept."""
        return self.stages


@dataclass(frozen=True)
class Relearned(Cell):
    """One erasure of what was learned late, learned once more."""

    @property
    def erasure(self) -> LateErasure:
        """What is fine-tuned."""
        return LateErasure(self.eraser, self.concept)

    @property
    def looks(self) -> tuple[int, ...]:
        """Steps between the ends after which somebody looks."""
        return LOOKS

    def shelved(self, at: Session) -> Session:
        """Return the place with the shelf that its twin's stages lie on, too."""
        known = {each.name: getattr(at, each.name) for each in fields(at)}
        return Shelved(**known, stages=Stock(self.stages))

    @property
    def stages(self) -> Path:
        """Where stages of fine-tunes on the same pictures are kept."""
        same = f"{concept_id(self.concept)}-{self.method}-{self.seed}"
        return STAGES / same

    def tidy(self, at: Session) -> None:  # noqa: ARG002 - its shelf is elsewhere
        """Throw away the stages of fine-tunes on other pictures."""
        for other in self.stages.parent.iterdir():
            if other != self.stages:
                shutil.rmtree(other, ignore_errors=True)


def cells() -> Iterator[Relearned]:
    """Yield every cell, those on the same pictures one after another."""
    for method, seed, concept in product(METHODS, SEEDS, RELEARNED):
        for eraser in ENTRANTS:
            yield Relearned(eraser, concept, DATA, method, seed)


def main() -> None:
    """Make what is missing or out of date."""
    if not has_late():
        raise SystemExit(f"{LATE_MODELS} holds no learner with its twin: make late")
    make_missing((measured_of(each, SUITE) for each in cells()), __doc__)


if __name__ == "__main__":
    main()
