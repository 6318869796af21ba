"""Original names of the modules of transformers, which trainers' files use.

One original module may hold several of diffusers' as blocks of rows: query, key and
value of an attention, for instance.

Source:
    diffusers' converters, ``loaders.single_file_utils.convert_*_checkpoint`` and
    ``loaders.lora_conversion_utils``, version 0.42.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

_NUMBER: Final = "#"

Names = Mapping[str, tuple[str, ...]]
"""Modules of diffusers in the order of their rows, by original module; ``#`` is the
number of a block."""


@dataclass(frozen=True)
class OriginalPlace:
    """The place of a module's rows in the original format.

    Attributes:
        module: Path of the original module.
        parts: All modules of diffusers in it, in the order of their rows.
    """

    module: str
    parts: tuple[str, ...]


def original_places(names: Names, modules: Iterable[str]) -> dict[str, OriginalPlace]:
    """Return the place of each module; one that is in no table keeps its name.

    Args:
        names: The table of a family.
        modules: Paths of modules inside the transformer, ``transformer_blocks.0...``.
    """
    rules = [
        (re.compile(re.escape(part).replace(re.escape(_NUMBER), r"(\d+)")), old, parts)
        for old, parts in names.items()
        for part in parts
    ]
    found = {}
    for module in modules:
        found[module] = OriginalPlace(module, (module,))
        for pattern, old, parts in rules:
            if match := pattern.fullmatch(module):
                number = match[1] if pattern.groups else ""
                found[module] = OriginalPlace(
                    old.replace(_NUMBER, number),
                    tuple(part.replace(_NUMBER, number) for part in parts),
                )
                break
    return found


def _three(path: str) -> tuple[str, ...]:
    """Return query, key and value of a path with a place for the letter."""
    return tuple(path.format(letter) for letter in "qkv")


_SELF: Final = "transformer_blocks.#.attn.to_{}"
_TEXT: Final = "transformer_blocks.#.attn.add_{}_proj"
_BLOCKS_OF_FLUX: Final[Names] = {
    "img_in": ("x_embedder",),
    "txt_in": ("context_embedder",),
    "final_layer.linear": ("proj_out",),
    "final_layer.adaLN_modulation.1": ("norm_out.linear",),
    "double_blocks.#.img_attn.qkv": _three(_SELF),
    "double_blocks.#.img_attn.proj": ("transformer_blocks.#.attn.to_out.0",),
    "double_blocks.#.txt_attn.qkv": _three(_TEXT),
    "double_blocks.#.txt_attn.proj": ("transformer_blocks.#.attn.to_add_out",),
    "double_blocks.#.img_attn.norm.query_norm": ("transformer_blocks.#.attn.norm_q",),
    "double_blocks.#.img_attn.norm.key_norm": ("transformer_blocks.#.attn.norm_k",),
    "double_blocks.#.txt_attn.norm.query_norm": (
        "transformer_blocks.#.attn.norm_added_q",
    ),
    "double_blocks.#.txt_attn.norm.key_norm": (
        "transformer_blocks.#.attn.norm_added_k",
    ),
    "single_blocks.#.norm.query_norm": ("single_transformer_blocks.#.attn.norm_q",),
    "single_blocks.#.norm.key_norm": ("single_transformer_blocks.#.attn.norm_k",),
}
_FLUX_1: Final[Names] = {
    **_BLOCKS_OF_FLUX,
    "time_in.in_layer": ("time_text_embed.timestep_embedder.linear_1",),
    "time_in.out_layer": ("time_text_embed.timestep_embedder.linear_2",),
    "vector_in.in_layer": ("time_text_embed.text_embedder.linear_1",),
    "vector_in.out_layer": ("time_text_embed.text_embedder.linear_2",),
    "guidance_in.in_layer": ("time_text_embed.guidance_embedder.linear_1",),
    "guidance_in.out_layer": ("time_text_embed.guidance_embedder.linear_2",),
    "double_blocks.#.img_mlp.0": ("transformer_blocks.#.ff.net.0.proj",),
    "double_blocks.#.img_mlp.2": ("transformer_blocks.#.ff.net.2",),
    "double_blocks.#.img_mod.lin": ("transformer_blocks.#.norm1.linear",),
    "double_blocks.#.txt_mlp.0": ("transformer_blocks.#.ff_context.net.0.proj",),
    "double_blocks.#.txt_mlp.2": ("transformer_blocks.#.ff_context.net.2",),
    "double_blocks.#.txt_mod.lin": ("transformer_blocks.#.norm1_context.linear",),
    "single_blocks.#.linear1": (
        *_three("single_transformer_blocks.#.attn.to_{}"),
        "single_transformer_blocks.#.proj_mlp",
    ),
    "single_blocks.#.linear2": ("single_transformer_blocks.#.proj_out",),
    "single_blocks.#.modulation.lin": ("single_transformer_blocks.#.norm.linear",),
}
_TIMES_OF_FLUX_2: Final = "time_guidance_embed"
_FLUX_2: Final[Names] = {
    **_BLOCKS_OF_FLUX,
    "time_in.in_layer": (f"{_TIMES_OF_FLUX_2}.timestep_embedder.linear_1",),
    "time_in.out_layer": (f"{_TIMES_OF_FLUX_2}.timestep_embedder.linear_2",),
    "guidance_in.in_layer": (f"{_TIMES_OF_FLUX_2}.guidance_embedder.linear_1",),
    "guidance_in.out_layer": (f"{_TIMES_OF_FLUX_2}.guidance_embedder.linear_2",),
    "double_stream_modulation_img.lin": ("double_stream_modulation_img.linear",),
    "double_stream_modulation_txt.lin": ("double_stream_modulation_txt.linear",),
    "single_stream_modulation.lin": ("single_stream_modulation.linear",),
    "double_blocks.#.img_mlp.0": ("transformer_blocks.#.ff.linear_in",),
    "double_blocks.#.img_mlp.2": ("transformer_blocks.#.ff.linear_out",),
    "double_blocks.#.txt_mlp.0": ("transformer_blocks.#.ff_context.linear_in",),
    "double_blocks.#.txt_mlp.2": ("transformer_blocks.#.ff_context.linear_out",),
    "single_blocks.#.linear1": ("single_transformer_blocks.#.attn.to_qkv_mlp_proj",),
    "single_blocks.#.linear2": ("single_transformer_blocks.#.attn.to_out",),
}
_OF_PICTURE: Final = "joint_blocks.#.x_block"
_OF_TEXT: Final = "joint_blocks.#.context_block"
_SD_3: Final[Names] = {
    "x_embedder.proj": ("pos_embed.proj",),
    "t_embedder.mlp.0": ("time_text_embed.timestep_embedder.linear_1",),
    "t_embedder.mlp.2": ("time_text_embed.timestep_embedder.linear_2",),
    "y_embedder.mlp.0": ("time_text_embed.text_embedder.linear_1",),
    "y_embedder.mlp.2": ("time_text_embed.text_embedder.linear_2",),
    "final_layer.linear": ("proj_out",),
    "final_layer.adaLN_modulation.1": ("norm_out.linear",),
    f"{_OF_PICTURE}.attn.qkv": _three(_SELF),
    f"{_OF_PICTURE}.attn.proj": ("transformer_blocks.#.attn.to_out.0",),
    f"{_OF_PICTURE}.attn2.qkv": _three("transformer_blocks.#.attn2.to_{}"),
    f"{_OF_PICTURE}.attn2.proj": ("transformer_blocks.#.attn2.to_out.0",),
    f"{_OF_PICTURE}.mlp.fc1": ("transformer_blocks.#.ff.net.0.proj",),
    f"{_OF_PICTURE}.mlp.fc2": ("transformer_blocks.#.ff.net.2",),
    f"{_OF_PICTURE}.adaLN_modulation.1": ("transformer_blocks.#.norm1.linear",),
    f"{_OF_TEXT}.attn.qkv": _three(_TEXT),
    f"{_OF_TEXT}.attn.proj": ("transformer_blocks.#.attn.to_add_out",),
    f"{_OF_TEXT}.mlp.fc1": ("transformer_blocks.#.ff_context.net.0.proj",),
    f"{_OF_TEXT}.mlp.fc2": ("transformer_blocks.#.ff_context.net.2",),
    f"{_OF_TEXT}.adaLN_modulation.1": ("transformer_blocks.#.norm1_context.linear",),
    f"{_OF_PICTURE}.attn.ln_q": ("transformer_blocks.#.attn.norm_q",),
    f"{_OF_PICTURE}.attn.ln_k": ("transformer_blocks.#.attn.norm_k",),
    f"{_OF_PICTURE}.attn2.ln_q": ("transformer_blocks.#.attn2.norm_q",),
    f"{_OF_PICTURE}.attn2.ln_k": ("transformer_blocks.#.attn2.norm_k",),
    f"{_OF_TEXT}.attn.ln_q": ("transformer_blocks.#.attn.norm_added_q",),
    f"{_OF_TEXT}.attn.ln_k": ("transformer_blocks.#.attn.norm_added_k",),
}

_PAIRS_OF_AURA: Final = {"c_fc1": "linear_1", "c_fc2": "linear_2"}
_AURA_FLOW: Final[Names] = {
    "t_embedder.mlp.0": ("time_step_proj.linear_1",),
    "t_embedder.mlp.2": ("time_step_proj.linear_2",),
    "cond_seq_linear": ("context_embedder",),
    "init_x_linear": ("pos_embed.proj",),
    "final_linear": ("proj_out",),
    "modF.1": ("norm_out.linear",),
    "double_layers.#.modX.1": ("joint_transformer_blocks.#.norm1.linear",),
    "double_layers.#.modC.1": ("joint_transformer_blocks.#.norm1_context.linear",),
    "double_layers.#.attn.w2o": ("joint_transformer_blocks.#.attn.to_out.0",),
    "double_layers.#.attn.w1o": ("joint_transformer_blocks.#.attn.to_add_out",),
    "single_layers.#.modCX.1": ("single_transformer_blocks.#.norm1.linear",),
    "single_layers.#.attn.w1o": ("single_transformer_blocks.#.attn.to_out.0",),
    **{
        f"double_layers.#.attn.w2{each}": (
            f"joint_transformer_blocks.#.attn.to_{each}",
        )
        for each in "qkv"
    },
    **{
        f"double_layers.#.attn.w1{each}": (
            f"joint_transformer_blocks.#.attn.add_{each}_proj",
        )
        for each in "qkv"
    },
    **{
        f"single_layers.#.attn.w1{each}": (
            f"single_transformer_blocks.#.attn.to_{each}",
        )
        for each in "qkv"
    },
    **{
        f"{old}.{name}": (f"{new}.{ours}",)
        for old, new in {
            "double_layers.#.mlpX": "joint_transformer_blocks.#.ff",
            "double_layers.#.mlpC": "joint_transformer_blocks.#.ff_context",
            "single_layers.#.mlp": "single_transformer_blocks.#.ff",
        }.items()
        for name, ours in (*_PAIRS_OF_AURA.items(), ("c_proj", "out_projection"))
    },
}
_STREAMS: Final = ("layers", "noise_refiner", "context_refiner")
_Z_IMAGE: Final[Names] = {
    "x_embedder": ("all_x_embedder.2-1",),
    "final_layer.linear": ("all_final_layer.2-1.linear",),
    "final_layer.adaLN_modulation.1": ("all_final_layer.2-1.adaLN_modulation.1",),
    **{
        f"{block}.#.attention.{old}": new
        for block in _STREAMS
        for old, new in (
            ("qkv", _three(f"{block}.#.attention.to_{{}}")),
            ("out", (f"{block}.#.attention.to_out.0",)),
            ("q_norm", (f"{block}.#.attention.norm_q",)),
            ("k_norm", (f"{block}.#.attention.norm_k",)),
        )
    },
}
_LUMINA_2: Final[Names] = {
    "cap_embedder.0": ("time_caption_embed.caption_embedder.0",),
    "cap_embedder.1": ("time_caption_embed.caption_embedder.1",),
    "t_embedder.mlp.0": ("time_caption_embed.timestep_embedder.linear_1",),
    "t_embedder.mlp.2": ("time_caption_embed.timestep_embedder.linear_2",),
    "final_layer.adaLN_modulation.1": ("norm_out.linear_1",),
    "final_layer.linear": ("norm_out.linear_2",),
    "layers.#.attention_norm1": ("layers.#.norm1.norm",),
    "noise_refiner.#.attention_norm1": ("noise_refiner.#.norm1.norm",),
    "context_refiner.#.attention_norm1": ("context_refiner.#.norm1",),
    **{
        f"{block}.#.{old}": new
        for block in _STREAMS
        for old, new in (
            ("attention.q_norm", (f"{block}.#.attn.norm_q",)),
            ("attention.k_norm", (f"{block}.#.attn.norm_k",)),
            ("attention_norm2", (f"{block}.#.norm2",)),
            ("attention.qkv", _three(f"{block}.#.attn.to_{{}}")),
            ("attention.out", (f"{block}.#.attn.to_out.0",)),
            ("adaLN_modulation.1", (f"{block}.#.norm1.linear",)),
            ("feed_forward.w1", (f"{block}.#.feed_forward.linear_1",)),
            ("feed_forward.w2", (f"{block}.#.feed_forward.linear_2",)),
            ("feed_forward.w3", (f"{block}.#.feed_forward.linear_3",)),
        )
    },
}

ORIGINAL_NAMES: Final[Mapping[str, Names]] = MappingProxyType(
    {
        "aura-flow": _AURA_FLOW,
        "chroma": _FLUX_1,
        "flux": _FLUX_1,
        "flux-2": _FLUX_2,
        "flux-2-klein": _FLUX_2,
        "lumina-2": _LUMINA_2,
        "stable-diffusion-3": _SD_3,
        "z-image": _Z_IMAGE,
    }
)
"""Table of each family whose original names differ from those of diffusers."""
