"""The change to one tensor: as factors, or written out.

A rank-1 term is multiplied and added on its own, with no fused or blocked kernel,
so the sum's bits are the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch


@dataclass(frozen=True, eq=False)
class LowRank:
    """A change of rank r to one matrix.

    The factors are copied, so what is recorded is what was given.

    Attributes:
        left: Column factors, shape ``[d_out, r]``, float32.
        right: Row factors, shape ``[r, d_in]``, float32.

    Raises:
        ValueError: Wrong dtype or shapes, or a number that is not finite.
    """

    kind: ClassVar[str] = "low-rank"

    left: torch.Tensor
    right: torch.Tensor

    def __post_init__(self) -> None:
        """Check the factors and keep copies of them."""
        for part in ("left", "right"):
            object.__setattr__(self, part, _owned(getattr(self, part), part))
        left, right = self.left, self.right
        if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[0]:
            message = (
                f"left {list(left.shape)} and right {list(right.shape)} "
                "do not make a matrix: want [d_out, r] and [r, d_in]"
            )
            raise ValueError(message)

    @property
    def parts(self) -> dict[str, torch.Tensor]:
        """The tensors this patch is made of, by field."""
        return {"left": self.left, "right": self.right}

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor it changes, ``(d_out, d_in)``."""
        return (self.left.shape[0], self.right.shape[1])

    @property
    def n_bytes(self) -> int:
        """Size of the factors, in bytes."""
        return self.left.nbytes + self.right.nbytes

    @property
    def norm(self) -> float:
        """Frobenius norm of the change, from the factors' Gram matrices."""
        grams = (self.left.double().T @ self.left.double()) * (
            self.right.double() @ self.right.double().T
        )  # [r, r]
        return float(grams.sum().clamp(min=0).sqrt())

    def dense(self) -> torch.Tensor:
        """Write the change out, float32, shape ``[d_out, d_in]``."""
        return self.added_to(torch.zeros(self.shape))

    def added_to(self, total: torch.Tensor) -> torch.Tensor:
        """Return ``total`` plus the rank-1 terms, one by one, in order.

        Args:
            total: Float32, shape ``[d_out, d_in]``; left alone.
        """
        _check_total(total, self.shape)
        new = total.clone()
        term = torch.empty_like(new)
        for column, row in zip(self.left.T, self.right, strict=True):
            torch.mul(column[:, None], row[None, :], out=term)  # never fused
            new.add_(term)
        return new

    def rows(self) -> torch.Tensor:
        """Give rows that span the change's row space, float64, ``[r, d_in]``."""
        triangle: torch.Tensor = torch.linalg.qr(self.left.double(), mode="r").R
        return triangle @ self.right.double()


@dataclass(frozen=True, eq=False)
class Full:
    """A change to one tensor, written out.

    The value is copied, so what is recorded is what was given.

    Attributes:
        value: The change, shape ``[d_out, d_in]`` (a bias: ``[d_out]``), float32.

    Raises:
        ValueError: Wrong dtype, no dimension, or a number that is not finite.
    """

    kind: ClassVar[str] = "full"

    value: torch.Tensor

    def __post_init__(self) -> None:
        """Check the value and keep a copy of it."""
        object.__setattr__(self, "value", _owned(self.value, "value"))
        if self.value.ndim == 0:
            message = "a change to a single number is no patch: want [d_out, d_in]"
            raise ValueError(message)

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
    def norm(self) -> float:
        """Frobenius norm of the change."""
        return float(self.value.double().square().sum().sqrt())

    def dense(self) -> torch.Tensor:
        """Give the change, float32; a copy."""
        return self.value.clone()

    def added_to(self, total: torch.Tensor) -> torch.Tensor:
        """Return ``total`` plus the change.

        Args:
            total: Float32, of the change's shape; left alone.
        """
        _check_total(total, self.shape)
        return total + self.value

    def rows(self) -> torch.Tensor:
        """Give rows that span the change's row space, float64, ``[d_out, d_in]``."""
        value = self.value.double()
        return value[None, :] if value.ndim == 1 else value.flatten(1)


Patch = LowRank | Full
"""Both have parts, shape, size, norm, and can be added to float32 sums."""


def _owned(tensor: torch.Tensor, part: str) -> torch.Tensor:
    """Copy a float32 tensor to the CPU, row-major, free of any graph."""
    if tensor.dtype != torch.float32:
        message = f"{part} is {tensor.dtype}, a patch is torch.float32"
        raise ValueError(message)
    if not torch.isfinite(tensor).all():
        message = f"{part} {list(tensor.shape)} holds numbers that are not finite"
        raise ValueError(message)
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _check_total(total: torch.Tensor, shape: tuple[int, ...]) -> None:
    if total.dtype != torch.float32 or total.shape != shape:
        message = (
            f"a patch of {list(shape)} adds to float32 of that shape, "
            f"not to {total.dtype} of {list(total.shape)}"
        )
        raise ValueError(message)
