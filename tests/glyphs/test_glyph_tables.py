"""The tables of the real drawings, on a small made-up result."""

import pytest

from benchmarks.glyph_choice import STYLES, SUBJECTS
from docs.glyph_tables import (
    glyph_erasers_table,
    glyph_hundred_table,
    glyph_kinds_table,
    glyph_quality_table,
    glyph_sixty_table,
    glyph_words_table,
)

NAMES = [*STYLES, *(name for each in SUBJECTS.values() for name in each)]


def alone(concept, *, shown=0, kept=20):
    """Return a cell in which a concept is shown in some of 24, others kept in some."""
    slot = "style" if concept in STYLES else "subject"
    counts = {
        "own": [24, shown, 22],
        "ira": [60, 3 * kept, 60],
        "cra": [60, 3 * kept, 60],
        "near": [24, kept, 20],
    }
    if slot == "subject":
        counts["seen words"] = [12, shown // 2, 10]
    worst = {"concept": "star", "count": [8, kept // 4, 8]}
    return {
        "eraser": "made-up",
        "concept": concept,
        "slot": slot,
        "seconds": 2.0,
        "counts": counts,
        "worst": worst,
    }


def cells_of(label, **how):
    return {
        f"{label}-{name.casefold().replace(' ', '-')}": alone(name, **how)
        for name in NAMES
    }


def rows_of(table):
    lines = table.splitlines()[2:]
    return [line.split(" | ") for line in lines if line.startswith("|")]


def test_the_eraser_that_keeps_more_at_equal_erasure_comes_first():
    cells = {**cells_of("harsh", kept=8), **cells_of("gentle", kept=20)}

    table = glyph_erasers_table(cells)

    found = rows_of(table)
    assert [row[0] for row in found] == ["| `gentle`", "| `harsh`"]
    assert found[1][4] == "0.400"
    assert found[0][2] == "1.000 (0.983 to 1.000; base 0.08)"
    assert found[1][11] == "star 2 of 8 (8)"
    assert "gone of styles 72, of subjects 216, of keywords 108, own kind 720" in table


def test_an_eraser_that_erases_nothing_has_no_score():
    found = rows_of(glyph_erasers_table(cells_of("idle", shown=22)))

    assert found[0][-1] == "0.000 |"


def test_an_eraser_with_concepts_left_to_measure_is_in_no_ranking():
    cells = cells_of("half")
    cells.pop("half-noto")

    assert glyph_erasers_table(cells) == ""
    assert "half" in glyph_kinds_table(cells)


def test_an_erasure_that_was_refused_is_named_below_the_table():
    cells = cells_of("made-up") | {"oce-horse": {"concept": "horse", "failed": "why"}}

    table = glyph_erasers_table(cells)

    assert table.endswith("Refused by the eraser, and in no row above: `oce-horse`.")


def test_each_kind_of_subject_has_its_own_column():
    (row,) = rows_of(glyph_kinds_table(cells_of("made-up", shown=12, kept=10)))

    assert row[1:] == ["0.500 (0.08), 0.500"] * 2 + ["0.500 (0.08), 0.500 |"]


def mark(k, shown, kept):
    return {
        "erased": k,
        "seconds": 1.5,
        "bytes": 2000,
        "shown": shown,
        "kept": {"siblings": [20, kept, 20], "others": [20, 20, 20]},
        "styles": [36, 36, 36],
    }


def test_a_subject_came_back_where_it_was_gone_at_the_mark_before():
    first = mark(1, {"cat": [2, 0, 2]}, 20)
    then = mark(2, {"cat": [2, 1, 2], "dog": [2, 0, 2]}, 10)
    cells = {"hundred-made-up-1": {"rows": [first, then]}}

    one, two = rows_of(glyph_hundred_table(cells))

    assert one[:4] == ["| `made-up`", "1", "1", "1.000 (0.00)"]
    assert two[3:6] == ["0.750 (0.00)", "0.50", "0.500"]
    assert two[9] == "1 of 1"


def test_the_concepts_that_miss_an_aim_are_named():
    cells = {
        "sixty-made-up-horse": alone("horse", kept=20),
        "sixty-made-up-bell": alone("bell", shown=12, kept=18),
    }

    found = {row[0]: row[1:] for row in rows_of(glyph_sixty_table(cells))}

    assert found["| gone by its name, at least 0.95"] == ["1 of 2", "bell |"]
    assert found["| own kind kept, at least 0.95 of base"] == ["1 of 2", "bell |"]
    assert found["| look-alikes kept, at least 0.9 of base"][0] == "0 of 0"


def test_the_best_keyword_stands_beside_the_best_of_as_many_others():
    cell = {
        "eraser": "made-up",
        "concept": "horse",
        "words": {"racing": [6, 3, 6], "equestrian": [6, 0, 2]},
        "controls": {"ale": [6, 0, 0], "boom": [6, 1, 0]},
    }

    (row,) = rows_of(glyph_words_table({"words-made-up-horse": cell}))

    assert row[2:] == ["2", "0.667", "0.250", "racing 0.50", "0.083", "0.17 |"]


@pytest.mark.parametrize("key", ["keywords", "pairs"])
def test_a_figure_of_subjects_alone_has_no_style(key):
    figures = {"trained cells": [0.9, 0.95], key: [0.7]}

    found = rows_of(glyph_quality_table(figures))

    assert found[0][1:] == ["0.900", "0.950 |"]
    assert found[1][1] == "0.700"


def test_nothing_measured_makes_no_table():
    for table in (
        glyph_erasers_table,
        glyph_kinds_table,
        glyph_hundred_table,
        glyph_sixty_table,
        glyph_words_table,
    ):
        assert table({}) == ""
