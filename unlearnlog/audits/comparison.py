"""The comparison of a state and an audited model, on the same prompts and latents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch

from unlearnlog.audits.probe_set import KEPT
from unlearnlog.audits.verdict import ConceptEvidence, Health
from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import Weights
from unlearnlog.core.probe_case import Answer, ProbeCase
from unlearnlog.core.prompt import Prompt
from unlearnlog.core.reading import Reading
from unlearnlog.probes.information import PromptedPictures, over_cells
from unlearnlog.probes.picture_probe import About, reading
from unlearnlog.probes.probe_units import PosteriorUnit
from unlearnlog.probes.runner import ProbeRunner
from unlearnlog.probes.statistics import clustered_change

_ELSEWHERE: Final = "painting kept concepts"


@dataclass(frozen=True)
class ComparedConcept:
    """The cells of one erased concept in a comparison.

    Attributes:
        concept: The concept.
        cells: Cells that show it.
        prompts: Prompts for readings in nats, with their rivals; their pictures are
            those of ``cells``.
    """

    concept: Concept
    cells: tuple[ProbeCase, ...]
    prompts: tuple[Prompt, ...] = ()

    def shows(self, answers: Sequence[Answer]) -> tuple[bool, ...]:
        """Return whether each picture shows it."""
        slot, name = self.concept.slot, self.concept.name
        return tuple(answer.of(slot) == name for answer in answers)


@dataclass(frozen=True)
class Comparison:
    """A runner of probes, with the weights of a state and of an audited model.

    Attributes:
        panel: The runner of probes.
        then: The state's weights.
        now: The audited model's weights.
        kept: Cells that show no erased concept.
    """

    panel: ProbeRunner
    then: Weights
    now: Weights
    kept: tuple[ProbeCase, ...]

    def prepare(self, compared: Sequence[ComparedConcept]) -> None:
        """Have workers judge all cells of the comparisons of several concepts."""
        cells: list[tuple[tuple[ProbeCase, ...], Weights | None]] = []
        for asked in compared:
            cells += [(asked.cells, self.now), (asked.cells, self.then)]
            cells += [(asked.cells, None), (self.kept, None)]
            cells += [(self.kept, self.now), (self.kept, self.then)]
        self.panel.prepare(cells)

    def sight(self, asked: ComparedConcept) -> ConceptEvidence:
        """Return the judge's answers on one erased concept, in three sets of weights.

        Pictures of kept cells are the controls of the judge: the base's, and the
        audited model's.
        """
        name, panel = asked.concept.name, self.panel
        about = f"painting {name}"
        return ConceptEvidence(
            concept=name,
            now=asked.shows(panel.judged(asked.cells, self.now, about)),
            then=asked.shows(panel.judged(asked.cells, self.then, f"{about}, before")),
            base=asked.shows(panel.base_answers(asked.cells)),
            control=asked.shows(panel.base_answers(self.kept)),
            elsewhere=asked.shows(panel.judged(self.kept, self.now, _ELSEWHERE)),
            health=self.health(asked.concept.slot),
        )

    def health(self, slot: str) -> Health | None:
        """Return the audited model's and the state's accuracy on kept cells, or None.

        Args:
            slot: ``style`` or ``subject``, as the erased concept: a model that paints
                no subject any more proves nothing about an erased one.
        """
        hits = [*self._hits(slot)]
        if not hits:
            return None
        _, now, then = zip(*hits, strict=True)
        return Health(sum(now) / len(hits), sum(then) / len(hits), len(hits))

    def _hits(self, *slots: str) -> Iterator[tuple[ProbeCase, bool, bool]]:
        """Yield kept cells, for each slot whether it shows, now and in the state."""
        now = self.panel.judged(self.kept, self.now, _ELSEWHERE)
        then = self.panel.judged(self.kept, self.then, f"{_ELSEWHERE}, before")
        for cell, new, old in zip(self.kept, now, then, strict=True):
            for slot in slots:
                wanted = cell.shows(slot)
                yield cell, new.of(slot) == wanted, old.of(slot) == wanted

    def nats(self, asked: ComparedConcept) -> tuple[Reading, ...]:
        """Return ``returned.nats``: the rise of the pictures' information on a concept.

        The base is the judge, `judge-mi` of the audited model's own pictures less that
        of the state's, per picture from the same latents; its base is the state's.
        Nothing where a prompt has no rivals, or the base predicts no posterior mean.
        """
        if self.panel.model.no_nats:
            return ()
        if not asked.prompts or not all(p.rivals for p in asked.prompts):
            return ()
        known = {prompt.text: prompt for prompt in asked.prompts}
        cells = tuple(c for c in asked.cells if c.prompt in known)[: len(asked.prompts)]
        prompts = [known[cell.prompt] for cell in cells]
        plain = self.panel.unguided
        units = [
            PosteriorUnit.of(
                prompts,
                PromptedPictures(
                    cells, plain.latents(cells, weights, "painting for the nats")
                ),
            )
            for weights in (self.then, self.now)
        ]
        found = torch.cat(plain.results([each for part in units for each in part]))
        before, after = found.split(len(cells))
        about = About("returned.nats", asked.concept.name, "lower", "nats")
        back = over_cells((after - before).tolist(), cells)
        return (reading(about, back, float(before.mean())),)

    def collateral(self) -> tuple[Reading, ...]:
        """Return ``collateral``: the change of accuracy on kept cells.

        The mean paired change since the state, of style and subject together.
        """
        hits = [*self._hits("style", "subject")]
        if not hits:
            return ()
        cells, now, then = zip(*hits, strict=True)
        change = clustered_change(
            now, then, [c.subject for c in cells], [c.style for c in cells]
        )
        about = About("collateral", KEPT, "higher", "difference")
        return (reading(about, change, 0.0),)
