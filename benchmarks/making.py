"""Measured cells, which are measured again when their inputs have changed."""

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
"""Key of a cell's settings; the witness covers settings that came later."""


@cache
def bundled_weights() -> str:
    """Return the digest of the weights that ship."""
    return base_answers().root


@dataclass(frozen=True)
class MadeOf:
    """The inputs of a cell.

    Attributes:
        plain: JSON values: weights, settings, sizes.
        computed: Witnesses of the computations, by their role.
    """

    plain: Mapping[str, Any]
    computed: Mapping[str, Witness] = field(default_factory=dict)

    def written(
        self, digest: Callable[[Witness], str | None] = digest_today
    ) -> dict[str, Any]:
        """Return the inputs as a cell stores them.

        Args:
            digest: Returns the present digest of a witness.
        """
        said: dict[str, Any] = json.loads(json.dumps(self.plain))
        return said | {"computed": {k: digest(w) for k, w in self.computed.items()}}

    def is_of(self, then: Mapping[str, Any]) -> bool:
        """Return whether a cell's inputs are still the same.

        No witness is computed where a value differs already.
        """
        now = self.written(lambda _: None)
        known = {**then, "computed": dict.fromkeys(then.get("computed", ()))}
        return (
            same_values(known, now)
            and then.get("computed") == self.written()["computed"]
        )


def same_values(then: dict[str, Any], now: dict[str, Any]) -> bool:
    """Return whether values are equal, settings that came later left out."""
    if SETTINGS in then and SETTINGS in now:
        today = {key: now[SETTINGS].get(key) for key in then[SETTINGS]}
        now = {**now, SETTINGS: today}
    return then == now


@dataclass(frozen=True)
class Measured:
    """One cell of a suite.

    Attributes:
        suite: The suite that holds it.
        name: Its name there.
        made_of: Its inputs.
        measure: Measures it and returns the results.
        reads: The witness of the readings. It is stored, but tests hold readings to
            known values, so a change is no reason to measure again.
    """

    suite: Suite
    name: str
    made_of: Callable[[], MadeOf]
    measure: Callable[[Console], Mapping[str, Any]]
    reads: Witness | None = None

    @property
    def cell(self) -> Cell | None:
        """The results; None where there are none."""
        return self.suite.cells().get(self.name)

    def is_made(self, *, fresh: bool = False) -> bool:
        """Return whether its results are there and its inputs are the same.

        Args:
            fresh: Whether the readings' witness must be the same too.
        """
        cell = self.cell
        if cell is None or not self.made_of().is_of(cell["made_of"]):
            return False
        if not fresh or self.reads is None:
            return True
        return bool(cell.get("reads") == digest_today(self.reads))

    def make(self, console: Console) -> None:
        """Measure the cell and store its results."""
        console.print(self.name)
        data: dict[str, Any] = {"made_of": self.made_of().written()}
        if self.reads:
            data["reads"] = digest_today(self.reads)
        self.suite.put(self.name, {**data, **self.measure(console)})


def make_missing(cells: Iterable[Measured], description: str | None) -> None:
    """Measure missing or outdated cells, of those named on the command line."""
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
