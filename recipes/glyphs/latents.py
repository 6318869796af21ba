"""Latents of the pictures that the transformer learns from, encoded once.

The encoder is that of the first bundled model, so the transformer can be trained before
the decoder has learned to paint these drawings. Its latents get a mean of zero in each
channel and unit variance over all of them; the change is folded into the autoencoder's
own 1 x 1 convolutions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from rich.progress import track
from safetensors.torch import load_file, save_file
from torch import Tensor

from recipes.atelier.training import half_precision
from recipes.glyphs.pictures import (
    SIZE,
    STYLE_NAMES,
    Album,
    album,
    may_be_mirrored,
    pair_picture,
    picture,
    shown,
)
from unlearnlog.atelier.atelier_judge import as_tensor
from unlearnlog.atelier.bundled_model import FOLDER
from unlearnlog.glyphs.glyph_world import COLOURS, WHITE

ON_WHITE: Final = 16
"""Pictures on white of each cell."""

PER_COLOUR: Final = 2
"""Pictures on each colour of each cell."""

PAIRS: Final = 10_000
SEED: Final = 61


@dataclass(frozen=True)
class Latents:
    """Everything that the transformer is shown.

    Attributes:
        cells: The (subject, style) cells, in the order of the rows.
        single: Latents ``[cells, variants, 16, 8, 8]``: first those on white, then
            those on each colour in turn.
        pairs: Latents of two drawings, ``[n, 16, 8, 8]``.
        sides: Rows of the cells on the left and on the right, ``[n, 2]``.
        empty: Latents of pages without a drawing: white, then each colour.
    """

    cells: tuple[tuple[str, str], ...]
    single: Tensor
    pairs: Tensor
    sides: NDArray[np.int64]
    empty: Tensor

    def page(self, colour: str) -> Tensor:
        """Return the latent of a page of a colour, white for ``""``."""
        return self.empty[["", *COLOURS].index(colour)]

    def variant(self, colour: str, rng: np.random.Generator) -> int:
        """Return the number of a random picture on a colour, or on white for ``""``."""
        if not colour:
            return int(rng.integers(ON_WHITE))
        place = list(COLOURS).index(colour)
        return ON_WHITE + PER_COLOUR * place + int(rng.integers(PER_COLOUR))


def first_autoencoder(work: Path) -> AutoencoderKL:
    """Return the first bundled model's autoencoder with latents of this world's scale.

    Its decoder does not know these drawings yet.
    """
    folder = work / "vae-start"
    if not folder.exists():
        net = AutoencoderKL.from_pretrained(FOLDER / "vae").float()
        _standardise(net, album(work))
        net.save_pretrained(folder)
    return AutoencoderKL.from_pretrained(folder).float().eval()


def _standardise(net: AutoencoderKL, found: Album) -> None:
    """Fold a shift of each channel into the 1 x 1 convolutions; set the scale."""
    net.register_to_config(scaling_factor=1.0, shift_factor=0.0)
    some = shown(found, per_cell=1, white=0.6, seed=SEED)
    latents = encoded(net, some.pixels)
    means = latents.mean((0, 2, 3))
    with torch.no_grad():
        n = len(means)
        net.quant_conv.bias[:n] -= means
        inner = net.post_quant_conv.weight[:, :, 0, 0] @ means
        net.post_quant_conv.bias += inner
    rest = latents - means[:, None, None]
    net.register_to_config(scaling_factor=1 / float(rest.std()))


def encoded(net: AutoencoderKL, pixels: NDArray[np.uint8]) -> Tensor:
    """Return scaled latents ``[n, 16, 8, 8]`` of pictures ``[n, 64, 64, 3]``."""
    scale, parts = float(net.config.scaling_factor), []
    with torch.inference_mode(), half_precision():
        for start in range(0, len(pixels), 128):
            part = 2 * as_tensor(pixels[start : start + 128]) - 1
            parts.append(net.encode(part).latent_dist.mean.float() * scale)
    return torch.cat(parts)


def decoded(net: AutoencoderKL, latents: Tensor) -> NDArray[np.uint8]:
    """Return pictures ``[n, 64, 64, 3]`` of scaled latents ``[n, 16, 8, 8]``."""
    scale, parts = float(net.config.scaling_factor), []
    with torch.inference_mode(), half_precision():
        for part in latents.float().split(64):
            painted = net.decode(part / scale).sample.float() / 2 + 0.5
            whole = (painted.clamp(0, 1) * 255).round().byte()
            parts.append(whole.permute(0, 2, 3, 1).numpy())
    return np.concatenate(parts)


def training_latents(work: Path) -> Latents:
    """Return what the transformer is shown, encoded once."""
    found = album(work)
    rows = np.argwhere(found.known)
    cells = tuple((found.names[s], STYLE_NAMES[t]) for t, s in rows)
    sides = _sides(rows, np.random.default_rng(SEED))
    single = _kept(work / "latents.safetensors", lambda: _single(work, rows))
    pairs = _kept(work / "pairs.safetensors", lambda: _pairs(work, rows[sides]))
    empty = _kept(work / "pages.safetensors", lambda: _pages(work))
    return Latents(cells, single, pairs, sides, empty)


def _kept(path: Path, make: Callable[[], Tensor]) -> Tensor:
    """Return a tensor of a file, which is made where there is none."""
    if not path.exists():
        partial = path.with_suffix(".partial")
        save_file({"latents": make().half().contiguous()}, partial)
        partial.replace(path)
    return load_file(path)["latents"]


def _single(work: Path, rows: NDArray[np.int64]) -> Tensor:
    net, found = first_autoencoder(work), album(work)
    rng = np.random.default_rng(SEED + 1)
    hues = [WHITE] * ON_WHITE
    hues += [c for c in COLOURS.values() for _ in range(PER_COLOUR)]
    parts = []
    for style, subject in track(rows, "encoding drawings"):
        mirrored = may_be_mirrored(found.names[subject])
        drawing = found.drawings[style, subject]
        pixels = [picture(drawing, rng, mirrored=mirrored, colour=h) for h in hues]
        parts.append(encoded(net, np.stack(pixels)))
    return torch.stack(parts)


def _pages(work: Path) -> Tensor:
    hues = np.asarray([WHITE, *COLOURS.values()], np.uint8)
    pixels = np.broadcast_to(hues[:, None, None], (len(hues), SIZE, SIZE, 3))
    return encoded(first_autoencoder(work), pixels)


def _sides(rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return pairs of rows of one style and two subjects."""
    left = rng.integers(0, len(rows), PAIRS)
    right = [
        rng.choice(np.flatnonzero((rows[:, 0] == style) & (rows[:, 1] != subject)))
        for style, subject in rows[left]
    ]
    return np.stack([left, np.asarray(right)], 1)


def _pairs(work: Path, pairs: NDArray[np.int64]) -> Tensor:
    net, found = first_autoencoder(work), album(work)
    rng = np.random.default_rng(SEED + 2)
    parts = []
    for some in track(np.array_split(pairs, 100), "encoding pairs"):
        drawings = [[found.drawings[t, s] for t, s in pair] for pair in some]
        pixels = np.stack([pair_picture(each, rng) for each in drawings])
        parts.append(encoded(net, pixels))
    return torch.cat(parts)
