"""OFT and BOFT: output neurons rotated in blocks, once or in stages of a butterfly.

The rotation of a block is Cayley's, ``(I + q) (I - q)^-1`` with ``q = b - b^T``, where
the norm of all ``q`` is held below alpha times the number of outputs, if alpha is not
zero; ``rescale`` is a factor for each output.

Source:
    Z. Qiu et al. (OFT), https://arxiv.org/abs/2306.07280; W. Liu et al. (BOFT),
    https://arxiv.org/abs/2311.06243; as LyCORIS computes them (``functional.diag_oft``,
    ``functional.boft``, 4.1), which ComfyUI follows but for ``rescale`` and alpha.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from unlearnlog.checkpoints.adapters.adapter_parts import AdapterParts

_TINY: Final = 1e-8


def oft(parts: AdapterParts) -> torch.Tensor:
    """Return the whole change of a weight by rotations of its output neurons.

    Raises:
        DeltaError: The blocks do not make up the outputs.
    """
    blocks, weight = parts["oft_blocks"], parts.original()
    staged = blocks.ndim == 4
    sizes = blocks.shape[-2:]
    fits = blocks.ndim in (3, 4) and sizes[0] == sizes[1]
    if not fits or blocks.shape[-3] * sizes[0] != parts.shape[0]:
        rows = f"the weight is {list(parts.shape)}"
        raise parts.wrong("oft_blocks", f"is {list(blocks.shape)}, and {rows}")
    rotations = _rotations(blocks, _limit(parts))
    new = _in_stages(rotations, weight) if staged else _at_once(rotations, weight)
    if "rescale" in parts.tensors:
        rescale = parts["rescale"].reshape(-1, *[1] * (weight.ndim - 1))
        new = rescale * new
    return parts.shaped(new - weight, "oft_blocks")


def _limit(parts: AdapterParts) -> float:
    """Return the upper bound on the norm of the generators; zero for none."""
    alpha = parts.tensors.get("alpha")
    return 0.0 if alpha is None else float(alpha) * parts.shape[0]


def _rotations(blocks: torch.Tensor, limit: float) -> torch.Tensor:
    """Return the rotation of each block, in the shape of the blocks."""
    q = blocks - blocks.transpose(-1, -2)
    norm = q.norm() + _TINY
    if 0 < limit < norm:
        q = q * limit / norm
    one = torch.eye(q.shape[-1], dtype=q.dtype)
    rotations: torch.Tensor = (one + q) @ torch.linalg.inv(one - q)
    return rotations


def _at_once(rotations: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the weight with each block of rows rotated."""
    n, size, _ = rotations.shape
    rows = weight.unflatten(0, (n, size))
    return torch.einsum("knm,kn...->km...", rotations, rows).flatten(0, 1)


def _in_stages(rotations: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the weight after all stages; each pairs rows that are twice as far."""
    size = rotations.shape[-1]
    for stage, each in enumerate(rotations):
        apart = 2**stage * (size // 2)
        mixed = weight.unflatten(0, (-1, 2, apart)).transpose(1, 2).flatten(0, 2)
        turned = torch.einsum("bij,bj...->bi...", each, mixed.unflatten(0, (-1, size)))
        back = turned.flatten(0, 1).unflatten(0, (-1, apart, 2))
        weight = back.transpose(1, 2).flatten(0, 2)
    return weight
