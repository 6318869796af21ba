"""A panel that decides goes on deciding when other erasures take cells from it."""

import pytest

from unlearnlog.atelier.bundled_concepts import world
from unlearnlog.commands.more_samples import alone
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.core.limits import N_LEAST

PER_CELL = 8


@pytest.mark.parametrize("n_gone", [0, 1, 4, 9, 11])
def test_erasures_of_others_leave_as_many_pictures_as_decide(n_gone):
    """With a subject erased, an audit judged a style by 88 pictures, not by 96."""
    book = PromptBook(world())
    gone = {*world().subjects[:n_gone]}

    cells = alone(book, world().concepts["Picasso"], PER_CELL, gone)

    assert len(cells) >= N_LEAST
    assert len({*cells}) == len(cells)
    assert not any(cell.subject in gone for cell in cells)


def test_a_screen_stays_a_screen():
    book = PromptBook(world())
    gone = {world().subjects[0]}

    cells = alone(book, world().concepts["Picasso"], 1, gone)

    assert 0 < len(cells) < N_LEAST


def test_nothing_makes_pictures_of_none():
    everything = {*world().subjects}

    found = alone(
        PromptBook(world()), world().concepts["Picasso"], PER_CELL, everything
    )

    assert all(not cell.subject for cell in found)
