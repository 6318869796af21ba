"""McNemar's exact test, the Benjamini-Hochberg correction and equivalence.

Source:
    McNemar, "Note on the sampling error of the difference between correlated
    proportions or percentages", 1947, in its exact form; Benjamini and Hochberg,
    "Controlling the false discovery rate", 1995; Schuirmann, "A comparison of the two
    one-sided tests procedure and the power approach", 1987, for equivalence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from unlearnlog.probes.statistics import Estimate

Equivalence = Literal["kept", "damaged", "undecided"]


def returned(now: Sequence[bool], before: Sequence[bool]) -> float:
    """Return the p-value of "no more pictures show it now than before".

    The one-sided exact test of McNemar: of the pictures whose answer changed, each is
    as likely to have changed either way; the p-value is the chance that as many or more
    of them show it now. Without a change it is 1.

    Raises:
        ValueError: The two are not of one length.

    Example:
        >>> returned([True] * 5, [False] * 5)
        0.03125
    """
    if len(now) != len(before):
        message = f"{len(now)} pictures now and {len(before)} before are no pairs"
        raise ValueError(message)
    changed = [a for a, b in zip(now, before, strict=True) if a != b]
    n, came = len(changed), sum(changed)
    ways = sum(math.comb(n, k) for k in range(came, n + 1))
    return float(ways / 2**n)


def benjamini_hochberg(p_values: Sequence[float], level: float = 0.05) -> list[bool]:
    """Return which hypotheses are rejected at a false discovery rate of ``level``.

    At most this share of the rejected ones is true on average, if the tests are
    independent or positively dependent.

    Raises:
        ValueError: A p-value or the level is not within 0 and 1.

    Example:
        >>> benjamini_hochberg([0.01, 0.9, 0.02])
        [True, False, True]
    """
    strange = [p for p in (*p_values, level) if not 0 <= p <= 1]
    if strange:
        message = f"{strange[0]} is no probability"
        raise ValueError(message)
    m = len(p_values)
    passed = [p for i, p in enumerate(sorted(p_values), 1) if p <= level * i / m]
    return [bool(passed) and p <= passed[-1] for p in p_values]


def equivalence(estimate: Estimate, margin: float) -> Equivalence:
    """Return whether a difference is surely small, surely not, or neither.

    It is ``kept`` if its whole interval lies within plus or minus the margin, and
    ``damaged`` if none of it does. Two 95 % bounds make this a test at 2.5 %, stricter
    than the usual 5 %. That an interval contains 0 decides nothing.

    Args:
        estimate: A difference to the base.
        margin: The largest difference that still counts as none, in its unit.

    Raises:
        ValueError: The margin is not positive.

    Example:
        >>> equivalence(Estimate(-0.01, -0.03, 0.01, 400), 0.05)
        'kept'
    """
    if not margin > 0:
        message = f"a margin must be above 0, not {margin}"
        raise ValueError(message)
    if -margin < estimate.low and estimate.high < margin:
        return "kept"
    if estimate.high < -margin or margin < estimate.low:
        return "damaged"
    return "undecided"
