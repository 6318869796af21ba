"""MiM-MU for entangled concepts: only what a concept has beyond its family goes.

By the chain rule the information of a prompt about the picture splits,

    i(x; artist) = i(x; movement) + (i(x; artist) - i(x; movement)),

into what the family's name says already and what is the concept's own. Aligning the
erased prompt with its family's prompt takes the second part to zero and leaves the
first: ``target = "parent"``, the goal as the chain rule has it. The family's prompts
are then taught to stay what they are, and the neighbours' own part with them. But "a
cubist cat" is a Picasso as often as a Braque, so the concept keeps its share of the
family.

The default, ``sibling``, is the family without the concept, the members that stay:
nothing of the concept is left, and the family's word means those who stay. What was a
neighbour's own is then the family's. Where none stays it is the anchor.

Source:
    The loss is that of https://arxiv.org/abs/2603.00992; the goal is ours. The chain
    rule for denoisers: https://arxiv.org/abs/2310.07972.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from unlearnlog.erasers.mim import Mim
from unlearnlog.prompt import Target


@final
@dataclass(frozen=True)
class MimUnique(Mim):
    """Align the erased prompt's noise with the base's noise for its family."""

    name: ClassVar[str] = "mim-unique"

    target: Target = "sibling"
