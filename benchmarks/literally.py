"""Closed forms written out: loops over tokens, an inverse for each projection.

They compute in float32 and one rank-one update at a time, as published implementations
do. They follow the formulas, and are references for results and for time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor

from unlearnlog.erasers.closed_form import Problem

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


def speed(problem: Problem, settings: Settings) -> dict[str, Tensor]:
    """Return edited projections, with every sum, SVD and inverse for each of them."""
    erased, goal = problem.pairs.erased.float(), problem.pairs.goal.float()
    kept, one, new = problem.kept.rows.float(), torch.eye(problem.d_text), {}
    held = _held(problem)
    chance = torch.Generator().manual_seed(0)
    for name, tensor in problem.old.items():
        old = tensor.float()
        square, cross = torch.zeros_like(one), torch.zeros_like(one)
        for c, g in zip(erased, goal, strict=True):
            square += torch.outer(c, c)
            cross += torch.outer(g, c)
        free = old @ (cross - square) @ torch.linalg.inv(one + square)
        retained = _shifted(free, [*kept], float(settings["filter"]))
        unseen = torch.linalg.svd(old).Vh[min(old.shape) - 1]
        copies = [
            p + torch.randn(1, generator=chance) * unseen
            for p in retained
            for _ in range(int(settings["copies"]))
        ]
        retained = retained + _shifted(free, copies, 1.0)
        moment = torch.zeros_like(one)
        for p in retained:
            moment += torch.outer(p, p) / len(retained)
        left, sizes, _ = torch.linalg.svd(moment)
        left = left[:, sizes < settings["threshold"]]
        null = left @ left.T
        inverse = torch.linalg.inv(square @ null + one / settings["erase_scale"])
        inner = held.T @ null @ inverse @ held + settings["slack"] * torch.eye(4)
        hold = one - inverse @ held @ torch.linalg.inv(inner) @ held.T @ null
        new[name] = old + old @ (cross - square) @ null @ hold @ inverse
    return new


def _shifted(free: Tensor, tokens: list[Tensor], share: float) -> list[Tensor]:
    """Return the tokens that an edit without constraints moves by more than most."""
    shifts = [float((free @ token).norm()) for token in tokens]
    least = share * sum(shifts) / max(len(shifts), 1)
    return [token for token, shift in zip(tokens, shifts, strict=True) if shift > least]


def _held(problem: Problem) -> Tensor:
    """Return the start mark and three centres of the padding, as columns."""
    padding = problem.padding.float()
    found = padding[:: len(padding) // 3][:3]
    for _ in range(20):
        nearest = torch.cdist(padding, found).argmin(1)
        found = torch.stack([padding[nearest == i].mean(0) for i in range(3)])
    return torch.cat([problem.start.float()[None], found]).T


def oce(problem: Problem, settings: Settings) -> dict[str, Tensor]:
    """Return turned projections: one singular value decomposition as wide as each."""
    erased, goal = problem.pairs.erased.float(), problem.pairs.goal.float()
    captions, new = vars(problem)["captions"].float(), {}
    for name, tensor in problem.old.items():
        old = tensor.float()
        away = _projector(old @ erased.T, float(settings["distinct"]))
        stays = _projector(old @ goal.T, float(settings["distinct"]))
        system = -settings["erase_scale"] * away @ (torch.eye(len(old)) - stays)
        system += settings["caption_scale"] * old @ captions @ old.T
        for p in problem.kept.rows.float():
            system += settings["keep_scale"] * torch.outer(old @ p, old @ p)
        system += settings["ridge"] * old @ old.T
        left, _, right = torch.linalg.svd(system)
        new[name] = left @ right @ old
    return new


def _projector(columns: Tensor, distinct: float) -> Tensor:
    """Return the projector onto the span of columns, each scaled to length 1."""
    left, sizes, _ = torch.linalg.svd(
        columns / columns.norm(dim=0), full_matrices=False
    )
    left = left[:, sizes > distinct * sizes[0]]
    onto: Tensor = left @ left.T
    return onto


LITERALLY: Final[Mapping[str, Callable[[Problem, Settings], dict[str, Tensor]]]] = {
    "uce": uce,
    "speed": speed,
    "oce": oce,
}
"""The written-out form of each eraser that has one, by name."""
