"""Small random problems for closed forms, float64 throughout."""

from __future__ import annotations

import torch

from unlearnlog.erasers.closed_form import Problem
from unlearnlog.erasers.tokens import TokenPairs, Tokens

WIDTH = 12


def draw(*shape: int, seed: int) -> torch.Tensor:
    """Return unit normal numbers, the same for a seed."""
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=rng).double()


def problem(
    concepts: tuple[int, ...] = (0, 1), *, n: int = 3, n_kept: int = 7
) -> Problem:
    """Return a problem with two projections, and ``n`` pairs for each concept.

    A concept's tokens follow from its number alone, so the same concepts in another
    order are the same problem.
    """
    owner = torch.arange(len(concepts)).repeat_interleave(n)
    erased = torch.cat([draw(n, WIDTH, seed=10 + i) for i in concepts])
    goal = torch.cat([draw(n, WIDTH, seed=30 + i) for i in concepts])
    weights = torch.cat([draw(n, seed=50 + i).abs().softmax(0) for i in concepts])
    names = torch.stack([erased[owner == i][0] for i in range(len(concepts))])
    base = {name: draw(9, WIDTH, seed=i) for i, name in enumerate(("k", "v"))}
    kept = Tokens(draw(n_kept, WIDTH, seed=3), draw(n_kept, seed=4).abs())
    padding = draw(4, WIDTH, seed=5)
    pairs = TokenPairs(erased, goal, weights, owner, names)
    return Problem(base, pairs, kept, draw(WIDTH, seed=6), padding, base)


def dense(eraser, stated: Problem) -> dict[str, torch.Tensor]:
    """Return an eraser's changes written out."""
    changes = dict(eraser.changes(stated))
    return {
        name: each if isinstance(each, torch.Tensor) else each.dense()
        for name, each in changes.items()
    }


def off(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Return how far apart two matrices are, as a share of the expected one."""
    return float((found - expected).norm() / expected.norm())
