"""Self-distillation: the model's own target prompt, taught to the concept's prompt.

    L = || eps_theta(x_t, c) - sg eps_theta(x_t, 0) ||^2

theta is the model as it is at that step, on both sides, 0 the empty prompt, sg a value
without a gradient. So the goal moves along: where the erasure changes the pictures of
the empty prompt, the concept follows, and no step need bring the two nearer. The result
is an exponential moving average of the parameters.

Published are the loss and the average (.999 over 1,500 steps of AdamW at 1e-5). Ours:
only keys and values change; x_t is noised from the base's pictures, see `gradient`,
where in the paper, and with ``states = "sampled"``, the averaged model paints it
half-way; the average is shorter because the training is; gradients are projected by
default, at a higher rate. The other targets are ours, too.

Source:
    https://arxiv.org/abs/2307.05977
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, final

from torch import Tensor

from unlearnlog.core.prompt import Target
from unlearnlog.erasers.eraser import Request
from unlearnlog.erasers.gradient import LossInputs, mean_square
from unlearnlog.erasers.partial_sampling import PartialEraser, PartialInputs
from unlearnlog.erasers.training import Look, TrainingPlan
from unlearnlog.errors import PolicyError


@final
@dataclass(frozen=True)
class Sdd(PartialEraser):
    """Self-distillation of the target's noise into the erased prompt.

    Attributes:
        average: Share of the averaged parameters that each step keeps, below 1.
    """

    name: ClassVar[str] = "sdd"
    source: ClassVar[str] = "https://arxiv.org/abs/2307.05977"
    needs: ClassVar[tuple[str, ...]] = ("pictures of the concept", "kept prompts")

    target: Target = "unconditional"
    project: bool = True
    rate: float = 3e-3
    average: float = 0.95

    def losses(self, scene: LossInputs, new: dict[str, Tensor]) -> Sequence[Tensor]:
        """Return the mean squared distance from the model's own target noise."""
        some, text, target = scene.forgotten(self.batch)
        goal = scene.own(some, target, new)
        return (mean_square(scene.eps(some, text, new) - goal),)

    def look(self, scene: LossInputs) -> Look | None:
        """Return a function that updates the weights that sample, if there are any."""
        if not isinstance(scene, PartialInputs):
            return None

        def follow(_: int, new: dict[str, Tensor]) -> float:
            scene.follow(new, self.average)
            return 1.0

        return follow

    def halfway(self, request: Request) -> PartialInputs:
        """Return the inputs of pictures sampled up to any level, by the average."""
        return replace(super().halfway(request), spread=True)

    def plan(self) -> TrainingPlan:
        """Return the training's length, with the average as its result."""
        return TrainingPlan(self.steps, self.rate, average=self.average)

    def check(self) -> None:
        """Refuse invalid settings and an average that never moves."""
        super().check()
        if self.average >= 1:
            raise PolicyError(
                f"sdd's average is {self.average}", fix="give a share below 1"
            )
