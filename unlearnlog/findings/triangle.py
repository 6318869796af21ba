"""The triangle: how often each erased concept shows after each later entry.

Source:
    Newcombe, "Interval estimation for the difference between independent proportions",
    1998, method 10, https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

from unlearnlog.findings.content import Row, Step
from unlearnlog.reading import Reading


def triangle(steps: Sequence[Step]) -> tuple[Row, ...]:
    """Return a row for each concept that is erased at some step, oldest first."""
    names = dict.fromkeys(name for step in steps for name in step.live)
    return tuple(_row(name, steps) for name in names)


def difference(now: Reading, then: Reading) -> Reading:
    """Return by how much more a concept shows than right after its erasure.

    The interval takes the two for independent. They were painted from the same noise,
    so the truth is narrower.
    """
    value = now.value - then.value
    low = value - hypot(now.value - now.low, then.high - then.value)
    high = value + hypot(now.high - now.value, then.value - then.low)
    return Reading(
        probe="resurgence",
        concept=now.concept,
        value=value,
        unit="difference",
        n=min(now.n, then.n),
        low=max(-1.0, low),
        high=min(1.0, high),
        better="lower",
    )


def _row(name: str, steps: Sequence[Step]) -> Row:
    shown: list[Reading | None] = []
    back: list[Reading | None] = []
    first: Reading | None = None
    since, erased_now = 0, False
    for step in steps:
        if name not in step.live:
            first, erased_now = None, False
            shown.append(None)
            back.append(None)
            continue
        now = step.presence(name)
        shown.append(now)
        back.append(_recorded(step, name) or _since(now, first))
        since = since if erased_now else step.number
        first, erased_now = first or now, True
    alive = tuple(name in step.live for step in steps)
    return Row(name, since, tuple(shown), tuple(back), alive)


def _since(now: Reading | None, first: Reading | None) -> Reading | None:
    return difference(now, first) if now and first else None


def _recorded(step: Step, name: str) -> Reading | None:
    """Return the resurgence that the entry itself holds."""
    found = (r for r in step.entry.readings if r.probe == "resurgence")
    return next((r for r in found if r.concept == name), None)
