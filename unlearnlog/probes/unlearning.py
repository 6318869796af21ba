"""Unlearning accuracy (UA): the share of a concept's prompts that no longer show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from unlearnlog.core.reading import Reading
from unlearnlog.probes.evidence import CaseResult, ErasedEvidence, Evidence
from unlearnlog.probes.picture_probe import About, Probe, reading
from unlearnlog.probes.statistics import share


@final
@dataclass(frozen=True)
class UnlearningAccuracy(Probe):
    """UA = 1 - acc(X, X), on pictures prompted with the erased concept X.

    ``ua.alias`` is the same for its other names that share no word with its own: an
    erasure of a token would leave them alone.

    Source:
        UnlearnCanvas, https://arxiv.org/abs/2402.11846.
    """

    name: ClassVar[str] = "ua"
    source: ClassVar[str] = "https://arxiv.org/abs/2402.11846"

    def readings(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Return UA of each erased concept with Wilson's interval."""
        return tuple(
            _unlearnt(name, look, seen)
            for look in evidence.looked
            for name, seen in ((self.name, look.erased), ("ua.alias", look.renamed))
            if seen
        )


def _unlearnt(name: str, look: ErasedEvidence, seen: Sequence[CaseResult]) -> Reading:
    gone = sum(not each.kept(look.kind) for each in seen)
    before = sum(not each.kept_by_base(look.kind) for each in seen) / len(seen)
    about = About(name, look.concept.name, "higher")
    return reading(about, share(gone, len(seen)), before)
