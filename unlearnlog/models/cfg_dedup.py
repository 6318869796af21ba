"""What guidance asks twice, computed once.

Guidance asks for every picture with the prompt and without it. Until a layer has heard
the text, both halves of such a batch are the same numbers.
"""

from __future__ import annotations

import torch


def are_twins(given: torch.Tensor) -> bool:
    """Tell whether the second half of a batch ``[2 n, ...]`` repeats the first one."""
    half, odd = divmod(len(given), 2)
    return half > 0 and not odd and torch.equal(given[:half], given[half:])


def half_of(given: torch.Tensor) -> torch.Tensor:
    """Take the first half of a batch of which `are_twins` is true."""
    return given[: len(given) // 2]


def doubled(made: torch.Tensor) -> torch.Tensor:
    """Repeat a batch ``[n, ...]`` behind itself."""
    return torch.cat([made, made])
