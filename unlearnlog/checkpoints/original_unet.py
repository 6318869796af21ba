"""The tensors of a UNet with the names of the original code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from unlearnlog.checkpoints.ldm_names import layers_a_level, original_names
from unlearnlog.checkpoints.original_tensor import OriginalTensor
from unlearnlog.errors import UsageError

if TYPE_CHECKING:
    import torch

_UPSAMPLER: Final = re.compile(r"up_blocks\.(\d+)\.upsamplers\.0\b")


def unet_layout(
    shapes: Mapping[str, torch.Size], component: str
) -> dict[str, OriginalTensor]:
    """Return the tensors of a UNet by their original names.

    Args:
        shapes: Shape of each of its tensors, by full name.
        component: Its name, the prefix of the full names.

    Raises:
        UsageError: A tensor has no name in the original code.
    """
    inner = {name.removeprefix(f"{component}."): name for name in shapes}
    n_layers = layers_a_level(inner)
    found = {}
    for name, full in inner.items():
        module, _, leaf = name.rpartition(".")
        olds = original_names(module, n_layers)
        if not olds:
            raise UsageError(
                f"'{full}' has no name in the original code: this UNet is not built "
                "like one of its models",
                fix="take the folder instead: unlearnlog checkout",
            )
        found[f"{_chosen(olds, module, inner)}.{leaf}"] = OriginalTensor((full,))
    return found


def unet_key(module: str, shapes: Mapping[str, torch.Size]) -> str:
    """Return the original name of a UNet's module; empty where it has none."""
    inner = {name.removeprefix("unet."): name for name in shapes}
    olds = original_names(module, layers_a_level(inner))
    return _chosen(olds, module, inner) if olds else ""


def _chosen(olds: tuple[str, ...], module: str, inner: Mapping[str, str]) -> str:
    """Return the name of a module; that of an upsampler depends on its block.

    It stands after the attention, where the block has any.
    """
    if match := _UPSAMPLER.match(module):
        block = f"up_blocks.{match[1]}.attentions."
        return olds[any(name.startswith(block) for name in inner)]
    return olds[0]
