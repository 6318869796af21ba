"""Unified Concept Editing: one ridge solve that moves some tokens and holds others.

For each projection W, with c the tokens of erased prompts, g those of their targets, p
kept tokens:

    W' = argmin  lamb ||W' - W||^2 + es sum ||W' c - W g||^2 + ps sum ||W' p - W p||^2
       = W (lamb I + es sum g c^T + ps sum p p^T) K^-1,
    K  = lamb I + es sum c c^T + ps sum p p^T

so W' - W = W (es sum (g - c) c^T K^-1): one matrix for all projections. With one token
a concept it has the rank of the number of concepts, and few of them are stored as
factors.

Source:
    https://arxiv.org/abs/2308.14761; ps and lamb as in its released settings. Theirs
    are names, not prompts, each token weighing 1: ``preset=official``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

from unlearnlog.erasers.closed_form import (
    Change,
    ClosedForm,
    Factors,
    Problem,
    after,
    solved,
)
from unlearnlog.erasers.concept_texts import Reach


@dataclass(frozen=True)
class RidgeEdit(ClosedForm):
    """Ridge regression of tokens around the base's projections.

    Attributes:
        target: What replaces the concept.
        span: Which tokens of the prompts take part.
        n_prompts: Prompts of each concept, 0 for all of them.
        touch: Which projections change.
        erase_scale: Weight of each concept, es.
        keep_scale: Weight of each kept prompt, ps.
        ridge: Weight of the base's projections, lamb.
    """

    knob: ClassVar[str] = "erase_scale"

    erase_scale: float = 1.0
    keep_scale: float = 1.0
    ridge: float = 0.5

    def changes(self, problem: Problem) -> Iterator[tuple[str, Change]]:
        """Yield W times one matrix, for each projection W."""
        edit = self.edit(problem)
        for name, old in problem.old.items():
            yield name, after(old, edit)

    def edit(self, problem: Problem) -> Change:
        """Return ``es sum (g - c) c^T K^-1``, ``[d, d]``, as factors if these are few.

        Above half the width of a token factors take more time than the product.
        """
        pairs = problem.pairs
        kept = self.keep_scale * problem.kept.moment
        system = self.ridge * problem.one + self.erase_scale * pairs.tokens.moment
        system = system + kept
        if 2 * len(pairs.erased) <= problem.d_text:
            left = self.erase_scale * pairs.weights * (pairs.goal - pairs.erased).T
            return Factors(left, solved(system, pairs.erased, self.name))
        moved = self.erase_scale * (pairs.cross - pairs.tokens.moment)
        return solved(system, moved, self.name)


@final
@dataclass(frozen=True)
class Uce(RidgeEdit):
    """A ridge edit that sends a name's last token and all behind it to its target's.

    The span is as published. By default the tokens are those of prompts that name the
    concept, not of its names alone, and a concept's weigh 64 in all.
    """

    name: ClassVar[str] = "uce"
    source: ClassVar[str] = "https://arxiv.org/abs/2308.14761"

    span: Reach = "tail"
    erase_scale: float = 64.0
