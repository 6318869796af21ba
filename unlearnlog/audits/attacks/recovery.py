"""Closed-form recovery: a map to tokens that the erased projections take as before.

With W_l the text projections of the erased state, B_l the base's and c an encoded
token:

    c' = argmin_x  sum_l ||W_l x - B_l c||^2 + nu ||x||^2,

which is linear in c: one map for every token of every prompt. It needs no training and
no picture.

Source:
    The search of RECE, https://arxiv.org/abs/2407.12383, used as an attack; see
    `unlearnlog.erasers.rece`. Candidates differ by nu.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, final

import torch

from unlearnlog.audits.attacks.attack_search import (
    Attack,
    AttackSearch,
    FoundAttack,
    names_of,
)
from unlearnlog.erasers.rece import Rece
from unlearnlog.models.interface import Text

if TYPE_CHECKING:
    from torch import Tensor

    from unlearnlog.core.delta import Weights
    from unlearnlog.models.textual_inversion import VectorPromptModel

RIDGES: Final = (1e-3, 1e-1, 1e-5)
"""The size's weight nu of each candidate; the first two are RECE's."""


@final
@dataclass(frozen=True)
class Recovery(Attack):
    """A map of encoded tokens that undoes the change of the projections.

    Source:
        https://arxiv.org/abs/2407.12383.
    """

    name: ClassVar[str] = "recovery"
    source: ClassVar[str] = "https://arxiv.org/abs/2407.12383"

    def found(self, search: AttackSearch) -> Iterator[FoundAttack]:
        """Yield a map for each ridge."""
        base = search.model.base
        now = {n: search.weights[n].double() for n in base if n in search.weights}
        search.watch.stage("solving", search.budget.restarts)
        for restart in range(search.budget.restarts):
            one = torch.eye(search.model.d_text).double()
            form = Rece(recall_ridge=RIDGES[restart % len(RIDGES)])
            yield _finding(search, form.recalled(now, base, one))
            search.watch.advance(1, {})

    def chance(self, search: AttackSearch, like: FoundAttack) -> Iterator[FoundAttack]:
        """Yield maps that move each token as far, in random directions."""
        one = torch.eye(search.model.d_text).double()
        moved = like.tensors["map"].double() - one
        for restart in range(search.budget.restarts):
            source = search.source(-1 - restart)
            drawn = torch.randn(one.shape, generator=source, dtype=torch.float64)
            yield _finding(search, one + moved @ torch.linalg.qr(drawn).Q)

    def texts(
        self,
        finding: FoundAttack,
        model: VectorPromptModel,
        prompts: Sequence[str],
        weights: Weights | None,
    ) -> Text:
        """Return prompts encoded, with every token mapped."""
        encoded = model.encode(prompts, weights=weights)
        return Text(encoded.tokens @ finding.tensors["map"], encoded.pooled)


def _finding(search: AttackSearch, mapped: Tensor) -> FoundAttack:
    tensors = {"map": mapped.float()}
    return FoundAttack(Recovery.name, names_of(search.concept), tensors)
