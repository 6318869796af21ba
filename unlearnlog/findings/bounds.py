"""The limits of a policy on a reading, and whether they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from unlearnlog.policy import Policy

if TYPE_CHECKING:
    from unlearnlog.core.entry import Entry
    from unlearnlog.core.limits import Limit
    from unlearnlog.core.reading import Reading

Held = Literal["passed", "failed", "undecided"]

WORST_FIRST: Final = ("failed", "undecided", "passed")
"""Whether a limit holds, the worst first."""


@dataclass(frozen=True)
class Bound:
    """One limit on one reading.

    Attributes:
        asks: The condition, such as ``at least 0.95 of base``.
        word: Whether it holds; undecided where the pictures are too few.
    """

    asks: str
    word: Held


def policy_of(entry: Entry) -> Policy | None:
    """Return what judged an entry, where the entry holds it and it can be read."""
    if entry.policy == "none" or entry.rules is None:
        return None
    return Policy.in_force(entry.policy, entry.rules)


def bounds_on(reading: Reading, policy: Policy | None) -> tuple[Bound, ...]:
    """Return the limits of a policy that bound a reading, in the policy's order.

    Args:
        reading: The reading.
        policy: The policy in force; None where it is unknown.
    """
    limits = policy.limits if policy is not None else ()
    return tuple(
        Bound(_asks(limit, reading), _word(limit, reading))
        for limit in limits
        if limit.bounds(reading)
    )


def strictest(reading: Reading, policy: Policy | None) -> Bound | None:
    """Return the limit that a reading is furthest from holding, in its own unit.

    Multiples of the base are worked out: ``at least 0.943`` can be held against the
    number beside it. None where nothing bounds the reading.
    """
    limits = policy.limits if policy is not None else ()
    found = [
        Bound(_asks_in_unit(limit, reading), _word(limit, reading))
        for limit in limits
        if limit.bounds(reading)
    ]
    return min(found, key=lambda each: WORST_FIRST.index(each.word), default=None)


def _asks_in_unit(limit: Limit, reading: Reading) -> str:
    least, most = limit.bound(reading)
    ends = ("low ", "high ") if limit.on == "interval" else ("", "")
    asks = [] if least is None else [f"{ends[0]}at least {least:.3g}"]
    asks += [] if most is None else [f"{ends[1]}at most {most:.3g}"]
    return " and ".join(asks) or "base not read"


def _asks(limit: Limit, reading: Reading) -> str:
    """Return a limit's condition on a reading, on the sides that matter for it."""
    least = limit.at_least if reading.better != "lower" else None
    most = limit.at_most if reading.better != "higher" else None
    sides = [] if least is None else [f"at least {least:g}"]
    sides += [] if most is None else [f"at most {most:g}"]
    text = " and ".join(sides) + (" of base" if limit.of_base else "")
    return text + (", whole interval" if limit.on == "interval" else "")


def _word(limit: Limit, reading: Reading) -> Held:
    verdict = limit.verdict([reading])
    if verdict.failures:
        return "failed"
    return "undecided" if verdict.undecided else "passed"
