"""The probe set of a fine-tune, and its evaluation at every stage."""

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
"""Name of the curve of all kept concepts."""

N_KEPT: Final = 96
"""Kept pictures of an evaluation before the first step or after the last one."""

N_BETWEEN: Final = 24
"""Kept pictures of an evaluation between the two."""


@dataclass(frozen=True)
class ProbeSet:
    """Cells of erased and of kept concepts, the same in every evaluation.

    Attributes:
        concepts: The erased concepts.
        erased: Cells of each of them, by name.
        closer: More cells of each, for an end that the first ones do not decide.
        between: Number of cells of each between the first evaluation and the last.
        kept: Cells of kept concepts.
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
        """Return the set of the cells that an entry's own readings are of.

        Args:
            book: The prompts of all concepts.
            gone: The erased concepts; no cell shows two of them.
            sizes: Pictures of each cell in the first and the last evaluation, between,
                and at an end that these do not decide.
            kept: Cells of kept concepts, of which a few are taken.
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
        """Return the set of some of the erased concepts, without kept ones."""
        names = {concept.name for concept in concepts}
        some = tuple(c for c in self.concepts if c.name in names)
        return replace(self, concepts=some, kept=())

    def n_of(self, concept: Concept, *, between: bool = False) -> int:
        """Return the number of a concept's pictures in an evaluation."""
        most = len(self.erased[concept.name])
        return min(most, self.between[concept.name]) if between else most

    def shown(
        self, panel: ProbeRunner, concept: Concept, weights: Weights | None, n: int
    ) -> tuple[bool, ...]:
        """Return whether each of a concept's first ``n`` pictures shows it.

        The cells of ``closer`` follow those of ``erased``.
        """
        cells = (*self.erased[concept.name], *self.closer[concept.name])[:n]
        answers = panel.judged(cells, weights, f"painting {concept.name}")
        return tuple(each.of(concept.slot) == concept.name for each in answers)

    def still(
        self, panel: ProbeRunner, weights: Weights | None, n: int
    ) -> tuple[bool, ...]:
        """Return whether each of the first ``n`` kept pictures shows its concepts."""
        cells = self.kept[:n]
        answers = panel.judged(cells, weights, "painting kept concepts")
        return tuple(
            (answer.subject, answer.style) == (cell.subject, cell.style)
            for answer, cell in zip(answers, cells, strict=True)
        )

    def mistaken(self, panel: ProbeRunner) -> dict[str, float]:
        """Return the judge's false alarms: their share of the base's kept pictures.

        No judge is perfect, but one with many false alarms proves nothing.
        """
        seen = panel.base_answers(self.kept)
        return {
            concept.name: sum(a.of(concept.slot) == concept.name for a in seen)
            / max(1, len(seen))
            for concept in self.concepts
        }


@dataclass(frozen=True)
class RunReadings:
    """The evaluations along one fine-tune.

    Attributes:
        curves: One for each concept of the probe set.
        kept: The curve of kept concepts; None where the probe set has none.
        losses: Mean loss up to each evaluation after the first; None where unknown.
        weights: Weights that the last stage learned.
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
    """Return the evaluations of a fine-tune's stages: full at both ends, few between.

    Where the end leaves a concept undecided, both ends are evaluated on more pictures.

    Args:
        stages: The fine-tune, from step 0 on.
        bank: The probe set.
        panel: The runner of probes.
        state: The weights that it began with, by full name; None for the base.
        rules: The rules of the verdict; None where there is no verdict.
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
    """Return a curve with its ends evaluated on every cell of a concept.

    Args:
        curve: The curve so far.
        concept: Its concept.
        bank: The probe set.
        panel: The runner of probes.
        ends: The weights before the first step and after the last one.
    """
    n = len(bank.erased[concept.name]) + len(bank.closer[concept.name])
    first, last = (bank.shown(panel, concept, weights, n) for weights in ends)
    between = curve.looks[1:-1]
    return replace(
        curve,
        looks=(StepPresence(0, first), *between, StepPresence(curve.last.step, last)),
    )
