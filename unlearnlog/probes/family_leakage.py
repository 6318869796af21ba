"""The content of pictures for prompts that name only a concept's family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from unlearnlog.core.reading import Reading
from unlearnlog.probes.evidence import ErasedEvidence, Evidence
from unlearnlog.probes.picture_probe import About, Better, Probe, reading
from unlearnlog.probes.statistics import share


@final
@dataclass(frozen=True)
class FamilyLeakage(Probe):
    """The content of pictures for prompts of the family alone, such as "a cubist cat".

    ``family.erased``: the erased concept itself, which the prompt does not name.
    ``family.sibling``: another member. ``family.beside``: the prompt's other concept,
    which an empty scene would not show.

    Source:
        Ours; entangled, fine-grained concepts are the weakness that MiM-MU states,
        https://arxiv.org/abs/2603.00992.
    """

    name: ClassVar[str] = "family"
    source: ClassVar[str] = "https://arxiv.org/abs/2603.00992"

    def readings(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Return the three shares of each erased concept that has a family."""
        looked = [look for look in evidence.looked if look.family]
        return tuple(found for look in looked for found in self._shared(look))

    def _shared(self, look: ErasedEvidence) -> tuple[Reading, ...]:
        kind, other, family = look.kind, look.other, look.family
        now = [seen.now.of(kind) for seen in family]
        base = [seen.base.of(kind) for seen in family]
        name = look.concept.name
        return (
            self._of(
                ("erased", look, "lower"),
                [each == name for each in now],
                [each == name for each in base],
            ),
            self._of(
                ("sibling", look, "higher"),
                [each in look.near for each in now],
                [each in look.near for each in base],
            ),
            self._of(
                ("beside", look, "higher"),
                [seen.kept(other) for seen in family],
                [seen.kept_by_base(other) for seen in family],
            ),
        )

    def _of(
        self,
        what: tuple[str, ErasedEvidence, Better],
        now: Sequence[bool],
        base: Sequence[bool],
    ) -> Reading:
        word, look, better = what
        about = About(f"{self.name}.{word}", look.concept.name, better)
        return reading(about, share(sum(now), len(now)), sum(base) / len(base))
