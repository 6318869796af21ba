"""The part of a long history that fits a page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from unlearnlog.findings.report_parts import MOST_STEPS

if TYPE_CHECKING:
    from unlearnlog.findings.report_parts import Findings, Row
    from unlearnlog.findings.step import Step

MOST_READINGS: Final = 8000
"""Rows of the tables of all readings, at most."""


def truncated(findings: Findings) -> tuple[Findings, str]:
    """Return the findings that fit, and a sentence on the rest; empty if all fit.

    The last entries stay, and of the erased concepts those most likely to be back.
    """
    n, n_rows = len(findings.steps), len(findings.triangle)
    first = max(0, n - MOST_STEPS)
    harm = tuple(findings.graph.harm[first:])
    findings = replace(findings, graph=replace(findings.graph, harm=harm))
    if max(n, n_rows) <= MOST_STEPS:
        return findings, ""
    ranked = sorted(findings.triangle, key=_likelihood, reverse=True)[:MOST_STEPS]
    chosen = {row.concept for row in ranked}
    rows = (row for row in findings.triangle if row.concept in chosen)
    kept = replace(
        findings,
        steps=findings.steps[first:],
        triangle=tuple(_later(row, first) for row in rows),
        nats=tuple(
            replace(each, points=tuple(p for p in each.points if p[0] > first))
            for each in findings.nats
            if each.points[-1][0] > first
        ),
        relations=tuple(each for each in findings.relations if each[0] > first),
    )
    parts = []
    if first:
        parts.append(f"the last {len(kept.steps)} of {n} entries")
    if n_rows > MOST_STEPS:
        n_kept = len(kept.triangle)
        parts.append(f"the {n_kept} of {n_rows} erased concepts most likely to be back")
    shown = " and ".join(parts)
    return kept, f"This page shows {shown}. The report as JSON holds all of it."


def tabled_steps(findings: Findings) -> list[Step]:
    """Return the last entries for which the readings of all fit in the tables."""
    found: list[Step] = []
    room = MOST_READINGS
    for step in reversed(findings.steps):
        room -= len(step.entry.readings)
        if found and room < 0:
            break
        found.append(step)
    return found[::-1]


def _likelihood(row: Row) -> tuple[float, float]:
    """Return the sort key of a row: the present presence and its upper end."""
    now = row.now.shown
    return (now.value, now.high) if now else (-1.0, -1.0)


def _later(row: Row, first: int) -> Row:
    """Return a row without the cells of the first entries."""
    cells = tuple(cell for cell in row.cells if cell.number > first)
    return replace(row, cells=cells, steps=(first + 1, row.steps[1]))
