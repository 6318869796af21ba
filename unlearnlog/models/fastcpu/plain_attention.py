"""Attention to a short text as plain matrix products, for few scores."""

from __future__ import annotations

from typing import Final

import torch

from unlearnlog.models.fastcpu.switch import is_on, may_be_fast

FEW: Final = 2**20
"""Scores up to which plain products are faster than the fused kernel."""


def suits_products(queries: torch.Tensor, keys: torch.Tensor) -> bool:
    """Return whether plain products are faster: for few scores, without gradients.

    Args:
        queries: ``[b, heads, n_positions, d_head]``.
        keys: ``[b, heads, length, d_head]``.
    """
    n_scores = queries.shape[:-1].numel() * keys.shape[-2]
    return n_scores <= FEW and may_be_fast(queries) and is_on("products")


def by_products(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
) -> torch.Tensor:
    """Return the attention: softmax of the scaled scores, times the values."""
    scores = (queries * queries.shape[-1] ** -0.5) @ keys.transpose(-1, -2)
    mixed: torch.Tensor = scores.softmax(-1) @ values
    return mixed
