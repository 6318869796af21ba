"""Commands as documents show them, taken out of the text and read as a shell would."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from typer._click.exceptions import BadOptionUsage, ClickException, MissingParameter
from typer.core import TyperGroup
from typer.main import get_command

from unlearnlog.cli import app

COMMANDS: Final = get_command(app)

GENERATED: Final = re.compile(r"<!-- begin .+? -->\n.*?<!-- end -->", re.DOTALL)
"""What a program wrote: a table of mistakes, a transcript, a help text."""

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INDENTED: Final = re.compile(r"^    (?=unlearnlog )", re.MULTILINE)
_INLINE: Final = re.compile(r"`(unlearnlog [a-z-][^`]*)`")
_BESIDE: Final = re.compile(r" {2,}(?=[a-z0-9])")
"""What stands between a command and what is said of it in the same line."""

_ENDS: Final = re.compile(r"# ends with (\d+)$")


def blocks(path: Path, language: str) -> list[str]:
    """Return the blocks of code in a document that are of one language."""
    found = _FENCE.findall(_by_hand(path))
    return [text for kind, text in found if kind == language]


def ends_with(line: str) -> int:
    """Return the exit code that a line says it has; 0 where it says nothing."""
    said = _ENDS.search(line)
    return int(said[1]) if said else 0


def commands_in(path: Path) -> Iterator[list[str]]:
    """Yield the words of each command of the tool that a document shows in a block."""
    text = _by_hand(path).replace("\\\n", " ")
    in_blocks = "\n".join(text for _, text in _FENCE.findall(text))
    indented = (text[found.end() :] for found in _INDENTED.finditer(text))
    for line in (*in_blocks.splitlines(), *(each.split("\n")[0] for each in indented)):
        if line.startswith("unlearnlog "):
            yield from _commands_of(line)


def mentions_in(path: Path) -> Iterator[list[str]]:
    """Yield the words of each command that a sentence of a document mentions."""
    for line in _INLINE.findall(_by_hand(path)):
        yield from _commands_of(" ".join(line.split()))


def fault(words: list[str], *, in_full: bool) -> str:
    """Return what the command line has against a command; nothing where it takes it.

    Args:
        words: What is typed behind the tool's name.
        in_full: Whether what is missing is a fault, as it is not in a sentence.
    """
    command, args = COMMANDS, list(words)
    try:
        while isinstance(command, TyperGroup) and args and args[0][0] != "-":
            context = command.make_context(None, list(args))
            _, below, args = command.resolve_command(context, args)
            command = below or command
        if isinstance(command, TyperGroup):
            known = {"--help", *(o for each in command.params for o in each.opts)}
            return "" if {*args} <= known else f"{words}: no such option"
        command.make_context(None, args)
    except (BadOptionUsage, MissingParameter) as error:
        return f"{words}: {error.format_message()}" if in_full else ""
    except ClickException as error:
        return f"{words}: {error.format_message()}"
    return ""


def _by_hand(path: Path) -> str:
    """Return a document without what a program wrote into it."""
    return GENERATED.sub("", path.read_text(encoding="utf-8"))


def _commands_of(line: str) -> Iterator[list[str]]:
    for part in _BESIDE.split(line)[0].split("; "):
        words = shlex.split(part, comments=True)
        if words and words[0] == "unlearnlog":
            yield words[1:]
