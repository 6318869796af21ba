"""Paint once, then ask every probe: the readings of one erasure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from unlearnlog.cell import Answer, Cell
from unlearnlog.concept import Concept
from unlearnlog.delta import Weights
from unlearnlog.model.protocol import Model, Painted, Sampling
from unlearnlog.probes.evidence import Evidence, Judge, paired
from unlearnlog.probes.information import (
    Pictures,
    bound_information,
    drift,
    self_information,
)
from unlearnlog.prompt import Prompt, Target
from unlearnlog.reading import Reading
from unlearnlog.watch import Watch, counted

KnownAnswers = Callable[[Sequence[Cell]], Sequence[Answer | None]]
"""What is known already of the base's pictures; None where it must be painted."""


@dataclass(frozen=True)
class Questions:
    """What is looked at after one erasure.

    Attributes:
        concept: What was erased.
        erased: Cells that show it.
        kept: Cells that show no erased concept.
        earlier: Cells of each concept erased before, by name.
        target: Prompts for what is painted instead.
        information: Prompts that nats are read on, with their contexts; those whose
            cells are not among ``erased`` are left out.
        instead: Which form of those prompts the eraser aimed at.
    """

    concept: Concept
    erased: tuple[Cell, ...]
    kept: tuple[Cell, ...]
    earlier: dict[str, tuple[Cell, ...]]
    target: tuple[Cell, ...]
    information: tuple[Prompt, ...]
    instead: Target = "context"


@dataclass(frozen=True)
class Panel:
    """A model, a judge and a way to paint: what probes work with.

    Attributes:
        model: The base; nothing changes it.
        judge: Who says what pictures show.
        known: What is known already of the base's pictures.
        sampling: How pictures are painted.
        watch: Who wants to see it advance.
    """

    model: Model
    judge: Judge
    known: KnownAnswers
    sampling: Sampling
    watch: Watch

    def base_answers(self, cells: Sequence[Cell]) -> list[Answer]:
        """Return what the base shows for cells, painting only what is not known."""
        known = list(self.known(cells))
        missing = [
            cell for cell, answer in zip(cells, known, strict=True) if not answer
        ]
        fresh = iter(self._judged(missing, None, "painting with the base"))
        return [answer or next(fresh) for answer in known]

    def looked(self, questions: Questions, new: Weights) -> Evidence:
        """Paint every question with the new weights and let the judge see it."""
        others = [*questions.kept, *_flat(questions.earlier)]
        answers = iter(
            [
                *self._judged(questions.erased, new, "looking at the concept"),
                *self._judged(others, new, "looking at everything else"),
            ]
        )

        def seen(cells: tuple[Cell, ...]) -> tuple[Answer, ...]:
            return tuple(next(answers) for _ in cells)

        return Evidence(
            questions.concept,
            erased=paired(
                questions.erased,
                self.base_answers(questions.erased),
                seen(questions.erased),
            ),
            kept=paired(
                questions.kept, self.base_answers(questions.kept), seen(questions.kept)
            ),
            earlier={
                name: paired(cells, self.base_answers(cells), seen(cells))
                for name, cells in questions.earlier.items()
            },
            target=tuple(self.base_answers(questions.target)),
        )

    def information(self, questions: Questions, new: Weights) -> tuple[Reading, ...]:
        """Return the nats: what the prompt still says, and what else has moved.

        They are read on pictures painted without guidance, which exaggerates what a
        prompt says: the model's own samples are what its information is about.
        """
        n, known = len(questions.information), _by_text(questions.information)
        cells = tuple(c for c in questions.erased if c.prompt in known)[:n]
        kept = scattered(questions.kept, n)
        plain = replace(self, sampling=_unguided(self.sampling))
        base = plain._paint((*cells, *kept), None, "painting for the nats").latents
        painted = plain._paint(cells, new, "painting for the nats").latents
        before = Pictures(cells, base[: len(cells)])
        prompts = [known[cell.prompt] for cell in cells]
        self.watch.stage("reading nats", 3)
        found: list[Reading] = []
        for readings in (
            self_information(
                self.model,
                questions.concept,
                prompts=prompts,
                before=before,
                after=(Pictures(cells, painted), new),
            ),
            bound_information(
                self.model,
                questions.concept,
                texts=[(p.text, p.target(questions.instead)) for p in prompts],
                before=before,
                weights=new,
            ),
            drift(self.model, Pictures(kept, base[len(cells) :]), new),
        ):
            found += readings
            self.watch.advance(1, {})
        return tuple(found)

    def _judged(
        self, cells: Sequence[Cell], weights: Weights | None, stage: str
    ) -> list[Answer]:
        if not cells:
            return []
        pictures: Tensor = self._paint(cells, weights, stage).pictures
        return self.judge.judged(pictures)

    def _paint(
        self, cells: Sequence[Cell], weights: Weights | None, stage: str
    ) -> Painted:
        self.watch.stage(stage, len(cells))
        return self.model.paint(
            [cell.prompt for cell in cells],
            [cell.seed for cell in cells],
            sampling=self.sampling,
            weights=weights,
            progress=counted(self.watch),
        )


def _unguided(sampling: Sampling) -> Sampling:
    """Return twice the steps and no guidance, for about the same work."""
    return replace(sampling, steps=2 * sampling.steps, guidance=1.0)


def scattered(cells: Sequence[Cell], n: int) -> tuple[Cell, ...]:
    """Return ``n`` of the cells, or all, in an order that has nothing to do with them.

    Every n-th cell would not do: cells come row by row, so a stride that divides the
    length of a row sees a few subjects only.
    """

    def place(cell: Cell) -> str:
        return hashlib.sha256(f"{cell.seed}:{cell.prompt}".encode()).hexdigest()

    return tuple(sorted(cells, key=place)[:n])


def _by_text(prompts: Sequence[Prompt]) -> dict[str, Prompt]:
    return {prompt.text: prompt for prompt in prompts}


def _flat(earlier: dict[str, tuple[Cell, ...]]) -> list[Cell]:
    return [cell for cells in earlier.values() for cell in cells]
