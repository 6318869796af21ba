"""The units of one concept's nats, and the readings of their results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from unlearnlog.core.reading import Reading
from unlearnlog.probes.information import PromptedPictures
from unlearnlog.probes.judge_posterior import judge_reading
from unlearnlog.probes.probe_units import ConceptNatsUnit, PosteriorUnit
from unlearnlog.workers.work_unit import WorkUnit


@dataclass(frozen=True)
class NatsWork:
    """What one concept's nats are read on.

    Attributes:
        own: The unit of the information of its prompts.
    """

    own: ConceptNatsUnit

    @cached_property
    def units(self) -> tuple[WorkUnit[Any], ...]:
        """The information of the prompts, then the posteriors before and after."""
        before, after = self.own.before, self.own.after
        return (self.own, *self._posteriors(before), *self._posteriors(after))

    def _posteriors(self, latents: Tensor) -> list[WorkUnit[Tensor]]:
        if not all(prompt.rivals for prompt in self.own.prompts):
            return []
        pictures = PromptedPictures(self.own.cells, latents)
        return PosteriorUnit.of(self.own.prompts, pictures)

    def readings(self, results: Iterator[Any]) -> tuple[Reading, ...]:
        """Return the readings, and take the results of the units from an iterator."""
        own, others = next(results)
        rest = [*islice(results, len(self.units) - 1)]
        if not rest:
            return (*own, *others)
        half = len(rest) // 2
        base, new = torch.cat(rest[:half]), torch.cat(rest[half:])
        shown = judge_reading(self.own.concept, base, new, self.own.cells)
        return (*own, shown, *others)
