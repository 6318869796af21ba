"""The original names are those that diffusers itself turns back into its own."""

import re

import pytest
import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel

from unlearnlog.checkpoints import lora_keys as lora
from unlearnlog.checkpoints.ldm_names import layers_a_level, original_names


@pytest.fixture(scope="module")
def unet():
    """Stable Diffusion XL's blocks, layers and names; without its sizes."""
    with torch.device("meta"):
        return UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(8, 16, 16),
            layers_per_block=2,
            down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * 2),
            up_block_types=(*["CrossAttnUpBlock2D"] * 2, "UpBlock2D"),
            transformer_layers_per_block=(1, 2, 2),
            attention_head_dim=(1, 2, 2),
            norm_num_groups=4,
            cross_attention_dim=8,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=64,
        )


@pytest.fixture(scope="module")
def shapes(unet):
    return {
        f"{name}.weight": layer.weight.shape
        for name, layer in unet.named_modules()
        if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d)
    }


def by_diffusers(unet, keys):
    """Return the modules that diffusers finds in keys of a LoRA, in its own names."""
    tensors = {
        f"{key}.{part}.weight": torch.full((1, 1), float(i))
        for i, key in enumerate(keys)
        for part in ("lora_down", "lora_up")
    }
    found, _ = StableDiffusionXLPipeline.lora_state_dict(
        tensors, unet_config=unet.config
    )
    return {int(tensor): module_of(key) for key, tensor in found.items()}


def module_of(key):
    """Return the module of a key, in today's name of it."""
    bare = re.split(r"[._]lora\b", key.removeprefix("unet."))[0]
    bare = bare.replace(".processor", "")
    return f"{bare}.0" if bare.endswith("to_out") else bare


def test_diffusers_reads_every_original_name_as_the_module_it_is_of(unet, shapes):
    modules = [name.removesuffix(".weight") for name in shapes]
    names = [original_names(module, 2)[-1] for module in modules]

    found = by_diffusers(unet, [f"lora_unet_{n.replace('.', '_')}" for n in names])

    assert len(found) == len(set(names)) == len(modules)
    for i, module in enumerate(modules):
        assert found[i] == module, names[i]


def test_the_last_doubling_stands_where_no_attention_is():
    names = original_names("up_blocks.2.upsamplers.0.conv", 2)

    assert names == ("output_blocks.8.1.conv", "output_blocks.8.2.conv")


@pytest.mark.parametrize(
    ("modules", "n"),
    [
        (["down_blocks.1.attentions.1.proj_in", "conv_in"], 2),
        (["up_blocks.0.resnets.1.conv1"], 1),
        (["mid_block.resnets.1.conv1"], 1),
    ],
)
def test_layers_are_counted_from_names(modules, n):
    assert layers_a_level(modules) == n


def test_what_diffusers_alone_has_no_original_name():
    assert original_names("down_blocks.0.motion_modules.0.proj", 2) == ()


def test_a_lora_of_sdxl_with_original_names_is_read(shapes):
    key = "lora_unet_output_blocks_3_1_transformer_blocks_1_attn2_to_k"
    module = "up_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k"
    known = {f"unet.{name}": shape for name, shape in shapes.items()}
    d_out, d_in = shapes[f"{module}.weight"]
    down, up = torch.ones(2, d_in), torch.ones(d_out, 2)

    dotted = "diffusion_model.output_blocks.3.1.transformer_blocks.1.attn2.to_k"
    for said in (key, dotted):
        found = lora.read(
            {f"{said}.lora_down.weight": down, f"{said}.lora_up.weight": up}, known
        )
        assert list(found) == [f"unet.{module}.weight"]
