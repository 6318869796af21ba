"""Configurations of the networks in a single file of the original format.

The file has none. Sizes are read from the shapes of its tensors; what no shape tells is
a fact about Stable Diffusion 1, 2 or XL, whichever has text encoders like the file's.

Source:
    The facts are those of the models' own configurations, as their authors published
    them: stable-diffusion-v1-5, stable-diffusion-2-1, stable-diffusion-xl-base-1.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of tensors by name, in the original code."""

_BETAS: Final[Mapping[str, Any]] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
}
_HEAD: Final = 64
"""Width of an attention head, in text encoders and since Stable Diffusion 2."""

_RESOLUTION: Final = re.compile(r"(\d{2,4})x(\d{2,4})")
_CROSS: Final = "transformer_blocks.0.attn2.to_k.weight"
_END: Final = 2
"""The number that CLIP's configurations give for the prompt's end; a pipeline then
takes the largest token for it."""


@dataclass(frozen=True)
class Generation:
    """A generation of Stable Diffusion: what no tensor of a file tells about it.

    Attributes:
        title: Its name in a sentence.
        pipeline: The class of its pipeline.
        mark: Beginning of the keys of its last text encoder.
        side: Width and height of a picture in pixels.
        velocity_side: The same where it predicts velocity.
        scheduler: Class of its scheduler.
        scheduling: Settings of the scheduler beside those of the noise.
        scaling: Factor of its latents.
        force_upcast: Whether its autoencoder fails in half precision.
        n_heads: Number of attention heads in its UNet; 0 for heads of 64.
        activations: Activation of each text encoder.
        projections: Width of each text encoder's pooled vector; 0 for its own.
        pads: Token that fills the prompts of each text encoder.
        both_predict: Whether models that predict velocity are as common as others;
            they then compute attention in float32.
    """

    title: str
    pipeline: str
    mark: str
    side: int
    velocity_side: int
    scheduler: str
    scaling: float
    scheduling: Mapping[str, Any] = field(default_factory=dict)
    force_upcast: bool = False
    n_heads: int = 0
    activations: tuple[str, ...] = ("gelu",)
    projections: tuple[int, ...] = (0,)
    pads: tuple[str, ...] = ("<|endoftext|>",)
    both_predict: bool = False


GENERATIONS: Final = (
    Generation(
        title="Stable Diffusion 1",
        pipeline="StableDiffusionPipeline",
        mark="cond_stage_model.transformer.",
        side=512,
        velocity_side=512,
        scheduler="PNDMScheduler",
        scheduling={"clip_sample": False},
        scaling=0.18215,
        n_heads=8,
        activations=("quick_gelu",),
    ),
    Generation(
        title="Stable Diffusion 2",
        pipeline="StableDiffusionPipeline",
        mark="cond_stage_model.model.",
        side=512,
        velocity_side=768,
        scheduler="DDIMScheduler",
        scheduling={"clip_sample": False},
        scaling=0.18215,
        projections=(512,),
        pads=("!",),
        both_predict=True,
    ),
    Generation(
        title="Stable Diffusion XL",
        pipeline="StableDiffusionXLPipeline",
        mark="conditioner.embedders.1.model.",
        side=1024,
        velocity_side=1024,
        scheduler="EulerDiscreteScheduler",
        scheduling={
            "interpolation_type": "linear",
            "sample_max_value": 1.0,
            "timestep_spacing": "leading",
            "use_karras_sigmas": False,
        },
        scaling=0.13025,
        force_upcast=True,
        activations=("quick_gelu", "gelu"),
        projections=(0, 0),
        pads=("<|endoftext|>", "!"),
    ),
)


def generation_of(keys: Iterable[str]) -> Generation | None:
    """Return the generation whose text encoder a file has; None for none."""
    keys = [*keys]
    for each in reversed(GENERATIONS):
        if any(key.startswith(each.mark) for key in keys):
            return each
    return None


def latent_size(
    generation: Generation, resolution: str, *, velocity: bool, n_levels: int
) -> int | list[int]:
    """Return the side of a latent, or its height and width.

    Args:
        generation: The file's generation.
        resolution: Pictures' width and height in the file's metadata, ``512x768``;
            empty where it has none.
        velocity: Whether the model predicts velocity.
        n_levels: Levels of its autoencoder, each of which halves a picture but one.

    Source:
        github.com/Stability-AI/ModelSpec, ``modelspec.resolution``.
    """
    shrunk = 1 << (n_levels - 1)
    found = _RESOLUTION.fullmatch(resolution)
    if found is None:
        side = generation.velocity_side if velocity else generation.side
        return side // shrunk
    width, height = (int(each) // shrunk for each in found.groups())
    return width if width == height else [height, width]


def unet_config(shapes: Shapes, generation: Generation) -> dict[str, Any]:
    """Return the configuration of a UNet, without the size of its latents.

    Args:
        shapes: Its tensors, without the prefix of all.
        generation: The file's generation.

    Raises:
        KeyError: It lacks a tensor that every such UNet has.
    """
    blocks = _blocks(shapes)
    channels = [shapes[f"{b[0]}.0.out_layers.3.weight"][0] for b in blocks]
    attends = [f"{b[0]}.1.{_CROSS}" in shapes for b in blocks]
    depths = [_count(shapes, f"{b[0]}.1.transformer_blocks.") or 1 for b in blocks]
    crossed = next(n for n in shapes if n.endswith(_CROSS))
    linear = len(shapes[crossed.replace(_CROSS, "proj_in.weight")]) == len("oi")
    down = ["CrossAttnDownBlock2D" if each else "DownBlock2D" for each in attends]
    up = ["CrossAttnUpBlock2D" if each else "UpBlock2D" for each in reversed(attends)]
    heads = [max(1, each // _HEAD) for each in channels]
    found: dict[str, Any] = {
        "_class_name": "UNet2DConditionModel",
        "in_channels": shapes["input_blocks.0.0.weight"][1],
        "out_channels": shapes["out.2.weight"][0],
        "block_out_channels": channels,
        "layers_per_block": len(blocks[0]),
        "down_block_types": down,
        "up_block_types": up,
        "cross_attention_dim": shapes[crossed][1],
        "attention_head_dim": generation.n_heads or heads,
        "use_linear_projection": linear,
    }
    if {*depths} != {1}:
        found["transformer_layers_per_block"] = depths
    if "label_emb.0.0.weight" in shapes:
        found |= _of_sizes(shapes["label_emb.0.0.weight"][1])
    return found


def vae_config(shapes: Shapes, generation: Generation) -> dict[str, Any]:
    """Return the configuration of an autoencoder.

    Args:
        shapes: Its tensors, without the prefix of all.
        generation: The file's generation.

    Raises:
        KeyError: It lacks a tensor that every such autoencoder has.
    """
    n = 1 + max(
        int(m[1]) for k in shapes if (m := re.match(r"encoder\.down\.(\d+)", k))
    )
    channels = [shapes[f"encoder.down.{i}.block.0.conv1.weight"][0] for i in range(n)]
    return {
        "_class_name": "AutoencoderKL",
        "in_channels": shapes["encoder.conv_in.weight"][1],
        "out_channels": shapes["decoder.conv_out.weight"][0],
        "latent_channels": shapes["decoder.conv_in.weight"][1],
        "block_out_channels": channels,
        "layers_per_block": _count(shapes, "encoder.down.0.block."),
        "down_block_types": ["DownEncoderBlock2D"] * n,
        "up_block_types": ["UpDecoderBlock2D"] * n,
        "sample_size": generation.side,
        "scaling_factor": generation.scaling,
        "force_upcast": generation.force_upcast,
    }


def text_config(shapes: Shapes, generation: Generation, place: int) -> dict[str, Any]:
    """Return the configuration of a text encoder.

    Args:
        shapes: Its tensors, by transformers' names without ``text_model.``.
        generation: The file's generation.
        place: 0 for the first text encoder of the pipeline, 1 for the second.

    Raises:
        KeyError: It lacks a tensor that every such text encoder has.
    """
    n_words, width = shapes["embeddings.token_embedding.weight"]
    projected = shapes.get("text_projection.weight", (generation.projections[place],))
    kind = "CLIPTextModelWithProjection" if place else "CLIPTextModel"
    return {
        "architectures": [kind],
        "model_type": "clip_text_model",
        "vocab_size": n_words,
        "hidden_size": width,
        "intermediate_size": shapes["encoder.layers.0.mlp.fc1.weight"][0],
        "num_hidden_layers": _count(shapes, "encoder.layers."),
        "num_attention_heads": max(1, width // _HEAD),
        "max_position_embeddings": shapes["embeddings.position_embedding.weight"][0],
        "hidden_act": generation.activations[place],
        "layer_norm_eps": 1e-05,
        "projection_dim": projected[0] or width,
        "bos_token_id": 0,
        "eos_token_id": _END,
        "pad_token_id": 1,
    }


def scheduler_config(generation: Generation, predicts: str) -> dict[str, Any]:
    """Return the configuration of a scheduler for what a UNet predicts."""
    return {
        "_class_name": generation.scheduler,
        **_BETAS,
        **generation.scheduling,
        "prediction_type": predicts,
    }


def _of_sizes(n_read: int) -> dict[str, Any]:
    """Return the settings of a UNet that reads a pooled text and a picture's size."""
    return {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": n_read,
    }


def _blocks(shapes: Shapes) -> list[list[str]]:
    """Return the layers of each level on the way down, which a halving ends."""
    levels: list[list[str]] = [[]]
    for number in range(1, _count(shapes, "input_blocks.")):
        block = f"input_blocks.{number}"
        if f"{block}.0.op.weight" in shapes:
            levels.append([])
        else:
            levels[-1].append(block)
    return levels


def _count(shapes: Shapes, prefix: str) -> int:
    """Return how many parts are numbered behind a prefix."""
    return len(
        {n[len(prefix) :].partition(".")[0] for n in shapes if n.startswith(prefix)}
    )
