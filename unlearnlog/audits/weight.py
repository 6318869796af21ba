"""Where in weight space a fine-tune went: back to the base, or elsewhere?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from unlearnlog.delta import Weights
from unlearnlog.probes.probe import About, reading
from unlearnlog.probes.statistics import Estimate
from unlearnlog.reading import Reading

ALL: Final = "(all erased)"
"""What a reading of all erasures together is about."""


def return_coefficient(now: Weights, then: Weights, base: Weights) -> Iterator[Reading]:
    """Yield ``return.weights``: the share of the way back to the base that was gone.

    rho = <now - then, base - then> / ||base - then||^2 over the text projections: 0
    where a fine-tune left the erasures alone or went at right angles to them, 1 where
    it undid them. It is exact, so its interval is itself; n counts the tensors.

    Args:
        now: The audited model's weights, by full name.
        then: Every text projection of the state.
        base: Every text projection of the base.

    Source:
        The projection coefficient of a weight change; that it explains resurgence is
        what `benchmarks.audit` measures.
    """
    inner = norm = 0.0
    for name, old in base.items():
        way = old.double() - then[name].double()
        went = now.get(name, then[name]).double() - then[name].double()
        inner += float((went * way).sum())
        norm += float((way * way).sum())
    if norm > 0:
        rho = inner / norm
        about = About("return.weights", ALL, "lower", "ratio")
        yield reading(about, Estimate(rho, rho, rho, len(base)))
