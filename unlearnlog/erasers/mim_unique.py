"""MiM-MU for entangled concepts: erasure of what a concept has beyond its family.

By the chain rule the information of a prompt about the picture splits,

    i(x; artist) = i(x; movement) + (i(x; artist) - i(x; movement)),

into that of the family's name and that of the concept alone. Aligning the
erased prompt with its family's prompt takes the second part to zero and leaves the
first: ``target = "parent"``. But "a cubist cat" is a Picasso as often as a Braque, so
the concept keeps its share of the family.

In text space the family's name lies between its members, so a change that takes one of
them to it moves the name towards the others. Three restraints hold it: prompts of the
family and of the members that stay are equations of the closed form that comes first,
with more weight than the concept's; training then has many directions, not the few that
kept prompts hardly use; and its pictures include those of members that stay, whose
prompts are to keep their meaning.

With ``target = "sibling"`` nothing of the concept is left, and the family's word means
the members that stay: what was unique to a neighbour is then the family's.

Source:
    The loss is that of https://arxiv.org/abs/2603.00992; the goal is ours. The chain
    rule for denoisers: https://arxiv.org/abs/2310.07972.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self, final

from unlearnlog.core.delta import Delta, merged, state_after
from unlearnlog.core.prompt import Target
from unlearnlog.erasers.eraser import Request, Work, fits
from unlearnlog.erasers.mim import Mim
from unlearnlog.erasers.places import SOLVED_AND_TRAINED, settled, solved, trained
from unlearnlog.erasers.ridge import Ridge
from unlearnlog.models.interface import Model


@final
@dataclass(frozen=True)
class MimUnique(Mim):
    """Alignment of the erased prompt's noise with the base's noise for its family.

    Attributes:
        erase_scale: Weight of each concept in the closed form.
        family_scale: Weight of its family there, as a share of its own.
    """

    name: ClassVar[str] = "mim-unique"
    may_be_zero: ClassVar[tuple[str, ...]] = (*Mim.may_be_zero, "family_scale")

    target: Target = "parent"
    rank: int = 64
    leak: float = 100.0
    keep: float = 0.1
    n_family: int = 128
    slower: int = 3
    max_steps: int = 400
    erase_scale: float = 300.0
    family_scale: float = 3.0

    def on(self, model: Model) -> Self:
        """Return the eraser with the place of its change settled for a model."""
        can = SOLVED_AND_TRAINED
        where = settled(self.name, self.where, model, usual="both", allowed=can)
        return replace(self, where=where)

    @property
    def closed(self) -> Ridge:
        """The closed form that training begins at."""
        return Ridge(
            target=self.target,
            erase_scale=self.erase_scale,
            family_scale=self.family_scale,
            where=solved(self.where),
        )

    def erase(self, request: Request) -> Delta:
        """Return the sum of the solution and its training, both with kept members."""
        request = replace(request, families=(*request.families, *stays(request)))
        first = self.closed.erase(request)
        weaker = "lower the eraser's erase_scale or strength in the policy"
        with fits(self.name, weaker):
            old = {**request.old, **state_after(request.old, [first])}
        alone = replace(self, strength=1.0, where=trained(self.where))
        then = super(MimUnique, alone).erase(replace(request, old=old))
        with fits(self.name, weaker):
            return merged([first, then]).times(self.strength)

    def work(self, n_concepts: int) -> Work:
        """Return the amount of work for this many concepts at once."""
        known = super().work(n_concepts)
        return Work(known.pictures + self.n_family * n_concepts, known.steps)


def stays(request: Request) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Return prompts of the members that stay, each with itself, for each family."""
    each = (
        tuple(dict.fromkeys(p.sibling for p in group if p.sibling))
        for group in request.forget
    )
    pairs = (tuple((text, text) for text in texts) for texts in each if texts)
    return tuple(dict.fromkeys(pairs))
