"""Progress from Python: bars where they can be redrawn, lines where they cannot."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from unlearnlog.report.entry_tables import ProgressBars
from unlearnlog.report.live_bars import can_redraw
from unlearnlog.report.progress_lines import ProgressLines


def watched(console):
    with ProgressBars(console) as watch:
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
    assert isinstance(ProgressBars(Console(file=file)).lines, ProgressLines)
    assert ProgressBars(Console(file=screen, force_terminal=True)).lines is None


def test_a_notebook_that_cannot_redraw_shows_lines(monkeypatch):
    """Without ipywidgets, rich warns and shows nothing."""
    notebook = Console(file=StringIO(), force_jupyter=True)

    monkeypatch.setattr("unlearnlog.report.live_bars.find_spec", lambda _: None)
    without = can_redraw(notebook)
    monkeypatch.setattr("unlearnlog.report.live_bars.find_spec", lambda name: name)

    assert not without
    assert can_redraw(notebook)
