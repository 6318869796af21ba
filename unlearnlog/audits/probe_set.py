"""The pictures that are looked at along a fine-tune, and what is seen in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from unlearnlog.audits.survival import Curve, StepPresence, durations, weighed
from unlearnlog.audits.verdict import Gate
from unlearnlog.probes.runner import scattered

if TYPE_CHECKING:
    from unlearnlog.audits.finetune_training import TrainingStage
    from unlearnlog.audits.verdict import VerdictRules
    from unlearnlog.concepts.prompts import PromptBook
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.delta import Weights
    from unlearnlog.core.probe_case import ProbeCase
    from unlearnlog.probes.runner import ProbeRunner

KEPT: Final = "(kept)"
"""What the curve of everything that was not erased is called."""

N_KEPT: Final = 96
"""Kept pictures that are looked at before the first step and after the last one."""

N_BETWEEN: Final = 24
"""Of these, between the two."""


@dataclass(frozen=True)
class ProbeSet:
    """Pictures of erased concepts and of everything else, at every look the same.

    Attributes:
        concepts: The erased concepts.
        erased: Cells of each of them, by name.
        closer: More cells of each, for an end that the first ones do not decide.
        between: How many of them are looked at between the first look and the last.
        kept: Cells of everything else.
    """

    concepts: tuple[Concept, ...]
    erased: Mapping[str, tuple[ProbeCase, ...]]
    closer: Mapping[str, tuple[ProbeCase, ...]]
    between: Mapping[str, int]
    kept: tuple[ProbeCase, ...]

    @classmethod
    def of(
        cls,
        book: PromptBook,
        gone: Sequence[Concept],
        *,
        sizes: tuple[int, int, int],
        kept: Sequence[ProbeCase],
    ) -> ProbeSet:
        """Choose the cells that an entry's own readings look at.

        Args:
            book: The prompts of everything.
            gone: What is erased; no cell shows two of them.
            sizes: Pictures of each cell at the first and the last look, between, and
                at an end that these do not decide.
            kept: Cells of everything else; a few of them will do.
        """
        names, (most, few, closer) = {concept.name for concept in gone}, sizes
        found = {concept.name: book.alone(concept, most, names) for concept in gone}
        return cls(
            tuple(concept for concept in gone if found[concept.name]),
            {name: cells for name, cells in found.items() if cells},
            {
                concept.name: tuple(
                    cell
                    for cell in book.alone(concept, closer, names)
                    if cell not in found[concept.name]
                )
                for concept in gone
            },
            {c.name: len(book.alone(c, min(most, few), names)) for c in gone},
            scattered(kept, N_KEPT),
        )

    def only(self, concepts: Iterable[Concept]) -> ProbeSet:
        """Return the bank of some of the erased concepts and of nothing else."""
        names = {concept.name for concept in concepts}
        some = tuple(c for c in self.concepts if c.name in names)
        return replace(self, concepts=some, kept=())

    def n_of(self, concept: Concept, *, between: bool = False) -> int:
        """Count the pictures of a concept that a look is at."""
        most = len(self.erased[concept.name])
        return min(most, self.between[concept.name]) if between else most

    def shown(
        self, panel: ProbeRunner, concept: Concept, weights: Weights | None, n: int
    ) -> tuple[bool, ...]:
        """Whether each of a concept's first ``n`` pictures shows it.

        Those after the ones of a usual look are those of a closer one.
        """
        cells = (*self.erased[concept.name], *self.closer[concept.name])[:n]
        answers = panel.judged(cells, weights, f"looking for {concept.name}")
        return tuple(each.of(concept.slot) == concept.name for each in answers)

    def still(
        self, panel: ProbeRunner, weights: Weights | None, n: int
    ) -> tuple[bool, ...]:
        """Whether each of the first ``n`` kept pictures shows what it is to show."""
        cells = self.kept[:n]
        answers = panel.judged(cells, weights, "looking at everything else")
        return tuple(
            (answer.subject, answer.style) == (cell.subject, cell.style)
            for answer, cell in zip(answers, cells, strict=True)
        )

    def mistaken(self, panel: ProbeRunner) -> dict[str, float]:
        """Share of the base's kept pictures in which a judge sees each erased concept.

        Nobody's judge is perfect, but one who sees it in most of them sees nothing.
        """
        seen = panel.base_answers(self.kept)
        return {
            concept.name: sum(a.of(concept.slot) == concept.name for a in seen)
            / max(1, len(seen))
            for concept in self.concepts
        }


@dataclass(frozen=True)
class RunReadings:
    """What was seen along one fine-tune.

    Attributes:
        curves: One for each concept of the bank.
        kept: Of everything else; None where the bank holds nothing else.
        losses: Mean loss up to each look after the first; None where it is not known.
        weights: What the last stage learned.
    """

    curves: tuple[Curve, ...]
    kept: Curve | None
    losses: tuple[float | None, ...]
    weights: Weights


def followed(
    stages: Iterable[TrainingStage],
    bank: ProbeSet,
    panel: ProbeRunner,
    state: Weights | None,
    *,
    rules: VerdictRules | None = None,
) -> RunReadings:
    """Look at every stage of a fine-tune: closely at both ends, less so between.

    An end that decides nothing of a concept is looked at in more pictures, and so is
    the beginning.

    Args:
        stages: The fine-tune, from step 0 on.
        bank: What is looked at.
        panel: Who looks.
        state: The weights that it began with, by full name; None for the base.
        rules: What decides; None where nothing is to be decided.
    """
    looks: dict[str, list[StepPresence]] = {
        concept.name: [] for concept in bank.concepts
    }
    kept: list[StepPresence] = []
    losses: list[float | None] = []
    learned: Weights = {}
    for stage in stages:
        learned = stage.weights
        weights = {**(state or {}), **learned} or None
        for concept in bank.concepts:
            n = bank.n_of(concept, between=not stage.is_end)
            shown = bank.shown(panel, concept, weights, n)
            looks[concept.name].append(StepPresence(stage.step, shown))
        if bank.kept:
            n = N_KEPT if stage.is_end else N_BETWEEN
            kept.append(StepPresence(stage.step, bank.still(panel, weights, n)))
        losses += [stage.loss] if stage.step else []
    curves = tuple(Curve(name, tuple(found)) for name, found in looks.items())
    if rules is not None:
        ends = state or None, {**(state or {}), **learned} or None
        curves = tuple(
            _closer(curve, concept, bank, panel, ends)
            if weighed(curve, duration).gate(rules) is Gate.OPEN
            else curve
            for concept, curve, duration in zip(
                bank.concepts, curves, durations(curves), strict=True
            )
        )
    return RunReadings(
        curves,
        Curve(KEPT, tuple(kept)) if kept else None,
        tuple(losses),
        learned,
    )


def _closer(
    curve: Curve,
    concept: Concept,
    bank: ProbeSet,
    panel: ProbeRunner,
    ends: tuple[Weights | None, Weights | None],
) -> Curve:
    """Return a curve whose ends are looked at in every picture there is of a concept.

    Args:
        curve: What was seen.
        concept: Of which concept.
        bank: Its pictures.
        panel: Who looks.
        ends: The weights before the first step and after the last one.
    """
    n = len(bank.erased[concept.name]) + len(bank.closer[concept.name])
    first, last = (bank.shown(panel, concept, weights, n) for weights in ends)
    between = curve.looks[1:-1]
    return replace(
        curve,
        looks=(StepPresence(0, first), *between, StepPresence(curve.last.step, last)),
    )
