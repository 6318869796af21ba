"""Kinds of files that people's tools write, known by their keys.

They serve messages only: what a file is, where it is nothing that can be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from unlearnlog.checkpoints.adapters.adapter_table import ENDS, end_of, kinds_of
from unlearnlog.models.foreign_file import shown

if TYPE_CHECKING:
    import torch

NAMED: Final = 3
"""Number of keys that an error lists."""

_MODELS: Final[tuple[tuple[str, str], ...]] = (
    (r"double_(?:blocks|layers)[._]\d+[._]mlp[XC]|modX", "AuraFlow"),
    (r"single_blocks[._]\d|double_blocks[._]\d|single_transformer_blocks", "FLUX"),
    (r"joint_blocks[._]\d|context_block", "Stable Diffusion 3"),
    (r"transformer_blocks[._]\d+[._](?:img|txt)_(?:mlp|mod)", "Qwen-Image"),
    (r"noise_refiner|context_refiner", "Lumina or Z-Image"),
    (r"transformer_blocks[._]\d+[._]attn[._]add_", "Stable Diffusion 3"),
    (r"blocks[._]\d+[._](?:cross_attn|self_attn)[._]", "Wan"),
    (r"(?:lora_te2_|text_encoder_2\.|clip_g|add_embedding|label_emb)", "SDXL"),
    (
        r"(?:put|middle)_blocks?[._][\d._]+transformer_blocks[._][1-9]"
        r"|attentions[._]\d[._]transformer_blocks[._][1-9]",
        "SDXL",
    ),
    (
        r"(?:down|up)_blocks[._]\d|mid_block[._]|(?:in|out)put_blocks[._]\d"
        r"|middle_block[._]|lora_te_|lora_te1_",
        "Stable Diffusion",
    ),
)
"""Patterns of module names, and the model that has them; the first that is found."""

_OTHERS: Final[tuple[tuple[str, str], ...]] = (
    (
        r"^control_model\.|controlnet_|zero_convs\.|control_add_embedding",
        "a ControlNet",
    ),
    (r"^ip_adapter\.|^image_proj\.|to_[kv]_ip\.", "an IP-Adapter"),
    (r"motion_modules\.", "a motion module of AnimateDiff"),
    (r"^(?:model\.)?(?:RRDB_trunk|conv_first|body\.\d)", "an upscaler"),
    (r"^t2iadapter|^adapter\.body\.", "a T2I-Adapter"),
    (r"^(?:emb_params|string_to_param|clip_[lg])(?:$|\.)", "a textual inversion"),
    (r"^<[^>]+>$", "a textual inversion"),
    (r"^model\.diffusion_model\.", "a whole checkpoint"),
    (r"^(?:first_stage_model\.|vae\.)?(?:en|de)coder\.(?:down|up|mid)", "a VAE"),
    (r"encoder\.block\.\d+\.layer", "a T5 text encoder"),
    (r"text_model\.encoder\.layers|resblocks\.\d+\.attn", "a CLIP text encoder"),
)
"""Patterns of keys, and what a file with them is."""


def resembling(tensors: Mapping[str, torch.Tensor] | Iterable[str]) -> str:
    """Return what a file with these keys is, with an article; empty if unknown.

    Example:
        >>> resembling(["lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight"])
        'a LoRA of FLUX'
    """
    keys = list(tensors)
    parts = {ENDS[end] for key in keys if (end := end_of(key))}
    kinds = [kind.name for kind in kinds_of(parts)]
    model = next(_found(keys, _MODELS), "")
    if kinds:
        return f"{kinds[0]} of {model}" if model else ""
    if other := next(_found(keys, _OTHERS), ""):
        return other
    return f"a network of {model}" if model else ""


def listed(keys: Iterable[str]) -> str:
    """Return the first few keys as a list in words."""
    keys = sorted(keys)
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(map(shown, keys[:NAMED])) + more


def _found(keys: Iterable[str], patterns: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the names of the patterns that some key has, in the table's order."""
    text = "\n".join(keys)
    for pattern, name in patterns:
        if re.search(pattern, text, re.MULTILINE):
            yield name
