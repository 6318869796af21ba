"""A page of a long history stays small, and says what it leaves out."""

from dataclasses import replace

import pytest

from tests.histories import shown, some_findings, step
from unlearnlog.findings.report_parts import MOST_STEPS
from unlearnlog.report.html_page import html
from unlearnlog.report.truncation import tabled_steps, truncated


def long_history(n):
    """One concept more is gone at every step; the fourth one comes back."""
    names = [f"style {i}" for i in range(1, n + 1)]
    return some_findings(
        [
            step(
                i,
                [names[i - 1]],
                names[:i],
                [
                    shown(
                        name, 8 if name == "style 4" and i == n else 0, 32, erased=True
                    )
                    for name in names[:i]
                ],
            )
            for i in range(1, n + 1)
        ],
        (),
    )


def test_a_history_that_fits_is_shown_whole():
    found = some_findings()

    shown, omitted = truncated(found)

    assert omitted == ""
    harm = tuple(found.graph.harm)
    assert shown == replace(found, graph=replace(found.graph, harm=harm))
    assert tabled_steps(found) == [*found.steps]


def test_of_a_long_history_the_last_entries_stay_and_what_comes_back():
    kept, said = truncated(long_history(MOST_STEPS + 5))

    assert [s.number for s in kept.steps][::59] == [6, 65]
    assert {len(row.shown) for row in kept.triangle} == {MOST_STEPS}
    assert len(kept.triangle) == MOST_STEPS
    assert "style 4" in {row.concept for row in kept.triangle}
    assert "the last 60 of 65 entries" in said


def test_the_page_numbers_entries_as_the_history_does():
    text = html(long_history(MOST_STEPS + 5))

    assert "65 of 65: style 65" in text
    assert 'title="style 4 after entry 65: 25.0 %' in text
    assert "The report as JSON holds all of it." in text.replace("\n", " ")


def test_a_history_of_two_hundred_entries_is_a_page_of_five_megabytes_at_most():
    text = html(long_history(200))

    assert len(text.encode()) < 5_000_000
    assert "All readings of the last" in text


@pytest.mark.parametrize("n", [61, 62])
def test_at_least_one_entry_is_listed_with_all_its_readings(n, monkeypatch):
    monkeypatch.setattr("unlearnlog.report.truncation.MOST_READINGS", 1)

    assert [s.number for s in tabled_steps(long_history(n))] == [n]
