"""A measured cell is made anew when what decides its results has changed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from typing import Any, Final

from rich.console import Console

from benchmarks.suite import Cell, Suite
from benchmarks.witnesses import Witness, digest_today
from unlearnlog.atelier.bundled_model import base_answers

SETTINGS: Final = "settings"
"""The key of a cell's settings: one that came later is left to the witness."""


@cache
def bundled_weights() -> str:
    """Return the digest of the weights that ship."""
    return base_answers().root


@dataclass(frozen=True)
class MadeOf:
    """Everything that decides a cell's results.

    Attributes:
        plain: Values, as JSON has them: weights, settings, sizes.
        computed: What computes, by the part that it plays.
    """

    plain: Mapping[str, Any]
    computed: Mapping[str, Witness] = field(default_factory=dict)

    def written(
        self, digest: Callable[[Witness], str | None] = digest_today
    ) -> dict[str, Any]:
        """Return it as a cell keeps it.

        Args:
            digest: Says what stands for a witness today.
        """
        said: dict[str, Any] = json.loads(json.dumps(self.plain))
        return said | {"computed": {k: digest(w) for k, w in self.computed.items()}}

    def is_of(self, then: Mapping[str, Any]) -> bool:
        """Say whether what a cell was made of would make the same today.

        No witness is computed where a value differs already.
        """
        now = self.written(lambda _: None)
        known = {**then, "computed": dict.fromkeys(then.get("computed", ()))}
        return _same(known, now) and then.get("computed") == self.written()["computed"]


def _same(then: dict[str, Any], now: dict[str, Any]) -> bool:
    """Compare values, but for settings that are there since."""
    if SETTINGS in then and SETTINGS in now:
        today = {key: now[SETTINGS].get(key) for key in then[SETTINGS]}
        now = {**now, SETTINGS: today}
    return then == now


@dataclass(frozen=True)
class Measured:
    """One cell of a suite.

    Attributes:
        suite: Where it is written down.
        name: What it is called there.
        made_of: Everything that decides its results.
        measure: Measures it and returns what is written.
        reads: The witness of what reads them. It is written down, but tests hold what
            reads to known truths, so another one is no reason to measure again.
    """

    suite: Suite
    name: str
    made_of: Callable[[], MadeOf]
    measure: Callable[[Console], Mapping[str, Any]]
    reads: Witness | None = None

    @property
    def cell(self) -> Cell | None:
        """What was measured; None where nothing was."""
        return self.suite.cells().get(self.name)

    def is_made(self, *, fresh: bool = False) -> bool:
        """Whether its results are there and what decides them is the same.

        Args:
            fresh: Whether what reads must be the same, too.
        """
        cell = self.cell
        if cell is None or not self.made_of().is_of(cell["made_of"]):
            return False
        if not fresh or self.reads is None:
            return True
        return bool(cell.get("reads") == digest_today(self.reads))

    def make(self, console: Console) -> None:
        """Measure it and write it down."""
        console.print(self.name)
        data: dict[str, Any] = {"made_of": self.made_of().written()}
        if self.reads:
            data["reads"] = digest_today(self.reads)
        self.suite.put(self.name, {**data, **self.measure(console)})


def make_missing(cells: Iterable[Measured], description: str | None) -> None:
    """Make what is missing or out of date, of the cells that the command line names."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--only", default="*", help="cells whose name matches")
    parser.add_argument(
        "--fresh", action="store_true", help="also cells that were read otherwise"
    )
    asked = parser.parse_args()
    console = Console(stderr=True)
    for each in cells:
        if fnmatch(each.name, asked.only) and not each.is_made(fresh=asked.fresh):
            each.make(console)
