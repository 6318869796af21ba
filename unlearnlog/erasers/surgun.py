"""SurgUn: distractors that compete with the concept's pictures for its prompt.

    e(z) = ||eps_theta(z_t, c) - eps||^2, a mean over the numbers of a picture
    L    = mean of  distract e(y) + 1 / k log(1 + exp(k (e(y) - e(x))))

c names the concept, x are pictures of it, y any others: the distractors, spread over
all kept prompts. Each y is paired with an x at the same level of noise. The first term
teaches the prompt the distractors, which are many, so that no single one takes the
concept's place. The second raises e(x), and limits itself: once x fits the prompt worse
than y by a few times 1 / k, its gradient is gone.

Only some blocks are trained, a block being the text projections of one attention layer:
those with the largest

    sum ||grad ||eps(x_t, c) - eps||^2||^2 / sum ||grad ||eps(y_t, c_y) - eps||^2||^2

over a few batches, at the weights as they are before; c_y is the distractor's prompt.

Published: ascent on the concept's loss, descent on a diverse set of distractors under
the same prompt, a contrast of the two, thin factors in a few chosen attention blocks.
Not public, so ours: the contrast's form and all weights; the measure of blocks, where
the authors compare painted pictures; when to stop; that only keys and values change;
and that gradients are projected, without which the concept's look-alikes are lost with
it (``project = false`` is the published form).

Source:
    https://arxiv.org/abs/2603.00975
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self, final

import torch
from torch import Tensor
from torch.nn.functional import softplus

from unlearnlog.erasers.eraser import Work
from unlearnlog.erasers.forget_set import Noised
from unlearnlog.erasers.gradient import GradientEraser, LossInputs, mean_square
from unlearnlog.erasers.trainable_change import TrainableChange
from unlearnlog.erasers.training import Gate, Gradients
from unlearnlog.models.interface import Text


@final
@dataclass(frozen=True)
class SurgUn(GradientEraser):
    """Distractors in the concept's place, trained into a few blocks.

    Attributes:
        target: What replaces the concept, for comparison; the loss does not use it.
        n_kept: Number of distractors.
        distract: Weight of the distractors' own loss.
        sharpness: k: how soon the ascent ends once the distractors fit better.
        n_blocks: Attention layers that are trained; all where there are fewer.
        looks: Batches that the blocks are chosen from.
    """

    name: ClassVar[str] = "surgun"
    source: ClassVar[str] = "https://arxiv.org/abs/2603.00975"
    divides: ClassVar[bool] = False  # distractors are drawn for the part alone
    needs: ClassVar[tuple[str, ...]] = ("pictures of the concept", "kept pictures")

    change: str = "factors"
    project: bool = True
    n_kept: int = 64
    distract: float = 1.0
    sharpness: float = 10.0
    n_blocks: int = 4
    looks: int = 4

    def losses(self, scene: LossInputs, new: dict[str, Tensor]) -> Sequence[Tensor]:
        """Return the distractors' loss and their contrast with the concept's."""
        some, text, _ = scene.forgotten(self.batch)
        other = self.distractors(scene, some.t)
        concept = _each(scene.eps(some, text, new) - some.noise)
        others = _each(scene.eps(other, text, new) - other.noise)
        contrast = softplus(self.sharpness * (others - concept)) / self.sharpness
        return ((self.distract * others + contrast).mean(),)

    def distractors(self, scene: LossInputs, t: Tensor) -> Noised:
        """Return random distractors, noised to given levels."""
        model, latents = scene.request.model, scene.kept.latents
        rows = torch.randint(len(latents), (len(t),), generator=scene.rng)
        noise = torch.randn(len(t), *model.latent_shape, generator=scene.rng)
        return Noised(rows, model.noised(latents[rows], noise, t), t, noise)

    def gate(self, scene: LossInputs, change: TrainableChange) -> Gate:  # noqa: ARG002
        """Return a gate that closes the blocks in which the concept weighs little."""
        blocks = self.blocks(scene)

        def only_these(step: int, gradients: Gradients) -> None:  # noqa: ARG001
            for name, gradient in gradients.items():
                if _block(name) not in blocks:
                    gradient.zero_()

        return only_these

    def blocks(self, scene: LossInputs) -> set[str]:
        """Return the blocks with the largest ratio of the two energies."""
        concept = dict.fromkeys(map(_block, scene.request.old), 0.0)
        others = dict(concept)
        scene.request.watch.stage("choosing what may change", self.looks)
        for _ in range(self.looks):
            some, text, _ = scene.forgotten(self.batch)
            _add_energy(concept, scene, some, text)
            some, text = scene.stayed(self.batch)
            _add_energy(others, scene, some, text)
            scene.request.watch.advance(1, {})
        ranked = sorted(
            concept, key=lambda block: concept[block] / (others[block] or 1e-30)
        )
        return {*ranked[-self.n_blocks :]}

    def work(self, n_concepts: int) -> Work:
        """Return the amount of work, the choice of blocks included."""
        work = super().work(n_concepts)
        return replace(work, steps=work.steps + self.looks)

    def rehearsal(self) -> tuple[Self, Work]:
        """Return the eraser with the fewest pictures and one batch for the blocks."""
        small, work = super().rehearsal()
        return replace(small, looks=1), replace(work, steps=work.steps + 1)


def _each(difference: Tensor) -> Tensor:
    """Return the mean square of each picture, ``[b]``."""
    return difference.square().flatten(1).mean(1)


def _block(parameter: str) -> str:
    """Return the layer of a text projection or of a factor of its change."""
    name = parameter.removesuffix(".right").removesuffix(".weight")
    return name.rpartition(".")[0]


def _add_energy(
    energy: dict[str, float], scene: LossInputs, some: Noised, text: Text
) -> None:
    """Add to each block the squared norm of its gradient of the denoising loss."""
    old = {n: w.float().requires_grad_() for n, w in scene.request.old.items()}
    loss = mean_square(scene.eps(some, text, old) - some.noise)
    found = torch.autograd.grad(loss, [*old.values()])
    for name, gradient in zip(old, found, strict=True):
        energy[_block(name)] += float(gradient.double().square().sum())
