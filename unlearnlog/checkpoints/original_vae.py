"""The tensors of an autoencoder with the names of the original code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from unlearnlog.checkpoints.original_tensor import Kind, OriginalTensor
from unlearnlog.errors import UsageError

if TYPE_CHECKING:
    import torch

_PLAIN: Final = re.compile(r"(?:encoder|decoder)\.conv_(?:in|out)|(?:post_)?quant_conv")
_NORM: Final = re.compile(r"(encoder|decoder)\.conv_norm_out")
_RESNET: Final = re.compile(
    r"(encoder|decoder)\.(?:down|up)_blocks\.(\d+)\.resnets\.(\d+)\.(\w+)"
)
_RESIZED: Final = re.compile(
    r"(encoder|decoder)\.(?:down|up)_blocks\.(\d+)\.(down|up)samplers\.0\.conv"
)
_MIDDLE: Final = re.compile(r"(encoder|decoder)\.mid_block\.resnets\.(\d+)\.(\w+)")
_ATTENTION: Final = re.compile(r"(encoder|decoder)\.mid_block\.attentions\.0\.(.+)")
_IN_ATTENTION: Final = {
    "group_norm": "norm",
    **dict.fromkeys(("to_q", "query"), "q"),
    **dict.fromkeys(("to_k", "key"), "k"),
    **dict.fromkeys(("to_v", "value"), "v"),
    **dict.fromkeys(("to_out.0", "proj_attn"), "proj_out"),
}
"""Names in an attention, those of files from before 2023 beside today's."""

_SHORTCUT: Final = {"conv_shortcut": "nin_shortcut"}


def vae_layout(
    shapes: Mapping[str, torch.Size], component: str
) -> dict[str, OriginalTensor]:
    """Return the tensors of an autoencoder by their original names.

    Args:
        shapes: Shape of each of its tensors, by full name.
        component: Its name, the prefix of the full names.

    Raises:
        UsageError: A tensor has no name in the original code.
    """
    inner = {name.removeprefix(f"{component}."): name for name in shapes}
    ups = (re.match(r"decoder\.up_blocks\.(\d+)\.", name) for name in inner)
    last = max((int(match[1]) for match in ups if match), default=0)
    found = {}
    for name, full in inner.items():
        module, _, leaf = name.rpartition(".")
        old = _original(module, last)
        if not old:
            raise UsageError(
                f"'{full}' has no name in the original code: this autoencoder is not "
                "built like one of its models",
                fix="take the folder instead: unlearnlog checkout",
            )
        is_matrix = ".attn_1." in f"{old}." and leaf == "weight" and "norm" not in old
        kind: Kind = "convolution" if is_matrix else "same"
        found[f"{old}.{leaf}"] = OriginalTensor((full,), kind)
    return found


def _original(module: str, last: int) -> str:
    """Return the original name of a module; empty where it has none.

    Args:
        module: Its name in diffusers.
        last: Number of the last block on the way up, which is the original's first.
    """
    if _PLAIN.fullmatch(module):
        return module
    if match := _NORM.fullmatch(module):
        return f"{match[1]}.norm_out"
    if match := _RESNET.fullmatch(module):
        side, block, layer, rest = match.groups()
        inside = _SHORTCUT.get(rest, rest)
        return f"{_block(side, int(block), last)}.block.{layer}.{inside}"
    if match := _RESIZED.fullmatch(module):
        side, block, way = match.groups()
        return f"{_block(side, int(block), last)}.{way}sample.conv"
    if match := _MIDDLE.fullmatch(module):
        side, layer, rest = match.groups()
        return f"{side}.mid.block_{int(layer) + 1}.{_SHORTCUT.get(rest, rest)}"
    match = _ATTENTION.fullmatch(module)
    inside = _IN_ATTENTION.get(match[2], "") if match else ""
    return f"{match[1]}.mid.attn_1.{inside}" if match and inside else ""


def _block(side: str, number: int, last: int) -> str:
    """Return the name of a block: the original counts those on the way up down."""
    return (
        f"encoder.down.{number}" if side == "encoder" else f"{side}.up.{last - number}"
    )
