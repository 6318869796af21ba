"""Standard output and standard error as they may be written to, whatever is said."""

from __future__ import annotations

import io
import logging
import os
import sys
import traceback
from contextlib import suppress
from types import TracebackType
from typing import Final

from unlearnlog.core.visible import visible

_NOBODY: Final = os.devnull


class _Record(logging.LogRecord):
    """A line of a library's log, in which everything can be seen."""

    def getMessage(self) -> str:  # noqa: N802 - named by the standard library
        """Return what a library says, often in a stranger's words."""
        return visible(super().getMessage(), lines=True)


def prepare() -> None:
    """Let neither text of a stranger nor a narrow encoding break what is written.

    A letter that an encoding does not have is spelt, and so is what cannot be seen in
    the log lines of libraries and in the traceback of a fault.
    """
    sys.excepthook = _say_fault
    logging.setLogRecordFactory(_Record)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _say_fault(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Write where a fault arose; its message may hold a stranger's words."""
    lines = traceback.format_exception(kind, error, trace)
    sys.stderr.write(visible("".join(lines), lines=True))


def finish() -> None:
    """Write what is left; an error of the stream is raised here and not at the end.

    Raises:
        OSError: It cannot be written.
    """
    sys.stdout.flush()


def give_up() -> None:
    """Write nothing more to standard output: nobody reads it, or it has no room."""
    with suppress(OSError, ValueError, AttributeError):
        nobody = os.open(_NOBODY, os.O_WRONLY)
        os.dup2(nobody, sys.stdout.fileno())
        os.close(nobody)
