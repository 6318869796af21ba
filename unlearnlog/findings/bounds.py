"""The limits of a policy on a reading, and whether they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from unlearnlog.core.limits import Limit
    from unlearnlog.core.reading import Reading
    from unlearnlog.policy import Policy

Held = Literal["passed", "failed", "undecided"]


@dataclass(frozen=True)
class Bound:
    """One limit on one reading.

    Attributes:
        asks: The condition, such as ``at least 0.95 of base``.
        word: Whether it holds; undecided where the pictures are too few.
    """

    asks: str
    word: Held


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
