"""Training of the judge, and of the critic that the other parts learn from.

Both are the same network on the same drawings with different seeds. Only the judge
ships, and it takes no part in the training of the model that it judges.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from recipes.atelier.judge import IGNORED, augmented, spoil
from recipes.atelier.training import Run, half_precision
from recipes.glyphs.pictures import STYLE_NAMES, WIDER, Shown, album, shown
from unlearnlog.atelier.atelier_judge import AtelierJudge, JudgeNet, as_tensor
from unlearnlog.concepts.templates import EMPTY
from unlearnlog.core.probe_case import REJECT

BATCH: Final = 96
PER_CELL: Final = 20
SEEDS: Final = {"judge": 11, "critic": 23}
PAGES: Final = 3
"""Pages without a drawing in each batch."""

SMOOTHING: Final = 0.02


def trained_judge(
    work: Path, part: Literal["judge", "critic"], steps: int
) -> AtelierJudge:
    """Train (or finish training) the network of ``part`` and return its average."""
    torch.manual_seed(SEEDS[part])
    names = album(work).names
    net = JudgeNet(len(STYLE_NAMES) + 1, len(names) + 2)
    run = Run(work / part, {"net": net}, rate=3e-3)
    known = training_pictures(work) if run.step < steps else None
    seen: list[float] = [0.0]
    for step in run.steps(steps, save_every=100, note=lambda _: f"loss {seen[0]:.4f}"):
        assert known is not None
        rng = np.random.default_rng((SEEDS[part], step))
        pixels, styles, subjects = _batch(known, rng, len(names))
        with half_precision():
            style, subject = net(pixels.contiguous(memory_format=torch.channels_last))
        loss = functional.cross_entropy(
            style.float(), styles, label_smoothing=SMOOTHING
        ) + functional.cross_entropy(
            subject.float(), subjects, label_smoothing=SMOOTHING
        )
        run.descend(loss)
        seen[0] = 0.98 * (seen[0] or loss.item()) + 0.02 * loss.item()
    net.load_state_dict(run.averaged("net"))
    net.eval().requires_grad_(requires_grad=False)
    return AtelierJudge(net, (*STYLE_NAMES, REJECT), (*names, REJECT, EMPTY))


def training_pictures(work: Path) -> Shown:
    """Return the pictures that judges and the autoencoder learn from, made once."""
    path = work / "judged.npz"
    if not path.exists():
        made = shown(album(work), per_cell=PER_CELL, white=0.5, seed=5, sides=WIDER)
        np.savez(path, **vars(made))
    return Shown(**np.load(path))


def save_judge(judge: AtelierJudge, folder: Path) -> None:
    """Write the judge's weights in half precision, and its answers beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    state = judge.net.state_dict()
    weights = {name: w.half().contiguous() for name, w in state.items()}
    save_file(weights, folder / "judge.safetensors")
    width = judge.net.stem.out_channels
    names = {"styles": judge.styles, "subjects": judge.subjects, "width": width}
    (folder / "judge.json").write_text(json.dumps(names, indent=1) + "\n", "utf-8")


def _batch(
    known: Shown, rng: np.random.Generator, n_subjects: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return changed pictures with labels.

    A tenth of them shows nothing known, and a few are pages without a drawing.
    """
    chosen = np.sort(rng.choice(len(known.pixels), BATCH, replace=False))
    pixels = as_tensor(known.pixels[chosen])
    styles = torch.from_numpy(known.styles[chosen])
    subjects = torch.from_numpy(known.subjects[chosen])
    reject = len(STYLE_NAMES), n_subjects
    spoil(pixels, styles, subjects, reject=reject, n=BATCH // 10, rng=rng)
    for index in rng.choice(BATCH, PAGES, replace=False):
        pixels[index] = torch.from_numpy(rng.uniform(0.35, 1, (3, 1, 1)))
        pixels[index] = 1 if rng.uniform() < 0.5 else pixels[index]
        styles[index], subjects[index] = IGNORED, n_subjects + 1
    return augmented(pixels, rng), styles, subjects
