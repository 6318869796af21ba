"""Answers in JSON: a command's data, its error, or both in one object."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

import typer

from unlearnlog.core.visible import json_line

held: Final[dict[str, Any]] = {}
"""The object that is written when the command ends."""


def say(data: object) -> None:
    """Write data as one line of JSON on standard output."""
    typer.echo(json_line(data, encoding=getattr(sys.stdout, "encoding", "") or "utf-8"))


def is_json_wanted(words: Sequence[str]) -> bool:
    """Return whether ``--json`` was typed; a mistake may keep the words unparsed."""
    options = words[: words.index("--")] if "--" in words else words
    return "--json" in options


def say_held() -> None:
    """Write the held answer of a command, if there is one."""
    if held:
        say(held)
        held.clear()


def error_row(kind: str, message: str, *, fix: str, exit_code: int) -> dict[str, Any]:
    """Return an error as ``--json`` shows it.

    Args:
        kind: Its class, one of `unlearnlog.errors`.
        message: What failed.
        fix: What to type next.
        exit_code: The exit code of the command.
    """
    error = {"kind": kind, "message": message, "fix": fix, "exit_code": exit_code}
    return {"error": error}
