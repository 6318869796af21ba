"""Whole changes, of weights, norms and biases; and whole new values.

Source:
    LyCORIS (``modules.full``, ``modules.norms``); ComfyUI's ``set_weight``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from unlearnlog.checkpoints.adapters.adapter_parts import AdapterParts


def whole_difference(parts: AdapterParts) -> torch.Tensor:
    """Return the change as it is in the file, in the weight's shape.

    Raises:
        DeltaError: It has another number of elements.
    """
    return parts.shaped(parts["diff"], "diff")


def new_value(parts: AdapterParts) -> torch.Tensor:
    """Return the difference of a new value from the weight.

    Raises:
        DeltaError: It has another number of elements.
    """
    return parts.shaped(parts["set"], "set") - parts.original()
