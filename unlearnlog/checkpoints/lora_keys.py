"""LoRA files in the formats of different tools, read and written.

Some loaders confuse alpha where tensors differ in rank, so files are written with one
rank, and alpha is the rank: the product of the factors is the change, scaled by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import torch

from unlearnlog.checkpoints.adapters.adapter_reading import AdaptedModel, changes_of
from unlearnlog.checkpoints.fused_factors import Fusing
from unlearnlog.checkpoints.lora_spellings import (
    TRANSFORMER,
    kohya_key,
    original_key,
)
from unlearnlog.errors import DeltaError

if TYPE_CHECKING:
    from unlearnlog.core.low_rank import Factors

FORMATS: Final = ("diffusers", "kohya")
"""Formats of a UNet's LoRA that can be written; these and older ones can be read."""

FORMATS_OF_TRANSFORMERS: Final = ("diffusers", "original", "kohya")
"""Formats of a transformer's LoRA that can be written."""


def written(
    factors: Mapping[str, Factors], spelling: str, fusing: Fusing | None = None
) -> dict[str, torch.Tensor]:
    """Return the tensors of a LoRA file by key.

    Args:
        factors: Left and right by full parameter name, all of one rank.
        spelling: ``diffusers``, ``kohya`` or, of a transformer, ``original``: the names
            that ComfyUI and ai-toolkit use, with fused modules joined.
        fusing: Original modules of a transformer, and the sizes of its weights.
    """
    component, modules = _modules(factors)
    if spelling != "diffusers" and component == TRANSFORMER:
        modules = (fusing or Fusing()).joined(modules)
    tensors = {}
    for module, (left, right) in modules.items():
        if spelling == "kohya":
            key = kohya_key(module)
            tensors[f"{key}.alpha"] = torch.tensor(float(right.shape[0]))
            tensors[f"{key}.lora_down.weight"] = right
            tensors[f"{key}.lora_up.weight"] = left
        else:
            own = spelling == "diffusers"
            key = f"{component}.{module}" if own else original_key(module)
            tensors[f"{key}.lora_A.weight"] = right
            tensors[f"{key}.lora_B.weight"] = left
    return tensors


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


def _modules(factors: Mapping[str, Factors]) -> tuple[str, dict[str, Factors]]:
    """Return the component of some weights, and the factors by the module's path."""
    found = {}
    components = {name.partition(".")[0] for name in factors}
    for name, each in factors.items():
        module = name.partition(".")[2].removesuffix(".weight")
        if name != f"{name.partition('.')[0]}.{module}.weight" or len(components) > 1:
            message = f"'{name}' is no weight of a module of one network"
            raise ValueError(message)
        found[module] = each
    return next(iter(components), ""), found
