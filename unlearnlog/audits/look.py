"""Looking at a state and at what was made of it, on the same prompts and latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from unlearnlog.audits.verdict import Sight
from unlearnlog.cell import Answer, Cell
from unlearnlog.concept import Concept
from unlearnlog.delta import Weights
from unlearnlog.probes.information import Pictures, over_cells
from unlearnlog.probes.panel import Panel
from unlearnlog.probes.posterior import seen_in
from unlearnlog.probes.probe import About, reading
from unlearnlog.prompt import Prompt
from unlearnlog.reading import Reading

KEPT: Final = "(kept)"
"""What a reading of everything else together is about."""


@dataclass(frozen=True)
class Bank:
    """What is asked about one erased concept.

    Attributes:
        concept: The concept.
        cells: Cells that show it.
        prompts: Prompts that nats are read on, with their rivals; their pictures are
            those of ``cells``.
    """

    concept: Concept
    cells: tuple[Cell, ...]
    prompts: tuple[Prompt, ...] = ()

    @property
    def kind(self) -> str:
        """Which answer of a judge is about it."""
        return "style" if self.concept.kind == "style" else "subject"

    def shows(self, answers: Sequence[Answer]) -> tuple[bool, ...]:
        """Whether each picture shows it."""
        return tuple(answer.of(self.kind) == self.concept.name for answer in answers)


@dataclass(frozen=True)
class Audience:
    """Who looks, at which state and at what was made of it.

    Attributes:
        panel: Who looks.
        then: The state's weights.
        now: Those of what was made of it.
        kept: Cells that show no erased concept.
    """

    panel: Panel
    then: Weights
    now: Weights
    kept: tuple[Cell, ...]

    def sight(self, bank: Bank) -> Sight:
        """Return what the judge sees of one erased concept, in three sets of weights.

        The base's pictures of kept cells are the control of the judge.
        """
        name, panel = bank.concept.name, self.panel
        about = f"looking for {name}"
        return Sight(
            concept=name,
            now=bank.shows(panel.judged(bank.cells, self.now, about)),
            then=bank.shows(panel.judged(bank.cells, self.then, f"{about}, before")),
            base=bank.shows(panel.base_answers(bank.cells)),
            control=bank.shows(panel.base_answers(self.kept)),
        )

    def nats(self, bank: Bank) -> tuple[Reading, ...]:
        """Return ``returned.nats``: by how much more the pictures say of the concept.

        The base is the judge, `judge-mi` of the audited model's own pictures less that
        of the state's, per picture from the same latents; its base is what the state's
        say. Nothing where a prompt has no rivals.
        """
        if not bank.prompts or not all(p.rivals for p in bank.prompts):
            return ()
        known = {prompt.text: prompt for prompt in bank.prompts}
        cells = tuple(c for c in bank.cells if c.prompt in known)[: len(bank.prompts)]
        prompts = [known[cell.prompt] for cell in cells]
        plain = self.panel.unguided
        before, after = (
            seen_in(
                plain.model,
                prompts,
                Pictures(cells, plain.latents(cells, weights, "painting for the nats")),
            )
            for weights in (self.then, self.now)
        )
        about = About("returned.nats", bank.concept.name, "lower", "nats")
        back = over_cells((after - before).tolist(), cells)
        return (reading(about, back, float(before.mean())),)

    def collateral(self) -> tuple[Reading, ...]:
        """Return what became of kept concepts: of each, and of all against the state.

        ``presence`` of each, with the base's; ``collateral``: the mean paired change
        of all kept cells' own pictures since the state, both kinds together.
        """
        panel = self.panel
        now = panel.judged(self.kept, self.now, "looking at everything else")
        then = panel.judged(self.kept, self.then, "looking at everything else, before")
        changes, cells = [], []
        for cell, new, old in zip(self.kept, now, then, strict=True):
            for kind in ("style", "subject"):
                wanted = cell.shows(kind)
                changes.append(float(new.of(kind) == wanted) - (old.of(kind) == wanted))
                cells.append(cell)
        if not changes:
            return ()
        about = About("collateral", KEPT, "higher", "difference")
        return (reading(about, over_cells(changes, cells), 0.0),)
