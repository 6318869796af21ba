"""The runner of probes, which paints each picture once for all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from torch import Tensor

from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import Weights
from unlearnlog.core.probe_case import Answer, ProbeCase
from unlearnlog.core.progress import NoProgress, Progress
from unlearnlog.core.prompt import Prompt, Target
from unlearnlog.core.reading import Reading
from unlearnlog.judges.judge import Judge, gives_scores
from unlearnlog.models.interface import Model, Sampling
from unlearnlog.probes.distance import distances
from unlearnlog.probes.evidence import CaseResult, ErasedEvidence, Evidence
from unlearnlog.probes.nats_work import NatsWork
from unlearnlog.probes.probe_units import (
    AnswersUnit,
    ConceptNatsUnit,
    DriftUnit,
    FeaturesUnit,
    LatentsUnit,
    MovedUnit,
    ScoresUnit,
    batches,
    joined,
)
from unlearnlog.probes.sample_cache import SampleCache
from unlearnlog.probes.tiers import displacement
from unlearnlog.workers.executor import HERE, Executor, in_order
from unlearnlog.workers.work_unit import Workbench, WorkUnit

OTHER_LATENTS: Final = 100_000
"""Offset of seeds of pictures that no probe and no forget set ever paints."""

_AFTER_ERASURE: Final = "painting right after earlier erasures"

T = TypeVar("T")


@dataclass(frozen=True)
class ConceptCases:
    """The probe cases of one erased concept.

    Attributes:
        concept: The concept.
        erased: Cells that show it.
        information: Prompts for readings in nats, with their contexts; those without a
            cell in ``erased`` are left out.
        target: Cells of the target's prompts.
        instead: The eraser's target.
        renamed: Cells that show it, by other names.
        family: Cells of prompts that name only its family.
        near: The kept concepts nearest to it.
        alike: Cells that show a look-alike of it.
        relations: Relations of concepts of its kind to it, by name.
        hops: Their distances from it in the concept graph, by name.
    """

    concept: Concept
    erased: tuple[ProbeCase, ...]
    information: tuple[Prompt, ...]
    target: tuple[ProbeCase, ...] = ()
    instead: Target = "context"
    renamed: tuple[ProbeCase, ...] = ()
    family: tuple[ProbeCase, ...] = ()
    near: frozenset[str] = frozenset()
    alike: tuple[ProbeCase, ...] = ()
    relations: Mapping[str, str] = field(default_factory=dict)
    hops: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ProbePlan:
    """The probe cases after one entry.

    Attributes:
        about: The cases of each concept that the entry erased.
        kept: Cells that show no erased concept.
        earlier: Cells of each concept erased before, by name.
        then: Functions that return the weights right after these erasures, by name, for
            those that are compared with now.
        nodes: A few cells of every concept of the graph, by name.
        unmeasured: Names of erased concepts that have no cells of their own.
    """

    about: tuple[ConceptCases, ...]
    kept: tuple[ProbeCase, ...] = ()
    earlier: dict[str, tuple[ProbeCase, ...]] = field(default_factory=dict)
    then: Mapping[str, Callable[[], Weights]] = field(default_factory=dict)
    nodes: Mapping[str, tuple[ProbeCase, ...]] = field(default_factory=dict)
    unmeasured: frozenset[str] = frozenset()

    @property
    def gone(self) -> frozenset[str]:
        """The names of all erased concepts."""
        about = (q.concept.name for q in self.about)
        return frozenset({*self.earlier, *about, *self.unmeasured})

    @property
    def concepts(self) -> tuple[ProbeCase, ...]:
        """Every cell of the concepts that the entry erased."""
        return tuple(
            cell
            for q in self.about
            for cell in (*q.erased, *q.renamed, *q.family, *q.alike)
        )

    @property
    def others(self) -> tuple[ProbeCase, ...]:
        """Every cell of kept concepts and of earlier erasures."""
        return (*self.kept, *(c for cells in self.earlier.values() for c in cells))


@dataclass(frozen=True)
class ProbeRunner:
    """Probes over a model, a judge and a cache.

    Attributes:
        model: The base; nothing changes it.
        judge: The judge of pictures; None for no judge.
        album: The cache of pictures and answers.
        sampling: Settings of the sampler.
        watch: Progress of the work.
        crew: Whoever computes the units.
    """

    model: Model
    judge: Judge | None
    album: SampleCache
    sampling: Sampling
    watch: Progress
    crew: Executor = HERE

    @property
    def unguided(self) -> ProbeRunner:
        """The runner with twice the steps and no guidance, for about the same work."""
        plain = replace(self.sampling, steps=2 * self.sampling.steps, guidance=1.0)
        return replace(self, sampling=plain)

    def base_answers(self, cells: Sequence[ProbeCase]) -> list[Answer]:
        """Return the judge's answers to the base's pictures of cells."""
        return self.judged(cells, None, "painting with the base")

    def looked(self, asked: ProbePlan, new: Weights) -> Evidence:
        """Return the judge's answers to every cell, by the base and the new weights."""
        cells = (*asked.concepts, *asked.others)
        self.prepare([(cells, None), (asked.concepts, new), (asked.others, new)])
        base = iter(self.base_answers(cells))
        now = iter(
            [
                *self.judged(asked.concepts, new, "painting the concept"),
                *self.judged(asked.others, new, "painting other concepts"),
            ]
        )

        def seen(part: Sequence[ProbeCase]) -> tuple[CaseResult, ...]:
            return tuple(CaseResult(cell, next(base), next(now)) for cell in part)

        return Evidence(
            looked=tuple(
                ErasedEvidence(
                    each.concept,
                    erased=seen(each.erased),
                    renamed=seen(each.renamed),
                    family=seen(each.family),
                    alike=seen(each.alike),
                    near=each.near,
                    target=tuple(self.base_answers(each.target)),
                    relations=each.relations,
                    hops=each.hops,
                )
                for each in asked.about
            ),
            kept=seen(asked.kept),
            earlier={name: seen(part) for name, part in asked.earlier.items()},
            then={
                name: tuple(self.judged(part, asked.then[name](), _AFTER_ERASURE))
                for name, part in asked.earlier.items()
                if part and name in asked.then
            },
        )

    def prompted(
        self, cases: Mapping[float | None, Sequence[ProbeCase]], new: Weights
    ) -> tuple[CaseResult, ...]:
        """Return the judge's answers to the prompts of a file, on the same latents.

        Args:
            cases: The cells of each guidance; None for the runner's own.
            new: The weights.
        """
        found: list[CaseResult] = []
        for guidance, cells in cases.items():
            own = self.sampling.guidance if guidance is None else guidance
            here = replace(self, sampling=replace(self.sampling, guidance=own))
            found += here._prompted(cells, new)
        return tuple(found)

    def _prompted(self, cells: Sequence[ProbeCase], new: Weights) -> list[CaseResult]:
        """Return the judge's answers to prompts, and its scores where it gives some."""
        stages = "painting a file's prompts with the base", "painting a file's prompts"
        if gives_scores(self.judge):
            base = self._scored(cells, None, stages[0])
            now = self._scored(cells, new, stages[1])
            return [
                CaseResult(cell, before, after, (one, other))
                for cell, (before, one), (after, other) in zip(
                    cells, base, now, strict=True
                )
            ]
        self.prepare([(cells, None), (cells, new)])
        base_answers = self.judged(cells, None, stages[0])
        return [
            *map(CaseResult, cells, base_answers, self.judged(cells, new, stages[1]))
        ]

    def distance(self, asked: ProbePlan, new: Weights, n: int) -> tuple[Reading, ...]:
        """Return the distance of ``n`` kept pictures; nothing without a judge's."""
        cells = scattered(asked.kept, n)
        if self.judge is None or len(cells) < n or not n:
            return ()
        others = [replace(cell, seed=cell.seed + OTHER_LATENTS) for cell in cells]
        stage = "painting for the distance"
        found = [
            self._features(cells, None, stage),
            self._features(cells, new, stage),
            self._features(others, None, stage),
        ]
        features = [each for each in found if each is not None]
        if len(features) < len(found):
            return ()
        return distances(*features)

    def information(self, asked: ProbePlan, new: Weights) -> tuple[Reading, ...]:
        """Return the readings in nats: information of erased prompts, and drift.

        They are read on pictures painted without guidance, since information is defined
        on the model's own samples and guidance exaggerates it. A model that predicts no
        posterior mean tells none; how far its predictions moved is still read.
        """
        plain = self.unguided
        n = max((len(each.information) for each in asked.about), default=0)
        kept = scattered(asked.kept, n)
        work = [read for each in asked.about if (read := plain.nats_work(each, new))]
        units: list[WorkUnit[Any]] = [unit for read in work for unit in read.units]
        if kept:
            pictures = plain.latents(kept, None, "painting for the drift")
            units.append(DriftUnit(kept, pictures, new))
        results = iter(self.results(units))
        found = [each for read in work for each in read.readings(results)]
        return (*found, *(next(results) if kept else ()))

    def moved(
        self, asked: ProbePlan, new: Weights, tier: int = 1
    ) -> tuple[Reading, ...]:
        """Return the change of every concept of the graph, up to tier 0 or 1."""
        if not asked.nodes:
            return ()
        found = [*displacement(self.model, asked.nodes, new, asked.gone)]
        if tier > 0:
            plain = self.unguided
            cells = tuple(c for each in asked.nodes.values() for c in each)
            latents = plain.latents(cells, None, "painting every concept")
            unit = MovedUnit(asked.nodes, latents, asked.gone, new)
            (shifts,) = self.results([unit])
            found += shifts
        return tuple(found)

    def nats_work(self, cases: ConceptCases, new: Weights) -> NatsWork | None:
        """Return the units of one concept's information; None without any."""
        if self.model.no_nats:
            return None
        n, known = len(cases.information), _by_text(cases.information)
        cells = tuple(c for c in cases.erased if c.prompt in known)[:n]
        if not cells:
            return None
        own = ConceptNatsUnit(
            cases.concept,
            cells,
            prompts=tuple(known[cell.prompt] for cell in cells),
            instead=cases.instead,
            before=self.latents(cells, None, "painting for the nats"),
            after=self.latents(cells, new, "painting for the nats"),
            weights=new,
        )
        return NatsWork(own)

    def results(
        self, units: Sequence[WorkUnit[T]], watch: Progress | None = None
    ) -> list[T]:
        """Return the results of units, in their order; progress goes to ``watch``."""
        shown = watch or NoProgress()
        return in_order(self.crew.computed(units, self._bench, shown))

    @property
    def _bench(self) -> Workbench:
        return Workbench(self.model, self.judge)

    def prepare(
        self, asked: Sequence[tuple[Sequence[ProbeCase], Weights | None]]
    ) -> None:
        """Have workers judge the cells of several calls of `judged` at once.

        The batches are those of the calls one after another, whose answers the cache
        then holds. Without workers, or with a cache that keeps nothing, do nothing.

        Args:
            asked: Cells with their weights, in the order of the calls.
        """
        if self.judge is None or not self.crew.several or not self.album.keeps:
            return
        planned: set[tuple[int, ProbeCase]] = set()
        units: list[AnswersUnit] = []
        parts: list[tuple[Sequence[ProbeCase], Weights | None]] = []
        for cells, weights in asked:
            known = self.album.answers(cells, self.sampling, weights)
            missing = [
                cell
                for cell, seen in zip(cells, known, strict=True)
                if seen is None and (id(weights), cell) not in planned
            ]
            planned |= {(id(weights), cell) for cell in missing}
            made = batches(AnswersUnit, missing, self.sampling, weights)
            ends = range(0, len(missing), self.sampling.batch)
            parts += [(missing[i : i + self.sampling.batch], weights) for i in ends]
            units += made
        if units:
            self.watch.stage("painting on the workers", len(planned))

        def keep(place: int, seen: Sequence[Answer]) -> None:
            some, weights = parts[place]
            self.album.keep_answers(some, seen, self.sampling, weights)

        in_order(self.crew.computed(units, self._bench, self.watch), keep)

    def judged(
        self, cells: Sequence[ProbeCase], weights: Weights | None, stage: str
    ) -> list[Answer]:
        """Return the judge's answers to cells painted with some weights.

        Only cells without a cached answer are painted; answers are cached as they come.

        Args:
            cells: The cells to judge.
            weights: Every text projection; None for the base's.
            stage: Name of the stage, for the progress.
        """
        if not cells or self.judge is None:
            return []
        known = list(self.album.answers(cells, self.sampling, weights))
        missing = [
            cell for cell, seen in zip(cells, known, strict=True) if seen is None
        ]
        if missing:
            self.watch.stage(stage, len(missing))
        units = batches(AnswersUnit, missing, self.sampling, weights)
        ends = range(0, len(missing), self.sampling.batch)

        def keep(place: int, seen: Sequence[Answer]) -> None:
            some = missing[ends[place] : ends[place] + self.sampling.batch]
            self.album.keep_answers(some, seen, self.sampling, weights)

        found = in_order(self.crew.computed(units, self._bench, self.watch), keep)
        rest = iter([answer for seen in found for answer in seen])
        return [next(rest) if seen is None else seen for seen in known]

    def _scored(
        self, cells: Sequence[ProbeCase], weights: Weights | None, stage: str
    ) -> list[tuple[Answer, float]]:
        """Return the judge's answers with how well pictures fit their prompts.

        Only cells are painted without both in the cache, which gets them as they come.
        """
        read = cells, self.sampling, weights
        known = [*zip(self.album.answers(*read), self.album.scores(*read), strict=True)]
        missing = [
            cell for cell, seen in zip(cells, known, strict=True) if None in seen
        ]
        if missing:
            self.watch.stage(stage, len(missing))
        units = batches(ScoresUnit, missing, self.sampling, weights)

        def keep(place: int, seen: tuple[Sequence[Answer], Sequence[float]]) -> None:
            begin = place * self.sampling.batch
            some = missing[begin : begin + self.sampling.batch]
            self.album.keep_answers(some, seen[0], self.sampling, weights)
            self.album.keep_scores(some, seen[1], self.sampling, weights)

        found = in_order(self.crew.computed(units, self._bench, self.watch), keep)
        rest = iter([pair for seen in found for pair in zip(*seen, strict=True)])
        return [
            next(rest) if answer is None or score is None else (answer, score)
            for answer, score in known
        ]

    def latents(
        self, cells: Sequence[ProbeCase], weights: Weights | None, stage: str
    ) -> Tensor:
        """Return the latents of pictures, ``[n, c, h, w]``, from the cache or painted.

        Args:
            cells: The cells to paint.
            weights: Tensors that replace the model's own; None for none.
            stage: Name of the stage, for the progress.
        """
        found = self.album.latents(cells, self.sampling, weights)
        if found is None:
            parts = self._painted(LatentsUnit, cells, weights, stage)
            found = joined(parts, self.model.latent_shape)
            self.album.keep_latents(cells, found, self.sampling, weights)
        return found

    def _features(
        self, cells: Sequence[ProbeCase], weights: Weights | None, stage: str
    ) -> Tensor | None:
        """Return the judge's features of pictures, ``[n, d]``; None without any."""
        parts = self._painted(FeaturesUnit, cells, weights, stage)
        known = [part for part in parts if part is not None]
        return joined(known, (0,)) if len(known) == len(parts) else None

    def _painted(
        self,
        kind: type[Any],
        cells: Sequence[ProbeCase],
        weights: Weights | None,
        stage: str,
    ) -> list[Any]:
        """Return the results of a kind of painting units, in the cells' order."""
        self.watch.stage(stage, len(cells))
        units = batches(kind, cells, self.sampling, weights)
        return in_order(self.crew.computed(units, self._bench, self.watch))


def scattered(cells: Sequence[ProbeCase], n: int) -> tuple[ProbeCase, ...]:
    """Return ``n`` of the cells, or all, in a fixed pseudo-random order.

    Not every n-th cell: cells come row by row, so a stride that divides the length of a
    row would contain a few subjects only.
    """

    def place(cell: ProbeCase) -> str:
        return hashlib.sha256(f"{cell.seed}:{cell.prompt}".encode()).hexdigest()

    return tuple(sorted(cells, key=place)[:n])


def _by_text(prompts: Sequence[Prompt]) -> dict[str, Prompt]:
    return {prompt.text: prompt for prompt in prompts}
