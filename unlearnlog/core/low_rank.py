"""Low-rank factors of a change of the weights, and the share that a rank keeps.

Singular values and vectors are taken in float64 of the exact sum of patches, and never
clamped: a large number in a factor is a large part of an erasure.

Source:
    The best approximation of a rank: C. Eckart and G. Young,
    https://doi.org/10.1007/BF02288367
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch

from unlearnlog.core.delta import Weights
from unlearnlog.core.patch import LowRank, Patch, total

_NOISE: Final = 1e-13
"""Singular values below this share of the largest patch's norm are rounding errors."""

Factors = tuple[torch.Tensor, torch.Tensor]
"""Left ``[d_out, r]`` and right ``[r, d_in]``, float32: their product is the change.

``d_in`` of a convolution counts its pixels, to which files may give own dimensions.
"""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The singular value decomposition of one change, float64.

    Attributes:
        left: Orthonormal columns, ``[d_out, k]``.
        sizes: Singular values, largest first, none of them zero, ``[k]``.
        right: Orthonormal rows, ``[k, d_in]``; those of a convolution are flat.
    """

    left: torch.Tensor
    sizes: torch.Tensor
    right: torch.Tensor

    @classmethod
    def of(cls, patches: Sequence[Patch]) -> Spectrum:
        """Return the decomposition of the exact sum of at least one patch.

        A change of a convolution is the matrix of its rows, one of a vector a column.
        """
        d_out, *inputs = patches[0].shape
        thin = [patch for patch in patches if isinstance(patch, LowRank)]
        rank = sum(patch.left.shape[1] for patch in thin)
        if len(thin) == len(patches) and rank < min(d_out, math.prod(inputs)):
            left, sizes, right = _of_factors(thin)
        else:
            zeros = torch.zeros(patches[0].shape, dtype=torch.float64)
            dense = total(patches, zeros).reshape(d_out, -1)
            left, sizes, right = torch.linalg.svd(dense, full_matrices=False)
        n = int((sizes > _NOISE * max(patch.norm for patch in patches)).sum())
        return cls(left[:, :n], sizes[:n], right[:n])

    def energy(self, rank: int) -> float:
        """Return the share of the change's squared norm that a rank keeps."""
        kept = self.sizes.square().cumsum(0)
        if not len(kept):
            return 1.0
        return float(kept[min(rank, len(kept)) - 1] / kept[-1]) if rank else 0.0

    def rank_for(self, energy: float) -> int:
        """Return the smallest rank that keeps a share of the squared norm."""
        ranks = range(len(self.sizes) + 1)
        return next(rank for rank in ranks if self.energy(rank) >= energy)

    def factors(self, rank: int) -> Factors:
        """Return balanced factors of a rank, padded with zeros."""
        root = self.sizes[:rank].sqrt()
        left = torch.zeros(self.left.shape[0], rank)
        right = torch.zeros(rank, self.right.shape[1])
        left[:, : len(root)] = (self.left[:, :rank] * root).float()
        right[: len(root)] = (root[:, None] * self.right[:rank]).float()
        return left, right


def _of_factors(
    thin: Sequence[LowRank],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the decomposition of a sum of thin products, from its small core."""
    columns, upper = torch.linalg.qr(torch.cat([p.left for p in thin], 1).double())
    below = torch.cat([patch.right.flatten(1) for patch in thin])
    rows, lower = torch.linalg.qr(below.double().T)
    inner, sizes, outer = torch.linalg.svd(upper @ lower.T)
    return columns @ inner, sizes, outer @ rows.T


def lowest_energy(spectra: Mapping[str, Spectrum], rank: int) -> float:
    """Return the least share of a change's squared norm that a rank keeps."""
    return min(spectrum.energy(rank) for spectrum in spectra.values())


def rank_for(spectra: Mapping[str, Spectrum], energy: float) -> int:
    """Return the smallest rank at which every change keeps its share."""
    return max(spectrum.rank_for(energy) for spectrum in spectra.values())


def fused(base: Weights, factors: Mapping[str, Factors]) -> dict[str, torch.Tensor]:
    """Return the base plus the factors' products in its own dtype, as loaders do.

    Returns:
        The tensors that have factors, in the base's dtype.

    Raises:
        ValueError: A number is too large for the base's dtype.
    """
    found = {}
    for name, (left, right) in factors.items():
        tensor = base[name].detach().cpu()
        left, right = (each.flatten(1).to(tensor.dtype) for each in (left, right))
        found[name] = tensor + (left @ right).reshape(tensor.shape)
        if not torch.isfinite(found[name]).all():
            message = f"{name} is not finite in {tensor.dtype} with the factors added"
            raise ValueError(message)
    return found
