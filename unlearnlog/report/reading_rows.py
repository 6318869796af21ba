"""Readings as rows, each with what it means: beside it, or below where it is narrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from unlearnlog.core.reading import Reading
from unlearnlog.core.reading_registry import MEANINGS
from unlearnlog.report.fitted_table import FittedTable

_UNEXPLAINED: Final = ("presence", "moved", "moved.nats")
"""Read of every concept: a sentence in each row would say the same in all."""

_MEANING: Final = {
    name: each.brief for name, each in MEANINGS.items() if name not in _UNEXPLAINED
}
"""What a reading says, in a few words."""

_PLAIN: Final = ("share", "difference", "correlation", "ratio")
"""Units of numbers that need none to be read."""

_WIDEST: Final = 1000
"""Characters a line; no table wants as many."""


class ReadingRows:
    """Readings as they are, one a row."""

    def __init__(
        self,
        readings: Sequence[Reading],
        limit: Callable[[Reading], str] | None = None,
    ) -> None:
        """Keep them, and what says which limit bounds each; None to leave that out."""
        self._readings = readings
        self._limits = [limit(reading) if limit else "" for reading in readings]

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        """Yield a table, or a narrower one and a line of meanings; nothing of none."""
        if not self._readings:
            return
        wide = self._table(explained=True)
        wanted = console.measure(wide, options=options.update(max_width=_WIDEST))
        if wanted.maximum <= options.max_width:
            yield wide
            return
        yield self._table(explained=False)
        probes = dict.fromkeys(reading.probe for reading in self._readings)
        said = [f"{p}: {_MEANING[p]}" for p in probes if p in _MEANING]
        if said:
            yield Text("; ".join(said), style="dim")

    def _table(self, *, explained: bool) -> Table:
        titles = ("reading", "of", "value", "95 % interval", "n", "base")
        explained = explained and any(r.probe in _MEANING for r in self._readings)
        bound = any(self._limits)
        more = [*(["limit"] if bound else []), *(["meaning"] if explained else [])]
        table = FittedTable(*titles, *more)
        if not explained:
            table.padding = (0, 1, 0, 0)
        for reading, limit in zip(self._readings, self._limits, strict=True):
            said = [Text(limit)] if bound else []
            meaning = [_MEANING.get(reading.probe, "")] if explained else []
            table.add_row(reading.probe, *numbers_of(reading), *said, *meaning)
        return table


def numbers_of(reading: Reading) -> tuple[str, str, str, str, str]:
    """Return whose it is, its value with its unit, its interval, its n and its base."""
    plain = reading.unit in _PLAIN
    digits = 3 if plain else 2
    unit = "" if plain else f" {reading.unit}"
    base = "" if reading.base is None else f"{reading.base:.{digits}f}"
    value = f"{reading.value:.{digits}f}{unit}"
    interval = f"{reading.low:.{digits}f} to {reading.high:.{digits}f}"
    return reading.concept, value, interval, str(reading.n), base
