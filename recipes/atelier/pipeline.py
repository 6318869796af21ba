"""Finished parts as an ordinary Stable Diffusion folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, CLIPTokenizer

from recipes.atelier.pictures import Syllabus
from recipes.atelier.unet import NOISE_SCHEDULE, trained_unet
from unlearnlog.atelier.bundled_model import FOLDER


def make_relative(
    runs: Path,
    weights: Path,
    *,
    steps: int,
    syllabus: Syllabus,
    start: Path | None = None,
) -> None:
    """Train a model with the bundled autoencoder and tokenizer, or resume.

    Args:
        runs: Folder of the checkpoints.
        weights: The pipeline's folder.
        steps: The number of the last step.
        syllabus: The training data.
        start: Pipeline folder of the initial weights; None for random ones.
    """
    for part in ("vae", "tokenizer"):
        shutil.copytree(FOLDER / part, runs / part, dirs_exist_ok=True)
    unet, encoder = trained_unet(
        runs,
        AutoencoderKL.from_pretrained(runs / "vae").float(),
        CLIPTokenizer.from_pretrained(runs / "tokenizer"),
        steps=steps,
        start=start,
        syllabus=syllabus,
    )
    unet.save_pretrained(runs / "denoiser")
    encoder.save_pretrained(runs / "text_encoder")
    assemble(runs, weights)


def assemble(runs: Path, weights: Path) -> None:
    """Write the parts as a pipeline, in half precision, in place of the old ones.

    Args:
        runs: Holds ``vae``, ``text_encoder``, ``tokenizer`` and ``denoiser``.
        weights: The pipeline's folder.
    """
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(runs / "vae"),
        text_encoder=CLIPTextModel.from_pretrained(runs / "text_encoder"),
        tokenizer=CLIPTokenizer.from_pretrained(runs / "tokenizer"),
        unet=UNet2DConditionModel.from_pretrained(runs / "denoiser"),
        scheduler=DPMSolverMultistepScheduler(**NOISE_SCHEDULE, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler"):
        shutil.rmtree(weights / part, ignore_errors=True)
    pipeline.to(torch.float16).save_pretrained(weights)
    for part in ("unet", "vae"):
        _forget_where_it_was_made(weights / part / "config.json")
    _make_readable_everywhere(weights / "text_encoder")


def _forget_where_it_was_made(path: Path) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    config.pop("_name_or_path", None)
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _make_readable_everywhere(folder: Path) -> None:
    """Write the text encoder under older names, with float32 in its configuration.

    The loader of the text encoder takes its dtype from the configuration; the other
    parts are loaded as float32, and the two must agree.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["dtype"] = "float32"
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    tensors = load_file(folder / "model.safetensors")
    named = {
        f"text_model.{n.removeprefix('text_model.')}": t for n, t in tensors.items()
    }
    save_file(named, folder / "model.safetensors", metadata={"format": "pt"})
