"""Intervals: how sure a share or a mean is.

Source:
    Wilson, "Probable inference, the law of succession, and statistical inference",
    1927; Owen, "The pigeonhole bootstrap", 2007, https://arxiv.org/abs/0712.1111, for
    means over two crossed sets of clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

Z: Final = 1.959963984540054
"""Two-sided 95 %."""


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    Attributes:
        value: The estimate.
        low: Lower end of the 95 % interval.
        high: Upper end.
        n: How many measurements stand behind it.
    """

    value: float
    low: float
    high: float
    n: int


def share(hits: int, n: int) -> Estimate:
    """Return the share ``hits / n`` with Wilson's interval.

    Raises:
        ValueError: ``n`` is not positive, or ``hits`` not within 0 and ``n``.

    Example:
        >>> share(0, 50).high < 0.072
        True
    """
    if not 0 <= hits <= n or n < 1:
        message = f"{hits} of {n} is no share"
        raise ValueError(message)
    p, z2 = hits / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * np.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    high = 1.0 if hits == n else min(1.0, middle + half)
    return Estimate(p, float(low), float(high), n)


def clustered_mean(
    values: Sequence[float],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Return a mean with a bootstrap interval over two crossed sets of clusters.

    Every row and every column gets a multinomial count in each draw; a value weighs the
    product of the two, so pictures that share a prompt or a seed move together.

    Args:
        values: What was measured, ``[n]``.
        rows: The first cluster of each value, such as its subject.
        columns: The second, such as its style.
        draws: Bootstrap draws.
        seed: Where the random numbers start.

    Raises:
        ValueError: There is nothing to average.
    """
    if not values:
        message = "a mean of no values"
        raise ValueError(message)
    numbers = np.asarray(values, dtype=np.float64)
    row_ids = np.unique(np.asarray(rows), return_inverse=True)[1]
    column_ids = np.unique(np.asarray(columns), return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    weights = _counts(rng, row_ids, draws) * _counts(rng, column_ids, draws)
    totals = weights.sum(1)
    means = (weights @ numbers)[totals > 0] / totals[totals > 0]
    value = float(numbers.mean())
    low, high = np.quantile(means, [0.025, 0.975]) if len(means) else (value, value)
    return Estimate(value, min(float(low), value), max(float(high), value), len(values))


def _counts(
    rng: np.random.Generator, ids: np.ndarray[tuple[int], np.dtype[np.intp]], draws: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return how often each value's cluster was drawn, ``[draws, n]``."""
    n = int(ids.max()) + 1
    counts = rng.multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64)
    return counts[:, ids]
