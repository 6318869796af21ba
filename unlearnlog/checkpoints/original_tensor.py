"""A tensor of the original format, made of a model's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch

Kind = Literal["same", "joined", "swapped", "transposed", "convolution"]
"""The same numbers; rows of several tensors below each other; the second half of the
rows first; columns for rows; a matrix as a convolution of 1 x 1."""


@dataclass(frozen=True)
class OriginalTensor:
    """The parts of a tensor of the original format.

    Attributes:
        parts: Full names of the model's tensors in it, in the order of their rows.
        kind: What is done to them.
    """

    parts: tuple[str, ...]
    kind: Kind = "same"

    def shape(self, shapes: Mapping[str, torch.Size]) -> tuple[int, ...]:
        """Return its shape, from those of the model's tensors."""
        first, *rest = (shapes[part] for part in self.parts)
        if self.kind == "convolution" and len(first) == 2:
            return (*first, 1, 1)
        if self.kind == "transposed":
            return tuple(reversed(first))
        if self.kind == "joined":
            return (first[0] + sum(shape[0] for shape in rest), *first[1:])
        return tuple(first)

    def made(self, load: Callable[[str], torch.Tensor]) -> torch.Tensor:
        """Return it.

        Args:
            load: Returns one of the model's tensors by full name.
        """
        first, *rest = map(load, self.parts)
        if self.kind == "joined":
            return torch.cat([first, *rest])
        if self.kind == "transposed":
            return first.T.contiguous()
        if self.kind == "swapped":
            return _swapped(first)
        if self.kind == "convolution" and first.ndim == 2:
            return first[:, :, None, None]
        return first

    def split(
        self, whole: torch.Tensor, shapes: Mapping[str, torch.Size]
    ) -> dict[str, torch.Tensor]:
        """Return the model's tensors in it, by full name: the inverse of `made`.

        Args:
            whole: It.
            shapes: Shape of each of the model's tensors, by full name.
        """
        if self.kind == "joined":
            rows = [shapes[part][0] for part in self.parts]
            return dict(zip(self.parts, whole.split(rows), strict=True))
        if self.kind == "transposed":
            whole = whole.T
        if self.kind == "swapped":
            whole = _swapped(whole)
        return {self.parts[0]: whole.reshape(shapes[self.parts[0]])}


def _swapped(rows: torch.Tensor) -> torch.Tensor:
    """Return rows with their second half first."""
    half = len(rows) // 2
    return torch.cat([rows[half:], rows[:half]])
