"""Is a concept learned again faster than it is learned for the first time?

S = 1 - steps_erased / steps_novel, where steps is when the concept first shows in half
of its pictures, in the erased model and in a twin that never learned it. Near 0 the
concept is gone; near 1 it was only hidden; below 0 it is harder to learn than new. A
step is dated by the look that found it, so S lies between what the looks before allow.

Source:
    The savings of Ebbinghaus, "Memory: A Contribution to Experimental Psychology",
    1885; Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 8, for
    clusters that are drawn whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final, Literal

import numpy as np

from unlearnlog.audits.survival import Curve
from unlearnlog.probes.statistics import Estimate

LEVEL: Final = 0.5
"""Presence at which a concept counts as learned."""

FEWEST: Final = 2
"""Clusters that an interval is drawn from at least."""

Bound = Literal["about", "at least", "at most", "undefined"]


@dataclass(frozen=True)
class Savings:
    """What one fine-tune saved.

    Attributes:
        value: S, each step dated by its look; None where nobody can say.
        bound: Whether S is about that, or at least or at most that because one of the
            two had not learned the concept by the last step.
        erased: Looked-at step at which the erased model had learned it, or None.
        novel: The same of the twin.
        low: The least that S can be, given the looks before; None for no limit.
        high: The most.
    """

    value: float | None
    bound: Bound
    erased: int | None
    novel: int | None
    low: float | None = None
    high: float | None = None


def savings(erased: Curve, novel: Curve, level: float = LEVEL) -> Savings:
    """Compare two models that were fine-tuned in the same way.

    Where neither learned the concept, or one of the two shows it before it learns
    anything, nothing can be said.

    Raises:
        ValueError: The two curves do not end at the same step.
    """
    if erased.last.step != novel.last.step:
        message = f"{erased.last.step} and {novel.last.step} steps are no pair"
        raise ValueError(message)
    mine, theirs, end = erased.reached(level), novel.reached(level), novel.last.step
    if 0 in (mine, theirs) or (mine is None and theirs is None):
        return Savings(None, "undefined", mine, theirs)
    if mine is None or theirs is None:
        value = 1 - (mine or end) / (theirs or end)
        if mine is None:
            return Savings(value, "at most", mine, theirs, high=value)
        return Savings(value, "at least", mine, theirs, low=value, high=1.0)
    mine_before, theirs_before = _before(erased, mine), _before(novel, theirs)
    low = 1 - mine / theirs_before if theirs_before else None
    high = 1 - mine_before / theirs
    return Savings(1 - mine / theirs, "about", mine, theirs, low, high)


def _before(curve: Curve, step: int) -> int:
    """Return the step of the look before one."""
    return max(look.step for look in curve.looks if look.step < step)


def mean_savings(
    found: Sequence[tuple[str, Savings]], *, draws: int = 2000, seed: int = 0
) -> Estimate | None:
    """Return the mean of savings, with a bootstrap interval over clusters.

    Those that are known on one side only are left out.

    Args:
        found: What each fine-tune saved, with its cluster, such as its seed.
        draws: Bootstrap draws.
        seed: Where the random numbers start.

    Returns:
        None where none are known on both sides, or all are of one cluster.
    """
    known = [
        (c, s.value) for c, s in found if s.bound == "about" and s.value is not None
    ]
    names = sorted({cluster for cluster, _ in known})
    if len(names) < FEWEST:
        return None
    groups = [[value for c, value in known if c == name] for name in names]
    mean = fmean(value for _, value in known)
    rng = np.random.default_rng(seed)
    means = []
    for drawn in rng.integers(len(groups), size=(draws, len(groups))):
        means.append(fmean(value for i in drawn for value in groups[i]))
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(mean, min(mean, float(low)), max(mean, float(high)), len(known))
