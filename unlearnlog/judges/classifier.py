"""The judge that needs nothing but the model: the base's own denoiser, asked backwards.

Of all prompts that might have made a picture, the likeliest is the one under which the
base predicts the picture's noise best. A style is asked for beside any subject and a
subject beside any style, so a picture is never told what it was painted for. Where the
empty prompt predicts better than every name, the picture shows none of them.

Source:
    Diffusion Classifier, https://arxiv.org/abs/2303.16203: the mean squared error of
    the noise, uniform over noise levels, on the same noise for every prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, final

import torch
from torch import Tensor

from unlearnlog.cell import REJECT, Answer
from unlearnlog.graph.wording import (
    EMPTY,
    EMPTY_PAINTING,
    EMPTY_PHOTO,
    PHOTOS,
    PLAIN,
    spoken,
)
from unlearnlog.graph.wording import TEMPLATES as WORDINGS
from unlearnlog.watch import Unwatched, Watch

if TYPE_CHECKING:
    from unlearnlog.graph.world import World
    from unlearnlog.model.protocol import Model, Painted

_N_LEVELS: Final = 6
_N_NOISES: Final = 2
_FIRST, _LAST = 0.1, 0.7
"""Share of the noise levels that tell pictures apart: neither clean nor all noise."""

_SEED: Final = 60_493
_AT_ONCE: Final = 128


@final
@dataclass(frozen=True)
class BaseJudge:
    """A Diffusion Classifier over the concepts of a world.

    Attributes:
        model: The base; nothing changes it.
        world: Which styles and subjects there may be.
        watch: Who wants to see it advance.
    """

    model: Model
    world: World
    watch: Watch = field(default_factory=Unwatched)

    @property
    def name(self) -> str:
        """What an entry calls it."""
        return "base"

    def features(self, painted: Painted) -> Tensor | None:
        """Return nothing: a denoiser's errors are no space of pictures."""
        del painted
        return None

    def judged(self, painted: Painted) -> list[Answer]:
        """Return the subject, and then the style, that predicts each picture best."""
        if not len(painted.latents):
            return []
        nouns, hands = self._nouns(), self._hands()
        self.watch.stage("asking the base", len(nouns) + len(hands) + 1)
        nothing = self._errors(painted.latents, [""])
        found = []
        for names in (nouns, hands):
            # A name's error is the least over the ways to say it.
            errors = torch.stack(
                [
                    self._errors(painted.latents, texts).amin(1)
                    for texts in names.values()
                ],
                1,
            )
            best = errors.min(1)
            known = list(names)
            found.append(
                [
                    known[i] if error < nothing_here else REJECT
                    for i, error, nothing_here in zip(
                        best.indices.tolist(),
                        best.values.tolist(),
                        nothing[:, 0].tolist(),
                        strict=True,
                    )
                ]
            )
        return [Answer(noun, hand) for noun, hand in zip(*found, strict=True)]

    def _nouns(self) -> dict[str, list[str]]:
        painting, photo = WORDINGS[0], PHOTOS[0]
        found = {
            subject: [
                spoken(painting.no_style, subject=subject),
                spoken(photo.text, subject=subject),
            ]
            for subject in self.world.subjects
        }
        return {**found, EMPTY: [EMPTY_PAINTING, EMPTY_PHOTO]}

    def _hands(self) -> dict[str, list[str]]:
        painting, photo = WORDINGS[0], PHOTOS[0]
        found = {
            style: [spoken(painting.no_subject, style=style)]
            for style in self.world.styles
        }
        return {**found, PLAIN: [photo.no_subject]}

    @torch.no_grad()
    def _errors(self, latents: Tensor, texts: Sequence[str]) -> Tensor:
        """Return the mean squared error of each picture under each text, ``[n, m]``."""
        encoded = self.model.encode(texts)
        total = torch.zeros(len(latents), len(texts))
        for x_t, t, noise in self._noised(latents):
            for row in range(len(texts)):
                for begin in range(0, len(latents), _AT_ONCE):
                    part = slice(begin, begin + _AT_ONCE)
                    n = len(latents[part])
                    text = encoded[row : row + 1].expand(n, *encoded.shape[1:])
                    guess = self.model.eps(x_t[part], t[part], text).cpu()
                    error = (guess - noise[part]).square().flatten(1).mean(1)
                    total[part, row] += error
        self.watch.advance(1, {})
        return total / (_N_LEVELS * _N_NOISES)

    def _noised(self, latents: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Return the same noise for every text, and for every picture in its place."""
        levels = torch.linspace(_FIRST, _LAST, _N_LEVELS) * self.model.n_steps_trained
        rng = torch.Generator().manual_seed(_SEED)
        found = []
        for level in levels.long().tolist():
            for _ in range(_N_NOISES):
                shape = (1, *latents.shape[1:])
                noise = torch.randn(shape, generator=rng).expand_as(latents)
                t = torch.full((len(latents),), level)
                found.append((self.model.noised(latents, noise, t).cpu(), t, noise))
        return found
