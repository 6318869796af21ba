"""A fine-tune with its evaluations, as a unit of work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from unlearnlog.audits.dataset import FinetuneDataset
from unlearnlog.audits.finetune_course import FinetuneRun
from unlearnlog.audits.finetune_training import (
    EncodedDataset,
    FinetuneSettings,
    Start,
    fine_tuned,
)
from unlearnlog.audits.probe_set import ProbeSet, followed
from unlearnlog.audits.return_coefficient import share_of_the_way
from unlearnlog.audits.return_forecast import ReturnForecast, forecasts
from unlearnlog.audits.verdict import VerdictRules
from unlearnlog.core.delta import Weights
from unlearnlog.core.progress import NoProgress, Progress
from unlearnlog.core.work_cache import NoTensorCache, TensorCache
from unlearnlog.models.interface import Sampling
from unlearnlog.probes.runner import ProbeRunner
from unlearnlog.probes.sample_cache import MemorySampleCache
from unlearnlog.workers.work_unit import Workbench

N_FORECAST: Final = 32
"""Pictures of the base per concept that its forecast's gradient is taken on."""


@dataclass(frozen=True)
class FinetuneUnit:
    """One fine-tune of a state.

    Attributes:
        lesson: The data set.
        training: The settings.
        bank: The probe set.
        rules: The rules of the verdict.
        sampling: Settings of the sampler.
        began: Digest of the state and of what computes.
        weights: The state that it begins with, by full name.
    """

    lesson: FinetuneDataset
    training: FinetuneSettings
    bank: ProbeSet
    rules: VerdictRules
    sampling: Sampling
    began: str
    weights: Weights

    @property
    def size(self) -> int:
        """One fine-tune."""
        return 1

    def computed(self, bench: Workbench, tell: Callable[[int], None]) -> FinetuneRun:
        """Return the forecast, the fine-tune and its evaluations, without caches."""
        album = MemorySampleCache(bench.model.base)
        quiet = NoProgress()
        panel = ProbeRunner(bench.model, bench.judge, album, self.sampling, quiet)
        found = self.measured(panel, NoTensorCache(), quiet)
        tell(self.size)
        return found

    def measured(
        self, panel: ProbeRunner, shelf: TensorCache, watch: Progress
    ) -> FinetuneRun:
        """Return the forecast, the fine-tune and its evaluations.

        Args:
            panel: The runner of probes.
            shelf: Cache of stages, so that a fine-tune that was stopped resumes.
            watch: Progress of the work.
        """
        model: Any = panel.model
        start = Start(model, self.weights, self.began)
        forecast = self._forecasts(start, panel)
        stages = fine_tuned(
            start, self.lesson, training=self.training, shelf=shelf, watch=watch
        )
        found = followed(stages, self.bank, panel, self.weights, rules=self.rules)
        return FinetuneRun(
            training=self.training,
            lesson=self.lesson.digest,
            n_pictures=len(self.lesson),
            n_cut=self.lesson.n_cut,
            curves=found.curves,
            kept=found.kept,
            losses=found.losses,
            forecasts=forecast,
            rho=share_of_the_way(found.weights, self.weights, model.base),
        )

    def _forecasts(
        self, start: Start, panel: ProbeRunner
    ) -> tuple[ReturnForecast, ...]:
        """Return forecasts of what will come back, before training."""
        model, targets = start.model, {}
        for name, cells in self.bank.erased.items():
            some = cells[:N_FORECAST]
            latents = panel.latents(some, None, "painting for the forecast")
            targets[name] = EncodedDataset.of(model, latents, [c.prompt for c in some])
        learned = EncodedDataset.of(
            model, model.latents_of(self.lesson.pictures), self.lesson.captions
        )
        return forecasts(start, learned, targets, training=self.training)
