"""Pictures that a training paints, and what the judge makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
)
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CLIPTextModelWithProjection, CLIPTokenizer

from recipes.atelier.training import half_precision
from recipes.glyphs.latents import decoded
from recipes.glyphs.text import encoded, ids_of
from unlearnlog.atelier.atelier_judge import AtelierJudge, as_tensor

STEPS: Final = 20
GUIDANCE: Final = 4.0


@dataclass(frozen=True)
class Painter:
    """The parts that paint, as a pipeline would use them.

    Attributes:
        transformer: The transformer.
        encoders: The text encoders.
        tokenizer: Their tokenizer.
        vae: The autoencoder.
    """

    transformer: SD3Transformer2DModel
    encoders: Sequence[CLIPTextModelWithProjection]
    tokenizer: CLIPTokenizer
    vae: AutoencoderKL

    def context(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return the context, with one zero token, and the pooled vectors."""
        ids = ids_of(self.tokenizer, texts, whole=True)
        states, pooled = encoded(self.encoders, ids)
        return nn.functional.pad(states, (0, 0, 0, 1)), pooled

    def latents(
        self, texts: Sequence[str], seed: int, guidance: float = GUIDANCE
    ) -> Tensor:
        """Return painted latents ``[n, 16, 8, 8]``."""
        generator = torch.Generator().manual_seed(seed)
        scheduler = FlowMatchEulerDiscreteScheduler()
        scheduler.set_timesteps(STEPS)
        n = len(texts)
        hidden = torch.randn(n, 16, 8, 8, generator=generator)
        with torch.inference_mode(), half_precision():
            states, pooled = self.context([*texts, *[""] * n])
            for time in scheduler.timesteps:
                both: Tensor = self.transformer(
                    hidden_states=torch.cat([hidden, hidden]),
                    encoder_hidden_states=states,
                    pooled_projections=pooled,
                    timestep=time.expand(2 * n),
                    return_dict=False,
                )[0].float()
                told, plain = both.chunk(2)
                velocity = plain + guidance * (told - plain)
                hidden = scheduler.step(velocity, time, hidden, return_dict=False)[0]
        return hidden

    def pictures(
        self, texts: Sequence[str], seed: int, guidance: float = GUIDANCE
    ) -> NDArray[np.uint8]:
        """Return painted pictures ``[n, 64, 64, 3]``."""
        parts = [
            self.latents(texts[i : i + 64], seed + i, guidance)
            for i in range(0, len(texts), 64)
        ]
        return decoded(self.vae, torch.cat(parts))


def halves(pictures: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the left and the right drawing of pairs, grown to whole pictures."""
    grown = []
    for left in (0, 32):
        half = as_tensor(pictures[:, 10:54, left : left + 32])
        square = nn.functional.pad(half, (6, 6, 0, 0), value=1.0)
        whole = nn.functional.interpolate(square, size=(64, 64), mode="bilinear")
        pixels = (whole * 255).round().byte()
        grown.append(pixels.permute(0, 2, 3, 1).contiguous().numpy())
    return grown[0], grown[1]


def right_answers(
    judge: AtelierJudge,
    pictures: NDArray[np.uint8],
    cells: Sequence[tuple[str, str]],
) -> tuple[float, float]:
    """Return the shares of right subjects and of right styles."""
    answers = judge.of_pictures(torch.from_numpy(pictures))
    pairs = list(zip(answers, cells, strict=True))
    subjects = [answer.subject == cell[0] for answer, cell in pairs]
    styles = [answer.style == cell[1] for answer, cell in pairs]
    return float(np.mean(subjects)), float(np.mean(styles))
