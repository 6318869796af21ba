"""Blocks of options: declared once, and put into the signature of each command."""

from __future__ import annotations

import ast
import inspect
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from unlearnlog import cli
from unlearnlog.cli.options import with_blocks

MOST_LINES = 60


@dataclass(frozen=True)
class Size:
    wide: Annotated[int, typer.Option("--wide", min=1, help="Across.")] = 2
    high: Annotated[int, typer.Option("--high", help="Down.")] = 3


def paint(
    name: Annotated[str, typer.Argument()],
    *,
    first: Annotated[bool, typer.Option("--first")] = False,
    size: Size,
    last: Annotated[bool, typer.Option("--last")] = False,
) -> None:
    """Paint something."""
    typer.echo(f"{name} {first} {size} {last}")


@pytest.fixture
def painted():
    app = typer.Typer()
    app.command()(with_blocks(paint))
    return lambda *words: CliRunner().invoke(app, words)


def test_the_fields_of_a_block_take_its_place_in_their_order():
    signature = inspect.signature(with_blocks(paint))

    assert [*signature.parameters] == ["name", "first", "wide", "high", "last"]
    assert signature.parameters["high"].default == 3


def test_a_command_receives_its_block_as_one_value(painted):
    assert painted("cat", "--wide", "7").output == f"cat False {Size(7, 3)} False\n"
    assert painted("cat", "--last").output == f"cat False {Size()} True\n"


def test_an_option_of_a_block_is_checked_as_any_other(painted):
    assert painted("cat", "--wide", "0").exit_code == 2
    assert "Across." in painted("--help").output


def cli_trees():
    for path in sorted(Path(str(cli.__file__)).parent.glob("*.py")):
        yield path.name, ast.parse(path.read_text(encoding="utf-8"))


def declared(tree):
    """Yield the flag and the whole of each declaration of an option."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "typer.Option":
            yield ast.unparse(node)


def test_no_option_is_declared_twice():
    found = Counter(each for _, tree in cli_trees() for each in declared(tree))

    assert [each for each, n in found.items() if n > 1] == []


def test_no_function_of_the_command_line_is_longer_than_a_screen():
    long = [
        (name, node.name)
        for name, tree in cli_trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and (node.end_lineno or 0) - node.lineno >= MOST_LINES
    ]

    assert long == []
