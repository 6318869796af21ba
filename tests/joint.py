"""A joint eraser that is a pure function of the set of concepts, and cheap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import torch

from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import Delta
from unlearnlog.core.digest import digest_of
from unlearnlog.core.patch import LowRank
from unlearnlog.core.prompt import Target
from unlearnlog.erasers.eraser import Eraser, Request, Work
from unlearnlog.models.interface import Sampling


@dataclass(frozen=True)
class Together(Eraser):
    """Adds a term for each concept, and a smaller one for each pair of them."""

    name = "together"
    source = "these tests"
    joint = True
    n_solved = 0

    target: Target = "anchor"
    scale: float = 1e-3

    def erase(self, request: Request) -> Delta:
        """Solve, and count it: the terms come from the prompts' own text."""
        type(self).n_solved += 1
        name = next(iter(request.model.base))
        shape = request.model.base[name].shape
        texts = [group[0].text for group in request.forget]
        keys = [*texts, *(f"{a}|{b}" for a in texts for b in texts if a < b)]
        lefts, rights = [], []
        for key in keys:
            rng = torch.Generator().manual_seed(int(digest_of(key.encode())[:8], 16))
            weight = self.scale * (0.1 if "|" in key else 1.0)
            lefts.append(weight * torch.randn(shape[0], 1, generator=rng))
            rights.append(torch.randn(1, shape[1], generator=rng))
        return Delta({name: LowRank(torch.cat(lefts, 1), torch.cat(rights))})

    def work(self, n_concepts: int) -> Work:
        """No pictures, one step."""
        return Work(0, n_concepts)

    def rehearsal(self) -> tuple[Self, Work]:
        """Itself."""
        return self, Work(0, 1)

    def check(self) -> None:
        """Anything goes."""


def policy(judge: str = "none", **eraser: Any) -> dict[str, Any]:
    """Return a policy's data that uses it and looks at next to nothing."""
    return {
        "name": "joint",
        "judge": judge,
        "eraser": {"name": "together", **eraser},
        "sampling": {"steps": 1, "guidance": 1.0},
        "probes": {
            **dict.fromkeys(("erased", "kept", "earlier"), 1),
            **dict.fromkeys(("renamed", "family", "alike", "information"), 0),
        },
        "require": {"base_presence": 0.0},
    }


def solved(at: Any, concepts: list[Concept]) -> Delta:
    """Solve a set of concepts as the eraser does, outside of any ledger."""
    concepts = sorted(concepts, key=lambda concept: concept.id)
    book = PromptBook(ConceptSet.read(at.concepts).knowing(concepts))
    names = {concept.name for concept in concepts}
    request = Request(
        model=at.model,
        old=at.model.base,
        forget=tuple(book.forget(concept, names) for concept in concepts),
        keep=(),
        sampling=Sampling(steps=1, guidance=1.0),
        seed=0,
    )
    return Together().erase(request)
