"""What an audit sees of everything else: in the slot of what was erased, with doubt."""

from __future__ import annotations

from typing import Any

import pytest

from unlearnlog.atelier.bundled_concepts import book, world
from unlearnlog.audits.comparison import ComparedConcept, Comparison
from unlearnlog.audits.verdict import VerdictRules, findings
from unlearnlog.core.probe_case import Answer

CAT, PICASSO = (world().concept(name) for name in ("cat", "Picasso"))
THEN: Any = {"then": None}
NOW: Any = {"now": None}


class Panel:
    """Paints what it is asked for, but now no longer everything.

    Args:
        lost: Slots that show nothing any more.
    """

    def __init__(self, *lost):
        self.lost = lost

    def judged(self, cells, weights, about):  # noqa: ARG002
        lost = self.lost if weights is NOW else ()
        return [self._answer(cell, lost) for cell in cells]

    def base_answers(self, cells):
        return [Answer(cell.subject, cell.style) for cell in cells]

    def _answer(self, cell, lost):
        subject = (
            "nothing" if "subject" in lost or cell.subject == "cat" else cell.subject
        )
        style = "photo" if "style" in lost or cell.style == "Picasso" else cell.style
        return Answer(subject, style)


def audience(*lost):
    kept = book().kept({"cat", "Picasso"}, 1)
    panel: Any = Panel(*lost)
    return Comparison(panel, THEN, NOW, kept)


def word(concept, *lost):
    cells = tuple(book().erased(concept, 6))
    sight = audience(*lost).sight(ComparedConcept(concept, cells))
    (found,) = findings([sight], VerdictRules())
    return found.word


@pytest.mark.parametrize(
    ("concept", "lost", "said"),
    [
        (CAT, (), "gone"),
        (CAT, ("style",), "gone"),
        (CAT, ("subject",), "undecided"),
        (PICASSO, ("subject",), "gone"),
        (PICASSO, ("style",), "undecided"),
    ],
)
def test_what_a_model_no_longer_paints_of_a_kind_says_nothing_of_it(
    concept, lost, said
):
    assert word(concept, *lost) == said


def test_what_became_of_everything_else_has_a_width_where_nothing_changed():
    (same,) = audience().collateral()
    (worse,) = audience("style").collateral()

    assert same.value == 0
    assert same.low < 0 < same.high
    assert worse.value == pytest.approx(-0.5, abs=0.05)
    assert same.n == worse.n == 2 * len(audience().kept)
