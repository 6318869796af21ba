"""Progress of long work in lines, for output that is no terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

EVERY: Final = 30.0
"""Seconds after which a line is written although nothing advanced."""

LEAST: Final = 3.0
"""Least seconds between two lines."""

_TENTHS: Final = 10


class ProgressLines:
    """A writer of lines with the stage, its share done, and the time so far.

    A line is written at each tenth of a stage, at its end, and every half minute where
    a tenth takes longer; never two within three seconds. A stage that is shorter than
    that has no line.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        every: float = EVERY,
        least: float = LEAST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the clock.

        Args:
            write: Writes one line.
            every: Seconds after which a line is written in any case.
            least: Least seconds between two lines.
            clock: Returns the time, in s.
        """
        self._write, self._clock = write, clock
        self._every, self._least = every, least
        self._began = self._written = clock()
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
        """Add ``units`` to the stage, and keep the present numbers."""
        with self._lock:
            self._done += units
            if numbers:
                shown = (f"{name} {value:.4g}" for name, value in numbers.items())
                self._numbers = "".join(f", {each}" for each in shown)
            tenth = _TENTHS * self._done // max(1, self._total)
            if tenth > self._tenth and self._waited >= self._least:
                self._tenth = tenth
                self._write_line()

    def close(self) -> None:
        """Write the end of the last stage, and stop."""
        self._over.set()
        if self._beat is not None:
            self._beat.join()
        with self._lock:
            self._end()
            self._name = ""

    @property
    def _waited(self) -> float:
        """Seconds since the last line."""
        return self._clock() - self._written

    def _beats(self) -> None:
        """Write a line whenever none was written for long."""
        while not self._over.wait(self._every / 10):
            with self._lock:
                if self._name and self._waited >= self._every:
                    self._write_line()

    def _end(self) -> None:
        """Write the end of a stage, unless it was written or took hardly any time."""
        written = self._tenth == _TENTHS or not self._done
        if self._name and not written and self._waited >= self._least:
            self._write_line()

    def _write_line(self) -> None:
        """Write the stage, its count, the time so far and the numbers."""
        minutes, seconds = divmod(int(self._clock() - self._began), 60)
        of = f"{self._done} of {self._total}"
        after = f"{minutes}:{seconds:02}"
        self._write(f"{self._name}: {of} after {after}{self._numbers}")
        self._written = self._clock()
