"""Which limit bounds a reading, and whether it holds."""

from __future__ import annotations

import pytest

from unlearnlog.core.reading import Reading
from unlearnlog.findings.bounds import Bound, bounds_on
from unlearnlog.policy import Policy


def reading(probe, value, *, n=200, better="higher", base=0.9):
    low, high = max(0.0, value - 0.02), min(1.0, value + 0.02)
    return Reading(
        probe=probe,
        concept="Picasso",
        value=value,
        unit="share",
        n=n,
        low=low,
        high=high,
        better=better,
        base=base,
    )


def policy(*limits):
    return Policy.of({"name": "x", "eraser": {"name": "mim"}, "limits": limits}, "x")


KEPT = {"reading": "presence", "at_least": 0.95, "at_most": 0.1, "of_base": True}
SURE = {"reading": "ua", "at_least": 0.9, "on": "interval"}


@pytest.mark.parametrize(
    ("seen", "bound"),
    [
        (reading("ua", 0.95), Bound("at least 0.9, whole interval", "passed")),
        (reading("ua", 0.91), Bound("at least 0.9, whole interval", "failed")),
        (reading("ua", 0.91, n=20), Bound("at least 0.9, whole interval", "undecided")),
        (reading("presence", 0.9), Bound("at least 0.95 of base", "passed")),
        (reading("presence", 0.5), Bound("at least 0.95 of base", "failed")),
        (
            reading("presence", 0.05, better="lower"),
            Bound("at most 0.1 of base", "passed"),
        ),
    ],
)
def test_a_limit_is_said_as_far_as_it_is_about_the_reading(seen, bound):
    assert bounds_on(seen, policy(KEPT, SURE)) == (bound,)


def test_a_reading_may_have_several_limits_or_none():
    seen = reading("ua", 0.95)

    assert len(bounds_on(seen, policy(SURE, {"reading": "ua", "at_least": 0.5}))) == 2
    assert bounds_on(reading("ira", 1.0), policy(SURE)) == ()
    assert bounds_on(seen, None) == ()
