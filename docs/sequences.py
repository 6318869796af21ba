"""The table of styles erased one after another, and what is wanted of it.

`make.py` writes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from scipy.stats import fisher_exact

from docs.duels import measured_in, of_base, one
from unlearnlog.probes.decisions import benjamini_hochberg
from unlearnlog.probes.statistics import share

Row = Mapping[str, Any]
Counts = tuple[int, int]
"""Pictures that show a concept, of how many."""

LEAST: Final = 0.95
"""What UA shall be at the end, and CRA as a share of the base's."""

MOST: Final = 0.05
"""What all together may have come back by, at the upper end of the interval."""


def sequences_table(cells: Mapping[str, Row]) -> str:
    """Return one row an eraser: where it stands at the end, over all orders."""
    runs: dict[str, list[Row]] = {}
    for name, cell in measured_in(cells, "rows"):
        runs.setdefault(name.rpartition("-sequence-")[0], []).append(cell)
    if not runs:
        return ""
    rows = [
        "| eraser | orders | steps | lowest UA | IRA / base | CRA / base | drift, nats "
        "| came back | resurgence of all | misses |",
        "|---|--:|--:|---|--:|--:|--:|--:|---|---|",
    ]
    for label, orders in runs.items():
        runs_of = Runs([each["rows"] for each in orders], is_joint=orders[0]["joint"])
        rows.append(f"| `{label}` | {' | '.join(runs_of.told())} |")
    return "\n".join(rows)


@dataclass(frozen=True)
class Runs:
    """One eraser's histories, one in each order.

    Attributes:
        histories: The rows of each, oldest first.
        is_joint: Whether every order ends in the same weights.
    """

    histories: Sequence[Sequence[Row]]
    is_joint: bool

    def told(self) -> list[str]:
        """Return the cells of its row, without the eraser's name."""
        name = f"{self.worst['concept']} " if self.worst["value"] else ""
        return [
            str(len(self.histories)),
            str(len(self.histories[0])),
            f"{name}{1 - self.worst['value']:.3f} (n = {self.worst['n']})",
            _range(self._of_base("ira")),
            _range(self._of_base("cra")),
            _range([float(one(row, "drift")["value"]) for row in self._last]),
            f"{self.n_back} of {len(self._pairs)}",
            "{:+.3f} ({:+.3f} to {:+.3f}, n = {} and {})".format(*self.pooled),
            ", ".join(self.missed()),
        ]

    def missed(self) -> list[str]:
        """Return what is not as it is wanted: UA, CRA, and what came back."""
        ua, cra, most = 1 - self.worst["value"], min(self._of_base("cra")), self.pooled
        return [
            *(["UA"] if ua < LEAST else []),
            *(["CRA"] if cra < LEAST else []),
            *(["came back"] if self.n_back else []),
            *(["resurgence of all"] if most[2] > MOST else []),
        ]

    @property
    def worst(self) -> Row:
        """The presence of the erased concept that shows most at an end."""
        ends = (_gone(rows, len(rows) - 1).values() for rows in self.histories)
        return max((r for end in ends for r in end), key=lambda r: float(r["value"]))

    @property
    def n_back(self) -> int:
        """How many concepts show more at the end than after their own step.

        Fisher's exact test, after Benjamini and Hochberg.
        """
        p_values = [
            float(
                fisher_exact(
                    [[now, n - now], [then, m - then]], alternative="greater"
                ).pvalue
            )
            for (then, m), (now, n) in self._pairs
        ]
        return sum(benjamini_hochberg(p_values))

    @cached_property
    def pooled(self) -> tuple[float, float, float, int, int]:
        """How much more all of them show, Newcombe's interval, and of how many each."""
        thens, nows = zip(*self._pairs, strict=True)
        if self.is_joint:  # the same pictures end every order, so they count once
            nows = nows[: len(self.histories[0]) - 1]
        then, now = (
            share(sum(hits for hits, _ in each), sum(n for _, n in each))
            for each in (thens, nows)
        )
        value = now.value - then.value
        low = value - math.hypot(now.value - now.low, then.high - then.value)
        high = value + math.hypot(now.high - now.value, then.value - then.low)
        return value, low, high, now.n, then.n

    @cached_property
    def _pairs(self) -> list[tuple[Counts, Counts]]:
        return [pair for rows in self.histories for pair in _then_and_now(rows)]

    @property
    def _last(self) -> list[Row]:
        return [rows[-1] for rows in self.histories]

    def _of_base(self, probe: str) -> list[float]:
        return [of_base(one(row, probe)) for row in self._last]


def _then_and_now(rows: Sequence[Row]) -> Iterator[tuple[Counts, Counts]]:
    """Yield each concept's counts right after its own step and after the last one."""
    last = _gone(rows, len(rows) - 1)
    for i, row in enumerate(rows[:-1]):
        (name,) = (concept["name"] for concept in row["concepts"])
        yield _counts(_gone(rows, i)[name]), _counts(last[name])


def _counts(reading: Row) -> Counts:
    return round(reading["value"] * reading["n"]), int(reading["n"])


def _gone(rows: Sequence[Row], at: int) -> dict[str, Row]:
    """Return the presence of everything that is erased after a step, by name."""
    names = {c["name"] for row in rows[: at + 1] for c in row["concepts"]}
    return {
        r["concept"]: r
        for r in rows[at]["readings"]
        if r["probe"] == "presence" and r["concept"] in names
    }


def _range(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{min(values):.3f} to {max(values):.3f}"
