"""Finished parts as an ordinary Stable Diffusion 3 folder, in half precision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import torch
from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    StableDiffusion3Pipeline,
)
from diffusers.models.attention_processor import JointAttnProcessor2_0

from recipes.glyphs.painting import Painter
from unlearnlog.models.family_rules.sd3 import PADDED

LIMIT: Final = 40 * 2**20
"""Most bytes of all weights together."""


def assemble(painter: Painter, weights: Path) -> None:
    """Write the parts as a pipeline, in place of the old ones."""
    painter.transformer.set_attn_processor(JointAttnProcessor2_0())
    pipeline = StableDiffusion3Pipeline(
        transformer=painter.transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=painter.vae,
        text_encoder=painter.encoders[0],
        tokenizer=painter.tokenizer,
        text_encoder_2=painter.encoders[1],
        tokenizer_2=painter.tokenizer,
        text_encoder_3=None,
        tokenizer_3=None,
    )
    pipeline.to(torch.float16).save_pretrained(weights)
    _say_one_row_of_zeros(weights / "model_index.json")
    for part in ("transformer", "vae", "text_encoder", "text_encoder_2"):
        _forget_where_it_was_made(weights / part / "config.json")
    size = sum(path.stat().st_size for path in weights.rglob("*.safetensors"))
    if size > LIMIT:
        raise SystemExit(f"the weights take {size / 2**20:.1f} MiB, more than 40")


def _say_one_row_of_zeros(path: Path) -> None:
    """Write how long a context the model is painted with here.

    The stock pipeline ignores it, and pads to 256 rows unless it is told.
    """
    index = json.loads(path.read_text(encoding="utf-8"))
    index[PADDED] = 1
    path.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _forget_where_it_was_made(path: Path) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    config.pop("_name_or_path", None)
    if "dtype" in config:
        config["dtype"] = "float32"  # the other parts are loaded as float32, too
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def loaded(weights: Path) -> StableDiffusion3Pipeline:
    """Return the pipeline, as anyone would load it: both nulls must be said."""
    return StableDiffusion3Pipeline.from_pretrained(
        weights, text_encoder_3=None, tokenizer_3=None
    )


def finished_painter(weights: Path) -> Painter:
    """Return what paints with the weights that ship."""
    parts = loaded(weights)
    encoders = [part.eval() for part in (parts.text_encoder, parts.text_encoder_2)]
    return Painter(
        parts.transformer.eval(), encoders, parts.tokenizer, parts.vae.eval()
    )
