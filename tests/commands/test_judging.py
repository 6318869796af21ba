"""Whoever looks for one concept looks where no other erased one is asked for."""

import pytest

from unlearnlog.atelier.bundled_concepts import book, world
from unlearnlog.atelier.subjects import SUBJECTS
from unlearnlog.commands.judge_choice import check_alone
from unlearnlog.errors import UsageError

PICASSO, CAT = (world().concept(name) for name in ("Picasso", "cat"))


def test_cells_that_show_another_erased_concept_are_left_out():
    alone = book().alone(PICASSO, 2, {"Picasso", "cat"})

    assert {cell.style for cell in alone} == {"Picasso"}
    assert {cell.subject for cell in alone} == {*SUBJECTS} - {"cat", *world().held_out}
    assert len(alone) == 2 * len({cell.subject for cell in alone})


def test_a_concept_that_is_never_alone_is_refused_by_name():
    everything = {*SUBJECTS, "Picasso"}

    check_alone(book(), [CAT], everything)
    with pytest.raises(UsageError, match="every picture of 'Picasso' shows another"):
        check_alone(book(), [CAT, PICASSO], everything)
