"""The savings of relearning an erased concept, against a twin that never learned it.

S = 1 - steps_erased / steps_novel, where steps is the first step at which half of the
concept's pictures show it, in the erased model and in the twin. Near 0 the concept is
gone; near 1 it was only hidden; below 0 it is harder to learn than new. Models are
evaluated at a few steps only, so S lies between bounds from the evaluations before.

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
"""The fewest clusters of an interval."""

Bound = Literal["about", "at least", "at most", "undefined"]


@dataclass(frozen=True)
class Savings:
    """The savings of one fine-tune.

    Attributes:
        value: S, from the steps of the evaluations; None where it is undefined.
        bound: Whether S is about that, or at least or at most that because one of the
            two had not learned the concept by the last step.
        erased: First evaluated step at which the erased model shows it, or None.
        novel: The same of the twin.
        low: The least that S can be, given the evaluations before; None for no limit.
        high: The most.
    """

    value: float | None
    bound: Bound
    erased: int | None
    novel: int | None
    low: float | None = None
    high: float | None = None


def savings(erased: Curve, novel: Curve, level: float = LEVEL) -> Savings:
    """Return the savings of an erased model against its twin.

    Undefined where neither learned the concept, or one of the two shows it before the
    first step.

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
    """Return the evaluated step before one."""
    return max(look.step for look in curve.looks if look.step < step)


def mean_savings(found: Sequence[tuple[str, Savings]]) -> Estimate | None:
    """Return the mean of savings, with an interval over clusters.

    Clusters are drawn whole, with Student's quantiles for few of them, and only some
    steps are evaluated: the lower end is that of the least that each can be, the upper
    end that of the most. Savings with a bound on one side only are left out.

    Args:
        found: The savings of each fine-tune, with its cluster, such as its seed.

    Returns:
        None where fewer than three clusters have bounds on both sides.
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
