"""GLoRA: a change of low rank, and another one of the weight's own inputs.

``scale * (W a1 a2 + b1 b2)``; files of old versions of LyCORIS have the factors in the
other order, ``scale * (W a2 a1 + b2 b1)``.

Source:
    A. Chavan et al., https://arxiv.org/abs/2306.07967; LyCORIS (``modules.glora``), and
    ComfyUI (``weight_adapter/glora.py``) for the old order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from unlearnlog.checkpoints.adapters.adapter_parts import AdapterParts


def glora(parts: AdapterParts) -> torch.Tensor:
    """Return the whole change.

    Raises:
        DeltaError: A tensor is missing, or shapes do not fit.
    """
    a, b = _pair(parts, "a"), _pair(parts, "b")
    weight = parts.original()
    try:
        through = torch.einsum("oi...,ij->oj...", weight, a[0] @ a[1])
        change = through + parts.shaped(b[0] @ b[1], "b1")
    except RuntimeError:
        shapes = [list(tensor.shape) for tensor in parts.tensors.values()]
        raise parts.wrong("a1", f"does not fit the others: {shapes}") from None
    return parts.shaped(parts.scale(a[1].shape[0]) * change, "a1")


def _pair(parts: AdapterParts, letter: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return two factors in the order of their product: a tall one, and a wide one."""
    one, other = parts.matrix(f"{letter}1"), parts.matrix(f"{letter}2")
    is_old = _is_old(parts)
    return (other, one) if is_old else (one, other)


def _is_old(parts: AdapterParts) -> bool:
    """Return whether the factors are in the order of old files.

    Of a square weight with full rank both orders fit: it is taken for a new file only
    where the old order does not fit.
    """
    a1, a2, b1, b2 = (parts.matrix(each) for each in ("a1", "a2", "b1", "b2"))
    old = b2.shape[1] == b1.shape[0] == a1.shape[0] == a2.shape[1]
    new = b2.shape[0] == b1.shape[1] == a1.shape[1] == a2.shape[0]
    is_square = parts.shape[0] == parts.shape[1] == a2.shape[0]
    return old and (not new or is_square)
