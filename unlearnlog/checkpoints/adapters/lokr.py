"""LoKr: the Kronecker product of a small and a large matrix.

``scale * kron(w1, w2)``, where each may be a product of two factors, and ``w2`` one
with a core tensor. Without factors there is no rank, and the scale is one.

Source:
    S.-Y. Yeh et al. (LyCORIS), https://arxiv.org/abs/2309.14859. Where both have
    factors, ComfyUI (``weight_adapter/lokr.py``) and LyCORIS take the rank of ``w2``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from unlearnlog.checkpoints.adapters.adapter_parts import core_product

if TYPE_CHECKING:
    from unlearnlog.checkpoints.adapters.adapter_parts import AdapterParts


def lokr(parts: AdapterParts) -> torch.Tensor:
    """Return the whole change.

    Raises:
        DeltaError: A tensor is missing, or shapes do not fit.
    """
    first = next(iter(parts.keys))
    ranks = [len(parts[b]) for b in ("lokr_w1_b", "lokr_w2_b") if b in parts.tensors]
    try:
        small, large = _matrix(parts, "1"), _matrix(parts, "2")
        small = small[(...,) + (None,) * (large.ndim - small.ndim)]
        change = torch.kron(small, large.contiguous())
    except RuntimeError:
        shapes = [list(tensor.shape) for tensor in parts.tensors.values()]
        raise parts.wrong(first, f"does not fit the others: {shapes}") from None
    scale = parts.scale(ranks[-1]) if ranks else 1.0
    return parts.shaped(scale * change, first)


def _matrix(parts: AdapterParts, number: str) -> torch.Tensor:
    """Return the small or the large matrix; of a convolution ``[a, b, h, w]``."""
    whole = f"lokr_w{number}"
    if whole in parts.tensors:
        return parts[whole]
    left, right = parts[f"{whole}_a"], parts[f"{whole}_b"]
    if f"lokr_t{number}" in parts.tensors:
        return core_product(parts[f"lokr_t{number}"], left, right)
    return (left @ right.flatten(1)).reshape(len(left), *right.shape[1:])
