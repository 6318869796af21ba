"""Time and memory of each command on a ledger of 100 to 10,000 entries.

Every command runs in a process of its own, forked from one that has loaded all
libraries and the bundled model, so that only the ledger's share is measured. Time is
the least processor time of some runs; memory is the peak beyond that at the start.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import log2
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks.growing import History
from benchmarks.suite import RESULTS
from unlearnlog.cli import main

ROOT: Final = Path(__file__).parent.parent
RESULT: Final = RESULTS / "growth.json"
SIZES: Final = (100, 316, 1000, 3162, 10000)
REPEATS: Final = 2
LONG_S: Final = 4.0
"""Seconds of a run beyond which it is not repeated."""

_RULES: Final = ("--policy", str(Path(__file__).with_suffix(".toml")))

COMMANDS: Final[Mapping[str, Sequence[str]]] = {
    "log": ("log",),
    "log --graph": ("log", "--graph"),
    "log --json": ("log", "--json"),
    "status": ("status",),
    "show": ("show", "HEAD"),
    "diff": ("diff", "HEAD~1", "HEAD"),
    "fsck": ("fsck",),
    "gc --dry-run": ("gc", "--dry-run"),
    "graph": ("graph", "-o", "{out}/graph.json"),
    "report, HTML": ("report", "--pictures", "0", "-o", "{out}/report.html"),
    "report, Markdown": ("report", "--pictures", "0", "-o", "{out}/report.md"),
    "report, JSON": ("report", "--pictures", "0", "-o", "{out}/report.json"),
    "checkout": ("checkout", "HEAD", "-o", "{out}/model"),
    "add": ("add", "cat", "--accept-undecided", *_RULES),
    "revert": ("revert", "HEAD~3", "--accept-failures", *_RULES),
}
RECORDING: Final = ("add", "revert")
"""Commands that change the ledger: they run on a copy, and paint nothing."""


def cost(words: Sequence[str]) -> tuple[float, int]:
    """Run a command; return its processor time, in s, and its memory, in bytes.

    Raises:
        RuntimeError: It fails.
    """
    gc.collect()
    gc.freeze()  # else collections in the child visit all that was loaded before
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            _act(words, writing)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    if not said:
        message = f"{' '.join(words)} fails"
        raise RuntimeError(message)
    seconds, n_bytes = json.loads(said)
    return seconds, n_bytes


def _act(words: Sequence[str], writing: int) -> None:
    """Run the command in the child, send its costs to the parent, and exit."""
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    sys.argv = ["unlearnlog", *words]
    began, had = time.process_time(), _memory("VmRSS")
    try:
        main()
    except SystemExit as end:
        if end.code:
            os._exit(1)
    took = time.process_time() - began, _memory("VmHWM") - had
    os.write(writing, json.dumps(took).encode())
    os._exit(0)


def _memory(what: str) -> int:
    """Return the memory of the process, present or peak, in bytes; on Linux."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024
    return 0


def measured(name: str, ledger: Path) -> dict[str, float]:
    """Return the costs of a command on a ledger, over up to `REPEATS` runs."""
    found: list[tuple[float, int]] = []
    while len(found) < REPEATS and (not found or found[-1][0] < LONG_S):
        with tempfile.TemporaryDirectory() as out:
            words = [word.format(out=out) for word in COMMANDS[name]]
            where = ledger
            if name in RECORDING:
                where = Path(shutil.copytree(ledger, Path(out) / "copy"))
            found.append(cost([*words, "--ledger", str(where)]))
    return {
        "seconds": min(seconds for seconds, _ in found),
        "bytes": min(n_bytes for _, n_bytes in found),
    }


def per_doubling(taken: Mapping[str, float]) -> list[float]:
    """Return the growth of a cost when the ledger doubles, from size to size.

    Args:
        taken: The cost, by number of entries.
    """
    sizes = sorted(map(int, taken))
    return [
        (taken[str(m)] / taken[str(n)]) ** (1 / log2(m / n)) for n, m in pairwise(sizes)
    ]


def run(folder: Path, sizes: Sequence[int], names: Sequence[str]) -> dict[str, Any]:
    """Grow a ledger, and return the costs of some commands at every size."""
    history = History(folder / "it")
    rows: dict[str, dict[str, Any]] = {name: {} for name in names}
    for n in sizes:
        history.grow(n)
        for name, row in rows.items():
            row[str(n)] = measured(name, folder / "it")
            print(n, name, row[str(n)], flush=True)
    found = {}
    for name, row in rows.items():
        seconds = {n: each["seconds"] for n, each in row.items()}
        found[name] = {"at": row, "per_doubling": per_doubling(seconds)}
    return {"sizes": list(sizes), "commands": found}


def measure() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=SIZES[-1])
    parser.add_argument("--only", action="append", choices=COMMANDS, help="these rows")
    said = parser.parse_args()
    sizes = [n for n in SIZES if n <= said.most]
    torch.set_num_threads(1)  # threads do not survive a fork
    with tempfile.TemporaryDirectory() as folder:
        warm = History(Path(folder) / "warm")
        warm.grow(8)
        for name in COMMANDS:
            measured(name, Path(folder) / "warm")
        data = run(Path(folder), sizes, said.only or [*COMMANDS])
    if said.only:
        known = json.loads(RESULT.read_text(encoding="utf-8"))
        data["commands"] = {**known["commands"], **data["commands"]}
    text = json.dumps(data, indent=1) + "\n"
    if len(sizes) == len(SIZES):
        RESULT.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    measure()
