"""The schedule, guidance and autoencoder that most flow-matching families share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearnlog.models.family_rules.flow_times import linear_mu, timed, trained_sigmas

if TYPE_CHECKING:
    import torch

    from unlearnlog.models.family_rules.protocol import Parts, Untyped

Shape = tuple[int, int, int]

DEFAULT_SIDE = 128
"""Side of the latents that most pipelines paint by default."""

_DEFAULT_STEPS = 50
"""Steps of most pipelines by default; of FLUX.2 the shift depends on them."""


class FlowRules:
    """Velocity models with classifier-free guidance and an autoencoder of latents.

    Attributes:
        patch: Side of the square of latents that is one token.
        is_even: Whether the pipeline spaces the unshifted noise levels itself.
    """

    patch = 2
    is_even = True

    def scale_factor(self, parts: Parts) -> int:
        """Return how many pixels wide one latent is."""
        return int(2 ** (len(parts.vae.config.block_out_channels) - 1))

    def channels(self, parts: Parts) -> int:
        """Return the number of channels of latents."""
        return int(parts.network.config.in_channels)

    def default_side(self, parts: Parts) -> int:
        """Return the side of latents that the pipeline paints by default."""
        del parts
        return DEFAULT_SIDE

    def mu(self, parts: Parts, shape: Shape, steps: int) -> float | None:
        """Return the logarithm of the schedule's shift."""
        del steps
        if not parts.scheduler.config.get("use_dynamic_shifting"):
            return None
        _, height, width = shape
        n = (height // self.patch) * (width // self.patch)
        return linear_mu(parts.scheduler.config, n)

    def latent_shape(self, parts: Parts) -> Shape:
        """Return channels, height and width of latents."""
        side = self.default_side(parts)
        if parts.side is not None:
            side = parts.side // (self.scale_factor(parts) * self.patch) * self.patch
        return self.channels(parts), side, side

    def scheduler(self, parts: Parts, steps: int, shape: Shape) -> Untyped:
        """Return a fresh scheduler with its timesteps set as the pipeline sets them."""
        mu = self.mu(parts, shape, steps)
        return timed(parts.scheduler, steps, parts.device, mu=mu, is_even=self.is_even)

    def sigmas(self, parts: Parts, shape: Shape) -> torch.Tensor | None:
        """Return the share of noise at each trained timestep, float32 ``[T]``."""
        mu = self.mu(parts, shape, _DEFAULT_STEPS)
        return trained_sigmas(parts.scheduler, mu)

    def is_guided(self, parts: Parts, scale: float) -> bool:
        """Return whether a guidance scale asks for a second pass without the prompt."""
        del parts
        return scale > 1

    def guided(
        self, without: torch.Tensor, with_text: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """Return classifier-free guidance of two predictions, ``[b, c, h, w]``."""
        return without + scale * (with_text - without)

    def decoded(
        self, parts: Parts, vae: Untyped, latents: torch.Tensor
    ) -> torch.Tensor:
        """Return colours in about ``[-1, 1]``, float32 ``[b, 3, height, width]``."""
        del parts
        means = latents / vae.config.scaling_factor + (vae.config.shift_factor or 0)
        colours: torch.Tensor = vae.decode(means.to(vae.dtype), return_dict=False)[0]
        return colours.float()

    def encoded(
        self, parts: Parts, vae: Untyped, colours: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean latents of colours ``[b, 3, height, width]``."""
        del parts
        means: torch.Tensor = vae.encode(colours.to(vae.dtype)).latent_dist.mean
        moved: torch.Tensor = means.float() - (vae.config.shift_factor or 0)
        return moved * float(vae.config.scaling_factor)
