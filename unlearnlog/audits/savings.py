"""Is a concept learned again faster than it is learned for the first time?

S = 1 - steps_erased / steps_novel, where steps is when the concept first shows in half
of its pictures, in the erased model and in a twin that never learned it. Near 0 the
concept is gone; near 1 it was only hidden; below 0 it is harder to learn than new. A
step is dated by the look that found it, so S lies between what the looks before allow.

Source:
    The savings of Ebbinghaus, "Memory: A Contribution to Experimental Psychology",
    1885; the interval over clusters is that of `unlearnlog.probes.statistics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from unlearnlog.audits.survival import Curve
from unlearnlog.probes.statistics import Estimate, clustered_mean

LEVEL: Final = 0.5
"""Presence at which a concept counts as learned."""

FEWEST: Final = 3
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


def mean_savings(found: Sequence[tuple[str, Savings]]) -> Estimate | None:
    """Return the mean of savings, with an interval over clusters.

    Clusters are drawn whole, with Student's quantiles for how few they are, and the
    looks are never as fine as the steps: the lower end is that of the least that each
    can be, the upper end that of the most. What is known on one side only is left out.

    Args:
        found: What each fine-tune saved, with its cluster, such as its seed.

    Returns:
        None where fewer than three clusters are known on both sides.
    """
    known = [(c, s) for c, s in found if s.bound == "about" and s.low is not None]
    names = [cluster for cluster, _ in known]
    if len({*names}) < FEWEST:
        return None
    value, low, high = (
        clustered_mean(some, names, [""] * len(names))
        for some in zip(*((s.value, s.low, s.high) for _, s in known), strict=True)
    )
    return Estimate(value.value, low.low, min(1.0, high.high), len(known))
