"""Tables of readings, grouped by the question that they answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, get_args

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from unlearnlog.core.reading import Reading
from unlearnlog.core.reading_registry import Question, meaning_of
from unlearnlog.report.fitted_table import FittedTable

_PLAIN: Final = ("share", "difference", "correlation", "ratio")
"""Units that are not written beside their numbers."""

_WIDEST: Final = 1000
"""Characters of a line that is wider than any table."""

_EXTRA: Final = (("name", "meaning"), ("name",), ())
"""Optional columns, tried in this order until all tables fit."""

_EVERY: Final = ("presence", "moved", "moved.nats")
"""Readings of every concept, whose meaning is not repeated in each row."""


_LAST: Final = ("limit", "meaning")
"""Last columns, which need no common width."""


class ReadingRows:
    """A renderable of readings, one a row, under the questions that they answer."""

    def __init__(
        self,
        readings: Sequence[Reading],
        limit: Callable[[Reading], str] | None = None,
        *,
        titled: bool = False,
    ) -> None:
        """Group the readings.

        Args:
            readings: The readings.
            limit: Returns the limits on a reading; None for no such column.
            titled: Whether to write each question above its readings; else there is
                one table.
        """
        self._sections = by_question(readings) if titled else {"": [*readings]}
        self._limit = limit or (lambda _: "")

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        """Yield the tables with the optional columns that all have room for."""
        tables: list[FittedTable] = []
        for extra in _EXTRA:
            tables = [self._table(each, extra) for each in self._sections.values()]
            if _wanted(tables, console, options) <= options.max_width:
                _align(tables)
                break
        for question, table in zip(self._sections, tables, strict=True):
            if table.row_count:
                if question:
                    yield Text(question, style="bold")
                yield table

    def _table(self, readings: Sequence[Reading], extra: Sequence[str]) -> FittedTable:
        """Return the table of some readings with some optional columns."""
        bound = any(map(self._limit, readings))
        numbers = ("of", "value", "95 % interval", "n", "base")
        name, meaning = (("name",) if "name" in extra else ()), extra[1:]
        table = FittedTable(
            "reading", *name, *numbers, *(["limit"] if bound else ()), *meaning
        )
        if not extra:
            table.padding = (0, 1, 0, 0)
        for reading in readings:
            says = "" if reading.probe in _EVERY else meaning_of(reading.probe).says
            table.add_row(
                reading_title(reading),
                *([reading.probe] if name else ()),
                *numbers_of(reading),
                *([Text(self._limit(reading))] if bound else ()),
                *([says] if meaning else ()),
            )
        return table


def by_question(readings: Iterable[Reading]) -> Mapping[str, list[Reading]]:
    """Return readings by the question that they answer, in the registry's order.

    Of readings of every concept, erased concepts come first, then the worst.
    """
    found: dict[str, list[Reading]] = {each: [] for each in get_args(Question)}
    for reading in readings:
        found[meaning_of(reading.probe).question].append(reading)
    for group in found.values():
        every = [i for i, each in enumerate(group) if each.probe in _EVERY]
        ranked = sorted((group[i] for i in every), key=_worst_first)
        for i, each in zip(every, ranked, strict=True):
            group[i] = each
    return {question: group for question, group in found.items() if group}


def _worst_first(reading: Reading) -> tuple[str, bool, float]:
    """Return the sort key of a reading: erased concepts first, then by loss."""
    lost = reading.value - (reading.base or 0)
    kept = reading.better == "higher"
    return reading.probe, kept, lost if kept else -reading.value


def reading_title(reading: Reading) -> str:
    """Return the title of a reading; that of presence with erased or kept."""
    known = meaning_of(reading.probe)
    if reading.probe != "presence":
        return known.called
    return f"{known.called}, {'erased' if reading.better == 'lower' else 'kept'}"


def numbers_of(reading: Reading) -> tuple[str, str, str, str, str]:
    """Return concept, value with unit, interval, n and base of a reading."""
    plain = reading.unit in _PLAIN
    digits = 3 if plain else 2
    unit = "" if plain else f" {reading.unit}"
    base = "" if reading.base is None else f"{reading.base:.{digits}f}"
    value = f"{reading.value:.{digits}f}{unit}"
    interval = f"{reading.low:.{digits}f} to {reading.high:.{digits}f}"
    return reading.concept, value, interval, str(reading.n), base


def _wanted(
    tables: Sequence[FittedTable], console: Console, options: ConsoleOptions
) -> int:
    """Return the characters of a line in which every table fits unchanged."""
    wide = options.update(max_width=_WIDEST)
    return max((console.measure(t, options=wide).maximum for t in tables), default=0)


def _align(tables: Sequence[FittedTable]) -> None:
    """Set columns of one title to the width of the widest of them."""
    columns = [column for table in tables for column in table.columns]
    widest: dict[str, int] = {}
    for column in columns:
        title = str(column.header)
        wide = max((cell_len(str(cell)) for cell in column.cells), default=0)
        widest[title] = max(wide, widest.get(title, 0))
    for column in columns:
        if str(column.header) not in _LAST:
            column.min_width = widest[str(column.header)]
