"""The training loop of all trained erasers.

Source:
    The optimiser and several processes are handled by Hugging Face accelerate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import reduce
from torch import Tensor

from unlearnlog.errors import TrainingError

if TYPE_CHECKING:
    from unlearnlog.erasers.eraser import Request
    from unlearnlog.erasers.trainable_change import TrainableChange

Gradients = dict[str, Tensor]
"""Gradients by the names of the parameters."""

Losses = Callable[[dict[str, Tensor]], Sequence[Tensor]]
"""The losses of one step, from the weights as they are."""

Mix = Callable[[Sequence[Gradients]], Gradients]
"""One gradient from those of several losses."""

Gate = Callable[[int, Gradients], None]
"""A function that changes a step's gradients in place, as a mask does."""

Look = Callable[[int, dict[str, Tensor]], float]
"""A function of the step and the weights before it: the rate's factor, 0 to stop.

It must return the same in every process.
"""


@dataclass(frozen=True)
class BatchShare:
    """The part of a batch that one of several processes computes.

    Attributes:
        process: Its number, from 0.
        n: Number of processes.
    """

    process: int = 0
    n: int = 1

    @classmethod
    def of_this_process(cls) -> Self:
        """Return this process's share, with its number from accelerate."""
        state = PartialState(cpu=True)
        return cls(state.process_index, state.num_processes)

    def rows(self, batch: int) -> slice:
        """Return the rows of a batch that are this process's.

        Raises:
            TrainingError: The batch is not the same number of rows for each.
        """
        each, left = divmod(batch, self.n)
        if left or not each:
            raise TrainingError(
                f"{self.n} processes cannot share a batch of {batch} evenly",
                fix=f"set the eraser's batch to a multiple of {self.n} in the policy",
            )
        return slice(self.process * each, (self.process + 1) * each)


def mean_of_all(value: Tensor) -> Tensor:
    """Return the mean over all processes of a number that each has computed."""
    PartialState(cpu=True)  # `reduce` takes the processes from it
    found: Tensor = reduce(value.detach(), reduction="mean")
    return found


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


def _only(gradients: Sequence[Gradients]) -> Gradients:
    return gradients[0]


def train(
    request: Request,
    change: TrainableChange,
    losses: Losses,
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
    parameters = change.parameters
    adam = torch.optim.AdamW(parameters.values(), lr=plan.rate, weight_decay=plan.decay)
    optimizer = Accelerator(cpu=True).prepare(adam)
    mean = {name: p.detach().clone() for name, p in parameters.items()}
    request.watch.stage("erasing", plan.steps)
    for step in range(plan.steps):
        new = change.moved(request.old)
        if look is not None:
            factor = look(step, {name: w.detach() for name, w in new.items()})
            if not factor:
                break
            adam.param_groups[0]["lr"] = plan.rate * factor
        found = losses(new)
        shown = [_finite(loss, step, plan.rate) for loss in found]
        gradients = mix(gradients_of(found, parameters))
        if gate is not None:
            gate(step, gradients)
        for name, parameter in parameters.items():
            parameter.grad = gradients[name]
        optimizer.step()
        with torch.no_grad():
            for name, parameter in parameters.items():
                mean[name].lerp_(parameter, 1 - plan.average)
        request.watch.advance(1, {"loss": shown[0]})
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(mean[name])


def gradients_of(
    losses: Sequence[Tensor], parameters: Mapping[str, Tensor]
) -> list[Gradients]:
    """Return each loss's gradients, averaged over all processes."""
    accelerator = Accelerator(cpu=True)
    found = []
    for i, loss in enumerate(losses):
        for parameter in parameters.values():
            parameter.grad = None
        accelerator.backward(loss, retain_graph=i + 1 < len(losses))
        found.append(
            {
                name: mean_of_all(torch.zeros_like(p) if p.grad is None else p.grad)
                for name, p in parameters.items()
            }
        )
    return found


def _finite(loss: Tensor, step: int, rate: float) -> float:
    """Return the mean of all processes' losses, so that all of them stop or none."""
    mean = float(mean_of_all(loss))
    if not math.isfinite(mean):
        raise TrainingError(
            f"the loss is {mean} after {step} steps",
            fix=f"lower the eraser's rate, now {rate}, in the policy",
        )
    return mean
