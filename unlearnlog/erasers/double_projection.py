"""Double projection: a projected target, reached in directions kept prompts leave free.

For each projection W, with the columns of C the tokens of erased prompts:

    W' - W = W (C* - C) X^+ U2^T,    X = U2^T C

C* is the first projection: each erased token's nearest point in the span of its own
concept's target tokens, ``c* = S (S^T S)^+ S^T c``. U2 is the second: an orthonormal
basis of the directions in which kept tokens have no more than a share ``leak`` of their
energy, taken from the weakest on. So where X has full column rank W' c = W c* exactly,
and W' = W on the rest of the kept tokens' span.

Tokens are weighed by their concepts' weights, which matters only where X has no full
column rank. Erased tokens that are equal there, or collinear, share one direction: they
get the weighted least squares solution, for equal tokens the mean of their targets.
Directions of X below a share ``distinct`` of its largest count as nothing.

Source:
    https://arxiv.org/abs/2604.10032, by its published description: the form for one
    token, ``W (c* - c) x^T U2^T / ||x||^2``. Several at once, that the target's own
    tokens are the span, and the numbers are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from unlearnlog.erasers.closed_form import Change, ClosedForm, Factors, Problem
from unlearnlog.erasers.token_spans import span
from unlearnlog.errors import TrainingError


@final
@dataclass(frozen=True)
class DoubleProjection(ClosedForm):
    """An exact edit of each erased token to its projection onto its target's tokens.

    Attributes:
        target: What replaces the concept.
        span: Which tokens of the prompts take part.
        n_prompts: Prompts of each concept, 0 for all of them.
        touch: Which projections change.
        leak: Share of the kept tokens' energy in directions that may change.
        distinct: Share of the largest below which a direction of tokens is rounding.
        strength: Share of the way to the target.
    """

    name: ClassVar[str] = "double-projection"
    source: ClassVar[str] = "https://arxiv.org/abs/2604.10032"
    knob: ClassVar[str] = "leak"

    leak: float = 1e-3
    distinct: float = 0.1
    strength: float = 1.0

    def check(self) -> None:
        """Refuse invalid settings, and shares that are not below 1."""
        super().check()
        self.require_below_one("leak", "distinct")

    def changes(self, problem: Problem) -> Iterator[tuple[str, Change]]:
        """Yield each projection's change: W times one matrix."""
        left, right = self.edit(problem)
        few = left.shape[1] < problem.d_text
        edit = problem.one if few else left @ right
        for name, old in problem.old.items():
            yield name, Factors(old @ left, right) if few else old @ edit

    def edit(self, problem: Problem) -> tuple[Tensor, Tensor]:
        """Return factors of ``(C* - C) X^+ U2^T``, ``[d_text, m]`` and ``[m, d_text]``.

        Raises:
            TrainingError: There is no direction to change, or none would be left.
        """
        free, pairs = self.free(problem), problem.pairs
        root = pairs.weights.sqrt()
        seen = free.T @ (pairs.erased.T * root)  # X, [k, m]
        left, sizes, right = torch.linalg.svd(seen, full_matrices=False)
        used = sizes > self.distinct * sizes[:1]
        self._refuse_saturated(problem, seen, (int(used.sum()), free.shape[1]))
        inverse = (right[used].T / sizes[used]) @ left[:, used].T  # X^+, [m, k]
        moved = (self.aims(problem) - pairs.erased).T * root
        return self.strength * moved, inverse @ free.T

    def aims(self, problem: Problem) -> Tensor:
        """Return each erased token's nearest point in its target's span, ``[m, d]``."""
        found = torch.empty_like(problem.pairs.erased)
        for i, pairs in enumerate(problem.pairs.each()):
            safe = span(pairs.goal.T, self.distinct)
            found[problem.pairs.owner == i] = pairs.erased @ safe @ safe.T
        return found

    def free(self, problem: Problem) -> Tensor:
        """Return U2: the weakest directions of kept tokens, ``[d_text, k]``.

        Raises:
            TrainingError: Even the weakest has more than its share of the energy.
        """
        energies, vectors = torch.linalg.eigh(problem.kept.moment)
        summed = energies.clamp(min=0).cumsum(0)
        free = summed <= self.leak * summed[-1]
        if not free.any():
            raise TrainingError(
                "kept prompts use every direction of text, in all layers: the weakest "
                f"holds {float(summed[0] / summed[-1]):.2g} of their energy",
                fix=f"give double-projection a larger leak than {self.leak} in the "
                "policy, or fewer kept prompts",
            )
        found: Tensor = vectors[:, free]
        return found

    def _refuse_saturated(
        self, problem: Problem, seen: Tensor, sizes: tuple[int, int]
    ) -> None:
        used, free = sizes
        if used == free:
            raise TrainingError(
                f"the erased tokens use all {free} directions that kept prompts leave, "
                "in all layers",
                fix=f"give double-projection a larger leak than {self.leak} in the "
                "policy, or erase fewer concepts at once",
            )
        own = problem.pairs.erased.T * problem.pairs.weights.sqrt()
        for i in range(int(problem.pairs.owner.max()) + 1):
            mine = problem.pairs.owner == i
            if float(seen[:, mine].norm()) <= 1e-9 * float(own[:, mine].norm()):
                raise TrainingError(
                    f"concept {i + 1} lies in what kept prompts use, in all layers: "
                    "no direction is left to change it by",
                    fix=f"give double-projection a larger leak than {self.leak} in the "
                    "policy, or leave its look-alikes out of the kept prompts",
                )
