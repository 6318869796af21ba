"""Dynamic mask: training of the numbers alone that the concept's gradient moves most.

    mask = the top share of |sum of grad ||eps_theta(x_t, c) - eps||^2| in each matrix,
           summed over a warm-up in which nothing is updated

    L    = ||eps_theta(x_t, c) - sg eps_theta(x_t, s)||^2
         + keep   ||eps_theta(y_t, s) - eps||^2
         + distil ||eps_theta(y_t, s) - eps_old(y_t, s)||^2

c names the concept, s only what it is a kind of, the ``parent``; x are pictures of the
concept, y of the parent; sg is a value without a gradient, of the weights as they are;
old are the weights before this erasure. Gradients are multiplied by the mask. Every so
many steps, up to a share of all steps, a part of the mask is turned over: of the n
numbers in it

    k = max(1, floor(turnover / 2 (1 + cos(pi step / steps)) n))

with the smallest |sum of L's gradients since the last time| leave it, and the k others
with the largest enter. A number that leaves keeps its change.

Published: all of this, with half of each matrix in the mask, 50 steps of warm-up,
turnover of 20 % every 100 of 500 steps until 80 % of them, keep and distil of .25. In
the authors' released file the last term is computed and then overwritten: ``distil =
0`` is that file, the default what the paper means. Ours: only text projections change;
their rate is constant, not one cycle at 3e-6; the end is the result, not the pass with
the lowest loss; Adam still moves what has left the mask a little, as in the file, since
it averages gradients.

The parent limits the erasure: where a family has two members, the prompt that names
only the family shows the erased one half of the time, and so does the erased prompt.
Another ``target`` erases more.

Source:
    https://arxiv.org/abs/2504.09039
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self, final

import torch
from torch import Tensor

from unlearnlog.core.prompt import Target
from unlearnlog.erasers.eraser import Request, Work
from unlearnlog.erasers.forget_set import ForgetSet, KeptSet, painted
from unlearnlog.erasers.gradient import GradientEraser, LossInputs, mean_square
from unlearnlog.erasers.trainable_change import TrainableChange
from unlearnlog.erasers.training import Gate, Gradients
from unlearnlog.errors import PolicyError


@final
@dataclass(frozen=True)
class DynamicMask(GradientEraser):
    """The parent's noise for the concept's prompt, by a moving half of the numbers.

    Attributes:
        n_kept: Pictures of the parent.
        share: Share of each matrix in the mask.
        warm_up: Steps that the first mask is chosen from.
        turnover: Share of the mask that is exchanged at first; it falls to zero.
        every: Steps between two turnovers.
        until: Share of the steps after which the mask stays.
        keep: Weight of the parent's own noise.
        distil: Weight of the old weights' noise for the parent.
    """

    name: ClassVar[str] = "dynamic-mask"
    source: ClassVar[str] = "https://arxiv.org/abs/2504.09039"
    needs: ClassVar[tuple[str, ...]] = (
        "pictures of the concept",
        "pictures of its parent",
    )
    may_be_zero: ClassVar[tuple[str, ...]] = ("keep", "distil")

    target: Target = "parent"
    n_kept: int = 64
    share: float = 0.5
    warm_up: int = 20
    turnover: float = 0.2
    every: int = 30
    until: float = 0.8
    keep: float = 0.25
    distil: float = 0.25

    def losses(self, scene: LossInputs, new: dict[str, Tensor]) -> Sequence[Tensor]:
        """Return the distance from the parent's noise, and that noise's change."""
        some, text, parent = scene.forgotten(self.batch)
        with torch.no_grad():
            goal = scene.eps(some, parent, new)
        loss = mean_square(scene.eps(some, text, new) - goal)
        some, parent = scene.stayed(self.batch)
        with torch.no_grad():
            before = scene.eps(some, parent, dict(scene.request.old))
        now = scene.eps(some, parent, new)
        kept = self.keep * mean_square(now - some.noise)
        return (loss + kept + self.distil * mean_square(now - before),)

    def scene(self, request: Request) -> LossInputs:
        """Return the inputs of the loss, pictures of the concept and its parent."""
        return LossInputs(
            request,
            ForgetSet.of(request, self.target, n=self.n_pictures, n_family=0),
            self.parents(request),
            torch.Generator().manual_seed(request.seed),
        )

    def parents(self, request: Request) -> KeptSet:
        """Return pictures of the parents, painted by the base, each prompt in turn."""
        said = [p.target(self.target) for group in request.forget for p in group]
        said = list(dict.fromkeys(said))
        texts = tuple(said[i % len(said)] for i in range(self.n_kept))
        seeds = [request.seed + i for i in range(self.n_kept)]
        latents = painted(request, texts, seeds)
        return KeptSet(latents, request.model.encode(texts), texts)

    def gate(self, scene: LossInputs, change: TrainableChange) -> Gate:
        """Return the masks, of which the first is chosen in a warm-up."""
        summed = self.warmed_up(scene, change)
        return Masks(self, {n: chosen(g.abs(), self.share) for n, g in summed.items()})

    def warmed_up(self, scene: LossInputs, change: TrainableChange) -> Gradients:
        """Return the summed gradients of the concept's denoising loss."""
        request, parameters = scene.request, change.parameters
        summed = {name: torch.zeros_like(p) for name, p in parameters.items()}
        request.watch.stage("choosing what may change", self.warm_up)
        for _ in range(self.warm_up):
            some, text, _ = scene.forgotten(self.batch)
            new = change.moved(request.old)
            loss = mean_square(scene.eps(some, text, new) - some.noise)
            found = torch.autograd.grad(loss, [*parameters.values()])
            for total, gradient in zip(summed.values(), found, strict=True):
                total += gradient
            request.watch.advance(1, {})
        return summed

    def work(self, n_concepts: int) -> Work:
        """Return the amount of work, the warm-up included."""
        work = super().work(n_concepts)
        return replace(work, steps=work.steps + self.warm_up)

    def rehearsal(self) -> tuple[Self, Work]:
        """Return the eraser with the fewest pictures and one step of warm-up."""
        small, work = super().rehearsal()
        return replace(small, warm_up=1), replace(work, steps=work.steps + 1)

    def check(self) -> None:
        """Refuse invalid settings, and changes that no mask can be put on."""
        super().check()
        refuse_what_mixes_numbers(self)
        for name in ("share", "turnover", "until"):
            if (value := getattr(self, name)) > 1:
                raise PolicyError(
                    f"{self.name}'s {name} is {value}", fix="give a share, 0 to 1"
                )


class Masks:
    """A gate with a mask of the numbers of each matrix that may change now.

    Attributes:
        eraser: The settings of the turnover.
        kept: The masks, bool, by parameter.
        summed: The gradients since the last turnover, by parameter.
    """

    def __init__(self, eraser: DynamicMask, kept: dict[str, Tensor]) -> None:
        self.eraser = eraser
        self.kept = kept
        self.summed = {name: torch.zeros(mask.shape) for name, mask in kept.items()}

    def __call__(self, step: int, gradients: Gradients) -> None:
        """Turn over the masks where due, and zero the gradients outside of them."""
        if share := self.due(step):
            for name, mask in self.kept.items():
                scores = self.summed[name].abs()
                self.kept[name] = turned_over(mask, scores, share)
                self.summed[name].zero_()
        for name, gradient in gradients.items():
            self.summed[name] += gradient
            gradients[name] = gradient * self.kept[name]

    def due(self, step: int) -> float:
        """Return the share of the masks that is turned over before a step, or 0."""
        eraser = self.eraser
        if not step or step % eraser.every or step >= eraser.until * eraser.steps:
            return 0.0
        return eraser.turnover / 2 * (1 + math.cos(math.pi * step / eraser.steps))


def chosen(scores: Tensor, share: float) -> Tensor:
    """Return a mask of the largest scores, one at least; of equals the first."""
    mask = torch.zeros(scores.numel(), dtype=torch.bool)
    ranked = scores.flatten().argsort(descending=True, stable=True)
    mask[ranked[: max(1, int(share * len(mask)))]] = True
    return mask.reshape(scores.shape)


def turned_over(mask: Tensor, scores: Tensor, share: float) -> Tensor:
    """Return a mask with a share of it exchanged, one number at least.

    Args:
        mask: The present mask, bool.
        scores: Weight of each number, of the mask's shape.
        share: Share of the mask that leaves it, the smallest scores first.
    """
    inside, outside = (each.flatten().nonzero()[:, 0] for each in (mask, ~mask))
    n = min(max(1, int(share * len(inside))), len(outside))
    flat = scores.flatten()
    leave = inside[flat[inside].argsort(stable=True)[:n]]
    enter = outside[flat[outside].argsort(descending=True, stable=True)[:n]]
    new = mask.flatten().clone()
    new[leave], new[enter] = False, True
    return new.reshape(mask.shape)


def refuse_what_mixes_numbers(eraser: GradientEraser) -> None:
    """Refuse settings by which one trained number moves many of a projection.

    Raises:
        PolicyError: The change is made of factors, or projected.
    """
    if eraser.change != "full":
        raise PolicyError(
            f"{eraser.name} masks single numbers, and its change is '{eraser.change}'",
            fix="give change = 'full'",
        )
    if eraser.project:
        raise PolicyError(
            f"{eraser.name} masks single numbers, which a projection would mix again",
            fix="leave out project",
        )
