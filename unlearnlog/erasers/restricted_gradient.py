"""Restricted gradient: two gradients without the parts that oppose each other.

With d_f and d_k the directions that lower the loss of forgetting and that of keeping,
all parameters in one row:

    d_f' = d_f - min(0, d_f . d_k / ||d_k||^2) d_k,
    d_k' = d_k - min(0, d_k . d_f / ||d_f||^2) d_f,
    step = d_f' + alpha d_k'.

So neither makes the other worse, to first order. Published is ascent on the concept,

    L_f = - || eps_theta(x_t, c) - e ||^2,     L_k = || eps_theta(y_s, k) - s ||^2,

with e and s the noises in the concept's pictures x and in pictures y of kept prompts k.
Where the error of the concept is above a limit m its loss is divided by its value, so
that ascent does not run away.

From the paper and its code: all of the above, alpha 1.6 and m 1.1, and that kept
prompts are of many kinds. In the code each of them is a prompt of the concept without
its word, ``stays = "target"``; by default they are all that stays. Ours: only keys and
values change, the step goes through AdamW, and ``forget = "target"``, where the
concept's prompt is led to the base's noise for a target instead,
L_f = || eps_theta(x_t, c) - eps_phi(x_t, target) ||^2, without a limit; and the rate
(1e-5 in the code).

Source:
    https://arxiv.org/abs/2412.07808
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final, final

import torch
from torch import Tensor

from unlearnlog.erasers.eraser import Request, Scalar
from unlearnlog.erasers.gradient import GradientEraser, LossInputs, mean_square
from unlearnlog.erasers.training import Gradients
from unlearnlog.errors import PolicyError

WAYS: Final = ("ascent", "target")
"""Away from the concept's noise, or towards its target's."""

STAYS: Final = ("kept", "target")
"""Prompts of all that stays, or the targets of the concept's own prompts."""


@final
@dataclass(frozen=True)
class RestrictedGradient(GradientEraser):
    """Gradients of forgetting and of keeping, each without what opposes the other.

    Attributes:
        strength: Factor of the trained change. Half of it erases as much and moves what
            is kept by a sixth to a twentieth, in nats.
        forget: The loss of forgetting: ``ascent``, as published, or ``target``; only
            then does the target matter.
        alpha: Weight of the direction that keeps.
        limit: Mean squared error of the concept beyond which its gradient is scaled
            down; only with ``ascent``.
        stays: The prompts k: ``kept`` for those of all that stays, ``target`` for the
            concept's own prompts without it.
    """

    name: ClassVar[str] = "restricted-gradient"
    source: ClassVar[str] = "https://arxiv.org/abs/2412.07808"
    needs: ClassVar[tuple[str, ...]] = (
        "pictures of the concept",
        "pictures of what stays",
    )

    before: ClassVar[Mapping[str, Scalar]] = {
        **GradientEraser.before,
        "stays": STAYS[0],
    }

    n_kept: int = 64
    rate: float = 3e-4
    strength: float = 0.5
    forget: str = WAYS[0]
    alpha: float = 1.6
    limit: float = 1.1
    stays: str = STAYS[0]

    def scene(self, request: Request) -> LossInputs:
        """Return the inputs of both losses, with pictures that the base paints."""
        if self.stays == STAYS[1]:
            said = (p.target(self.target) for group in request.forget for p in group)
            request = replace(request, stay=tuple(dict.fromkeys(said)))
        return super().scene(request)

    def losses(self, scene: LossInputs, new: dict[str, Tensor]) -> Sequence[Tensor]:
        """Return the loss of forgetting and that of keeping."""
        some, text, target = scene.forgotten(self.batch)
        guess = scene.eps(some, text, new)
        if self.forget == "target":
            first = mean_square(guess - scene.base(some, target))
        else:
            error = mean_square(guess - some.noise)
            is_whole = scene.share.n == 1  # of parts, `mix` knows the error of all
            first = -(self._limited(error) if is_whole else error)
        others, kept = scene.stayed(self.batch)
        return first, mean_square(scene.eps(others, kept, new) - others.noise)

    def _limited(self, error: Tensor) -> Tensor:
        """Divide an error by its value where that is above the limit."""
        value = error.detach()
        return error / value if value > self.limit else error

    def mix(self, found: Sequence[tuple[float, Gradients]]) -> Gradients:
        """Return the sum of both gradients, each without what opposes the other.

        The gradient of an error above the limit is divided by the error, which is 1
        where the loss was divided already.
        """
        (loss, _), _ = found
        gradients = [each for _, each in found]
        forget, keep = (
            torch.cat([g.flatten() for g in each.values()]).double()
            for each in gradients
        )
        if self.forget == WAYS[0] and -loss > self.limit:
            forget = forget / -loss
        mixed = without(forget, keep) + self.alpha * without(keep, forget)
        parts = mixed.split([g.numel() for g in gradients[0].values()])
        return {
            name: part.view_as(gradient).to(gradient)
            for (name, gradient), part in zip(gradients[0].items(), parts, strict=True)
        }

    def check(self) -> None:
        """Refuse invalid settings, and the empty prompt as what stays."""
        super().check()
        self.require("forget", known=WAYS)
        self.require("stays", known=STAYS)
        if self.stays == STAYS[1] and self.target == "unconditional":
            raise PolicyError(
                f"{self.name} keeps what the concept's prompts become, and they become "
                "the empty prompt",
                fix="give another target, or stays = 'kept'",
            )


def without(one: Tensor, other: Tensor) -> Tensor:
    """Return a vector ``one`` without its part against a vector ``other``."""
    energy = other.square().sum()
    if not energy:
        return one
    return one - (one @ other / energy).clamp(max=0) * other
