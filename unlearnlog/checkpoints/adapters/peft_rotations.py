"""peft's own OFT and BOFT: inputs rotated in blocks, once or in stages of a butterfly.

A weight W becomes ``W R^T``, R block-diagonal; the numbers of a skew matrix Q above its
diagonal make each block of an OFT, by a series or by Cayley's transform. The blocks of
a BOFT are Cayley's of ``(b - b^T) / 2``, each stage between two orders of the inputs;
then each output has a factor.

Source:
    Z. Qiu et al. (OFT), https://arxiv.org/abs/2306.07280; W. Liu et al. (BOFT),
    https://arxiv.org/abs/2311.06243; as peft computes them (0.21,
    ``tuners/oft/layer.py``, ``tuners/boft/layer.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from unlearnlog.checkpoints.adapters.adapter_parts import AdapterParts

_TERMS: Final = 5
"""Terms of the series where the settings give none, as in peft."""

_PLAIN: Final = 2
"""Terms up to which the series is cut without its last power."""

_FEWEST: Final = 4
"""Terms that a longer series has at least."""

_FREEDOM: Final = 6e-5
"""Bound on the norm of a block where the settings give none, as in peft."""

_SIDES: Final = 4
"""Dimensions of a BOFT's blocks: stage, block, row, column."""


def oft_of_peft(parts: AdapterParts) -> torch.Tensor:
    """Return the whole change of a weight by a rotation of its inputs.

    Raises:
        DeltaError: The blocks do not make up the inputs.
    """
    numbers, weight = parts["oft_R"], parts.original().flatten(1)
    n_inputs, size = weight.shape[1], 0
    if numbers.ndim == 2:  # n (n - 1) / 2 numbers are above a diagonal of n
        size = round((1 + (1 + 8 * numbers.shape[1]) ** 0.5) / 2)
    fits = size > 0 and size * (size - 1) // 2 == numbers.shape[1]
    if not fits or n_inputs % size or len(numbers) not in (1, n_inputs // size):
        rows = f"the weight is {list(parts.shape)}"
        raise parts.wrong("oft_R", f"is {list(numbers.shape)}, and {rows}")
    skew = numbers.new_zeros(len(numbers), size, size)
    rows, columns = torch.triu_indices(size, size, 1)
    skew[:, rows, columns] = numbers
    skew = skew - skew.transpose(1, 2)
    if parts.settings.get("coft"):
        skew = _held(skew, float(parts.settings.get("eps", _FREEDOM)))
    blocks = _series(skew, parts) if _is_series(parts) else _cayley(skew)
    inputs = weight.unflatten(1, (-1, size))
    turned = torch.einsum(
        "okc,krc->okr", inputs, blocks.expand(inputs.shape[1], -1, -1)
    )
    return parts.shaped(turned.flatten(1) - weight, "oft_R")


def boft_of_peft(parts: AdapterParts) -> torch.Tensor:
    """Return the whole change of a weight by rotations of its inputs in stages.

    Raises:
        DeltaError: The blocks do not make up the inputs, or a factor is missing.
    """
    stages, weight = parts["boft_R"], parts.original().flatten(1)
    factors = parts["boft_s"].reshape(-1, 1)
    n_blocks, size = stages.shape[-3:-1] if stages.ndim == _SIDES else (0, 0)
    fits = n_blocks * size == weight.shape[1] and stages.shape[-1] == size
    if not fits or len(factors) != len(weight):
        rows = f"the weight is {list(parts.shape)}"
        raise parts.wrong("boft_R", f"is {list(stages.shape)}, and {rows}")
    new = weight
    for i, blocks in enumerate(_cayley((stages - stages.transpose(-1, -2)) / 2)):
        order = torch.arange(weight.shape[1])
        if len(stages) > 1:
            order = _order(weight.shape[1], n_blocks // 2**i, size // 2)
        mixed = torch.empty_like(new)
        mixed[:, order] = new
        inputs = mixed.unflatten(1, (-1, size))
        new = torch.einsum("okc,krc->okr", inputs, blocks).flatten(1)[:, order]
    return parts.shaped(factors * new - weight, "boft_R")


def _is_series(parts: AdapterParts) -> bool:
    """Return whether the rotations are made by a series, as they are by default."""
    return bool(parts.settings.get("use_cayley_neumann", True))


def _series(skew: torch.Tensor, parts: AdapterParts) -> torch.Tensor:
    """Return the series of ``(I + Q) (I - Q)^-1``, its last power once, as in peft."""
    terms = int(parts.settings.get("num_cayley_neumann_terms", _TERMS))
    highest = max(terms, _FEWEST) - 1 if terms > _PLAIN else terms - 1
    power = torch.eye(skew.shape[-1], dtype=skew.dtype).expand_as(skew)
    made = power.clone()
    for exponent in range(1, highest + 1):
        power = power @ skew
        once = exponent == highest and terms > _PLAIN
        made += power if once else 2 * power
    return made


def _cayley(skew: torch.Tensor) -> torch.Tensor:
    """Return ``(I - Q) (I + Q)^-1``."""
    one = torch.eye(skew.shape[-1], dtype=skew.dtype)
    rotations: torch.Tensor = (one - skew) @ torch.linalg.inv(one + skew)
    return rotations


def _held(skew: torch.Tensor, freedom: float) -> torch.Tensor:
    """Return skew matrices whose norm is at most a share of the freedom."""
    most = freedom / len(skew) ** 0.5
    norms = skew.norm(dim=(1, 2), keepdim=True)
    return torch.where(norms <= most, skew, most * skew / norms)


def _order(n: int, n_parts: int, half: int) -> torch.Tensor:
    """Return the place of each input in a stage: even halves of blocks, then odd ones.

    Args:
        n: Number of inputs.
        n_parts: Number of parts that are ordered by themselves.
        half: Half the size of a block.
    """
    halves = torch.arange(n).reshape(n_parts, -1, half)
    return torch.cat([halves[:, ::2], halves[:, 1::2]], 1).flatten()
