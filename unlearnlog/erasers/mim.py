"""MiM-MU: minimise the mutual information between a concept's prompt and the image.

With phi the pre-trained model and theta the erased one, for any fixed q(x)

    I(X; C) <= E_c KL(p_theta(x|c) || q(x)),

and q is what phi paints once the concept is taken out of the prompt. By Girsanov the
divergence of the two reverse processes is an integral over noise levels,

    KL <= 1/2 Int E || eps_theta(x_t, c) - eps_phi(x_t, target) ||^2 d lambda,

lambda the log signal-to-noise ratio. The frozen phi is the judge; x_t is noised from a
forget set that phi painted; phi's Jacobian is dropped, so the gradient is that of a
mean square with a detached target. Only keys and values of the cross-attention learn.

The method is published, its equations and settings are not: the derivation and
every number here are ours. With a fixed ``context`` or ``anchor`` target the loss has
the form of Concept Ablation's; what differs is where x_t comes from, and that its
value bounds, in nats, the information that is left.

Two things hold the rest in place, and neither needs a picture of it: only directions of
text space that kept prompts hardly use may change (`subspace`), and what they do use is
charged for in closed form, as the mean squared change of kept tokens' keys and values.

Source:
    MiM-MU, https://arxiv.org/abs/2603.00992. Targets other than ``unconditional`` and
    the restriction to directions that kept prompts do not use are ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self, final

import torch
from torch import Tensor

from unlearnlog.delta import Delta
from unlearnlog.erasers.eraser import Eraser, Request, Work
from unlearnlog.erasers.forget_set import drawn, painted
from unlearnlog.erasers.subspace import complement, fair_moment, second_moment
from unlearnlog.errors import PolicyError, TrainingError
from unlearnlog.model.protocol import Text
from unlearnlog.nats import NoiseLevels
from unlearnlog.patch import LowRank
from unlearnlog.prompt import TARGETS, Target


@final
@dataclass(frozen=True)
class Mim(Eraser):
    """Align the erased prompt's noise with the base's noise for the target prompt.

    Attributes:
        target: What is painted instead: ``context``, the prompt without the concept
            (conditional mutual information); ``anchor``, the plain style or the empty
            scene; ``unconditional``, the empty prompt, as published.
        mi_mu: How much of the way to the target, 1 for all of it.
        keep: Weight of the change of kept tokens' keys and values, as a share of their
            energy, beside the mean squared noise.
        rank: How many directions of text space may change for each concept, at most.
        leak: How much of a direction's energy may be on kept prompts, as a share of
            that on erased ones; the best direction is used in any case.
        ridge: Energy given to directions no kept prompt uses, as a share of the mean.
        n_pictures: Size of each concept's forget set.
        rate: Step size of Adam, on keys and values in units of the erased tokens.
        batch: Pictures a step.
        check_every: Steps between two looks at the nats left.
        patience: Slow down after so many looks without a fall of ``least_fall``.
        least_fall: Share of the nats left that still counts as a fall.
        slower: How often the rate is cut to a third before a standstill is the end.
        max_steps: Stop in any case.
    """

    name: ClassVar[str] = "mim"
    source: ClassVar[str] = "https://arxiv.org/abs/2603.00992"

    target: Target = "anchor"
    mi_mu: float = 1.0
    keep: float = 0.2
    rank: int = 4
    leak: float = 0.25
    ridge: float = 1e-2
    n_pictures: int = 96
    rate: float = 0.05
    batch: int = 16
    check_every: int = 20
    patience: int = 1
    least_fall: float = 0.05
    slower: int = 2
    max_steps: int = 200

    def check(self) -> None:
        """Refuse a target that there is not, and sizes that are not positive."""
        if self.target not in TARGETS:
            raise PolicyError(
                f"mim has no target '{self.target}'", fix=f"known: {', '.join(TARGETS)}"
            )
        for name, value in self.settings.items():
            if not isinstance(value, str) and value <= 0:
                raise PolicyError(
                    f"mim's {name} is {value}", fix="give a number above zero"
                )
        if self.n_pictures <= _ForgetSet.N_HELD:
            raise PolicyError(
                f"mim's n_pictures is {self.n_pictures}",
                fix=f"give more than {_ForgetSet.N_HELD}: so many are only looked at",
            )

    def work(self, n_concepts: int) -> Work:
        """Say how much there is to do for this many concepts at once."""
        return Work(self.n_pictures * n_concepts, self.max_steps)

    def rehearsal(self) -> tuple[Self, Work]:
        """Return the same with the smallest forget set and two steps."""
        n = _ForgetSet.N_HELD + 1
        return replace(self, n_pictures=n, max_steps=2), Work(n, 2)

    def erase(self, request: Request) -> Delta:
        """Train the left factors of every text projection; the right ones are fixed."""
        forget = _ForgetSet.of(self, request)
        room = _Room.left_by(self, request)
        left = {
            name: torch.zeros(len(old), len(room.right), requires_grad=True)
            for name, old in request.old.items()
        }  # [d_out, r]
        for _ in self._trained(request, forget, left=left, room=room):
            pass
        return Delta({n: LowRank(a.detach(), room.right) for n, a in left.items()})

    def _trained(
        self,
        request: Request,
        forget: _ForgetSet,
        *,
        left: dict[str, Tensor],
        room: _Room,
    ) -> Iterator[float]:
        """Yield the nats left after each look, until they no longer fall.

        Where they stand still the rate is too large as often as the work is done, so it
        is cut first.
        """
        rng = torch.Generator().manual_seed(request.seed)
        adam = torch.optim.Adam(left.values(), lr=self.rate)
        request.watch.stage("erasing", self.max_steps)
        best, since, cuts, nats = math.inf, 0, 0, math.nan
        for step in range(self.max_steps):
            if step % self.check_every == 0:
                nats = forget.nats_left(self, request, room.moved(request, left))
                fell = nats < best * (1 - self.least_fall)
                best, since = min(best, nats), 0 if fell else since + 1
                yield nats
                if since >= self.patience:
                    if cuts == self.slower:
                        return
                    since, cuts = 0, cuts + 1
                    adam.param_groups[0]["lr"] /= 3
            loss = forget.loss(self, request, room.moved(request, left), rng)
            loss = loss + self.keep * room.disturbed(left)
            if not math.isfinite(loss.item()):
                raise TrainingError(
                    f"the loss is {loss.item()} after {step} steps",
                    fix=f"lower the eraser's rate, now {self.rate}, in the policy",
                )
            adam.zero_grad()
            loss.backward()
            adam.step()
            request.watch.advance(1, {"loss": loss.item(), "nats left": nats})


@dataclass(frozen=True)
class _ForgetSet:
    """Pictures of the concept by the base, with the texts that matter for each.

    Attributes:
        latents: Shape ``[n, c, h, w]``.
        text: The prompt that names the concept, for each picture.
        target: The prompt to be painted instead, for each picture.
    """

    latents: Tensor
    text: Text
    target: Text

    N_HELD: ClassVar[int] = 16

    @classmethod
    def of(cls, eraser: Mim, request: Request) -> _ForgetSet:
        """Let the base paint the forget set."""
        pairs = drawn(request, eraser.n_pictures)
        texts = [prompt.text for prompt, _ in pairs]
        targets = [prompt.target(eraser.target) for prompt, _ in pairs]
        latents = painted(request, texts, [seed for _, seed in pairs])
        encode = request.model.encode
        return cls(latents, encode(texts), encode(targets))

    def loss(
        self,
        eraser: Mim,
        request: Request,
        new: dict[str, Tensor],
        rng: torch.Generator,
    ) -> Tensor:
        """Return the mean squared difference of the two noises on one batch."""
        model, b = request.model, eraser.batch
        n = len(self.latents) - self.N_HELD  # the others are looked at, not learnt
        chosen = torch.randint(n, (b,), generator=rng)
        t = torch.randint(model.n_steps_trained, (b,), generator=rng)
        noise = torch.randn(b, *model.latent_shape, generator=rng)
        x_t = model.noised(self.latents[chosen], noise, t)
        text, target = self.text[chosen], self.target[chosen]
        goal = _goal(eraser, request, x_t, t=t, texts=(text, target))
        guess = model.eps(x_t, t, text, weights=new)
        return (guess - goal).square().mean()

    @torch.no_grad()
    def nats_left(self, eraser: Mim, request: Request, new: dict[str, Tensor]) -> float:
        """Return the bound on the information left, in nats, on held pictures."""
        model, levels = request.model, NoiseLevels.of(request.model, 8)
        held = slice(len(self.latents) - self.N_HELD, None)
        text, target = self.text[held], self.target[held]
        rng = torch.Generator().manual_seed(request.seed + 1)
        errors = []
        for step in levels.steps:
            t = torch.full((self.N_HELD,), step)
            noise = torch.randn(self.N_HELD, *model.latent_shape, generator=rng)
            x_t = model.noised(self.latents[held], noise, t)
            goal = _goal(eraser, request, x_t, t=t, texts=(text, target))
            guess = model.eps(x_t, t, text, weights=new)
            errors.append((guess - goal).square().flatten(1).sum(1))
        return float(levels.integral(torch.stack(errors, 1)).mean())


def _goal(
    eraser: Mim,
    request: Request,
    x_t: Tensor,
    *,
    t: Tensor,
    texts: tuple[Text, Text],
) -> Tensor:
    """Return eps_phi(target) + (1 - mu) (eps_phi(c) - eps_phi(target)), detached."""
    text, target = texts
    with torch.no_grad():
        goal = request.model.eps(x_t, t, target)
        if eraser.mi_mu != 1:
            named = request.model.eps(x_t, t, text)
            goal = goal + (1 - eraser.mi_mu) * (named - goal)
    return goal


@dataclass(frozen=True)
class _Room:
    """Where the projections may change, and what a change there does to kept tokens.

    Attributes:
        right: The directions of text space, ``[r, d_text]``.
        kept: Second moment of kept tokens along them, ``[r, r]``.
        energies: Mean energy of kept tokens' keys or values, by projection.
    """

    right: Tensor
    kept: Tensor
    energies: dict[str, float]

    @classmethod
    def left_by(cls, eraser: Mim, request: Request) -> _Room:
        """Find the room that the kept prompts leave."""
        model = request.model
        named = [p.text for group in request.forget for p in group]
        erased = second_moment(model.encode(named).tokens)
        rank = eraser.rank * len(request.forget)
        ridge, leak = eraser.ridge, eraser.leak
        tokens = model.encode(request.keep).tokens
        kept = fair_moment(tokens, erased, rank=rank, ridge=ridge, leak=leak)
        right = complement(erased, kept, rank=rank, ridge=ridge, leak=leak)
        return cls.along(right, kept, request)

    @classmethod
    def along(cls, right: Tensor, kept: Tensor, request: Request) -> _Room:
        """Take these directions, with the second moment of kept tokens."""
        energies = {
            name: float(torch.einsum("oi,ij,oj->", old.double(), kept, old.double()))
            for name, old in request.old.items()
        }
        return cls(right.float(), (right @ kept @ right.T).float(), energies)

    def moved(self, request: Request, left: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return old + left @ right for every projection, float32."""
        old = request.old
        return {name: old[name].float() + a @ self.right for name, a in left.items()}

    def disturbed(self, left: dict[str, Tensor]) -> Tensor:
        """Return E||dW k||^2 / E||W k||^2 over kept tokens k, mean over projections."""
        shares = [
            torch.einsum("or,rs,os->", a, self.kept, a) / self.energies[name]
            for name, a in left.items()
        ]
        return torch.stack(shares).mean()
