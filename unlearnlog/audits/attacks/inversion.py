"""Textual inversion: a vector in the name's place, learnt from pictures of the concept.

With c(v) a prompt with a token of the embedding v in place of the name, and eps the
erased model:

    v* = argmin_v  E_{x, t, noise} || noise - eps(x_t, t, c(v)) ||^2.

Source:
    Gal et al., "An Image is Worth One Word", 2022, https://arxiv.org/abs/2208.01618; as
    an attack on erased models, Pham et al., 2023, https://arxiv.org/abs/2308.01508.
    The first candidate starts from the concept's own name, the others from other words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import torch

from unlearnlog.audits.attacks.attack_search import (
    Attack,
    AttackSearch,
    FoundAttack,
    NoisedPictures,
    denoising_loss,
    names_of,
    typical_length,
    with_mark,
)
from unlearnlog.models.textual_inversion import MARK

if TYPE_CHECKING:
    from torch import Tensor

    from unlearnlog.core.delta import Weights
    from unlearnlog.models.interface import Text
    from unlearnlog.models.textual_inversion import VectorPromptModel, Vectors


@final
@dataclass(frozen=True)
class Inversion(Attack):
    """A token with a learnt vector.

    Source:
        https://arxiv.org/abs/2208.01618.
    """

    name: ClassVar[str] = "inversion"
    source: ClassVar[str] = "https://arxiv.org/abs/2208.01618"

    def found(self, search: AttackSearch) -> Iterator[FoundAttack]:
        """Yield a vector for each start."""
        for restart in range(search.budget.restarts):
            source = search.source(restart)
            start = _start(search, restart, source)
            yield _finding(search, _learnt(search, start, source))

    def chance(self, search: AttackSearch, like: FoundAttack) -> Iterator[FoundAttack]:
        """Yield vectors of the same length in random directions."""
        wanted = _vectors(like)
        for restart in range(search.budget.restarts):
            source = search.source(-1 - restart)
            drawn = [torch.randn(each.shape, generator=source) for each in wanted]
            yield _finding(
                search,
                tuple(
                    each * (own.norm() / each.norm())
                    for each, own in zip(drawn, wanted, strict=True)
                ),
            )

    def texts(
        self,
        finding: FoundAttack,
        model: VectorPromptModel,
        prompts: Sequence[str],
        weights: Weights | None,
    ) -> Text:
        """Return prompts encoded with the vector in the name's place."""
        marked = [with_mark(prompt, finding.names, MARK) for prompt in prompts]
        return model.encode_with(marked, _vectors(finding), weights=weights)


def _start(search: AttackSearch, restart: int, source: torch.Generator) -> Vectors:
    """Return the mean of the name's own vectors, or a random word's."""
    known = search.model.vocabulary
    ids = known.of_name(search.concept.name)
    if restart or not ids:
        chosen = torch.randint(len(known.words), (1,), generator=source)
        ids = [int(known.words[chosen])]
    return tuple(table[ids].mean(0, keepdim=True) for table in known.tables)


def _learnt(search: AttackSearch, start: Vectors, source: torch.Generator) -> Vectors:
    """Return the vectors after gradient descent on the denoising loss."""
    budget, prompts = search.budget, search.sketches.prompts
    known = search.model.vocabulary
    vectors = [each.clone().requires_grad_() for each in start]
    lengths = typical_length(known.tables, known.words)
    groups = [
        # Adam moves each number by about the rate, so a vector by rate * sqrt(width).
        {"params": [each], "lr": budget.rate * length / each.shape[1] ** 0.5}
        for each, length in zip(vectors, lengths, strict=True)
    ]
    optimizer = torch.optim.Adam(groups)
    marked = [with_mark(text, names_of(search.concept), MARK) for text in prompts]
    search.watch.stage("inverting", budget.steps)
    for _ in range(budget.steps):
        drawn = NoisedPictures.drawn(search, budget.batch, source)
        asked, places = drawn.rows.unique(return_inverse=True)
        text = search.model.encode_with(
            [marked[int(i)] for i in asked], tuple(vectors), weights=search.weights
        )
        loss = denoising_loss(search, text[places], drawn.rows, drawn.noise, drawn.t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        search.watch.advance(1, {"loss": float(loss.detach())})
    return tuple(each.detach() for each in vectors)


def _finding(search: AttackSearch, vectors: Sequence[Tensor]) -> FoundAttack:
    tensors = {f"vectors.{i}": each.float() for i, each in enumerate(vectors)}
    return FoundAttack(Inversion.name, names_of(search.concept), tensors)


def _vectors(finding: FoundAttack) -> Vectors:
    return tuple(finding.tensors[name] for name in sorted(finding.tensors))
