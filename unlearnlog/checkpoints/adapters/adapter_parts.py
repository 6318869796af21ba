"""The tensors of an adapter on one weight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import torch

from unlearnlog.core.low_rank import Factors
from unlearnlog.errors import DeltaError
from unlearnlog.models.foreign_file import shown

Change = Factors | torch.Tensor
"""Two factors, or the whole change of a weight in its shape."""

_CALLED: Final[Mapping[str, str]] = {
    "down": "row factor",
    "up": "column factor",
    "mid": "core tensor",
}


@dataclass(frozen=True, eq=False)
class AdapterParts:
    """The tensors of an adapter on one weight.

    Attributes:
        shape: Shape of the weight.
        tensors: Tensors by part, ``up``, ``alpha``, ...; float64.
        keys: Key of each part in the file.
        original: Returns the weight before the change, float64.
        otherwise: Returns the scale by rank where there is no alpha.
        name: Full name of the weight, of several in one module that of the first.
        settings: Settings of the adapter, as peft's configuration has them.
    """

    shape: torch.Size
    tensors: Mapping[str, torch.Tensor]
    keys: Mapping[str, str]
    original: Callable[[], torch.Tensor]
    otherwise: Callable[[int], float]
    name: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, part: str) -> torch.Tensor:
        """Return the tensor of a part.

        Raises:
            DeltaError: It is missing.
        """
        if part not in self.tensors:
            present = next(iter(self.keys))
            missing = _CALLED.get(part, f"'{part}'")
            raise self.wrong(present, f"has no partner: its {missing} is missing")
        return self.tensors[part]

    def matrix(self, part: str) -> torch.Tensor:
        """Return the tensor of a part as a matrix, ``[first, rest]``."""
        tensor = self[part]
        return tensor.flatten(1) if tensor.ndim > 1 else tensor

    def scale(self, rank: int) -> float:
        """Return the factor of the change: alpha over rank, where there is an alpha.

        Raises:
            DeltaError: The alpha is more than one number.
        """
        alpha = self.tensors.get("alpha")
        if alpha is None:
            return self.otherwise(rank)
        if alpha.numel() != 1:
            raise self.wrong("alpha", f"is {list(alpha.shape)}, not one number")
        return float(alpha) / rank

    def shaped(self, change: torch.Tensor, part: str) -> torch.Tensor:
        """Return a change in the weight's shape.

        Raises:
            DeltaError: It has another number of elements.
        """
        if change.numel() != self.shape.numel():
            made = f"makes a change of {list(change.shape)}"
            raise self.wrong(part, f"{made}, and the weight is {list(self.shape)}")
        return change.reshape(self.shape)

    def wrong(self, part: str, what: str) -> DeltaError:
        """Return the error for the tensor of a part."""
        return wrong_tensor(self.keys[part], what)


def wrong_tensor(key: str, what: str) -> DeltaError:
    """Return the error for a tensor that is not as its method has it."""
    return DeltaError(
        f"the tensor {shown(key)} {what}", fix="export the LoRA again with its own tool"
    )


def core_product(
    core: torch.Tensor, left: torch.Tensor, right: torch.Tensor
) -> torch.Tensor:
    """Return a core tensor multiplied along its first two dimensions.

    Args:
        core: Shape ``[m, n, ...]``.
        left: Shape ``[m, d_out]``.
        right: Shape ``[n, d_in]``.

    Returns:
        Shape ``[d_out, d_in, ...]``.
    """
    return torch.einsum("mn...,mo,ni->oi...", core, left, right)
