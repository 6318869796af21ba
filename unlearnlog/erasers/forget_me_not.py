"""Forget-Me-Not: training against attention to the words that name the concept.

    L = || A_theta(x_t, c)[marked] ||

A are the attention probabilities of every cross-attention layer, for each head and each
position of the picture; marked are the tokens of the concept's name and the mark of the
prompt's end. The norm is taken over all of them and over the batch. Attention sums to
1, so what the marked tokens lose goes to the other words of the prompt.

Published: the loss, the tokens, and no step towards anything that is painted instead;
35 steps at a rate of 2e-6 on one picture each, all of the UNet or its attention. Ours:
only keys and values change, so the rate is another; x_t is noised from pictures that
the base painted, not from photographs; and the words are the concept's own, where the
authors may first search for tokens that stand for it (textual inversion).

The authors find the end mark by its number. Where a model pads prompts with the
same mark, as Stable Diffusion 1 does, this marks the padding as well: that is
``marks = "name to padding"``, the default. Gradients are projected by default, which
is ours: the end is in every prompt, and without it the model loses all of them.

Source:
    https://arxiv.org/abs/2303.17591
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Self, final

import torch
from torch import Tensor

from unlearnlog.core.prompt import Prompt
from unlearnlog.erasers.eraser import Request
from unlearnlog.erasers.gradient import GradientEraser, LossInputs
from unlearnlog.erasers.tokens import name_span
from unlearnlog.errors import PolicyError
from unlearnlog.models.interface import Model

MARKS: Final = ("name and end", "name", "name to padding")
"""The marked tokens; the last word also marks all behind the end."""


@final
@dataclass(frozen=True)
class ForgetMeNot(GradientEraser):
    """Training against attention to the concept's tokens.

    Attributes:
        target: What replaces the concept, for comparison; the loss does not use it.
        marks: The tokens that are to get no attention.
    """

    name: ClassVar[str] = "forget-me-not"
    source: ClassVar[str] = "https://arxiv.org/abs/2303.17591"

    project: bool = True
    steps: int = 70
    rate: float = 3e-3
    marks: str = MARKS[2]

    def on(self, model: Model) -> Self:
        """Return the eraser for a model with cross-attention.

        Raises:
            PolicyError: The model has none.
        """
        if "cross-attention" not in model.places.values():
            raise PolicyError(
                f"{self.name} lowers the attention of cross-attention to words, and "
                "this model has none: its text and picture attend to each other",
                fix="take another eraser: unlearnlog erasers",
            )
        return super().on(model)

    def losses(self, scene: LossInputs, new: dict[str, Tensor]) -> Sequence[Tensor]:
        """Return the norm of the attention to marked tokens."""
        some, text, _ = scene.forgotten(self.batch)
        said = [scene.forget.texts[row] for row in some.rows.tolist()]
        marks = self.marked(scene.request, said, text.tokens.shape[1])
        found = scene.request.model.attention(
            some.x_t, some.t, text, marks, weights=new
        )
        return (torch.cat([each.flatten() for each in found.values()]).norm(),)

    def marked(self, request: Request, texts: Sequence[str], length: int) -> Tensor:
        """Return which tokens of erased prompts are marked, bool ``[n, length]``.

        Raises:
            ConceptError: The name ends beyond the text encoder's length.
        """
        marks = torch.zeros(len(texts), length, dtype=torch.bool)
        for i, group in enumerate(request.forget):
            prompts = {prompt.text: prompt for prompt in group}
            for row, text in zip(marks, texts, strict=True):
                if text not in prompts:
                    continue
                named, behind = _rows(request, i, prompts[text], length)
                row[named] = True
                if self.marks == "name and end":
                    row[behind[:1]] = True
                if self.marks == "name to padding":
                    row[behind] = True
        return marks

    def check(self) -> None:
        """Refuse invalid settings and unknown marks."""
        super().check()
        self.require("marks", known=MARKS)


def _rows(
    request: Request, i: int, prompt: Prompt, length: int
) -> tuple[list[int], list[int]]:
    """Return the rows of a concept's name, and those read behind the last word."""
    read = request.reading(prompt.text)
    if read is None:
        first, last = name_span(request, i, prompt, length)
        end = request.model.n_tokens(prompt.text) - 1
        return [*range(first, last + 1)], [*range(end, length)]
    before, until = prompt.around
    named = read.words(read.read, len(before.rstrip()), len(until))
    return named, [row for row in read.read if row > max(read.said)]
