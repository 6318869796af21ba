"""RECE: rounds of a search for tokens that recall the concept, and their erasure.

With W_l the projections as they are, B_l the base's, c a token of an erased prompt, g
its target's, a round searches for the token c' that comes nearest in the W_l to c in
the B_l, and sends it to g by a ridge edit (`uce`) of the W_l:

    c'  = argmin_x  sum_l ||W_l x - B_l c||^2 + nu ||x||^2
        = (nu I + sum_l W_l^T W_l)^-1 (sum_l W_l^T B_l) c
    W_l <- W_l + W_l es sum (g - c') c'^T K^-1,
    K   = lamb I + es sum c' c'^T + ps sum p p^T,   p kept tokens.

Shapes: W_l, B_l ``[d_out, d_text]``, tokens ``[d_text]``. Before anything is erased c'
is c but for nu, so the first round is an edit by `uce` with these weights; the authors'
program begins with one by its own (``begins = "uce"``).

The method is greedy: what a round finds depends on the rounds before it, and the first
one starts from the ledger's head. So it is no function of the set of erased concepts,
and its entries are replayed in their order.

Source:
    RECE, https://arxiv.org/abs/2407.12383. Published are nu = 0.1 (0.001 for styles and
    hard objects), es = 1, lamb = ps = 0.1, one to three rounds, on all tokens of a name
    alone, each weighing 1: ``preset=official``. Tokens of prompts from the name on, a
    concept's weighing 1 in all, are ours. With a large es (100) a round undoes what the
    one before it did to c itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Literal, final

import torch
from torch import Tensor

from unlearnlog.core.delta import Delta, merged, state_after
from unlearnlog.erasers.closed_form import (
    Change,
    Problem,
    after,
    solved,
    together,
    written,
)
from unlearnlog.erasers.concept_texts import Reach
from unlearnlog.erasers.eraser import Request, Scalar, fits
from unlearnlog.erasers.uce import RidgeEdit, Uce

Begins = Literal["alike", "uce"]

BEGINS: Final[tuple[Begins, ...]] = ("alike", "uce")
"""The first edit: a round like the others, or the edit of `uce`."""


@final
@dataclass(frozen=True)
class Rece(RidgeEdit):
    """Rounds of ridge edits, each of the tokens that still recall the concept.

    Attributes:
        target: What replaces the concept.
        span: Which tokens of the prompts take part.
        n_prompts: Prompts of each concept, 0 for all of them.
        touch: Which projections change.
        erase_scale: Weight of each concept, es.
        keep_scale: Weight of each kept prompt, ps.
        ridge: Weight of the projections as they are, lamb.
        recall_ridge: Weight of the size of the token that is searched for, nu.
        rounds: Rounds of search and erasure.
        begins: Whether an edit of `uce` comes before the rounds, as published: ``uce``;
            or nothing: ``alike``.
    """

    name: ClassVar[str] = "rece"
    source: ClassVar[str] = "https://arxiv.org/abs/2407.12383"
    joint: ClassVar[bool] = False
    before: ClassVar[Mapping[str, Scalar]] = {**RidgeEdit.before, "begins": "alike"}

    span: Reach = "all"
    keep_scale: float = 0.1
    ridge: float = 0.1
    recall_ridge: float = 0.1
    rounds: int = 2
    begins: Begins = "alike"

    def check(self) -> None:
        """Refuse invalid settings and an unknown beginning."""
        super().check()
        self.require("begins", known=BEGINS)

    @property
    def beginning(self) -> Uce:
        """The first edit of the authors' program, with the weights of kept texts."""
        return Uce(
            self.target,
            texts=self.texts,
            weigh=self.weigh,
            keeps=self.keeps,
            where=self.where,
            erase_scale=1.0,
            keep_scale=1.0 if self.keeps == "empty" else 0.1,
        )

    def erase(self, request: Request) -> Delta:
        """Return the sum of the first edit, if there is one, and all rounds."""
        if self.begins == "alike":
            return super().erase(request)
        first = self.beginning.erase(request)
        weaker = "lower rece's erase_scale in the policy"
        with fits(self.name, weaker):
            old = {**request.old, **state_after(request.old, [first])}
        then = super().erase(replace(request, old=old))
        with fits(self.name, weaker):
            return merged([first, then])

    def changes(self, problem: Problem) -> Iterator[tuple[str, Change]]:
        """Yield the sum of all rounds' changes to each projection."""
        new = dict(problem.old)
        found: dict[str, list[Change]] = {name: [] for name in new}
        for _ in range(self.rounds):
            edit = self.round(replace(problem, old=new))
            for name, change in edit.items():
                found[name].append(change)
                new[name] = new[name] + written(change)
        for name, rounds in found.items():
            yield name, together(rounds)

    def round(self, now: Problem) -> dict[str, Change]:
        """Return one round's change to each projection of ``now.old``."""
        recalled = self.recalled(now.old, now.base, now.pairs.erased)
        pairs = replace(now.pairs, erased=recalled)
        edit = self.edit(replace(now, pairs=pairs))
        return {name: after(old, edit) for name, old in now.old.items()}

    def recalled(
        self, now: Mapping[str, Tensor], base: Mapping[str, Tensor], said: Tensor
    ) -> Tensor:
        """Return the tokens nearest now to other tokens in the base.

        Args:
            now: The projections as they are, float64.
            base: The same before anything was erased.
            said: Tokens ``[m, d_text]``.

        Returns:
            Float64 ``[m, d_text]``.

        Raises:
            TrainingError: More than one token is nearest, to float64's precision.
        """
        system = self.recall_ridge * torch.eye(said.shape[1]).double()
        cross = torch.zeros_like(system)
        for name, new in now.items():
            system += new.T @ new
            cross += new.T @ base[name].double()
        return solved(system, said @ cross.T, f"{self.name}'s search")
