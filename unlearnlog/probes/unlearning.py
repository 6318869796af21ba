"""Is it gone? UA, the share of its own prompts that no longer show the concept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from unlearnlog.probes.evidence import Evidence
from unlearnlog.probes.probe import About, Probe, reading
from unlearnlog.probes.statistics import share
from unlearnlog.reading import Reading


@final
@dataclass(frozen=True)
class UnlearningAccuracy(Probe):
    """UA = 1 - acc(X, X), on pictures prompted with the erased concept X.

    Source:
        UnlearnCanvas, https://arxiv.org/abs/2402.11846.
    """

    name: ClassVar[str] = "ua"
    source: ClassVar[str] = "https://arxiv.org/abs/2402.11846"

    def readings(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Return UA with Wilson's interval."""
        kind, erased = evidence.concept.kind, evidence.erased
        if not erased:
            return ()
        gone = sum(not seen.kept(kind) for seen in erased)
        before = sum(not seen.kept_by_base(kind) for seen in erased) / len(erased)
        about = About(self.name, evidence.concept.name, "higher")
        return (reading(about, share(gone, len(erased)), before),)
