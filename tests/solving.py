"""Problems for closed forms, small and random, of known shape."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from unlearnlog.erasers.closed_form import Change, ClosedForm, Problem
from unlearnlog.erasers.tokens import TokenPairs, Tokens

FOCUS = "down.attn2.to_v.weight"
WIDE = "mid.attn2.to_v.weight"


def problem_of(
    *,
    n_concepts: int = 2,
    each: int = 2,
    n_kept: int = 9,
    d_text: int = 24,
    sizes: Iterable[int] = (16, 40),
    decay: float = 0.0,
) -> Problem:
    """Draw one: a layer narrower than the text and one that is wider.

    Args:
        n_concepts: How many are erased.
        each: Tokens of each.
        n_kept: Kept tokens, of weights 1 to 3.
        d_text: Width of a token.
        sizes: Height of each projection.
        decay: How fast later coordinates of tokens get smaller.
    """
    rng = torch.Generator().manual_seed(11)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    scale = torch.exp(-decay * torch.arange(d_text).double())
    m = n_concepts * each
    kept = 3 * drawn(n_kept, d_text) * scale
    weights = torch.rand(n_concepts, each, generator=rng, dtype=torch.float64) + 0.2
    return Problem(
        dict(zip((FOCUS, WIDE), (drawn(n, d_text) for n in sizes), strict=False)),
        TokenPairs(
            3 * drawn(m, d_text) * scale,
            3 * drawn(m, d_text) * scale,
            (weights / weights.sum(1, keepdim=True)).flatten(),
            torch.arange(n_concepts).repeat_interleave(each),
        ),
        Tokens(kept, torch.randint(1, 4, (n_kept,), generator=rng).double()),
        3 * drawn(d_text) * scale,
        3 * drawn(12, d_text) * scale,
        captions=(kept.T @ kept) / n_kept,
    )


def reordered(problem: Problem) -> Problem:
    """Return the same problem with its concepts and kept tokens the other way round."""
    pairs, kept = problem.pairs, problem.kept
    last = int(pairs.owner.max())
    turned = TokenPairs(
        pairs.erased.flip(0),
        pairs.goal.flip(0),
        pairs.weights.flip(0),
        last - pairs.owner.flip(0),
    )
    return Problem(
        problem.old,
        turned,
        Tokens(kept.rows.flip(0), kept.weights.flip(0)),
        problem.start,
        problem.padding,
        captions=problem.captions,
    )


def solution(eraser: ClosedForm, problem: Problem) -> dict[str, Tensor]:
    """Return each projection's change, written out."""
    return {name: dense(change) for name, change in eraser.changes(problem)}


def dense(change: Change) -> Tensor:
    """Write a change out."""
    return change if isinstance(change, Tensor) else change.dense()


def apart(found: Tensor, expected: Tensor) -> float:
    """Return the relative difference of two matrices, in the Frobenius norm."""
    return float((found - expected).norm() / expected.norm())
