"""Progress from Python: bars where they can be redrawn, lines where they cannot."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from unlearnlog.report.lines import Lines
from unlearnlog.report.progress import can_redraw
from unlearnlog.report.terminal import Bars


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
    assert "\x1b" not in file.getvalue()
    assert isinstance(Bars(Console(file=file)).lines, Lines)
    assert Bars(Console(file=screen, force_terminal=True)).lines is None


def test_a_notebook_that_cannot_redraw_shows_lines(monkeypatch):
    """Without ipywidgets, rich warns and shows nothing."""
    notebook = Console(file=StringIO(), force_jupyter=True)

    monkeypatch.setattr("unlearnlog.report.progress.find_spec", lambda _: None)
    without = can_redraw(notebook)
    monkeypatch.setattr("unlearnlog.report.progress.find_spec", lambda name: name)

    assert not without
    assert can_redraw(notebook)
