"""A process that dies at its Nth change to a folder, whoever makes that change.

Python tells an audit hook of every file that is opened to be written, renamed or
removed, and of every folder that is made or removed, before it happens. Death is an
error that nothing catches; what is dead changes nothing any more, so what would tidy up
in a living process cannot.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.ledger.making import Death

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = frozenset({"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"})
LOCKS = frozenset({"lock", "lock.holder"})
"""What the system frees by itself when a process dies."""


@dataclass
class Dying:
    """Counts changes below a folder, and dies at one of them.

    Attributes:
        folder: Only what happens below it counts.
        at: Number of the fatal change, from 1 on; None to live.
        cut: Whether a file that was about to be written is left cut short.
        count: Changes up to now.
    """

    folder: Path
    at: int | None = None
    cut: bool = False
    count: int = 0

    def told(self, event: str, path: str) -> None:
        """Count one change, or die at it."""
        if not path.startswith(f"{self.folder}{os.sep}"):
            return
        if Path(path).name in LOCKS:
            return
        self.count += 1
        if self.at is None or self.count < self.at:
            return
        if self.count == self.at and self.cut and event == "open":
            _leave_cut_short(path)
        raise Death


_dying: list[Dying] = []
_hooked: list[bool] = []


def points(folder: Path, act: Callable[[], object]) -> int:
    """Do something, and return how many changes it made below a folder."""
    return _watched(Dying(folder.resolve()), act)


def die(folder: Path, act: Callable[[], object], at: int, *, cut: bool) -> None:
    """Die at a change; whatever is done to the folder then does not happen.

    Raises:
        AssertionError: It lived.
    """
    with suppress(Death):
        _watched(Dying(folder.resolve(), at, cut), act)
        message = f"nothing was changed {at} times"
        raise AssertionError(message)


def _watched(dying: Dying, act: Callable[[], object]) -> int:
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked.append(True)
    _dying.append(dying)
    try:
        act()
    finally:
        _dying.clear()
    return dying.count


def _hook(event: str, args: tuple[object, ...]) -> None:
    if not _dying:
        return
    if event == "open":
        path, _, flags = args
        if isinstance(path, str | Path) and isinstance(flags, int) and flags & WRITES:
            _dying[0].told(event, os.path.abspath(path))  # noqa: PTH100
    elif event in CHANGES:
        _dying[0].told(event, os.path.abspath(str(args[0])))  # noqa: PTH100


def _leave_cut_short(path: str) -> None:
    """Leave what a crash in the midst of a write may leave: some first bytes."""
    mine, _dying[:] = _dying[:], []
    with suppress(OSError), Path(path).open("wb") as file:
        file.write(b"{")
    _dying[:] = mine
