"""The help of every command, under its heading."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from typer.main import get_command
from typer.testing import CliRunner

from unlearnlog.cli import app
from unlearnlog.cli.command_groups import HEADINGS

_WIDTH: Final = "88"
"""Columns of a help text."""


def commands_text() -> str:
    """Return every command with its help, as sections of a page."""
    parts = []
    for heading, names in HEADINGS.items():
        parts.append(f"## {heading}")
        for name in names:
            parts.append(f"### {name}")
            parts += [_fenced(words) for words in _spelt(name)]
    return "\n\n".join(parts)


def _spelt(name: str) -> Iterator[tuple[str, ...]]:
    """Yield a command as it is typed, then each of its own commands."""
    yield (name,)
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    for below in getattr(command, "commands", {}):
        yield name, below


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
