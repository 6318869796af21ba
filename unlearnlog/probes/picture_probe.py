"""What a probe of pictures is: a question that evidence answers with readings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from unlearnlog.core.reading import Reading
from unlearnlog.probes.evidence import Evidence
from unlearnlog.probes.statistics import Estimate

Better = Literal["lower", "higher", "none"]


@dataclass(frozen=True)
class Probe(ABC):
    """One question about pictures.

    Attributes:
        name: What a policy's limits and an entry's readings call it.
        source: A link to where the measure is defined.
    """

    name: ClassVar[str]
    source: ClassVar[str]

    @abstractmethod
    def readings(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Answer the question; no reading where there is nothing to look at."""


@dataclass(frozen=True)
class About:
    """What a reading is called and which way it should go."""

    probe: str
    concept: str
    better: Better
    unit: str = "share"


def reading(about: About, estimate: Estimate, base: float | None = None) -> Reading:
    """Make a reading of an estimate."""
    return Reading(
        probe=about.probe,
        concept=about.concept,
        value=estimate.value,
        unit=about.unit,
        n=estimate.n,
        low=estimate.low,
        high=estimate.high,
        better=about.better,
        base=base,
    )
