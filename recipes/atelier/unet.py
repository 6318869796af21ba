"""Training of the denoiser and its text encoder on latents of rendered pictures.

Noise prediction, more often at the noisier levels: for a caption, one of the cells it
may mean is drawn, then one of that cell's pictures. One caption in ten is the empty
prompt, which means any cell of the grid: guidance raises p(style | prompt) / p(style)
to a power, so a style that the empty prompt preferred would be missing from "a painting
of a cat".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer

from recipes.atelier.autoencoder import encoded
from recipes.atelier.pictures import (
    STYLE_NAMES,
    SUBJECT_NAMES,
    Syllabus,
    known,
    training_pictures,
)
from recipes.atelier.text import D_TEXT, new_text_encoder
from recipes.atelier.training import Run, half_precision
from unlearnlog.atelier.bundled_concepts import world
from unlearnlog.atelier.captions import Caption, sampled
from unlearnlog.concepts.concept_set import ConceptSet

SEED: Final = 53
N_CAPTIONS: Final = 32
PICTURES_PER_CAPTION: Final = 2
DROPOUT: Final = 0.1
N_LEVELS: Final = 1000
NOISY: Final = 600
# Stable Diffusion's own beta_end, 0.012, leaves 7 % of the picture in the last level.
# Painting starts without it, so styles whose latents lie far from zero were painted too
# rarely under prompts without a style.
NOISE_SCHEDULE: Final = {
    "num_train_timesteps": N_LEVELS,
    "beta_start": 0.00085,
    "beta_end": 0.0175,
    "beta_schedule": "scaled_linear",
}


Rows = Mapping[tuple[str, str], NDArray[np.intp]]
"""Row numbers of pictures by what they show."""


def new_unet() -> UNet2DConditionModel:
    """Return an untrained denoiser of the bundled model's shape."""
    torch.manual_seed(SEED)
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=16,
        out_channels=16,
        block_out_channels=(64, 128, 192),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * 3,
        up_block_types=("CrossAttnUpBlock2D",) * 3,
        cross_attention_dim=D_TEXT,
        attention_head_dim=(2, 4, 6),
        norm_num_groups=16,
    )


def latents_of_pictures(
    runs: Path, vae: AutoencoderKL, syllabus: Syllabus | None = None
) -> Tensor:
    """Return latents of every training picture, encoded once."""
    syllabus = syllabus or Syllabus(world())
    path = runs / "latents.safetensors"
    if not path.exists():
        pictures = training_pictures(runs, syllabus.per_cell)
        latents = encoded(vae, pictures.pixels[known(pictures, syllabus.seen)])
        save_file({"latents": latents.half().contiguous()}, path)
    return load_file(path)["latents"]


def trained_unet(
    runs: Path,
    vae: AutoencoderKL,
    tokenizer: CLIPTokenizer,
    *,
    steps: int,
    start: Path | None = None,
    syllabus: Syllabus | None = None,
) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    """Train (or finish training) denoiser and text encoder; return their averages.

    Args:
        runs: Folder of the checkpoints.
        vae: The autoencoder.
        tokenizer: The tokenizer of captions.
        steps: The number of the last step.
        start: Pipeline folder of the initial weights; None for random ones.
        syllabus: The training data; None for that of the bundled model.
    """
    syllabus = syllabus or Syllabus(world())
    latents = latents_of_pictures(runs, vae, syllabus)
    rows = _rows_by_cell(runs, syllabus)
    unet, encoder = new_unet(), new_text_encoder(tokenizer)
    if start is not None:
        unet = UNet2DConditionModel.from_pretrained(start / "unet")
        encoder = CLIPTextModel.from_pretrained(start / "text_encoder")
        unet, encoder = unet.float().train(), encoder.float().train()
    # Half-precision fused attention has a slow backward pass on CPU; plain is faster.
    unet.set_attn_processor(AttnProcessor())
    encoder.set_attn_implementation("eager")
    schedule = DDPMScheduler(**NOISE_SCHEDULE)
    run = Run(runs / "unet", {"unet": unet, "encoder": encoder}, rate=8e-4)
    seen: list[float] = [0.0]
    for step in run.steps(steps, save_every=500, note=lambda _: f"loss {seen[0]:.4f}"):
        rng = np.random.default_rng((SEED, step))
        texts, chosen = drawn_batch(rows, rng, syllabus.seen)
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        clean = latents[chosen].float()
        noise = torch.randn(clean.shape, generator=generator)
        times = _noise_levels(len(clean), generator)
        ids = tokenizer(
            texts, padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids
        with half_precision():
            text = encoder(ids).last_hidden_state
            text = text.repeat_interleave(PICTURES_PER_CAPTION, 0)
            guess = unet(schedule.add_noise(clean, noise, times), times, text).sample
        loss = functional.mse_loss(guess.float(), noise)
        run.descend(loss)
        seen[0] = 0.99 * (seen[0] or loss.item()) + 0.01 * loss.item()
    unet.set_attn_processor(AttnProcessor2_0())
    unet.load_state_dict(run.averaged("unet"))
    encoder.load_state_dict(run.averaged("encoder"), strict=False)
    return unet.eval(), encoder.eval()


def _noise_levels(n: int, generator: torch.Generator) -> Tensor:
    """Draw timesteps, int64 ``[n]``: every second one from the noisier levels.

    Properties that a prompt leaves open, such as the style of "a painting of a cat",
    are decided there, by differences of the predicted noise that weigh little in the
    mean over all levels.
    """
    anywhere = torch.randint(0, N_LEVELS, (n,), generator=generator)
    noisy = torch.randint(NOISY, N_LEVELS, (n,), generator=generator)
    return torch.where(torch.arange(n) % 2 == 0, anywhere, noisy)


def _rows_by_cell(runs: Path, syllabus: Syllabus) -> Rows:
    pictures = training_pictures(runs, syllabus.per_cell)
    mine = known(pictures, syllabus.seen)
    styles, subjects = pictures.styles[mine], pictures.subjects[mine]
    rows: dict[tuple[str, str], NDArray[np.intp]] = {}
    for i, subject in enumerate(SUBJECT_NAMES):
        for j, style in enumerate(STYLE_NAMES):
            rows[subject, style] = np.flatnonzero((subjects == i) & (styles == j))
    return rows


def drawn_batch(
    rows: Rows, rng: np.random.Generator, seen: ConceptSet
) -> tuple[list[str], NDArray[np.intp]]:
    """Return captions, and for each the row numbers of a few pictures that it fits."""
    texts, chosen = [], []
    anything = tuple(cell for cell, found in rows.items() if len(found))
    for _ in range(N_CAPTIONS):
        caption = sampled(rng, seen)
        if rng.uniform() < DROPOUT:
            caption = Caption("", anything)
        texts.append(caption.text)
        for _ in range(PICTURES_PER_CAPTION):
            cell = caption.cells[int(rng.integers(len(caption.cells)))]
            chosen.append(int(rng.choice(rows[cell])))
    return texts, np.asarray(chosen)
