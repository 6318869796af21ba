"""Measurements of the bundled model against its requirements.

Each figure is measured on pictures that no training used: fresh seeds for rendered
pictures, the probes' own templates and latents for painted ones.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from recipes.atelier.autoencoder import decoded, encoded
from recipes.atelier.pictures import (
    STYLE_NAMES,
    SUBJECT_NAMES,
    Pictures,
    fresh_pictures,
    known,
)
from unlearnlog.atelier.atelier_judge import AtelierJudge
from unlearnlog.atelier.bundled_concepts import book, world
from unlearnlog.concepts.templates import PROBING, spoken
from unlearnlog.core.probe_case import Answer, ProbeCase
from unlearnlog.models.interface import Model, Sampling

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

SAMPLING: Final = Sampling(steps=10, guidance=3.0)
N_SEEDS: Final = 4
N_MARGINAL: Final = 40


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of the judge on some pictures.

    Attributes:
        style: Share of pictures with the right style.
        subject: Share of pictures with the right subject.
        n: Number of pictures.
        styles: Share for each style.
        subjects: Share for each subject.
        mistaken: Counts of one name taken for another, most frequent first.
    """

    style: float
    subject: float
    n: int
    styles: dict[str, float]
    subjects: dict[str, float]
    mistaken: dict[str, int]


def accuracy(cells: Sequence[ProbeCase], answers: Sequence[Answer]) -> Accuracy:
    """Return the accuracy of the judge's answers, given the true labels."""
    pairs = list(zip(cells, answers, strict=True))
    mistakes = Counter(
        f"{cell.shows(kind) or '(empty)'} -> {answer.of(kind) or '(empty)'}"
        for cell, answer in pairs
        for kind in ("style", "subject")
        if cell.shows(kind) != answer.of(kind)
    )

    def by_name(kind: str) -> dict[str, float]:
        names = dict.fromkeys(cell.shows(kind) for cell in cells)
        return {
            name or "(empty)": float(
                np.mean([a.of(kind) == name for c, a in pairs if c.shows(kind) == name])
            )
            for name in names
        }

    return Accuracy(
        style=float(np.mean([c.style == a.style for c, a in pairs])),
        subject=float(np.mean([c.subject == a.subject for c, a in pairs])),
        n=len(pairs),
        styles=by_name("style"),
        subjects=by_name("subject"),
        mistaken=dict(mistakes.most_common(30)),
    )


def rendered_accuracy(judge: AtelierJudge, per_cell: int = 8) -> Accuracy:
    """Return the accuracy on fresh rendered pictures of every cell, held out or not."""
    fresh = fresh_pictures(per_cell)
    pictures = torch.from_numpy(np.array(fresh.pixels))
    return accuracy(_cells(fresh), judge.of_pictures(pictures))


def decoded_accuracy(
    judge: AtelierJudge, vae: AutoencoderKL, per_cell: int = 8
) -> Accuracy:
    """Return the accuracy on fresh pictures of known concepts, encoded and decoded."""
    fresh = fresh_pictures(per_cell)
    mine = known(fresh)
    part = Pictures(fresh.pixels[mine], fresh.styles[mine], fresh.subjects[mine])
    pictures = torch.from_numpy(decoded(vae, encoded(vae, part.pixels)))
    return accuracy(_cells(part), judge.of_pictures(pictures))


def painted_accuracy(
    judge: AtelierJudge, model: Model, n_seeds: int = N_SEEDS
) -> Accuracy:
    """Return the accuracy on painted pictures of the subject x style grid."""
    cells = book().kept((), n_seeds)
    return accuracy(cells, judge.of_pictures(_painted(model, cells)))


def marginal_shares(
    judge: AtelierJudge, model: Model, n_seeds: int = N_MARGINAL
) -> dict[str, float]:
    """Return the share of each style under prompts that name no artist."""
    cells = [
        ProbeCase(
            spoken(PROBING[seed % 2].no_style, subject=subject), seed, subject, ""
        )
        for seed in range(n_seeds)
        for subject in world().subjects
    ]
    answers = judge.of_pictures(_painted(model, cells))
    counts = Counter(answer.style for answer in answers)
    names = (*world().styles, *(s for s in counts if s not in world().styles))
    return {name: counts[name] / len(cells) for name in names}


def painting_seconds(model: Model, tries: int = 3) -> float:
    """Return the least seconds of 64 guided pictures."""
    cells = book().kept((), 1)[:64]
    taken = []
    for _ in range(tries):
        start = time.perf_counter()
        _painted(model, cells)
        taken.append(time.perf_counter() - start)
    return min(taken)


def lookalikes(painted: Accuracy) -> dict[str, float]:
    """Return the accuracy of each named artist or subject that has a look-alike."""
    names = {name for pair in world().look_alikes for name in pair}
    both = {**painted.styles, **painted.subjects}
    return {name: both[name] for name in sorted(names) if name in both}


def report(judge: AtelierJudge, model: Model, vae: AutoencoderKL) -> dict[str, object]:
    """Return all measurements: shares, and seconds where the name says so."""
    painted = painted_accuracy(judge, model)
    return {
        "rendered": asdict(rendered_accuracy(judge)),
        "decoded": asdict(decoded_accuracy(judge, vae)),
        "painted": asdict(painted),
        "look_alikes": lookalikes(painted),
        "marginal": marginal_shares(judge, model),
        "n_marginal": N_MARGINAL * len(world().subjects),
        "seconds_for_64": painting_seconds(model),
        "sampling": asdict(SAMPLING),
    }


def _painted(model: Model, cells: Sequence[ProbeCase]) -> torch.Tensor:
    prompts = [cell.prompt for cell in cells]
    seeds = [cell.seed for cell in cells]
    return model.paint(prompts, seeds, sampling=SAMPLING).pictures


def _cells(pictures: Pictures) -> list[ProbeCase]:
    pairs = zip(pictures.subjects, pictures.styles, strict=True)
    return [ProbeCase("", 0, SUBJECT_NAMES[s], STYLE_NAMES[t]) for s, t in pairs]
