"""The tensors of text encoders with the names of the original code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from unlearnlog.checkpoints.original_tensor import OriginalTensor
from unlearnlog.errors import UsageError
from unlearnlog.models.overrides import OLD_PREFIX

if TYPE_CHECKING:
    import torch

_PROJECTION: Final = "text_projection.weight"
_LAYER: Final = re.compile(r"encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")
_QUERY: Final = "self_attn.q_proj"
_JOINED: Final = tuple(f"self_attn.{letter}_proj" for letter in "qkv")
_IN_A_LAYER: Final = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
_OUTSIDE: Final = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
}
_NO_WEIGHT: Final = "embeddings.position_ids"
_N_LAYERS: Final = 24
"""Layers of the text encoder of Stable Diffusion 2, which never uses the last one."""


def clip_layout(
    shapes: Mapping[str, torch.Size], component: str
) -> dict[str, OriginalTensor]:
    """Return the tensors of CLIP's text encoder by their names in single files.

    Args:
        shapes: Shape of each of its tensors, by full name.
        component: Its name, the prefix of the full names.
    """
    found = {}
    for full in shapes:
        name = full.removeprefix(f"{component}.").removeprefix(OLD_PREFIX)
        key = name if name == _PROJECTION else OLD_PREFIX + name
        found[key] = OriginalTensor((full,))
    return found


def open_clip_layout(
    shapes: Mapping[str, torch.Size], component: str
) -> dict[str, OriginalTensor]:
    """Return the tensors of a text encoder by their names in OpenCLIP.

    diffusers' folders of Stable Diffusion 2 lack the last layer, which is not used, and
    other tools ask for: a copy of the one before stands for it.

    Args:
        shapes: Shape of each of its tensors, by full name.
        component: Its name, the prefix of the full names.

    Raises:
        UsageError: A tensor has no name in OpenCLIP.
    """
    found = {}
    for full in shapes:
        name = full.removeprefix(f"{component}.").removeprefix(OLD_PREFIX)
        if name == _PROJECTION:
            found["text_projection"] = OriginalTensor((full,), "transposed")
        elif name in _OUTSIDE:
            found[_OUTSIDE[name]] = OriginalTensor((full,))
        elif name != _NO_WEIGHT:
            found |= _in_a_layer(name, full)
    last = f"transformer.resblocks.{_N_LAYERS - 1}."
    before = f"transformer.resblocks.{_N_LAYERS - 2}."
    if any(key.startswith(before) for key in found) and last not in " ".join(found):
        copies = {k: t for k, t in found.items() if k.startswith(before)}
        found |= {k.replace(before, last): tensor for k, tensor in copies.items()}
    return found


def _in_a_layer(name: str, full: str) -> dict[str, OriginalTensor]:
    """Return a tensor of a layer: query, key and value are one matrix."""
    match = _LAYER.fullmatch(name)
    module = match[2] if match else ""
    if match and module in _JOINED:
        parts = tuple(full.replace(module, part) for part in _JOINED)
        key = f"transformer.resblocks.{match[1]}.attn.in_proj_{match[3]}"
        return {key: OriginalTensor(parts, "joined")} if module == _QUERY else {}
    if not match or module not in _IN_A_LAYER:
        raise UsageError(
            f"'{full}' has no name in OpenCLIP: this text encoder is not built like it",
            fix="take the folder instead: unlearnlog checkout",
        )
    return {
        f"transformer.resblocks.{match[1]}.{_IN_A_LAYER[module]}.{match[3]}": (
            OriginalTensor((full,))
        )
    }
