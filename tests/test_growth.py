"""What a command does grows with the ledger: counted, not timed."""

from __future__ import annotations

import json
import sys

import pytest

from benchmarks.growing import History, called
from unlearnlog.api import Ledger
from unlearnlog.core.reading import Reading
from unlearnlog.findings.as_json import as_data
from unlearnlog.report.html_page import html
from unlearnlog.report.markdown_page import markdown

MOST = 2.4  # ids of concepts are computed once, so what is left grows a little faster
SIZES = (70, 140)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    found = []
    for n in SIZES:
        folder = tmp_path_factory.mktemp(f"of {n}")
        History(folder).grow(n)
        found.append(folder)
    return found


def calls_of(act):
    """Return how many functions of the package are called."""
    count = 0

    def called_one(frame, event, _):
        nonlocal count
        count += event == "call" and "unlearnlog" in frame.f_code.co_filename

    sys.setprofile(called_one)
    try:
        act()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "act",
    [
        lambda ledger: ledger.report(pictures=0),
        lambda ledger: ledger.graph(),
        lambda ledger: ledger.status(),
    ],
    ids=["report", "graph", "status"],
)
def test_work_at_most_doubles_with_a_ledger(folders, act):
    """Every entry was held against all later ones: 98 s of 2,000 entries."""
    found = []
    for folder in folders:
        ledger = Ledger.open(folder)
        assert ledger.place.head  # the model is loaded, the history is not read
        found.append(calls_of(lambda it=ledger: act(it)))

    small, large = found
    assert large <= MOST * small


@pytest.mark.parametrize(
    "form", [as_data, markdown, pytest.param(html, marks=pytest.mark.slow)]
)
def test_a_report_is_as_long_as_its_history(folders, form):
    """As JSON it held of every entry all that was erased, and every empty cell."""
    small, large = (
        len(json.dumps(form(Ledger.open(folder).report(pictures=0))))
        for folder in folders
    )

    assert large <= MOST * small


def test_the_doubts_of_a_long_history_are_those_of_its_entries(folders):
    found = Ledger.open(folders[1]).report(pictures=0)

    n = SIZES[1]
    assert len(found.last.live) == n
    assert found.steps[9].live.__contains__(called(9))
    assert not found.steps[9].live.__contains__(called(10))
    assert len(found.steps[9].live) == 10
    assert found.triangle[0].erased_at == (True,) * n
    (cell, second) = found.triangle[0].cells
    assert (cell.number, cell.back) == (1, None)
    assert isinstance(second.back, Reading)
