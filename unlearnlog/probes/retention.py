"""Accuracies over kept concepts: IRA, CRA, NRA, ORA and that of look-alikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, final

from unlearnlog.core.reading import Reading
from unlearnlog.probes.evidence import CaseResult, ErasedEvidence, Evidence, other_kind
from unlearnlog.probes.picture_probe import About, Probe, reading
from unlearnlog.probes.statistics import clustered_share

_LONGEST: Final = 200  # characters of a reading's concept


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
        """Return IRA for each kind, with an interval clustered by subject and style."""
        return tuple(
            found
            for kind, looked in evidence.by_kind().items()
            for found in _retention(self.name, looked, evidence.kept, kind)
        )


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
        """Return CRA for each kind, with an interval clustered by subject and style."""
        return tuple(
            found
            for kind, looked in evidence.by_kind().items()
            for found in _retention(self.name, looked, evidence.kept, other_kind(kind))
        )


@final
@dataclass(frozen=True)
class NeighbourRetention(Probe):
    """NRA: IRA over the erased concept's neighbours, its family and its look-alikes.

    The paper does not define the abbreviation; its meaning here is ours.

    Source:
        MiM-MU, https://arxiv.org/abs/2603.00992.
    """

    name: ClassVar[str] = "nra"
    source: ClassVar[str] = "https://arxiv.org/abs/2603.00992"

    def readings(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Return NRA for each erased concept that has neighbours."""
        return tuple(
            found
            for look in evidence.looked
            for found in _retention(
                self.name,
                [look],
                [s for s in evidence.kept if s.cell.shows(look.kind) in look.near],
                look.kind,
            )
        )


@final
@dataclass(frozen=True)
class OtherRetention(Probe):
    """ORA: IRA over every kept concept that is no neighbour of the erased one.

    Source:
        MiM-MU, https://arxiv.org/abs/2603.00992.
    """

    name: ClassVar[str] = "ora"
    source: ClassVar[str] = "https://arxiv.org/abs/2603.00992"

    def readings(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Return ORA for each erased concept that has neighbours."""
        return tuple(
            found
            for look in evidence.looked
            if look.near
            for found in _retention(
                self.name,
                [look],
                [s for s in evidence.kept if s.cell.shows(look.kind) not in look.near],
                look.kind,
            )
        )


@final
@dataclass(frozen=True)
class LookAlikeRetention(Probe):
    """Accuracy on the concepts that are hardest to tell from the erased one.

    Source:
        Ours; entangled, fine-grained concepts are the weakness that MiM-MU states,
        https://arxiv.org/abs/2603.00992.
    """

    name: ClassVar[str] = "alike"
    source: ClassVar[str] = "https://arxiv.org/abs/2603.00992"

    def readings(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Return the share for each erased concept that has a look-alike."""
        return tuple(
            found
            for look in evidence.looked
            for found in _retention(self.name, [look], look.alike, look.kind)
        )


def _retention(
    name: str, looked: Sequence[ErasedEvidence], kept: Sequence[CaseResult], kind: str
) -> list[Reading]:
    if not kept:
        return []
    estimate = clustered_share(
        [seen.kept(kind) for seen in kept],
        [seen.cell.subject for seen in kept],
        [seen.cell.style for seen in kept],
    )
    before = sum(seen.kept_by_base(kind) for seen in kept) / len(kept)
    names = ", ".join(look.concept.name for look in looked)
    about = About(name, names[:_LONGEST], "higher")
    return [reading(about, estimate, before)]
