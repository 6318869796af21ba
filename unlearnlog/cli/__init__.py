"""The command line: parse, call, render, exit code. Nothing is computed here."""

from __future__ import annotations

import sys
import warnings
from typing import NoReturn

import typer
from rich.text import Text

from unlearnlog.cli import (
    attacking,
    auditing,
    erasing,
    exchange,
    history,
    listing,
    looking,
    pictures,
    reporting,
)
from unlearnlog.cli.app import app, err
from unlearnlog.errors import Interrupted, UnlearnlogError

__all__ = [
    "app",
    "attacking",
    "auditing",
    "erasing",
    "exchange",
    "history",
    "listing",
    "looking",
    "main",
    "pictures",
    "reporting",
]


def main() -> None:
    """Run the command line; every error of ours ends here, with its exit code."""
    warnings.showwarning = _warn
    try:
        words = sys.argv[1:] or ["--help"]
        code = app(words, prog_name="unlearnlog", standalone_mode=False)
    except UnlearnlogError as error:
        _fail(error)
    except (KeyboardInterrupt, typer.Abort):
        code = Interrupted.exit_code
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        err.print(error.format_message(), style="red", highlight=False)
        err.print(f"  fix: {_asked_of(error)} --help", highlight=False)
        sys.exit(2)
    # Typer turns Ctrl-C in a command into this code, and returns it.
    if code == Interrupted.exit_code:
        _fail(Interrupted("interrupted: nothing was recorded", fix="run it again"))
    sys.exit(code or 0)


def _asked_of(error: Exception) -> str:
    """Return the command that a mistake in what was typed belongs to."""
    context = getattr(error, "ctx", None)
    if context is None or context.parent is None:
        return "unlearnlog"
    return f"unlearnlog {context.info_name}"


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    """Say a warning in its own words: where in the code it arose helps nobody here."""
    err.print(Text(f"warning: {message}"), highlight=False, soft_wrap=True)


def _fail(error: UnlearnlogError) -> NoReturn:
    # Not markup: messages quote names that strangers chose, and shapes such as [r, 3].
    err.print(Text(error.message, style="red"), highlight=False, soft_wrap=True)
    err.print(Text(f"  fix: {error.fix}"), highlight=False, soft_wrap=True)
    sys.exit(error.exit_code)
