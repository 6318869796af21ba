"""Single files of the original format, made of tiny folders by names of our own."""

import json
import re
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from tests.tiny import N_POSITIONS, build_pipeline, tokenizer_of_bytes
from unlearnlog.checkpoints.ldm_names import original_names

RESOLUTION = {"modelspec.resolution": "16x16"}
"""What trainers write to a file's metadata; a picture that is painted in no time."""

AUTOENCODER = (  # as github.com/CompVis/stable-diffusion calls what diffusers calls so
    (r"(en|de)coder\.conv_norm_out", r"\1coder.norm_out"),
    (r"encoder\.down_blocks\.(\d)\.resnets\.(\d)", r"encoder.down.\1.block.\2"),
    (r"encoder\.down_blocks\.(\d)\.downsamplers\.0", r"encoder.down.\1.downsample"),
    (r"decoder\.up_blocks\.0\.resnets\.(\d)", r"decoder.up.1.block.\1"),
    (r"decoder\.up_blocks\.1\.resnets\.(\d)", r"decoder.up.0.block.\1"),
    (r"decoder\.up_blocks\.0\.upsamplers\.0", r"decoder.up.1.upsample"),
    (r"mid_block\.resnets\.0", "mid.block_1"),
    (r"mid_block\.resnets\.1", "mid.block_2"),
    (r"conv_shortcut", "nin_shortcut"),
    (r"mid_block\.attentions\.0\.group_norm", "mid.attn_1.norm"),
    (r"mid_block\.attentions\.0\.to_([qkv])", r"mid.attn_1.\1"),
    (r"mid_block\.attentions\.0\.to_out\.0", "mid.attn_1.proj_out"),
)
OPEN_CLIP = (  # and github.com/mlfoundations/open_clip
    (
        r"^(?:text_model\.)?embeddings\.position_embedding\.weight",
        "positional_embedding",
    ),
    (r"^(?:text_model\.)?embeddings\.token_embedding", "token_embedding"),
    (r"^(?:text_model\.)?final_layer_norm", "ln_final"),
    (r"^(?:text_model\.)?encoder\.layers", "transformer.resblocks"),
    (r"layer_norm(\d)", r"ln_\1"),
    (r"self_attn\.out_proj", "attn.out_proj"),
    (r"mlp\.fc1", "mlp.c_fc"),
    (r"mlp\.fc2", "mlp.c_proj"),
)


def tensors_of(folder, component):
    (file,) = (folder / component).glob("*.safetensors")
    return load_file(file)


def renamed(key, rules):
    for pattern, new in rules:
        key = re.sub(pattern, new, key)
    return key


def unet_in(folder, before="model.diffusion_model."):
    found = {}
    unet = tensors_of(folder, "unet")
    for name, tensor in unet.items():
        module, _, part = name.rpartition(".")
        # Where a level that does not attend ends by doubling, that is its second part.
        said = original_names(module, 1)
        resized = "up_blocks.1.upsamplers" in module
        found[f"{before}{said[0 if resized else -1]}.{part}"] = tensor
    return found


def autoencoder_in(folder):
    found = {}
    for name, tensor in tensors_of(folder, "vae").items():
        flat = "attentions" in name and tensor.dim() == 2
        key = f"first_stage_model.{renamed(name, AUTOENCODER)}"
        found[key] = tensor[..., None, None].contiguous() if flat else tensor
    return found


def clip_in(folder, before):
    return {
        f"{before}text_model.{name.removeprefix('text_model.')}": tensor
        for name, tensor in tensors_of(folder, "text_encoder").items()
    }


def open_clip_in(folder, component, before):
    found: dict[str, torch.Tensor] = {}
    fused: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors_of(folder, component).items():
        if name == "text_projection.weight":
            found[f"{before}text_projection"] = tensor.T.contiguous()
        elif m := re.search(r"(.+)self_attn\.([qkv])_proj\.(weight|bias)", name):
            key = f"{before}{renamed(m[1], OPEN_CLIP)}attn.in_proj_{m[3]}"
            fused.setdefault(key, {})[m[2]] = tensor
        else:
            found[before + renamed(name, OPEN_CLIP)] = tensor
    for key, parts in fused.items():
        found[key] = torch.cat([parts[each] for each in "qkv"])
    return found


def single_of(folder, family):
    """Return a folder's tensors as the original code would keep them."""
    found = unet_in(folder) | autoencoder_in(folder)
    if family == "xl":
        found |= clip_in(folder, "conditioner.embedders.0.transformer.")
        found |= open_clip_in(
            folder, "text_encoder_2", "conditioner.embedders.1.model."
        )
    elif family == "2.1":
        found |= open_clip_in(folder, "text_encoder", "cond_stage_model.model.")
    else:
        found |= clip_in(folder, "cond_stage_model.transformer.")
    return found


def build_stock(folder: Path, family: str, *, prediction: str = "epsilon") -> Path:
    """Write a tiny folder whose heads and activations are those of the real models.

    Args:
        folder: Where to.
        family: ``1.5``, ``2.1`` or ``xl``.
        prediction: What its UNet predicts.
    """
    build_pipeline(folder, family=family, prediction=prediction)
    with torch.random.fork_rng():
        torch.manual_seed(2)
        for name, network in _networks(family).items():
            network.half().save_pretrained(folder / name)
    for name in ("tokenizer", "tokenizer_2"):
        if (folder / name).is_dir() and (name, family) != ("tokenizer", "xl"):
            config = folder / name / "tokenizer_config.json"
            pads = "<|endoftext|>" if family == "1.5" else "!"
            content = json.loads(config.read_text()) | {"pad_token": pads}
            config.write_text(json.dumps(content))
    return folder


def write_single(
    folder: Path,
    file: Path,
    family: str,
    *,
    metadata: dict[str, str] = RESOLUTION,
    more: dict[str, torch.Tensor] | None = None,
) -> Path:
    """Write a folder's tensors as one file of the original format."""
    tensors = {**single_of(folder, family), **(more or {})}
    save_file(
        {name: each.contiguous() for name, each in tensors.items()}, file, metadata
    )
    return file


def _networks(family: str) -> dict[str, Any]:
    is_xl = family == "xl"
    widths = (64, 128) if is_xl else (64,)
    tokenizer = tokenizer_of_bytes()
    more: dict[str, Any] = {}
    if is_xl:
        more = {
            "transformer_layers_per_block": (1, 2),
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 24 + 6 * 256,
        }
    found: dict[str, Any] = {
        "unet": UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(32, 128),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=8 if family == "1.5" else (1, 2),
            cross_attention_dim=sum(widths),
            use_linear_projection=family != "1.5",
            **more,
        ),
        "vae": AutoencoderKL(
            block_out_channels=(32, 32),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            sample_size=16,
            scaling_factor=0.13025 if is_xl else 0.18215,
        ),
    }
    for place, width in enumerate(widths):
        config = CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=width // 64,
            max_position_embeddings=N_POSITIONS,
            hidden_act="quick_gelu" if family != "2.1" and not place else "gelu",
            projection_dim=24 if place else 64,
            bos_token_id=0,
            eos_token_id=2,
            pad_token_id=1,
        )
        kind: Any = CLIPTextModelWithProjection if place else CLIPTextModel
        found["text_encoder_2" if place else "text_encoder"] = kind(config)
    return found
