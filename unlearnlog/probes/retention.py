"""Is everything else still there? IRA and CRA over the concepts that were kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from unlearnlog.probes.evidence import Evidence, Seen
from unlearnlog.probes.probe import About, Probe, reading
from unlearnlog.probes.statistics import clustered_share
from unlearnlog.reading import Reading


@final
@dataclass(frozen=True)
class InDomainRetention(Probe):
    """IRA = mean acc(X, Y) over kept concepts Y of the erased one's own kind.

    Source:
        UnlearnCanvas, https://arxiv.org/abs/2402.11846.
    """

    name: ClassVar[str] = "ira"
    source: ClassVar[str] = "https://arxiv.org/abs/2402.11846"

    def readings(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Return IRA with an interval clustered by subject and style."""
        return _retention(self.name, evidence, evidence.concept.kind)


@final
@dataclass(frozen=True)
class CrossDomainRetention(Probe):
    """CRA = mean acc(X, Y) over kept concepts Y of the other kind.

    Source:
        UnlearnCanvas, https://arxiv.org/abs/2402.11846.
    """

    name: ClassVar[str] = "cra"
    source: ClassVar[str] = "https://arxiv.org/abs/2402.11846"

    def readings(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Return CRA with an interval clustered by subject and style."""
        return _retention(self.name, evidence, evidence.other)


def _retention(name: str, evidence: Evidence, kind: str) -> tuple[Reading, ...]:
    kept: Sequence[Seen] = evidence.kept
    if not kept:
        return ()
    estimate = clustered_share(
        [seen.kept(kind) for seen in kept],
        [seen.cell.subject for seen in kept],
        [seen.cell.style for seen in kept],
    )
    before = sum(seen.kept_by_base(kind) for seen in kept) / len(kept)
    about = About(name, evidence.concept.name, "higher")
    return (reading(about, estimate, before),)
