"""Tables of what `make bench` measured of every eraser; `make.py` writes them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy.stats import fisher_exact

from unlearnlog.probes.hypotheses import benjamini_hochberg
from unlearnlog.probes.statistics import share

Row = Mapping[str, Any]


def duels_table(folder: Path, which: str) -> str:
    """Return one row an eraser and concept.

    Args:
        folder: Where the measured cells are.
        which: ``default`` or ``equal``.
    """
    cells = sorted(measured_in(folder, "default"), key=lambda pair: entrant_of(*pair))
    found = [_duel_row(entrant_of(*pair)[0], pair[1], which) for pair in cells]
    if not found:
        return ""
    shown = "residual" if which == "default" else "strength, residual"
    head = (
        f"| eraser | concept | {shown} | UA | IRA / base | CRA / base | "
        "look-alike / base | worst kept / base | drift, nats | s | kB |"
    )
    return "\n".join([head, "|---|---|--:|--:|--:|--:|--:|---|--:|--:|--:|", *found])


def sequences_table(folder: Path) -> str:
    """Return one row an eraser: where it stands at the end, over all orders."""
    runs: dict[str, list[list[Row]]] = {}
    joint: dict[str, bool] = {}
    for stem, cell in measured_in(folder, "rows"):
        label = stem.rpartition("-sequence-")[0]
        runs.setdefault(label, []).append(cell["rows"])
        joint[label] = cell["joint"]
    if not runs:
        return ""
    rows = [
        "| eraser | orders | steps | lowest UA | IRA / base | CRA / base | drift, nats "
        "| came back | resurgence of all |",
        "|---|--:|--:|---|--:|--:|--:|--:|---|",
    ]
    for label, histories in runs.items():
        last = [rows[-1] for rows in histories]
        ends = [_gone(rows, len(rows) - 1) for rows in histories]
        gone = [r for end in ends for r in end.values()]
        worst = max(gone, key=lambda r: float(r["value"]))
        pairs = [pair for rows_of in histories for pair in _then_and_now(rows_of)]
        thens, nows = zip(*pairs, strict=True)
        if joint[label]:  # every order ends in the same pictures, so they count once
            nows = nows[: len(histories[0]) - 1]
        cells = (
            f"`{label}`",
            str(len(histories)),
            str(len(histories[0])),
            _lowest(worst),
            _range([of_base(one(row, "ira")) for row in last]),
            _range([of_base(one(row, "cra")) for row in last]),
            _range([float(one(row, "drift")["value"]) for row in last]),
            f"{sum(_returned(pairs))} of {len(pairs)}",
            _pooled(thens, nows),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


Counts = tuple[int, int]
"""Pictures that show a concept, of how many."""


def _then_and_now(rows: Sequence[Row]) -> Iterator[tuple[Counts, Counts]]:
    """Yield each concept's counts right after its own step and after the last one."""
    last = _gone(rows, len(rows) - 1)
    for i, row in enumerate(rows[:-1]):
        (name,) = (concept["name"] for concept in row["concepts"])
        yield _counts(_gone(rows, i)[name]), _counts(last[name])


def _counts(reading: Row) -> Counts:
    return round(reading["value"] * reading["n"]), int(reading["n"])


def _returned(pairs: Sequence[tuple[Counts, Counts]]) -> list[bool]:
    """Return which concepts show more now than then: Fisher's exact test, corrected."""
    p_values = [
        float(
            fisher_exact(
                [[now, n - now], [then, m - then]], alternative="greater"
            ).pvalue
        )
        for (then, m), (now, n) in pairs
    ]
    return benjamini_hochberg(p_values)


def _pooled(thens: Sequence[Counts], nows: Sequence[Counts]) -> str:
    """Return how much more all of them show, with Newcombe's interval."""
    then, now = (
        share(sum(hits for hits, _ in each), sum(n for _, n in each))
        for each in (thens, nows)
    )
    value = now.value - then.value
    low = value - math.hypot(now.value - now.low, then.high - then.value)
    high = value + math.hypot(now.high - now.value, then.value - then.low)
    return f"{value:+.3f} ({low:+.3f} to {high:+.3f}, n = {now.n} and {then.n})"


def measured_in(folder: Path, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the label and the content of each cell that has this key."""
    for path in sorted(folder.glob("*.json")):
        cell = json.loads(path.read_text(encoding="utf-8"))
        if key in cell:
            yield path.stem, cell


def entrant_of(stem: str, cell: dict[str, Any]) -> tuple[str, str]:
    """Return the label of a duel's eraser, and the concept."""
    concept = cell["concept"]
    return stem.removesuffix(f"-{concept.casefold().replace(' ', '-')}"), concept


def worst_of(kept: Sequence[Row], ratio: Callable[[Row], float]) -> str:
    """Return which kept concept lost most, where any did.

    Args:
        kept: A reading of each.
        ratio: What is left of it, as a share of the base's.
    """
    worst = min(kept, key=ratio)
    return f"{worst['concept']} {ratio(worst):.3f}" if ratio(worst) < 1 else "none"


def _lowest(worst: Row) -> str:
    """Return the UA of the erased concept that shows most; 1.000 where none shows."""
    name = f"{worst['concept']} " if worst["value"] else ""
    return f"{name}{1 - worst['value']:.3f} (n = {worst['n']})"


def _strength(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _duel_row(label: str, cell: dict[str, Any], which: str) -> str:
    found = cell[which]
    residual = found["residual"]
    left = f"{residual['value']:.3f}"
    if which == "equal":
        mark = "" if cell["equal"]["reached"] else " (not reached)"
        left = f"{_strength(found['strength'])}, {left}{mark}"
    ua, drift = one(found, "ua"), one(found, "drift")
    alike = one(found, "alike")
    kept = [
        r
        for r in found["readings"]
        if r["probe"] == "presence" and r["concept"] != ua["concept"] and r["base"]
    ]
    cells = (
        f"`{label}`",
        cell["concept"],
        left,
        f"{ua['value']:.3f} ({ua['low']:.3f} to {ua['high']:.3f}, n = {ua['n']})",
        _share_of_base(one(found, "ira")),
        _share_of_base(one(found, "cra")),
        _share_of_base(alike) if alike else "none known",
        worst_of(kept, of_base),
        f"{drift['value']:.2f}" if drift else "",
        f"{found['seconds']:.1f}",
        f"{found['bytes'] / 1e3:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def _gone(rows: Sequence[Row], at: int) -> dict[str, Row]:
    """Return the presence of everything that is erased after a step, by name."""
    names = {c["name"] for row in rows[: at + 1] for c in row["concepts"]}
    return {
        r["concept"]: r
        for r in rows[at]["readings"]
        if r["probe"] == "presence" and r["concept"] in names
    }


def one(row: Row, probe: str) -> Row:
    """Return the reading of a probe, empty where there is none."""
    return next((r for r in row["readings"] if r["probe"] == probe), {})


def of_base(reading: Row) -> float:
    """Return a reading as a share of the base's own."""
    return float(reading["value"]) / float(reading["base"])


def _share_of_base(reading: Row) -> str:
    low, high = (reading[end] / reading["base"] for end in ("low", "high"))
    return f"{of_base(reading):.3f} ({low:.2f} to {high:.2f})"


def _range(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{min(values):.3f} to {max(values):.3f}"
