"""The training loop of all trained erasers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from unlearnlog.core.ranks import OneProcess, Ranks
from unlearnlog.errors import TrainingError

if TYPE_CHECKING:
    from unlearnlog.erasers.eraser import Request
    from unlearnlog.erasers.trainable_change import TrainableChange

Gradients = dict[str, Tensor]
"""Gradients by the names of the parameters."""

Losses = Callable[[dict[str, Tensor]], Sequence[Tensor]]
"""The losses of one step, from the weights as they are."""

Mix = Callable[[Sequence[tuple[float, Gradients]]], Gradients]
"""One gradient from the values and the gradients of several losses."""

Gate = Callable[[int, Gradients], None]
"""A function that changes a step's gradients in place, as a mask does."""

Look = Callable[[int, dict[str, Tensor]], float]
"""A function of the step and the weights before it: the rate's factor, 0 to stop.

It must return the same in every process.
"""


@dataclass(frozen=True)
class BatchShare:
    """One of the parts, all of one size, that a batch is computed in.

    Attributes:
        part: Its number, from 0.
        n: Number of parts.
    """

    part: int = 0
    n: int = 1

    def rows(self, batch: int) -> slice:
        """Return the rows of a batch that are in this part."""
        each = batch // self.n
        return slice(self.part * each, (self.part + 1) * each)


@dataclass(frozen=True)
class MicroBatches:
    """The losses of a step, by parts of its batch.

    Each process computes some of the parts. All sum the gradients of all parts in the
    order of the parts, so the bits of a training depend on the number of parts, and not
    on the number of processes.

    Attributes:
        losses: Returns the losses of one part.
        n: Number of parts.
        rng: The source of random numbers, from which each part draws the whole batch.
        ranks: The processes.
    """

    losses: Callable[[BatchShare], Losses]
    n: int = 1
    rng: torch.Generator = field(default_factory=torch.Generator)
    ranks: Ranks = field(default_factory=OneProcess)

    @property
    def own(self) -> range:
        """The numbers of this process's parts."""
        each = self.n // self.ranks.size
        return range(self.ranks.rank * each, (self.ranks.rank + 1) * each)

    def computed(
        self, moved: Callable[[], dict[str, Tensor]], parameters: Mapping[str, Tensor]
    ) -> list[tuple[float, Gradients]]:
        """Return the value and the gradients of each loss, as means over the parts.

        Args:
            moved: Returns the weights that follow from the parameters, with a gradient.
            parameters: The trained tensors, by name.
        """
        start, rows = self.rng.get_state(), []
        for i in self.own:
            self.rng.set_state(start)
            found = self.losses(BatchShare(i, self.n))(moved())
            rows.append(_rows(found, parameters))
        every = torch.cat(self.ranks.gathered(torch.stack(rows)))
        total = every[0]
        for part in every[1:]:
            total = total + part
        return [_split(row, parameters) for row in total / self.n]


@dataclass(frozen=True)
class TrainingPlan:
    """The length and the rate of a training.

    Attributes:
        steps: Steps, at most.
        rate: Step size of AdamW.
        decay: Weight decay of the change.
        average: Share of itself that an exponential moving average of the parameters
            keeps at each step; it is the result. 0 for the parameters themselves.
    """

    steps: int
    rate: float
    decay: float = 0.0
    average: float = 0.0


def _only(found: Sequence[tuple[float, Gradients]]) -> Gradients:
    return found[0][1]


def train(
    request: Request,
    change: TrainableChange,
    losses: Losses | MicroBatches,
    plan: TrainingPlan,
    *,
    mix: Mix = _only,
    gate: Gate | None = None,
    look: Look | None = None,
) -> None:
    """Train a change in place.

    Args:
        request: What is erased, with the progress to report to.
        change: The change that is trained.
        losses: The losses to minimise; more than one only with ``mix``.
        plan: The length and the rate.
        mix: Makes one gradient of those of several losses.
        gate: Changes gradients before they are used.
        look: Returns the rate's factor before each step.

    Raises:
        TrainingError: A loss is not finite.
    """
    batches = losses if isinstance(losses, MicroBatches) else whole(losses)
    parameters = change.parameters
    adam = torch.optim.AdamW(parameters.values(), lr=plan.rate, weight_decay=plan.decay)
    mean = {name: p.detach().clone() for name, p in parameters.items()}
    request.watch.stage("erasing", plan.steps)
    for step in range(plan.steps):
        if look is not None:
            factor = look(step, _detached(change.moved(request.old)))
            if not factor:
                break
            adam.param_groups[0]["lr"] = plan.rate * factor
        found = batches.computed(lambda: change.moved(request.old), parameters)
        _check_finite(found, step, plan.rate)
        gradients = mix(found)
        if gate is not None:
            gate(step, gradients)
        for name, parameter in parameters.items():
            parameter.grad = gradients[name]
        adam.step()
        with torch.no_grad():
            for name, parameter in parameters.items():
                mean[name].lerp_(parameter, 1 - plan.average)
        request.watch.advance(1, {"loss": found[0][0]})
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(mean[name])


def whole(losses: Losses) -> MicroBatches:
    """Return the losses of a batch in one part, computed by this process alone."""
    return MicroBatches(lambda _: losses)


def _rows(losses: Sequence[Tensor], parameters: Mapping[str, Tensor]) -> Tensor:
    """Return a row for each loss: its value, and all its gradients behind it."""
    rows = []
    for i, loss in enumerate(losses):
        for parameter in parameters.values():
            parameter.grad = None
        loss.backward(retain_graph=i + 1 < len(losses))
        found = [
            torch.zeros_like(p) if p.grad is None else p.grad
            for p in parameters.values()
        ]
        value = loss.detach().reshape(1).to(found[0])
        rows.append(torch.cat([value, *(each.flatten() for each in found)]))
    return torch.stack(rows)


def _split(row: Tensor, parameters: Mapping[str, Tensor]) -> tuple[float, Gradients]:
    """Return the value and the gradients of a row."""
    pieces = row[1:].split([p.numel() for p in parameters.values()])
    named = zip(parameters.items(), pieces, strict=True)
    return float(row[0]), {name: piece.view_as(p) for (name, p), piece in named}


def _detached(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight.detach() for name, weight in weights.items()}


def _check_finite(
    found: Sequence[tuple[float, Gradients]], step: int, rate: float
) -> None:
    """Refuse values of losses, the same in all processes, that are not finite."""
    for value, _ in found:
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss is {value} after {step} steps",
                fix=f"lower the eraser's rate, now {rate}, in the policy",
            )
