"""LoRA files of transformers in three spellings, against diffusers' own readers."""

from __future__ import annotations

import pytest
import torch
from diffusers import (
    Flux2Pipeline,
    FluxPipeline,
    Lumina2Pipeline,
    QwenImagePipeline,
    ZImagePipeline,
)

from unlearnlog.checkpoints import lora_keys as lora
from unlearnlog.checkpoints import lora_writer
from unlearnlog.checkpoints.fused_factors import Fusing
from unlearnlog.errors import DeltaError
from unlearnlog.models.original_modules import ORIGINAL_NAMES, original_places

WIDTH = 6
RANK = 2

JOINT = [
    f"transformer_blocks.0.attn.{name}"
    for name in ("to_q", "to_k", "to_v", "add_q_proj", "add_k_proj", "add_v_proj")
]
MODULES = {
    "aura-flow": [
        "context_embedder",
        *(f"joint_{module}" for module in JOINT),
    ],
    "chroma": ["context_embedder", *JOINT],
    "flux": [
        "context_embedder",
        "time_text_embed.text_embedder.linear_1",
        *JOINT,
        "single_transformer_blocks.0.attn.to_q",
        "single_transformer_blocks.0.attn.to_k",
        "single_transformer_blocks.0.attn.to_v",
        "single_transformer_blocks.0.proj_mlp",
        "norm_out.linear",
    ],
    "flux-2": [
        "context_embedder",
        *JOINT,
        "single_transformer_blocks.0.attn.to_qkv_mlp_proj",
    ],
    "lumina-2": [
        "time_caption_embed.caption_embedder.1",
        *(f"layers.0.attn.to_{each}" for each in "qkv"),
    ],
    "qwen-image": ["txt_in", *JOINT],
    "stable-diffusion-3": ["context_embedder", *JOINT],
    "z-image": [
        "cap_embedder.1",
        *(f"layers.0.attention.to_{each}" for each in "qkv"),
    ],
}


def shapes_of(family):
    """Return shapes with as many rows as nobody else's, but for queries' and so on."""
    return {
        f"transformer.{module}.weight": torch.Size([2 * WIDTH, WIDTH])
        for module in MODULES[family]
    }


def fusing_of(family):
    return Fusing(ORIGINAL_NAMES.get(family, {}), shapes_of(family))


def factors_of(names):
    generator = torch.Generator().manual_seed(0)
    return {
        name: (
            torch.randn(2 * WIDTH, RANK, generator=generator),
            torch.randn(RANK, WIDTH, generator=generator),
        )
        for name in names
    }


def product(pair):
    return pair[0] @ pair[1]


@pytest.mark.parametrize("spelling", lora_writer.FORMATS_OF_TRANSFORMERS)
@pytest.mark.parametrize("family", MODULES)
def test_what_is_written_is_read_again(family, spelling):
    shapes, fusing = shapes_of(family), fusing_of(family)
    factors = factors_of(shapes)

    tensors = lora_writer.written(factors, spelling, fusing)
    found = lora.read(tensors, shapes, fusing=fusing)

    assert found.keys() == factors.keys()
    for name, pair in found.items():
        assert torch.allclose(product(pair), product(factors[name]), atol=1e-6)


def test_keys_and_values_alone_leave_the_query_of_a_fused_module_as_it_is():
    shapes, fusing = shapes_of("flux"), fusing_of("flux")
    some = [n for n in shapes if n.endswith(("add_k_proj.weight", "add_v_proj.weight"))]
    factors = factors_of(some)

    tensors = lora_writer.written(factors, "kohya", fusing)
    found = lora.read(tensors, shapes, fusing=fusing)

    assert {key.partition(".")[0] for key in tensors} == {
        "lora_unet_double_blocks_0_txt_attn_qkv"
    }
    query = found.pop("transformer.transformer_blocks.0.attn.add_q_proj.weight")
    assert not product(query).any()
    assert found.keys() == factors.keys()
    for name, pair in found.items():
        assert torch.allclose(product(pair), product(factors[name]), atol=1e-6)


def test_a_file_has_one_rank_and_alpha_is_it():
    shapes, fusing = shapes_of("flux"), fusing_of("flux")

    tensors = lora_writer.written(factors_of(shapes), "kohya", fusing)

    ranks = {len(t) for key, t in tensors.items() if key.endswith("lora_down.weight")}
    alphas = {float(t) for key, t in tensors.items() if key.endswith("alpha")}
    assert len(ranks) == 1
    assert alphas == {float(rank) for rank in ranks}


def test_a_fused_factor_with_other_rows_is_refused():
    shapes, fusing = shapes_of("flux"), fusing_of("flux")
    tensors = lora_writer.written(factors_of(shapes), "original", fusing)
    key = "diffusion_model.double_blocks.0.txt_attn.qkv.lora_B.weight"
    tensors[key] = tensors[key][1:]

    with pytest.raises(DeltaError, match=r"txt_attn\.qkv.* has 35 rows.* have 36"):
        lora.read(tensors, shapes, fusing=fusing)


STOCK = [
    ("flux", FluxPipeline, "diffusers"),
    ("flux", FluxPipeline, "kohya"),
    ("flux-2", Flux2Pipeline, "diffusers"),
    ("flux-2", Flux2Pipeline, "original"),
    ("flux-2", Flux2Pipeline, "kohya"),
    ("qwen-image", QwenImagePipeline, "diffusers"),
    ("qwen-image", QwenImagePipeline, "original"),
    ("qwen-image", QwenImagePipeline, "kohya"),
    ("z-image", ZImagePipeline, "diffusers"),
    ("lumina-2", Lumina2Pipeline, "diffusers"),
]


@pytest.mark.parametrize(
    ("family", "pipeline", "spelling"), STOCK, ids=lambda value: str(value)[:40]
)
def test_the_stock_loader_reads_the_same_change(family, pipeline, spelling):
    shapes = shapes_of(family)
    wanted = {n: s for n, s in shapes.items() if "norm_out" not in n}
    if family == "flux":  # its reader of kohya's files has the widths of FLUX.1
        wanted = {n: s for n, s in wanted.items() if "single" not in n}
    factors = factors_of(wanted)
    tensors = lora_writer.written(factors, spelling, fusing_of(family))

    state = pipeline.lora_state_dict(dict(tensors))
    state = state[0] if isinstance(state, tuple) else state

    for name, pair in factors.items():
        stem = name.removesuffix(".weight")
        if spelling == "kohya" and family == "flux" and "blocks" not in stem:
            stem = stem.removeprefix("transformer.")  # and leaves these unprefixed
        down, up = state[f"{stem}.lora_A.weight"], state[f"{stem}.lora_B.weight"]
        assert torch.allclose(up @ down, product(pair), atol=1e-5), name


def test_a_module_outside_the_table_keeps_its_name():
    place = original_places(ORIGINAL_NAMES["flux"], ["elsewhere.0"])["elsewhere.0"]

    assert place.module == "elsewhere.0"
    assert place.parts == ("elsewhere.0",)
