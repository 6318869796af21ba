"""The command line: parse, call, render, exit code. Nothing is computed here."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

import typer
from rich.text import Text

from unlearnlog.cli import (
    attacking,
    auditing,
    config,
    erasing,
    exchange,
    history,
    listing,
    looking,
    pictures,
    reporting,
)
from unlearnlog.cli.answers import error_row, held, is_json_wanted, say_held
from unlearnlog.cli.app import app, err
from unlearnlog.errors import Interrupted, UnlearnlogError, UsageError

__all__ = [
    "app",
    "attacking",
    "auditing",
    "config",
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
    words = sys.argv[1:] or ["--help"]
    held.clear()
    try:
        code = app(words, prog_name="unlearnlog", standalone_mode=False)
        # Typer turns Ctrl-C in a command into this code, and returns it.
        if code == Interrupted.exit_code:
            raise KeyboardInterrupt
    except UnlearnlogError as error:
        _fail(error, words)
    except (KeyboardInterrupt, typer.Abort):
        _fail(
            Interrupted("interrupted: nothing was recorded", fix="run it again"), words
        )
    except Exception as error:
        if not hasattr(error, "format_message"):
            if is_json_wanted(words):
                held.update(_fault_row(error))
            say_held()
            raise
        said = error.format_message()
        _fail(UsageError(said, fix=f"{_asked_of(error)} --help"), words)
    say_held()
    sys.exit(code or 0)


def _fault_row(error: Exception) -> dict[str, object]:
    """Return a fault of the program itself, whose traceback is on standard error."""
    fix = "report it, with the traceback: it is a fault of unlearnlog"
    return error_row(type(error).__name__, str(error), fix=fix, exit_code=1)


def _asked_of(error: Exception) -> str:
    """Return the command that a mistake in what was typed belongs to."""
    context = getattr(error, "ctx", None)
    if context is None or context.parent is None:
        known = {command.name for command in app.registered_commands}
        known |= {
            command.callback.__name__
            for command in app.registered_commands
            if command.callback
        }
        first = sys.argv[1] if len(sys.argv) > 1 else ""
        return f"unlearnlog {first}" if first in known else "unlearnlog"
    found: str = context.command_path
    return found


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    """Say a warning in its own words: where in the code it arose helps nobody here."""
    err.print(Text(f"warning: {message}"), highlight=False, soft_wrap=True)


def _fail(error: UnlearnlogError, words: Sequence[str]) -> NoReturn:
    """Say what happened and what to do next, for people and for programs; exit."""
    public = (each.__name__ for each in type(error).__mro__)
    kind = next(name for name in public if not name.startswith("_"))
    code = error.exit_code
    if is_json_wanted(words):
        held.update(error_row(kind, error.message, fix=error.fix, exit_code=code))
    say_held()
    # Not markup: messages quote names that strangers chose, and shapes such as [r, 3].
    err.print(Text(error.message, style="red"), highlight=False, soft_wrap=True)
    err.print(Text(f"  fix: {error.fix}"), highlight=False, soft_wrap=True)
    sys.exit(code)
