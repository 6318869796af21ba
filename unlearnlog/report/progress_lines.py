"""Long work told in lines, where there is no terminal to draw bars on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

EVERY: Final = 30.0
"""Seconds after which a line is written, whether or not anything has advanced."""

LEAST: Final = 3.0
"""Seconds between two lines, at least: what is done sooner needs no line."""

_TENTHS: Final = 10


class ProgressLines:
    """Writes a stage, how much of it is done, and how long it all took so far.

    A line comes at each tenth of a stage, at its end, and every half minute where a
    tenth takes longer; never two within three seconds. What is over within these is
    not spoken of.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        every: float = EVERY,
        least: float = LEAST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Write nothing until a stage has lasted for a while.

        Args:
            write: Writes one line.
            every: Seconds after which one is written in any case.
            least: Seconds between two of them, at least.
            clock: Tells the time, in s.
        """
        self._write, self._clock = write, clock
        self._every, self._least = every, least
        self._began = self._said = clock()
        self._name, self._total, self._done, self._numbers = "", 0, 0, ""
        self._tenth = 0
        self._lock, self._over = threading.Lock(), threading.Event()
        self._beat: threading.Thread | None = None

    def stage(self, name: str, total: int) -> None:
        """Begin a stage of ``total`` units."""
        with self._lock:
            self._end()
            self._name, self._total, self._done, self._numbers = name, total, 0, ""
            self._tenth = 0
        if self._beat is None:
            self._beat = threading.Thread(target=self._beats, daemon=True)
            self._beat.start()

    def advance(self, units: int, numbers: Mapping[str, float]) -> None:
        """Say that ``units`` more are done, and what the numbers are now."""
        with self._lock:
            self._done += units
            if numbers:
                said = (f"{name} {value:.4g}" for name, value in numbers.items())
                self._numbers = "".join(f", {each}" for each in said)
            tenth = _TENTHS * self._done // max(1, self._total)
            if tenth > self._tenth and self._waited >= self._least:
                self._tenth = tenth
                self._say()

    def close(self) -> None:
        """Write the end of the last stage, and nothing after it."""
        self._over.set()
        if self._beat is not None:
            self._beat.join()
        with self._lock:
            self._end()
            self._name = ""

    @property
    def _waited(self) -> float:
        return self._clock() - self._said

    def _beats(self) -> None:
        """Write a line wherever none was written for long."""
        while not self._over.wait(self._every / 10):
            with self._lock:
                if self._name and self._waited >= self._every:
                    self._say()

    def _end(self) -> None:
        """Write how a stage ended, unless that was said or hardly took any time."""
        said = self._tenth == _TENTHS or not self._done
        if self._name and not said and self._waited >= self._least:
            self._say()

    def _say(self) -> None:
        minutes, seconds = divmod(int(self._clock() - self._began), 60)
        of = f"{self._done} of {self._total}"
        after = f"{minutes}:{seconds:02}"
        self._write(f"{self._name}: {of} after {after}{self._numbers}")
        self._said = self._clock()
