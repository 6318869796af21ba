"""How many nats? What a prompt still says of a picture, and what else has moved.

Source:
    Kong et al., ICLR 2024, https://arxiv.org/abs/2310.07972: information as an integral
    over noise levels. The panel over two sets of weights is ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from unlearnlog.cell import Cell
from unlearnlog.concept import Concept
from unlearnlog.delta import Weights
from unlearnlog.model.protocol import Model, Painted
from unlearnlog.nats import NoiseLevels
from unlearnlog.probes.probe import About, reading
from unlearnlog.probes.statistics import Estimate, clustered_mean
from unlearnlog.prompt import Prompt
from unlearnlog.reading import Reading

SOURCE: Final = "https://arxiv.org/abs/2310.07972"
N_LEVELS: Final = 10
SEED: Final = 9_973
"""Seeds of the noise bank start here, far from the seeds that pictures start from."""


@dataclass(frozen=True)
class Pictures:
    """Pictures of one set of weights with the prompts they were painted for.

    Attributes:
        cells: What was asked for.
        latents: What was painted, ``[n, c, h, w]``.
    """

    cells: tuple[Cell, ...]
    latents: Tensor

    @classmethod
    def of(cls, cells: Sequence[Cell], painted: Painted, at: Sequence[int]) -> Pictures:
        """Take some of the painted pictures."""
        return cls(tuple(cells[i] for i in at), painted.latents[list(at)])


def self_information(
    model: Model,
    concept: Concept,
    *,
    prompts: Sequence[Prompt],
    before: Pictures,
    after: tuple[Pictures, Weights],
) -> tuple[Reading, ...]:
    """Return ``self-mi`` and ``self-mi.gap``: nats the prompt says beyond its context.

    Both are read on each state's own pictures. ``self-mi`` is the mean squared
    difference of the two predictions, never negative; the ``gap`` is by how much the
    two-loss estimate exceeds it, near 0 for a calibrated model.
    """
    now, weights = after
    base = _information(model, prompts, before, None)
    new = _information(model, prompts, now, weights)
    readings = []
    for name, old_values, new_values in (
        ("self-mi", base.difference, new.difference),
        ("self-mi.gap", base.gap, new.gap),
    ):
        about = About(
            name, concept.name, "lower" if name == "self-mi" else "none", "nats"
        )
        mean = float(torch.tensor(old_values).mean())
        readings.append(reading(about, over_cells(new_values, now.cells), mean))
    return tuple(readings)


@torch.no_grad()
def bound_information(
    model: Model,
    concept: Concept,
    *,
    texts: Sequence[tuple[str, str]],
    before: Pictures,
    weights: Weights,
) -> tuple[Reading, ...]:
    """Return ``bound-mi``: nats between the prompt and the target that replaces it.

    1/2 Int E||eps_theta(x, c) - eps_phi(x, target)||^2 on the base's pictures, which is
    what `mim` minimises: 0 when the erased prompt predicts what the base predicts for
    the target. Its base is the same with phi for theta.

    Args:
        model: The base, phi.
        concept: What was erased.
        texts: For each picture the prompt and the target's prompt.
        before: The base's pictures of the concept.
        weights: The weights after the erasure, theta.
    """
    named = model.encode([text for text, _ in texts])
    instead = model.encode([target for _, target in texts])
    old, new = [], []
    for x_t, t, _ in noised(model, before):
        goal = model.eps(x_t, t, instead)
        old.append(_square(model.eps(x_t, t, named) - goal))
        new.append(_square(model.eps(x_t, t, named, weights=weights) - goal))
    levels = NoiseLevels.of(model, N_LEVELS)
    base = float(levels.integral(torch.stack(old, 1)).mean())
    values = levels.integral(torch.stack(new, 1)).tolist()
    about = About("bound-mi", concept.name, "lower", "nats")
    return (reading(about, over_cells(values, before.cells), base),)


@torch.no_grad()
def drift(model: Model, kept: Pictures, weights: Weights) -> tuple[Reading, ...]:
    """Return ``drift``, nats by which kept prompts and the empty one moved."""
    prompts = [cell.prompt for cell in kept.cells]
    readings = []
    both = {"(kept)": prompts, "(empty prompt)": [""] * len(prompts)}
    for concept, texts in both.items():
        text = model.encode(texts)
        errors = []
        for x_t, t, _ in noised(model, kept):
            base = model.eps(x_t, t, text)
            errors.append(_square(base - model.eps(x_t, t, text, weights=weights)))
        values = NoiseLevels.of(model, N_LEVELS).integral(torch.stack(errors, 1))
        about = About("drift", concept, "lower", "nats")
        readings.append(reading(about, over_cells(values.tolist(), kept.cells), 0.0))
    return tuple(readings)


@dataclass(frozen=True)
class _Information:
    difference: list[float]
    gap: list[float]


@torch.no_grad()
def _information(
    model: Model, prompts: Sequence[Prompt], pictures: Pictures, weights: Weights | None
) -> _Information:
    """Return i(x; text | context) of each picture, by both estimators, in nats."""
    text = model.encode([p.text for p in prompts])
    context = model.encode([p.context for p in prompts])
    differences, losses = [], []
    for x_t, t, noise in noised(model, pictures):
        named = model.eps(x_t, t, text, weights=weights)
        plain = model.eps(x_t, t, context, weights=weights)
        differences.append(_square(named - plain))
        losses.append(_square(noise - plain) - _square(noise - named))
    levels = NoiseLevels.of(model, N_LEVELS)
    difference = levels.integral(torch.stack(differences, 1))
    two_loss = levels.integral(torch.stack(losses, 1))
    return _Information(difference.tolist(), (two_loss - difference).tolist())


def noised(model: Model, pictures: Pictures) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield noised latents, timesteps and noise, one triple a level.

    The noise depends on the level and on each picture's prompt and seed, not on which
    other pictures there are: any two states are compared under the same noise.
    """
    for level, step in enumerate(NoiseLevels.of(model, N_LEVELS).steps):
        seeds = [SEED + N_LEVELS * cell.seed + level for cell in pictures.cells]
        pairs = zip(pictures.cells, seeds, strict=True)
        noise = torch.stack([model.latent(cell.prompt, seed) for cell, seed in pairs])
        t = torch.full((len(seeds),), step)
        yield model.noised(pictures.latents, noise, t), t, noise


def _square(difference: Tensor) -> Tensor:
    return difference.square().flatten(1).sum(1)


def over_cells(values: Sequence[float], cells: Sequence[Cell]) -> Estimate:
    """Return the mean over pictures, clustered by subject and by style."""
    return clustered_mean(
        values, [cell.subject for cell in cells], [cell.style for cell in cells]
    )
