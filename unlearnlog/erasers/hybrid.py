"""A closed form first, and MiM-MU for what it leaves.

The ridge edit on all tokens moves keys and values to their targets, as far as one
matrix can; the information that pictures still carry of the prompt is then minimised by
gradient, in the few directions that kept prompts hardly use. The result is the sum of
both changes.

Source:
    Ours; its parts are `ridge` and `mim`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self, final

from unlearnlog.core.delta import Delta, merged, state_after
from unlearnlog.core.prompt import TARGETS, Target
from unlearnlog.erasers.eraser import Eraser, Request, Scalar, Work, fits
from unlearnlog.erasers.mim import Mim
from unlearnlog.erasers.places import (
    SOLVED_AND_TRAINED,
    WHERES,
    Where,
    settled,
    solved,
    trained,
)
from unlearnlog.erasers.ridge import Ridge
from unlearnlog.models.interface import Model


@final
@dataclass(frozen=True)
class Hybrid(Eraser):
    """A closed form, then training from its solution.

    Attributes:
        target: What is painted instead of the concept.
        erase_scale: Weight of each concept in the closed form.
        family_scale: Weight of its family there, as a share of its own.
        n_pictures: Pictures of each concept, for training.
        n_family: Pictures of what stays of its family.
        rank: Directions of text space that training may change, for each concept.
        keep: Weight in training of the change of kept tokens.
        rate: Step size of training.
        max_steps: Training steps, at most.
        strength: Factor of the sum of both changes; 1 as solved and trained.
        where: What changes of a model with joint attention, see `places`; with ``both``
            the closed form changes the entry and the training the attention.
    """

    name: ClassVar[str] = "hybrid"
    source: ClassVar[str] = "https://arxiv.org/abs/2603.00992"
    needs: ClassVar[tuple[str, ...]] = Mim.needs
    knob: ClassVar[str] = "strength"
    may_be_zero: ClassVar[tuple[str, ...]] = ("n_family", "family_scale")
    before: ClassVar[Mapping[str, Scalar]] = {"where": "default"}

    target: Target = "anchor"
    erase_scale: float = Ridge.erase_scale
    family_scale: float = Ridge.family_scale
    n_pictures: int = Mim.n_pictures
    n_family: int = Mim.n_family
    rank: int = Mim.rank
    keep: float = Mim.keep
    rate: float = Mim.rate / 3
    max_steps: int = 60
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

    @property
    def trained(self) -> Mim:
        """The training."""
        return Mim(
            target=self.target,
            n_pictures=self.n_pictures,
            n_family=self.n_family,
            rank=self.rank,
            keep=self.keep,
            rate=self.rate,
            max_steps=self.max_steps,
            where=trained(self.where),
        )

    def erase(self, request: Request) -> Delta:
        """Return the sum of the solution from the head's weights and its training."""
        first = self.closed.erase(request)
        weaker = "lower the eraser's erase_scale or strength in the policy"
        with fits(self.name, weaker):
            old = {**request.old, **state_after(request.old, [first])}
        then = self.trained.erase(replace(request, old=old))
        with fits(self.name, weaker):
            return merged([first, then]).times(self.strength)

    def work(self, n_concepts: int) -> Work:
        """Return the amount of work for this many concepts at once."""
        return self.trained.work(n_concepts)

    def rehearsal(self) -> tuple[Self, Work]:
        """Return the eraser with as little training as times a step, and its work."""
        small, work = self.trained.rehearsal()
        return (
            replace(
                self,
                n_pictures=small.n_pictures,
                n_family=small.n_family,
                max_steps=small.max_steps,
            ),
            work,
        )

    def check(self) -> None:
        """Refuse settings that either part refuses."""
        self.require("target", known=TARGETS)
        self.require("where", known=WHERES)
        self.require_above_zero()
        self.closed.check()
        self.trained.check()
