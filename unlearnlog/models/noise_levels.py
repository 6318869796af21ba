"""Integrals over noise levels: from squared noise differences to nats.

Source:
    Kong et al., "Interpretable Diffusion via Information Decomposition", ICLR 2024,
    https://arxiv.org/abs/2310.07972: i = 1/2 Int d lambda E||eps - eps'||^2 over the
    log signal-to-noise ratio lambda. Theirs is importance sampling; here it is the
    trapezoid rule on a fixed grid with common noise, which has less variance for
    differences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class HasLevels(Protocol):
    """An object with noise levels, such as a model."""

    @property
    def log_snr(self) -> Tensor:
        """Log of signal power over noise power at each timestep, ``[T]``."""
        ...


LOWEST: Final = -5.0
HIGHEST: Final = 7.0
"""The log signal-to-noise ratios between which information is counted."""


@dataclass(frozen=True)
class NoiseLevels:
    """A grid of trained timesteps, and the rule that integrates over it.

    Attributes:
        steps: Timesteps, from much noise to little.
        widths: Weight of each step in the integral, in units of lambda.
    """

    steps: tuple[int, ...]
    widths: tuple[float, ...]

    @classmethod
    def of(cls, model: HasLevels, n: int) -> NoiseLevels:
        """Return ``n`` levels evenly spaced in lambda, at the nearest timesteps.

        Where two levels are nearest to one timestep, it counts once.

        Raises:
            ValueError: ``n`` is below 2.
        """
        import torch

        if n < 2:
            message = f"an integral needs at least 2 noise levels, not {n}"
            raise ValueError(message)
        log_snr = model.log_snr
        low = max(LOWEST, float(log_snr.min()))
        high = min(HIGHEST, float(log_snr.max()))
        wanted = torch.linspace(low, high, n)
        nearest = (log_snr[None] - wanted[:, None]).abs().argmin(1)
        steps = sorted(set(nearest.tolist()), reverse=True)
        places = log_snr[steps]
        gaps = places.diff()
        ends = places.new_zeros(1)
        widths = (torch.cat([ends, gaps]) + torch.cat([gaps, ends])) / 2
        return cls(tuple(steps), tuple(widths.tolist()))

    def integral(self, errors: Tensor) -> Tensor:
        """Return 1/2 Int errors d lambda, in nats, for each row.

        Args:
            errors: Squared noise differences, summed over the latent, ``[n, levels]``.
        """
        return 0.5 * errors @ errors.new_tensor(self.widths)


def density(model: HasLevels) -> Tensor:
    """Return the weight of each timestep in the integral, ``[T]``, with mean 1.

    The weighted mean over uniform timesteps is the integral over the log
    signal-to-noise ratio up to a constant.
    """
    import torch

    places = model.log_snr
    (slope,) = torch.gradient(places)
    counted = slope.abs() * ((places >= LOWEST) & (places <= HIGHEST))
    return counted / counted.mean()
