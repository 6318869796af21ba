"""The ridge edit the slow way: loops over prompts and positions, an inverse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from unlearnlog.erasers.closed_form import Problem
from unlearnlog.erasers.eraser import Request
from unlearnlog.erasers.uce import RidgeEdit

Weighed = tuple[Tensor, Tensor, float]
"""A token, what it shall be heard as, and its weight."""


def moved(request: Request, eraser: RidgeEdit) -> Iterator[Weighed]:
    """Yield every token of every erased prompt that takes part, one at a time."""
    for group in request.forget:
        for prompt in group:
            instead = prompt.target(eraser.target)
            said, goal = (
                request.model.encode([text]).tokens[0].double()
                for text in (prompt.text, instead)
            )
            words, n = prompt.text.split(), len(said)
            name = prompt.named.split()
            first = next(
                i for i in range(len(words)) if words[i : i + len(name)] == name
            )
            last, end = first + len(name), len(instead.split())
            if eraser.span == "last":
                places = [(last, end)]
            elif eraser.span == "tail":
                places = [(last + i, end + i) for i in range(n - max(last, end))]
            else:
                places = [(i, i) for i in range(first + 1, n)]
            for here, there in places:
                yield said[here], goal[there], 1 / (len(group) * len(places))


def held(request: Request, eraser: RidgeEdit) -> Iterator[Weighed]:
    """Yield every token of every kept prompt that takes part, as its own goal."""
    for text in request.keep:
        tokens = request.model.encode([text]).tokens[0].double()
        some = tokens if eraser.span != "last" else [tokens[len(text.split())]]
        for token in some:
            yield token, token, 1 / len(some)


def edited(old: Tensor, request: Request, eraser: RidgeEdit) -> Tensor:
    """Return the edited projection, float64."""
    old, lamb = old.double(), eraser.ridge
    system = lamb * torch.eye(old.shape[1]).double()
    wanted = lamb * old
    for tokens, scale in (
        (moved(request, eraser), eraser.erase_scale),
        (held(request, eraser), eraser.keep_scale),
    ):
        for token, goal, weight in tokens:
            wanted = wanted + scale * weight * torch.outer(old @ goal, token)
            system = system + scale * weight * torch.outer(token, token)
    solution: Tensor = wanted @ torch.linalg.inv(system)
    return solution


def objective(new: Tensor, old: Tensor, request: Request, eraser: RidgeEdit) -> Tensor:
    """Return what the edit minimises, a sum over tokens."""
    old = old.double()
    total = eraser.ridge * (new - old).square().sum()
    for token, goal, weight in moved(request, eraser):
        total = (
            total
            + eraser.erase_scale * weight * (new @ token - old @ goal).square().sum()
        )
    for token, _, weight in held(request, eraser):
        total = (
            total
            + eraser.keep_scale * weight * (new @ token - old @ token).square().sum()
        )
    return total


def split(problem: Problem, times: int) -> Problem:
    """Return the same problem with every pair said so many times, each for a part."""
    pairs = problem.pairs
    many = replace(
        pairs,
        erased=pairs.erased.repeat(times, 1),
        goal=pairs.goal.repeat(times, 1),
        weights=pairs.weights.repeat(times) / times,
        owner=pairs.owner.repeat(times),
    )
    return replace(problem, pairs=many)
