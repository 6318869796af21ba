"""The help of every command, under its heading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from typer.main import get_command
from typer.testing import CliRunner

from unlearnlog.cli import app
from unlearnlog.cli.command_groups import HEADINGS

_WIDTH: Final = "88"
"""Columns of a help text."""


def commands_text() -> str:
    """Return every command with its help, as sections of a page."""
    parts, commands = [], get_command(app).commands  # type: ignore[attr-defined]
    for heading, names in HEADINGS.items():
        parts.append(f"## {heading}")
        for name in names:
            parts.append(f"### {name}")
            below = getattr(commands[name], "commands", ())
            spelt = [(name,), *((name, each) for each in below)]
            parts += [_fenced(words) for words in spelt]
    return "\n\n".join(parts)


def _fenced(words: Sequence[str]) -> str:
    runner = CliRunner(env={"COLUMNS": _WIDTH, "NO_COLOR": "1"})
    said = runner.invoke(
        app,
        [*words, "--help"],
        prog_name="unlearnlog",
        catch_exceptions=False,
    )
    lines = [line.rstrip() for line in said.output.strip().splitlines()]
    return "```text\n" + "\n".join(lines) + "\n```"
