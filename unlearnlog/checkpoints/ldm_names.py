"""Names of a UNet's modules in the original Stable Diffusion code.

There the blocks are one list down and one list up, numbered through. A level has
``n`` layers on the way down and one more on the way up; the halving of the picture at
its end is a block of its own on the way down, the doubling the last part of a block on
the way up.

Source:
    The module names of github.com/CompVis/stable-diffusion (``openaimodel.py``) and of
    Stability AI's generative-models, which has those of SDXL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_IN_RESNET: Final = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_OUTSIDE: Final = {
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
_PARTS: Final = ("resnets", "attentions")
"""Parts of a block, in their order."""

_IN_A_LEVEL: Final = re.compile(
    r"(down|up)_blocks\.(\d+)\.(resnets|attentions)\.(\d+)(?:\.(.+))?"
)
_IN_THE_MIDDLE: Final = re.compile(r"mid_block\.(resnets|attentions)\.(\d+)(?:\.(.+))?")
_RESIZED: Final = re.compile(
    r"(down|up)_blocks\.(\d+)\.(?:down|up)samplers\.0(?:\.(conv))?"
)


def layers_a_level(modules: Iterable[str]) -> int:
    """Return a level's number of layers on the way down, from diffusers' module names.

    A module of the last layer of a level must be among them, down or up.
    """
    found = [_IN_A_LEVEL.match(module) for module in modules]
    counts = [int(m[4]) + (m[1] == "down") for m in found if m is not None]
    return max(counts, default=1)


def original_names(module: str, n_layers: int) -> tuple[str, ...]:
    """Return the possible names of a module in the original code.

    Args:
        module: Its name in diffusers, inside the UNet.
        n_layers: Layers of a level on the way down.

    Returns:
        Empty where it has no counterpart; two names for an upsampler, whose place
        depends on whether its block has attention.
    """
    if module in _OUTSIDE:
        return (_OUTSIDE[module],)
    if found := _IN_A_LEVEL.fullmatch(module):
        way, level, part, layer, rest = found.groups()
        number = (n_layers + 1) * int(level) + int(layer)
        block = _block(way, number + (way == "down"))
        return (f"{block}.{_PARTS.index(part)}{_inside(part, rest)}",)
    if found := _IN_THE_MIDDLE.fullmatch(module):
        part, layer, rest = found.groups()
        place = 2 * int(layer) + _PARTS.index(part)
        return (f"middle_block.{place}{_inside(part, rest)}",)
    if found := _RESIZED.fullmatch(module):
        way, level, rest = found.groups()
        end = (n_layers + 1) * (int(level) + 1)
        if way == "down":
            return (f"input_blocks.{end}.0" + (".op" if rest else ""),)
        after = f".{rest}" if rest else ""
        return tuple(f"output_blocks.{end - 1}.{place}{after}" for place in (1, 2))
    return ()


def _block(way: str, number: int) -> str:
    return f"{'input' if way == 'down' else 'output'}_blocks.{number}"


def _inside(part: str, rest: str | None) -> str:
    """Return a name inside a part of a block, with the dot before it."""
    if rest is None:
        return ""
    return f".{_IN_RESNET.get(rest, rest) if part == 'resnets' else rest}"
