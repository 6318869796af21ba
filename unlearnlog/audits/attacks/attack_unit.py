"""An attack with its null controls, as a unit of work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from unlearnlog.audits.attacks.attack_evaluation import (
    AttackResult,
    AttackTarget,
    NullControls,
    SamplerAndJudge,
    UnattackedResult,
    contested,
)
from unlearnlog.audits.attacks.attack_search import (
    AttackBudget,
    AttackPictures,
    AttackSearch,
)
from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import Weights
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.models.interface import Sampling

if TYPE_CHECKING:
    from unlearnlog.workers.work_unit import Workbench


@dataclass(frozen=True)
class SentTarget:
    """A target without its model.

    Attributes:
        concept: The concept.
        sketches: Pictures of it.
        cells: Probe cells that show it.
        seed: Seed of the random numbers.
    """

    concept: Concept
    sketches: AttackPictures
    cells: tuple[ProbeCase, ...]
    seed: int

    @classmethod
    def of(cls, target: AttackTarget) -> Self:
        """Return what is sent of a target."""
        search = target.search
        return cls(search.concept, search.sketches, target.cells, search.seed)

    def on(self, model: Any, weights: Weights, budget: AttackBudget) -> AttackTarget:  # noqa: ANN401 - of the attacks' own protocol
        """Return the target on a worker's model."""
        search = AttackSearch(
            model, weights, self.concept, self.sketches, budget, seed=self.seed
        )
        return AttackTarget(search, self.cells)


@dataclass(frozen=True)
class AttackUnit:
    """One attack on one concept.

    Attributes:
        attack: Its name.
        ground: The target.
        held_out: The target of the control on a concept never learned; None for none.
        budget: The budget.
        sampling: Settings of the sampler.
        per_cell: Pictures of each cell.
        least: Share of the base's pictures that must show the concept.
        before: The answers to the target's cells without the attack.
        weights: Every text projection of the attacked state.
    """

    attack: str
    ground: SentTarget
    held_out: SentTarget | None
    budget: AttackBudget
    sampling: Sampling
    per_cell: int
    least: float
    before: UnattackedResult
    weights: Weights

    @classmethod
    def of(
        cls,
        attack: str,
        ground: AttackTarget,
        held_out: AttackTarget | None,
        easel: SamplerAndJudge,
        before: UnattackedResult,
    ) -> Self:
        """Return an attack on a target as a unit."""
        return cls(
            attack,
            SentTarget.of(ground),
            None if held_out is None else SentTarget.of(held_out),
            ground.search.budget,
            easel.sampling,
            easel.per_cell,
            easel.least,
            before=before,
            weights=ground.search.weights,
        )

    @property
    def size(self) -> int:
        """One attack."""
        return 1

    def computed(self, bench: Workbench, tell: Callable[[int], None]) -> AttackResult:
        """Return the result of the attack and of its controls."""
        assert bench.judge is not None
        easel = SamplerAndJudge(bench.judge, self.sampling, self.per_cell, self.least)
        around = bench.model, self.weights, self.budget
        other = self.held_out
        held_out = None if other is None else other.on(*around)
        found = contested(
            self.attack,
            self.ground.on(*around),
            NullControls(held_out),
            easel,
            self.before,
        )
        tell(self.size)
        return found
