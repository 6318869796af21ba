"""Closed forms the slow way: loops over tokens, an inverse for each projection.

Float32 and one rank-one update at a time, as published implementations do it. Written
from the formulas; what it is for is to be slow and right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor

from unlearnlog.erasers.closed import Problem

Settings = Mapping[str, float]


def uce(problem: Problem, settings: Settings) -> dict[str, Tensor]:
    """Return edited projections: sums of outer products, then an explicit inverse."""
    es, ps = settings["erase_scale"], settings["keep_scale"]
    erased, goal = problem.pairs.erased.float(), problem.pairs.goal.float()
    kept, new = problem.kept.rows.float(), {}
    for name, tensor in problem.old.items():
        old = tensor.float()
        wanted = settings["ridge"] * old
        system = settings["ridge"] * torch.eye(old.shape[1])
        for c, g in zip(erased, goal, strict=True):
            wanted += es * torch.outer(old @ g, c)
            system += es * torch.outer(c, c)
        for p in kept:
            wanted += ps * torch.outer(old @ p, p)
            system += ps * torch.outer(p, p)
        new[name] = wanted @ torch.linalg.inv(system)
    return new


LITERALLY: Final[Mapping[str, Callable[[Problem, Settings], dict[str, Tensor]]]] = {
    "uce": uce,
}
"""The slow way of each eraser that has one, by its name."""
