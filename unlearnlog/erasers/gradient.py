"""The base of trained erasers; a method is its loss.

All of them train on the same pictures: those that the base paints for the prompts that
name the concept, noised to a random level. (Some papers stop a sampler half-way
instead, see `partial_sampling`; the two agree as far as the sampler does, and finished
pictures can be cached.) Only the text projections change.

A batch may be computed in parts, the micro-batches, by one process or by several: all
draw the same batch, and the gradients are summed in the order of the parts. The bits of
the result depend on the number of parts alone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from unlearnlog.core.delta import Delta
from unlearnlog.core.prompt import TARGETS, Target
from unlearnlog.core.ranks import OneProcess, Ranks
from unlearnlog.erasers.eraser import Eraser, Request, Scalar, Work, fits
from unlearnlog.erasers.forget_set import ForgetSet, KeptSet, Noised
from unlearnlog.erasers.naming_prompts import WORDINGS, check_wording, worded
from unlearnlog.erasers.places import WHERES, Where, by_place, chosen, settled
from unlearnlog.erasers.trainable_change import (
    CHANGES,
    FullChange,
    SeveralChanges,
    ThinChange,
    TrainableChange,
    fence_of,
)
from unlearnlog.erasers.training import (
    BatchShare,
    Gate,
    Gradients,
    Look,
    MicroBatches,
    TrainingPlan,
    train,
)
from unlearnlog.errors import PolicyError
from unlearnlog.models.interface import Model, Text


@dataclass(frozen=True)
class LossInputs:
    """The inputs of a loss.

    Attributes:
        request: What is erased.
        forget: Pictures of it.
        kept: Pictures of what stays; none where the method needs none.
        rng: The source of every random number of the training.
        share: The part of each batch that is computed.
    """

    request: Request
    forget: ForgetSet
    kept: KeptSet
    rng: torch.Generator
    share: BatchShare = field(default_factory=BatchShare)

    def forgotten(self, batch: int) -> tuple[Noised, Text, Text]:
        """Return random pictures of the concept, with their prompts and targets."""
        some = self._drawn(self.forget.learnt, batch)
        return some, self.forget.text[some.rows], self.forget.target[some.rows]

    def stayed(self, batch: int) -> tuple[Noised, Text]:
        """Return random pictures of what stays, with their prompts."""
        some = self._drawn(self.kept.latents, batch)
        return some, self.kept.text[some.rows]

    def _drawn(self, latents: Tensor, batch: int) -> Noised:
        every = Noised.drawn(self.request, latents, batch, self.rng)
        return every[self.share.rows(batch)]

    @torch.no_grad()
    def base(self, some: Noised, text: Text) -> Tensor:
        """Return the base's noise for a prompt, without a gradient."""
        return self.request.model.eps(some.x_t, some.t, text)

    def eps(self, some: Noised, text: Text, new: dict[str, Tensor]) -> Tensor:
        """Return the noise that other weights predict, with a gradient."""
        weights = self.request.with_fixed(new)
        return self.request.model.eps(some.x_t, some.t, text, weights=weights)

    @torch.no_grad()
    def own(self, some: Noised, text: Text, new: dict[str, Tensor]) -> Tensor:
        """Return the noise that other weights predict, without a gradient."""
        return self.eps(some, text, new)

    def encoded(self, text: str, n: int) -> Text:
        """Encode one prompt for ``n`` pictures."""
        return self.request.model.encode([text])[[0] * n]


def mean_square(difference: Tensor) -> Tensor:
    """Return the mean square of all numbers."""
    return difference.square().mean()


def clipping(gate: Gate | None, longest: float) -> Gate | None:
    """Return a gate that clips each step's gradient to a length.

    Args:
        gate: The gate before it; None for none.
        longest: The length, of all numbers in one row; 0 for the gate itself.
    """
    if not longest:
        return gate

    def clipped(step: int, gradients: Gradients) -> None:
        if gate is not None:
            gate(step, gradients)
        energy = sum(float(g.double().square().sum()) for g in gradients.values())
        for gradient in gradients.values():
            gradient.mul_(min(1.0, longest / (energy**0.5 or 1.0)))

    return clipped


@dataclass(frozen=True)
class GradientEraser(Eraser):
    """An eraser that is trained; a method is what `losses` returns.

    Attributes:
        may_be_zero: Settings beside ``n_kept`` that may be zero.
        target: What is painted instead of the concept.
        change: What is trained: ``full`` for every number of the text projections,
            ``factors`` for two thin factors of each change, as in LoRA.
        rank: Width of the factors.
        project: Whether gradients are projected onto the complement of the tokens of
            kept prompts.
        fence: How much of a direction's energy kept prompts may use before it is shut,
            as a share of the mean; only with ``project``.
        n_pictures: Pictures of each concept.
        n_kept: Pictures of what stays.
        steps: Training steps.
        rate: Step size of AdamW.
        batch: Pictures a step, of each kind.
        strength: Factor of the trained change; 1 as trained.
        prompts: Which prompts name the concept: ``all`` of the forget set, the ``bare``
            ones that say its name and nothing else, or a prompt with ``{}`` where the
            name stands.
        clip: The longest that a step's gradient, all numbers in one row, may be; what
            is longer is shortened to it. 0 for any length.
        where: What changes of a model with joint attention, see `places`.
        micro_batches: Parts that a batch is computed in. More of them need less memory,
            and so many processes may share a training; the last bits depend on it.
    """

    needs: ClassVar[tuple[str, ...]] = ("pictures of the concept",)
    knob: ClassVar[str] = "strength"
    before: ClassVar[Mapping[str, Scalar]] = {
        "prompts": WORDINGS[0],
        "clip": 0.0,
        "where": "default",
        "micro_batches": 1,
    }
    divides: ClassVar[bool] = True
    """Whether the loss of a batch is the mean of the losses of its parts."""
    shows_target: ClassVar[bool] = False
    """Whether the pictures show what is painted instead of the concept."""

    target: Target = "context"
    change: str = CHANGES[0]
    rank: int = 4
    project: bool = False
    fence: float = 0.01
    n_pictures: int = 64
    n_kept: int = 0
    steps: int = 150
    rate: float = 1e-3
    batch: int = 16
    strength: float = 1.0
    prompts: str = WORDINGS[0]
    clip: float = 0.0
    where: Where = "default"
    micro_batches: int = 1

    @abstractmethod
    def losses(self, scene: LossInputs, new: dict[str, Tensor]) -> Sequence[Tensor]:
        """Return what is minimised at one step; more than one only with `mix`.

        Args:
            scene: Pictures, prompts and random numbers.
            new: The text projections as they are now, with a gradient.
        """

    def mix(self, found: Sequence[tuple[float, Gradients]]) -> Gradients:
        """Return one gradient from those of the losses; here there is one."""
        return found[0][1]

    def look(self, scene: LossInputs) -> Look | None:  # noqa: ARG002
        """Return a function that is called before each step, or None."""
        return None

    def gate(self, scene: LossInputs, change: TrainableChange) -> Gate | None:  # noqa: ARG002
        """Return a function that changes gradients before they are used, or None."""
        return None

    def plan(self) -> TrainingPlan:
        """Return the number of steps and the rate of the training."""
        return TrainingPlan(self.steps, self.rate)

    def erase(self, request: Request) -> Delta:
        """Paint the pictures, train, and return the change.

        Raises:
            TrainingError: The training diverged, or processes cannot share a batch.
        """
        request = chosen(worded(request, self.prompts), self.where)
        self.check_shared(request.ranks.size)
        given = self, self.scene(request)
        if not self.divides:
            return trained(given, OneProcess())
        return request.ranks.together(trained, given)

    def batches(
        self,
        scene: LossInputs,
        losses: Callable[[LossInputs, dict[str, Tensor]], Sequence[Tensor]],
    ) -> MicroBatches:
        """Return the losses of a step, by parts of its batch."""
        return MicroBatches(
            lambda part: lambda new: losses(replace(scene, share=part), new),
            self.micro_batches,
            scene.rng,
            scene.request.ranks,
        )

    def scene(self, request: Request) -> LossInputs:
        """Return the inputs of the loss, with pictures that the base paints."""
        return LossInputs(
            request,
            ForgetSet.of(
                request, self.target, n=self.n_pictures, of_target=self.shows_target
            ),
            KeptSet.of(request, self.n_kept),
            torch.Generator().manual_seed(request.seed),
        )

    def start(self, request: Request) -> TrainableChange:
        """Return the change that is trained, zero to begin with.

        There is no fence for what reads the picture as well.
        """
        return SeveralChanges.of([self._started(part) for part in by_place(request)])

    def _started(self, request: Request) -> TrainableChange:
        """Return the change of what is in one place."""
        fenced = self.project and request.place != "joint-attention"
        fence = fence_of(request, self.fence) if fenced else None
        if self.change == "full":
            return FullChange.of(request, fence)
        return ThinChange.lora(request, self.rank, fence)

    def on(self, model: Model) -> Self:
        """Return the eraser with the place of its change settled for a model."""
        where = settled(self.name, self.where, model, usual="joint")
        return replace(self, where=where)

    def work(self, n_concepts: int) -> Work:
        """Return the amount of work for this many concepts at once."""
        return Work(self.n_pictures * n_concepts + self.n_kept, self.steps)

    def rehearsal(self) -> tuple[Self, Work]:
        """Return the eraser with the fewest pictures and two steps, and its work."""
        n, kept = ForgetSet.N_HELD + 1, min(self.n_kept, self.batch)
        small = replace(self, n_pictures=n, n_kept=kept, steps=2)
        return small, Work(n + kept, 2)

    def check(self) -> None:
        """Refuse unknown words, and sizes that are not positive."""
        self.require("target", known=TARGETS)
        self.require("change", known=CHANGES)
        self.require("where", known=WHERES)
        check_wording(self.name, self.prompts)
        n_kept = () if type(self).n_kept else ("n_kept",)
        self.require_above_zero(but=("clip", *n_kept))
        if self.n_pictures <= ForgetSet.N_HELD:
            raise PolicyError(
                f"{self.name}'s n_pictures is {self.n_pictures}",
                fix=f"give more than {ForgetSet.N_HELD}: so many are held out",
            )
        self._check_parts()

    def check_shared(self, n: int) -> None:
        """Refuse parts of a batch that are not the same number for each process."""
        if not self.divides or not self.micro_batches % n:
            return
        fix = f"--set micro_batches={n}"
        if self.batch % n:
            fix += f" --set batch={n * -(-self.batch // n)}"
        raise PolicyError(
            f"{n} processes cannot share {self.name}'s batch of {self.batch} evenly: "
            f"its micro_batches is {self.micro_batches}",
            fix=f"add {fix}, or set it in the policy's [eraser]; one process then "
            "computes the same bits",
        )

    def _check_parts(self) -> None:
        n, batch = self.micro_batches, self.batch
        if n > 1 and not self.divides:
            raise PolicyError(
                f"{self.name}'s loss is of a whole batch, and its micro_batches is {n}",
                fix="give micro_batches = 1",
            )
        if batch % n:
            raise PolicyError(
                f"{self.name}'s batch of {batch} is not divided evenly into {n} "
                "micro_batches",
                fix=f"set batch to a multiple of {n}, such as {n * -(-batch // n)}",
            )


def trained(given: tuple[GradientEraser, LossInputs], ranks: Ranks) -> Delta:
    """Train as one of the processes, and return the change.

    Args:
        given: The eraser, and the inputs of its losses.
        ranks: The processes.

    Raises:
        TrainingError: The training diverged, or its change cannot be stored.
    """
    eraser, scene = given
    request = replace(scene.request, ranks=ranks)
    scene, change = replace(scene, request=request), eraser.start(request)
    gate = eraser.gate(scene, change)
    train(
        request,
        change,
        eraser.batches(scene, eraser.losses),
        eraser.plan(),
        mix=eraser.mix,
        gate=clipping(gate, eraser.clip),
        look=eraser.look(scene),
    )
    slower = f"lower the eraser's rate, now {eraser.rate}, in the policy"
    with fits(eraser.name, slower):
        return change.delta(eraser.strength)
