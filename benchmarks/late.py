"""Is what was erased learned again faster than it is learned for the first time?

The late learner and its twin (``make late``) go on from the bundled model in the same
way, and only the learner is shown Hiroshige and the cactus. Each cell erases one of the
two in the learner, then shows both models the same five pictures of it and looks which
of them paints it first. A cell whose file is there is left alone while both models and
all code that decides are the same. Cells that share a twin's fine-tune follow each
other, and it is done once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Final

from benchmarks.__main__ import RESULTS
from benchmarks.audit import ENTRANTS, METHODS, SEEDS, Cell, made_of, weights_of
from benchmarks.files import CellFile, make_missing
from benchmarks.looks import Stock
from unlearnlog.atelier.recipe.late import LATE
from unlearnlog.concept import concept_id
from unlearnlog.errors import UsageError
from unlearnlog.policy import Policy
from unlearnlog.run.place import Place, init, place
from unlearnlog.shelf import Shelf

FOLDER: Final = RESULTS / "late"
MODELS: Final = Path("build/late")
BUILT: Final = Path("build/late-audit")
DATA: Final = "target:5"
LOOKS: Final = (10, 25, 50, 75, 100, 150, 200, 300)
"""Steps between the ends after which somebody looks: what is compared is when."""


@dataclass(frozen=True)
class Shelved(Place):
    """A place whose stages lie where the twin's do.

    Attributes:
        stages: The shelf.
    """

    stages: Stock = field(default_factory=lambda: Stock(BUILT / "stages"))

    @property
    def shelf(self) -> Shelf:
        """Where stages of fine-tunes are kept."""
        return self.stages


@dataclass(frozen=True)
class Relearned(Cell):
    """One erasure of what was learned late, learned once more."""

    @property
    def built(self) -> Path:
        """Where erased learners are kept."""
        return BUILT / weights_of(MODELS / "learner")[:12]

    @property
    def looks(self) -> tuple[int, ...]:
        """Steps between the ends after which somebody looks."""
        return LOOKS

    @property
    def twin(self) -> Path:
        """The learner's twin."""
        return MODELS / "twin"

    def policy(self, sizes: Mapping[str, float]) -> Policy:
        """Return a policy with the judge of the bundled world, who knows both."""
        return super().policy(sizes).saying(judge="atelier")

    def place(self, folder: Path) -> Place:
        """Return the learner in a ledger of its own."""
        learner = MODELS / "learner"
        if not (folder / ".unlearnlog").exists():
            init(folder, str(learner))
        there = place(folder, concepts=learner / "concepts.toml")
        return Shelved(**vars(there), stages=Stock(self.stages))

    @property
    def stages(self) -> Path:
        """Where stages of fine-tunes on the same pictures are kept."""
        same = f"{concept_id(self.concept)}-{self.method}-{self.seed}"
        return BUILT / "stages" / same

    def tidy(self, at: Place) -> None:  # noqa: ARG002 - its shelf is elsewhere
        """Throw away the stages of fine-tunes on other pictures."""
        for other in self.stages.parent.iterdir():
            if other != self.stages:
                shutil.rmtree(other, ignore_errors=True)


def cells() -> Iterator[Relearned]:
    """Yield every cell, those on the same pictures one after another."""
    for method, seed, concept in product(METHODS, SEEDS, LATE):
        for eraser in ENTRANTS:
            yield Relearned(eraser, concept, DATA, method, seed)


def file_of(cell: Relearned) -> CellFile:
    """Return the file of a cell."""

    def made() -> dict[str, str]:
        return {**made_of(cell), "weights": weights_of(MODELS / "learner")}

    return CellFile(FOLDER / f"{cell.name}.json", made, cell.measured)


def main() -> None:
    """Make what is missing or out of date."""
    for name in ("learner", "twin"):
        if not (MODELS / name / "model_index.json").exists():
            raise UsageError(f"there is no {MODELS / name}", fix="train it: make late")
    make_missing(map(file_of, cells()), __doc__)


if __name__ == "__main__":
    main()
