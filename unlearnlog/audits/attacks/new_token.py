"""A token that a fine-tune added, in the place of an erased concept's name.

That is how a concept comes back: the name says nothing any more, and a word that nobody
erased is taught to say it. Each such token is asked for wherever the name stood.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from unlearnlog.audits.attacks.attack_search import names_of, with_mark
from unlearnlog.audits.comparison import ComparedConcept
from unlearnlog.core.progress import counted
from unlearnlog.models.textual_inversion import MARK
from unlearnlog.probes.runner import AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unlearnlog.core.delta import Weights
    from unlearnlog.core.probe_case import Answer, ProbeCase
    from unlearnlog.models.interface import Text
    from unlearnlog.models.textual_inversion import VectorPromptModel, Vectors
    from unlearnlog.probes.runner import ProbeRunner


@dataclass(frozen=True)
class NewToken:
    """A token that was added.

    Attributes:
        token: What prompts call it.
        vectors: What the text encoders read for it.
    """

    token: str
    vectors: Vectors

    def shows(
        self,
        asked: ComparedConcept,
        panel: ProbeRunner,
        model: VectorPromptModel,
        weights: Weights,
    ) -> tuple[bool, ...]:
        """Say of each cell if it shows the concept, with the token for its name.

        Args:
            asked: The concept and the cells that show it.
            panel: How pictures are painted, and who judges.
            model: The base.
            weights: Of the fine-tune, every tensor that is not the base's.
        """
        assert panel.judge is not None
        answers: list[Answer] = []
        panel.watch.stage(
            f"looking for {asked.concept.name} as {self.token}", len(asked.cells)
        )
        for begin in range(0, len(asked.cells), AT_ONCE):
            cells = asked.cells[begin : begin + AT_ONCE]
            painted = model.paint(
                [cell.prompt for cell in cells],
                [cell.seed for cell in cells],
                sampling=panel.sampling,
                weights=weights,
                progress=counted(panel.watch),
                texts=self._said(cells, names_of(asked.concept), model, weights),
            )
            answers += panel.judge.judged(painted)
        return asked.shows(answers)

    def _said(
        self,
        cells: Sequence[ProbeCase],
        names: Sequence[str],
        model: VectorPromptModel,
        weights: Weights,
    ) -> Text:
        """Encode each cell's prompt, every distinct one once."""
        prompts = [with_mark(cell.prompt, names, MARK) for cell in cells]
        distinct = sorted({*prompts})
        with torch.no_grad():
            said = model.encode_with(
                distinct, self.vectors, weights=weights, added=True
            )
        return said[[distinct.index(prompt) for prompt in prompts]]
