"""The content of an erased concept's pictures, since noise alone would raise UA."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar, Final, final

from unlearnlog.core.probe_case import REJECT
from unlearnlog.core.reading import Reading
from unlearnlog.probes.evidence import ErasedEvidence, Evidence
from unlearnlog.probes.picture_probe import About, Better, Probe, reading
from unlearnlog.probes.statistics import Estimate, share

LIKELY: Final = 0.02
"""Share of the target's pictures from which on a name belongs to the target.

A third of the share that each of 16 styles has of "a painting of a cat"; one slip of
the judge among some 96 pictures stays below it.
"""


@final
@dataclass(frozen=True)
class Redirection(Probe):
    """The content of pictures of the erased concept's own prompts.

    ``lands.subject`` (``lands.style`` when a subject was erased): the prompt's other
    concept is still there. ``lands.anchor``: the picture shows a style or subject that
    the base paints for the target's prompts. ``lands.reject``: the judge recognises
    nothing.

    Source:
        Ours, since noise reaches a high UA, too.
    """

    name: ClassVar[str] = "lands"
    source: ClassVar[str] = "https://arxiv.org/abs/2402.11846"

    def readings(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Return the three shares of each erased concept with Wilson's intervals."""
        looked = [look for look in evidence.looked if look.erased]
        return tuple(found for look in looked for found in self._landed(look))

    def _landed(self, look: ErasedEvidence) -> tuple[Reading, ...]:
        kind, other, erased = look.kind, look.other, look.erased
        likely = _likely(look, kind)
        landed = sum(s.now.of(kind) in likely and not s.kept(kind) for s in erased)
        beside = sum(seen.kept(other) for seen in erased)
        lost = sum(REJECT in (s.now.subject, s.now.style) for s in erased)
        n = len(erased)
        before = {
            other: sum(seen.kept_by_base(other) for seen in erased) / n,
            "reject": sum(REJECT in (s.base.subject, s.base.style) for s in erased) / n,
        }
        return (
            self._of(other, look, share(beside, n), "higher", before[other]),
            self._of("anchor", look, share(landed, n), "higher"),
            self._of("reject", look, share(lost, n), "lower", before["reject"]),
        )

    def _of(
        self,
        what: str,
        look: ErasedEvidence,
        estimate: Estimate,
        better: Better,
        base: float | None = None,
    ) -> Reading:
        about = About(f"{self.name}.{what}", look.concept.name, better)
        return reading(about, estimate, base)


def _likely(look: ErasedEvidence, kind: str) -> set[str]:
    """Return the names that the base paints for the target's prompts, without noise."""
    shown = Counter(answer.of(kind) for answer in look.target)
    enough = LIKELY * len(look.target)
    return {name for name, n in shown.items() if n >= enough and name != REJECT}


@final
@dataclass(frozen=True)
class TargetFloor(Probe):
    """The share of the target's pictures that show the concept, the floor of 1 - UA.

    Source:
        Ours: "a painting of a cat" may show a Picasso although it names none.
    """

    name: ClassVar[str] = "floor"
    source: ClassVar[str] = "https://arxiv.org/abs/2402.11846"

    def readings(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Return the share for each erased concept, measured on the base."""
        return tuple(self._of(look) for look in evidence.looked if look.target)

    def _of(self, look: ErasedEvidence) -> Reading:
        concept, n = look.concept, len(look.target)
        hits = sum(each.of(look.kind) == concept.name for each in look.target)
        about = About(self.name, concept.name, "none")
        return reading(about, share(hits, n))
