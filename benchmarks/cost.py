"""The benchmark of ``make cost``: costs of a long history on weights of full size.

All is measured in one run, each beside its reference: writing and reading the tensors,
the first entry, the dense delta.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load, load_file, save_file

from benchmarks.long_history import Growing, base_weights
from benchmarks.suite import RESULTS
from unlearnlog.ledger.repository import Repository

ROOT: Final = Path(__file__).parent.parent
RESULT: Final = RESULTS / "cost.json"
N_ENTRIES: Final = 1000
N_APPENDS: Final = 20
N_REVISIONS: Final = 24
N_REPEATS: Final = 5
COLD: Final = (10, 100, 1000)
"""Entries that are checked out once without a cached sum."""


def seconds(act: Callable[[], object]) -> float:
    """Return the wall-clock time of an act, in s."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, lowest, highest and number of repeats."""
    return {
        "median": statistics.median(values),
        "low": min(values),
        "high": max(values),
        "n": len(values),
    }


class Copying:
    """Reading and writing of one state's tensors, with and without a ledger."""

    def __init__(
        self, folder: Path, ledger: Repository, base: dict[str, torch.Tensor]
    ) -> None:
        """Write the base's file once."""
        self._ledger = ledger
        self._base, self._out = folder / "base.safetensors", folder / "out.safetensors"
        save_file(base, self._base)

    def write(self, tensors: dict[str, torch.Tensor]) -> None:
        """Write tensors and flush them."""
        save_file(tensors, self._out)
        handle = os.open(self._out, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)

    def copy(self) -> None:
        """Read the base's tensors into memory and write them."""
        self.write(load(self._base.read_bytes()))

    def copy_mapped(self) -> None:
        """Write the base's tensors from their memory map."""
        self.write(load_file(self._base))

    def check_out(self, number: int) -> None:
        """Write the tensors of the state after a number of entries."""
        history = self._ledger.history(self._ledger.head)
        entry = history[number - 1][0]
        self.write(self._ledger.state(entry, load_file(self._base)))


def checkouts(copying: Copying, sums: Path, n_entries: int) -> dict[str, Any]:
    """Measure checkouts without cached sums, then with them along a history."""
    cold = []
    for number in COLD:
        if number <= n_entries:
            shutil.rmtree(sums, ignore_errors=True)
            copy = statistics.median(seconds(copying.copy) for _ in range(3))
            took = seconds(lambda n=number: copying.check_out(n))  # type: ignore[misc]
            cold.append({"entry": number, "seconds": took, "ratio": took / copy})
    chosen = random.Random(0).sample(range(1, n_entries + 1), N_REVISIONS - 1)
    warm = []
    for number in sorted({*chosen, n_entries}):
        pairs = [
            (seconds(copying.copy), seconds(lambda n=number: copying.check_out(n)))  # type: ignore[misc]
            for _ in range(N_REPEATS)
        ]
        took = statistics.median(out for _, out in pairs)
        ratio = statistics.median(out / copy for copy, out in pairs)
        warm.append({"entry": number, "seconds": took, "ratio": ratio})
    return {
        "cold": cold,
        "warm": warm,
        "warm_median_ratio": statistics.median(row["ratio"] for row in warm),
        "warm_worst_ratio": max(row["ratio"] for row in warm),
    }


def log(folder: Path, n_entries: int) -> dict[str, float]:
    """Measure the whole process of ``unlearnlog log --json``."""
    words = [sys.executable, "-m", "unlearnlog", "log", "--json"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (folder / "log.json").open("wb") as out:
        took = []
        for _ in range(N_REPEATS + 2):
            out.truncate(0)
            out.seek(0)
            took.append(
                seconds(
                    lambda: subprocess.run(
                        words, cwd=folder, env=env, stdout=out, check=True
                    )
                )
            )
    if len(json.loads((folder / "log.json").read_bytes())) != n_entries:
        message = "the log has not as many rows as the ledger has entries"
        raise RuntimeError(message)
    return spread(took)


def appends(long: Growing, short: Growing) -> dict[str, Any]:
    """Measure appending to a new ledger and to a long one, taking turns."""
    for _ in range(N_APPENDS):
        short.grow()
        long.grow()
    first, last = (spread(g.seconds[-N_APPENDS:]) for g in (short, long))
    return {"first": first, "last": last, "ratio": last["median"] / first["median"]}


def sizes(ledger: Path, n_entries: int, dense: int) -> dict[str, float]:
    """Return the bytes of an entry on disk, over all of its files."""
    kept = [
        p for part in ("entries", "objects", "logs") for p in (ledger / part).rglob("*")
    ]
    each = sum(path.stat().st_size for path in kept if path.is_file()) / n_entries
    return {"bytes_per_entry": each, "dense_bytes": dense, "ratio": each / dense}


def measured(folder: Path, n_entries: int) -> dict[str, Any]:
    """Grow a history and measure everything on it."""
    base = base_weights()
    began = time.perf_counter()
    long = Growing(folder / "long", base)
    for _ in range(n_entries):
        long.grow()
    grown = time.perf_counter() - began
    ledger = Repository.open(folder / "long")
    history = seconds(lambda: ledger.history(ledger.head))
    copying = Copying(folder, ledger, base)
    root = folder / "long" / ".unlearnlog"
    dense = sum(tensor.nbytes for tensor in base.values())
    return {
        "entries": n_entries,
        "threads": torch.get_num_threads(),
        "growing_s": grown,
        "history_s": history,
        "size": sizes(root, n_entries, dense),
        "log_s": log(folder / "long", n_entries),
        "copy_s": spread([seconds(copying.copy) for _ in range(N_REPEATS)]),
        "copy_mapped_s": spread(
            [seconds(copying.copy_mapped) for _ in range(N_REPEATS)]
        ),
        "checkout": checkouts(copying, root / "cache" / "sums", n_entries),
        "append_s": appends(long, Growing(folder / "short", base)),
    }


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=N_ENTRIES)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = measured(Path(folder), asked.entries)
    text = json.dumps(data, indent=1) + "\n"
    print(text)
    if asked.entries == N_ENTRIES:
        RESULT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
