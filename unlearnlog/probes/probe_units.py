"""The units that probes are computed in: a batch of pictures, or one reading in nats.

What is computed together is fixed here, since last bits depend on it: a batch is a run
of cells in their order, and a single cell is painted twice, because a batch of one
picture takes other kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import Weights
from unlearnlog.core.probe_case import Answer, ProbeCase
from unlearnlog.core.prompt import Prompt, Target
from unlearnlog.core.reading import Reading
from unlearnlog.judges.judge import scores_of
from unlearnlog.models.interface import Painted, Sampling
from unlearnlog.probes.information import (
    PromptedPictures,
    avoidance,
    bound_information,
    drift,
    self_information,
)
from unlearnlog.probes.judge_posterior import seen_in
from unlearnlog.probes.tiers import nats_moved
from unlearnlog.workers.work_unit import Workbench

_FEWEST: Final = 2
"""Pictures of the smallest batch."""

PICTURES_AT_ONCE: Final = 16
"""Pictures of one unit of the judge's posterior."""

Tell = Callable[[int], None]


@dataclass(frozen=True)
class PaintingUnit:
    """A batch of pictures.

    Attributes:
        pictures: Prompt and seed of each.
        sampling: Settings of the sampler.
        weights: Tensors that replace the model's own; None for none.
    """

    pictures: tuple[tuple[str, int], ...]
    sampling: Sampling
    weights: Weights | None

    @property
    def size(self) -> int:
        """The number of pictures."""
        return len(self.pictures)

    def painted(self, bench: Workbench, tell: Tell) -> Painted:
        """Paint the pictures, and a single one twice."""
        padded = (self.pictures * _FEWEST)[: max(self.size, _FEWEST)]
        return bench.model.paint(
            [prompt for prompt, _ in padded],
            [seed for _, seed in padded],
            sampling=self.sampling,
            weights=self.weights,
            progress=lambda done: tell(min(done, self.size)),
        )


@dataclass(frozen=True)
class AnswersUnit(PaintingUnit):
    """A batch of pictures to paint and to judge."""

    def computed(self, bench: Workbench, tell: Tell) -> tuple[Answer, ...]:
        """Return the judge's answer to each picture."""
        assert bench.judge is not None
        answers = bench.judge.judged(self.painted(bench, tell))
        return tuple(answers[: self.size])


@dataclass(frozen=True)
class ScoresUnit(PaintingUnit):
    """A batch of pictures to paint, to judge and to compare with their prompts."""

    def computed(
        self, bench: Workbench, tell: Tell
    ) -> tuple[tuple[Answer, ...], tuple[float, ...]]:
        """Return the judge's answer to each picture, and its score.

        Raises:
            ValueError: The judge gives no scores.
        """
        assert bench.judge is not None
        painted, n = self.painted(bench, tell), len(self.pictures)
        prompts = [prompt for prompt, _ in (self.pictures * _FEWEST)]
        scores = scores_of(bench.judge, painted, prompts[: len(painted.pictures)])
        if scores is None:
            message = f"the judge {bench.judge.name} gives no scores"
            raise ValueError(message)
        return tuple(bench.judge.judged(painted)[:n]), tuple(scores[:n])


@dataclass(frozen=True)
class LatentsUnit(PaintingUnit):
    """A batch of pictures to paint."""

    def computed(self, bench: Workbench, tell: Tell) -> Tensor:
        """Return the latents, ``[n, c, h, w]``."""
        return self.painted(bench, tell).latents[: self.size]


@dataclass(frozen=True)
class FeaturesUnit(PaintingUnit):
    """A batch of pictures to paint, for a distance between sets of pictures."""

    def computed(self, bench: Workbench, tell: Tell) -> Tensor | None:
        """Return the judge's features, ``[n, d]``; None where it has none."""
        assert bench.judge is not None
        found = bench.judge.features(self.painted(bench, tell))
        return None if found is None else found[: self.size]


def batches(
    kind: type[Any],
    cells: Sequence[ProbeCase],
    sampling: Sampling,
    weights: Weights | None,
) -> list[Any]:
    """Return the units of cells: batches of the sampler's size, in the cells' order.

    Args:
        kind: A kind of `PaintingUnit`.
        cells: The cells.
        sampling: Settings of the sampler.
        weights: Tensors that replace the model's own; None for none.
    """
    pictures = tuple((cell.prompt, cell.seed) for cell in cells)
    return [
        kind(pictures[begin : begin + sampling.batch], sampling, weights)
        for begin in range(0, len(pictures), sampling.batch)
    ]


@dataclass(frozen=True)
class ConceptNatsUnit:
    """The information of one concept's prompts, which shares its predictions.

    Attributes:
        concept: The concept.
        cells: The cells.
        prompts: The prompt of each cell.
        instead: The eraser's target.
        before: Latents of the base's pictures, ``[n, c, h, w]``.
        after: Latents of the pictures of the weights.
        weights: The weights after the erasure.
    """

    concept: Concept
    cells: tuple[ProbeCase, ...]
    prompts: tuple[Prompt, ...]
    instead: Target
    before: Tensor
    after: Tensor
    weights: Weights

    @property
    def size(self) -> int:
        """The number of pictures."""
        return len(self.cells)

    def computed(
        self, bench: Workbench, tell: Tell
    ) -> tuple[tuple[Reading, ...], tuple[Reading, ...]]:
        """Return the readings of ``self-mi``, and those of avoidance and the target."""
        before = PromptedPictures(self.cells, self.before)
        own = self_information(
            bench.model,
            self.concept,
            prompts=self.prompts,
            before=before,
            after=(PromptedPictures(self.cells, self.after), self.weights),
        )
        avoided = avoidance(
            bench.model, self.concept, before=before, weights=self.weights
        )
        bound = bound_information(
            bench.model,
            self.concept,
            texts=[(p.text, p.target(self.instead)) for p in self.prompts],
            before=before,
            weights=self.weights,
        )
        tell(self.size)
        return own, (*avoided, *bound)


@dataclass(frozen=True)
class PosteriorUnit:
    """The nats by which some pictures show their prompts' concept, to the base.

    Attributes:
        prompts: The prompt of each picture, all with as many rivals.
        cells: The cell of each.
        latents: The pictures, ``[n, c, h, w]``.
        weights: None: the base judges.
    """

    prompts: tuple[Prompt, ...]
    cells: tuple[ProbeCase, ...]
    latents: Tensor
    weights: None = None

    @property
    def size(self) -> int:
        """The number of pictures."""
        return len(self.cells)

    def computed(self, bench: Workbench, tell: Tell) -> Tensor:
        """Return the nats, ``[n]``."""
        pictures = PromptedPictures(self.cells, self.latents)
        found = seen_in(bench.model, self.prompts, pictures)
        tell(self.size)
        return found

    @classmethod
    def of(cls, prompts: Sequence[Prompt], pictures: PromptedPictures) -> list[Any]:
        """Return the units of pictures, each of a fixed number of them."""
        ends = range(0, len(prompts), PICTURES_AT_ONCE)
        parts = [slice(begin, begin + PICTURES_AT_ONCE) for begin in ends]
        return [
            cls(tuple(prompts[p]), pictures.cells[p], pictures.latents[p])
            for p in parts
        ]


@dataclass(frozen=True)
class DriftUnit:
    """The drift of kept prompts.

    Attributes:
        cells: The kept cells.
        latents: The base's pictures of them, ``[n, c, h, w]``.
        weights: The weights after the erasure.
    """

    cells: tuple[ProbeCase, ...]
    latents: Tensor
    weights: Weights

    @property
    def size(self) -> int:
        """The number of pictures."""
        return len(self.cells)

    def computed(self, bench: Workbench, tell: Tell) -> tuple[Reading, ...]:
        """Return the readings."""
        pictures = PromptedPictures(self.cells, self.latents)
        found = drift(bench.model, pictures, self.weights)
        tell(self.size)
        return found


@dataclass(frozen=True)
class MovedUnit:
    """The nats by which predictions for every concept's prompts have moved.

    Attributes:
        nodes: Cells of each concept, by its name.
        latents: The base's pictures of all of them, one after another.
        gone: Names of erased concepts.
        weights: The weights after the erasure.
    """

    nodes: Mapping[str, tuple[ProbeCase, ...]]
    latents: Tensor
    gone: frozenset[str]
    weights: Weights

    @property
    def size(self) -> int:
        """The number of pictures."""
        return len(self.latents)

    def computed(self, bench: Workbench, tell: Tell) -> tuple[Reading, ...]:
        """Return a reading for each concept."""
        about = self.weights, self.gone
        found = tuple(nats_moved(bench.model, self.nodes, self.latents, about))
        tell(self.size)
        return found


def joined(parts: Sequence[Tensor], like: tuple[int, ...]) -> Tensor:
    """Return the rows of all parts, ``[n, ...]``; none of a shape without parts."""
    return torch.cat([*parts]) if parts else torch.empty(0, *like)
