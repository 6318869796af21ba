"""Which limits of a policy bound a reading, and whether they hold."""

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
        asks: What must hold, such as ``at least 0.95 of base``.
        word: Whether it does; undecided where the pictures are too few to tell.
    """

    asks: str
    word: Held


def bounds_on(reading: Reading, policy: Policy | None) -> tuple[Bound, ...]:
    """Return the limits of a policy that bound a reading, in the policy's order.

    Args:
        reading: What was read.
        policy: What was in force; None where nobody knows.
    """
    limits = policy.limits if policy is not None else ()
    return tuple(
        Bound(_asks(limit, reading), _word(limit, reading))
        for limit in limits
        if limit.bounds(reading)
    )


def _asks(limit: Limit, reading: Reading) -> str:
    """Say what a limit asks of a reading, of which one side may be of no concern."""
    least = limit.at_least if reading.better != "lower" else None
    most = limit.at_most if reading.better != "higher" else None
    asks = [] if least is None else [f"at least {least:g}"]
    asks += [] if most is None else [f"at most {most:g}"]
    text = " and ".join(asks) + (" of base" if limit.of_base else "")
    return text + (", whole interval" if limit.on == "interval" else "")


def _word(limit: Limit, reading: Reading) -> Held:
    said = limit.verdict([reading])
    if said.failures:
        return "failed"
    return "undecided" if said.undecided else "passed"
