"""The return coefficient: a fine-tune's share of the way back to the base."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from unlearnlog.core.delta import Weights
from unlearnlog.core.reading import Reading
from unlearnlog.probes.picture_probe import About, reading
from unlearnlog.probes.statistics import Estimate

ALL: Final = "(all erased)"
"""The concept of a reading of all erasures together."""


def return_coefficient(now: Weights, then: Weights, base: Weights) -> Iterator[Reading]:
    """Yield ``return.weights``: the share of the way back to the base that was covered.

    rho = <now - then, base - then> / ||base - then||^2 over the text projections: 0
    where a fine-tune left the erasures alone or went at right angles to them, 1 where
    it undid them. It is exact, so its interval is itself; n counts the tensors.

    Args:
        now: The audited model's weights, by full name.
        then: Every text projection of the state.
        base: Every text projection of the base.

    Source:
        The projection coefficient of a weight change; `benchmarks.audit` measures how
        well it explains resurgence.
    """
    rho = share_of_the_way(now, then, base)
    if rho is not None:
        about = About("return.weights", ALL, "lower", "ratio")
        yield reading(about, Estimate(rho, rho, rho, len(base)))


def share_of_the_way(now: Weights, then: Weights, base: Weights) -> float | None:
    """Return rho, the share of the way from a state back to the base that was covered.

    Args:
        now: Weights by full name; those that are missing are the state's.
        then: The state's, as far as the erasures changed any.
        base: The base's, at least those of ``then``.

    Returns:
        None where the state is the base.
    """
    inner = norm = 0.0
    for name, old in then.items():
        way = base[name].double() - old.double()
        went = now.get(name, old).double() - old.double()
        inner += float((went * way).sum())
        norm += float(way.square().sum())
    return inner / norm if norm > 0 else None
