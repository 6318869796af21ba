"""Commands about a ledger's own configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearnlog.cli.app import (
    answer,
    app,
    list_facts,
)
from unlearnlog.cli.options import (
    JsonOption,
    LedgerOption,
    opened,
)
from unlearnlog.core.visible import visible
from unlearnlog.errors import UsageError

if TYPE_CHECKING:
    from unlearnlog.commands.configuration import Config

config = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    help="Say what every command of a ledger uses, and choose it.",
)
app.add_typer(config, name="config")

KeyArgument = Annotated[
    str, typer.Argument(help="policy, device, dtype, judge, concepts, base, author...")
]


def _of(context: typer.Context, folder: Path | None) -> Config:
    """Return the configuration, wherever in the line ``--ledger`` was typed."""
    return opened(folder or context.obj).config


@config.callback()
def listed(
    context: typer.Context, folder: LedgerOption = None, as_json: JsonOption = False
) -> None:
    """List what is chosen.

    The file is config in the ledger's folder, in TOML, and may be written by hand. What
    is said on the command line counts more, and so does the environment.
    """
    context.obj = folder
    if context.invoked_subcommand is not None:
        return
    chosen = _of(context, folder)
    there_are = chosen.keys_there_are.items()
    rows = {key: chosen.get(key, f"not set: {what}") for key, what in there_are}
    answer({"config": dict(chosen)} if as_json else None, lambda: list_facts(rows))


@config.command("get")
def get(
    context: typer.Context,
    key: KeyArgument,
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one value, by itself."""
    value = _of(context, folder).get(key)
    if value is None:
        raise UsageError(
            f"{key} is not set in this ledger",
            fix=f"unlearnlog config set {key} VALUE",
        )
    answer({key: value} if as_json else None, lambda: typer.echo(visible(value)))


@config.command("set")
def choose(
    context: typer.Context,
    key: KeyArgument,
    value: Annotated[str, typer.Argument(help="A relative path begins here.")],
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Choose a value for every later command of this ledger."""
    chosen = _of(context, folder)
    chosen[key] = value
    facts = {key: chosen[key]}
    answer(facts if as_json else None, lambda: list_facts(facts))


@config.command("unset")
def drop(
    context: typer.Context,
    key: KeyArgument,
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Choose nothing again."""
    chosen = _of(context, folder)
    was = chosen.pop(key, None)
    if was is None:
        raise UsageError(
            f"{key} is not set in this ledger", fix="see what is: unlearnlog config"
        )
    answer({key: None} if as_json else None, lambda: list_facts({key: "not set"}))
