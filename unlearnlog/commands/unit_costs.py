"""Seconds per unit of each kind of work on this machine, timed on a few units."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import torch

from unlearnlog.models.interface import Painted, Sampling

if TYPE_CHECKING:
    from unlearnlog.commands.counting import WorkCount
    from unlearnlog.core.progress import Progress
    from unlearnlog.judges.judge import Judge
    from unlearnlog.models.diffusers_model import DiffusersModel
    from unlearnlog.models.interface import Method

T = TypeVar("T")

_PATIENCE: Final = 20.0
"""Seconds that a timed batch may take; above it, two pictures are timed."""

_SLOW: Final = 1.0
"""Seconds per picture above which a judge is timed on one picture and not four."""

_TEXT: Final = "a painting"
_ROWS: Final = 8


@dataclass(frozen=True)
class Costs:
    """Seconds per unit of each kind of work; 0 for work that is not requested.

    Attributes:
        picture: Sampling one picture.
        judgement: Judging one picture.
        prediction: Predicting the noise in one latent.
        gradient: The same with a gradient.
        lesson: Training on one picture, once.
    """

    picture: float = 0.0
    judgement: float = 0.0
    prediction: float = 0.0
    gradient: float = 0.0
    lesson: float = 0.0


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
        """Time a few units of each kind of requested work."""
        per_picture, painted = self._pictures()
        judgement = prediction = gradient = lesson = 0.0
        if self.judge is not None and work.judged:
            judgement = self._judgement(self.judge, painted, per_picture)
        if work.predicted:
            prediction = self._prediction(painted, learns=False)
        if work.differentiated:
            gradient = self._prediction(painted, learns=True)
        if work.learned and self.method is not None:
            lesson = self._lesson(painted)
        return Costs(per_picture, judgement, prediction, gradient, lesson)

    def _pictures(self) -> tuple[float, Painted]:
        """Return the seconds per picture, and a painted batch."""
        self.watch.stage("timing pictures", 2)
        _, first = timed(lambda: self._painted(1))
        self.watch.advance(1, {"s a picture": first})
        batch = self.sampling.batch
        n = batch if first * batch <= _PATIENCE else 2
        painted, took = timed(lambda: self._painted(n))
        self.watch.advance(1, {"s a picture": took / n})
        return took / n, painted

    def _painted(self, n: int) -> Painted:
        return self.model.paint([_TEXT] * n, range(n), sampling=self.sampling)

    def _judgement(self, judge: Judge, painted: Painted, per_picture: float) -> float:
        n = 1 if per_picture > _SLOW else 4
        few = Painted(painted.latents[:n], painted.pictures[:n])
        self.watch.stage("timing the judge", len(few.latents))
        _, took = timed(lambda: judge.judged(few))
        return took / len(few.latents)

    def _prediction(self, painted: Painted, *, learns: bool) -> float:
        what = "timing gradients" if learns else "timing predictions"
        self.watch.stage(what, 2)
        x_t = painted.latents[:_ROWS]
        t = torch.full((len(x_t),), self.model.n_steps_trained // 2)
        text = self.model.encode([_TEXT])[[0] * len(x_t)]
        tokens = text.tokens.clone().requires_grad_(learns)
        text = type(text)(tokens, text.pooled)

        def once() -> None:
            with torch.set_grad_enabled(learns):
                guess = self.model.eps(x_t, t, text)
                if learns:
                    guess.square().mean().backward()

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
