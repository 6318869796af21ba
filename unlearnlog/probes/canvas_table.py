"""UnlearnCanvas's table: UA, IRA and CRA of each erased concept, and every accuracy.

UA is the share of the erased concept's pictures that no longer show it. IRA and CRA are
read on the other pictures: the share that shows the concept of the same kind, and of
the other kind, that the prompt names.

Source:
    UnlearnCanvas, https://arxiv.org/abs/2402.11846.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from unlearnlog.core.concept import Slot
from unlearnlog.core.probe_case import Answer, ProbeCase
from unlearnlog.core.reading import Reading
from unlearnlog.probes.evidence import other_kind
from unlearnlog.probes.picture_probe import About, reading
from unlearnlog.probes.statistics import Estimate, clustered_share, share

Seen = Sequence[tuple[ProbeCase, Answer]]

DOMAINS: Final[Mapping[str, str]] = {"style": "style", "subject": "class"}
"""The benchmark's own words for the two kinds."""


@dataclass(frozen=True)
class CanvasRow:
    """The row of one erased concept.

    Attributes:
        concept: The concept.
        slot: Whether it is a style or a subject.
        ua: Unlearning accuracy.
        ira: In-domain retain accuracy.
        cra: Cross-domain retain accuracy.
        accuracy: The share of each concept's pictures that show it, by its name.
    """

    concept: str
    slot: Slot
    ua: Estimate
    ira: Estimate
    cra: Estimate
    accuracy: Mapping[str, float]

    def readings(self) -> tuple[Reading, ...]:
        """Return UA, IRA and CRA as readings."""
        each = {"ua": self.ua, "ira": self.ira, "cra": self.cra}
        return tuple(
            reading(About(name, self.concept, "higher"), found)
            for name, found in each.items()
        )

    def cells(self) -> dict[str, str | float | int]:
        """Return the row's cells by column."""
        found: dict[str, str | float | int] = {
            "unlearned": self.concept.replace(" ", "_"),
            "domain": DOMAINS[self.slot],
        }
        for name, estimate in (("UA", self.ua), ("IRA", self.ira), ("CRA", self.cra)):
            found[name] = round(estimate.value, 4)
            found[f"{name}_low"] = round(estimate.low, 4)
            found[f"{name}_high"] = round(estimate.high, 4)
            found[f"{name}_n"] = estimate.n
        for name, value in self.accuracy.items():
            found[f"acc_{name.replace(' ', '_')}"] = round(value, 4)
        return found


def canvas_row(seen: Seen, concept: str, slot: Slot) -> CanvasRow:
    """Return the row of an erased concept.

    Args:
        seen: The judge's answer to each picture of every style with every subject.
        concept: The erased concept.
        slot: Whether it is a style or a subject.

    Raises:
        ValueError: No picture is of the concept, or all are.
    """
    own = [each for each in seen if each[0].shows(slot) == concept]
    kept = [each for each in seen if each[0].shows(slot) != concept]
    gone = sum(not _hit(each, slot) for each in own)
    return CanvasRow(
        concept,
        slot,
        share(gone, len(own)),
        _accuracy(kept, slot),
        _accuracy(kept, other_kind(slot)),
        {**_each(seen, "style"), **_each(seen, "subject")},
    )


def _hit(each: tuple[ProbeCase, Answer], slot: str) -> bool:
    case, answer = each
    return answer.of(slot) == case.shows(slot)


def _accuracy(seen: Seen, slot: str) -> Estimate:
    return clustered_share(
        [_hit(each, slot) for each in seen],
        [case.subject for case, _ in seen],
        [case.style for case, _ in seen],
    )


def _each(seen: Seen, slot: str) -> dict[str, float]:
    """Return the accuracy on each concept's own pictures."""
    hits: dict[str, list[bool]] = {}
    for each in seen:
        hits.setdefault(each[0].shows(slot), []).append(_hit(each, slot))
    return {name: sum(found) / len(found) for name, found in hits.items()}
