"""Distributions whose information is known, and the best denoiser for each."""

import math
from dataclasses import dataclass

import torch

from unlearnlog.models.noise_levels import NoiseLevels

N_TRAINED = 1200


class Levels:
    """Finely spaced timesteps that reach beyond what is integrated over."""

    log_snr = torch.linspace(8.0, -6.0, N_TRAINED, dtype=torch.float64)
    predicts = "epsilon"

    @classmethod
    def of(cls, n):
        return NoiseLevels.of(cls, n)

    @classmethod
    def mixed(cls, t):
        """Return the root of the signal's and of the noise's power, ``[n, 1]``."""
        log_snr = cls.log_snr[t][:, None]
        return log_snr.sigmoid().sqrt(), (-log_snr).sigmoid().sqrt()


@dataclass(frozen=True)
class Gaussians:
    """A mixture of Gaussians in d dimensions, its covariances diagonal.

    Attributes:
        means: ``[k, d]``, or ``[n, k, d]`` where each row has a mixture of its own.
        sd: One for all, or one a dimension.
        shares: How much each component has of the whole, ``[k]``.
    """

    means: torch.Tensor
    sd: torch.Tensor
    shares: torch.Tensor

    @classmethod
    def of(cls, means, sd, shares=None):
        means = torch.as_tensor(means, dtype=torch.float64)
        k = means.shape[-2]
        shares = torch.ones(k) / k if shares is None else torch.as_tensor(shares)
        return cls(
            means, torch.as_tensor(sd, dtype=torch.float64), shares / shares.sum()
        )

    def sampled(self, n, rng):
        which = torch.multinomial(self.shares.double(), n, True, generator=rng)
        noise = torch.randn(n, self.means.shape[-1], generator=rng, dtype=torch.float64)
        return self.means[which] + self.sd * noise

    def log_prob(self, x):
        error = ((x[:, None] - self.means) / self.sd).square().sum(-1)
        d = x.shape[1]
        scale = (self.sd * torch.ones(d)).log().sum() + d / 2 * math.log(2 * math.pi)
        return (self.shares.log() - error / 2).logsumexp(1) - scale

    def __call__(self, x_t, t):
        """Return the mean noise given ``x_t``: Bayes' rule, nothing trained."""
        signal, spread = Levels.mixed(t)
        x = x_t.flatten(1)
        variance = (signal * self.sd) ** 2 + spread**2  # [n, d]
        error = x[:, None] - signal[:, None] * self.means  # [n, k, d]
        fit = self.shares.log() - (error.square() / variance[:, None] / 2).sum(-1)
        mean = (fit.softmax(1)[..., None] * error).sum(1)
        return (spread * mean / variance).reshape(x_t.shape)


def bank(x, levels, rng):
    """Yield the samples ``[n, d]`` under noise, as latents ``[n, d, 1, 1]``."""
    for step in levels.steps:
        t = torch.full((len(x),), step)
        noise = torch.randn(x.shape, generator=rng, dtype=torch.float64)
        signal, spread = Levels.mixed(t)
        yield tuple(
            each if each.ndim == 1 else each[..., None, None]
            for each in (signal * x + spread * noise, t, noise)
        )
