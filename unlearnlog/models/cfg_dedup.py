"""Deduplication of the two equal halves of a batch with classifier-free guidance.

Guidance predicts for every picture with the prompt and without it. Before the first
layer that reads the text, both halves of such a batch are the same numbers.
"""

from __future__ import annotations

import torch


def are_twins(given: torch.Tensor) -> bool:
    """Return whether the second half of a batch ``[2 n, ...]`` equals the first one."""
    half, odd = divmod(len(given), 2)
    return half > 0 and not odd and torch.equal(given[:half], given[half:])


def half_of(given: torch.Tensor) -> torch.Tensor:
    """Return the first half of a batch for which `are_twins` is true."""
    return given[: len(given) // 2]


def doubled(made: torch.Tensor) -> torch.Tensor:
    """Return a batch ``[n, ...]`` repeated, ``[2 n, ...]``."""
    return torch.cat([made, made])
