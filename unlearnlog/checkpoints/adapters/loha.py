"""LoHa: the product, number by number, of two matrices of low rank.

``scale * (w1_a @ w1_b) * (w2_a @ w2_b)``; of convolutions each matrix may have a core
tensor.

Source:
    N. Hyeon-Woo et al. (FedPara), https://arxiv.org/abs/2108.06098; S.-Y. Yeh et al.
    (LyCORIS), https://arxiv.org/abs/2309.14859.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from unlearnlog.checkpoints.adapters.adapter_parts import core_product

if TYPE_CHECKING:
    from unlearnlog.checkpoints.adapters.adapter_parts import AdapterParts


def loha(parts: AdapterParts) -> torch.Tensor:
    """Return the whole change.

    Raises:
        DeltaError: A tensor is missing, or shapes do not fit.
    """
    rank = parts["hada_w1_b"].shape[0]
    try:
        change = _matrix(parts, "1") * _matrix(parts, "2")
    except RuntimeError:
        shapes = [list(tensor.shape) for tensor in parts.tensors.values()]
        raise parts.wrong("hada_w1_a", f"does not fit the others: {shapes}") from None
    return parts.shaped(change * parts.scale(rank), "hada_w1_a")


def _matrix(parts: AdapterParts, number: str) -> torch.Tensor:
    """Return the first or the second matrix."""
    left, right = parts[f"hada_w{number}_a"], parts[f"hada_w{number}_b"]
    if f"hada_t{number}" in parts.tensors:
        return core_product(parts[f"hada_t{number}"], left, right)
    return left @ right.flatten(1)
