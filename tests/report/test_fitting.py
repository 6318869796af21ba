"""Tables in terminals of every width: no number is cut, and nothing goes unsaid."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from tests.histories import some_findings
from unlearnlog.report.entry_tables import log_table, readings_table
from unlearnlog.report.fitted_table import GOING, NUMBERS, WORDS, FittedTable

WIDTHS = (24, 32, 40, 56, 72, 80, 100, 160)
NUMBER = re.compile(r"[-+]?\d+\.\d+")


def text_of(shown, width):
    console = Console(width=width, file=StringIO(), record=True)
    console.print(shown)
    return console.export_text()


def attacks():
    table = FittedTable(
        "concept", "attack", "verdict", "shown", "n", "controls", "more"
    )
    for name in ("Picasso", "Vincent van Gogh, the painter of sunflowers"):
        shares = "1.000 (0.961 to 1.000)", "96"
        controls = "random 0.042, held-out 0.010"
        table.add_row(name, "inversion", "not reached", *shares, controls, "+0.958")
    return table


def log():
    steps = some_findings().steps
    history = [(step.entry.id, step.entry) for step in steps]
    return log_table(history, history[-1][0])


TABLES = {
    "attacks": attacks,
    "log": log,
    "readings": lambda: readings_table(some_findings().steps[0].entry.readings),
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_no_width_cuts_a_number_or_leaves_the_screen(table, width):
    """In a terminal of 60 columns `log` and `show` read "1.0…" and "0.0…"."""
    whole = NUMBER.findall(text_of(table(), 200))

    text = text_of(table(), width)

    assert "…" not in text
    assert max(map(cell_len, text.splitlines())) <= width
    assert set(NUMBER.findall(text)) <= set(whole)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_verdict_and_what_it_is_about_stay_at_every_width(width):
    text = text_of(attacks(), width)

    assert "not reached" in text
    assert "1.000 (0.961" in text
    assert "Picasso" in text
    assert "sunflowers" in re.sub(r"\s", "", text)


def test_what_there_is_no_room_for_is_named():
    table = FittedTable("entry", "concepts", "eraser", "UA")
    table.add_row("0123456789ab", "Picasso", "double-projection", "0.979")

    assert "no room for" not in text_of(table, 60)
    assert "no room for: eraser" in text_of(table, 40)
    assert "0.979" in text_of(table, 40)


def test_a_narrow_column_has_room_again_when_a_wide_one_has_gone():
    table = FittedTable("concept", "verdict", "n", "change")
    table.add_row("Picasso", "gone", "96", "+0.958 (+0.902 to +0.981)")

    text = text_of(table, 30)

    assert "96" in text
    assert "no room for: change" in text


def test_where_not_even_two_columns_fit_each_row_becomes_lines():
    text = text_of(log(), 20)

    assert "concepts: Picasso" in text
    assert "eraser: ridge" in text


def test_two_columns_of_one_title_are_two_columns():
    """`diff HEAD HEAD` names one revision twice."""
    table = FittedTable("reading", "of", "HEAD", "HEAD")
    table.add_row("ua", "Picasso", "0.979", "0.980")

    text = text_of(table, 34)

    assert "0.979" in text
    assert "0.980" in text


def test_no_title_is_of_two_kinds_and_a_verdict_never_goes():
    assert not WORDS & NUMBERS
    assert not {"verdict", "value", "UA", "shown", "entry", "concepts"} & set(GOING)
