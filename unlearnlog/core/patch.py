"""Changes to one tensor, low-rank or full, and their exact sums.

Every number of a factor is a multiple of 2**-22, so every product of two is a multiple
of 2**-44, and as long as a sum stays below 2**9 float64 holds it without rounding: the
result depends neither on the order nor on the kernel, fused multiply-adds or the number
of threads. A matrix product has the same bits on every machine.

Source:
    Exact products in float64 are the building block of error-free matrix
    multiplication: K. Ozaki et al., https://doi.org/10.1007/s11075-011-9478-1
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import torch

GRID: Final = 2.0**-22
"""Every number in a factor is a whole multiple of this."""

UNIT: Final = GRID**2
"""Every number in a change or in a sum of changes is a whole multiple of this."""

CEILING: Final = 2.0**9
"""Upper bound on a sum of changes, so that 53 bits hold it: weights are near 1."""


@dataclass(frozen=True, eq=False)
class LowRank:
    """A change of rank r to one matrix, or to a convolution as the matrix of its rows.

    The factors are copied. Each rank-1 term is scaled by a power of two, so that its
    column and its row are of like size, and put on the grid: a change with entries near
    .01 moves by 1e-8 or so. Factors that are on it already stay as they are.

    Attributes:
        left: Column factors, shape ``[d_out, r]``, float32 multiples of `GRID`.
        right: Row factors, shape ``[r, d_in]``, of a convolution ``[r, d_in, height,
            width]``; float32 multiples of `GRID`.

    Raises:
        ValueError: Wrong dtype or shapes, or a number that is not finite or too large.
    """

    kind: ClassVar[str] = "low-rank"

    left: torch.Tensor
    right: torch.Tensor

    def __post_init__(self) -> None:
        """Check the factors and keep copies of them, balanced, on the grid."""
        left, right = _owned(self.left, "left"), _owned(self.right, "right")
        if left.ndim != 2 or right.ndim < 2 or left.shape[1] != right.shape[0]:
            message = (
                f"left {list(left.shape)} and right {list(right.shape)} "
                "do not make a matrix: give [d_out, r] and [r, d_in]"
            )
            raise ValueError(message)
        left, right = _balanced(left.double(), right.double())
        object.__setattr__(self, "left", _nearest(left, GRID))
        object.__setattr__(self, "right", _nearest(right, GRID))
        check_bound(self.bound)

    @property
    def parts(self) -> dict[str, torch.Tensor]:
        """The tensors this patch is made of, by field."""
        return {"left": self.left, "right": self.right}

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor it changes, ``(d_out, d_in)`` or a convolution's."""
        return (self.left.shape[0], *self.right.shape[1:])

    @property
    def n_bytes(self) -> int:
        """Size of the factors, in bytes."""
        return self.left.nbytes + self.right.nbytes

    @property
    def bound(self) -> float:
        """Upper bound on the magnitude of the change and of its partial sums."""
        return float((_largest(self.left, 0) * _largest(self.right, 1)).sum())

    @property
    def norm(self) -> float:
        """Frobenius norm of the change, from the factors' Gram matrices."""
        right = self.right.double().flatten(1)
        grams = (self.left.double().T @ self.left.double()) * (
            right @ right.T
        )  # [r, r]
        return float(grams.sum().clamp(min=0).sqrt())

    def __neg__(self) -> LowRank:
        """Return the opposite change."""
        return LowRank(-self.left, self.right)

    def dense(self) -> torch.Tensor:
        """Return the exact change: float64, in the shape of the tensor."""
        right = self.right.double().flatten(1)
        return (self.left.double() @ right).reshape(self.shape)

    def rows(self) -> torch.Tensor:
        """Return rows that span the change's row space, float64, ``[r, d_in]``."""
        triangle: torch.Tensor = torch.linalg.qr(self.left.double(), mode="r").R
        return triangle @ self.right.double().flatten(1)


@dataclass(frozen=True, eq=False)
class Full:
    """A change to one tensor as a full tensor.

    The value is copied and rounded to multiples of `UNIT`, which changes only numbers
    below 1e-6.

    Attributes:
        value: The change, shape ``[d_out, d_in]`` (a bias: ``[d_out]``), float32.

    Raises:
        ValueError: Wrong dtype, no dimension, or a number that is not finite or too
            large.
    """

    kind: ClassVar[str] = "full"

    value: torch.Tensor

    def __post_init__(self) -> None:
        """Check the value and keep a copy of it, on the grid."""
        value = _nearest(_owned(self.value, "value").double(), UNIT)
        object.__setattr__(self, "value", value)
        if self.value.ndim == 0:
            message = "a change to a single number is no patch: give [d_out, d_in]"
            raise ValueError(message)
        check_bound(self.bound)

    @property
    def parts(self) -> dict[str, torch.Tensor]:
        """The tensors this patch is made of, by field."""
        return {"value": self.value}

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor it changes."""
        return tuple(self.value.shape)

    @property
    def n_bytes(self) -> int:
        """Size of the change, in bytes."""
        return self.value.nbytes

    @property
    def bound(self) -> float:
        """Largest magnitude in the change."""
        return float(self.value.abs().max()) if self.value.numel() else 0.0

    @property
    def norm(self) -> float:
        """Frobenius norm of the change."""
        return float(self.value.double().square().sum().sqrt())

    def __neg__(self) -> Full:
        """Return the opposite change."""
        return Full(-self.value)

    def dense(self) -> torch.Tensor:
        """Return the exact change, float64; a copy."""
        return self.value.double()

    def rows(self) -> torch.Tensor:
        """Return rows that span the change's row space, float64, ``[d_out, d_in]``."""
        value = self.value.double()
        return value[None, :] if value.ndim == 1 else value.flatten(1)


Patch = LowRank | Full
"""A change to one tensor, low-rank or full."""


def total(patches: Sequence[Patch], start: torch.Tensor) -> torch.Tensor:
    """Return the exact sum of a start and of changes, in any order.

    Args:
        patches: Changes to one tensor.
        start: Float64 multiples of `UNIT`, of the tensor's shape; not changed.

    Raises:
        ValueError: A patch is of another shape, or the sum could reach `CEILING`.
    """
    return add_to(start.clone(), patches)


def add_to(change: torch.Tensor, patches: Sequence[Patch]) -> torch.Tensor:
    """Add changes to a sum in place, and return it; otherwise like `total`."""
    for patch in patches:
        if change.dtype != torch.float64 or change.shape != patch.shape:
            message = (
                f"a patch of {list(patch.shape)} adds to float64 of that shape, "
                f"not to {change.dtype} of {list(change.shape)}"
            )
            raise ValueError(message)
    largest = max(map(abs, map(float, change.aminmax()))) if change.numel() else 0.0
    check_bound(largest + sum(patch.bound for patch in patches))
    thin = [patch for patch in patches if isinstance(patch, LowRank)]
    if thin:
        left = torch.cat([patch.left for patch in thin], 1).double()
        right = torch.cat([patch.right.flatten(1) for patch in thin]).double()
        change.view(len(change), -1).addmm_(left, right)
    for patch in patches:
        if isinstance(patch, Full):
            change += patch.value
    return change


def _owned(tensor: torch.Tensor, part: str) -> torch.Tensor:
    """Return a copy of a float32 tensor on the CPU, row-major, without a graph."""
    if tensor.dtype != torch.float32:
        message = f"{part} is {tensor.dtype}, a patch is torch.float32"
        raise ValueError(message)
    if not torch.isfinite(tensor).all():
        message = f"{part} {list(tensor.shape)} holds numbers that are not finite"
        raise ValueError(message)
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _balanced(
    left: torch.Tensor, right: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Move powers of two from the larger factor of each term to the smaller one.

    Terms within a factor of four stay: rounding to the grid may double one side, and
    balancing twice must change nothing.
    """
    sizes = [_largest(left, 0), _largest(right, 1)]
    one, other = (torch.frexp(size).exponent for size in sizes)
    gap = (other - one) * ((other - one).abs() > 2) * (sizes[0] > 0) * (sizes[1] > 0)
    shift = torch.div(gap, 2, rounding_mode="trunc")
    back = -shift.reshape(-1, *[1] * (right.ndim - 1))
    return torch.ldexp(left, shift), torch.ldexp(right, back)


def _largest(factor: torch.Tensor, dim: int) -> torch.Tensor:
    """Return each term's largest magnitude in one factor, float64, ``[r]``."""
    if not factor.numel():
        return factor.new_zeros(factor.shape[1 - dim], dtype=torch.float64)
    return factor.flatten(1).double().abs().amax(dim)


def _nearest(tensor: torch.Tensor, grid: float) -> torch.Tensor:
    """Return float64 rounded to multiples of a power of two, exactly as float32."""
    return (tensor / grid).round().mul(grid).float()


def check_bound(bound: float, what: str = "a change") -> None:
    """Refuse numbers so large that float64 might round their sum.

    Raises:
        ValueError: The bound reaches `CEILING`, or is NaN.
    """
    if not bound < CEILING:
        message = f"{what} may reach {bound:.3g}; it must stay below {CEILING:g}"
        raise ValueError(message)
