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
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

N_POSITIONS = 77
D_TEXT = 32
WORDS = ("a", "of", "by", "photo", "painting", "cat", "dog", "picasso", "monet")


def build_pipeline(folder: Path, *, prediction: str = "epsilon") -> Path:
    """Write a tiny random pipeline in half precision, less than 1 MB; give its folder.

    The same call writes the same bytes.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tokenizer = tokenizer_of_bytes()
        networks = {
            "unet": _unet(),
            "vae": _vae(),
            "text_encoder": _text_encoder(tokenizer),
        }
    for name, network in networks.items():
        network.half().save_pretrained(folder / name)
    _read_in_float32(folder / "text_encoder" / "config.json")
    tokenizer.save_pretrained(folder / "tokenizer")
    _scheduler(prediction).save_pretrained(folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps(_index(), indent=2))
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


def _text_encoder(tokenizer: CLIPTokenizer) -> Any:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=D_TEXT,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=N_POSITIONS,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def _unet() -> Any:
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=D_TEXT,
        attention_head_dim=2,
        norm_num_groups=8,
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
