"""The benchmark of ``make scale``: a thousand concepts at once, and written out.

Algebra only, on generated tokens and weights of the size of Stable Diffusion 1.5
(`generated`). Each case runs in a process of its own, once by the eraser and once by
the formula written out (`literally`). A time counts only if the edit did its work, so
each case also reports

    gap   = RMS over concepts and projections of |W'c - W g| / |W c - W g|,
    own   = RMS over the same of u W'c / u W c, or 0 if that is below zero, where u is
            the part of W c that no anchor shares,
    drift = RMS over kept tokens and projections of |(W' - W) p| / |W p|.

An edit has done its work if the gap is small and the drift no larger than that of the
written-out form. An edit that turns projections maps no concept to its anchor: instead
of the gap, the concept's own part must be small.

Exits with 1 if a limit does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from benchmarks.generated import Generated, Profile
from benchmarks.literally import LITERALLY
from benchmarks.suite import RESULTS
from unlearnlog.erasers.closed_form import ClosedForm, Factors, Problem
from unlearnlog.erasers.eraser_table import ERASERS, recorded

ROOT: Final = Path(__file__).parent.parent
RESULT: Final = RESULTS / "scale.json"
N_THREADS: Final = 2
N_REPEATS: Final = 5
MOST_LEFT: Final = 0.2
"""Largest gap, or share of a concept's own part, of an edit that did its work."""

DRIFT_SLACK: Final = 1e-3
"""Drift of the written-out form by rounding to float32."""

_KIB: Final = 1024


@dataclass(frozen=True)
class Case:
    """One eraser on one number of concepts, with its limits.

    Attributes:
        eraser: Name of the eraser; unknown ones are left out.
        n_concepts: Number of concepts erased at once.
        most_seconds: Upper limit of the median time, in s.
        settings: Settings of the eraser beside its defaults.
        work: The measure that must be small: ``gap`` or ``own``.
        n_kept: Number of kept tokens.
    """

    eraser: str
    n_concepts: int
    most_seconds: float
    settings: Mapping[str, Any] = field(default_factory=dict)
    work: str = "gap"
    n_kept: int = 1000

    @property
    def name(self) -> str:
        """Name of the case."""
        return f"{self.eraser}-{self.n_concepts}"


# A kept token weighs a tenth of a concept: with equal weights a thousand of them hold a
# hundred concepts where they are.
_UCE: Final = {"span": "last", "erase_scale": 1.0, "keep_scale": 0.1}
CASES: Final = (
    Case("uce", 100, 2.0, _UCE),
    Case("uce", 1000, 4.0, _UCE),
    Case("speed", 100, 4.0, {"touch": "values"}),
    Case("oce", 100, 4.0, {"touch": "values", "erase_scale": 2000.0}, work="own"),
)


def edited(eraser: ClosedForm, problem: Problem) -> dict[str, Tensor]:
    """Return the projections after an eraser's changes, written out."""
    return {
        name: problem.old[name]
        + (change.dense() if isinstance(change, Factors) else change)
        for name, change in eraser.changes(problem)
    }


def quality(problem: Problem, new: Mapping[str, Tensor]) -> dict[str, float]:
    """Return gap, own part and drift of an edit."""
    pairs, kept = problem.pairs, problem.kept.rows
    gaps, owns, drifts = [], [], []
    for name, old in problem.old.items():
        now = new[name].double()
        goal, before, after = (
            pairs.goal @ old.T,
            pairs.erased @ old.T,
            pairs.erased @ now.T,
        )
        gaps.append((after - goal).norm(dim=1) / (before - goal).norm(dim=1))
        own = before - before @ torch.linalg.pinv(goal) @ goal
        owns.append(((own * after).sum(1) / (own * before).sum(1)).clamp(min=0))
        drifts.append((kept @ (now - old).T).norm(dim=1) / (kept @ old.T).norm(dim=1))
    return {"gap": _rms(gaps), "own": _rms(owns), "drift": _rms(drifts)}


def _rms(parts: Iterable[Tensor]) -> float:
    return float(torch.cat([*parts]).square().mean().sqrt())


def measured(case: Case, *, slow: bool) -> dict[str, Any]:
    """Run one case in this process; return time, quality and memory."""
    torch.set_num_threads(N_THREADS)
    eraser = ERASERS[case.eraser].of(case.settings)
    assert isinstance(eraser, ClosedForm)
    ends = {"values": ["to_v.weight"], "keys": ["to_k.weight"]}
    some = ends.get(eraser.touch, ["to_k.weight", "to_v.weight"])
    problem = Generated(Profile.read(), case.n_concepts, case.n_kept).problem(some)
    settings = recorded(eraser)

    def act() -> dict[str, Tensor]:
        if slow:
            return LITERALLY[case.eraser](problem, settings)
        return edited(eraser, problem)

    before = _peak()
    new, took = _timed(act)
    peak = _peak()
    repeats = [took, *(_timed(act)[1] for _ in range(0 if slow else N_REPEATS - 1))]
    return {
        "seconds": statistics.median(repeats),
        "low": min(repeats),
        "high": max(repeats),
        "n": len(repeats),
        **quality(problem, new),
        "peak_bytes": peak,
        "peak_increase_bytes": peak - before,
        "n_projections": len(new),
        "settings": settings,
    }


def _timed(act: Callable[[], dict[str, Tensor]]) -> tuple[dict[str, Tensor], float]:
    began = time.perf_counter()
    done = act()
    return done, time.perf_counter() - began


def _peak() -> int:
    """Return the peak memory of this process, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIB


def row_of(case: Case) -> dict[str, Any]:
    """Run a case both ways, each in a new process, and check its limits."""
    fast, slow = (_in_a_process(case.name, *words) for words in ([], ["--slow"]))
    settings = fast.pop("settings")
    slow.pop("settings")
    return {
        **asdict(case),
        "name": case.name,
        "settings": settings,
        "fast": fast,
        "slow": slow,
        "ratio": slow["seconds"] / fast["seconds"],
        "held": held(case, fast, slow),
    }


def held(
    case: Case, fast: Mapping[str, float], slow: Mapping[str, float]
) -> dict[str, bool]:
    """Return by name whether each limit of a case holds.

    Args:
        case: The case with its limits.
        fast: Time and quality of the eraser.
        slow: Those of the written-out form.
    """
    return {
        "seconds": fast["seconds"] <= case.most_seconds,
        case.work: fast[case.work] <= MOST_LEFT,
        "drift": fast["drift"] <= (1 + DRIFT_SLACK) * slow["drift"],
    }


def _in_a_process(*words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale", "--case", *words],
        stdout=subprocess.PIPE,
        check=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": str(N_THREADS)},
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure every case, write the results, and exit with 1 if a limit fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", help="run this one here and print it")
    parser.add_argument("--slow", action="store_true", help="run it the slow way")
    parser.add_argument("--only", nargs="+", help="these erasers; other rows stay")
    asked = parser.parse_args()
    cases = {c.name: c for c in CASES if c.eraser in {*ERASERS} & {*LITERALLY}}
    if asked.case:
        print(json.dumps(measured(cases[asked.case], slow=asked.slow)))
        return
    known = asked.only and RESULT.exists()
    before = json.loads(RESULT.read_text("utf-8"))["rows"] if known else []
    found = {row["name"]: row for row in before}
    for case in cases.values():
        if not asked.only or case.eraser in asked.only:
            found[case.name] = row_of(case)
            print(json.dumps(found[case.name], indent=1), flush=True)
    rows = [found[case.name] for case in CASES if case.name in found]
    data = {
        "threads": N_THREADS,
        "most_left": MOST_LEFT,
        "drift_slack": DRIFT_SLACK,
        "profile": asdict(Profile.read()),
        "rows": rows,
    }
    RESULT.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    fallen = [
        f"{r['name']}: {k}" for r in rows for k, ok in r["held"].items() if not ok
    ]
    if fallen:
        sys.exit(f"limits that do not hold: {', '.join(fallen)}")


if __name__ == "__main__":
    main()
