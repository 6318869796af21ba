"""The interface of probes of pictures, from evidence to readings."""

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
    """A measure of pictures.

    Attributes:
        name: Its name in a policy's limits and an entry's readings.
        source: A link to the definition of the measure.
    """

    name: ClassVar[str]
    source: ClassVar[str]

    @abstractmethod
    def readings(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Return the readings; none where there is no evidence."""


@dataclass(frozen=True)
class About:
    """The name of a reading, its concept, its better direction and its unit."""

    probe: str
    concept: str
    better: Better
    unit: str = "share"


def reading(about: About, estimate: Estimate, base: float | None = None) -> Reading:
    """Return an estimate as a reading."""
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
