"""Adversarial prefix: a few tokens before the erased prompt, found by gradients.

The loss is that of textual inversion, on the erased prompts themselves with the tokens
before them. In each round its gradient at the tokens' vectors ranks, to first order,
each known token in each place; the most promising swaps are tried, and the best is
taken if it lowers the loss. The noised pictures are the same in all rounds, so the loss
never rises.

Source:
    Zhang et al., "To Generate or Not?", UnlearnDiffAtk, 2023,
    https://arxiv.org/abs/2310.11868: 3 to 5 tokens, 40 rounds, the model itself as its
    classifier. There a relaxed choice of tokens is descended and projected; the swap
    that the gradient proposes is Ebrahimi et al., "HotFlip", 2018,
    https://arxiv.org/abs/1712.06751.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, final

import torch

from unlearnlog.audits.attacks.attack_search import (
    Attack,
    AttackSearch,
    FoundAttack,
    NoisedPictures,
    denoising_loss,
    names_of,
)
from unlearnlog.models.textual_inversion import MARK

if TYPE_CHECKING:
    from torch import Tensor

    from unlearnlog.core.delta import Weights
    from unlearnlog.models.interface import Text
    from unlearnlog.models.textual_inversion import VectorPromptModel, Vectors


@final
@dataclass(frozen=True)
class Prefix(Attack):
    """Known tokens before the prompt.

    Source:
        https://arxiv.org/abs/2310.11868.
    """

    name: ClassVar[str] = "prefix"
    source: ClassVar[str] = "https://arxiv.org/abs/2310.11868"

    def found(self, search: AttackSearch) -> Iterator[FoundAttack]:
        """Yield the tokens found from each random start."""
        for restart in range(search.budget.restarts):
            source = search.source(restart)
            drawn = NoisedPictures.drawn(search, search.budget.bank, source)
            yield _finding(search, _searched(search, _random(search, source), drawn))

    def chance(self, search: AttackSearch, like: FoundAttack) -> Iterator[FoundAttack]:  # noqa: ARG002
        """Yield as many random tokens."""
        for restart in range(search.budget.restarts):
            yield _finding(search, _random(search, search.source(-1 - restart)))

    def texts(
        self,
        finding: FoundAttack,
        model: VectorPromptModel,
        prompts: Sequence[str],
        weights: Weights | None,
    ) -> Text:
        """Return prompts encoded behind the tokens."""
        vectors = model.vocabulary.vectors(finding.tensors["tokens"])
        return model.encode_with(_behind(prompts), vectors, weights=weights)


def loss_of(search: AttackSearch, ids: Tensor, drawn: NoisedPictures) -> float:
    """Return the denoising loss of the erased prompts behind some tokens ``[k]``."""
    with torch.no_grad():
        return float(_loss(search, search.model.vocabulary.vectors(ids), drawn))


def promise(vectors: Vectors, search: AttackSearch) -> Tensor:
    """Return the fall of the loss by each swap, to first order, ``[k, n_words]``.

    Args:
        vectors: The tokens' vectors, with gradients.
        search: The inputs of the attack, for the vocabulary.
    """
    known = search.model.vocabulary
    total = torch.zeros(len(vectors[0]), len(known.words))
    for own, table in zip(vectors, known.tables, strict=True):
        assert own.grad is not None
        there = own.grad @ table[known.words].T
        total += (own.grad * own.detach()).sum(1, keepdim=True) - there
    return total


def _searched(search: AttackSearch, ids: Tensor, drawn: NoisedPictures) -> Tensor:
    budget, known = search.budget, search.model.vocabulary
    search.watch.stage("searching a prefix", budget.rounds)
    best = loss_of(search, ids, drawn)
    tried = {tuple(ids.tolist())}
    for _ in range(budget.rounds):
        vectors = tuple(v.clone().requires_grad_() for v in known.vectors(ids))
        _loss(search, vectors, drawn).backward()
        swaps = _swaps(promise(vectors, search), ids, known.words, tried)
        for candidate in islice(swaps, budget.swaps):
            tried.add(tuple(candidate.tolist()))
            if (loss := loss_of(search, candidate, drawn)) < best:
                best, ids = loss, candidate
        search.watch.advance(1, {"loss": best})
    return ids


def _swaps(
    scores: Tensor, ids: Tensor, words: Tensor, tried: set[tuple[int, ...]]
) -> Iterator[Tensor]:
    """Yield the tokens with one of them swapped, most promising first, once each."""
    for place in scores.flatten().argsort(descending=True).tolist():
        row, word = divmod(place, len(words))
        swapped = ids.clone()
        swapped[row] = words[word]
        if tuple(swapped.tolist()) not in tried:
            yield swapped


def _loss(search: AttackSearch, vectors: Vectors, drawn: NoisedPictures) -> Tensor:
    asked, places = drawn.rows.unique(return_inverse=True)
    prompts = [search.sketches.prompts[int(i)] for i in asked]
    text = search.model.encode_with(_behind(prompts), vectors, weights=search.weights)
    return denoising_loss(search, text[places], drawn.rows, drawn.noise, drawn.t)


def _behind(prompts: Sequence[str]) -> list[str]:
    return [f"{MARK} {prompt}" for prompt in prompts]


def _random(search: AttackSearch, source: torch.Generator) -> Tensor:
    words = search.model.vocabulary.words
    drawn = torch.randint(len(words), (search.budget.tokens,), generator=source)
    return words[drawn]


def _finding(search: AttackSearch, ids: Tensor) -> FoundAttack:
    return FoundAttack(Prefix.name, names_of(search.concept), {"tokens": ids})
