"""How much of an erasure is left when a state is given away in another form."""

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
    """The presence of each concept in a state and in another form of it.

    Attributes:
        gone: The two readings of each concept that is erased in the state.
        kept: The two readings of each other concept.
    """

    gone: tuple[tuple[Reading, Reading], ...]
    kept: tuple[tuple[Reading, Reading], ...]

    @classmethod
    def of(cls, state: Sequence[Reading], other: Sequence[Reading]) -> Fidelity:
        """Put the readings of the same concepts side by side."""
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
        """The least share that is left: of any erasure, or of what is kept on mean."""
        return min((left for _, left in self.shares()), default=1.0)

    def shares(self) -> Iterator[tuple[str, float]]:
        """Yield what is left of each erasure, and of what is kept, as shares."""
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
        """Give it as JSON: shares of pictures, erased ones by concept."""
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
    """Look at a state and at another form of it on the same prompts and latents.

    An erased concept is read on as many pictures as when it is erased.

    Args:
        at: The session, with its ledger and model.
        gone: What is erased in the state.
        states: Every text projection of the state, and of its other form.
        policy: How many pictures, how painted, who judges.
        watch: Receives the progress of the work.

    Returns:
        None where nobody judges.
    """
    sizes = policy.probes.model_copy(update={"earlier": policy.probes.erased})
    rules = policy.model_copy(update={"probes": sizes, "limits": ()})
    one, other = (state_readings(at, gone, each, rules, watch) for each in states)
    return Fidelity.of(one, other) if one else None


def _left(before: float, after: float) -> float:
    """Return the share that is left; where there was nothing, nothing is lost."""
    return after / before if before > 0 else 1.0


def _erased(reading: Reading) -> dict[str, float]:
    """Return the share of pictures that no longer show it, with its interval."""
    value, low, high = reading.value, reading.low, reading.high
    return {"value": 1 - value, "low": 1 - high, "high": 1 - low}
