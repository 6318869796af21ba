"""Entries and readings as tables on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from unlearnlog.core.active import deed
from unlearnlog.core.entry import Entry, EntryId
from unlearnlog.core.note import cells
from unlearnlog.core.reading import Reading
from unlearnlog.core.reading_registry import meaning_of
from unlearnlog.core.visible import visible
from unlearnlog.findings.judgement import listed
from unlearnlog.report.fitted_table import FittedTable
from unlearnlog.report.formatting import OUTCOME, why_it_rises
from unlearnlog.report.live_bars import can_redraw
from unlearnlog.report.plain_console import as_text
from unlearnlog.report.progress_lines import ProgressLines
from unlearnlog.report.reading_rows import ReadingRows

if TYPE_CHECKING:
    from unlearnlog.commands.bisect import RevisionPresence
    from unlearnlog.commands.diff import Difference
    from unlearnlog.commands.drift import DriftSeries
    from unlearnlog.ledger.reflog import ReflogEntry


class ProgressBars:
    """Progress of long work: bars on a terminal, lines elsewhere.

    Attributes:
        lines: The writer of lines; None on a terminal.
    """

    def __init__(self, console: Console) -> None:
        """Show nothing until the first stage begins."""
        self.lines = None if can_redraw(console) else ProgressLines(_writer(console))
        self._progress = Progress(
            TextColumn("{task.description:<32}", markup=False),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[numbers]}", markup=False),
            console=console,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> ProgressBars:
        """Draw nothing yet: without a stage no empty line is left."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the bars as they are."""
        if self.lines is not None:
            self.lines.close()
        self._close()
        if self._task is not None:
            self._progress.stop()

    def stage(self, name: str, total: int) -> None:
        """Begin a stage of ``total`` units."""
        label = visible(name)
        if self.lines is not None:
            self.lines.stage(label, total)
            return
        self._close()
        self._progress.start()
        self._task = self._progress.add_task(label, total=total, numbers="")

    def advance(self, units: int, numbers: Mapping[str, float]) -> None:
        """Add ``units`` to the stage, and show the present numbers."""
        if self.lines is not None:
            self.lines.advance(units, numbers)
        if self._task is not None:
            shown = "  ".join(f"{name} {value:.4g}" for name, value in numbers.items())
            self._progress.update(self._task, advance=units, numbers=shown)

    def _close(self) -> None:
        """End a stage that stopped early at its present count."""
        if self._task is not None:
            done = self._progress.tasks[self._task].completed
            self._progress.update(self._task, total=done)


def _writer(console: Console) -> Callable[[str], None]:
    """Return a function that writes a line unwrapped, however narrow the console."""
    return lambda text: console.print(as_text(text), highlight=False, soft_wrap=True)


COLUMNS: Final = 4
"""Concepts of a drift table, one a column."""


def readings_table(
    readings: Iterable[Reading], limit: Callable[[Reading], str] | None = None
) -> Group:
    """Return readings in tables, one for each question that they answer.

    Args:
        readings: The readings.
        limit: Returns the limits on a reading, and whether they hold; None for no such
            column.
    """
    readings = list(readings)
    parts: list[RenderableType] = [ReadingRows(readings, limit, titled=True)]
    if rises := why_it_rises(readings):
        parts.append(Text(rises))
    return Group(*parts)


LISTED: Final = ("ua", "ira", "cra", "bound-mi")
"""Readings in the log: the worst of each entry."""


def log_table(history: Sequence[tuple[EntryId, Entry]], head: EntryId | None) -> Table:
    """Return the history, newest first, with each entry's verdict and main readings.

    Of several concepts erased at once, the worst reading is shown.
    """
    table = FittedTable(
        *("entry", "date", "kind", "concepts", "verdict", "eraser"),
        *(meaning_of(probe).short for probe in LISTED),
    )
    table.padding = (0, 1, 0, 0)
    known = dict(history)
    for entry_id, entry in reversed(history):
        names = Text(deed(entry, known))
        marked = f"{entry_id[:12]}{' *' if entry_id == head else ''}"
        worst = (worst_value(entry, probe) for probe in LISTED)
        facts = entry.kind, names, OUTCOME[listed(entry)], Text(entry.eraser.name)
        table.add_row(marked, entry.date[:10], *facts, *worst)
    return table


def worst_value(entry: Entry, probe: str) -> str:
    """Return the worst value of a reading; empty where there is none."""
    values = [r.value for r in entry.readings if r.probe == probe]
    if not values:
        return ""
    worst = min if meaning_of(probe).better == "higher" else max
    return f"{worst(values):.3f}"


def notes_table(history: Sequence[tuple[EntryId, Entry]]) -> Table | None:
    """Return date, author and reason of each entry, newest first.

    None where no entry has a note.
    """
    if all(entry.note is None for _, entry in history):
        return None
    table = FittedTable("entry", "date", "by", "reference", "reason")
    for entry_id, entry in reversed(history):
        note = map(Text, cells(entry.note))
        table.add_row(entry_id[:12], entry.date[:10], *note)
    return table


def moves_table(moves: Sequence[ReflogEntry]) -> Table:
    """Return the moves of a branch, newest first."""
    table = FittedTable("at", "from", "to", "why")
    for move in reversed(moves):
        ends = (each[:12] if each else "base" for each in (move.old, move.new))
        table.add_row(move.at, *ends, move.why)
    return table


def drift_table(series: DriftSeries, history: Sequence[tuple[EntryId, Entry]]) -> Group:
    """Return a row an entry, a column a concept; erased ones are in brackets."""
    shown = list(series.concepts)[:COLUMNS]
    table = FittedTable("entry", "what", *shown, spare=shown[:0:-1])
    gone = "lower" if series.reading == "presence" else "none"
    known = dict(history)
    for i, (entry_id, entry) in enumerate(history):
        cells = []
        for name in shown:
            reading = series.concepts[name][i]
            number = "" if reading is None else f"{reading.value:.3f}"
            is_gone = reading is not None and reading.better == gone
            cells.append(f"({number})" if is_gone else number)
        table.add_row(entry_id[:6], f"{entry.kind} {deed(entry, known)}", *cells)
    rest = len(series.concepts) - len(shown)
    note = f"and {rest} more concepts, none of which moved further" if rest > 0 else ""
    title = meaning_of(series.reading).called
    head = f"{title} ({series.reading}), in brackets of what is erased"
    return Group(Text(head), table, note)


def looks_table(looks: Iterable[RevisionPresence]) -> Table:
    """Return the presence of a concept at each revision that a bisection measured."""
    table = FittedTable("looked at", "value", "95 % interval", "n", "base")
    for look in looks:
        low, high = f"{look.shown.low:.3f}", f"{look.shown.high:.3f}"
        entry = look.entry[:12] if look.entry else "base"
        shown = f"{look.shown.value:.3f}", f"{low} to {high}", str(look.shown.n)
        table.add_row(entry, *shown, f"{look.base:.3f}")
    return table


def difference_table(found: Difference, one: str, other: str) -> Group:
    """Return the differences of two revisions: weights above, readings below."""
    facts = {
        f"only in {one}": f"{', '.join(found.left.concepts) or 'nothing'} "
        f"(norm {found.left.norm:.4g})",
        f"only in {other}": f"{', '.join(found.right.concepts) or 'nothing'} "
        f"(norm {found.right.norm:.4g})",
        "tensors": f"{len(found.moved)} of {found.n_tensors} differ",
    }
    if found.left.norm and found.right.norm:
        facts["cosine of the changes"] = f"{found.overlap:.3f}"
    for moved in found.moved[:3]:
        facts[f"  {moved.name}"] = f"{100 * moved.share:.3f} % of the base's norm"
    table = FittedTable("reading", "name", "of", one, other, "change")
    for pair in found.readings:
        left, right = (f"{r.value:.3f}" if r else "" for r in (pair.left, pair.right))
        change = (
            f"{pair.right.value - pair.left.value:+.3f}"
            if pair.left and pair.right
            else ""
        )
        if left != right:
            title = meaning_of(pair.probe).called
            table.add_row(title, pair.probe, pair.concept, left, right, change)
    return Group(fact_table(facts), *([table] if table.row_count else []))


def fact_table(facts: Mapping[str, str]) -> Table:
    """Return names and values, one pair a row."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", overflow="fold")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(as_text(name, "bold"), as_text(value))
    return table
