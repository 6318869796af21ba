"""Suites of measured cells: a file of cells by name, each on lines of its own.

Several processes may measure cells of one suite at once: a cell is put into the present
content of the file under a lock, and the file is replaced whole or not at all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from filelock import FileLock

RESULTS: Final = Path(__file__).parent / "results"
"""Folder of the results."""

BUILD: Final = Path(__file__).parent.parent / "build" / "bench"
"""Folder of ledgers and pictures of unfinished work, which git ignores."""

WIDTH: Final = 200
"""Characters of a value, at most, that stays on one line."""

Cell = Mapping[str, Any]


@dataclass(frozen=True)
class Suite:
    """The cells of one suite.

    Attributes:
        path: Path of the file.
    """

    path: Path

    @classmethod
    def called(cls, name: str) -> Suite:
        """Return the project's suite of a name."""
        return cls(RESULTS / f"{name}.json")

    def cells(self) -> Mapping[str, Cell]:
        """Return every measured cell by name, in order; none without a file."""
        if not self.path.exists():
            return {}
        at = self.path.stat()
        return _remembered(self.path, (at.st_mtime_ns, at.st_ino, at.st_size))

    def put(self, name: str, cell: Cell) -> None:
        """Store one cell in place of an earlier one; the others are unchanged."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_suffix(".lock")):
            known = _read(self.path) if self.path.exists() else {}
            text = laid_out({**known, name: cell})
            partial = self.path.with_suffix(f".{os.getpid()}.partial")
            try:
                partial.write_text(text, encoding="utf-8")
                partial.replace(self.path)
            finally:
                partial.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Cell]:
    found: dict[str, Cell] = json.loads(path.read_text(encoding="utf-8"))
    return found


@lru_cache
def _remembered(path: Path, _: tuple[int, int, int]) -> Mapping[str, Cell]:
    """Return a file's content, read once as long as it is not replaced."""
    return MappingProxyType(_read(path))


def laid_out(cells: Mapping[str, Cell]) -> str:
    """Return cells as JSON, sorted by name, so that a diff shows changes by line."""
    ordered = {name: cells[name] for name in sorted(cells)}
    return "\n".join(_lines(ordered, 0, broken=True)) + "\n"


def _lines(value: object, depth: int, *, broken: bool = False) -> Iterator[str]:
    """Yield the lines of a value: one where it fits, else one or more for each part."""
    whole = json.dumps(value, ensure_ascii=False)
    fits = not broken and depth + len(whole) <= WIDTH
    if fits or not value or not isinstance(value, dict | list):
        yield " " * depth + whole
        return
    pairs = value.items() if isinstance(value, dict) else ((None, v) for v in value)
    marks = "{}" if isinstance(value, dict) else "[]"
    yield " " * depth + marks[0]
    last = len(value) - 1
    for i, (key, part) in enumerate(pairs):
        named = "" if key is None else f"{json.dumps(key, ensure_ascii=False)}: "
        lines = [*_lines(part, depth + 1)]
        lines[0] = f"{' ' * (depth + 1)}{named}{lines[0].lstrip(' ')}"
        yield from lines[:-1]
        yield lines[-1] + ("" if i == last else ",")
    yield " " * depth + marks[1]
