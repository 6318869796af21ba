"""Rewrite what a program can know in the documents: help texts and measured tables.

``python docs/make.py`` rewrites; ``python docs/make.py --check`` says what is stale;
``python docs/make.py --record`` first runs the demo again, for its transcript and its
picture. A block stands between ``<!-- begin NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
RESULTS: Final = ROOT / "docs" / "results"
WEIGHTS: Final = ROOT / "unlearnlog" / "atelier" / "weights"
DOCUMENTS: Final = (ROOT / "README.md", ROOT / "docs" / "RESULTS.md")
BLOCK: Final = re.compile(r"(<!-- begin (.+?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
NOT_YET: Final = "Not measured on these weights yet: `make bench` does it."
COMMANDS: Final = ("add", "log", "paint", "checkout")


def main() -> None:
    """Rewrite or check every document."""
    if "--record" in sys.argv:
        _record()
    stale = []
    for document in DOCUMENTS:
        old = document.read_text(encoding="utf-8")
        new = BLOCK.sub(lambda m: f"{m[1]}{_block(m[2])}\n{m[4]}", old)
        if new != old:
            stale.append(document.name)
            if "--check" not in sys.argv:
                document.write_text(new, encoding="utf-8")
    if stale and "--check" in sys.argv:
        sys.exit(f"stale: {', '.join(stale)}; run: python docs/make.py")


def _record() -> None:
    """Run the demo in an empty folder and keep what it says and what it paints."""
    add = ["add", "Picasso"]
    words = ["a painting of a cat by Picasso", "--at", "base", "--at", "HEAD"]
    with tempfile.TemporaryDirectory() as folder:
        said = _typed(add, folder)
        _typed(["paint", *words, "-o", "before-after.png"], folder)
        shutil.copy(Path(folder) / "before-after.png", RESULTS / "before-after.png")
    text = f'$ unlearnlog add "Picasso"\n{said}'
    (RESULTS / "demo.txt").write_text(text, encoding="utf-8")


def _typed(words: list[str], folder: str) -> str:
    """Run one command in a folder and return what it says on standard output."""
    env = {**os.environ, "COLUMNS": "108", "PYTHONPATH": str(ROOT), "PWD": folder}
    done = subprocess.run(
        [sys.executable, "-m", "unlearnlog", *words],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=folder,
        env=env,
    )
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()) + "\n"


def _block(name: str) -> str:
    kind, _, rest = name.partition(" ")
    return BLOCKS[kind](rest)


def _help(command: str) -> str:
    words = [sys.executable, "-m", "unlearnlog", *command.split(), "--help"]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"COLUMNS": "88", "PATH": "", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
    )
    lines = [line.rstrip() for line in done.stdout.strip().splitlines()]
    return "```text\n" + "\n".join(lines) + "\n```"


def _transcript(name: str) -> str:
    text = (RESULTS / f"{name}.txt").read_text(encoding="utf-8").rstrip()
    return f"```text\n{text}\n```"


def _is_measured(*names: str) -> bool:
    return all((RESULTS / f"{name}.json").exists() for name in names)


def _rows(name: str) -> list[dict[str, Any]]:
    """Return the entries of one measured history."""
    data = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    rows: list[dict[str, Any]] = data["rows"]
    return rows


def _alone(_: str) -> str:
    """Return one row for each erasure of one concept."""
    rows = [
        "| concept | target | UA | alias | IRA / base | CRA / base | beside / base | "
        "anchor | reject | look-alike / base | worst kept / base | nats before | "
        "nats after |",
        "|---|---|" + "--:|" * 11,
    ]
    for path in sorted(RESULTS.glob("*.json")):
        entries = _rows(path.stem)
        if len(entries) == 1 and len(entries[0]["concepts"]) == 1:
            rows.append(_row(entries[0]))
    return "\n".join(rows)


def _row(entry: dict[str, Any]) -> str:
    from unlearnlog.atelier.world import world

    found = {r["probe"]: r for r in entry["readings"] if r["probe"] != "presence"}
    name = entry["concepts"][0]["name"]
    alike = world().look_alike(name)
    presence = [r for r in entry["readings"] if r["probe"] == "presence"]
    worst = min(
        (r for r in presence if r["concept"] not in (name, alike)), key=_of_base
    )
    mate = [r for r in presence if r["concept"] == alike]
    beside = found.get("lands.subject") or found["lands.style"]
    cells = [
        name,
        entry["eraser"]["target"],
        _interval(found["ua"]),
        f"{found['ua.alias']['value']:.3f}" if "ua.alias" in found else "",
        f"{_of_base(found['ira']):.3f}",
        f"{_of_base(found['cra']):.3f}",
        f"{_of_base(beside):.3f}",
        f"{found['lands.anchor']['value']:.3f}",
        f"{found['lands.reject']['value']:.3f}",
        f"{alike} {_of_base(mate[0]):.3f}" if mate else "none known",
        f"{worst['concept']} {_of_base(worst):.3f}",
        f"{found['bound-mi']['base']:.2f}",
        f"{found['bound-mi']['value']:.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


def _chain(_: str) -> str:
    """Return one row a step: UA of everything erased so far."""
    if not _is_measured("six-styles"):
        return NOT_YET
    rows = [
        "| step | erased | UA now | lowest UA of earlier ones | IRA / base | "
        "CRA / base |",
        "|--:|---|--:|---|--:|--:|",
    ]
    gone: set[str] = set()
    for i, entry in enumerate(_rows("six-styles"), 1):
        found = {r["probe"]: r for r in entry["readings"] if r["probe"] != "presence"}
        name = entry["concepts"][0]["name"]
        earlier = [
            (1 - r["value"], r["concept"], r["n"])
            for r in entry["readings"]
            if r["probe"] == "presence" and r["concept"] in gone
        ]
        gone.add(name)
        least = "{1} {0:.3f} (n = {2})".format(*min(earlier)) if earlier else ""
        rows.append(
            f"| {i} | {name} | {_interval(found['ua'])} | {least} | "
            f"{_of_base(found['ira']):.3f} | {_of_base(found['cra']):.3f} |"
        )
    return "\n".join(rows)


def _batch(_: str) -> str:
    """Return one row for each concept of a batch, with what it cost below."""
    if not _is_measured("batch-of-five", "picasso-context"):
        return NOT_YET
    (entry,) = _rows("batch-of-five")
    alone = _rows("picasso-context")[0]["seconds"]  # with probes of the same sizes
    found = {(r["probe"], r["concept"]): r for r in entry["readings"]}
    rows = ["| concept | UA | anchor | nats left |", "|---|--:|--:|--:|"]
    for concept in entry["concepts"]:
        name = concept["name"]
        rows.append(
            f"| {name} | {_interval(found['ua', name])} | "
            f"{found['lands.anchor', name]['value']:.3f} | "
            f"{found['bound-mi', name]['value']:.2f} |"
        )
    ira, cra = (
        next(r for r in entry["readings"] if r["probe"] == name)
        for name in ("ira", "cra")
    )
    cost = (
        f"IRA {_of_base(ira):.3f} and CRA {_of_base(cra):.3f} of base. It took "
        f"{entry['seconds'] / alone:.1f} times as long as one concept alone."
    )
    return "\n".join([*rows, "", cost])


def _of_base(reading: dict[str, Any]) -> float:
    return float(reading["value"]) / float(reading["base"]) if reading["base"] else 0.0


def _interval(reading: dict[str, Any]) -> str:
    low, high, n = reading["low"], reading["high"], reading["n"]
    return f"{reading['value']:.3f} ({low:.3f} to {high:.3f}, n = {n})"


def _model(_: str) -> str:
    figures = json.loads((WEIGHTS / "quality.json").read_text(encoding="utf-8"))
    rows = ["| judged on | style | subject | n |", "|---|--:|--:|--:|"]
    for key, title in (
        ("rendered", "rendered pictures"),
        ("decoded", "the same after encode and decode"),
        ("painted", "pictures the model paints"),
    ):
        part = figures[key]
        rows.append(
            f"| {title} | {part['style']:.3f} | {part['subject']:.3f} | {part['n']} |"
        )
    return "\n".join(rows)


BLOCKS: Final[dict[str, Callable[[str], str]]] = {
    "help": _help,
    "transcript": _transcript,
    "alone": _alone,
    "chain": _chain,
    "batch": _batch,
    "model": _model,
}

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
