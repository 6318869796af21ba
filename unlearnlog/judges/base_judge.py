"""The judge that needs only the base: its own denoiser as a classifier.

The likeliest prompt of a picture is the one under which the base predicts the picture's
noise best. The subject is judged first, in any style; then the style, with that
subject. The prompts that pictures were painted for are not used. Where the empty prompt
predicts best, the picture shows no known concept.

A picture is judged in rounds: every prompt on a few noises, the better ones on more, so
that most of the work goes where the answer is close.

Source:
    Diffusion Classifier, https://arxiv.org/abs/2303.16203: the mean squared error of
    the noise, the same noises for every prompt, in rounds that drop the worst.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, final

import torch
from torch import Tensor

from unlearnlog.core.digest import canonical_json, digest_of
from unlearnlog.core.probe_case import REJECT, Answer
from unlearnlog.core.progress import NoProgress, Progress
from unlearnlog.judges.label_sentences import of_styles, of_subjects
from unlearnlog.models.noise_levels import VELOCITY, nearest
from unlearnlog.models.shared_text import SharedText

if TYPE_CHECKING:
    from unlearnlog.concepts.concept_set import ConceptSet
    from unlearnlog.models.interface import Model, Painted, Text

_ROUNDS: Final = ((3, 8), (3, 3), (6, 1))
"""Noises of each round, and the number of prompts that stay after it."""

_FIRST, _LAST = 0.15, 0.75
"""Range of the noise levels that are used, as shares: neither clean nor all noise."""

_CLEAREST, _NOISIEST = 1.6, -2.8
"""The log signal-to-noise ratios there in Stable Diffusion's schedule, for others."""

_SEED: Final = 60_493
_AT_ONCE: Final = 128


@final
@dataclass(frozen=True)
class BaseJudge:
    """A Diffusion Classifier over the concepts of a world.

    Attributes:
        model: The base; not changed.
        world: The styles and subjects to choose from.
        watch: The receiver of progress.
    """

    model: Model
    world: ConceptSet
    watch: Progress = field(default_factory=NoProgress)

    @property
    def name(self) -> str:
        """The name that an entry records."""
        return "base"

    @property
    def identity(self) -> str:
        """The name and the digest of every prompt that is compared."""
        subjects = of_subjects(self.world)
        hands = [of_styles(self.world, noun) for noun in sorted({*subjects.values()})]
        return f"{self.name} {digest_of(canonical_json([subjects, hands]))}"

    def features(self, painted: Painted) -> Tensor | None:
        """Return None: a denoiser's errors are no feature space of pictures."""
        del painted
        return None

    def judged(self, painted: Painted) -> list[Answer]:
        """Return the subject, and then the style, that predicts each picture best."""
        latents = painted.latents
        if not len(latents):
            return []
        self.watch.stage("judging with the base", 2 * sum(n for n, _ in _ROUNDS))
        subjects = {"": REJECT, **of_subjects(self.world)}
        nouns = self._likeliest(latents, [subjects] * len(latents))
        hands = {n: {"": REJECT, **of_styles(self.world, n)} for n in set(nouns)}
        styles = self._likeliest(latents, [hands[noun] for noun in nouns])
        return [Answer(*pair) for pair in zip(nouns, styles, strict=True)]

    @torch.no_grad()
    def _likeliest(
        self, latents: Tensor, asked: Sequence[Mapping[str, str]]
    ) -> list[str]:
        """Return for each picture the label of the prompt with the least error."""
        texts = sorted({text for each in asked for text in each})
        encoded = SharedText.of(self.model.encode(texts))
        row_of = {t: i for i, t in enumerate(texts)}
        errors = torch.full((len(latents), len(texts)), torch.inf)
        for errors_here, each in zip(errors, asked, strict=True):
            errors_here[[row_of[text] for text in each]] = 0.0
        for noises, (_, n_stay) in zip(self._bank(latents), _ROUNDS, strict=True):
            for noise, t in noises:
                self._add_errors(errors, latents, encoded, (noise, t))
                self.watch.advance(1, {})
            worst_that_stays = errors.topk(
                min(n_stay, len(texts)), largest=False
            ).values[:, -1:]
            errors[errors > worst_that_stays] = torch.inf
        best = [texts[i] for i in errors.argmin(1).tolist()]
        return [each[text] for each, text in zip(asked, best, strict=True)]

    def _add_errors(
        self,
        errors: Tensor,
        latents: Tensor,
        encoded: Text,
        noised: tuple[Tensor, int],
    ) -> None:
        """Add the mean squared error under one noise for all remaining prompts."""
        noise, level = noised
        picture, prompt = errors.isfinite().nonzero(as_tuple=True)
        for begin in range(0, len(picture), _AT_ONCE):
            part = slice(begin, begin + _AT_ONCE)
            clean = latents[picture[part]]
            t = torch.full((len(clean),), level)
            same = noise.expand_as(clean)
            x_t = self.model.noised(clean, same, t)
            predicted = self.model.eps(x_t, t, encoded[prompt[part]]).cpu()
            error = (predicted - same).square().flatten(1).mean(1)
            errors[picture[part], prompt[part]] += error

    def _bank(self, latents: Tensor) -> list[list[tuple[Tensor, int]]]:
        """Return each round's noises and levels, the same for all pictures."""
        n = sum(n for n, _ in _ROUNDS)
        rng = torch.Generator().manual_seed(_SEED)
        # Each round has levels from the whole range.
        mixed = self._levels(n)[torch.randperm(n, generator=rng)].tolist()
        bank = [
            (torch.randn(latents.shape[1:], generator=rng), level) for level in mixed
        ]
        rounds = []
        for n_noises, _ in _ROUNDS:
            rounds.append(bank[:n_noises])
            bank = bank[n_noises:]
        return rounds

    def _levels(self, n: int) -> Tensor:
        """Return timesteps from little noise to much, int64 ``[n]``."""
        if self.model.predicts == VELOCITY:  # a shift moves the shares of timesteps
            return nearest(self.model, torch.linspace(_CLEAREST, _NOISIEST, n))
        shares = torch.linspace(_FIRST, _LAST, n)
        return (shares * self.model.n_steps_trained).long()
