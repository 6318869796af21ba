"""The command that trains the bundled model, part by part, and measures it.

``python -m recipes.atelier all`` makes every part from nothing. A part that was stopped
is resumed, and a finished one is kept.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch
from diffusers import AutoencoderKL
from transformers import CLIPTokenizer

from recipes.atelier import card, measure
from recipes.atelier.autoencoder import trained_autoencoder
from recipes.atelier.judge import save_judge, trained_judge
from recipes.atelier.pipeline import assemble
from recipes.atelier.readings import every_cell, write_readings
from recipes.atelier.text import trained_tokenizer
from recipes.atelier.unet import trained_unet
from unlearnlog.atelier.atelier_judge import AtelierJudge
from unlearnlog.atelier.base_latents import FILE, BaseLatents
from unlearnlog.atelier.bundled_concepts import book, world
from unlearnlog.atelier.bundled_model import FOLDER
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.models.diffusers_model import DiffusersModel

STEPS: Final = {"critic": 1200, "judge": 1200, "autoencoder": 3000, "unet": 19500}


@dataclass(frozen=True)
class Job:
    """The folders and the start of a training.

    Attributes:
        runs: Folder of checkpoints, and of parts in single precision.
        weights: Folder of the finished model.
        warm: Whether the denoiser starts from the finished model, with its own
            autoencoder and tokenizer, instead of starting from nothing.
    """

    runs: Path
    weights: Path
    warm: bool


def main() -> None:
    """Make the parts named on the command line, in their order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=(*PARTS, "all"))
    parser.add_argument("--runs", type=Path, default=Path("build/atelier"))
    parser.add_argument("--weights", type=Path, default=FOLDER)
    parser.add_argument(
        "--warm", action="store_true", help="go on from the weights that ship"
    )
    asked = parser.parse_args()
    job = Job(asked.runs, asked.weights, asked.warm)
    for part, make in PARTS.items():
        if part in asked.parts or "all" in asked.parts:
            make(job)


def _judge(job: Job) -> None:
    net = trained_judge(job.runs, "judge", STEPS["judge"])
    save_judge(net, job.weights / "judge")


def _autoencoder(job: Job) -> None:
    critic = trained_judge(job.runs, "critic", STEPS["critic"])
    net = trained_autoencoder(job.runs, critic, STEPS["autoencoder"])
    net.save_pretrained(job.runs / "vae")


def _unet(job: Job) -> None:
    if job.warm:
        for part in ("vae", "tokenizer"):
            shutil.copytree(job.weights / part, job.runs / part, dirs_exist_ok=True)
        tokenizer = CLIPTokenizer.from_pretrained(job.runs / "tokenizer")
    else:
        tokenizer = trained_tokenizer(job.runs / "tokenizer")
    unet, encoder = trained_unet(
        job.runs,
        AutoencoderKL.from_pretrained(job.runs / "vae").float(),
        tokenizer,
        steps=STEPS["unet"],
        start=job.weights if job.warm else None,
    )
    unet.save_pretrained(job.runs / "denoiser")
    encoder.save_pretrained(job.runs / "text_encoder")


def _pipeline(job: Job) -> None:
    """Write the parts as a Stable Diffusion folder, in half precision."""
    assemble(job.runs, job.weights)


def _readings(job: Job) -> None:
    """Judge every picture of the base that a probe uses, and keep the answers."""
    judge = AtelierJudge.load(job.weights / "judge")
    write_readings(job.weights, judge, every_cell(world()), measure.SAMPLING)


def _latents(job: Job) -> None:
    """Paint one picture of every cell without guidance, and keep the latents."""
    model = DiffusersModel.load(job.weights)
    cells = list({(c.prompt, c.seed): c for c in _one_of_each()}.values())
    plain = replace(measure.SAMPLING, steps=2 * measure.SAMPLING.steps, guidance=1.0)
    latents = model.paint(
        [cell.prompt for cell in cells], [c.seed for c in cells], sampling=plain
    ).latents
    rows = {(cell.prompt, cell.seed): i for i, cell in enumerate(cells)}
    settings = (plain.steps, plain.guidance)
    made = BaseLatents(model.manifest.root, settings, rows, latents)
    made.save(job.weights / FILE)


def _one_of_each() -> Iterator[ProbeCase]:
    """Yield the first picture of each cell: those that nats are read on."""
    seen, asked = world(), book()
    for name in (*seen.styles, *seen.subjects):
        yield from asked.alone(seen.concepts[name], 1, ())


def _measure(job: Job) -> None:
    weights = job.weights
    model = DiffusersModel.load(weights)
    vae = AutoencoderKL.from_pretrained(weights / "vae", torch_dtype=torch.float32)
    figures = measure.report(AtelierJudge.load(weights / "judge"), model, vae)
    figures["root"] = model.manifest.root
    figures["steps"] = STEPS
    text = json.dumps(figures, indent=1)
    (weights / "quality.json").write_text(text + "\n", encoding="utf-8")
    card.write(figures, weights)


PARTS: Final[Mapping[str, Callable[[Job], None]]] = {
    "judge": _judge,
    "autoencoder": _autoencoder,
    "unet": _unet,
    "pipeline": _pipeline,
    "readings": _readings,
    "latents": _latents,
    "measure": _measure,
}
"""The parts in the order in which they are made."""

if __name__ == "__main__":
    main()
