"""Attacks on erasures: what each brings back, beside its null controls.

Each cell is one attack after one concept on one state: erased on the base by one
eraser, or the base itself. A cell is a file; one that is there is left alone while the
weights, the eraser's own code and the attacks' are the same. The bundled model has no
twin here: the row says so.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks.__main__ import RESULTS
from benchmarks.files import CellFile, make_missing
from unlearnlog.atelier.studio import base_answers
from unlearnlog.audits.attack import BUDGETS
from unlearnlog.audits.attacks import ATTACKS
from unlearnlog.audits.contest import Others, contested
from unlearnlog.concept import concept_id
from unlearnlog.delta import Weights, state_after
from unlearnlog.digest import canonical_json, digest_of
from unlearnlog.policy import Policy
from unlearnlog.report.terminal import Bars
from unlearnlog.resources import PACKAGE
from unlearnlog.run import erase
from unlearnlog.run.attack import Stage, Wish
from unlearnlog.run.place import Place, place

FOLDER: Final = RESULTS / "attacks"
CONCEPTS: Final = ("Picasso", "cat")
ERASERS: Final = ("ridge", "uce", "mim", "base")
"""Who erased it; ``base`` for nobody, the upper bound."""

BUDGET: Final = "small"

_PLAIN: Final[dict[tuple[str, str], tuple[bool, ...]]] = {}
"""What each state shows without an attack, so that no two attacks paint it."""


@dataclass(frozen=True)
class Attempt:
    """One attack after one concept that one eraser erased."""

    concept: str
    eraser: str
    attack: str

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{concept_id(self.concept)}-{self.eraser}-{self.attack}"

    def file(self) -> CellFile:
        """Return its file."""
        return CellFile(FOLDER / f"{self.name}.json", self.made_of, self.measured)

    def made_of(self) -> dict[str, str]:
        """Return digests of the weights and of everything that decides its results."""
        files = [
            *(f"audits/{name}" for name in (self.attack, "attack", "contest")),
            "audits/sketching",
            *([] if self.eraser == "base" else [f"erasers/{self.eraser}"]),
        ]
        code = [digest_of((PACKAGE / f"{name}.py").read_bytes()) for name in files]
        said = [self.concept, self.eraser, self.attack, BUDGETS[BUDGET].settings]
        return {
            "weights": base_answers().root,
            "code": digest_of(canonical_json([code, said])),
        }

    def measured(self, console: Console) -> dict[str, Any]:
        """Erase, attack, and try the null controls."""
        at = studio()
        concept, policy = at.world.concept(self.concept), Policy.load("default")
        weights = erased(self.concept, self.eraser)
        with Bars(console) as bars:
            wish = Wish(policy, watch=bars)
            live = {concept.name: concept}
            stage = Stage.set(at, wish, live, weights, BUDGETS[BUDGET])
            ground = stage.ground(concept)
            others = Others(stage.held_out(concept))
            key = self.concept, self.eraser
            if key not in _PLAIN:
                shown = stage.easel.shown(ground.search, None, ground.cells)
                _PLAIN[key] = shown
            plain = _PLAIN[key]
            result = contested(self.attack, ground, others, stage.easel, plain)
        row = result.row()
        return {"eraser": self.eraser, "budget": BUDGET, "twin": "none", **row}


@cache
def studio() -> Place:
    """Return the bundled model, in a folder without a ledger."""
    return place(Path(tempfile.mkdtemp()), may_create=True)


@cache
def erased(concept: str, eraser: str) -> Weights:
    """Return every text projection after an erasure with the eraser's own defaults."""
    at = studio()
    if eraser == "base":
        return dict(at.model.base)
    policy = Policy.load("default").saying(eraser=eraser)
    order = erase.Order((at.world.concept(concept),), policy)
    plan = erase.plan_of(at, order)
    delta = plan.eraser.erase(plan.request)
    return {**at.model.base, **state_after(at.model.base, [delta])}


def cells() -> list[Attempt]:
    """Return every cell; what is cheap and what decides comes first."""
    order = ("recovery", "inversion", "prefix")
    assert {*order} == {*ATTACKS}
    return [
        Attempt(concept, eraser, attack)
        for attack in order
        for eraser in ERASERS
        for concept in CONCEPTS
    ]


def main() -> None:
    """Make what is missing or out of date."""
    make_missing((each.file() for each in cells()), __doc__)


if __name__ == "__main__":
    main()
