"""LoRA files in the formats of different tools, read as factors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from unlearnlog.checkpoints.adapters.adapter_reading import AdaptedModel, changes_of
from unlearnlog.checkpoints.fused_factors import Fusing
from unlearnlog.errors import DeltaError

if TYPE_CHECKING:
    from unlearnlog.core.low_rank import Factors


def read(
    tensors: Mapping[str, torch.Tensor],
    shapes: Mapping[str, torch.Size],
    *,
    fusing: Fusing | None = None,
) -> dict[str, Factors]:
    """Return the factors of a file, with alpha over rank multiplied into the left one.

    Args:
        tensors: All tensors of the file, by key.
        shapes: Shape of each weight that may have factors, by full name; the input
            dimensions of a convolution count as one.
        fusing: Original modules of a transformer, and the sizes of its weights.

    Raises:
        DeltaError: A key belongs to none of these weights, a factor is missing or has
            another shape, a number is not valid, or a change has no factors.
    """
    found = {}
    model = AdaptedModel(
        shapes, lambda name: torch.zeros(shapes[name]), fusing=fusing or Fusing()
    )
    for name, change in changes_of(tensors, model).items():
        if not isinstance(change, tuple):
            raise DeltaError(
                f"the change of '{name}' is no product of two factors",
                fix="give a LoRA",
            )
        found[name] = change
    return found
