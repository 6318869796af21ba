"""The presence of every concept in pictures of its own prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from unlearnlog.core.reading import Reading
from unlearnlog.probes.evidence import CaseResult, Evidence
from unlearnlog.probes.picture_probe import About, Better, Probe, reading
from unlearnlog.probes.statistics import share


@final
@dataclass(frozen=True)
class Presence(Probe):
    """The share of a concept's own prompts whose pictures show it.

    One reading for the erased concept, one for each that was erased before, and one for
    each kept concept: a mean would hide the worst.

    Source:
        The accuracies behind IRA and CRA, https://arxiv.org/abs/2402.11846.
    """

    name: ClassVar[str] = "presence"
    source: ClassVar[str] = "https://arxiv.org/abs/2402.11846"

    def readings(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Return the presence of every concept with Wilson's interval."""
        found = [
            self._of(look.concept.name, look.erased, look.kind, "lower")
            for look in evidence.looked
            if look.erased
        ]
        for name, seen in evidence.earlier.items():
            if not seen:  # each of its pictures shows another erased concept
                continue
            kind = "style" if seen[0].cell.style == name else "subject"
            found.append(self._of(name, seen, kind, "lower"))
        for kind in ("style", "subject"):
            names = sorted({seen.cell.shows(kind) for seen in evidence.kept})
            for name in names:
                seen = tuple(s for s in evidence.kept if s.cell.shows(kind) == name)
                found.append(self._of(name, seen, kind, "higher"))
        return tuple(found)

    def _of(
        self, name: str, seen: Sequence[CaseResult], kind: str, better: Better
    ) -> Reading:
        hits = sum(each.kept(kind) for each in seen)
        before = sum(each.kept_by_base(kind) for each in seen) / len(seen)
        about = About(self.name, name or "(empty scene)", better)
        return reading(about, share(hits, len(seen)), before)
