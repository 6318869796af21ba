"""MiM-MU: minimise the mutual information between a concept's prompt and the image.

With phi the pre-trained model and theta the erased one, for any fixed q(x)

    I(X; C) <= E_c KL(p_theta(x|c) || q(x)),

and q is phi's distribution for the prompt without the concept. By Girsanov the
divergence of the two reverse processes is an integral over noise levels,

    KL <= 1/2 Int E || eps_theta(x_t, c) - eps_phi(x_t, target) ||^2 d lambda,

lambda the log signal-to-noise ratio. The frozen phi is the judge; x_t is noised from a
forget set that phi painted; phi's Jacobian is dropped, so the gradient is that of a
mean square with a detached target. Only keys and values of the cross-attention are
trained, from the closed form's solution on (`free_subspace`).

The same loss separates a concept from its family: the prompt that names only the family
is aligned with the members that stay, on pictures of them. The minimiser is the
family's distribution without the concept.

The method is published, its equations and settings are not: the derivation and
every number here are ours. With a fixed ``context`` or ``anchor`` target the loss has
the form of Concept Ablation's; what differs is where x_t comes from, and that its
value bounds, in nats, the information that is left.

Two restraints keep the other concepts, without pictures of them: only directions of
text space that kept prompts hardly use may change (`text_subspace`), and the mean
squared change of kept tokens' keys and values is a term of the loss, in closed form.
Of what reads the picture as well, in joint attention, there is no such text space: two
thin factors are trained, and the change of the noise of kept prompts, on the pictures
of the concept, is the term.

Source:
    MiM-MU, https://arxiv.org/abs/2603.00992. Targets other than ``unconditional`` and
    the restriction to directions that kept prompts do not use are ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Self

import torch
from torch import Tensor

from unlearnlog.core.delta import Delta
from unlearnlog.core.prompt import TARGETS, Target
from unlearnlog.erasers.eraser import Eraser, Request, Scalar, Work, fits
from unlearnlog.erasers.forget_set import ForgetSet, Noised
from unlearnlog.erasers.free_subspace import FreeSubspace
from unlearnlog.erasers.places import WHERES, Where, by_place, chosen, settled
from unlearnlog.erasers.tokens import TokenPairs
from unlearnlog.erasers.trainable_change import (
    SeveralChanges,
    ThinChange,
    TrainableChange,
)
from unlearnlog.erasers.training import TrainingPlan, train
from unlearnlog.errors import PolicyError
from unlearnlog.models.interface import Model, Text
from unlearnlog.models.noise_levels import NoiseLevels, density

Restraint = Callable[[dict[str, Tensor]], Tensor]
"""A term of the loss, of the weights as they are."""

WEIGHTINGS: Final = ("even", "nats")
"""Weights of noise levels: equal, or those of the integral that bounds the nats."""


@dataclass(frozen=True)
class Mim(Eraser):
    """Alignment of the erased prompt's noise with the base's noise for the target.

    Attributes:
        target: What is painted instead: ``context``, the prompt without the concept
            (conditional mutual information); ``anchor``, the plain style or the empty
            scene; ``unconditional``, the empty prompt, as published.
        mi_mu: Share of the way to the target.
        weighting: Weights of noise levels: ``even``, or ``nats`` as in the bound.
        on_policy: Share of the forget set that is painted anew, by the weights as they
            are, at every check; 0 for never.
        keep: Weight of the change of kept tokens' keys and values, as a share of their
            energy, beside the mean squared noise.
        rank: How many directions of text space may change for each concept, at most.
        leak: How much of a direction's energy may be on kept prompts, as a share of
            that on erased ones; the best direction is used in any case.
        ridge: Energy given to directions no kept prompt uses, as a share of the mean.
        n_pictures: Size of each concept's forget set.
        n_family: Pictures beside those of what stays of its family, if it has one.
        rate: Step size of Adam, on keys and values in units of the erased tokens.
        batch: Pictures a step.
        check_every: Steps between two checks of the nats left.
        patience: Checks without a fall of ``least_fall`` before the rate is cut.
        least_fall: Share of the nats left that still counts as a fall.
        slower: Cuts of the rate to a third before a standstill ends the training.
        max_steps: Training steps, at most.
        strength: Factor of the trained change; 1 as trained.
        where: What changes of a model with joint attention, see `places`.
    """

    name: ClassVar[str] = "mim"
    source: ClassVar[str] = "https://arxiv.org/abs/2603.00992"

    needs: ClassVar[tuple[str, ...]] = (
        "pictures of the concept",
        "kept prompts",
        "families",
    )
    knob: ClassVar[str] = "strength"
    may_be_zero: ClassVar[tuple[str, ...]] = ("on_policy", "n_family")
    before: ClassVar[Mapping[str, Scalar]] = {"where": "default"}

    target: Target = "anchor"
    mi_mu: float = 1.0
    weighting: str = WEIGHTINGS[0]
    on_policy: float = 0.0
    keep: float = 0.2
    rank: int = 4
    leak: float = 0.25
    ridge: float = 1e-2
    n_pictures: int = 64
    n_family: int = 64
    rate: float = 0.005
    batch: int = 16
    check_every: int = 20
    patience: int = 1
    least_fall: float = 0.05
    slower: int = 2
    max_steps: int = 200
    strength: float = 1.0
    where: Where = "default"

    def on(self, model: Model) -> Self:
        """Return the eraser with the place of its change settled for a model."""
        where = settled(self.name, self.where, model, usual="joint")
        return replace(self, where=where)

    def check(self) -> None:
        """Refuse unknown words, and sizes that are not positive."""
        self.require("target", known=TARGETS)
        self.require("where", known=WHERES)
        self.require("weighting", known=WEIGHTINGS)
        self.require_above_zero()
        if self.on_policy > 1:
            raise PolicyError(
                f"{self.name}'s on_policy is {self.on_policy}",
                fix="give a share, 0 to 1",
            )
        if self.n_pictures <= ForgetSet.N_HELD:
            raise PolicyError(
                f"{self.name}'s n_pictures is {self.n_pictures}",
                fix=f"give more than {ForgetSet.N_HELD}: so many are held out",
            )

    def work(self, n_concepts: int) -> Work:
        """Return the amount of work for this many concepts at once."""
        each = self.n_pictures + self.n_family
        anew = round(self.on_policy * each) * (self.max_steps // self.check_every)
        return Work((each + anew) * n_concepts, self.max_steps)

    def rehearsal(self) -> tuple[Self, Work]:
        """Return the eraser with the fewest pictures and two steps, and its work."""
        n = ForgetSet.N_HELD + 1
        small = replace(self, n_pictures=n, n_family=0, on_policy=0.0, max_steps=2)
        return small, Work(n, 2)

    def erase(self, request: Request) -> Delta:
        """Return the change with trained left factors and fixed right ones."""
        request = chosen(request, self.where)
        forget = ForgetSet.of(
            request, self.target, n=self.n_pictures, n_family=self.n_family
        )
        found = [self._started(part, request, forget) for part in by_place(request)]
        change = SeveralChanges.of([change for change, _ in found])
        restraints = [restraint for _, restraint in found]
        rng = torch.Generator().manual_seed(request.seed)
        slope = _Slope(self, request, forget, rng)

        def losses(new: dict[str, Tensor]) -> tuple[Tensor]:
            loss = self.loss(request, slope.forget, new, rng)
            kept = [restraint(new) for restraint in restraints]
            return (loss + self.keep * torch.stack(kept).mean(),)

        train(
            request, change, losses, TrainingPlan(self.max_steps, self.rate), look=slope
        )
        slower = f"lower the eraser's rate, now {self.rate}, in the policy"
        with fits(self.name, slower):
            return change.delta(self.strength)

    def _started(
        self, part: Request, request: Request, forget: ForgetSet
    ) -> tuple[TrainableChange, Restraint]:
        """Return the change of what is in one place, and what it is kept small by."""
        if part.place == "joint-attention":
            rank = self.rank * len(part.forget)
            kept = KeptNoise.of(request, forget, self.batch)
            return ThinChange.lora(part, rank), kept
        room = FreeSubspace.left_by(
            part, rank=self.rank, ridge=self.ridge, leak=self.leak
        )
        left = room.start(part, self._tokens(part, forget), self.keep)
        change = ThinChange(left, dict.fromkeys(left, room.right))
        return change, lambda _: room.disturbed(left)

    def _tokens(self, part: Request, forget: ForgetSet) -> tuple[Tensor, Tensor]:
        """Return what one place reads of prompts, and of targets, in rows that match.

        CLIP's rows match as they are; those of other encoders are aligned.
        """
        if part.place == "pooled" or part.reading(forget.texts[0]) is None:
            return forget.read_by(part)
        pairs = TokenPairs.of(part, self.target, "all")
        return pairs.erased[None], pairs.goal[None]

    def loss(
        self,
        request: Request,
        forget: ForgetSet,
        new: dict[str, Tensor],
        rng: torch.Generator,
    ) -> Tensor:
        """Return the mean squared difference of the two noises on one batch."""
        some = Noised.drawn(request, forget.learnt, self.batch, rng)
        text, target = forget.text[some.rows], forget.target[some.rows]
        goal = self._goal(request, some.x_t, t=some.t, texts=(text, target))
        weights = request.with_fixed(new)
        guess = request.model.eps(some.x_t, some.t, text, weights=weights)
        errors = (guess - goal).square().flatten(1).mean(1)
        if self.weighting == "nats":
            errors = errors * density(request.model)[some.t].to(errors)
        return errors.mean()

    @torch.no_grad()
    def nats_left(
        self, request: Request, forget: ForgetSet, new: dict[str, Tensor]
    ) -> float:
        """Return the bound on the information left, in nats, on held-out pictures."""
        model, levels = request.model, NoiseLevels.of(request.model, 8)
        held = slice(forget.n_learnt, None)
        text, target = forget.text[held], forget.target[held]
        rng = torch.Generator().manual_seed(request.seed + 1)
        errors = []
        for step in levels.steps:
            t = torch.full((forget.N_HELD,), step)
            noise = torch.randn(forget.N_HELD, *model.latent_shape, generator=rng)
            x_t = model.noised(forget.latents[held], noise, t)
            goal = self._goal(request, x_t, t=t, texts=(text, target))
            guess = model.eps(x_t, t, text, weights=request.with_fixed(new))
            errors.append((guess - goal).square().flatten(1).sum(1))
        return float(levels.integral(torch.stack(errors, 1)).mean())

    def _goal(
        self, request: Request, x_t: Tensor, *, t: Tensor, texts: tuple[Text, Text]
    ) -> Tensor:
        """Return eps_phi(target) + (1 - mu) (eps_phi(c) - eps_phi(target))."""
        text, target = texts
        with torch.no_grad():
            goal = request.model.eps(x_t, t, target)
            if self.mi_mu != 1:
                named = request.model.eps(x_t, t, text)
                goal = goal + (1 - self.mi_mu) * (named - goal)
        return goal


@dataclass(frozen=True)
class KeptNoise:
    """The change of the noise of kept prompts, on pictures of the concept.

    Attributes:
        request: What is kept.
        forget: The pictures.
        text: Kept prompts.
        batch: Pictures of one value.
        rng: The source of its random numbers.
    """

    request: Request
    forget: ForgetSet
    text: Text
    batch: int
    rng: torch.Generator

    @classmethod
    def of(cls, request: Request, forget: ForgetSet, batch: int) -> Self:
        """Return the term for all kept prompts; for the empty one where none is."""
        text = request.model.encode([*request.keep] or [""])
        rng = torch.Generator().manual_seed(request.seed + 2)
        return cls(request, forget, text, batch, rng)

    def __call__(self, new: dict[str, Tensor]) -> Tensor:
        """Return the mean squared change since before the training, on one batch."""
        request = self.request
        some = Noised.drawn(request, self.forget.learnt, self.batch, self.rng)
        rows = torch.randint(len(self.text), (self.batch,), generator=self.rng)
        before = request.with_fixed(request.old)
        with torch.no_grad():
            eps = request.model.eps(some.x_t, some.t, self.text[rows], weights=before)
        weights = request.with_fixed(new)
        now = request.model.eps(some.x_t, some.t, self.text[rows], weights=weights)
        return (now - eps).square().mean()


@dataclass
class _Slope:
    """The schedule of the rate: cuts, and a stop, once the nats left no longer fall.

    A standstill may mean convergence or too large a rate, so the rate is cut first.
    """

    eraser: Mim
    request: Request
    forget: ForgetSet
    rng: torch.Generator
    best: float = math.inf
    since: int = 0
    cuts: int = 0

    def __call__(self, step: int, new: dict[str, Tensor]) -> float:
        """Return the factor of the rate; 0 to stop."""
        asked = self.eraser
        if step % asked.check_every == 0:
            nats = asked.nats_left(self.request, self.forget, new)
            self.request.watch.advance(0, {"nats left": nats})
            fell = nats < self.best * (1 - asked.least_fall)
            self.best, self.since = min(self.best, nats), 0 if fell else self.since + 1
            if self.since >= asked.patience:
                if self.cuts == asked.slower:
                    return 0.0
                self.since, self.cuts = 0, self.cuts + 1
            if step:
                share = asked.on_policy
                self.forget = self.forget.repainted(self.request, new, share, self.rng)
        return 3.0**-self.cuts
