"""Forecasts of whether a fine-tune brings a concept back, and their scores.

Two numbers, from the gradients at the erased weights, before a single step. The
*alignment*: the cosine between the gradient of the fine-tune's loss and that of the
concept's own, on pictures that the base paints of it; where it is positive, a step of
the one lowers the other, to first order. (Of a LoRA only one factor has a gradient at
its beginning, since the other is 0.) The *return coefficient* rho: the share of the way
from the erased weights theta_k back to the base theta_0 that the fine-tune goes,

    rho = <theta_ft - theta_k, theta_0 - theta_k> / ||theta_0 - theta_k||^2,

over the tensors that the erasure changed: 1 is all the way back. Its forecast is rho if
every step were like the first. Afterwards the true rho is measured, and each forecast
is scored by its rank correlation with the change of presence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from unlearnlog.audits.finetune_training import EncodedDataset, source_of
from unlearnlog.audits.return_coefficient import share_of_the_way
from unlearnlog.probes.rank_correlation import FEWEST, rank_correlation

if TYPE_CHECKING:
    from torch import Tensor

    from unlearnlog.audits.finetune_training import FinetuneSettings, Start
    from unlearnlog.models.interface import Trainer
    from unlearnlog.probes.statistics import Estimate

N_BATCHES: Final = 8
"""Batches of a mean gradient, each with noise of its own."""


@dataclass(frozen=True)
class ReturnForecast:
    """The forecast of one concept's return in a fine-tune.

    Attributes:
        concept: Its name.
        alignment: Cosine of two gradients over all trained weights, in [-1, 1].
        rho: The return coefficient if every step were like the first; None where the
            state is the base.
        n: Pictures, each with noise of its own, behind either gradient.
    """

    concept: str
    alignment: float
    rho: float | None
    n: int


def forecasts(
    start: Start,
    lesson: EncodedDataset,
    targets: Mapping[str, EncodedDataset],
    *,
    training: FinetuneSettings,
) -> tuple[ReturnForecast, ...]:
    """Return the forecast of each concept's return in a fine-tune.

    Args:
        start: The erased weights that the fine-tune begins with.
        lesson: The data set.
        targets: Each concept's own prompts on pictures that the base paints, by name.
        training: The settings of the fine-tune.
    """
    learner = start.learner(training)
    theirs = _gradient(learner, lesson, training, "lesson")
    found = []
    for name, data in targets.items():
        own = _gradient(learner, data, training, "target")
        found.append((name, _cosine(theirs, own)))
    rho = _rho_of_the_first_step(start, learner, theirs, training)
    n = N_BATCHES * training.batch
    return tuple(ReturnForecast(name, alignment, rho, n) for name, alignment in found)


def score(said: Sequence[float], came: Sequence[float]) -> Estimate | None:
    """Return the rank correlation of a forecast with the change of presence.

    Args:
        said: The forecast of each concept in each fine-tune.
        came: The change of its presence from the beginning to the end.

    Returns:
        None where there are too few, or all are equal and have no ranks.
    """
    if len(said) < FEWEST or len(set(said)) < 2 or len(set(came)) < 2:
        return None
    return rank_correlation(said, came)


def _gradient(
    learner: Trainer, data: EncodedDataset, training: FinetuneSettings, use: str
) -> list[Tensor]:
    """Return the mean gradient of a loss over some batches, one tensor a parameter."""
    parameters = list(learner.parameters.values())
    total = [torch.zeros_like(p) for p in parameters]
    for i in range(N_BATCHES):
        source = source_of(training.seed, f"forecast {use} {i}")
        batch = data.batch(source, n=training.batch, dropout=0.0)
        some = torch.autograd.grad(batch.loss(learner), parameters, allow_unused=True)
        for mean, gradient in zip(total, some, strict=True):
            if gradient is not None:
                mean += gradient / N_BATCHES
    return total


def _cosine(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    """Return the cosine of two gradients; 0 where one of them is zero."""
    pairs = list(zip(one, other, strict=True))
    common = sum(float((a.double() * b.double()).sum()) for a, b in pairs)
    sizes = [
        sum(float(a.double().square().sum()) for a in each) for each in (one, other)
    ]
    norm = (sizes[0] * sizes[1]) ** 0.5
    return max(-1.0, min(1.0, common / norm)) if norm else 0.0


def _rho_of_the_first_step(
    start: Start,
    learner: Trainer,
    gradient: Sequence[Tensor],
    training: FinetuneSettings,
) -> float | None:
    """Return rho of as many steps as are planned, all like the first of AdamW."""
    before = learner.weights()
    parameters = list(learner.parameters.values())
    adam = torch.optim.AdamW(
        parameters, lr=training.step_size, weight_decay=training.decay
    )
    for parameter, each in zip(parameters, gradient, strict=True):
        parameter.grad = each
    adam.step()
    erased = {name: before.get(name, tensor) for name, tensor in start.weights.items()}
    first = share_of_the_way(learner.weights(), erased, start.model.base)
    return None if first is None else training.steps * first
