"""Retrain the bundled model, part by part, and measure it.

``python -m unlearnlog.atelier.recipe all`` does everything from nothing; each part goes
on where it was stopped, and is left alone where it is finished.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Final

import torch
from diffusers import (
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    StableDiffusionPipeline,
)
from safetensors.torch import load_file, save_file

from unlearnlog.atelier.judge import Judge
from unlearnlog.atelier.prompts import (
    concept_called,
    erased_cells,
    kept_cells,
    target_cells,
)
from unlearnlog.atelier.recipe import card, measure
from unlearnlog.atelier.recipe.autoencoder import trained_autoencoder
from unlearnlog.atelier.recipe.judge import save_judge, trained_judge
from unlearnlog.atelier.recipe.text import trained_tokenizer
from unlearnlog.atelier.recipe.unet import NOISE_SCHEDULE, trained_unet
from unlearnlog.atelier.studio import FOLDER, BaseAnswers
from unlearnlog.atelier.world import world
from unlearnlog.cell import Cell
from unlearnlog.model.model import DiffusersModel
from unlearnlog.prompt import TARGETS

STEPS: Final = {"critic": 1200, "judge": 1200, "autoencoder": 3000, "unet": 6500}
PARTS: Final = ("judge", "autoencoder", "unet", "pipeline", "readings", "measure")


def main() -> None:
    """Make the parts that were asked for, in their order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=(*PARTS, "all"))
    parser.add_argument("--runs", type=Path, default=Path("build/atelier"))
    parser.add_argument("--weights", type=Path, default=FOLDER)
    asked = parser.parse_args()
    parts = PARTS if "all" in asked.parts else asked.parts
    for part in PARTS:
        if part in parts:
            globals()[f"_{part}"](asked.runs, asked.weights)


def _judge(runs: Path, weights: Path) -> None:
    save_judge(trained_judge(runs, "judge", STEPS["judge"]), weights / "judge")


def _autoencoder(runs: Path, _: Path) -> None:
    critic = trained_judge(runs, "critic", STEPS["critic"])
    net = trained_autoencoder(runs, critic, STEPS["autoencoder"])
    net.save_pretrained(runs / "vae")


def _unet(runs: Path, _: Path) -> None:
    vae = AutoencoderKL.from_pretrained(runs / "vae")
    tokenizer = trained_tokenizer(runs / "tokenizer")
    unet, encoder = trained_unet(runs, vae, tokenizer, STEPS["unet"])
    unet.save_pretrained(runs / "denoiser")
    encoder.save_pretrained(runs / "text_encoder")


def _pipeline(runs: Path, weights: Path) -> None:
    """Put the parts together as a Stable Diffusion folder, in half precision."""
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

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
    _make_readable_everywhere(weights / "text_encoder")


def _make_readable_everywhere(folder: Path) -> None:
    """Write the text encoder as older loaders name it, to be computed in float32.

    Its loader takes the dtype to compute in from the configuration, the other parts'
    loader takes float32, and the two must agree.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["dtype"] = "float32"
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    tensors = load_file(folder / "model.safetensors")
    named = {
        f"text_model.{n.removeprefix('text_model.')}": t for n, t in tensors.items()
    }
    save_file(named, folder / "model.safetensors", metadata={"format": "pt"})


def _readings(_: Path, weights: Path) -> None:
    """Let the judge look at every picture of the base that a probe will ask for."""
    model = DiffusersModel.load(weights)
    cells = list(dict.fromkeys(_every_cell()))
    sampling = measure.SAMPLING
    pictures = model.paint(
        [cell.prompt for cell in cells], [c.seed for c in cells], sampling=sampling
    ).pictures
    found = Judge.load(weights / "judge").judged(pictures)
    answers = {
        (c.prompt, c.seed): answer for c, answer in zip(cells, found, strict=True)
    }
    settings = (sampling.steps, sampling.guidance)
    BaseAnswers(model.manifest.root, settings, answers).save(weights / "readings.json")


def _every_cell() -> list[Cell]:
    seen = world()
    cells = list(kept_cells((), 6))
    for name in (*seen.styles, *seen.subjects):
        concept = concept_called(name)
        cells += erased_cells(concept)
        for target in TARGETS:
            cells += target_cells(concept, target)
    # What a cell must show differs from concept to concept; its picture does not.
    return list({(c.prompt, c.seed): c for c in cells}.values())


def _measure(_: Path, weights: Path) -> None:
    model = DiffusersModel.load(weights)
    vae = AutoencoderKL.from_pretrained(weights / "vae", torch_dtype=torch.float32)
    figures = measure.report(Judge.load(weights / "judge"), model, vae)
    figures["root"] = model.manifest.root
    figures["steps"] = STEPS
    text = json.dumps(figures, indent=1)
    (weights / "quality.json").write_text(text + "\n", encoding="utf-8")
    card.write(figures, weights)


if __name__ == "__main__":
    main()
