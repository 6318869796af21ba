"""Whole transformers in the original layout, turned back by diffusers' converters."""

from __future__ import annotations

import pytest
import torch
from diffusers.loaders import single_file_utils as known

from tests.family_table import FAMILY
from unlearnlog.checkpoints.fused_factors import Fusing
from unlearnlog.checkpoints.original_layout import (
    NETWORK,
    has_original_layout,
    layout_of,
    network_layout,
)
from unlearnlog.checkpoints.original_transformer import prefix_of, transformer_of
from unlearnlog.models.families import FAMILIES
from unlearnlog.models.original_modules import ORIGINAL_NAMES

BY_NAME = {family.name: family for family in FAMILIES}
CONVERTERS = {
    "stable-diffusion-3": known.convert_sd3_transformer_checkpoint_to_diffusers,
    "aura-flow": known.convert_auraflow_transformer_checkpoint_to_diffusers,
    "flux-2": known.convert_flux2_transformer_checkpoint_to_diffusers,
    "flux-2-klein": known.convert_flux2_transformer_checkpoint_to_diffusers,
    "z-image": known.convert_z_image_transformer_checkpoint_to_diffusers,
}
"""Those that do not take the sizes of the published models for granted."""

EVERY = [
    pytest.param(name, marks=[] if name == "stable-diffusion-3" else pytest.mark.slow)
    for name in FAMILY
    if has_original_layout(BY_NAME[name])
]


def own_of(pipeline):
    """Return every tensor of a pipeline's networks by full name."""
    networks = {
        n: m for n, m in pipeline.components.items() if hasattr(m, "state_dict")
    }
    return {
        f"{part}.{name}": tensor
        for part, network in networks.items()
        for name, tensor in network.state_dict().items()
    }


def written(layout, own):
    return {key: tensor.made(own.__getitem__).clone() for key, tensor in layout.items()}


@pytest.mark.parametrize("name", EVERY)
def test_a_transformer_in_its_original_layout_is_read_as_it_was(name):
    own = own_of(FAMILY[name].build())
    shapes = {key: tensor.shape for key, tensor in own.items()}
    inner = {k: t for k, t in own.items() if k.startswith("transformer.")}

    tensors = written(network_layout(BY_NAME[name], shapes), own)

    fusing = Fusing(ORIGINAL_NAMES.get(name, {}), shapes)
    prefix = NETWORK if name == "qwen-image" else prefix_of(tensors, fusing)
    assert prefix == NETWORK
    found = transformer_of(tensors, prefix, fusing)
    assert {f"transformer.{key}" for key in found} == inner.keys()
    for key, tensor in found.items():
        assert torch.equal(tensor, inner[f"transformer.{key}"]), key
    if name in CONVERTERS:
        bare = {key.removeprefix(NETWORK): t for key, t in tensors.items()}
        theirs = CONVERTERS[name](bare)
        for key, tensor in theirs.items():
            assert torch.equal(tensor, inner[f"transformer.{key}"]), key
        assert {f"transformer.{key}" for key in theirs} == inner.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stable-diffusion-3", "flux"])
def test_text_encoders_and_autoencoder_are_found_where_diffusers_looks(name):
    pipeline = FAMILY[name].build()
    own = own_of(pipeline)
    shapes = {key: tensor.shape for key, tensor in own.items()}

    tensors = written(layout_of(BY_NAME[name], shapes), own)

    vae = known.convert_ldm_vae_checkpoint(dict(tensors), pipeline.vae.config)
    assert {f"vae.{key}" for key in vae} == {k for k in own if k.startswith("vae.")}
    for key, tensor in vae.items():
        assert torch.equal(tensor, own[f"vae.{key}"]), key
    assert known.is_t5_in_single_file(tensors)
    t5 = known.convert_sd3_t5_checkpoint_to_diffusers(tensors)
    encoder = "text_encoder_3" if name == "stable-diffusion-3" else "text_encoder_2"
    assert {f"{encoder}.{key}" for key in t5} == {
        k for k in own if k.startswith(f"{encoder}.")
    }
    clip = known.convert_ldm_clip_checkpoint(
        tensors, remove_prefix="text_encoders.clip_l.transformer."
    )
    theirs = {key.removeprefix("text_model."): t for key, t in clip.items()}
    ours = {
        k.removeprefix("text_encoder.").removeprefix("text_model."): t
        for k, t in own.items()
        if k.startswith("text_encoder.")
    }
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[key], ours[key]) for key in ours)
