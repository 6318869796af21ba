"""Concept Ablation: the anchor's noise, taught to the concept's prompt.

    L = || eps_theta(x_t, c) - sg eps_theta(x_t, a) ||^2
        + prior || eps_theta(y_s, a) - e ||^2

a is the anchor's prompt, x_0 and y_0 are pictures that the base paints for a, x_0 is
paired with the concept's prompt c, and e is the noise in y_s. theta is the model as it
is at that step, sg a value without gradient: the second term, the ordinary loss of
denoising, keeps the anchor's pictures.

From the paper: the first term (its model-based form), pictures of the anchor with the
concept's words put in, and keys and values as what changes. From the authors' code: the
second term, there an option, its weight 1, and that each term has its own draw. Ours:
both terms draw from one set of pictures, no picture is scaled or cropped, no gradient
is clipped but each is projected by default, other targets than the anchor, and the rate
(1e-5 in the code).

Source:
    https://arxiv.org/abs/2303.13516
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor

from unlearnlog.core.prompt import Target
from unlearnlog.erasers.gradient import GradientEraser, LossInputs, mean_square


@final
@dataclass(frozen=True)
class ConceptAblation(GradientEraser):
    """Alignment of the erased prompt with the anchor's, on pictures of the anchor.

    Attributes:
        prior: Weight of denoising the anchor's pictures, 0 for none.
    """

    name: ClassVar[str] = "concept-ablation"
    source: ClassVar[str] = "https://arxiv.org/abs/2303.13516"
    may_be_zero: ClassVar[tuple[str, ...]] = ("prior",)
    needs: ClassVar[tuple[str, ...]] = ("pictures of the anchor", "kept prompts")
    shows_target: ClassVar[bool] = True

    target: Target = "anchor"
    project: bool = True
    rate: float = 2e-3
    prior: float = 1.0

    def losses(self, scene: LossInputs, new: dict[str, Tensor]) -> Sequence[Tensor]:
        """Return the distance from the anchor's noise, and the loss of denoising it."""
        some, text, target = scene.forgotten(self.batch)
        goal = scene.own(some, target, new)
        loss = mean_square(scene.eps(some, text, new) - goal)
        if self.prior:
            others, _, anchor = scene.forgotten(self.batch)
            denoised = mean_square(scene.eps(others, anchor, new) - others.noise)
            loss = loss + self.prior * denoised
        return (loss,)
