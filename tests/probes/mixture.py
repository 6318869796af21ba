"""A model whose every answer is known: a one-dimensional mixture of Gaussians."""

import hashlib
from typing import Any

import torch

from unlearnlog.core.probe_case import REJECT, Answer
from unlearnlog.models.interface import Painted, Text

SHARE = "share"


class Mixture:
    """Its styles are Gaussians at given means; the best denoiser has a formula.

    The only weight is how much a prompt is listened to: at 0 every prompt means "any
    style".
    """

    latent_shape = (1, 1, 1)
    predicts = "epsilon"
    no_nats = ""

    def __init__(self, means, sd=0.6):
        self.names = tuple(means)
        self.means = torch.tensor(list(means.values()), dtype=torch.float32)
        self.sd = sd
        self.base = {SHARE: torch.ones(())}
        self.log_snr = torch.linspace(8.0, -6.0, 400)
        self.n_steps_trained = 400

    def encode(self, prompts, *, weights=None):  # noqa: ARG002 - no encoder's
        """Give each prompt the chance of every style, ``[n, 1, styles]``."""
        rows = [[name in prompt.split() for name in self.names] for prompt in prompts]
        named = torch.tensor(rows, dtype=torch.float32)
        named[named.sum(1) == 0] = 1.0
        return Text((named / named.sum(1, keepdim=True))[:, None])

    def latent(self, prompt, seed):
        digest = hashlib.sha256(f"{prompt}:{seed}".encode()).hexdigest()
        source = torch.Generator().manual_seed(int(digest[:12], 16))
        return torch.randn(self.latent_shape, generator=source)

    def noised(self, x0, noise, t):
        signal, spread = self._levels(t)
        return signal * x0 + spread * noise

    def eps(self, x_t, t, text, *, weights=None):
        """Return the mean noise given ``x_t``: Bayes' rule, nothing trained."""
        signal, spread = (level.flatten(1) for level in self._levels(t))
        chance = self._heard(text, weights)
        x = x_t.flatten(1)
        variance = signal**2 * self.sd**2 + spread**2
        error = x - signal * self.means
        weight = chance.log() - error**2 / (2 * variance)
        mean = self.means + signal * self.sd**2 / variance * error
        x0 = (weight.softmax(1) * mean).sum(1, keepdim=True)
        return ((x - signal * x0) / spread).reshape(x_t.shape)

    def paint(self, prompts, seeds, *, sampling, weights=None, progress=None):
        """Draw from one of the styles heard, in one step whatever the sampling says."""
        assert sampling.steps >= 1
        pairs = list(zip(prompts, seeds, strict=True))
        noise = torch.stack([self.latent(*pair) for pair in pairs]).flatten()
        chance = self._heard(self.encode(prompts), weights)
        coin = torch.stack([self.latent(p, s + 500) for p, s in pairs]).flatten()
        level = torch.special.ndtr(coin)[:, None]
        style = (chance.cumsum(1) < level).sum(1).clamp(max=len(self.names) - 1)
        x = self.means[style] + self.sd * noise
        if progress is not None:
            progress(len(pairs))
        grey = (40 * x + 128).round().clamp(0, 255).to(torch.uint8)
        pictures = grey[:, None, None, None].expand(-1, 2, 2, 3)
        return Painted(x.reshape(-1, 1, 1, 1), pictures)

    def _heard(self, text, weights):
        share = (weights or self.base)[SHARE]
        return share * text.tokens[:, 0] + (1 - share) / len(self.names)

    def _levels(self, t):
        log_snr = self.log_snr[t].reshape(-1, 1, 1, 1)
        return log_snr.sigmoid().sqrt(), (-log_snr).sigmoid().sqrt()


def mixture(means: dict[str, float], sd: float = 0.6) -> Any:
    """Make a mixture that passes for a model: it has what the probes ask of one."""
    return Mixture(means, sd)


class NearestMean:
    """A judge that says whose mean a picture is nearest to; its subject is a cat."""

    def __init__(self, model, farthest=9.0):
        self.model = model
        self.farthest = farthest
        self.n_judged = 0

    name = "nearest mean"
    identity = "nearest mean"

    def features(self, painted):
        return painted.latents.flatten(1)

    def judged(self, painted):
        pictures = painted.pictures
        self.n_judged += len(pictures)
        x = (pictures[:, 0, 0, 0].float() - 128) / 40
        gaps = (x[:, None] - self.model.means).abs()
        known = gaps.amin(1) < self.farthest
        return [
            Answer("cat", self.model.names[i] if near else REJECT)
            for i, near in zip(gaps.argmin(1).tolist(), known.tolist(), strict=True)
        ]
