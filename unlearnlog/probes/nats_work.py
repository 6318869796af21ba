"""The units of one concept's nats, and the readings of their results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import Weights
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.core.prompt import Prompt, Target
from unlearnlog.core.reading import Reading
from unlearnlog.probes.information import PromptedPictures
from unlearnlog.probes.judge_posterior import judge_reading
from unlearnlog.probes.probe_units import ConceptNatsUnit, PosteriorUnit
from unlearnlog.workers.work_unit import WorkUnit


@dataclass(frozen=True)
class NatsWork:
    """The pictures that one concept's nats are read on.

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

    @cached_property
    def units(self) -> tuple[WorkUnit[Any], ...]:
        """The information of the prompts, then the posteriors before and after."""
        own = ConceptNatsUnit(
            self.concept,
            self.cells,
            self.prompts,
            self.instead,
            self.before,
            self.after,
            self.weights,
        )
        return (own, *self._posteriors(self.before), *self._posteriors(self.after))

    def _posteriors(self, latents: Tensor) -> list[WorkUnit[Tensor]]:
        if not all(prompt.rivals for prompt in self.prompts):
            return []
        return PosteriorUnit.of(self.prompts, PromptedPictures(self.cells, latents))

    def readings(self, results: Iterator[Any]) -> tuple[Reading, ...]:
        """Return the readings, and take the results of the units from an iterator."""
        own, others = next(results)
        rest = [*islice(results, len(self.units) - 1)]
        if not rest:
            return (*own, *others)
        half = len(rest) // 2
        base, new = torch.cat(rest[:half]), torch.cat(rest[half:])
        return (*own, judge_reading(self.concept, base, new, self.cells), *others)
