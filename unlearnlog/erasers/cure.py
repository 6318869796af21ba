"""CURE: removal from the projections of what erased prompts span and kept ones do not.

With the singular value decomposition E = U diag(s) V^T of tokens ``[m, d_text]``, one
for erased prompts (f) and one for kept ones (r):

    r_i = s_i^2 / sum_j s_j^2
    f_i = alpha r_i / ((alpha - 1) r_i + 1)
    P   = V diag(f) V^T                                          [d_text, d_text]
    W'  = W (I - (P_f - P_f P_r))

With alpha = 1, f is the share r of the energy and sums to 1 over all directions: many
tokens, each weakly removed. As alpha grows f goes to 1 for every direction there is,
not for the first alone, and P to the projection on the span.

No target is in the equations: what is left of an erased prompt is what kept ones span.
The target only decides which pictures to compare with.

Source:
    CURE, https://arxiv.org/abs/2505.12677. Its alpha is 2 (5 for nudity), the same for
    both. That each concept's tokens weigh 1 in all, an alpha of their own for kept
    prompts, the least share a direction has, and the defaults are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from unlearnlog.erasers.closed_form import Change, ClosedForm, Factors, Problem
from unlearnlog.erasers.concept_texts import Reach
from unlearnlog.erasers.tokens import Tokens
from unlearnlog.errors import PolicyError, TrainingError


@final
@dataclass(frozen=True)
class Cure(ClosedForm):
    """Removal of the directions of erased tokens from keys and values.

    Attributes:
        target: What replaces the concept, for comparison; no equation has it.
        span: Which tokens of the prompts take part.
        n_prompts: Prompts of each concept, 0 for all of them.
        touch: Which projections change.
        alpha: How fully directions of erased prompts are removed, 1 or more.
        keep_alpha: How fully those of kept prompts are spared, 1 or more.
        least: Share of the energy below which a direction is in no span.
    """

    name: ClassVar[str] = "cure"
    source: ClassVar[str] = "https://arxiv.org/abs/2505.12677"
    needs: ClassVar[tuple[str, ...]] = ("kept prompts",)
    knob: ClassVar[str] = "alpha"

    span: Reach = "all"
    alpha: float = 1000.0
    keep_alpha: float = 1000.0
    least: float = 1e-6

    def check(self) -> None:
        """Refuse invalid settings, an alpha below 1, and a least share of 1 or more."""
        super().check()
        for name in ("alpha", "keep_alpha"):
            if (value := getattr(self, name)) < 1:
                raise PolicyError(f"cure's {name} is {value}", fix="give 1 or more")
        if self.least >= 1:
            raise PolicyError(
                f"cure's least is {self.least}", fix="give a share, below 1"
            )

    def changes(self, problem: Problem) -> Iterator[tuple[str, Change]]:
        """Yield -W P_f (I - P_r), for each projection W."""
        gone, f = self.spanned(problem.pairs.tokens, self.alpha)
        stays, spared = self.spanned(problem.kept, self.keep_alpha)
        if len(gone) == problem.d_text:
            raise TrainingError(
                f"the erased prompts span all {problem.d_text} directions of text "
                "space: cure would leave nothing",
                fix=f"raise the eraser's least, now {self.least}, in the policy, or "
                "take fewer n_prompts",
            )
        left = gone.T * f
        right = gone - (gone @ stays.T * spared) @ stays
        for name, old in problem.old.items():
            yield name, Factors(-(old @ left), right)

    def spanned(self, tokens: Tokens, alpha: float) -> tuple[Tensor, Tensor]:
        """Return the directions of tokens, with the degree of each one's removal.

        Returns:
            V transposed, ``[k, d_text]``, and f, ``[k]``.
        """
        energy, directions = torch.linalg.eigh(tokens.moment)
        share = energy / energy.sum().clamp(min=torch.finfo(energy.dtype).tiny)
        held = share > self.least
        r = share[held]
        return directions.T[held], alpha * r / ((alpha - 1) * r + 1)
