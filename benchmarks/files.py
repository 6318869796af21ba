"""A measured cell is a file, made anew when what decides its results has changed."""

from __future__ import annotations

import argparse
import ast
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from unlearnlog.core.digest import Digest, canonical_json, digest_of
from unlearnlog.core.resources import PACKAGE, policy_folder
from unlearnlog.erasers.eraser_table import ERASERS

BUILD: Final = Path(__file__).parent.parent / "build" / "bench"
"""Where ledgers and pictures of unfinished work are; git does not see it."""

_READ: Final = ("graph", "judges", "model", "probes", "atelier")
_ALSO_READ: Final = ("nats", "patch", "delta", "commands/evaluation")


@dataclass(frozen=True)
class CellFile:
    """One cell's file.

    Attributes:
        path: Where it is; its stem is the cell's name.
        made_of: Digests of everything that decides its results.
        measured: Measures it and returns what is written.
        reads: Digest of the code that reads them. It is written down, but tests hold
            that code to known truths, so another one is no reason to measure again.
    """

    path: Path
    made_of: Callable[[], dict[str, str]]
    measured: Callable[[Console], dict[str, Any]]
    reads: Callable[[], str] | None = None

    def is_made(self, *, fresh: bool = False) -> bool:
        """Whether its results are there and of these weights and this code.

        Args:
            fresh: Whether the code that reads must be the same, too.
        """
        if not self.path.exists():
            return False
        data = json.loads(self.path.read_text(encoding="utf-8"))
        if fresh and self.reads and data.get("reads") != self.reads():
            return False
        return bool(data["made_of"] == self.made_of())

    def make(self, console: Console) -> None:
        """Measure it and write the file whole or not at all."""
        console.print(self.path.stem)
        data: dict[str, Any] = {"made_of": self.made_of()}
        if self.reads:
            data["reads"] = self.reads()
        data |= self.measured(console)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        partial.replace(self.path)


@cache
def reading_code() -> Digest:
    """Return a digest of all code that paints, judges and reads."""
    files = [p for part in _READ for p in (PACKAGE / part).rglob("*.py")]
    files = [p for p in files if "recipe" not in p.parts]
    files += [PACKAGE / f"{name}.py" for name in _ALSO_READ]
    code = {str(p.relative_to(PACKAGE)): digest_of(p.read_bytes()) for p in files}
    return digest_of(canonical_json(code))


def code_digest(settings: object, *erasers: str) -> str:
    """Return a digest of settings and of all code that reads, with these erasers'.

    For benches of what is read itself, which no change of that code leaves as it was.
    """
    said = json.loads(json.dumps(settings))
    made = {
        "reads": reading_code(),
        "erasers": [eraser_code(name) for name in erasers],
        "default": digest_of((policy_folder() / "default.toml").read_bytes()),
    }
    return digest_of(canonical_json([made, said]))


@cache
def eraser_code(eraser: str) -> dict[str, str]:
    """Return digests of an eraser's own file and of those erasers' that it imports.

    Only what is computed counts: no comment and no docstring makes a cell stale.
    """
    return {
        str(path.relative_to(PACKAGE)): digest_of(computed_in(path).encode())
        for path in imported(ERASERS[eraser].__module__)
    }


def computed_in(path: Path) -> str:
    """Return a file's syntax tree, written out, without its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [each for each in body if not _is_text(each)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_text(node: ast.AST) -> bool:
    """Say whether a statement is a bare text: a docstring, or one of an attribute."""
    found = node.value if isinstance(node, ast.Expr) else None
    return isinstance(found, ast.Constant) and isinstance(found.value, str)


def imported(module: str) -> list[Path]:
    """Return the files of an eraser's module and of the erasers' that it imports."""
    found: dict[str, Path] = {}
    wanted = [module]
    while wanted:
        name = wanted.pop()
        if name in found or not name.startswith("unlearnlog.erasers."):
            continue
        found[name] = PACKAGE.joinpath(*name.split(".")[1:]).with_suffix(".py")
        tree = ast.parse(found[name].read_text(encoding="utf-8"))
        wanted += [
            node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module
        ]
    return [found[name] for name in sorted(found)]


def make_missing(files: Iterable[CellFile], description: str | None) -> None:
    """Make what is missing or out of date, of the cells that the command line names."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--only", default="*", help="cells whose name matches")
    parser.add_argument(
        "--fresh", action="store_true", help="also cells that other code has read"
    )
    asked = parser.parse_args()
    console = Console(stderr=True)
    for each in files:
        if fnmatch(each.path.stem, asked.only) and not each.is_made(fresh=asked.fresh):
            each.make(console)
