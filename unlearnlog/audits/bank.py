"""The pictures that are looked at along a fine-tune, and what is seen in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from unlearnlog.audits.survival import Curve, Look
from unlearnlog.probes.panel import scattered

if TYPE_CHECKING:
    from unlearnlog.audits.finetune import Stage
    from unlearnlog.cell import Cell
    from unlearnlog.concept import Concept
    from unlearnlog.delta import Weights
    from unlearnlog.graph.book import Book
    from unlearnlog.probes.panel import Panel

KEPT: Final = "(kept)"
"""What the curve of everything that was not erased is called."""

N_KEPT: Final = 96
"""Kept pictures that are looked at before the first step and after the last one."""

N_BETWEEN: Final = 24
"""Of these, between the two."""


@dataclass(frozen=True)
class Bank:
    """Pictures of erased concepts and of everything else, at every look the same.

    Attributes:
        concepts: The erased concepts.
        erased: Cells of each of them, by name.
        between: How many of them are looked at between the first look and the last.
        kept: Cells of everything else.
    """

    concepts: tuple[Concept, ...]
    erased: Mapping[str, tuple[Cell, ...]]
    between: Mapping[str, int]
    kept: tuple[Cell, ...]

    @classmethod
    def of(
        cls,
        book: Book,
        gone: Sequence[Concept],
        *,
        sizes: tuple[int, int],
        kept: Sequence[Cell],
    ) -> Bank:
        """Choose the cells that an entry's own readings look at.

        Args:
            book: The prompts of everything.
            gone: What is erased; no cell shows two of them.
            sizes: Pictures of each cell at the first and the last look, and between.
            kept: Cells of everything else; a few of them will do.
        """
        names, (most, few) = {concept.name for concept in gone}, sizes

        def clear(concept: Concept, per_cell: int) -> tuple[Cell, ...]:
            others = names - {concept.name}
            cells = book.erased(concept, per_cell)
            return tuple(c for c in cells if not {c.subject, c.style} & others)

        found = {concept.name: clear(concept, most) for concept in gone}
        return cls(
            tuple(concept for concept in gone if found[concept.name]),
            {name: cells for name, cells in found.items() if cells},
            {c.name: len(clear(c, min(most, few))) for c in gone},
            scattered(kept, N_KEPT),
        )

    def only(self, concepts: Iterable[Concept]) -> Bank:
        """Return the bank of some of the erased concepts and of nothing else."""
        names = {concept.name for concept in concepts}
        some = tuple(c for c in self.concepts if c.name in names)
        return replace(self, concepts=some, kept=())

    def n_of(self, concept: Concept, *, between: bool = False) -> int:
        """Count the pictures of a concept that a look is at."""
        most = len(self.erased[concept.name])
        return min(most, self.between[concept.name]) if between else most

    def shown(
        self, panel: Panel, concept: Concept, weights: Weights | None, n: int
    ) -> tuple[bool, ...]:
        """Whether each of a concept's first ``n`` pictures shows it."""
        cells = self.erased[concept.name][:n]
        answers = panel.judged(cells, weights, f"looking for {concept.name}")
        return tuple(each.of(concept.slot) == concept.name for each in answers)

    def still(self, panel: Panel, weights: Weights | None, n: int) -> tuple[bool, ...]:
        """Whether each of the first ``n`` kept pictures shows what it is to show."""
        cells = self.kept[:n]
        answers = panel.judged(cells, weights, "looking at everything else")
        return tuple(
            (answer.subject, answer.style) == (cell.subject, cell.style)
            for answer, cell in zip(answers, cells, strict=True)
        )

    def mistaken(self, panel: Panel) -> dict[str, float]:
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
class Followed:
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
    stages: Iterable[Stage], bank: Bank, panel: Panel, state: Weights | None
) -> Followed:
    """Look at every stage of a fine-tune: closely at both ends, less so between.

    Args:
        stages: The fine-tune, from step 0 on.
        bank: What is looked at.
        panel: Who looks.
        state: The weights that it began with, by full name; None for the base.
    """
    looks: dict[str, list[Look]] = {concept.name: [] for concept in bank.concepts}
    kept: list[Look] = []
    losses: list[float | None] = []
    learned: Weights = {}
    for stage in stages:
        learned = stage.weights
        weights = {**(state or {}), **learned} or None
        for concept in bank.concepts:
            n = bank.n_of(concept, between=not stage.is_end)
            shown = bank.shown(panel, concept, weights, n)
            looks[concept.name].append(Look(stage.step, shown))
        if bank.kept:
            n = N_KEPT if stage.is_end else N_BETWEEN
            kept.append(Look(stage.step, bank.still(panel, weights, n)))
        losses += [stage.loss] if stage.step else []
    return Followed(
        tuple(Curve(name, tuple(found)) for name, found in looks.items()),
        Curve(KEPT, tuple(kept)) if kept else None,
        tuple(losses),
        learned,
    )
