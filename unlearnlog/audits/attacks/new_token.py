"""Tokens that a fine-tune added, in place of an erased concept's name.

A concept can come back this way: its name recalls nothing any more, and a new token is
trained to mean it. Each such token is tried in place of the name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import torch

from unlearnlog.audits.attacks.attack_search import names_of, with_mark
from unlearnlog.audits.comparison import ComparedConcept
from unlearnlog.core.progress import counted
from unlearnlog.models.textual_inversion import MARK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unlearnlog.core.delta import Weights
    from unlearnlog.core.probe_case import Answer, ProbeCase
    from unlearnlog.models.interface import Text
    from unlearnlog.models.textual_inversion import VectorPromptModel, Vectors
    from unlearnlog.probes.runner import ProbeRunner

_SEED: Final = 29
_AT_ONCE: Final = 128
"""Pictures that are painted and judged together."""


@dataclass(frozen=True)
class NewToken:
    """An added token.

    Attributes:
        token: Its text in prompts.
        vectors: Its embedding in each text encoder.
        handed: Whether it was given as a file of its own, and is tried beside random
            vectors and on the base.
    """

    token: str
    vectors: Vectors
    handed: bool = False

    def at_random(self) -> NewToken:
        """Return a token with random vectors of the same norms, the same every time."""
        rng = torch.Generator().manual_seed(_SEED)
        found = []
        for own in self.vectors:
            noise = torch.randn(own.shape, generator=rng)
            norms = own.float().norm(dim=-1, keepdim=True)
            found.append(noise / noise.norm(dim=-1, keepdim=True) * norms)
        return replace(self, token=f"{self.token} at random", vectors=tuple(found))

    def shows(
        self,
        asked: ComparedConcept,
        panel: ProbeRunner,
        model: VectorPromptModel,
        weights: Weights | None,
    ) -> tuple[bool, ...]:
        """Return whether each cell shows the concept, with the token for its name.

        Args:
            asked: The concept and the cells that show it.
            panel: The sampling and the judge.
            model: The base.
            weights: The fine-tune's tensors that differ from the base's; None for the
                base.
        """
        assert panel.judge is not None
        answers: list[Answer] = []
        panel.watch.stage(
            f"painting {asked.concept.name} as {self.token}", len(asked.cells)
        )
        for begin in range(0, len(asked.cells), _AT_ONCE):
            cells = asked.cells[begin : begin + _AT_ONCE]
            painted = model.paint(
                [cell.prompt for cell in cells],
                [cell.seed for cell in cells],
                sampling=panel.sampling,
                weights=weights,
                progress=counted(panel.watch),
                texts=self._encoded(cells, names_of(asked.concept), model, weights),
            )
            answers += panel.judge.judged(painted)
        return asked.shows(answers)

    def _encoded(
        self,
        cells: Sequence[ProbeCase],
        names: Sequence[str],
        model: VectorPromptModel,
        weights: Weights | None,
    ) -> Text:
        """Return each cell's prompt encoded, every distinct one once."""
        prompts = [with_mark(cell.prompt, names, MARK) for cell in cells]
        distinct = sorted({*prompts})
        with torch.no_grad():
            encoded = model.encode_with(
                distinct, self.vectors, weights=weights, added=True
            )
        return encoded[[distinct.index(prompt) for prompt in prompts]]
