"""Whole transformers in the original format, against diffusers' own converters."""

from __future__ import annotations

import pytest
import torch
from diffusers import (
    AuraFlowTransformer2DModel,
    Flux2Transformer2DModel,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    ZImageTransformer2DModel,
)
from diffusers.loaders import single_file_utils as stock

from unlearnlog.checkpoints.fused_factors import Fusing
from unlearnlog.checkpoints.original_transformer import prefix_of, transformer_of
from unlearnlog.models.original_modules import ORIGINAL_NAMES, original_places

SD_3 = {
    "sample_size": 8,
    "num_layers": 2,
    "attention_head_dim": 8,
    "num_attention_heads": 2,
    "joint_attention_dim": 12,
    "caption_projection_dim": 16,
    "pooled_projection_dim": 10,
    "in_channels": 4,
    "out_channels": 4,
    "pos_embed_max_size": 8,
    "qk_norm": "rms_norm",
    "dual_attention_layers": (0,),
}
FLUX = {
    "in_channels": 4,
    "num_layers": 1,
    "num_single_layers": 1,
    "attention_head_dim": 8,
    "num_attention_heads": 2,
    "joint_attention_dim": 12,
    "axes_dims_rope": (2, 2, 4),
}
AURA = {
    "sample_size": 8,
    "num_mmdit_layers": 1,
    "num_single_dit_layers": 1,
    "attention_head_dim": 8,
    "num_attention_heads": 2,
    "joint_attention_dim": 12,
    "caption_projection_dim": 16,
    "pos_embed_max_size": 16,
}
Z_IMAGE = {
    "dim": 32,
    "n_layers": 1,
    "n_refiner_layers": 1,
    "n_heads": 2,
    "n_kv_heads": 2,
    "cap_feat_dim": 12,
    "in_channels": 4,
    "axes_dims": (4, 4, 8),
    "axes_lens": (32, 32, 32),
}
CONVERTED = [
    (
        "stable-diffusion-3",
        SD3Transformer2DModel,
        SD_3,
        stock.convert_sd3_transformer_checkpoint_to_diffusers,
    ),
    (
        "flux-2",
        Flux2Transformer2DModel,
        {**FLUX, "axes_dims_rope": (2, 2, 2, 2)},
        stock.convert_flux2_transformer_checkpoint_to_diffusers,
    ),
    (
        "aura-flow",
        AuraFlowTransformer2DModel,
        AURA,
        stock.convert_auraflow_transformer_checkpoint_to_diffusers,
    ),
    (
        "z-image",
        ZImageTransformer2DModel,
        Z_IMAGE,
        stock.convert_z_image_transformer_checkpoint_to_diffusers,
    ),
]
SCALES = ("query_norm", "key_norm")
LOOSE = {
    "stable-diffusion-3": {"pos_embed.pos_embed": "pos_embed"},
    "aura-flow": {"pos_embed.pos_embed": "positional_encoding"},
}


def weights_of(kind, config):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return kind(**config).state_dict()


def fusing_of(family, weights):
    shapes = {f"transformer.{name}": tensor.shape for name, tensor in weights.items()}
    return Fusing(ORIGINAL_NAMES[family], shapes)


def original_of(family, weights):
    """Return a transformer's tensors as the original has them, written the slow way."""
    modules = {name.rpartition(".")[0] for name in weights}
    places = original_places(ORIGINAL_NAMES[family], modules)
    made = {}
    for name, tensor in weights.items():
        module, _, leaf = name.rpartition(".")
        place = places[module]
        if old := LOOSE.get(family, {}).get(name):
            made[old] = tensor
            continue
        parts = [weights[f"{part}.{leaf}".lstrip(".")] for part in place.parts]
        whole = torch.cat(parts)
        if module.endswith(("norm_out.linear", "norm1_context.linear")) and (
            weights[f"{module}.weight"].shape[0]
            == 2 * weights[f"{module}.weight"].shape[1]
        ):
            scale, shift = whole.chunk(2)
            whole = torch.cat([shift, scale])
        is_scale = place.module.endswith(SCALES)
        made[f"{place.module}.{'scale' if is_scale else leaf}".lstrip(".")] = whole
    return made


@pytest.mark.parametrize(
    ("family", "kind", "config", "convert"),
    CONVERTED,
    ids=lambda value: str(value)[:12],
)
def test_an_original_file_is_read_as_diffusers_reads_it(family, kind, config, convert):
    weights = weights_of(kind, config)
    original = original_of(family, weights)
    fusing = fusing_of(family, weights)

    theirs = convert(dict(original))
    prefix = prefix_of(original, fusing)
    assert prefix == ""
    ours = transformer_of(original, prefix, fusing)

    assert ours.keys() == theirs.keys() == weights.keys()
    for name, tensor in theirs.items():
        assert torch.equal(ours[name], tensor), name
        assert torch.equal(ours[name], weights[name]), name


@pytest.mark.parametrize("prefix", ["model.diffusion_model.", "diffusion_model.", ""])
def test_a_prefix_is_found(prefix):
    weights = weights_of(FluxTransformer2DModel, FLUX)
    original = {f"{prefix}{k}": t for k, t in original_of("flux", weights).items()}
    more = {"vae.decoder.conv_in.weight": torch.ones(1)}
    fusing = fusing_of("flux", weights)

    found = prefix_of({**more, **original}, fusing)
    assert found == prefix
    ours = transformer_of({**more, **original}, prefix, fusing)

    assert ours.keys() == weights.keys()
    assert all(torch.equal(ours[name], weights[name]) for name in weights)


def test_a_file_with_the_names_of_diffusers_is_no_original_one():
    weights = weights_of(FluxTransformer2DModel, FLUX)

    assert prefix_of(weights, fusing_of("flux", weights)) is None
