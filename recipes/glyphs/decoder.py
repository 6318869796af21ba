"""Training of the decoder: from the fixed encoder's latents back to the drawings.

The loss is the absolute error and the distance in the critic's features, so that fine
marks count for more than their pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor, nn

from recipes.atelier.training import Run, half_precision
from recipes.glyphs.judge import training_pictures
from recipes.glyphs.latents import first_autoencoder
from recipes.glyphs.pictures import Album, album, pair_picture
from unlearnlog.atelier.atelier_judge import JudgeNet, as_tensor

BATCH: Final = 16
PAIRS: Final = 3
"""Pictures of two drawings in each batch."""

SEED: Final = 31
TEXTURE: Final = 0.25


def trained_decoder(work: Path, critic: JudgeNet, steps: int) -> AutoencoderKL:
    """Train (or finish training) the decoder; return the autoencoder with it."""
    net = first_autoencoder(work)
    net.encoder.requires_grad_(requires_grad=False)
    net.quant_conv.requires_grad_(requires_grad=False)
    critic = critic.requires_grad_(requires_grad=False)
    parts = {"decoder": net.decoder, "post": net.post_quant_conv}
    run = Run(work / "decoder", parts, rate=1e-3)
    known, found = training_pictures(work), album(work)
    seen: list[float] = [0.0]
    for step in run.steps(steps, save_every=50, note=lambda _: f"loss {seen[0]:.4f}"):
        rng = np.random.default_rng((SEED, step))
        chosen = np.sort(rng.choice(len(known.pixels), BATCH - PAIRS, replace=False))
        pixels = [known.pixels[chosen], _pairs(found, rng)]
        loss = _loss(net, critic, as_tensor(np.concatenate(pixels)))
        run.descend(loss)
        seen[0] = 0.95 * (seen[0] or loss.item()) + 0.05 * loss.item()
    net.decoder.load_state_dict(run.averaged("decoder"))
    net.post_quant_conv.load_state_dict(run.averaged("post"))
    return net.eval().requires_grad_(requires_grad=False)


def _pairs(found: Album, rng: np.random.Generator) -> NDArray[np.uint8]:
    styles, subjects = found.drawings.shape[:2]
    made = []
    for _ in range(PAIRS):
        style, both = rng.integers(styles), rng.integers(0, subjects, 2)
        made.append(pair_picture([found.drawings[style, s] for s in both], rng))
    return np.stack(made)


def _loss(net: AutoencoderKL, critic: JudgeNet, pixels: Tensor) -> Tensor:
    with half_precision():
        with torch.no_grad():
            latents = net.encode(2 * pixels - 1).latent_dist.mean
        painted = net.decode(latents).sample / 2 + 0.5
        ours, theirs = critic.features(painted), critic.features(pixels)
    texture = torch.stack(
        [
            (a.float() - b.float()).abs().mean() / b.float().abs().mean()
            for a, b in zip(ours, theirs, strict=True)
        ]
    ).mean()
    error = nn.functional.l1_loss(painted.float(), pixels)
    return error + TEXTURE * texture
