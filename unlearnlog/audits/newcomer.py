"""A token that a fine-tune added, in the place of an erased concept's name.

That is how a concept comes back: the name says nothing any more, and a word that nobody
erased is taught to say it. Each such token is asked for wherever the name stood.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from unlearnlog.audits.attack import names_of, with_mark
from unlearnlog.audits.look import Question
from unlearnlog.model.given import MARK
from unlearnlog.probes.panel import AT_ONCE
from unlearnlog.watch import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unlearnlog.cell import Answer, Cell
    from unlearnlog.delta import Weights
    from unlearnlog.model.given import Hearing, Vectors
    from unlearnlog.model.protocol import Text
    from unlearnlog.probes.panel import Panel


@dataclass(frozen=True)
class Newcomer:
    """A token that was added.

    Attributes:
        token: What prompts call it.
        vectors: What the text encoders read for it.
    """

    token: str
    vectors: Vectors

    def shows(
        self, asked: Question, panel: Panel, model: Hearing, weights: Weights
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
        cells: Sequence[Cell],
        names: Sequence[str],
        model: Hearing,
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
