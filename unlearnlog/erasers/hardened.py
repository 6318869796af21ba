"""Meta-unlearning: a closed form, trained to withstand later fine-tunes.

A fine-tune on pictures of the concept would bring it back. So such a fine-tune is
simulated on a copy of the whole UNet, a few steps from the present text projections W,
and W follows the gradient of what is then left of the erasure:

    theta' = theta(W) - a sum_i sign grad L(theta_i),   L the denoising loss,
    minimise over W:  E(W + [theta' - theta]) + E(W) + keep S(W),

E the mean squared difference of the erased prompt's noise and the base's noise for the
target, S that of kept prompts' noise and the closed form's. The simulated steps are a
constant to the gradient (first order), and of one size for every number, as the first
ones of Adam are. Their number is drawn anew each time, 1 to ``foresight``.

Source:
    Gao et al., "Meta-Unlearning on Diffusion Models: Preventing Relearning Unlearned
    Concepts", https://arxiv.org/abs/2410.12777. That only text projections change, from
    a closed form on (`ridge`), the first order, and every number here are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self, cast, final

import torch
from torch import Tensor

from unlearnlog.core.delta import Delta, merged, state_after
from unlearnlog.core.prompt import TARGETS, Target
from unlearnlog.erasers.eraser import Eraser, Request, Scalar, Work, fits
from unlearnlog.erasers.forget_set import ForgetSet, KeptSet, Noised
from unlearnlog.erasers.gradient import mean_square
from unlearnlog.erasers.places import (
    SOLVED_AND_TRAINED,
    WHERES,
    Where,
    chosen,
    settled,
    solved,
    trained,
)
from unlearnlog.erasers.ridge import Ridge
from unlearnlog.erasers.trainable_change import FullChange
from unlearnlog.erasers.training import TrainingPlan, train
from unlearnlog.errors import PolicyError

if TYPE_CHECKING:
    from unlearnlog.core.delta import Weights
    from unlearnlog.models.interface import Model, Text, Trainer, Tunable


@final
@dataclass(frozen=True)
class Hardened(Eraser):
    """A closed form, then training against being learnt back.

    Attributes:
        target: What is painted instead of the concept.
        erase_scale: Weight of each concept in the closed form.
        family_scale: Weight of its family there, as a share of its own.
        n_pictures: Pictures of each concept.
        n_family: Pictures of what stays of its family.
        n_kept: Pictures of what stays.
        foresight: Simulated steps of a fine-tune, at most.
        played_rate: Size of such a step, for every number of the UNet.
        keep: Weight of kept prompts.
        steps: Training steps.
        rate: Step size of Adam.
        batch: Pictures a step, of each kind; a simulated step has half of it.
        strength: Factor of the sum of both changes; 1 as solved and trained.
        where: What changes of a model with joint attention, see `places`; with ``both``
            the closed form changes the entry and the training the attention.
    """

    name: ClassVar[str] = "hardened"
    source: ClassVar[str] = "https://arxiv.org/abs/2410.12777"
    needs: ClassVar[tuple[str, ...]] = (
        "pictures of the concept",
        "pictures of what stays",
        "kept prompts",
        "families",
    )
    knob: ClassVar[str] = "strength"
    may_be_zero: ClassVar[tuple[str, ...]] = ("n_family", "family_scale")
    before: ClassVar[Mapping[str, Scalar]] = {"where": "default"}

    target: Target = "anchor"
    erase_scale: float = Ridge.erase_scale
    family_scale: float = Ridge.family_scale
    n_pictures: int = 64
    n_family: int = 64
    n_kept: int = 64
    foresight: int = 4
    played_rate: float = 1.5e-4
    keep: float = 5.0
    steps: int = 100
    rate: float = 1e-3
    batch: int = 16
    strength: float = 1.0
    where: Where = "default"

    def on(self, model: Model) -> Self:
        """Return the eraser with the place of its change settled for a model."""
        can = SOLVED_AND_TRAINED
        where = settled(self.name, self.where, model, usual="both", allowed=can)
        return replace(self, where=where)

    @property
    def closed(self) -> Ridge:
        """The closed form."""
        return Ridge(
            target=self.target,
            erase_scale=self.erase_scale,
            family_scale=self.family_scale,
            where=solved(self.where),
        )

    def erase(self, request: Request) -> Delta:
        """Return the sum of the solution from the head's weights and its training."""
        first = self.closed.erase(request)
        weaker = "lower the eraser's erase_scale, rate or strength in the policy"
        with fits(self.name, weaker):
            now = {**request.old, **state_after(request.old, [first])}
        request = chosen(replace(request, old=now), trained(self.where))
        change, lesson = FullChange.of(request), MetaInputs.of(self, request)
        train(
            request,
            change,
            lambda new: (self.loss(lesson, new),),
            TrainingPlan(self.steps, self.rate),
        )
        with fits(self.name, weaker):
            return merged([first, change.delta(1.0)]).times(self.strength)

    def loss(self, lesson: MetaInputs, new: dict[str, Tensor]) -> Tensor:
        """Return the loss of one step.

        Args:
            lesson: Its inputs.
            new: The text projections as they are now, with a gradient.
        """
        played = lesson.played({name: w.detach() for name, w in new.items()})
        moved = dict(played)
        for name, w in new.items():
            moved[name] = w + (played[name].to(w.device) - w.detach())
        return (
            lesson.unlike_target(moved)
            + lesson.unlike_target(new)
            + self.keep * lesson.unlike_before(new)
        )

    def work(self, n_concepts: int) -> Work:
        """Return the amount of work for this many concepts at once."""
        each = self.n_pictures + self.n_family
        return Work(each * n_concepts + self.n_kept, self.steps)

    def rehearsal(self) -> tuple[Self, Work]:
        """Return the eraser with the fewest pictures and two steps, and its work."""
        n = ForgetSet.N_HELD + 1
        small = replace(self, n_pictures=n, n_family=0, n_kept=1, steps=2)
        return small, Work(n + 1, 2)

    def check(self) -> None:
        """Refuse unknown words, and sizes that are not positive."""
        self.require("target", known=TARGETS)
        self.require("where", known=WHERES)
        self.require_above_zero()
        self.closed.check()
        if self.n_pictures <= ForgetSet.N_HELD:
            raise PolicyError(
                f"{self.name}'s n_pictures is {self.n_pictures}",
                fix=f"give more than {ForgetSet.N_HELD}: so many are held out",
            )


@dataclass(frozen=True, eq=False)
class MetaInputs:
    """The inputs of a training step.

    Attributes:
        eraser: The settings.
        request: What is erased; its ``old`` is the closed form's solution.
        forget: Pictures of the concepts.
        kept: Pictures of what stays.
        earlier: Prompts of what was erased before; none where nothing was.
        learner: A copy of the UNet, on which fine-tunes are simulated.
        rng: The source of every random number.
    """

    eraser: Hardened
    request: Request
    forget: ForgetSet
    kept: KeptSet
    earlier: Text | None
    learner: Trainer
    rng: torch.Generator

    @classmethod
    def of(cls, eraser: Hardened, request: Request) -> Self:
        """Return the inputs, with pictures that the base paints."""
        stay = {*request.stay} or {*request.keep}
        earlier = [text for text in request.keep if text not in stay]
        rng = torch.Generator().manual_seed(request.seed)
        model = cast("Tunable", request.model)
        return cls(
            eraser,
            request,
            ForgetSet.of(
                request, eraser.target, n=eraser.n_pictures, n_family=eraser.n_family
            ),
            KeptSet.of(request, eraser.n_kept),
            request.model.encode(earlier) if earlier else None,
            model.learner("full", generator=rng),
            rng,
        )

    def played(self, projections: Weights) -> Weights:
        """Return the UNet's weights after some steps of a fine-tune.

        They have no gradient, and the next simulated fine-tune overwrites them.

        Args:
            projections: The text projections it begins with, float32.
        """
        self.learner.begin_with(self.request.with_fixed(projections))
        most, batch = self.eraser.foresight, max(1, self.eraser.batch // 2)
        for _ in range(int(torch.randint(most, (1,), generator=self.rng)) + 1):
            some = Noised.drawn(self.request, self.forget.learnt, batch, self.rng)
            pictures, text = self.forget.learnt[some.rows], self.forget.text[some.rows]
            loss = self.learner.loss(pictures, some.noise, some.t, text)
            self._step(loss)
        return self.learner.weights(copied=False)

    def _step(self, loss: Tensor) -> None:
        """Move every trained number down its gradient's sign."""
        numbers = [*self.learner.parameters.values()]
        gradients = torch.autograd.grad(loss, numbers)
        with torch.no_grad():
            for number, gradient in zip(numbers, gradients, strict=True):
                number.sub_(gradient.sign_(), alpha=self.eraser.played_rate)

    def unlike_target(self, weights: Weights) -> Tensor:
        """Return the mean squared difference of the erased prompts' noise and goals."""
        model = self.request.model
        batch = self.eraser.batch
        some = Noised.drawn(self.request, self.forget.learnt, batch, self.rng)
        with torch.no_grad():
            goal = model.eps(some.x_t, some.t, self.forget.target[some.rows])
        text = self.forget.text[some.rows]
        held = self.request.with_fixed(weights)
        return mean_square(model.eps(some.x_t, some.t, text, weights=held) - goal)

    def unlike_before(self, weights: Weights) -> Tensor:
        """Return the mean squared change of kept prompts' noise since the closed form.

        Earlier erasures must hold, too: their prompts are half of each batch, on
        pictures of what stays.
        """
        model, batch = self.request.model, self.eraser.batch
        some = Noised.drawn(self.request, self.kept.latents, batch, self.rng)
        halves = [(slice(0, batch), self.kept.text[some.rows])]
        if self.earlier is not None:
            which = torch.randint(len(self.earlier), (batch,), generator=self.rng)
            half = batch // 2
            first, rest = slice(0, half), slice(half, batch)
            asked = self.earlier[which[first]], self.kept.text[some.rows[rest]]
            halves = list(zip((first, rest), asked, strict=True))
        now, then = [], []
        for part, text in halves:
            asked_of = some.x_t[part], some.t[part], text
            held = self.request.with_fixed(weights)
            now.append(model.eps(*asked_of, weights=held))
            with torch.no_grad():
                held = self.request.with_fixed(self.request.old)
                then.append(model.eps(*asked_of, weights=held))
        return mean_square(torch.cat(now) - torch.cat(then))
