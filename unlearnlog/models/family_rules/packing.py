"""Packed latents: squares of 2 by 2 as one token, as FLUX.1 and its kin read them."""

from __future__ import annotations

import torch


def packed(x: torch.Tensor) -> torch.Tensor:
    """Return latents ``[b, c, h, w]`` as tokens ``[b, (h / 2) (w / 2), 4 c]``.

    A token holds channel by channel the four values of its square.
    """
    b, c, h, w = x.shape
    squares = x.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return squares.reshape(b, (h // 2) * (w // 2), 4 * c)


def unpacked(tokens: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Return packed latents ``[b, (h / 2) (w / 2), 4 c]`` as ``[b, c, h, w]``."""
    b, _, c = tokens.shape
    squares = tokens.reshape(b, height // 2, width // 2, c // 4, 2, 2)
    return squares.permute(0, 3, 1, 4, 2, 5).reshape(b, c // 4, height, width)


def places(height: int, width: int) -> torch.Tensor:
    """Return the place of each packed token: 0, its row and column, ``[n, 3]``."""
    rows, columns = torch.arange(height // 2), torch.arange(width // 2)
    return torch.cartesian_prod(torch.zeros(1), rows.float(), columns.float())
