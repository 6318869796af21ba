"""Directions of text space that erased prompts use and kept prompts do not.

A change ``left @ right`` of a text projection acts on a token ``e`` only through
``right @ e``. Rows on which kept tokens have (almost) no energy leave the keys and
values of kept prompts (almost) as they were, whatever ``left`` becomes: the gradient
is projected onto the complement of the kept embeddings before the first step.

Source:
    The projection of gradients onto the complement of auxiliary prompts' embeddings in
    continual unlearning, https://arxiv.org/abs/2511.07970; the choice of rows by the
    ratio of energies, a generalised eigenvalue problem, is ours.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

_ROUNDS: Final = 16


def second_moment(tokens: Tensor) -> Tensor:
    """Return the mean outer product of tokens, float64, ``[d_text, d_text]``.

    Args:
        tokens: Encoded prompts, ``[n, length, d_text]``.
    """
    flat = tokens.double().flatten(0, 1)  # [n * length, d_text]
    return flat.T @ flat / len(flat)


def complement(
    erased: Tensor, kept: Tensor, *, rank: int, ridge: float, leak: float = math.inf
) -> Tensor:
    """Return the rows with the largest ratio of erased to kept energy.

    Row ``b`` maximises ``b' E b / b' (K + ridge * mean energy * I) b`` given the rows
    before it, and is scaled to unit energy on the erased tokens: ``b' E b = 1``.

    Args:
        erased: Second moment E of erased tokens, float64, ``[d_text, d_text]``.
        kept: Second moment K of kept tokens, float64, ``[d_text, d_text]``.
        rank: How many rows, 1 to ``d_text``.
        ridge: Share of the mean kept energy that every direction is given.
        leak: Most energy a row may have on kept tokens, as a share of that on erased
            ones; the first row is returned in any case.

    Returns:
        Shape ``[rank, d_text]``, float64; fewer rows where E has no more energy or
        where they would leak.
    """
    d_text = len(kept)
    floor = ridge * kept.trace() / d_text
    cholesky = torch.linalg.cholesky(kept + floor * torch.eye(d_text).double())
    white = torch.linalg.solve_triangular(cholesky, erased, upper=False)
    white = torch.linalg.solve_triangular(cholesky, white.T, upper=False)
    ratios, vectors = torch.linalg.eigh((white + white.T) / 2)  # ascending
    ratios, vectors = ratios.flip(0)[:rank], vectors.flip(1)[:, :rank]
    used = ratios > 1e-10 * ratios[0]
    used &= (ratios >= 1 / leak) | (ratios == ratios[0])
    rows = torch.linalg.solve_triangular(cholesky.T, vectors[:, used], upper=True).T
    energy: Tensor = torch.einsum("ri,ij,rj->r", rows, erased, rows)
    scaled: Tensor = rows / energy.sqrt()[:, None]
    return scaled


def fair_moment(
    kept: Tensor, erased: Tensor, *, rank: int, ridge: float, leak: float
) -> Tensor:
    """Return a second moment of kept tokens that weighs the most disturbed prompts up.

    In a mean over prompts a direction that a single kept concept needs has little
    energy. So prompts are weighed against each other: in each round those that the best
    directions disturb most gain weight (multiplicative weights, for the largest
    disturbance).

    Args:
        kept: Encoded kept prompts, ``[n, length, d_text]``.
        erased: Second moment of erased tokens, float64, ``[d_text, d_text]``.
        rank: As in `complement`, like the next two.
        ridge: As in `complement`.
        leak: As in `complement`.

    Returns:
        Float64 ``[d_text, d_text]``; its trace is that of a mean over prompts.
    """
    tokens = kept.double()
    weights = torch.full((len(tokens),), 1 / len(tokens), dtype=torch.float64)
    for _ in range(_ROUNDS):
        moment = _weighed_moment(tokens, weights)
        rows = complement(erased, moment, rank=rank, ridge=ridge, leak=leak)
        harm = (tokens @ rows.T).square().mean(1).sum(1)  # [n]
        weights = weights * torch.exp(2 * harm / harm.max())
        weights = weights / weights.sum()
    return _weighed_moment(tokens, weights)


def _weighed_moment(tokens: Tensor, weights: Tensor) -> Tensor:
    scaled = (tokens * (weights / tokens.shape[1]).sqrt()[:, None, None]).flatten(0, 1)
    return scaled.T @ scaled
