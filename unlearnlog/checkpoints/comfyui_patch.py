"""The exact change of a model as a patch that ComfyUI adds to its weights.

ComfyUI adds a ``diff`` to the weight in float32 and rounds the sum to the weight's
dtype. On a base in half precision that gives the state to the bit; in float32 to the
last bit of the larger of the two numbers.

Source:
    github.com/comfyanonymous/ComfyUI, ``comfy.lora``: the keys of a network's modules
    and the kinds of patches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import torch

from unlearnlog.checkpoints.lora_spellings import kohya_key
from unlearnlog.checkpoints.original_layout import NETWORK, network_layout
from unlearnlog.errors import UsageError

if TYPE_CHECKING:
    from unlearnlog.checkpoints.original_tensor import OriginalTensor
    from unlearnlog.core.delta import Weights
    from unlearnlog.models.model_family import ModelFamily

_ENDS: Final = {"weight": "diff", "bias": "diff_b"}


def patch_of(
    family: ModelFamily, base: Weights, state: Weights, shapes: Mapping[str, torch.Size]
) -> dict[str, torch.Tensor]:
    """Return the tensors of a patch by key, float32.

    Args:
        family: The model's family.
        base: The base's tensors that change, by full name.
        state: The same of the state.
        shapes: Shape of every tensor of the model, by full name.

    Raises:
        UsageError: A tensor outside of the denoising network changes.
    """

    def difference(name: str) -> torch.Tensor:
        if name not in state:
            return torch.zeros(shapes[name])
        return state[name].float() - base[name].float()

    places = patch_places(family, shapes)
    covered = {part for tensor in places.values() for part in tensor.parts}
    if other := sorted(state.keys() - covered):
        raise UsageError(
            f"'{other[0]}' changes, and a patch for ComfyUI holds the change of the "
            f"{family.network} alone",
            fix="take the whole model: --format checkpoint",
        )
    return {
        key: tensor.made(difference).contiguous()
        for key, tensor in places.items()
        if state.keys() & {*tensor.parts}
    }


def patched(
    patch: Mapping[str, torch.Tensor],
    base: Weights,
    family: ModelFamily,
    shapes: Mapping[str, torch.Size],
) -> dict[str, torch.Tensor]:
    """Return the weights that ComfyUI computes from a patch, in the base's dtype.

    Args:
        patch: Tensors by key.
        base: The base's tensors that may change, by full name.
        family: The model's family.
        shapes: Shape of every tensor of the model, by full name.
    """
    places = patch_places(family, shapes)
    found = {}
    for key, whole in patch.items():
        for name, change in places[key].split(whole, shapes).items():
            if name in base:
                weight = base[name]
                found[name] = (weight.float() + change).to(weight.dtype)
    return found


def patch_places(
    family: ModelFamily, shapes: Mapping[str, torch.Size]
) -> dict[str, OriginalTensor]:
    """Return the tensors of the denoising network by the keys of a patch."""
    found = {}
    for key, tensor in network_layout(family, shapes).items():
        module, _, leaf = key.removeprefix(NETWORK).rpartition(".")
        if leaf in _ENDS:
            found[f"{kohya_key(module)}.{_ENDS[leaf]}"] = tensor
    return found
