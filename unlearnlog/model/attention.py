"""Attention that keeps the text's keys and values from one denoising step to the next.

The text does not change while a picture is painted, so its keys and values are computed
once for each distinct prompt instead of once for each picture and step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from diffusers.models.attention_processor import AttnProcessor2_0
from torch.nn.functional import scaled_dot_product_attention


class Layer(Protocol):
    """What is used of an attention layer of diffusers, which has no types itself."""

    heads: int
    to_q: Callable[[torch.Tensor], torch.Tensor]
    to_k: Callable[[torch.Tensor], torch.Tensor]
    to_v: Callable[[torch.Tensor], torch.Tensor]
    to_out: Sequence[Callable[[torch.Tensor], torch.Tensor]]
    norm_q: torch.nn.Module | None
    norm_k: torch.nn.Module | None
    norm_cross: torch.nn.Module | None
    group_norm: torch.nn.Module | None
    spatial_norm: torch.nn.Module | None
    residual_connection: bool
    rescale_output_factor: float


class TextMemory:
    """Keys and values of some texts, by attention layer.

    Valid for one set of weights: whoever paints makes a new one.
    """

    def __init__(self, texts: torch.Tensor, rows: torch.Tensor) -> None:
        """Remember texts.

        Args:
            texts: Distinct encoded prompts, ``[m, length, d_text]``.
            rows: Which text belongs to each picture of the batch, int64 ``[b]``.
        """
        self.texts = texts
        self.rows = rows
        self._kept: dict[Layer, tuple[torch.Tensor, torch.Tensor]] = {}

    def of(self, layer: Layer) -> tuple[torch.Tensor, torch.Tensor]:
        """Give a layer's keys and values, each ``[b, heads, length, d_head]``."""
        if layer not in self._kept:
            self._kept[layer] = (
                _heads(layer.to_k(self.texts)[self.rows], layer.heads),
                _heads(layer.to_v(self.texts)[self.rows], layer.heads),
            )
        return self._kept[layer]


class RememberingAttention:
    """Attention as diffusers computes it, with a memory where one is handed in."""

    def __init__(self) -> None:
        self._plain: Any = AttnProcessor2_0()

    def __call__(
        self,
        attn: Layer,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        memory: TextMemory | None = None,
    ) -> torch.Tensor:
        """Attend; the parameters' names are fixed by diffusers.

        Args:
            attn: The layer.
            hidden_states: What asks, ``[b, n_positions, d]``.
            encoder_hidden_states: Encoded text, or nothing in self-attention.
            attention_mask: Passed on.
            memory: Keys and values that stand for ``encoder_hidden_states``.
        """
        if memory is None or encoder_hidden_states is None or not _is_simple(attn):
            result: torch.Tensor = self._plain(
                attn, hidden_states, encoder_hidden_states, attention_mask
            )
            return result
        keys, values = memory.of(attn)
        asked = _heads(attn.to_q(hidden_states), attn.heads)
        heard = scaled_dot_product_attention(asked, keys, values)
        return attn.to_out[0](heard.transpose(1, 2).flatten(2))


def _heads(tokens: torch.Tensor, heads: int) -> torch.Tensor:
    """Split ``[b, length, d]`` into ``[b, heads, length, d_head]``."""
    n_batch, length, _ = tokens.shape
    return tokens.view(n_batch, length, heads, -1).transpose(1, 2)


def _is_simple(attn: Layer) -> bool:
    """Tell whether a layer does nothing but project and attend."""
    norms = (attn.norm_q, attn.norm_k, attn.norm_cross)
    extras = (*norms, attn.group_norm, attn.spatial_norm)
    return (
        all(extra is None for extra in extras)
        and not attn.residual_connection
        and attn.rescale_output_factor == 1
    )
