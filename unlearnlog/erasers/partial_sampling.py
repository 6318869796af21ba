"""Partly sampled pictures: DDIM stopped at a random step.

Programs without a set of pictures sample the erased prompt at every training step and
stop on the way. The latent is then noised to the level that the sampler has reached. It
comes from the base, or from an average of the model as it is.

The sampler is DDIM with a number of even steps, guided by the empty prompt:

    e   = eps(x, t, 0) + g (eps(x, t, c) - eps(x, t, 0))
    x'  = k' (x - l e) / k + l' e

k and l are the factors of latent and noise at a step's level, k' and l' at the next
one's: the roots of the shares of signal and noise, or, for a model that predicts a
velocity, 1 - t and t, where a step is one of Euler's.

Source:
    https://arxiv.org/abs/2010.02502
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, Self

import torch
from torch import Tensor

from unlearnlog.erasers.eraser import Request, Scalar, Work
from unlearnlog.erasers.forget_set import ForgetSet, KeptSet, Noised
from unlearnlog.erasers.gradient import GradientEraser, LossInputs
from unlearnlog.errors import PolicyError
from unlearnlog.models.interface import Text
from unlearnlog.models.noise_levels import shares

STATES: Final = ("noised", "sampled")
"""Finished pictures under fresh noise, or partly sampled ones."""


@dataclass(frozen=True)
class PartialInputs(LossInputs):
    """The inputs of a loss with partly sampled pictures.

    Attributes:
        steps: Steps of the sampler, of which a random number is taken.
        guidance: Its guidance.
        spread: Whether the level is anywhere from a step to the next noisier one, or
            the step's own.
        painter: Text projections that sample; none for the base's.
    """

    steps: int = 50
    guidance: float = 3.0
    spread: bool = False
    painter: dict[str, Tensor] = field(default_factory=dict)

    def forgotten(self, batch: int) -> tuple[Noised, Text, Text]:
        """Return pictures sampled for the concept's prompts up to one random step.

        Their ``noise`` is the sampler's first latent.
        """
        model, part = self.request.model, self.share.rows(batch)
        rows = torch.randint(len(self.forget.texts), (batch,), generator=self.rng)
        n = int(torch.randint(self.steps, (1,), generator=self.rng))
        noise = torch.randn(batch, *model.latent_shape, generator=self.rng)
        level = torch.full((batch,), self._level(n))
        if self.spread:
            above = torch.randint(self._stride, (batch,), generator=self.rng)
            level = (self.steps - 1 - n) * self._stride + above
        rows, noise, level = rows[part], noise[part], level[part]
        text, target = self.forget.text[rows], self.forget.target[rows]
        return Noised(rows, self.after(n, noise, text), level, noise), text, target

    @torch.no_grad()
    def after(self, n: int, noise: Tensor, text: Text) -> Tensor:
        """Return the latents after ``n`` steps of the sampler, ``[b, c, h, w]``."""
        nothing, x = self.encoded("", len(text)), noise
        for i in range(n):
            t, following = self._level(i), self._level(i + 1)
            eps = self._guided(x, torch.full((len(x),), t), text, nothing)
            levels = torch.tensor([t, following])
            kept, lost = shares(self.request.model, levels)
            x = kept[1] * ((x - lost[0] * eps) / kept[0]) + lost[1] * eps
        return x

    def follow(self, new: dict[str, Tensor], average: float) -> None:
        """Update the weights that sample as a moving average of others.

        Args:
            new: The text projections as they are now.
            average: Share that the average keeps of itself.
        """
        for name, weight in new.items():
            mean = self.painter.setdefault(name, self.request.old[name].float())
            self.painter[name] = mean.lerp(weight.detach(), 1 - average)

    def _guided(self, x: Tensor, t: Tensor, text: Text, nothing: Text) -> Tensor:
        model, painter = self.request.model, self.painter
        weights = self.request.with_fixed(painter) if painter else None
        if self.guidance <= 1:
            return model.eps(x, t, text, weights=weights)
        both = Text.joined([nothing, text])
        eps = model.eps(torch.cat([x, x]), torch.cat([t, t]), both, weights=weights)
        without, named = eps.chunk(2)
        return without + self.guidance * (named - without)

    @property
    def _stride(self) -> int:
        return self.request.model.n_steps_trained // self.steps

    def _level(self, step: int) -> int:
        """Return the timestep of a step, the noisiest first; the last one's is 1."""
        return (self.steps - 1 - step) * self._stride + (self._stride > 1)


@dataclass(frozen=True)
class PartialEraser(GradientEraser):
    """An eraser that may train on partly sampled pictures.

    Attributes:
        states: The pictures of the training: ``noised`` for finished pictures of the
            base under fresh noise, ``sampled`` for partly sampled ones.
        sampler_steps: Steps of the sampler that is stopped; only with ``sampled``.
        sampler_guidance: Its guidance.
    """

    before: ClassVar[Mapping[str, Scalar]] = {
        **GradientEraser.before,
        "states": STATES[0],
        "sampler_steps": 50,
        "sampler_guidance": 3.0,
    }

    states: str = STATES[0]
    sampler_steps: int = 50
    sampler_guidance: float = 3.0

    def scene(self, request: Request) -> LossInputs:
        """Return the inputs of the loss, with finished or partly sampled pictures."""
        if self.states == STATES[0]:
            return super().scene(request)
        return self.halfway(request)

    def halfway(self, request: Request) -> PartialInputs:
        """Return the inputs of the loss with partly sampled pictures.

        Raises:
            PolicyError: The sampler has more steps than the model has levels of noise.
        """
        levels = request.model.n_steps_trained
        if self.sampler_steps > levels:
            raise PolicyError(
                f"{self.name}'s sampler_steps is {self.sampler_steps}",
                fix=f"give at most {levels}: the model has so many levels of noise",
            )
        prompts = [prompt for group in request.forget for prompt in group]
        return PartialInputs(
            request,
            ForgetSet(
                torch.empty(0, *request.model.latent_shape),
                request.model.encode([prompt.text for prompt in prompts]),
                request.model.encode([p.target(self.target) for p in prompts]),
                tuple(prompt.text for prompt in prompts),
            ),
            KeptSet.of(request, self.n_kept),
            torch.Generator().manual_seed(request.seed),
            steps=self.sampler_steps,
            guidance=self.sampler_guidance,
        )

    def work(self, n_concepts: int) -> Work:
        """Return the amount of work; partial sampling is a part of a step."""
        work = super().work(n_concepts)
        return work if self.states == STATES[0] else replace(work, pictures=self.n_kept)

    def rehearsal(self) -> tuple[Self, Work]:
        """Return the eraser with the fewest pictures and two steps, and its work."""
        small, work = super().rehearsal()
        if self.states != STATES[0]:
            work = replace(work, pictures=small.n_kept)
        return small, work

    def check(self) -> None:
        """Refuse invalid settings and unknown states."""
        super().check()
        self.require("states", known=STATES)
