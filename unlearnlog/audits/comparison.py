"""Looking at a state and at what was made of it, on the same prompts and latents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from unlearnlog.audits.probe_set import KEPT
from unlearnlog.audits.verdict import ConceptEvidence, Health
from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import Weights
from unlearnlog.core.probe_case import Answer, ProbeCase
from unlearnlog.core.prompt import Prompt
from unlearnlog.core.reading import Reading
from unlearnlog.probes.information import PromptedPictures, over_cells
from unlearnlog.probes.judge_posterior import seen_in
from unlearnlog.probes.picture_probe import About, reading
from unlearnlog.probes.runner import ProbeRunner
from unlearnlog.probes.statistics import clustered_change

_ELSEWHERE: Final = "looking at everything else"


@dataclass(frozen=True)
class ComparedConcept:
    """What is asked about one erased concept.

    Attributes:
        concept: The concept.
        cells: Cells that show it.
        prompts: Prompts that nats are read on, with their rivals; their pictures are
            those of ``cells``.
    """

    concept: Concept
    cells: tuple[ProbeCase, ...]
    prompts: tuple[Prompt, ...] = ()

    def shows(self, answers: Sequence[Answer]) -> tuple[bool, ...]:
        """Whether each picture shows it."""
        slot, name = self.concept.slot, self.concept.name
        return tuple(answer.of(slot) == name for answer in answers)


@dataclass(frozen=True)
class Comparison:
    """Who looks, at which state and at what was made of it.

    Attributes:
        panel: Who looks.
        then: The state's weights.
        now: Those of what was made of it.
        kept: Cells that show no erased concept.
    """

    panel: ProbeRunner
    then: Weights
    now: Weights
    kept: tuple[ProbeCase, ...]

    def sight(self, asked: ComparedConcept) -> ConceptEvidence:
        """Return what the judge sees of one erased concept, in three sets of weights.

        Pictures of kept cells are the controls of the judge: the base's, and those of
        what is audited.
        """
        name, panel = asked.concept.name, self.panel
        about = f"looking for {name}"
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
        """What is audited and the state, on everything that was kept; None for none.

        Args:
            slot: Whether styles or subjects are asked for: a model that paints no
                subject any more says nothing of an erased one.
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
        """Return ``returned.nats``: by how much more the pictures say of the concept.

        The base is the judge, `judge-mi` of the audited model's own pictures less that
        of the state's, per picture from the same latents; its base is what the state's
        say. Nothing where a prompt has no rivals.
        """
        if not asked.prompts or not all(p.rivals for p in asked.prompts):
            return ()
        known = {prompt.text: prompt for prompt in asked.prompts}
        cells = tuple(c for c in asked.cells if c.prompt in known)[: len(asked.prompts)]
        prompts = [known[cell.prompt] for cell in cells]
        plain = self.panel.unguided
        before, after = (
            seen_in(
                plain.model,
                prompts,
                PromptedPictures(
                    cells, plain.latents(cells, weights, "painting for the nats")
                ),
            )
            for weights in (self.then, self.now)
        )
        about = About("returned.nats", asked.concept.name, "lower", "nats")
        back = over_cells((after - before).tolist(), cells)
        return (reading(about, back, float(before.mean())),)

    def collateral(self) -> tuple[Reading, ...]:
        """Return ``collateral``: what became of kept cells' own pictures.

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
