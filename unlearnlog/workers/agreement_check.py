"""The comparison of two results of one unit, computed on two workers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Final

from torch import Tensor

TOLERANCE: Final = 0.02
"""Largest difference of two numbers, as a share of 1 plus the larger of the two.

Between a CPU and a GPU in float32 noise predictions differ by some 1e-3, and the steps
of a sampler enlarge that."""

FEWEST_SAME: Final = 0.9
"""Least share of equal words, such as a judge's answers."""

Leaf = float | str


def disagreement(one: object, other: object, *, alike: bool) -> str:
    """Return how two results differ; empty where they agree.

    Args:
        one: A result.
        other: That of another worker.
        alike: Whether the workers are of one kind, so that every bit must be equal.
    """
    ours, theirs = [*_leaves(one)], [*_leaves(other)]
    if [type(each) for each in ours] != [type(each) for each in theirs]:
        return "their results have different shapes"
    pairs = [*zip(ours, theirs, strict=True)]
    if alike:
        n = sum(not _is_same(*pair) for pair in pairs)
        return f"{n} of {len(pairs)} values differ" if n else ""
    words = [a == b for a, b in pairs if isinstance(a, str)]
    if words and sum(words) < FEWEST_SAME * len(words):
        return f"{len(words) - sum(words)} of {len(words)} answers differ"
    worst = max((_apart(*pair) for pair in pairs), default=0.0)
    return f"numbers differ by {worst:.2g}" if worst > TOLERANCE else ""


def _is_same(one: Leaf, other: Leaf) -> bool:
    both_nan = one != one and other != other
    return one == other or both_nan


def _apart(one: Leaf, other: Leaf) -> float:
    """Return the difference of two numbers relative to their size; 0 for words."""
    if isinstance(one, str) or isinstance(other, str) or _is_same(one, other):
        return 0.0
    apart = abs(one - other) / (1 + max(abs(one), abs(other)))
    return apart if math.isfinite(apart) else math.inf


def _leaves(value: object) -> Iterator[Leaf]:
    """Yield every number and word of a result, in a fixed order."""
    if isinstance(value, Tensor):
        yield from value.detach().double().flatten().tolist()
    elif isinstance(value, bool) or value is None:
        yield str(value)
    elif isinstance(value, int | float):
        yield float(value)
    elif isinstance(value, str):
        yield value
    else:
        for part in _parts(value):
            yield from _leaves(part)


def _parts(value: object) -> Sequence[object]:
    """Return the parts of a compound value.

    Raises:
        TypeError: It is of a kind that cannot be compared.
    """
    if is_dataclass(value):
        return [getattr(value, f.name) for f in fields(value) if f.compare]
    if isinstance(value, Mapping):
        return [part for key in sorted(value) for part in (key, value[key])]
    if isinstance(value, Sequence):
        return value
    if hasattr(value, "model_dump"):  # a record, such as a reading
        return _parts(value.model_dump(mode="json"))
    message = f"no comparison of a {type(value).__name__}"
    raise TypeError(message)
