"""Readings in nats over a history, and damage by relation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from unlearnlog.core.reading import Reading
from unlearnlog.findings.report_parts import MeasureSeries
from unlearnlog.findings.step import Step

MEASURES: Final = ("judge-mi", "bound-mi", "self-mi", "drift")
"""Readings in nats, in the order of a report."""


def nats(steps: Sequence[Step]) -> tuple[MeasureSeries, ...]:
    """Return every measure of every concept over the history."""
    found: dict[tuple[str, str], list[tuple[int, Reading]]] = {}
    for step in steps:
        for reading in step.entry.readings:
            if reading.probe in MEASURES:
                key = reading.probe, reading.concept
                found.setdefault(key, []).append((step.number, reading))
    ordered = sorted(found, key=lambda key: MEASURES.index(key[0]))
    return tuple(MeasureSeries(*key, tuple(found[key])) for key in ordered)


def relations(steps: Sequence[Step]) -> tuple[tuple[int, Reading], ...]:
    """Return the mean damage by relation to the erased concept, step by step."""
    return tuple(
        (step.number, reading)
        for step in steps
        for reading in step.entry.readings
        if reading.probe.startswith("damage.")
    )
