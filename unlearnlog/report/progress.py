"""Progress of long work as lines: in files, pipes and notebooks that cannot redraw."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Final

from rich.console import Console
from rich.text import Text

EVERY: Final = 10.0
"""Seconds between two lines of one stage."""


class Lines:
    """Progress as lines, where nothing that is written can be redrawn."""

    def __init__(
        self, console: Console, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Write nothing until the first stage begins."""
        self._console, self._clock = console, clock
        self._name, self._total, self._done = "", 0, 0
        self._began = self._said = 0.0

    def stage(self, name: str, total: int) -> None:
        """Begin a stage of ``total`` units, and write which."""
        self._name, self._total, self._done = name, total, 0
        self._began = self._said = self._clock()
        self._write(f"{name}: {total}")

    def advance(self, units: int, numbers: Mapping[str, float]) -> None:
        """Write how far the stage is, now and then and when it is done."""
        self._done += units
        now = self._clock()
        if now - self._said < EVERY and self._done < self._total:
            return
        self._said = now
        said = "".join(f", {name} {value:.4g}" for name, value in numbers.items())
        self._write(
            f"{self._name}: {self._done} of {self._total}, "
            f"{now - self._began:.0f} s{said}"
        )

    def _write(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)


def can_redraw(console: Console) -> bool:
    """Whether bars can move: in a terminal, and in a notebook with ``ipywidgets``."""
    if console.is_jupyter:
        return find_spec("ipywidgets") is not None
    return console.is_terminal
