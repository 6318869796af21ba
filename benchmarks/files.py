"""A measured cell is a file, made anew when what decides its results has changed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from rich.console import Console


@dataclass(frozen=True)
class CellFile:
    """One cell's file.

    Attributes:
        path: Where it is; its stem is the cell's name.
        made_of: Digests of everything that decides its results.
        measured: Measures it and returns what is written.
    """

    path: Path
    made_of: Callable[[], dict[str, str]]
    measured: Callable[[Console], dict[str, Any]]

    @property
    def is_made(self) -> bool:
        """Whether its results are there and of these weights and this code."""
        if not self.path.exists():
            return False
        data = json.loads(self.path.read_text(encoding="utf-8"))
        return bool(data["made_of"] == self.made_of())

    def make(self, console: Console) -> None:
        """Measure it and write the file whole or not at all."""
        console.print(self.path.stem)
        data = {"made_of": self.made_of(), **self.measured(console)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        partial.replace(self.path)


def make_missing(files: Iterable[CellFile], description: str | None) -> None:
    """Make what is missing or out of date, of the cells that the command line names."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--only", default="*", help="cells whose name matches")
    asked = parser.parse_args()
    console = Console(stderr=True)
    for each in files:
        if fnmatch(each.path.stem, asked.only) and not each.is_made:
            each.make(console)
