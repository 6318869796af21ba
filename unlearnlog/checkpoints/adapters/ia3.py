"""IA3: outputs times learned factors, with their bias; in feed-forward layers inputs.

Source:
    H. Liu et al., https://arxiv.org/abs/2205.05638; as peft merges it (0.21,
    ``tuners/ia3/layer.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from unlearnlog.errors import DeltaError

if TYPE_CHECKING:
    from unlearnlog.checkpoints.adapters.adapter_parts import AdapterParts

_MATRIX: Final = 2


def ia3(parts: AdapterParts) -> torch.Tensor:
    """Return the whole change of a weight.

    Raises:
        DeltaError: There are not as many factors as inputs or outputs, or the file does
            not say which of both they are for.
    """
    factors = parts["ia3_l"].flatten()
    along = 1 if _of_inputs(parts) else 0
    sides = [1] * len(parts.shape)
    sides[along] = -1
    return parts.original() * (factors.reshape(sides) - 1)


def ia3_of_bias(parts: AdapterParts) -> torch.Tensor | None:
    """Return the factors of a module's bias; None where inputs are multiplied."""
    return None if _of_inputs(parts) else parts["ia3_l"].flatten()


def _of_inputs(parts: AdapterParts) -> bool:
    """Return whether the factors are for inputs.

    Those of a matrix are a row or a column; of a convolution their number tells, or
    else the settings.
    """
    factors = parts["ia3_l"]
    shape, (n_out, n_in, *_) = factors.shape, parts.shape
    if len(parts.shape) == _MATRIX and shape in {(1, n_in), (n_out, 1)}:
        return shape == (1, n_in)
    ones = (1,) * (len(parts.shape) - 2)
    if len(parts.shape) == _MATRIX or shape not in {
        (1, n_in, *ones),
        (1, n_out, *ones),
    }:
        rows = f"the weight is {list(parts.shape)}"
        raise parts.wrong("ia3_l", f"is {list(shape)}, and {rows}")
    if n_in != n_out:
        return factors.numel() == n_in
    named = parts.settings.get("feedforward_modules")
    if not isinstance(named, list | tuple | set):
        raise DeltaError(
            f"the factors of '{parts.name}' may be for its inputs or its outputs",
            fix="write the names of modules into feedforward_modules of its "
            "adapter_config.json, as a list",
        )
    module = parts.name.removesuffix(".weight")
    return any(module.endswith(str(each)) for each in named)
