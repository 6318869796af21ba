"""What the noise-prediction transformers have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearnlog.models.family_rules.flow_rules import FlowRules, Shape

if TYPE_CHECKING:
    from unlearnlog.models.family_rules.protocol import Parts, Untyped


class NoiseRules(FlowRules):
    """Models whose schedule is ``alphas_cumprod``.

    Guidance and autoencoder are those of flow matching; the first half of the output's
    channels is the prediction, and the rest, a learned variance, is not used.
    """

    def default_side(self, parts: Parts) -> int:
        """Return the side of latents that the pipeline paints by default."""
        return int(parts.network.config.sample_size)

    def scheduler(self, parts: Parts, steps: int, shape: Shape) -> Untyped:
        """Return a fresh scheduler with its timesteps set as the pipeline sets them."""
        del shape
        scheduler = type(parts.scheduler).from_config(parts.scheduler.config)
        scheduler.set_timesteps(steps, device=parts.device)
        return scheduler

    def sigmas(self, parts: Parts, shape: Shape) -> None:
        """Return None: the schedule is the scheduler's ``alphas_cumprod``."""
        del parts, shape
