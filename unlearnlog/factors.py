"""A change of the weights as two thin factors: how much of it a rank keeps.

Singular values and vectors are taken in float64 of the exact sum of patches. Nothing is
ever clamped: a large number of a factor is a large part of an erasure.

Source:
    The best approximation of a rank: C. Eckart and G. Young,
    https://doi.org/10.1007/BF02288367
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch

from unlearnlog.delta import Weights
from unlearnlog.patch import LowRank, Patch, total

_NOISE: Final = 1e-13
"""Singular values below this share of the largest one are rounding of the solver."""

Factors = tuple[torch.Tensor, torch.Tensor]
"""Left ``[d_out, r]`` and right ``[r, d_in]``, float32: their product is the change."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The singular value decomposition of one change, float64.

    Attributes:
        left: Orthonormal columns, ``[d_out, k]``.
        sizes: Singular values, largest first, none of them zero, ``[k]``.
        right: Orthonormal rows, ``[k, d_in]``.
    """

    left: torch.Tensor
    sizes: torch.Tensor
    right: torch.Tensor

    @classmethod
    def of(cls, patches: Sequence[Patch]) -> Spectrum:
        """Decompose the exact sum of patches of one tensor; at least one of them."""
        rank = sum(p.left.shape[1] for p in patches if isinstance(p, LowRank))
        thin = [patch for patch in patches if isinstance(patch, LowRank)]
        if len(thin) == len(patches) and rank < min(patches[0].shape):
            return cls._of_factors(
                torch.cat([patch.left for patch in thin], 1).double(),
                torch.cat([patch.right for patch in thin]).double(),
            )
        zeros = torch.zeros(patches[0].shape, dtype=torch.float64)
        dense = total(patches, zeros)
        return cls._without_noise(*torch.linalg.svd(dense, full_matrices=False))

    @classmethod
    def _of_factors(cls, left: torch.Tensor, right: torch.Tensor) -> Spectrum:
        """Decompose a product of thin factors by way of its small core."""
        columns, upper = torch.linalg.qr(left)
        rows, lower = torch.linalg.qr(right.T)
        inner, sizes, outer = torch.linalg.svd(upper @ lower.T)
        return cls._without_noise(columns @ inner, sizes, outer @ rows.T)

    @classmethod
    def _without_noise(
        cls, left: torch.Tensor, sizes: torch.Tensor, right: torch.Tensor
    ) -> Spectrum:
        n = int((sizes > _NOISE * sizes.max()).sum()) if sizes.numel() else 0
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
        """Return balanced factors of a rank, filled up with zeros."""
        root = self.sizes[:rank].sqrt()
        left = torch.zeros(self.left.shape[0], rank)
        right = torch.zeros(rank, self.right.shape[1])
        left[:, : len(root)] = (self.left[:, :rank] * root).float()
        right[: len(root)] = (root[:, None] * self.right[:rank]).float()
        return left, right


def lowest_energy(spectra: Mapping[str, Spectrum], rank: int) -> float:
    """Return the least share of a change's squared norm that a rank keeps."""
    return min(spectrum.energy(rank) for spectrum in spectra.values())


def rank_for(spectra: Mapping[str, Spectrum], energy: float) -> int:
    """Return the smallest rank at which every change keeps its share."""
    return max(spectrum.rank_for(energy) for spectrum in spectra.values())


def fused(base: Weights, factors: Mapping[str, Factors]) -> dict[str, torch.Tensor]:
    """Add products to the base in the base's own dtype, as loaders do.

    Returns:
        The tensors that have factors, in the base's dtype.

    Raises:
        ValueError: A number is too large for the base's dtype.
    """
    found = {}
    for name, (left, right) in factors.items():
        tensor = base[name].detach().cpu()
        found[name] = tensor + left.to(tensor.dtype) @ right.to(tensor.dtype)
        if not torch.isfinite(found[name]).all():
            message = f"{name} is not finite in {tensor.dtype} with the factors added"
            raise ValueError(message)
    return found
