"""Erased Stable Diffusion: the erased prompt is led away from its former pictures.

    L    = || eps_theta(x_t, c) - goal ||^2
    goal = eps_phi(x_t, c) - eta (eps_phi(x_t, c) - eps_phi(x_t, 0))

phi is the base, 0 the empty prompt, eta the negative guidance. With eta = 1 the goal is
the empty prompt's noise; beyond that it is the opposite of the concept. With another
``target`` than the published one its noise stands in the empty prompt's place.

Here only keys and values change, the authors' ``x`` with its strict choice of
parameters. x_t is noised from the base's pictures, see `gradient`; with ``states =
"sampled"`` the base paints it half-way at every step, as in their program. Gradients
are projected by default, which is ours: words that many prompts share would otherwise
lose their subjects with the concept.

Source:
    https://arxiv.org/abs/2303.07345; eta as in the authors' current settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor

from unlearnlog.core.prompt import Target
from unlearnlog.erasers.gradient import LossInputs, mean_square
from unlearnlog.erasers.partial_sampling import PartialEraser


@final
@dataclass(frozen=True)
class Esd(PartialEraser):
    """Negative guidance trained into the text projections.

    Attributes:
        eta: Distance of the goal from the concept's prompt, beyond the target, as a
            multiple of the distance between the two.
    """

    name: ClassVar[str] = "esd"
    source: ClassVar[str] = "https://arxiv.org/abs/2303.07345"
    needs: ClassVar[tuple[str, ...]] = ("pictures of the concept", "kept prompts")

    target: Target = "unconditional"
    project: bool = True
    eta: float = 2.0

    def losses(self, scene: LossInputs, new: dict[str, Tensor]) -> Sequence[Tensor]:
        """Return the mean squared distance from the goal."""
        some, text, target = scene.forgotten(self.batch)
        named, other = scene.base(some, text), scene.base(some, target)
        goal = named - self.eta * (named - other)
        return (mean_square(scene.eps(some, text, new) - goal),)
