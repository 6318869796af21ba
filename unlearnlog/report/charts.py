"""Positions of the marks of a chart over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from unlearnlog.findings.report_parts import MeasureSeries
    from unlearnlog.findings.step import Step

WIDTH: Final = 960.0
HEIGHT: Final = 260.0
LEFT: Final = 52.0
RIGHT: Final = 132.0
TOP: Final = 16.0
BOTTOM: Final = 62.0
LETTERS: Final = 13.0
"""Distance between two lines of text, in pixels."""
LONGEST: Final = 18
"""Letters of a label below the chart; it slants towards the edge."""


@dataclass(frozen=True)
class Mark:
    """The mark of one reading; positions in pixels.

    Attributes:
        x: Position of the entry.
        y: Position of the value.
        low: Position of the interval's lower end.
        high: Position of its upper end.
        base: Position of the base's value; None where there is none.
        title: The reading in words.
    """

    x: float
    y: float
    low: float
    high: float
    base: float | None
    title: str


@dataclass(frozen=True)
class ChartLine:
    """The marks of one series.

    Attributes:
        name: The concept.
        marks: From left to right.
        path: The line through the marks, as an SVG path.
        end: Height of the name beside the last mark, in pixels.
    """

    name: str
    marks: tuple[Mark, ...]
    path: str
    end: float


@dataclass(frozen=True)
class Tick:
    """A labelled position on an axis.

    Attributes:
        at: The position, in pixels.
        text: The label.
    """

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """A chart of one measure over the history.

    Attributes:
        measure: The reading's name.
        lines: One for each concept.
        across: Ticks of the entries.
        up: Ticks of the values, in nats.
        height: Height in pixels.
    """

    measure: str
    lines: tuple[ChartLine, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    height: float = HEIGHT


def chart(
    measure: str, series: Sequence[MeasureSeries], steps: Sequence[Step]
) -> Chart:
    """Return the chart of one measure; it has no lines where there are no readings."""
    mine = [each for each in series if each.measure == measure]
    readings = [reading for each in mine for _, reading in each.points]
    if not readings:
        return Chart(measure, (), (), ())
    top = max(max(r.value, r.high, r.base or 0.0) for r in readings)
    bottom = min(0.0, *(min(r.value, r.low) for r in readings))
    marks = ticks(bottom, top)
    low, high = marks[0], marks[-1]

    def up(value: float) -> float:
        share = (value - low) / (high - low)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP), 1)

    def across(number: int) -> float:
        share = (number - steps[0].number + 0.5) / len(steps)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    lines = []
    for each in mine:
        found = tuple(
            Mark(
                across(number),
                up(r.value),
                up(r.low),
                up(r.high),
                None if r.base is None else up(r.base),
                f"{each.concept}, entry {number}: {r.value:.2f} nats "
                f"({r.low:.2f} to {r.high:.2f}, n = {r.n})"
                + ("" if r.base is None else f", base {r.base:.2f}"),
            )
            for number, r in each.points
        )
        path = "M" + " L".join(f"{mark.x} {mark.y}" for mark in found)
        lines.append(ChartLine(each.concept, found, path, found[-1].y))
    every = math.ceil(len(steps) / 24)
    return Chart(
        measure,
        _apart(lines),
        tuple(
            Tick(across(step.number), _short(f"{step.number} {step.label}"))
            for step in steps[::every]
        ),
        tuple(Tick(up(value), f"{value:g}") for value in marks),
    )


def _apart(lines: Sequence[ChartLine]) -> tuple[ChartLine, ...]:
    """Move the names at the ends of lines apart, as little as needed.

    From the top down, each name keeps a line's distance from the one above; those that
    end up below the chart are then moved up.
    """
    longer = [line for line in lines if len(line.marks) > 1]
    order = sorted(longer, key=lambda line: line.end)
    ends: list[float] = []
    for line in order:
        ends.append(max(line.end, ends[-1] + LETTERS if ends else line.end))
    room = HEIGHT - BOTTOM
    for i in reversed(range(len(ends))):
        below = ends[i + 1] - LETTERS if i + 1 < len(ends) else max(room, order[-1].end)
        ends[i] = min(ends[i], below)
    moved = {line.name: end for line, end in zip(order, ends, strict=True)}
    return tuple(replace(line, end=moved.get(line.name, line.end)) for line in lines)


def _short(text: str) -> str:
    """Return a label cut so that it ends within the drawing; tables have all of it."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}…"


def ticks(low: float, high: float) -> list[float]:
    """Return four to seven round numbers that span an interval.

    Example:
        >>> ticks(0.0, 2.77)
        [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    """
    span = max(high - low, 1e-9)
    unit = 10.0 ** math.floor(math.log10(span / 5))
    step = next(unit * m for m in (1, 2, 5, 10) if span / (unit * m) <= 6)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]
