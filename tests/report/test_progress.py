"""Progress from Python: bars where they can be redrawn, lines where they cannot."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from unlearnlog.report.progress import EVERY, Lines, can_redraw
from unlearnlog.report.terminal import Bars


class Clock:
    """Shows the time that a test sets."""

    now = 0.0

    def __call__(self):
        return self.now


def watched(console):
    with Bars(console) as watch:
        watch.stage("painting HEAD", 64)
        watch.advance(32, {})
        watch.advance(32, {"loss": 0.12345})


def test_a_terminal_shows_bars_and_a_file_shows_lines():
    """From Python nothing was shown at all: a training of an hour looked dead."""
    screen, file = StringIO(), StringIO()

    watched(Console(file=screen, force_terminal=True))
    watched(Console(file=file))

    assert "\x1b" in screen.getvalue()
    assert file.getvalue().splitlines() == [
        "painting HEAD: 64",
        "painting HEAD: 64 of 64, 0 s, loss 0.1235",
    ]


def test_a_notebook_that_cannot_redraw_shows_lines(monkeypatch):
    """Without ipywidgets, rich warns and shows nothing."""
    notebook = Console(file=StringIO(), force_jupyter=True)

    monkeypatch.setattr("unlearnlog.report.progress.find_spec", lambda _: None)
    without = can_redraw(notebook)
    monkeypatch.setattr("unlearnlog.report.progress.find_spec", lambda name: name)

    assert not without
    assert can_redraw(notebook)


def test_a_line_is_written_now_and_then_and_at_the_end():
    clock, file = Clock(), StringIO()

    watch = Lines(Console(file=file), clock)
    watch.stage("training", 100)
    for i in range(100):
        clock.now = EVERY * i / 25
        watch.advance(1, {})

    lines = file.getvalue().splitlines()
    assert len(lines) == 5
    assert lines[-1].startswith("training: 100 of 100")
