"""Spearman's rank correlation with a bootstrap interval.

Source:
    Spearman, "The proof and measurement of association between two things", 1904;
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from unlearnlog.probes.statistics import Estimate, Matrix, Vector, drawn_counts

FEWEST: Final = 4
"""The fewest concepts of a rank correlation."""


def rank_correlation(
    a: Sequence[float],
    b: Sequence[float],
    *,
    clusters: Sequence[str] | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Return Spearman's rho of two columns with a percentile bootstrap interval.

    Ranks are taken anew in each draw; those that are tied share their mean. Draws in
    which a column is constant have no ranks to compare and are left out.

    Args:
        a: One column, ``[n]``.
        b: The other, ``[n]``.
        clusters: The cluster of each row, drawn as one; None for each row alone.
        draws: Bootstrap draws.
        seed: Seed of the draws.

    Raises:
        ValueError: The columns are not of one length, or a whole column is constant.
    """
    if len(a) != len(b) or len(set(a)) < 2 or len(set(b)) < 2:
        message = (
            f"columns of {len(a)} and {len(b)} values, {len(set(a))} and "
            f"{len(set(b))} of them different, have no rank correlation"
        )
        raise ValueError(message)
    n = len(a)
    drawn = list(map(str, range(n))) if clusters is None else clusters
    ids = np.unique(np.asarray(drawn), return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    value = float(_spearman(a, b, np.ones((1, n)))[0])
    rhos = _spearman(a, b, drawn_counts(rng, ids, draws))
    rhos = rhos[np.isfinite(rhos)]
    low, high = np.quantile(rhos, [0.025, 0.975]) if len(rhos) else (-1.0, 1.0)
    return Estimate(value, min(value, float(low)), max(value, float(high)), n)


def _spearman(a: Sequence[float], b: Sequence[float], counts: Matrix) -> Vector:
    """Return rho for each row of counts ``[draws, n]``; NaN where a column is tied."""
    x, y = (_ranks(column, counts) for column in (a, b))
    spread = (counts * x * x).sum(1) * (counts * y * y).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Vector = (counts * x * y).sum(1) / np.sqrt(spread)
    return np.where(spread > 1e-9, found, np.nan)


def _ranks(column: Sequence[float], counts: Matrix) -> Matrix:
    """Return each value's rank among those drawn, less the mean rank.

    The c draws of one value share the mean of their c places.
    """
    different, which = np.unique(np.asarray(column), return_inverse=True)
    of = np.zeros((len(which), len(different)))
    of[np.arange(len(which)), which] = 1.0
    each = counts @ of  # [draws, different]
    places = (each.cumsum(1) - each / 2)[:, which]
    centre = (counts * places).sum(1, keepdims=True) / counts.sum(1, keepdims=True)
    ranks: Matrix = places - centre
    return ranks
