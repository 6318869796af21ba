"""The sampling loop over a family's rules, for batches of pictures.

The results are those of the family's stock pipeline. Each distinct prompt is encoded
once, by the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import torch

from unlearnlog.models.finite_check import check_finite
from unlearnlog.models.sampling import LatentBatch, step_of

if TYPE_CHECKING:
    from unlearnlog.models.family_rules.protocol import FamilyRules, Parts, Untyped
    from unlearnlog.models.interface import Sampling

_RGB_MAX: Final = 255
_N_DECODED_AT_ONCE: Final = 4  # a picture of 1024 x 1024 needs some 2 GB meanwhile


def denoised(
    parts: Parts,
    rules: FamilyRules,
    canvas: LatentBatch,
    *,
    sampling: Sampling,
    network: Untyped,
    tell: Callable[[float], None],
) -> torch.Tensor:
    """Return the final latents of a batch, float32 ``[b, c, h, w]``.

    Args:
        parts: The model.
        rules: The rules of its family.
        canvas: The batch to paint.
        sampling: Steps and guidance.
        network: The model's network, or one with other weights.
        tell: Callback after each step, with the share of the work done, in ``(0, 1]``.

    Raises:
        ModelError: The network's result is not finite in its dtype.
    """
    predict = _guided(parts, rules, canvas, sampling.guidance, network)
    channels, height, width = canvas.latents.shape[1:]
    scheduler = rules.scheduler(parts, sampling.steps, (channels, height, width))
    step = step_of(scheduler, canvas.generators)
    scaled = getattr(scheduler, "scale_model_input", _unscaled)
    latents = canvas.latents * getattr(scheduler, "init_noise_sigma", 1.0)
    n_steps = len(scheduler.timesteps)
    for done, t in enumerate(scheduler.timesteps, start=1):
        predicted = predict(scaled(latents, t), t)
        if done in (1, n_steps):  # NaN and infinity persist until the last step
            check_finite(predicted, "network", parts.dtype, [canvas.texts.tokens])
        latents = step(predicted, t, latents)
        tell(done / n_steps)
    return latents


def _guided(
    parts: Parts,
    rules: FamilyRules,
    canvas: LatentBatch,
    scale: float,
    network: Untyped,
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Return a function of latents and time to the prediction with guidance."""
    rows = canvas.rows.cpu()
    text = canvas.texts[rows]
    nothing = canvas.texts[torch.zeros_like(rows)]  # the empty prompt is row 0
    is_guided = rules.is_guided(parts, scale)

    def predict(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        told = rules.predict(parts, network, x, t, text=text, guidance=scale)
        if not is_guided:
            return told
        untold = rules.predict(parts, network, x, t, text=nothing, guidance=scale)
        return rules.guided(untold, told, scale)

    return predict


def _unscaled(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Return latents as they are, for a scheduler that scales no input."""
    del t
    return x


def pictures_of(
    parts: Parts, rules: FamilyRules, latents: torch.Tensor, *, vae: Untyped
) -> torch.Tensor:
    """Return pictures of latents, uint8 ``[b, height, width, 3]`` on the CPU.

    Args:
        parts: The model.
        rules: The rules of its family.
        latents: Final latents, ``[b, c, h, w]``.
        vae: The model's autoencoder, or one with other weights.

    Raises:
        ModelError: The autoencoder's result is not finite in its dtype.
    """
    found = []
    for some in latents.split(_N_DECODED_AT_ONCE):
        colours = rules.decoded(parts, vae, some)
        check_finite(colours, "autoencoder", colours.dtype, [some])
        shares = (colours * 0.5 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
        found.append((shares * _RGB_MAX).round().to(torch.uint8).cpu())
    return torch.cat(found).contiguous()
