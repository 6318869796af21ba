"""The share of an erasure that is kept when a state is exported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from unlearnlog.commands.evaluation import state_readings

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.delta import Weights
    from unlearnlog.core.progress import Progress
    from unlearnlog.core.reading import Reading
    from unlearnlog.policy import Policy


@dataclass(frozen=True)
class Fidelity:
    """Presence of each concept in a state and in an exported form of it.

    Attributes:
        gone: The two readings of each concept erased in the state.
        kept: The two readings of each other concept.
    """

    gone: tuple[tuple[Reading, Reading], ...]
    kept: tuple[tuple[Reading, Reading], ...]

    @classmethod
    def of(cls, state: Sequence[Reading], other: Sequence[Reading]) -> Fidelity:
        """Pair the readings of the same concepts."""
        later = {(r.concept, r.better): r for r in other if r.probe == "presence"}
        pairs = [
            (r, later[r.concept, r.better]) for r in state if r.probe == "presence"
        ]
        return cls(
            tuple(pair for pair in pairs if pair[0].better == "lower"),
            tuple(pair for pair in pairs if pair[0].better == "higher"),
        )

    @property
    def value(self) -> float:
        """The least share kept: of any erasure, or of kept concepts on average."""
        return min((left for _, left in self.shares()), default=1.0)

    def shares(self) -> Iterator[tuple[str, float]]:
        """Yield the kept share of each erasure, and that of kept concepts."""
        for state, other in self.gone:
            left = _left(1 - state.value, 1 - other.value)
            yield f"the erasure of {state.concept}", left
        if self.kept:
            yield "what is kept", _left(*self.kept_means)

    @property
    def kept_means(self) -> tuple[float, float]:
        """Mean presence of the kept concepts, in the state and in the other form."""
        return (
            fmean(state.value for state, _ in self.kept),
            fmean(other.value for _, other in self.kept),
        )

    def row(self) -> dict[str, Any]:
        """Return values for JSON: shares of pictures, erased concepts by name."""
        concepts = [
            {
                "concept": state.concept,
                "n": state.n,
                "erased": {"state": _erased(state), "export": _erased(other)},
            }
            for state, other in self.gone
        ]
        kept = None
        if self.kept:
            before, after = self.kept_means
            n = sum(state.n for state, _ in self.kept)
            kept = {"n": n, "state": before, "export": after}
        return {"fidelity": self.value, "concepts": concepts, "kept": kept}


def compared(
    at: Session,
    gone: Sequence[Concept],
    states: tuple[Weights, Weights],
    policy: Policy,
    watch: Progress,
) -> Fidelity | None:
    """Measure a state and an exported form of it on the same prompts and latents.

    Each erased concept is measured on as many pictures as when it is erased.

    Args:
        at: The session, with its ledger and model.
        gone: The concepts erased in the state.
        states: Every text projection of the state, and of its other form.
        policy: Sample sizes, sampling settings and judge.
        watch: Receives the progress of the work.

    Returns:
        The fidelity; None without a judge.
    """
    sizes = policy.probes.model_copy(update={"earlier": policy.probes.erased})
    rules = policy.model_copy(update={"probes": sizes, "limits": ()})
    one, other = (state_readings(at, gone, each, rules, watch) for each in states)
    return Fidelity.of(one, other) if one else None


def _left(before: float, after: float) -> float:
    """Return the share that is kept; 1 where there was nothing."""
    return after / before if before > 0 else 1.0


def _erased(reading: Reading) -> dict[str, float]:
    """Return the share of pictures that do not show the concept, with its interval."""
    value, low, high = reading.value, reading.low, reading.high
    return {"value": 1 - value, "low": 1 - high, "high": 1 - low}
