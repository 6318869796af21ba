"""Training of the judge, and of the critic that gives the autoencoder texture.

Both are the same network on the same pictures with different seeds. Only the judge
ships, and it takes no part in the training of the model that it judges.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from recipes.atelier.pictures import (
    STYLE_NAMES,
    SUBJECT_NAMES,
    Pictures,
    training_pictures,
)
from recipes.atelier.training import Run, half_precision
from unlearnlog.atelier.atelier_judge import JudgeNet, as_tensor
from unlearnlog.core.probe_case import REJECT

BATCH: Final = 128
SEEDS: Final = {"judge": 11, "critic": 23}
IGNORED: Final = -100
REJECTS: Final = len(STYLE_NAMES), len(SUBJECT_NAMES)


def trained_judge(runs: Path, part: Literal["judge", "critic"], steps: int) -> JudgeNet:
    """Train (or finish training) the network of ``part`` and return its average."""
    torch.manual_seed(SEEDS[part])
    pictures = training_pictures(runs)
    net = JudgeNet(len(STYLE_NAMES) + 1, len(SUBJECT_NAMES) + 1)
    run = Run(runs / part, {"net": net}, rate=2e-3)
    seen: list[float] = [0.0]
    for step in run.steps(steps, save_every=200, note=lambda _: f"loss {seen[0]:.4f}"):
        rng = np.random.default_rng((SEEDS[part], step))
        pixels, styles, subjects = _batch(pictures, rng)
        with half_precision():
            style, subject = net(pixels)
        loss = functional.cross_entropy(style.float(), styles, label_smoothing=0.02)
        loss = loss + functional.cross_entropy(
            subject.float(), subjects, label_smoothing=0.02
        )
        run.descend(loss)
        seen[0] = 0.98 * (seen[0] or loss.item()) + 0.02 * loss.item()
    net.load_state_dict(run.averaged("net"))
    return net.eval()


def save_judge(net: JudgeNet, folder: Path) -> None:
    """Write the judge's weights in half precision, and its answers beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: w.half().contiguous() for name, w in net.state_dict().items()}
    save_file(weights, folder / "judge.safetensors")
    names = {
        "styles": [*STYLE_NAMES, REJECT],
        "subjects": [*SUBJECT_NAMES, REJECT],
        "width": net.stem.out_channels,
    }
    (folder / "judge.json").write_text(json.dumps(names, indent=1) + "\n", "utf-8")


def _batch(
    pictures: Pictures, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Return augmented pictures with labels, a tenth of them showing nothing known."""
    chosen = np.sort(rng.choice(len(pictures.pixels), BATCH, replace=False))
    pixels = as_tensor(pictures.pixels[chosen])
    styles = torch.from_numpy(pictures.styles[chosen])
    subjects = torch.from_numpy(pictures.subjects[chosen])
    n = BATCH // 10
    spoil(pixels, styles, subjects, reject=REJECTS, n=n, rng=rng)
    return augmented(pixels, rng), styles, subjects


def spoil(
    pixels: Tensor,
    styles: Tensor,
    subjects: Tensor,
    *,
    reject: tuple[int, int],
    n: int,
    rng: np.random.Generator,
) -> None:
    """Turn ``n`` pictures, in place, into noise, blends and shuffled patches.

    Args:
        pixels: Shape ``[b, 3, 64, 64]``.
        styles: Labels of the style, shape ``[b]``.
        subjects: Labels of the subject, shape ``[b]``.
        reject: The labels of a style and a subject that are none.
        n: Number of pictures to spoil.
        rng: Source of random numbers.
    """
    for index in rng.choice(len(pixels), n, replace=False):
        kind = rng.integers(4)
        styles[index], subjects[index] = reject
        other = pixels[int(rng.integers(len(pixels)))]
        if kind == 0:
            pixels[index] = _noise(rng, int(rng.choice([2, 4, 8, 16, 32, 64])))
        elif kind == 1:
            pixels[index] = 0.5 * pixels[index] + 0.5 * _noise(rng, 64)
            styles[index] = IGNORED
            subjects[index] = IGNORED
        elif kind == 2:
            pixels[index] = 0.5 * pixels[index] + 0.5 * other
        else:
            tiles = pixels[index].reshape(3, 4, 16, 4, 16)
            flat = tiles.permute(1, 3, 0, 2, 4).reshape(16, 3, 16, 16)
            flat = flat[torch.from_numpy(rng.permutation(16))]
            tiles = flat.reshape(4, 4, 3, 16, 16).permute(2, 0, 3, 1, 4)
            pixels[index] = tiles.reshape(3, 64, 64)
            styles[index] = IGNORED


def _noise(rng: np.random.Generator, side: int) -> Tensor:
    small = rng.normal(rng.uniform(0.2, 0.8, (3, 1, 1)), 0.25, (3, side, side))
    grown = functional.interpolate(
        torch.from_numpy(small)[None].float(), size=(64, 64), mode="bilinear"
    )
    return grown[0].clamp(0, 1)


def augmented(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Blur, shift, tint and grain the batch a little, each part in its own way."""
    parts = []
    for part in pixels.chunk(4):
        scale = float(rng.uniform(0.45, 1.0))
        if scale < 0.9:
            size = round(64 * scale)
            small = functional.interpolate(
                part, size=(size, size), mode="bilinear", antialias=True
            )
            part = functional.interpolate(small, size=(64, 64), mode="bilinear")
        moves = [int(m) for m in rng.integers(-3, 4, 2)]
        padded = functional.pad(part, (3, 3, 3, 3), mode="replicate")
        part = padded[..., 3 + moves[0] : 67 + moves[0], 3 + moves[1] : 67 + moves[1]]
        parts.append(part)
    whole = torch.cat(parts)
    n = len(whole)
    gain = torch.from_numpy(rng.normal(1, 0.05, (n, 3, 1, 1))).float()
    lift = torch.from_numpy(rng.normal(0, 0.03, (n, 3, 1, 1))).float()
    grain = torch.from_numpy(rng.exponential(0.03, (n, 1, 1, 1))).float()
    noise = torch.randn(whole.shape, generator=_generator(rng))
    return (whole * gain + lift + grain * noise).clamp(0, 1)


def _generator(rng: np.random.Generator) -> torch.Generator:
    return torch.Generator().manual_seed(int(rng.integers(2**62)))
