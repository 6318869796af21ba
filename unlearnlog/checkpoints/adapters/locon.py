"""LoRA, and LoCon: its form for convolutions, with or without a core tensor.

The change is ``scale * up @ down``. With a core tensor (Tucker), ``down`` reads one
pixel, and the core the pixels around it; the change is of the same rank.

Source:
    E. J. Hu et al., https://arxiv.org/abs/2106.09685; S.-Y. Yeh et al. (LyCORIS),
    https://arxiv.org/abs/2309.14859.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from unlearnlog.checkpoints.adapters.adapter_parts import AdapterParts
    from unlearnlog.core.low_rank import Factors


def locon(parts: AdapterParts) -> Factors:
    """Return the two factors of the change, the left one scaled.

    Raises:
        DeltaError: A factor is missing or has another shape.
    """
    left, right = parts.matrix("up"), parts.matrix("down")
    if "mid" in parts.tensors:
        right = _with_core(parts, right)
    rank = right.shape[0] if right.ndim > 1 else 0
    d_out, d_in = parts.shape[0], math.prod(parts.shape[1:])
    if left.shape != (d_out, rank) or right.shape != (rank, d_in) or not rank:
        sizes = f"is {list(parts['down'].shape)} and its partner "
        sizes += f"{list(parts['up'].shape)}; a change of {list(parts.shape)} needs "
        raise parts.wrong("down", f"{sizes}[r, {d_in}] and [{d_out}, r]")
    return left * parts.scale(rank), right


def _with_core(parts: AdapterParts, right: torch.Tensor) -> torch.Tensor:
    """Return the row factor multiplied by the core tensor, ``[r, d_in * h * w]``."""
    core = parts["mid"]
    if core.ndim < 2 or right.ndim < 2 or core.shape[1] != right.shape[0]:
        down = list(parts["down"].shape)
        raise parts.wrong("mid", f"is {list(core.shape)}, and its row factor {down}")
    return torch.einsum("mn...,ni->mi...", core, right).flatten(1)
