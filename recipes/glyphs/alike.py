"""Subjects that look alike, by the judge's own confusions on real drawings."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from recipes.glyphs.pictures import WIDER, album, shown
from unlearnlog.atelier.atelier_judge import AtelierJudge, as_tensor

SEED: Final = 83
PER_CELL: Final = 2
COARSE: Final = 24
"""Side, in pixels, that pictures are shrunk to first: the judge must be in doubt."""

LEAST: Final = 0.05
"""Mean probability of the other subject from which on two are alike."""


def look_alikes(work: Path, judge: AtelierJudge) -> list[tuple[str, str]]:
    """Return pairs of subjects of which the judge takes one for the other."""
    found = album(work)
    some = shown(found, per_cell=PER_CELL, white=1.0, seed=SEED, sides=WIDER)
    n = len(found.names)
    sums, counts = torch.zeros(n, n), torch.zeros(n)
    for rows in torch.arange(len(some.pixels)).split(256):
        told = _probabilities(judge, as_tensor(some.pixels[rows.numpy()]))[:, :n]
        subjects = torch.from_numpy(some.subjects[rows.numpy()])
        sums.index_add_(0, subjects, told)
        counts.index_add_(0, subjects, torch.ones(len(rows)))
    mean = sums / counts[:, None]
    doubt = torch.maximum(mean, mean.T).triu(1)
    pairs = (doubt >= LEAST).nonzero().tolist()
    return [(found.names[i], found.names[j]) for i, j in pairs]


def _probabilities(judge: AtelierJudge, pixels: Tensor) -> Tensor:
    """Return the judge's probabilities of subjects on pictures made coarse."""
    small = nn.functional.interpolate(pixels, size=(COARSE, COARSE), mode="area")
    coarse = nn.functional.interpolate(small, size=pixels.shape[2:], mode="bilinear")
    with torch.inference_mode():
        told: Tensor = judge.net(coarse)[1].softmax(1)
    return told
