"""Long work in lines: where standard error is no terminal."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from unlearnlog.report.entry_tables import ProgressBars, _writer
from unlearnlog.report.progress_lines import ProgressLines


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def told(clock):
    """What is written, and who writes it."""
    said: list[str] = []
    return said, ProgressLines(said.append, clock=clock)


def test_a_line_is_written_at_each_tenth(told, clock):
    said, lines = told
    lines.stage("painting", 20)

    for _ in range(20):
        clock.now += 2.5
        lines.advance(1, {"loss": 0.25})
    lines.close()

    assert said[0] == "painting: 2 of 20 after 0:05, loss 0.25"
    assert said[-1] == "painting: 20 of 20 after 0:50, loss 0.25"
    assert len(said) == 10


def test_tenths_that_follow_close_upon_each_other_share_a_line(told, clock):
    said, lines = told
    lines.stage("painting", 100)

    for _ in range(100):
        clock.now += 0.125
        lines.advance(1, {})
    lines.close()

    assert [line.split(" after")[0] for line in said] == [
        f"painting: {done} of 100" for done in (24, 48, 72, 96)
    ]


def test_what_is_soon_over_is_not_spoken_of(told, clock):
    said, lines = told

    for stage in ("solving", "painting"):
        lines.stage(stage, 4)
        clock.now += 1
        lines.advance(4, {})
    lines.close()

    assert said == []


def test_a_stage_that_ends_early_says_where(told, clock):
    said, lines = told
    lines.stage("erasing", 200)
    clock.now += 2
    lines.advance(10, {})
    clock.now += 9
    lines.stage("painting", 2)
    lines.close()

    assert said == ["erasing: 10 of 200 after 0:11"]


def test_work_that_does_not_advance_still_has_its_line():
    """A batch of a large model takes minutes, in which nothing is counted."""
    said: list[str] = []
    lines = ProgressLines(said.append, every=0.02, least=0.0)

    lines.stage("painting", 96)
    for _ in range(200):
        if said:
            break
        lines._over.wait(0.01)
    lines.close()

    assert said[0].startswith("painting: 0 of 96 after 0:0")


def test_bars_are_lines_where_there_is_no_terminal():
    """A log of ten minutes' work was empty to its end, and then held the bars."""
    stream = StringIO()
    console = Console(file=stream, force_terminal=False, width=40)

    with ProgressBars(console) as bars:
        bars.lines = ProgressLines(_writer(console), least=0.0)
        bars.stage("a stage whose name is longer than the console", 2)
        bars.advance(1, {})
        bars.advance(1, {"loss": 1.0})

    assert stream.getvalue().splitlines() == [
        "a stage whose name is longer than the console: 1 of 2 after 0:00",
        "a stage whose name is longer than the console: 2 of 2 after 0:00, loss 1",
    ]


def test_a_terminal_has_bars():
    stream = StringIO()
    console = Console(file=stream, force_terminal=True, width=100)

    with ProgressBars(console) as bars:
        bars.stage("painting", 2)
        bars.advance(2, {})

    assert "2/2" in stream.getvalue()
    assert "2 of 2" not in stream.getvalue()
