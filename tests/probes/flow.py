"""A mixture whose exact velocity is known, told as noise, as any model tells it."""

import torch

from tests.probes.mixture import Mixture


class Flow(Mixture):
    """The mixture under flow matching: x_t = (1 - t) x0 + t e, velocity e - x0.

    Its timesteps are diffusers': t = 1 / T, 2 / T, ..., 1, shifted.
    """

    predicts = "flow_prediction"

    def __init__(self, means, sd=0.6, shift=1.0):
        super().__init__(means, sd)
        self.n_steps_trained = 1000
        even = torch.arange(1, 1001).double() / 1000
        self.sigmas = shift * even / (1 + (shift - 1) * even)
        signal = (1 - self.sigmas).clamp(min=2.0**-24)
        self.log_snr = (2 * (signal / self.sigmas).log()).float()

    def velocity(self, x_t, t, text):
        """Return E[e - x0 | x_t] from the mean picture, ``[n, 1, 1, 1]``."""
        sigma = self.sigmas[t].float()[:, None]
        x = x_t.flatten(1)
        variance = ((1 - sigma) * self.sd) ** 2 + sigma**2
        error = x - (1 - sigma) * self.means
        weight = self._heard(text, None).log() - error**2 / (2 * variance)
        mean = self.means + (1 - sigma) * self.sd**2 / variance * error
        x0 = (weight.softmax(1) * mean).sum(1, keepdim=True)
        return ((x - x0) / sigma).reshape(x_t.shape)

    def eps(self, x_t, t, text, *, weights=None):
        assert weights is None
        sigma = self.sigmas[t].float().reshape(-1, 1, 1, 1)
        return x_t + (1 - sigma) * self.velocity(x_t, t, text)

    def _levels(self, t):
        sigma = self.sigmas[t].float().reshape(-1, 1, 1, 1)
        return 1 - sigma, sigma
