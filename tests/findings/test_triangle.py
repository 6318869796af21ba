"""The triangle: what was read, each concept compared with its own beginning."""

from dataclasses import replace

import pytest

from tests.histories import shown, step, three_steps
from unlearnlog.core.reading import Reading
from unlearnlog.findings.triangle import difference, triangle


def row_of(rows, concept):
    return next(row for row in rows if row.concept == concept)


def test_a_concept_has_no_cell_before_it_is_erased():
    monet = row_of(triangle(three_steps()), "Monet")

    assert [cell and cell.value for cell in monet.shown] == [None, 2 / 96, 0.0]
    assert monet.erased_at == (False, True, True)
    assert monet.since == 2


def test_what_comes_back_is_measured_from_the_concepts_own_erasure():
    picasso = row_of(triangle(three_steps()), "Picasso")

    assert picasso.back[0] is None
    assert [back.value for back in picasso.back[1:]] == [0.0, 0.25]


def test_a_resurgence_that_an_entry_holds_is_not_computed_again():
    told = Reading(
        probe="resurgence",
        concept="Picasso",
        value=0.125,
        unit="difference",
        n=32,
        low=0.0,
        high=0.25,
        better="lower",
    )
    first, second, _ = three_steps()
    entry = second.entry.model_copy(update={"readings": (*second.entry.readings, told)})
    steps = (first, replace(second, entry=entry))

    assert row_of(triangle(steps), "Picasso").back[1] == told


def test_a_concept_that_was_taken_back_and_erased_anew_is_compared_with_the_new_time():
    steps = (
        step(1, ["Picasso"], ["Picasso"], [shown("Picasso", 0, erased=True)]),
        step(2, ["Picasso"], [], [shown("Picasso", 96)], kind="revert"),
        step(3, ["Picasso"], ["Picasso"], [shown("Picasso", 24, erased=True)]),
        step(4, ["Monet"], ["Picasso", "Monet"], [shown("Picasso", 24, erased=True)]),
    )

    row = row_of(triangle(steps), "Picasso")

    assert row.since == 3
    assert row.shown[1] is None
    assert row.back[2] is None
    assert row.back[3].value == 0.0


def test_an_entry_at_which_nobody_looked_leaves_a_hole():
    steps = (*three_steps(), step(4, ["cat"], ["Picasso", "Monet"], kind="revert"))

    row = row_of(triangle(steps), "Picasso")

    assert row.shown[3] is None
    assert row.back[3] is None
    assert row.erased_at[3]


@pytest.mark.parametrize(
    ("now", "then", "low", "high"),
    [
        # Newcombe 1998, table II, method 10: 56/70 - 48/80, 9/10 - 3/10, 10/10 - 0/20
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_the_interval_of_a_difference_is_the_published_one(now, then, low, high):
    found = difference(shown("x", *now), shown("x", *then))

    assert found.low == pytest.approx(low, abs=5e-5)
    assert found.high == pytest.approx(high, abs=5e-5)
