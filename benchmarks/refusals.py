"""The benchmark ``python -m benchmarks.refusals``: times until a mistake is refused.

Each refusal is a process of its own, from start to end, five times. Nothing is computed
before it: no torch, no model.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.suite import RESULTS

ROOT: Final = Path(__file__).parent.parent
RESULT: Final = RESULTS / "refusals.json"
N_REPEATS: Final = 5

POLICY: Final = 'name = "mine"\n[eraser]\nname = "ridge"\n'
LIMIT: Final = "[[limits]]\n"

FILES: Final[Mapping[str, str]] = {
    "reading.toml": POLICY + LIMIT + 'reading = "uaa"\nat_least = 0.9\n',
    "percent.toml": POLICY + LIMIT + 'reading = "ua"\nat_least = 90\n',
    "eraser.toml": 'name = "mine"\n[eraser]\nname = "ridg"\n',
    "kind.toml": '[concepts.Banksy]\nkind = "styel"\n',
    "key.toml": '[concepts.Banksy]\nkynd = "style"\n',
    "anchor.toml": '[concepts.Banksy]\nkind = "style"\nanchor = "banksy"\n',
    "there.safetensors": "",
    "notes.txt": "",
}
"""Files that the refusals need, by name."""


@dataclass(frozen=True)
class Refusal:
    """A mistake, and a part of its error.

    Attributes:
        words: The words after ``unlearnlog``.
        says: Part of the message on standard error.
        code: The exit code.
        env: Variables of the environment.
    """

    words: tuple[str, ...]
    says: str
    code: int = 2
    env: tuple[tuple[str, str], ...] = ()


def _typed(line: str, says: str, **more: Any) -> Refusal:  # noqa: ANN401
    return Refusal(tuple(line.split()), says, **more)


REFUSALS: Final[Mapping[str, Refusal]] = {
    "option": _typed("add Monet --polcy fast", "No such option"),
    "kind": _typed("add Banksy --kind styel", "did you mean 'style'?"),
    "kind in a file": _typed("add Banksy --concepts kind.toml", "'styel'"),
    "key in a file": _typed("add Banksy --concepts key.toml", "did you mean 'kind'?"),
    "unknown name": _typed("add Banxy", "Banxy"),
    "erased already": _typed("add Picasso", "is erased already"),
    "named twice": _typed("add Monet monet --batch", "is named twice"),
    "names in one": Refusal(("add", "Picasso, Monet"), "--batch"),
    "a file as a name": _typed("add @artists.txt", "--concepts"),
    "a pair": Refusal(("add", "cat by Picasso"), "one style of one subject"),
    "own anchor": _typed("add Monet --anchor Monet", "is the concept itself"),
    "own anchor in a file": _typed(
        "add Banksy --concepts anchor.toml", "its own anchor"
    ),
    "policy": _typed("add Monet --policy fats", "did you mean 'fast'?"),
    "reading": _typed("add Monet --policy reading.toml", "did you mean 'ua'?"),
    "limit": _typed("add Monet --policy percent.toml", "at_least = 0.9"),
    "eraser in a policy": _typed("add Monet --policy eraser.toml", "'ridge'"),
    "eraser": _typed("add Monet --eraser uec", "did you mean 'uce'?"),
    "setting": _typed("add Monet --set erase_scal=3", "did you mean 'erase_scale'?"),
    "value": _typed("add Monet --set erase_scale=-3", "erase_scale is -3"),
    "value's type": _typed("add Monet --set erase_scale=much", "like 100.0"),
    "target": _typed("add Monet --target ancor", "did you mean 'anchor'?"),
    "judge": _typed("add Monet --judge clip", "there is no judge 'clip'"),
    "device": _typed("add Monet --device cudua", "did you mean 'cuda'?"),
    "device that is not there": _typed("add Monet --device mps:0", "needs a Mac"),
    "device by environment": _typed(
        "add Monet", "UNLEARNLOG_DEVICE", env=(("UNLEARNLOG_DEVICE", "cudua"),)
    ),
    "dtype": _typed("add Monet --dtype float61", "did you mean 'float16'?"),
    "no ledger": _typed("log --ledger /", "there is no ledger"),
    "ledger there": _typed("init", "there is a ledger", code=1),
    "model to begin on": _typed("init --ledger new --model ./none", "no folder"),
    "key of config": _typed("config set polcy fast", "did you mean 'policy'?"),
    "value of config": _typed("config set device cudua", "did you mean 'cuda'?"),
    "revision": _typed("show nope", "there are: HEAD, base, main"),
    "paint at": _typed("paint cat -o a.png --at maim", "did you mean 'main'?"),
    "paint into": _typed("paint cat -o a.jpg", "the ending of 'a.jpg'"),
    "paint into a folder": _typed("paint cat -o folder.png", "is a folder"),
    "diff": _typed("diff main nope", "is no entry"),
    "diff into": _typed("diff main base --images a.gif --prompt cat", "a.gif"),
    "bisect": _typed("bisect --concept Picaso", "did you mean 'Picasso'?"),
    "probe": _typed("probe --concept Picaso", "did you mean 'Picasso'?"),
    "tier": _typed("probe --tier 3", "there is no tier 3"),
    "graph into": _typed("graph -o graph.gif", "the ending of 'graph.gif'"),
    "graph of": _typed("graph --informed --concept Picaso", "'Picasso'"),
    "drift of": _typed("drift --reading mooved", "did you mean 'moved'?"),
    "report into": _typed("report -o report.pdf", "the ending of 'report.pdf'"),
    "report of": _typed("report base -o a.html", "nothing to report"),
    "report where": _typed("report -o notes.txt/a.html", "is no folder"),
    "checkout into": _typed("checkout HEAD -o full", "is there already"),
    "checkout of": _typed("checkout nope -o new", "is no entry"),
    "export into": _typed("export HEAD -o a.bin", ".safetensors"),
    "export over": _typed("export HEAD -o there.safetensors", "already"),
    "export of": _typed("export base -o a.safetensors", "changes nothing"),
    "export's folder": _typed("export HEAD -o no/a.safetensors", "mkdir -p"),
    "import of a folder": _typed("import full --concept Monet", "is a folder"),
    "import of nothing": _typed("import no.safetensors --concept Monet", "no file"),
    "import of a pickle": _typed("import notes.txt --concept Monet", "pickles"),
    "revert": _typed("revert nope", "is no entry"),
    "compose": _typed("compose nope", "is no entry"),
    "compose with": _typed("compose none@HEAD", "there is no folder 'none'"),
    "audit": _typed("audit none", "there is no 'none'"),
    "audit at": _typed("audit full --at base", "nothing is erased at 'base'"),
    "audit on": _typed("audit --finetune unrelatd", "did you mean 'unrelated'?"),
    "audit's plot": _typed("audit --finetune full --plot a.gif", "a.gif"),
    "attack": _typed("attack --attack inversoin", "did you mean 'inversion'?"),
    "attack's budget": _typed("attack --budget smal", "did you mean 'small'?"),
    "attack on": _typed("attack --concept Monet", "'Monet' is not erased"),
    "rebase onto": _typed("rebase --onto none -o new", "there is no 'none'"),
    "rebase into": _typed("rebase --onto full -o full", "is there already"),
}
"""Every refusal before a model is loaded, by its mistake."""


def prepare(folder: Path) -> None:
    """Write the files that the refusals need, beside a ledger."""
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "folder.png").mkdir()
    (folder / "full").mkdir()
    (folder / "full" / "file").write_text("", encoding="utf-8")


def _ledger(folder: Path) -> None:
    """Erase Picasso in a folder, with the smallest sizes."""
    little = POLICY + (
        "[sampling]\nsteps = 1\n[probes]\nerased = 1\nrenamed = 0\nfamily = 0\n"
        "alike = 0\nkept_share = 0.1\ninformation = 0\n[require]\nbase_presence = 0.0\n"
    )
    (folder / "little.toml").write_text(little, encoding="utf-8")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "unlearnlog",
            *["add", "Picasso", "--policy", "little.toml"],
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
    )


def took(refusal: Refusal, folder: Path) -> float:
    """Return the time of one refusal as a process, in s; check its message."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **dict(refusal.env)}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "unlearnlog", *refusal.words],
        cwd=folder,
        env=env,
        check=False,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - began
    if done.returncode != refusal.code or refusal.says not in done.stderr:
        message = f"{refusal.words}: {done.returncode}, {done.stderr}"
        raise AssertionError(message)
    return seconds


def measured(folder: Path, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return each refusal's times in s: median, lowest, highest."""
    found = {}
    for name in names:
        refusal = REFUSALS[name]
        times = [took(refusal, folder) for _ in range(N_REPEATS)]
        found[name] = {
            "typed": "unlearnlog " + " ".join(refusal.words),
            "median": round(statistics.median(times), 3),
            "low": round(min(times), 3),
            "high": round(max(times), 3),
            "n": len(times),
        }
        sys.stderr.write(f"{name}: {found[name]['median']} s\n")
    return found


DRY: Final = "add Monet --dry-run"
"""A dry run, which writes its first line before the model is loaded."""


def first_line(folder: Path) -> dict[str, Any]:
    """Return the time of a dry run to its first line on standard error, in s."""
    times = []
    for _ in range(N_REPEATS):
        began = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "unlearnlog", *DRY.split()],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stderr is not None
            assert process.stderr.readline().startswith(b"dry run:")
            times.append(time.perf_counter() - began)
            process.kill()
    return {
        "typed": f"unlearnlog {DRY}",
        "median": round(statistics.median(times), 3),
        "low": round(min(times), 3),
        "high": round(max(times), 3),
        "n": len(times),
    }


def main() -> None:
    """Measure every refusal, and write the results."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _ledger(folder)
        prepare(folder)
        rows = measured(folder, [*REFUSALS])
        dry = first_line(folder)
    slowest = max(rows, key=lambda each: rows[each]["median"])
    data = {
        "unit": "s",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "slowest": {"what": slowest, "median": rows[slowest]["median"]},
        "refusals": rows,
        "first_line": dry,
    }
    text = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
    RESULT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
