"""What a model offers to erasers and probes, and the values that pass between them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import torch

    from unlearnlog.core.delta import Weights
    from unlearnlog.ledger.base_manifest import BaseManifest


Method = Literal["full", "attention", "lora"]
"""What a fine-tune trains: the whole UNet, its attention, or thin factors beside it."""

METHODS: Final[tuple[Method, ...]] = ("full", "attention", "lora")


@dataclass(frozen=True)
class Sampling:
    """How pictures are painted.

    Attributes:
        steps: Denoising steps of the model's own scheduler, at least 1.
        guidance: Classifier-free guidance scale; 1 or less means none.
        batch: Pictures painted at once, at least 1. The last bits of a picture depend
            on it. On a CPU 32 is some 8 % faster than 64, which outgrows the cache.
    """

    steps: int
    guidance: float
    batch: int = 32

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1:
            message = f"steps and batch must be at least 1: {self.steps}, {self.batch}"
            raise ValueError(message)
        if not (math.isfinite(self.guidance) and self.guidance >= 0):
            message = f"guidance must be finite and not negative: {self.guidance}"
            raise ValueError(message)


@dataclass(frozen=True)
class Text:
    """Encoded prompts, as the UNet reads them; rows are taken as of a tensor.

    Attributes:
        tokens: One vector a token, float32 ``[n, length, d_text]``.
        pooled: One vector a prompt, float32 ``[n, d_pooled]``; None where the model
            reads none.
    """

    tokens: torch.Tensor
    pooled: torch.Tensor | None = None

    def __len__(self) -> int:
        """Count the prompts."""
        return len(self.tokens)

    def __getitem__(self, rows: slice | torch.Tensor | list[int]) -> Text:
        """Take some of the prompts, by a slice or by row numbers."""
        pooled = None if self.pooled is None else self.pooled[rows]
        return Text(self.tokens[rows], pooled)


@dataclass(frozen=True)
class Painted:
    """Pictures and the latents that they were decoded from, on the CPU.

    Attributes:
        latents: Final latents as the UNet sees them, float32 ``[n, c, h, w]``.
        pictures: RGB, uint8 in ``[0, 255]``, ``[n, height, width, 3]``.
    """

    latents: torch.Tensor
    pictures: torch.Tensor


class Model(Protocol):
    """A text-to-image diffusion model that nothing changes.

    Whatever it computes on, what it takes and gives is on the CPU.

    Other weights hold for one call and replace those of the base by name.
    """

    @property
    def base(self) -> Weights:
        """The text projections, on the CPU, in the dtype that they have on disk."""
        ...

    @property
    def manifest(self) -> BaseManifest:
        """Name, dtype, shape and digest of every tensor of the model."""
        ...

    @property
    def d_text(self) -> int:
        """Width of one encoded token."""
        ...

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one latent."""
        ...

    @property
    def picture_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one picture."""
        ...

    @property
    def n_steps_trained(self) -> int:
        """Number of noise levels that the model was trained on, T."""
        ...

    @property
    def log_snr(self) -> torch.Tensor:
        """Log of signal power over noise power at each timestep, float32 ``[T]``."""
        ...

    def n_tokens(self, prompt: str) -> int:
        """Count the tokens of a prompt, the marks of its beginning and end included."""
        ...

    def shortened(self, prompt: str) -> str:
        """Return a prompt, or its longest beginning that is read to the end."""
        ...

    def encode(self, prompts: Sequence[str], *, weights: Weights | None = None) -> Text:
        """Encode prompts, each one once and alone."""
        ...

    def latent(self, prompt: str, seed: int) -> torch.Tensor:
        """Draw the starting noise of a picture: unit normal ``[c, h, w]``."""
        ...

    def noised(
        self, x0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor
    ) -> torch.Tensor:
        """Mix latents with noise as the timesteps ask, ``[b, c, h, w]``."""
        ...

    def eps(
        self,
        x_t: torch.Tensor,
        t: torch.Tensor,
        text: Text,
        *,
        weights: Weights | None = None,
    ) -> torch.Tensor:
        """Predict the noise in noised latents, ``[b, c, h, w]``."""
        ...

    def attention(
        self,
        x_t: torch.Tensor,
        t: torch.Tensor,
        text: Text,
        marks: torch.Tensor,
        *,
        weights: Weights | None = None,
    ) -> dict[str, torch.Tensor]:
        """Return what each layer gives to marked tokens, ``[n_marked, heads, n]``.

        ``marks`` is bool ``[b, length]``; marked tokens come in the order of pictures.
        """
        ...

    def paint(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        sampling: Sampling,
        weights: Weights | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Painted:
        """Paint one picture for each pair of prompt and seed."""
        ...

    def checkout(self, weights: Weights, folder: Path) -> None:
        """Write the model with these weights as a plain diffusers folder."""
        ...


class Trainer(Protocol):
    """Something that learns from pictures, and never changes the model it came from."""

    @property
    def parameters(self) -> Mapping[str, torch.Tensor]:
        """What learns; whoever trains changes them in their places."""
        ...

    def loss(
        self, x0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor, text: Text
    ) -> torch.Tensor:
        """Return the mean squared error of what the model is made to predict."""
        ...

    def begin_with(self, weights: Weights | None) -> None:
        """Be the model again, as it is with these weights."""
        ...

    def weights(self, *, copied: bool = True) -> Weights:
        """Return every tensor that may have changed, by full name.

        Args:
            copied: Whether they are copies, or values that the next change changes.
        """
        ...


class Tunable(Model, Protocol):
    """A model that can be fine-tuned."""

    def latents_of(self, pictures: torch.Tensor) -> torch.Tensor:
        """Encode uint8 pictures ``[n, height, width, 3]`` into latents."""
        ...

    def learner(
        self,
        method: Method,
        *,
        weights: Weights | None = None,
        rank: int = 8,
        generator: torch.Generator,
    ) -> Trainer:
        """Return a copy that learns."""
        ...
