"""Consoles with the width and the escapes of their output: terminal, pipe or file."""

from __future__ import annotations

import os
from typing import Final

from rich.console import ConsoleDimensions

from unlearnlog.report.plain_console import PlainConsole

WIDE: Final = 4096
"""Characters a line where nothing wraps; no table is as wide."""


class Screen(PlainConsole):
    """A console that cuts nothing in a pipe or a file.

    A terminal has its own width, and ``COLUMNS`` applies everywhere. Other output is as
    wide as the widest table: the width of the terminal that started a pipe is not that
    of its reader.

    With ``NO_COLOR`` no escape is written: no colour, no bold text, no move of the
    cursor.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        """Open standard output or standard error; ``NO_COLOR`` turns escapes off."""
        plain = bool(os.environ.get("NO_COLOR"))
        super().__init__(stderr=stderr, force_terminal=False if plain else None)

    @property
    def size(self) -> ConsoleDimensions:
        """Width and height in characters."""
        columns = os.environ.get("COLUMNS", "")
        if (columns.isdigit() and int(columns)) or self.file.isatty():
            return super().size
        return ConsoleDimensions(WIDE, 25)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size
