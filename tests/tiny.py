"""A Stable Diffusion pipeline small enough to build in a test: random, offline.

It paints noise, but by the same code, files and names as a real checkpoint.
"""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    UNet2DConditionModel,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

N_POSITIONS = 77
D_TEXT = 32
FULL_SIZE = "1.5 in full size"
WORDS = ("a", "of", "by", "photo", "painting", "cat", "dog", "picasso", "monet")


def build_pipeline(
    folder: Path, *, prediction: str = "epsilon", family: str = "1.5"
) -> Path:
    """Write a tiny random pipeline in half precision, less than 1 MB; give its folder.

    The same call writes the same bytes.

    Args:
        folder: Where to.
        prediction: What its UNet predicts, ``epsilon`` or ``v_prediction``.
        family: Whose shape it has: Stable Diffusion ``1.5``, ``2.1`` or ``xl``; or
            `FULL_SIZE`, whose UNet is as large as the real one, 1.7 GB.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tokenizer = tokenizer_of_bytes()
        networks = {
            "unet": _unet(family),
            "vae": _vae(),
            "text_encoder": _text_encoder(
                tokenizer, 768 if family == FULL_SIZE else D_TEXT
            ),
        }
        if family == "xl":
            networks["text_encoder_2"] = _second_text_encoder(tokenizer)
    for name, network in networks.items():
        network.half().save_pretrained(folder / name)
        if name.startswith("text"):
            _read_in_float32(folder / name / "config.json")
            tokenizer.save_pretrained(
                folder / name.replace("text_encoder", "tokenizer")
            )
    _scheduler(prediction).save_pretrained(folder / "scheduler")
    index = _xl_index() if family == "xl" else _index()
    (folder / "model_index.json").write_text(json.dumps(index, indent=2))
    return folder


def rebuild_unet(folder: Path, **changes: Any) -> Path:
    """Give a tiny pipeline another random UNet, built like its own but for changes."""
    config = UNet2DConditionModel.load_config(folder / "unet")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        unet: Any = UNet2DConditionModel.from_config({**config, **changes})
    unet.half().save_pretrained(folder / "unet")
    return folder


def _read_in_float32(config: Path) -> None:
    """Let a plain pipeline load the text encoder in the dtype of the other parts.

    transformers takes the dtype from this file where nobody asks for one, diffusers
    takes float32: half precision in the file would give a pipeline of two dtypes.
    """
    content = json.loads(config.read_text()) | {"dtype": "float32"}
    config.write_text(json.dumps(content, indent=2))


def tokenizer_of_bytes() -> CLIPTokenizer:
    """Know every byte, and a few words whole."""
    letters = sorted(ByteLevel.alphabet())
    pieces = letters + [f"{letter}</w>" for letter in letters]
    merges: Any = []  # pairs, which the annotation of the tokenizer forgets
    for word in WORDS:
        begun, rest = word[0], [*word[1:-1], f"{word[-1]}</w>"]
        for letter in rest if len(word) > 1 else []:
            if (begun, letter) not in merges:
                merges.append((begun, letter))
                pieces.append(begun + letter)
            begun += letter
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=N_POSITIONS)


def _text_config(tokenizer: CLIPTokenizer, width: int, **more: Any) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * D_TEXT,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=N_POSITIONS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **more,
    )


def _text_encoder(tokenizer: CLIPTokenizer, width: int) -> Any:
    return CLIPTextModel(_text_config(tokenizer, width))


def _second_text_encoder(tokenizer: CLIPTokenizer) -> Any:
    return CLIPTextModelWithProjection(_text_config(tokenizer, 48, projection_dim=24))


def _unet(family: str) -> Any:
    if family == FULL_SIZE:  # the class's own defaults are its other sizes
        return UNet2DConditionModel(
            sample_size=64, cross_attention_dim=768, attention_head_dim=8
        )
    of_family: dict[str, dict[str, Any]] = {
        "1.5": {"cross_attention_dim": D_TEXT, "attention_head_dim": 2},
        "2.1": {
            "cross_attention_dim": D_TEXT,
            "attention_head_dim": (2, 4),
            "use_linear_projection": True,
        },
        "xl": {
            "cross_attention_dim": D_TEXT + 48,
            "attention_head_dim": (2, 4),
            "use_linear_projection": True,
            "transformer_layers_per_block": (1, 2),
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 24 + 6 * 8,
        },
    }
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
        **of_family[family],
    )


def _vae() -> Any:
    return AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        sample_size=16,
    )


def _scheduler(prediction: str) -> Any:
    return DPMSolverMultistepScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type=prediction,
        steps_offset=1,
    )


def _index() -> dict[str, Any]:
    return {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.42.1",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DPMSolverMultistepScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }


def _xl_index() -> dict[str, Any]:
    return {
        **{k: v for k, v in _index().items() if "safety" not in k},
        "_class_name": "StableDiffusionXLPipeline",
        "force_zeros_for_empty_prompt": True,
        "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
        "tokenizer_2": ["transformers", "CLIPTokenizer"],
    }
