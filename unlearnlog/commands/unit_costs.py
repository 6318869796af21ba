"""Seconds per unit of each kind of work on this machine, timed on a few units."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import torch

from unlearnlog.commands.forecast import Span
from unlearnlog.models.interface import Painted, Sampling
from unlearnlog.models.shared_text import SharedText

if TYPE_CHECKING:
    from unlearnlog.commands.counting import WorkCount
    from unlearnlog.core.progress import Progress
    from unlearnlog.judges.judge import Judge
    from unlearnlog.models.diffusers_model import DiffusersModel
    from unlearnlog.models.interface import Method

T = TypeVar("T")

_PATIENCE: Final = 20.0
"""Seconds that a timed batch may take; above it, two pictures are timed, and above it
for one picture that one alone."""

_SLOW: Final = 5.0
"""Seconds of a judge for some pictures above which it is timed on fewer."""

_TEXT: Final = "a painting"
_ROWS: Final = 8

_PREDICTED, _TEXTS = 64, 16
"""Predictions of one batch, and prompts among them, as probes make them."""

_REPEATS: Final = 3

_LEAST_SPREAD: Final = 0.15
"""Least relative deviation of a forecast time, even on a machine that is quiet."""


@dataclass(frozen=True)
class Costs:
    """Seconds per unit of each kind of work; 0 for work that is not requested.

    Attributes:
        picture: Sampling one picture.
        judgement: Judging one picture.
        prediction: Predicting the noise in one latent.
        gradient: The same with a gradient.
        lesson: Training on one picture, once.
        spread: Relative deviation of the same work timed again.
    """

    picture: float = 0.0
    judgement: float = 0.0
    prediction: float = 0.0
    gradient: float = 0.0
    lesson: float = 0.0
    spread: float = 0.0

    def span(self, seconds: float) -> Span:
        """Return the seconds with the deviation to both sides."""
        return Span.around(seconds, self.spread)


@dataclass(frozen=True)
class Bench:
    """The model, judge and settings that are timed.

    Attributes:
        model: The real model.
        judge: The judge; None for none.
        sampling: The sampling settings.
        method: The method of the fine-tune; None without one.
        watch: Receives the progress of the timing.
    """

    model: DiffusersModel
    judge: Judge | None
    sampling: Sampling
    watch: Progress
    method: Method | None = None

    def costs(self, work: WorkCount) -> Costs:
        """Time a few units of each kind of requested work, and nothing else."""
        per_picture = judgement = prediction = gradient = lesson = 0.0
        spread = _LEAST_SPREAD
        painted = self._noise()
        if work.painted:
            per_picture, painted = self._pictures()
        if self.judge is not None and work.judged:
            judgement = self._judgement(self.judge, painted)
        if work.painted or work.predicted:
            prediction, spread = self._prediction(painted)
        if work.differentiated:
            gradient = self._gradient(painted)
        if work.learned and self.method is not None:
            lesson = self._lesson(painted)
        return Costs(per_picture, judgement, prediction, gradient, lesson, spread)

    def _pictures(self) -> tuple[float, Painted]:
        """Return the seconds per picture, and a painted batch."""
        self.watch.stage("timing pictures", 2)
        one, first = timed(lambda: self._painted(1))
        self.watch.advance(1, {"s a picture": first})
        if first > _PATIENCE:
            return first, one
        batch = self.sampling.batch
        n = batch if first * batch <= _PATIENCE else 2
        painted, took = timed(lambda: self._painted(n))
        self.watch.advance(1, {"s a picture": took / n})
        return took / n, painted

    def _noise(self) -> Painted:
        """Return noise in place of pictures, for work that needs latents alone."""
        n, rng = self.sampling.batch, torch.Generator().manual_seed(0)
        pictures = torch.zeros(n, *self.model.picture_shape, dtype=torch.uint8)
        return Painted(
            torch.randn(n, *self.model.latent_shape, generator=rng), pictures
        )

    def _painted(self, n: int) -> Painted:
        return self.model.paint([_TEXT] * n, range(n), sampling=self.sampling)

    def _judgement(self, judge: Judge, painted: Painted) -> float:
        """Return the seconds per judged picture, of few where the judge is slow."""
        per_picture = 0.0
        for n in sorted({1, min(4, len(painted.latents)), len(painted.latents)}):
            if per_picture * n > _SLOW:
                break
            few = Painted(painted.latents[:n], painted.pictures[:n])
            self.watch.stage("timing the judge", n)
            _, took = timed(partial(judge.judged, few))
            self.watch.advance(n, {})
            per_picture = took / n
        return per_picture

    def _prediction(self, painted: Painted) -> tuple[float, float]:
        """Return the seconds per prediction, and the spread of repeated timings."""
        self.watch.stage("timing predictions", 1 + _REPEATS)
        text = SharedText.of(self.model.encode([f"{_TEXT} {i}" for i in range(_TEXTS)]))

        def once(n: int) -> float:
            rows = torch.arange(n)
            x_t = painted.latents[rows % len(painted.latents)]
            t = torch.full((n,), self.model.n_steps_trained // 2)
            with torch.no_grad():
                _, took = timed(lambda: self.model.eps(x_t, t, text[rows % _TEXTS]))
            self.watch.advance(1, {})
            return took / n

        warm = once(2)
        n = _PREDICTED if warm * _PREDICTED * _REPEATS <= _PATIENCE else 2
        found = sorted(once(n) for _ in range(_REPEATS))
        spread = (found[-1] - found[0]) / (found[-1] + found[0])
        return found[_REPEATS // 2], max(spread, _LEAST_SPREAD)

    def _gradient(self, painted: Painted) -> float:
        """Return the seconds per prediction with a gradient."""
        self.watch.stage("timing gradients", 2)
        x_t = painted.latents[:_ROWS]
        t = torch.full((len(x_t),), self.model.n_steps_trained // 2)
        text = self.model.encode([_TEXT])[[0] * len(x_t)]
        text = type(text)(text.tokens.clone().requires_grad_(), text.pooled)

        def once() -> None:
            with torch.enable_grad():
                self.model.eps(x_t, t, text).square().mean().backward()

        took = 0.0
        for _ in range(2):  # the first one warms up
            _, took = timed(once)
            self.watch.advance(1, {})
        return took / len(x_t)

    def _lesson(self, painted: Painted) -> float:
        self.watch.stage("timing a fine-tune", 2)
        method: Any = self.method
        rng = torch.Generator().manual_seed(0)
        learner = self.model.learner(method, generator=rng)
        x0 = painted.latents[: _ROWS // 2]
        t = torch.full((len(x0),), self.model.n_steps_trained // 2)
        text = self.model.encode([_TEXT])[[0] * len(x0)]
        noise = torch.randn(x0.shape, generator=rng)
        took = 0.0
        for _ in range(2):
            _, took = timed(lambda: learner.loss(x0, noise, t, text).backward())
            self.watch.advance(1, {})
        return took / len(x0)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Call a function; return its result, and its duration in s."""
    started = time.monotonic()
    return work(), time.monotonic() - started


def peak_bytes(model: DiffusersModel) -> int:
    """Return the peak memory so far, of the device or of the process, in bytes."""
    if model.computes.startswith("cuda"):
        return torch.cuda.max_memory_allocated(model.device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
