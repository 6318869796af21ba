"""Programs that load a LoRA with another tool's own code, each run by a Python of its.

Each reads a folder with the UNet's configuration, ``unet.json``, and its weights under
both names (``diffusers.safetensors``, ``original.safetensors``), and a file; it writes
the weights that the tool computes, under the names that it has for them.
"""

from __future__ import annotations

from typing import Final

_BEGIN: Final = """
import json
import sys

import torch
from safetensors.torch import load_file, save_file

folder, file, out, code = sys.argv[1:5]
config = json.load(open(folder + "/unet.json"))
is_xl = config["addition_embed_type"] is not None
if code:
    sys.path.insert(0, code)
"""

DIFFUSERS: Final = f"""{_BEGIN}
from diffusers import (
    StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel)

unet = UNet2DConditionModel.from_config(config)
unet.load_state_dict(load_file(folder + "/diffusers.safetensors"))
kind = StableDiffusionXLPipeline if is_xl else StableDiffusionPipeline
found = kind.lora_state_dict(load_file(file), unet_config=unet.config)
kind.load_lora_into_unet(found[0], network_alphas=found[1], unet=unet)
unet.fuse_lora()
weights = {{n.replace(".base_layer", ""): p for n, p in unet.state_dict().items()
           if ".lora_" not in n}}
save_file({{n: p.contiguous() for n, p in weights.items()}}, out)
"""
"""diffusers: its own loader, then fused."""

FORGE: Final = f"""{_BEGIN}
import types

from packages_3rdparty.comfyui_lora_collection import lora

weights = {{"diffusion_model." + k: t for k, t in
           load_file(folder + "/original.safetensors").items()}}
depth = config["transformer_layers_per_block"]
n = len(config["block_out_channels"])
depth = [depth] * n if isinstance(depth, int) else list(depth)
down = [d if "CrossAttn" in b else 0 for d, b in zip(depth, config["down_block_types"])]
one = config["block_out_channels"][0]
inner = types.SimpleNamespace(config={{
    "num_res_blocks": [2] * n,
    "channel_mult": [c // one for c in config["block_out_channels"]],
    "transformer_depth": [d for d in down for _ in range(2)],
    "transformer_depth_output": [d for d in down for _ in range(3)],
    "transformer_depth_middle": depth[-1],
}})
model = types.SimpleNamespace(
    state_dict=lambda: weights, diffusion_model=inner,
    config=types.SimpleNamespace(huggingface_repo="stabilityai"))
_, keys = lora.model_lora_keys_unet(model, {{}})
patches, _ = lora.load_lora(load_file(file), keys)
merged = dict(weights)
for key, (kind, v) in patches.items():
    weight = weights[key].float()
    if kind == "diff":
        change = v[0].float()
    else:  # the sum of ComfyUI's calculate_weight: up @ down, times alpha over rank
        scale = 1.0 if v[2] is None else v[2] / v[1].shape[0]
        change = scale * (v[0].float().flatten(1) @ v[1].float().flatten(1))
        change = change.reshape(weight.shape)
    merged[key] = (weight + change).to(weights[key].dtype)
save_file({{k.removeprefix("diffusion_model."): t for k, t in merged.items()}}, out)
"""
"""Forge: ComfyUI's loader, as it ships there."""

INVOKEAI: Final = f"""{_BEGIN}
import importlib.util

name = "/invokeai/backend/patches/lora_conversions/sdxl_lora_conversion_utils.py"
spec = importlib.util.spec_from_file_location("conversion", code + name)
conversion = importlib.util.module_from_spec(spec)
spec.loader.exec_module(conversion)
weights = load_file(folder + "/diffusers.safetensors")
groups = {{}}
for key, tensor in load_file(file).items():
    stem, leaf = key.split(".", 1)
    groups.setdefault(stem, {{}})[leaf] = tensor
if is_xl:
    groups = conversion.convert_sdxl_keys_to_diffusers_format(groups)
flat = {{k.removesuffix(".weight").replace(".", "_"): k for k in weights}}
merged = dict(weights)
for stem, part in groups.items():
    key = flat.get(stem.removeprefix("lora_unet_"))
    if key is None or not stem.startswith("lora_unet_"):
        continue
    weight = weights[key].float()
    if "diff" in part:
        change = part["diff"].float()
    elif "lora_up.weight" in part:
        up, down = part["lora_up.weight"].float(), part["lora_down.weight"].float()
        scale = float(part["alpha"]) / len(down) if "alpha" in part else 1.0
        change = scale * (up.flatten(1) @ down.flatten(1)).reshape(weight.shape)
    else:
        continue
    merged[key] = (weight + change).to(weights[key].dtype)
save_file(merged, out)
"""
"""InvokeAI: its conversion of SDXL's names, its search for a flattened module."""

SD_SCRIPTS: Final = f"""{_BEGIN}
sys.path.insert(0, code + "/networks")
channels = config["block_out_channels"]
if is_xl:
    import library.sdxl_original_unet as u
    u.MODEL_CHANNELS, u.TIME_EMBED_DIM = channels[0], 4 * channels[0]
    u.CONTEXT_DIM = config["cross_attention_dim"]
    u.ADM_IN_CHANNELS = config["projection_class_embeddings_input_dim"]
    from sdxl_merge_lora import merge_to_sd_model
    unet = u.SdxlUNet2DConditionModel()
    unet.load_state_dict(load_file(folder + "/original.safetensors"))
    nothing = torch.nn.Module(), torch.nn.Module()
    merge_to_sd_model(*nothing, unet, [file], [1.0], [], torch.float32)
else:
    import library.original_unet as u
    u.BLOCK_OUT_CHANNELS = tuple(channels)
    u.TIMESTEP_INPUT_DIM, u.TIME_EMBED_DIM = channels[0], 4 * channels[0]
    from merge_lora import merge_to_sd_model
    unet = u.UNet2DConditionModel(
        sample_size=64, attention_head_dim=config["attention_head_dim"],
        cross_attention_dim=config["cross_attention_dim"],
        use_linear_projection=config["use_linear_projection"])
    unet.load_state_dict(load_file(folder + "/diffusers.safetensors"))
    merge_to_sd_model(torch.nn.Module(), unet, [file], [1.0], torch.float32)
save_file({{n: p.detach().contiguous() for n, p in unet.state_dict().items()}}, out)
"""
"""sd-scripts: ``networks/merge_lora.py``, for SDXL ``networks/sdxl_merge_lora.py``."""
