"""MACE without its LoRA: a refinement of each concept by itself, then their fusion.

For each concept k, with e a token of a prompt that names it, g its target's, p kept
tokens, W a projection ``[d_out, d_text]``:

    W_k = argmin  lamb ||W_k - W||^2 + es sum_k ||W_k e - W g||^2
                  + ps sum ||W_k p - W p||^2

and all of them are fused into one, which maps each concept's tokens as its own W_k:

    W'  = argmin  lamb ||W' - W||^2 + es sum_k sum ||W' e - W_k e||^2
                  + ps sum ||W' p - W p||^2

Both are the ridge edit of `uce`: W_k is W T_k, so W_k e is W applied to the token
T_k e, and the fusion is an edit that sends e to T_k e.

Left out is the LoRA that the method trains for each concept under masks from a
segmentation model. It is what erases the name itself, so by default the name's tokens
are refined here as well: that is ours. ``span = "around"`` refines what is published,
the words around the name and the padding.

Source:
    MACE, https://arxiv.org/abs/2403.06135. Its settings differ by task, from lamb = 0
    with ps = 1e-4 (faces) to lamb = 10 (objects). The same weights in both steps, kept
    prompts in place of captions of COCO, and the defaults are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch

from unlearnlog.erasers.closed_form import Change, Problem, written
from unlearnlog.erasers.concept_texts import Reach
from unlearnlog.erasers.eraser import Scalar
from unlearnlog.erasers.tokens import TokenPairs
from unlearnlog.erasers.uce import RidgeEdit


@final
@dataclass(frozen=True)
class Mace(RidgeEdit):
    """A refinement of each concept by itself, then a fusion of the solutions.

    Attributes:
        target: What replaces the concept.
        span: Which tokens of the prompts take part; ``around`` is what is published.
        n_prompts: Prompts of each concept, 0 for all of them.
        touch: Which projections change.
        erase_scale: Weight of each concept, es.
        keep_scale: Weight of each kept prompt, ps.
        ridge: Weight of the base's projections, lamb.
        fuse: Whether the solutions are fused; else all are refined at once, which is
            what the published fusion comes to without its LoRA.
    """

    name: ClassVar[str] = "mace"
    source: ClassVar[str] = "https://arxiv.org/abs/2403.06135"
    before: ClassVar[Mapping[str, Scalar]] = {**RidgeEdit.before, "fuse": True}

    span: Reach = "all"
    erase_scale: float = 100.0
    fuse: bool = True

    def changes(self, problem: Problem) -> Iterator[tuple[str, Change]]:
        """Yield W times one matrix, for each projection W."""
        if not self.fuse:
            yield from super().changes(problem)
            return
        yield from super().changes(replace(problem, pairs=self.refined(problem)))

    def refined(self, problem: Problem) -> TokenPairs:
        """Return the pairs with goals from each concept's own edit."""
        goals = []
        for pairs in problem.pairs.each():
            edit = self.edit(replace(problem, pairs=pairs))
            goals.append(pairs.erased + pairs.erased @ written(edit).T)
        return replace(problem.pairs, goal=torch.cat(goals))
