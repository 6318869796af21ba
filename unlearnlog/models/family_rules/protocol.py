"""The rules of a model family, and the parts of a model that they read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import torch

    from unlearnlog.models.interface import Text

Untyped: TypeAlias = Any
"""A value of diffusers or transformers, which are hardly annotated."""

Run: TypeAlias = Callable[..., Untyped]
"""A call of a text encoder: its component's name, then its own arguments."""

Span: TypeAlias = tuple[int, int]
"""The characters of a prompt from the first number up to the second."""


class Parts(Protocol):
    """What rules read of a loaded model."""

    @property
    def network(self) -> Untyped:
        """The network that predicts noise or velocity."""
        ...

    @property
    def vae(self) -> Untyped:
        """The autoencoder."""
        ...

    @property
    def scheduler(self) -> Untyped:
        """The template of schedulers; never stepped itself."""
        ...

    @property
    def device(self) -> torch.device:
        """The device of the networks."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that the network computes in."""
        ...

    @property
    def tokenizers(self) -> Mapping[str, Untyped]:
        """Each text encoder's tokenizer, by the ENCODER's component name."""
        ...

    @property
    def settings(self) -> Mapping[str, Untyped]:
        """The pipeline's own settings in ``model_index.json``, as ``is_distilled``."""
        ...

    @property
    def side(self) -> int | None:
        """Width and height of pictures in pixels; None for the family's default."""
        ...


class FamilyRules(Protocol):
    """How the models of a family compute, as their stock pipeline does.

    Latents are float32 ``[b, c, h, w]`` on the scale of the noise process: unpacked,
    normalised. Scheduler times are those of ``scheduler.timesteps``.
    """

    def text(self, parts: Parts, prompt: str, run: Run) -> Text:
        """Return one encoded prompt, float32, on the CPU.

        The empty prompt is encoded as the pipeline's default for guidance.

        Args:
            parts: The model.
            prompt: Untyped prompt that is not too long; a longer one is cut.
            run: Caller of text encoders, with the weights that hold.
        """
        ...

    def tokenized(self, parts: Parts, prompt: str) -> list[Span | None]:
        """Return the characters that each row of `Text.tokens` stands for.

        None for a row of a template, of padding or of a begin or end token.
        """
        ...

    def length(self, parts: Parts, prompt: str) -> tuple[int, int]:
        """Return a prompt's number of tokens, and the number that are read.

        Begin, end and template tokens count; where encoders read different numbers,
        those of the encoder that reads most.
        """
        ...

    def latent_shape(self, parts: Parts) -> tuple[int, int, int]:
        """Return channels, height and width of latents."""
        ...

    def scale_factor(self, parts: Parts) -> int:
        """Return how many pixels wide one latent is."""
        ...

    def scheduler(
        self, parts: Parts, steps: int, shape: tuple[int, int, int]
    ) -> Untyped:
        """Return a fresh scheduler with its timesteps set as the pipeline sets them."""
        ...

    def sigmas(self, parts: Parts, shape: tuple[int, int, int]) -> torch.Tensor | None:
        """Return the share of noise at each trained timestep, float32 ``[T]``, rising.

        Shifted as for painting; None for a model with ``alphas_cumprod``.
        """
        ...

    def predict(
        self,
        parts: Parts,
        network: Untyped,
        x: torch.Tensor,
        t: torch.Tensor,
        *,
        text: Text,
        guidance: float,
    ) -> torch.Tensor:
        """Return the prediction, float32 ``[b, c, h, w]``; differentiable.

        Sign and direction of time are turned right: a velocity is noise minus data.

        Args:
            parts: The model.
            network: Its network, or one with other weights.
            x: Noised latents, ``[b, c, h, w]``.
            t: Scheduler time, ``[b]`` or one for all, 1000 for noise alone.
            text: Encoded prompts, ``b`` of them.
            guidance: The scale, for a network that is told it; others ignore it.
        """
        ...

    def is_guided(self, parts: Parts, scale: float) -> bool:
        """Return whether a guidance scale asks for a second pass without the prompt."""
        ...

    def guided(
        self, without: torch.Tensor, with_text: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """Return the pipeline's combination of two predictions, ``[b, c, h, w]``."""
        ...

    def decoded(
        self, parts: Parts, vae: Untyped, latents: torch.Tensor
    ) -> torch.Tensor:
        """Return colours in about ``[-1, 1]``, float32 ``[b, 3, height, width]``."""
        ...

    def encoded(
        self, parts: Parts, vae: Untyped, colours: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean latents of colours ``[b, 3, height, width]``."""
        ...


def on(tensor: torch.Tensor | None, parts: Parts) -> torch.Tensor | None:
    """Return a tensor on the network's device in its dtype; None for None."""
    return None if tensor is None else tensor.to(parts.device, parts.dtype)
