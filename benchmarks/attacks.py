"""Attacks on erasures, beside their null controls.

Each cell is one attack on one concept in one state: erased by one eraser, or the base.
Picasso and the cat are attacked in the bundled model, whose twin takes hours to train
(``make twin``); rows without it are marked. Hiroshige is attacked in the late learner,
which has a twin, once both are trained (``make late``). A measured cell is kept while
the weights and the computations of eraser and attack are the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks.computed import attack_witness
from benchmarks.erasures import (
    CONCEPTS,
    ENTRANTS,
    RELEARNED,
    Erasure,
    erasure_of,
    has_late,
    weights_of,
)
from benchmarks.making import MadeOf, Measured, make_missing
from benchmarks.suite import Suite
from unlearnlog.audits.attacks.attack_evaluation import (
    NullControls,
    UnattackedResult,
    contested,
)
from unlearnlog.audits.attacks.attack_search import BUDGETS
from unlearnlog.commands.attack import AttackRequest, AttackSession
from unlearnlog.commands.session import Session
from unlearnlog.core.concept import concept_id
from unlearnlog.core.progress import Progress
from unlearnlog.policy import Policy
from unlearnlog.report.entry_tables import ProgressBars

SUITE: Final = Suite.called("attacks")
UNERASED: Final = "base"
"""Label of the state without an erasure: the upper bound."""

BUDGET: Final = "small"
ORDER: Final = ("recovery", "inversion", "prefix")
"""Erasers in order: cheap and decisive ones first."""

_BEFORE: Final[dict[tuple[str, str], UnattackedResult]] = {}
"""Pictures of each state without an attack, shared by all attacks."""


@dataclass(frozen=True)
class Attempt:
    """One attack on one concept, erased by the eraser of a label."""

    concept: str
    eraser: str
    attack: str

    @property
    def name(self) -> str:
        """Name of the cell."""
        return f"{concept_id(self.concept)}-{self.eraser}-{self.attack}"

    @property
    def erasure(self) -> Erasure:
        """The attacked erasure; None for the base."""
        return erasure_of(self.eraser, self.concept)

    def of(self) -> Measured:
        """Return the cell with its measurement and its inputs."""
        return Measured(SUITE, self.name, self.made_of, self.measured)

    def made_of(self) -> MadeOf:
        """Return the inputs of the cell."""
        erasure = MadeOf({"weights": self.erasure.weights, "eraser": UNERASED})
        if self.eraser != UNERASED:
            erasure = self.erasure.made_of()
        twin = self.erasure.twin
        plain = {
            "concept": self.concept,
            "attack": self.attack,
            "budget": BUDGETS[BUDGET].settings,
            "twin": weights_of(twin) if twin else "",
        }
        attacking = {"attack": attack_witness(self.attack)}
        return MadeOf({**erasure.plain, **plain}, {**erasure.computed, **attacking})

    def measured(self, console: Console) -> dict[str, Any]:
        """Erase, attack, and run the null controls."""
        with ProgressBars(console) as bars:
            at = self.at(bars)
            concept = at.world.concept(self.concept)
            policy = Policy.load("default").saying(judge="atelier")
            wish = AttackRequest(policy, twin=self.erasure.twin, watch=bars)
            weights = {**at.model.base, **at.weights(at.head)}
            live = {concept.name: concept}
            stage = AttackSession.set(at, wish, live, weights, BUDGETS[BUDGET])
            ground = stage.ground(concept)
            others = NullControls(stage.held_out(concept), stage.on_twin(ground))
            key = self.concept, self.eraser
            if key not in _BEFORE:
                _BEFORE[key] = stage.before(ground)
            result = contested(self.attack, ground, others, stage.easel, _BEFORE[key])
        return {"eraser": self.eraser, "budget": BUDGET, **result.row()}

    def at(self, watch: Progress) -> Session:
        """Return the attacked state."""
        if self.eraser == UNERASED:
            return _never_erased(self.erasure)
        return self.erasure.at(watch)


@cache
def _never_erased(erasure: Erasure) -> Session:
    """Return the model in a folder without an entry."""
    return erasure.place(Path(tempfile.mkdtemp()))


def cells(*concepts: str) -> Iterator[Attempt]:
    """Yield every cell of some concepts."""
    for attack, eraser, concept in product(ORDER, (*ENTRANTS, UNERASED), concepts):
        yield Attempt(concept, eraser, attack)


def main() -> None:
    """Measure missing or outdated cells; those of the late learner where it exists."""
    late = RELEARNED if has_late() else ()
    found = (*cells(*CONCEPTS), *cells(*late))
    make_missing((each.of() for each in found), __doc__)


if __name__ == "__main__":
    main()
