"""SalUn: another label for the concept, trained into the weights that matter for it.

    mask  = the share of weights with the largest | d M / d theta |, found once,
    M     = || eps - ((1 + g) eps_theta(x_t, c) - g eps_theta(x_t, 0)) ||^2,
    L     = || eps_theta(x_t, c) - sg eps_theta(x_t, c') ||^2
            + alpha || eps_theta(y_s, k) - e ||^2,

and only weights under the mask follow the gradient of L. c' is the prompt of another
class, 0 the empty prompt, g the guidance, y pictures of kept prompts k with noise e.
The mask is taken over all projections together, at the weights that the training
begins with.

From the paper and its code: both formulas, half of the weights, alpha, and one fixed
other class for each class. Ours: the other class is a member of the concept's family
that stays (``sibling``), in the same words, or the anchor where there is none; the mask
is found on random batches, as many as go once through the pictures; only keys and
values change; the pictures are the base's; and the rate (1e-5 in the code). With
``project`` the mask is on what is trained, which the fence then mixes.

Source:
    https://arxiv.org/abs/2310.12508
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from unlearnlog.core.prompt import Target
from unlearnlog.erasers.gradient import GradientEraser, LossInputs, mean_square
from unlearnlog.erasers.trainable_change import TrainableChange
from unlearnlog.erasers.training import Gate, Gradients
from unlearnlog.errors import PolicyError


@final
@dataclass(frozen=True)
class Salun(GradientEraser):
    """Another class for the concept's prompt, trained into the salient weights.

    Attributes:
        alpha: Weight of denoising kept pictures, 0 for none.
        salient: Share of all weights that may change, at most 1.
        guidance: Guidance in the loss that the mask is found with, g.
    """

    name: ClassVar[str] = "salun"
    source: ClassVar[str] = "https://arxiv.org/abs/2310.12508"
    may_be_zero: ClassVar[tuple[str, ...]] = ("alpha", "guidance")
    needs: ClassVar[tuple[str, ...]] = (
        "pictures of the concept",
        "pictures of what stays",
    )

    target: Target = "sibling"
    n_kept: int = 64
    rate: float = 3e-4
    alpha: float = 0.5
    salient: float = 0.5
    guidance: float = 7.5

    def losses(self, scene: LossInputs, new: dict[str, Tensor]) -> Sequence[Tensor]:
        """Return the distance from the other class's noise, and what stays."""
        some, text, target = scene.forgotten(self.batch)
        goal = scene.own(some, target, new)
        loss = mean_square(scene.eps(some, text, new) - goal)
        if self.alpha:
            others, kept = scene.stayed(self.batch)
            denoised = mean_square(scene.eps(others, kept, new) - others.noise)
            loss = loss + self.alpha * denoised
        return (loss,)

    def gate(self, scene: LossInputs, change: TrainableChange) -> Gate:
        """Return a gate that puts zeros outside of the mask."""
        mask = most_salient(self._saliency(scene, change), self.salient)

        def shut(_: int, gradients: Gradients) -> None:
            for name, gradient in gradients.items():
                gradient.mul_(mask[name])

        return shut

    def masked(self, scene: LossInputs, new: dict[str, Tensor]) -> Tensor:
        """Return M on one batch."""
        some, text, _ = scene.forgotten(self.batch)
        nothing = scene.encoded("", len(text))
        named, free = scene.eps(some, text, new), scene.eps(some, nothing, new)
        guided = (1 + self.guidance) * named - self.guidance * free
        return mean_square(some.noise - guided)

    def _saliency(self, scene: LossInputs, change: TrainableChange) -> Gradients:
        """Return the sum of M's gradients over one pass through the pictures."""
        total = {name: torch.zeros_like(p) for name, p in change.parameters.items()}
        batches = self.batches(scene, lambda part, new: (self.masked(part, new),))
        for _ in range(0, scene.forget.n_learnt, self.batch):
            ((_, found),) = batches.computed(
                lambda: change.moved(scene.request.old), change.parameters
            )
            for name, gradient in found.items():
                total[name] += gradient
        return total

    def check(self) -> None:
        """Refuse invalid settings, factors, and a share of weights above 1."""
        super().check()
        if self.change != "full":
            raise PolicyError(
                f"salun masks weights, and its change is {self.change}",
                fix="give change = 'full'",
            )
        if self.salient > 1:
            raise PolicyError(
                f"salun's salient is {self.salient}", fix="give a share, up to 1"
            )


def most_salient(gradients: Gradients, share: float) -> Gradients:
    """Return ones where the numbers of all tensors together are largest, else zeros.

    Args:
        gradients: The numbers, compared by size.
        share: Share of all numbers that is marked, rounded to a whole number.
    """
    sizes = torch.cat([gradient.abs().flatten() for gradient in gradients.values()])
    marked = torch.zeros_like(sizes)
    order = sizes.argsort(descending=True, stable=True)
    marked[order[: round(share * len(sizes))]] = 1
    parts = marked.split([gradient.numel() for gradient in gradients.values()])
    return {
        name: part.view_as(gradient)
        for (name, gradient), part in zip(gradients.items(), parts, strict=True)
    }
