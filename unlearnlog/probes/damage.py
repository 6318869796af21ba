"""The damage of kept concepts, by their relation to the erased one.

A mean over all kept concepts hides the damaged ones. The damage of a kept concept is
the share of its pictures that showed it on the base and no longer do, less those that
show it only now: same prompts, same latents.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from unlearnlog.core.reading import Reading
from unlearnlog.probes.evidence import CaseResult, ErasedEvidence, Evidence
from unlearnlog.probes.picture_probe import About, Probe, reading
from unlearnlog.probes.rank_correlation import FEWEST, rank_correlation
from unlearnlog.probes.statistics import Estimate, clustered_change


@final
@dataclass(frozen=True)
class DamageByRelation(Probe):
    """Damage by relation to the erased concept, and against the distance to it.

    ``damage.look-alike``, ``damage.sibling``, ``damage.unrelated`` and so on: kept
    concepts of the same kind, by their relation. ``damage.composition``: the concepts
    beside it in its own prompts. ``damage.parent``: those beside its family's name.
    ``damage.by-distance``: Spearman's rank correlation, over kept concepts, of the
    damage with the distance in the graph; below 0 the near ones are damaged more.

    Source:
        Ours, after the neighbourhoods of the concept graph.
    """

    name: ClassVar[str] = "damage"
    source: ClassVar[str] = "https://arxiv.org/abs/2603.00992"

    def readings(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Return the damage around each erased concept, where there is any relation."""
        return tuple(
            found
            for look in evidence.looked
            for found in (*self._typed(look, evidence.kept), *self._far(look, evidence))
        )

    def _typed(
        self, look: ErasedEvidence, kept: Sequence[CaseResult]
    ) -> Iterator[Reading]:
        kind, other = look.kind, look.other
        groups: dict[str, list[CaseResult]] = {}
        for seen in kept:
            if relation := look.relations.get(seen.cell.shows(kind)):
                groups.setdefault(relation, []).append(seen)
        for relation, group in groups.items():
            yield self._of(relation, look, group, kind)
        if look.erased:
            yield self._of("composition", look, look.erased, other)
        if look.family and "parent" not in groups:
            yield self._of("parent", look, look.family, other)

    def _of(
        self,
        relation: str,
        look: ErasedEvidence,
        group: Sequence[CaseResult],
        kind: str,
    ) -> Reading:
        about = About(
            f"{self.name}.{relation}", look.concept.name, "lower", "difference"
        )
        return reading(about, damage(group, kind))

    def _far(self, look: ErasedEvidence, evidence: Evidence) -> Iterator[Reading]:
        hurt, far = [], []
        for name, hops in look.hops.items():
            group = [s for s in evidence.kept if s.cell.shows(look.kind) == name]
            if group:
                hurt.append(damage(group, look.kind).value)
                far.append(float(hops))
        if len(hurt) < FEWEST or len({*hurt}) == 1 or len({*far}) == 1:
            return
        about = About(
            f"{self.name}.by-distance", look.concept.name, "none", "correlation"
        )
        yield reading(about, rank_correlation(hurt, far))


def damage(group: Sequence[CaseResult], kind: str) -> Estimate:
    """Return the fall of the share of pictures that show their concept of a kind.

    The interval is clustered by subject and by style.
    """
    return clustered_change(
        [not seen.kept(kind) for seen in group],
        [not seen.kept_by_base(kind) for seen in group],
        [seen.cell.subject for seen in group],
        [seen.cell.style for seen in group],
    )
