"""Consoles whose width and escapes suit what reads them."""

from __future__ import annotations

import os
from typing import Final

from rich.console import ConsoleDimensions

from unlearnlog.report.plain_console import PlainConsole

WIDE: Final = 4096
"""Characters a line where nothing wraps: no table of ours is as wide."""


class Screen(PlainConsole):
    """A console that never cuts what goes into a pipe or a file.

    A terminal has its own width, and ``COLUMNS`` is obeyed everywhere. What is neither
    is as wide as the widest table: the terminal from which a pipe was started says
    nothing about what reads it.

    With ``NO_COLOR`` not one escape is written, neither for colours nor for bold text
    nor to move the cursor.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        """Ask the environment whether escapes are wanted."""
        plain = bool(os.environ.get("NO_COLOR"))
        super().__init__(stderr=stderr, force_terminal=False if plain else None)

    @property
    def size(self) -> ConsoleDimensions:
        """Width and height in characters."""
        asked = os.environ.get("COLUMNS", "")
        if (asked.isdigit() and int(asked)) or self.file.isatty():
            return super().size
        return ConsoleDimensions(WIDE, 25)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size
