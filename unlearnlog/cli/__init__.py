"""The command line: parse, call, render, exit code. Nothing is computed here."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NoReturn

import typer
from rich.text import Text

from unlearnlog.cli import (
    attack_command,
    audit_commands,
    change_commands,
    config_commands,
    exchange_commands,
    history_commands,
    inspect_commands,
    list_commands,
    measure_commands,
    paint_commands,
    push_command,
    remote_commands,
    report_command,
    serve_command,
    trust_commands,
)
from unlearnlog.cli.app import app, err, recorded, say_unshown
from unlearnlog.cli.json_answers import error_row, held, is_json_wanted, say_held
from unlearnlog.cli.streams import finish, prepare
from unlearnlog.core.launch import n_launched
from unlearnlog.core.memory import is_out_of_memory, out_of_memory
from unlearnlog.core.visible import visible
from unlearnlog.errors import Interrupted, UnlearnlogError, UsageError

__all__ = [
    "app",
    "attack_command",
    "audit_commands",
    "change_commands",
    "config_commands",
    "exchange_commands",
    "history_commands",
    "inspect_commands",
    "list_commands",
    "main",
    "measure_commands",
    "paint_commands",
    "push_command",
    "remote_commands",
    "report_command",
    "serve_command",
    "trust_commands",
]


def main() -> None:
    """Run the command line; exit with the code of the command or of its error."""
    prepare()
    warnings.showwarning = _warn
    words = sys.argv[1:] or ["--help"]
    held.clear()
    recorded.clear()
    try:
        with _processes():
            code = _run(words)
    except UnlearnlogError as error:
        _fail(error, words)
    except (KeyboardInterrupt, typer.Abort):
        _fail(_interrupted(), words)
    except Exception as error:
        if hasattr(error, "format_message"):
            message = error.format_message()
            _fail(UsageError(message, fix=f"{_command_of(error)} --help"), words)
        if is_out_of_memory(error) and not recorded:
            _fail(out_of_memory(), words)
        if not recorded:
            _say_fault(error, words)
            raise
        say_unshown(error)
        code = 0
    sys.exit(code)


def _run(words: Sequence[str]) -> int:
    """Run a command, write its answer, and return its exit code.

    Raises:
        OSError: The answer cannot be written.
    """
    try:
        code = app(words, prog_name="unlearnlog", standalone_mode=False)
    except SystemExit as end:  # click's end where standard output is closed
        if not recorded:
            raise
        message = "the reader of standard output is gone"
        raise BrokenPipeError(message) from end
    # Typer turns Ctrl-C in a command into this code, and returns it.
    if code == Interrupted.exit_code:
        raise KeyboardInterrupt
    say_held()
    finish()
    return code or 0


def _processes() -> AbstractContextManager[None]:
    """Return the context in which a launcher's other processes help with a command."""
    if n_launched() == 1:
        return nullcontext()
    from unlearnlog.api.processes import shared

    return shared()


def _interrupted() -> Interrupted:
    """Return the error of an interruption, with what had been recorded by then."""
    if not recorded:
        return Interrupted("interrupted: nothing was recorded", fix="run it again")
    entries = ", ".join(entry[:12] for entry in recorded)
    return Interrupted(
        f"interrupted after {entries} was recorded",
        fix=f"see it: unlearnlog show {recorded[-1][:12]}",
    )


def _say_fault(error: Exception, words: Sequence[str]) -> None:
    """Write the error object of a fault, under ``--json``, and the answer so far."""
    if is_json_wanted(words):
        held.update(_fault_row(error))
    say_held()


def _fault_row(error: Exception) -> dict[str, object]:
    """Return a fault of the program as data; its traceback is on standard error."""
    fix = "report it, with the traceback: it is a fault of unlearnlog"
    return error_row(type(error).__name__, str(error), fix=fix, exit_code=1)


def _command_of(error: Exception) -> str:
    """Return the command, as typed, that a mistake on the command line is in."""
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
    """Write a warning without its place in the code, which is no help to a user."""
    err.print(Text(visible(f"warning: {message}", lines=True)), soft_wrap=True)


def _fail(error: UnlearnlogError, words: Sequence[str]) -> NoReturn:
    """Write an error and its fix, as text and under ``--json`` as data; exit."""
    public = (each.__name__ for each in type(error).__mro__)
    kind = next(name for name in public if not name.startswith("_"))
    code = error.exit_code
    if is_json_wanted(words):
        held.update(error_row(kind, error.message, fix=error.fix, exit_code=code))
    say_held()
    # One line each: a line break in a name would begin a line of its own.
    err.print(Text(visible(error.message), style="red"), soft_wrap=True)
    err.print(Text(f"  fix: {visible(error.fix)}"), soft_wrap=True)
    sys.exit(code)
