"""The ridge edit on every token that carries the concept, not on the last one alone.

The name's tokens, the words behind it and the padding all carry the concept to the
cross-attention. Each becomes the token at its position in the target prompt. So do the
tokens of prompts that name only the concept's family: they become those of the members
that stay; otherwise "a cubist cat" would still show a Picasso.

Source:
    The equations of https://arxiv.org/abs/2308.14761; that all tokens and families take
    part, and the weights, are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

from unlearnlog.erasers.closed_form import Problem
from unlearnlog.erasers.concept_texts import Reach
from unlearnlog.erasers.eraser import Request
from unlearnlog.erasers.tokens import TokenPairs
from unlearnlog.erasers.uce import RidgeEdit


@final
@dataclass(frozen=True)
class Ridge(RidgeEdit):
    """A ridge edit that sends every token from a concept's name on to its target's.

    Attributes:
        family_scale: Weight of each concept's family, as a share of the concept's own.
    """

    name: ClassVar[str] = "ridge"
    source: ClassVar[str] = "https://arxiv.org/abs/2308.14761"

    may_be_zero: ClassVar[tuple[str, ...]] = ("n_prompts", "family_scale")

    span: Reach = "all"
    erase_scale: float = 100.0
    family_scale: float = 1.0

    def problem(self, request: Request) -> Problem:
        """Return the problem, with the families among what is erased."""
        problem = super().problem(request)
        families = TokenPairs.of_families(request)
        if families is None or not self.family_scale:
            return problem
        both = problem.pairs.beside(families, self.family_scale)
        return replace(problem, pairs=both)
