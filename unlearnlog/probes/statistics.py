"""Intervals: how sure a share or a mean is.

Source:
    Wilson, "Probable inference, the law of succession, and statistical inference",
    1927; Owen, "The pigeonhole bootstrap", 2007, https://arxiv.org/abs/0712.1111, for
    means over two crossed sets of clusters; Hesterberg, "What Teachers Should Know
    about the Bootstrap", 2015, https://arxiv.org/abs/1411.5279, for widening the
    intervals of few clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    product of the two, so pictures that share a subject or a style move together. A set
    of one cluster says nothing of other clusters and is left out; with no set left,
    every value is a cluster of its own. The interval is widened for few clusters.

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
    sets = [np.unique(np.asarray(s), return_inverse=True)[1] for s in (rows, columns)]
    sets = [ids for ids in sets if ids.max() > 0] or [np.arange(len(numbers))]
    rng = np.random.default_rng(seed)
    weights = np.ones((draws, len(numbers)))
    for ids in sets:
        weights *= _counts(rng, ids, draws)
    totals = weights.sum(1)
    means = (weights @ numbers)[totals > 0] / totals[totals > 0]
    value = float(numbers.mean())
    low, high = np.quantile(means, [0.025, 0.975]) if len(means) else (value, value)
    wider = _widening(min(int(ids.max()) + 1 for ids in sets))
    return Estimate(
        value,
        value - wider * max(0.0, value - float(low)),
        value + wider * max(0.0, float(high) - value),
        len(values),
    )


def jackknife(
    measure: Callable[[list[int]], float], n: int, *, groups: int = 16
) -> Estimate:
    """Return a smooth function of ``n`` rows with a delete-a-group jackknife interval.

    Args:
        measure: Takes row numbers; called once with all of them and once without each
            group.
        n: How many rows there are.
        groups: How many groups the rows are dealt into.

    Raises:
        ValueError: There are fewer rows than two for each group.

    Source:
        Shao and Tu, "The Jackknife and Bootstrap", 1995, section 5.5.1.
    """
    if n < 2 * groups:
        message = f"{n} rows are too few for {groups} groups"
        raise ValueError(message)
    value = measure(list(range(n)))
    left = [measure([i for i in range(n) if i % groups != g]) for g in range(groups)]
    spread = float(np.sqrt((groups - 1) * np.var(left)))
    half = Z * _widening(groups) / np.sqrt(groups / (groups - 1)) * spread
    return Estimate(value, value - float(half), value + float(half), n)


def clustered_share(
    hits: Sequence[bool], rows: Sequence[str], columns: Sequence[str]
) -> Estimate:
    """Return a share of clustered pictures, with the wider of two intervals.

    Where every picture agrees, the bootstrap sees no doubt at all although 0 of 50
    still allows 7 %: Wilson's interval is the least that is said.

    Raises:
        ValueError: There is nothing to average.
    """
    wilson = share(sum(hits), len(hits))
    crossed = clustered_mean([float(hit) for hit in hits], rows, columns)
    low, high = max(0.0, crossed.low), min(1.0, crossed.high)
    return Estimate(
        wilson.value, min(wilson.low, low), max(wilson.high, high), len(hits)
    )


def _widening(n: int) -> float:
    """Return by how much an interval over ``n`` clusters is too narrow.

    A bootstrap's variance misses the factor n / (n - 1), and its quantiles are those of
    a normal, where n clusters have Student's with n - 1 degrees of freedom; their ratio
    to the order of 1 / (n - 1)^2 is Fisher's.
    """
    if n < 2:
        return 1.0
    nu, z2 = n - 1, Z * Z
    student = 1 + (z2 + 1) / (4 * nu) + (5 * z2 * z2 + 16 * z2 + 3) / (96 * nu * nu)
    return float(student * np.sqrt(n / nu))


def _counts(
    rng: np.random.Generator, ids: np.ndarray[tuple[int], np.dtype[np.intp]], draws: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return how often each value's cluster was drawn, ``[draws, n]``."""
    n = int(ids.max()) + 1
    counts = rng.multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64)
    return counts[:, ids]
