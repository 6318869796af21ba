"""The resurgence of concepts that were erased earlier.

D(C_k, t_i) is the share of target i's own prompts that show it after step k. Its
resurgence is D(C_k, t_i) - D(C_i, t_i): the same pictures, from the same latents, now
and right after its own erasure. All earlier targets are tested at once, with a
correction for their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

from unlearnlog.core.doubt import EARLIER
from unlearnlog.core.probe_case import REJECT
from unlearnlog.core.reading import Reading
from unlearnlog.probes.decisions import benjamini_hochberg, returned
from unlearnlog.probes.evidence import Evidence, ReturnedEvidence
from unlearnlog.probes.picture_probe import About, Probe, reading
from unlearnlog.probes.statistics import Estimate, paired_share, share


@final
@dataclass(frozen=True)
class Resurgence(Probe):
    """The rise of each earlier target's presence since its own erasure.

    ``resurgence`` of each target and of all together; ``resurgence.found``: the number
    that are more than chance, after Benjamini-Hochberg; ``resurgence.reject``: the
    share of their pictures that the judge rejects, which is noise and no return.

    Source:
        The triangle D(C_k, t_i) is that of sequential unlearning's benchmarks; pairing
        it by latents and correcting for the number of targets is ours.
    """

    name: ClassVar[str] = "resurgence"
    source: ClassVar[str] = "https://arxiv.org/abs/2402.11846"

    def readings(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Return the differences; nothing where nothing was erased earlier."""
        rows = evidence.returned
        return tuple(self._of(rows)) if rows else ()

    def _of(self, rows: dict[str, ReturnedEvidence]) -> Iterator[Reading]:
        for name, row in rows.items():
            about = About(self.name, name, "lower", "difference")
            yield reading(about, paired_share(row.now, row.then))
        now = [shows for row in rows.values() for shows in row.now]
        then = [shows for row in rows.values() for shows in row.then]
        about = About(self.name, EARLIER, "lower", "difference")
        yield reading(about, paired_share(now, then))
        found = sum(
            benjamini_hochberg([returned(row.now, row.then) for row in rows.values()])
        )
        about = About(f"{self.name}.found", EARLIER, "lower", "concepts")
        yield reading(about, Estimate(found, found, found, len(rows)))
        lost = sum(
            REJECT in (s.now.subject, s.now.style)
            for row in rows.values()
            for s in row.seen
        )
        about = About(f"{self.name}.reject", EARLIER, "lower")
        yield reading(about, share(lost, len(now)))
