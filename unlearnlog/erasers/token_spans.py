"""Spans of tokens as orthonormal columns."""

from __future__ import annotations

import torch
from torch import Tensor


def span(columns: Tensor, share: float) -> Tensor:
    """Return an orthonormal basis of the columns' span, float64 ``[d, r]``.

    Args:
        columns: Float64 ``[d, m]``; their lengths count, their order does not.
        share: A direction counts if its singular value is above this share of the
            largest; so equal and collinear columns count once.
    """
    left, sizes, _ = torch.linalg.svd(columns, full_matrices=False)
    basis: Tensor = left[:, sizes > share * sizes[:1]]
    return basis


def unit(columns: Tensor) -> Tensor:
    """Return the columns scaled to length 1; a column of zeros stays one."""
    lengths = columns.norm(dim=0)
    return columns / torch.where(lengths > 0, lengths, 1)
