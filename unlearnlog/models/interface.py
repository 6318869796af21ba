"""The model's interface for erasers and probes, and the values that it exchanges."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import torch

    from unlearnlog.core.delta import Weights
    from unlearnlog.ledger.base_manifest import BaseManifest
    from unlearnlog.models.shared_text import SharedText


Method = Literal["full", "attention", "lora"]
"""The parameters that a fine-tune trains: the whole UNet, its attention, or a LoRA."""

METHODS: Final[tuple[Method, ...]] = ("full", "attention", "lora")


@dataclass(frozen=True)
class Sampling:
    """Settings of the sampler.

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
    """Encoded prompts, as the network reads them; indexed like a tensor.

    Attributes:
        tokens: One vector a token, float32 ``[n, length, d_text]``.
        pooled: One vector a prompt, float32 ``[n, d_pooled]``; None for a model without
            pooled vectors.
        mask: The tokens that the network reads, bool ``[n, length]``; None for all.
        more: A second sequence of another width; None for a model without one.
        taken_from: Prompts that several predictions read, and the row of each of these
            among them; None for none.
    """

    tokens: torch.Tensor
    pooled: torch.Tensor | None = None
    mask: torch.Tensor | None = None
    more: Text | None = None
    taken_from: tuple[SharedText, torch.Tensor] | None = field(
        default=None, repr=False, compare=False
    )

    def __len__(self) -> int:
        """Return the number of prompts."""
        return len(self.tokens)

    def __getitem__(self, rows: slice | torch.Tensor | list[int]) -> Text:
        """Return some of the prompts, by a slice or by row numbers."""
        return Text(
            self.tokens[rows],
            None if self.pooled is None else self.pooled[rows],
            None if self.mask is None else self.mask[rows],
            None if self.more is None else self.more[rows],
        )

    @property
    def rows_read(self) -> torch.Tensor | None:
        """The tokens that are read of both sequences, bool ``[n, rows]``; None for all.

        Those of ``more`` come after the own.
        """
        if self.more is None or (self.mask is None and self.more.rows_read is None):
            return self.mask
        import torch

        return torch.cat([_mask_of(self), _mask_of(self.more)], 1)

    @property
    def whole_mask(self) -> torch.Tensor | None:
        """The mask of both sequences, one after the other; None where all is read."""
        if self.more is None or (self.mask is None and self.more.mask is None):
            return self.mask
        import torch

        return torch.cat([_mask_of(self), _mask_of(self.more)], 1)

    @classmethod
    def joined(cls, texts: Sequence[Text]) -> Text:
        """Return the prompts of several texts in one, at least one text.

        Shorter sequences are padded with zeros that the network does not read. There is
        a mask only where a text has one, or lengths differ.
        """
        import torch

        length = max(text.tokens.shape[1] for text in texts)
        is_masked = any(
            text.mask is not None or text.tokens.shape[1] < length for text in texts
        )
        pooled = [text.pooled for text in texts if text.pooled is not None]
        more = [text.more for text in texts if text.more is not None]
        return cls(
            torch.cat([_padded(text.tokens, length) for text in texts]),
            torch.cat(pooled) if pooled else None,
            torch.cat([_padded(_mask_of(t), length) for t in texts])
            if is_masked
            else None,
            cls.joined(more) if more else None,
        )


def _padded(rows: torch.Tensor, length: int) -> torch.Tensor:
    """Return ``[n, length, ...]``, zeros after the rows' own length."""
    n, own, *rest = rows.shape
    if own == length:
        return rows
    import torch

    return torch.cat([rows, rows.new_zeros(n, length - own, *rest)], 1)


def _mask_of(text: Text) -> torch.Tensor:
    """Return a text's mask, all true where it has none."""
    if text.mask is not None:
        return text.mask
    import torch

    return torch.ones(text.tokens.shape[:2], dtype=torch.bool)


Place = Literal["cross-attention", "joint-attention", "entry", "pooled"]
"""The place of a matrix that reads text.

``cross-attention`` reads the prompt alone; ``joint-attention`` reads what other layers
made of prompt and picture; the ``entry`` turns the text encoder's output into the
network's width; ``pooled`` does so with the pooled vector.
"""


@dataclass(frozen=True)
class PromptRows:
    """The rows of one encoded prompt.

    Attributes:
        spans: The characters that each row stands for; None for a begin, end or
            template token and for padding.
        causal: Whether each row depends on the characters up to its own alone.
    """

    spans: tuple[tuple[int, int] | None, ...]
    causal: tuple[bool, ...]


@dataclass(frozen=True)
class Painted:
    """Pictures and the latents that they were decoded from, on the CPU.

    Attributes:
        latents: Final latents on the UNet's scale, float32 ``[n, c, h, w]``.
        pictures: RGB, uint8 in ``[0, 255]``, ``[n, height, width, 3]``.
    """

    latents: torch.Tensor
    pictures: torch.Tensor


class Model(Protocol):
    """An immutable text-to-image diffusion model.

    Arguments and results are on the CPU, on whichever device it computes. The weights
    of a call replace those of the base by name, for that call only.
    """

    @property
    def base(self) -> Weights:
        """The text projections, on the CPU, in the dtype that they have on disk."""
        ...

    @property
    def places(self) -> Mapping[str, Place]:
        """The place of each tensor of ``base`` in the network."""
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

    @property
    def predicts(self) -> str:
        """The prediction type: ``epsilon``, ``v_prediction`` or ``flow_prediction``."""
        ...

    @property
    def no_nats(self) -> str:
        """Why no information can be computed from its predictions; empty if it can."""
        ...

    def n_tokens(self, prompt: str) -> int:
        """Return a prompt's number of tokens, including the begin and end tokens."""
        ...

    def shortened(self, prompt: str) -> str:
        """Return a prompt, or its longest beginning that the text encoders read."""
        ...

    def encode(self, prompts: Sequence[str], *, weights: Weights | None = None) -> Text:
        """Return encoded prompts, each encoded once and alone."""
        ...

    def rows_at(self, prompts: Sequence[str], places: Sequence[int]) -> torch.Tensor:
        """Return one row of each encoded prompt, float32 ``[n, d_text]``.

        Of CLIP alone it is computed of the tokens up to it, which are all it depends
        on.
        """
        ...

    def tokenized(self, prompt: str) -> PromptRows | None:
        """Return what each row of an encoded prompt stands for.

        None for CLIP alone: its text begins with one mark, and its padding, which
        is read, begins at the last of the ``n_tokens``.
        """
        ...

    def read_by(self, text: Text, place: Place) -> torch.Tensor:
        """Return what the matrices of a place read, float32 ``[n, length, d]``.

        Rows that the network does not read are zeros. Of ``joint-attention`` there is
        nothing to return: it reads the picture as well.
        """
        ...

    def latent(self, prompt: str, seed: int) -> torch.Tensor:
        """Return the starting noise of a picture: unit normal ``[c, h, w]``."""
        ...

    def noised(
        self, x0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor
    ) -> torch.Tensor:
        """Return latents noised to their timesteps, ``[b, c, h, w]``."""
        ...

    def eps(
        self,
        x_t: torch.Tensor,
        t: torch.Tensor,
        text: Text,
        *,
        weights: Weights | None = None,
    ) -> torch.Tensor:
        """Return the predicted noise in noised latents, ``[b, c, h, w]``."""
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
        """Return each layer's attention to marked tokens, ``[n_marked, heads, n]``.

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
    """A trainable copy of a model, which itself is not changed."""

    @property
    def parameters(self) -> Mapping[str, torch.Tensor]:
        """The trainable parameters, to be changed in place."""
        ...

    def loss(
        self, x0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor, text: Text
    ) -> torch.Tensor:
        """Return the mean squared error of the training target."""
        ...

    def begin_with(self, weights: Weights | None) -> None:
        """Reset to the model with these weights."""
        ...

    def weights(self, *, copied: bool = True) -> Weights:
        """Return every tensor that may have changed, by full name.

        Args:
            copied: Whether to return copies instead of views of the parameters.
        """
        ...


class Tunable(Model, Protocol):
    """A model that can be fine-tuned."""

    def latents_of(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the latents of uint8 pictures ``[n, height, width, 3]``."""
        ...

    def learner(
        self,
        method: Method,
        *,
        weights: Weights | None = None,
        rank: int = 8,
        generator: torch.Generator,
    ) -> Trainer:
        """Return a trainable copy."""
        ...
