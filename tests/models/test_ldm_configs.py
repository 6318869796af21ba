"""Configurations that are read from shapes are those that the authors published."""

from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from tests.single_files import AUTOENCODER, renamed
from unlearnlog.checkpoints.ldm_configs import (
    GENERATIONS,
    generation_of,
    latent_size,
    unet_config,
    vae_config,
)
from unlearnlog.checkpoints.ldm_names import original_names

PUBLISHED: dict[str, dict[str, Any]] = {  # the unet/config.json of each model
    "Stable Diffusion 1": {
        "cross_attention_dim": 768,
        "attention_head_dim": 8,
    },
    "Stable Diffusion 2": {
        "cross_attention_dim": 1024,
        "attention_head_dim": [5, 10, 20, 20],
        "use_linear_projection": True,
    },
    "Stable Diffusion XL": {
        "block_out_channels": [320, 640, 1280],
        "down_block_types": ["DownBlock2D", *["CrossAttnDownBlock2D"] * 2],
        "up_block_types": [*["CrossAttnUpBlock2D"] * 2, "UpBlock2D"],
        "cross_attention_dim": 2048,
        "attention_head_dim": [5, 10, 20],
        "use_linear_projection": True,
        "transformer_layers_per_block": [1, 2, 10],
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
}


def original_shapes(unet, n_levels):
    """Return a UNet's shapes by the names of the original code."""
    found = {}
    for name, tensor in unet.state_dict().items():
        module, _, part = name.rpartition(".")
        first = module.startswith("up_blocks.0.upsamplers") and n_levels == 4
        said = original_names(module, 2)
        found[f"{said[0 if first else -1]}.{part}"] = tuple(tensor.shape)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("generation", GENERATIONS, ids=lambda each: each.title[-2:])
def test_a_unet_of_full_size_has_its_published_configuration(generation):
    published = PUBLISHED[generation.title]
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(published)
    shapes = original_shapes(unet, len(unet.config["block_out_channels"]))

    found = unet_config(shapes, generation)

    assert {
        key: list(v) if isinstance(v := unet.config[key], tuple) else v
        for key in found
        if key != "_class_name"
    } == {key: each for key, each in found.items() if key != "_class_name"}
    assert published.items() <= found.items()


def test_an_autoencoder_of_full_size_has_its_published_configuration():
    published = {
        "block_out_channels": [128, 256, 512, 512],
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "layers_per_block": 2,
        "latent_channels": 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
    }
    with torch.device("meta"):
        vae = AutoencoderKL.from_config({**published})
    shapes = {
        renamed(name, AUTOENCODER): tuple(tensor.shape)
        for name, tensor in vae.state_dict().items()
    }

    found = vae_config(shapes, GENERATIONS[0])

    assert published.items() <= found.items()
    assert found["scaling_factor"] == 0.18215


@pytest.mark.parametrize(
    ("said", "velocity", "size"),
    [
        ("", False, 64),
        ("", True, 96),
        ("768x768", False, 96),
        ("512x768", True, [96, 64]),
    ],
)
def test_the_size_of_latents_is_the_files_or_the_models(said, velocity, size):
    found = latent_size(GENERATIONS[1], said, velocity=velocity, n_levels=4)

    assert found == size


@pytest.mark.parametrize(
    ("key", "title"),
    [
        ("cond_stage_model.transformer.text_model.x", "Stable Diffusion 1"),
        ("cond_stage_model.model.x", "Stable Diffusion 2"),
        ("conditioner.embedders.1.model.x", "Stable Diffusion XL"),
        ("conditioner.embedders.0.model.x", ""),  # a refiner
    ],
)
def test_a_generation_is_known_by_its_text_encoder(key, title):
    found = generation_of([key])

    assert (found.title if found else "") == title
