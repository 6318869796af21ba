"""What tests of trained erasers share: a small erasure, and its formulas by hand.

`LinearModel` predicts ``share * x_t + W e`` with e the mean token of a prompt, so the
gradient of a mean square is one outer product a picture. Everything is in float64, one
picture at a time, from the same draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from tests.fakes import NAME, LinearModel
from unlearnlog.core.prompt import Prompt
from unlearnlog.erasers.eraser import Request
from unlearnlog.erasers.gradient import GradientEraser
from unlearnlog.models.interface import Sampling

FORGET = tuple(
    Prompt(
        f"a {noun} by picasso",
        f"a {noun}",
        f"photo {noun}",
        sibling=f"a {noun} by braque",
    )
    for noun in ("cat", "dog", "tree")
)
KEPT = ("a cat", "a dog", "", "photo cat")
SMALL: dict[str, Any] = {"n_pictures": 24, "batch": 4, "steps": 12, "rate": 0.05}
SMALL_KEPT: dict[str, Any] = {**SMALL, "n_kept": 10}
SEED = 3


def request_of(model: LinearModel | None = None, **more: Any) -> Request:
    model = model or LinearModel()
    settings: dict[str, Any] = {
        "old": model.base,
        "forget": (FORGET,),
        "keep": KEPT,
        "sampling": Sampling(steps=1, guidance=1.0),
        "seed": SEED,
    }
    return Request(model, **{**settings, **more})


def step_of(eraser: GradientEraser, request: Request):
    """Return one step's gradients, a loss each, at weights beside the base's."""
    moved = (request.old[NAME].float() + 0.1).requires_grad_()
    scene = eraser.scene(request)
    found = []
    for loss in eraser.losses(scene, {NAME: moved}):
        found.append(torch.autograd.grad(loss, [moved])[0].double())
    return found, moved.detach().double(), scene


@dataclass(frozen=True)
class Seen:
    """One noised picture, as the model sees it.

    Attributes:
        row: Its number among those that are learnt from.
        x: What the model predicts apart from W e, ``[8]``.
        noise: Its noise, ``[8]``.
        t: Its timestep.
    """

    row: int
    x: torch.Tensor
    noise: torch.Tensor
    t: int


def seen_by(latents, *draws: int, learnt: int | None = None) -> list[list[Seen]]:
    """Repeat the draws of as many batches, with the seed of `request_of`."""
    rng = torch.Generator().manual_seed(SEED)
    return [seen(latents[:learnt], batch, rng) for batch in draws]


def seen(latents, batch: int, rng: torch.Generator) -> list[Seen]:
    model = LinearModel()
    rows = torch.randint(len(latents), (batch,), generator=rng)
    t = torch.randint(model.n_steps_trained, (batch,), generator=rng)
    noise = torch.randn(batch, *model.latent_shape, generator=rng)
    found = []
    for i in range(batch):
        x_t = model.noised(latents[rows[i]], noise[i : i + 1], t[i : i + 1])
        x = float(1 - t[i] / 100) * x_t.double().flatten()
        found.append(Seen(int(rows[i]), x, noise[i].double().flatten(), int(t[i])))
    return found


def prompt_of(picture: Seen) -> Prompt:
    """Return the prompt of a picture of the forget set."""
    return FORGET[picture.row % len(FORGET)]


def mean_token(text: str) -> torch.Tensor:
    return LinearModel().encode([text]).tokens[0].double().mean(0)


def descent(residual: torch.Tensor, token: torch.Tensor, batch: int) -> torch.Tensor:
    """Return one picture's part of the gradient of a mean square: 2 r e^T / (8 b)."""
    return 2 / (8 * batch) * torch.outer(residual, token)


def assert_same(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Allow what float32 loses in a few sums."""
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
