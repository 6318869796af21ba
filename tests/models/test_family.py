from collections import Counter
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from unlearnlog.errors import ModelError
from unlearnlog.models.families import FAMILIES, family_of

SD, SDXL = FAMILIES[:2]
SDXL_UNET = {
    "cross_attention_dim": 2048,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": (
        "DownBlock2D",
        "CrossAttnDownBlock2D",
        "CrossAttnDownBlock2D",
    ),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "use_linear_projection": True,
}


def shapes_of(settings):
    """Shape by full name of a UNet's parameters, without any numbers."""
    with torch.device("meta"):
        unet: Any = UNet2DConditionModel(**settings)
    return {f"unet.{name}": tuple(p.shape) for name, p in unet.named_parameters()}


@pytest.mark.parametrize("d_text", [768, 1024])
def test_stable_diffusion_has_32_text_projections(d_text):
    shapes = shapes_of({"cross_attention_dim": d_text})

    found = Counter(shapes[name] for name in SD.projections_of(shapes))

    assert found == {(320, d_text): 10, (640, d_text): 10, (1280, d_text): 12}


def test_stable_diffusion_xl_has_140_text_projections():
    shapes = shapes_of(SDXL_UNET)

    found = Counter(shapes[name] for name in SDXL.projections_of(shapes))

    assert found == {(640, 2048): 20, (1280, 2048): 120}


def test_projections_come_sorted_whatever_the_order_of_the_names():
    names = sorted(shapes_of({"cross_attention_dim": 768}))

    assert SD.projections_of(reversed(names)) == SD.projections_of(names)
    assert SD.projections_of(names) == sorted(SD.projections_of(names))


@pytest.mark.parametrize(
    "name",
    [
        "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_k.weight",
        "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_q.weight",
        "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight.old",
        "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight",
    ],
)
def test_what_does_not_read_the_text_is_no_text_projection(name):
    with pytest.raises(ModelError, match="no text projection"):
        SD.projections_of([name])


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_is_found_by_its_pipeline(family):
    assert family_of(family.pipeline) is family


@pytest.mark.parametrize("pipeline", ["PRXPipeline", "Kandinsky5T2IPipeline"])
def test_an_unknown_family_is_named_and_the_known_ones_are_offered(pipeline):
    with pytest.raises(ModelError, match=pipeline) as caught:
        family_of(pipeline)

    for family in FAMILIES:
        assert f"{family.title} ({family.pipeline})" in caught.value.fix


@pytest.mark.parametrize(
    "pipeline",
    ["FluxFillPipeline", "StableDiffusion3InpaintPipeline", "QwenImageEditPipeline"],
)
def test_a_pipeline_that_paints_from_a_picture_is_refused_with_that_reason(pipeline):
    with pytest.raises(ModelError, match="paints from a picture") as caught:
        family_of(pipeline)

    assert pipeline in caught.value.message
    assert "text-to-image" in caught.value.fix
