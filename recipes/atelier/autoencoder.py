"""Training of the autoencoder: 64 x 64 pictures to 8 x 8 latents of 16 channels.

The loss is the absolute error, the distance in the critic's features (so that fine
marks count for more than their pixels), and a light pull towards a unit normal.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

from recipes.atelier.pictures import Pictures, known, training_pictures
from recipes.atelier.training import Run, half_precision
from unlearnlog.atelier.atelier_judge import JudgeNet, as_tensor

BATCH: Final = 32
SEED: Final = 31
PULL: Final = 3e-4
TEXTURE: Final = 0.25


def new_autoencoder() -> AutoencoderKL:
    """Return an untrained autoencoder of the bundled model's shape."""
    torch.manual_seed(SEED)
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 32, 96, 160),
        layers_per_block=1,
        latent_channels=16,
        norm_num_groups=8,
        sample_size=64,
        mid_block_add_attention=False,
    )


def trained_autoencoder(runs: Path, critic: JudgeNet, steps: int) -> AutoencoderKL:
    """Train (or finish training) the autoencoder and return its average.

    Its ``scaling_factor`` is set so that latents have unit variance.
    """
    pictures = training_pictures(runs)
    mine = known(pictures)
    net = new_autoencoder()
    critic = critic.requires_grad_(requires_grad=False)
    run = Run(runs / "autoencoder", {"net": net}, rate=1.5e-3)
    seen: list[float] = [0.0]
    for step in run.steps(steps, save_every=200, note=lambda _: f"loss {seen[0]:.4f}"):
        rng = np.random.default_rng((SEED, step))
        pixels = as_tensor(pictures.pixels[np.sort(rng.choice(mine, BATCH))])
        loss = _loss(net, critic, pixels)
        run.descend(loss)
        seen[0] = 0.98 * (seen[0] or loss.item()) + 0.02 * loss.item()
    net.load_state_dict(run.averaged("net"))
    net.eval().requires_grad_(requires_grad=False)
    net.register_to_config(scaling_factor=_scaling_factor(net, pictures, mine))
    return net


def _loss(net: AutoencoderKL, critic: JudgeNet, pixels: Tensor) -> Tensor:
    with half_precision():
        posterior = net.encode(2 * pixels - 1).latent_dist
        mean, logvar = posterior.mean.float(), posterior.logvar.float()
        latents = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
        painted = net.decode(latents).sample / 2 + 0.5
        ours, theirs = critic.features(painted), critic.features(pixels)
    texture = torch.stack(
        [
            (a.float() - b.float()).abs().mean() / b.float().abs().mean()
            for a, b in zip(ours, theirs, strict=True)
        ]
    ).mean()
    pull = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
    loss: Tensor = (painted.float() - pixels).abs().mean()
    loss = loss + TEXTURE * texture + PULL * pull
    return loss


def encoded(net: AutoencoderKL, pixels: NDArray[np.uint8], batch: int = 256) -> Tensor:
    """Return scaled mean latents ``[n, 16, 8, 8]`` of pictures ``[n, 64, 64, 3]``."""
    scale = float(net.config.scaling_factor)
    parts = []
    with torch.inference_mode():
        for start in range(0, len(pixels), batch):
            part = as_tensor(pixels[start : start + batch])
            parts.append(net.encode(2 * part - 1).latent_dist.mean * scale)
    return torch.cat(parts)


def decoded(net: AutoencoderKL, latents: Tensor, batch: int = 256) -> NDArray[np.uint8]:
    """Return pictures ``[n, 64, 64, 3]`` of scaled latents ``[n, 16, 8, 8]``."""
    scale = float(net.config.scaling_factor)
    parts = []
    with torch.inference_mode():
        for part in latents.split(batch):
            picture = (net.decode(part / scale).sample / 2 + 0.5).clamp(0, 1)
            parts.append((picture * 255).round().byte().permute(0, 2, 3, 1).numpy())
    return np.concatenate(parts)


def _scaling_factor(
    net: AutoencoderKL, pictures: Pictures, mine: NDArray[np.intp]
) -> float:
    net.register_to_config(scaling_factor=1.0)
    chosen = np.sort(np.random.default_rng(SEED).choice(mine, 2048, replace=False))
    return 1 / float(encoded(net, pictures.pixels[chosen]).std())
