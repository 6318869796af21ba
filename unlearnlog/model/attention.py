"""Attention whose keys and values of the text are computed beforehand, outside of it.

While a picture is painted the text does not change, so its keys and values are computed
once for each distinct prompt instead of once for each picture and step. And since they
are all that other text projections change, such projections are used by computing keys
and values with them: no second UNet, nothing is put into the one there is, and a
gradient reaches them also where the UNet is computed twice to save memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

import torch
from diffusers.models.attention_processor import AttnProcessor2_0
from torch.nn.functional import linear, scaled_dot_product_attention


class Projection(Protocol):
    """A linear layer of diffusers."""

    weight: torch.Tensor
    bias: torch.Tensor | None

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        """Project tokens."""
        ...


class Layer(Protocol):
    """What is used of an attention layer of diffusers, which has no types itself."""

    heads: int
    to_q: Callable[[torch.Tensor], torch.Tensor]
    to_k: Projection
    to_v: Projection
    to_out: Sequence[Callable[[torch.Tensor], torch.Tensor]]
    norm_q: torch.nn.Module | None
    norm_k: torch.nn.Module | None
    norm_cross: torch.nn.Module | None
    group_norm: torch.nn.Module | None
    spatial_norm: torch.nn.Module | None
    residual_connection: bool
    rescale_output_factor: float


class TextMemory:
    """Keys and values of some texts, by attention layer."""

    def __init__(self, kept: Mapping[Layer, tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Keep each layer's keys and values, both ``[b, heads, length, d_head]``."""
        self._kept = kept

    @classmethod
    def of(
        cls,
        layers: Mapping[str, Layer],
        texts: torch.Tensor,
        rows: torch.Tensor,
        weights: Mapping[str, torch.Tensor],
    ) -> Self:
        """Compute keys and values.

        Args:
            layers: The layers that hear the text, by name inside the UNet.
            texts: Distinct encoded prompts, ``[m, length, d_text]``.
            rows: Which text belongs to each picture of the batch, int64 ``[b]``.
            weights: Projections that stand for the layers' own, by full inner name.
        """

        def heard(name: str, layer: Layer, which: str) -> torch.Tensor:
            own: Projection = getattr(layer, which)
            weight = weights.get(f"{name}.{which}.weight", own.weight)
            projected = linear(texts.to(weight.dtype), weight, own.bias)
            return _heads(projected[rows], layer.heads)

        return cls(
            {
                layer: (heard(name, layer, "to_k"), heard(name, layer, "to_v"))
                for name, layer in layers.items()
            }
        )

    def __contains__(self, layer: Layer) -> bool:
        """Whether a layer's keys and values are known."""
        return layer in self._kept

    def __getitem__(self, layer: Layer) -> tuple[torch.Tensor, torch.Tensor]:
        """Give a layer's keys and values."""
        return self._kept[layer]


class Marked:
    """Attention probabilities at marked tokens, noted by layer while a UNet computes.

    Attributes:
        marks: Which tokens of each picture's text are marked, bool ``[b, length]``.
        found: Shape ``[n_marked, heads, n_positions]`` for each layer, float32, with a
            gradient; marked tokens come in the order of pictures.
    """

    def __init__(self, marks: torch.Tensor) -> None:
        self.marks = marks
        self.found: dict[Layer, torch.Tensor] = {}

    def note(self, layer: Layer, asked: torch.Tensor, keys: torch.Tensor) -> None:
        """Keep what a layer's queries give to the marked tokens.

        Args:
            layer: The layer.
            asked: Its queries, ``[b, heads, n_positions, d_head]``.
            keys: Its keys of the text, ``[b, heads, length, d_head]``.
        """
        scores = (asked @ keys.transpose(-1, -2)).float() / asked.shape[-1] ** 0.5
        self.found[layer] = scores.softmax(-1).movedim(-1, 1)[self.marks]


class RememberingAttention:
    """Attention as diffusers computes it, with a memory where one is handed in.

    Attributes:
        one_by_one: Whether pictures are attended to one after another, for less memory.
    """

    def __init__(self) -> None:
        self.one_by_one = False
        self._plain: Any = AttnProcessor2_0()

    def __call__(
        self,
        attn: Layer,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        memory: TextMemory | None = None,
        marked: Marked | None = None,
    ) -> torch.Tensor:
        """Attend; the parameters' names are fixed by diffusers.

        Args:
            attn: The layer.
            hidden_states: What asks, ``[b, n_positions, d]``.
            encoder_hidden_states: Encoded text, or nothing in self-attention.
            attention_mask: Passed on.
            memory: Keys and values that stand for ``encoder_hidden_states``.
            marked: Takes note of what layers with a memory give to marked tokens.
        """
        if not is_simple(attn) or attention_mask is not None:
            result: torch.Tensor = self._plain(
                attn, hidden_states, encoder_hidden_states, attention_mask
            )
            return result
        asked = _heads(attn.to_q(hidden_states), attn.heads)
        if encoder_hidden_states is not None and memory is not None and attn in memory:
            keys, values = memory[attn]
            if marked is not None:
                marked.note(attn, asked, keys)
        else:
            tokens = (
                hidden_states
                if encoder_hidden_states is None
                else encoder_hidden_states
            )
            keys = _heads(attn.to_k(tokens), attn.heads)
            values = _heads(attn.to_v(tokens), attn.heads)
        heard = self._heard(asked, keys, values)
        return attn.to_out[0](heard.transpose(1, 2).flatten(2))

    def _heard(
        self, asked: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        if not self.one_by_one:
            return scaled_dot_product_attention(asked, keys, values)
        each = zip(asked.split(1), keys.split(1), values.split(1), strict=True)
        return torch.cat([scaled_dot_product_attention(*one) for one in each])


def is_simple(attn: Layer) -> bool:
    """Tell whether a layer does nothing but project and attend."""
    norms = (attn.norm_q, attn.norm_k, attn.norm_cross)
    extras = (*norms, attn.group_norm, attn.spatial_norm)
    return (
        all(extra is None for extra in extras)
        and not attn.residual_connection
        and attn.rescale_output_factor == 1
    )


def _heads(tokens: torch.Tensor, heads: int) -> torch.Tensor:
    """Split ``[b, length, d]`` into ``[b, heads, length, d_head]``."""
    n_batch, length, _ = tokens.shape
    return tokens.view(n_batch, length, heads, -1).transpose(1, 2)
