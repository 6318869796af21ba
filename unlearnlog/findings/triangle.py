"""The triangle: the presence of each erased concept after each later entry.

Source:
    Newcombe, "Interval estimation for the difference between independent proportions",
    1998, method 10, https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from math import hypot

from unlearnlog.core.reading import Reading
from unlearnlog.findings.report_parts import Row, TriangleCell
from unlearnlog.findings.step import ActiveNames, Step


def triangle(steps: Sequence[Step]) -> tuple[Row, ...]:
    """Return a row for each concept that is erased at some step, oldest first."""
    read: dict[str, list[tuple[int, Reading | None, Reading | None]]] = {}
    for step in steps:
        recorded = _recorded(step)
        for name in {**step.presences, **recorded}:
            found = step.number, step.presences.get(name), recorded.get(name)
            read.setdefault(name, []).append(found)
    ends = steps[0].number, steps[-1].number
    return tuple(
        Row(
            concept=name,
            since=times[-1][0],
            cells=tuple(_cells(read.get(name, ()), times)),
            spans=tuple(times),
            steps=ends,
        )
        for name, times in spans(steps).items()
    )


def spans(steps: Sequence[Step]) -> dict[str, list[tuple[int, int]]]:
    """Return the first and the last step of each erasure, by concept."""
    shared = steps[0].live if steps else ()
    if isinstance(shared, ActiveNames):  # all of them: nothing is compared
        last = steps[-1].number
        return {
            name: [(first, min(end, last)) for first, end in times]
            for name, times in shared.spans.items()
        }
    found: dict[str, list[tuple[int, int]]] = {}
    for step in steps:
        for name in step.live:
            times = found.setdefault(name, [])
            if times and times[-1][1] == step.number - 1:
                times[-1] = times[-1][0], step.number
            else:
                times.append((step.number, step.number))
    return found


def difference(now: Reading, then: Reading) -> Reading:
    """Return the change of a concept's presence since right after its erasure.

    The interval takes the two as independent. They were painted from the same noise, so
    it is too wide.
    """
    value = now.value - then.value
    low = value - hypot(now.value - now.low, then.high - then.value)
    high = value + hypot(now.high - now.value, then.value - then.low)
    return Reading(
        probe="resurgence",
        concept=now.concept,
        value=value,
        unit="difference",
        n=min(now.n, then.n),
        low=max(-1.0, low),
        high=min(1.0, high),
        better="lower",
    )


def _cells(
    read: Iterable[tuple[int, Reading | None, Reading | None]],
    times: Sequence[tuple[int, int]],
) -> Iterator[TriangleCell]:
    """Yield the readings of a concept while it was erased, anew for each erasure."""
    waiting, first = deque(times), None
    for number, now, recorded in read:
        while waiting and waiting[0][1] < number:
            waiting.popleft()
            first = None
        if waiting and waiting[0][0] <= number:
            yield TriangleCell(number, now, recorded or _since(now, first))
            first = first or now


def _since(now: Reading | None, first: Reading | None) -> Reading | None:
    return difference(now, first) if now and first else None


def _recorded(step: Step) -> dict[str, Reading]:
    """Return the resurgences that the entry itself holds, by name."""
    found = [r for r in step.entry.readings if r.probe == "resurgence"]
    return {reading.concept: reading for reading in reversed(found)}
