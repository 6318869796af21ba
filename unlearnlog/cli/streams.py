"""Standard output and standard error that accept any text."""

from __future__ import annotations

import io
import logging
import os
import sys
import traceback
from contextlib import suppress
from types import TracebackType

from unlearnlog.core.visible import visible


class _Record(logging.LogRecord):
    """A line of a library's log, without invisible characters."""

    def getMessage(self) -> str:  # noqa: N802 - named by the standard library
        """Return the message, with control characters spelt out."""
        return visible(super().getMessage(), lines=True)


def prepare() -> None:
    """Prepare the streams for any text and any encoding.

    A letter that the encoding lacks is spelt out, and so are control characters in log
    lines of libraries and in tracebacks.
    """
    sys.excepthook = _say_fault
    logging.setLogRecordFactory(_Record)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _say_fault(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Write the traceback of a fault, with control characters spelt out."""
    lines = traceback.format_exception(kind, error, trace)
    sys.stderr.write(visible("".join(lines), lines=True))


def finish() -> None:
    """Flush standard output, so that its errors are raised before the exit.

    Raises:
        OSError: The stream is closed, or its device is full.
    """
    sys.stdout.flush()


def give_up() -> None:
    """Discard all further output: standard output is closed, or its device is full."""
    with suppress(OSError, ValueError, AttributeError):
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, sys.stdout.fileno())
        os.close(sink)
