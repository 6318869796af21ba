"""Progress of long work, for scripts and notebooks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from unlearnlog.report.terminal import Bars

if TYPE_CHECKING:
    from unlearnlog.watch import Watch

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

    def __enter__(self) -> Lines:
        """Wait for the first stage."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the lines as they are."""

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


def progress(console: Console | None = None) -> AbstractContextManager[Watch]:
    """Return who shows progress where this runs.

    Bars in a terminal, and in a notebook with ``ipywidgets``; lines in a notebook
    without it and in a file.

    Args:
        console: Where to; None for standard error.
    """
    console = console or Console(stderr=True)
    if console.is_jupyter:
        return Bars(console) if find_spec("ipywidgets") else Lines(console)
    return Bars(console) if console.is_terminal else Lines(console)
