"""The application, its consoles, and the answers of its commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Final

import typer

from unlearnlog import __version__
from unlearnlog.cli.command_groups import Grouped
from unlearnlog.cli.json_answers import held, say
from unlearnlog.cli.screen import Screen
from unlearnlog.cli.streams import give_up
from unlearnlog.core.visible import visible
from unlearnlog.errors import Refused, UnlearnlogError

if TYPE_CHECKING:
    from unlearnlog.api import Ledger
    from unlearnlog.core.entry import Entry
    from unlearnlog.report.entry_tables import ProgressBars

IS_SEALED: Final = "yes; to compute with it: unlearnlog unseal -i IDENTITY"

app = typer.Typer(
    cls=Grouped,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _say_version(wanted: bool) -> None:
    """Print the version and exit."""
    if wanted:
        typer.echo(f"unlearnlog {__version__}")
        raise typer.Exit


@app.callback(
    help="Git for forgetting: erase concepts from a text-to-image model, and prove it."
)
def _whole(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Say which it is."
        ),
    ] = False,
) -> None:
    """Accept the options that belong to no command."""


out = Screen()
err = Screen(stderr=True)


def answer(data: object, otherwise: Callable[[], None]) -> None:
    """Write data as one line of JSON, or call ``otherwise`` where data is None.

    An object is held until the command ends: a later error is added to it, so that
    standard output is always one JSON document.
    """
    if data is None:
        _show(otherwise)
    elif isinstance(data, dict):
        held.update(data)
    else:
        say(data)


recorded: Final[list[str]] = []
"""Ids of the entries that the command recorded, once its work is done."""


@contextmanager
def recording(*, as_json: bool, of: Ledger | None = None) -> Iterator[ProgressBars]:
    """Show the progress of work that ends in an entry, and keep the entry's id.

    The readings of a refused entry are shown. A failure after the work, such as one of
    the display, takes nothing back: `say_unshown` names what was recorded.
    """
    from unlearnlog.core.recorded import noted
    from unlearnlog.report.entry_tables import ProgressBars

    with (
        shown_if_refused(as_json=as_json, of=of),
        ProgressBars(err) as bars,
        noted() as ids,
    ):
        yield bars
    recorded.extend(ids)


def _show(show: Callable[[], None]) -> None:
    """Show an answer; where that fails after a record, warn and go on."""
    try:
        show()
    except UnlearnlogError:
        raise
    except Exception as error:
        if not recorded:
            raise
        say_unshown(error)


def say_unshown(error: Exception) -> None:
    """Warn that a recorded entry cannot be shown, and why."""
    if isinstance(error, OSError):
        give_up()
    entries = ", ".join(entry[:12] for entry in recorded)
    why = visible(f"{type(error).__name__}: {error}")
    with suppress(OSError):
        err.print(
            f"warning: recorded {entries}; it could not be shown: {why}; see it: "
            f"unlearnlog show {recorded[-1][:12]}",
            style="yellow",
            soft_wrap=True,
        )


@contextmanager
def shown_if_refused(*, as_json: bool, of: Ledger | None) -> Iterator[None]:
    """Show the readings of a refused entry, before its error is written."""
    from unlearnlog.core.entry import Entry

    try:
        yield
    except Refused as error:
        if isinstance(entry := error.entry, Entry):
            row = {**entry.row(), "created": False} if as_json else None
            answer(row, lambda: _say_refused(entry, of))
        raise


def _say_refused(entry: Entry, of: Ledger | None) -> None:
    """Print the screen of an entry that was not recorded."""
    from unlearnlog.report.screenful import Screenful

    look_alike = of.world.look_alike if of is not None else lambda _: None
    out.print(Screenful(entry, "", look_alike))


def say_recorded(entry: Entry) -> None:
    """Name a recorded entry that changes no weights, and the command that shows it."""
    short = entry.id[:12]
    out.print(f"recorded {short}; all of it: unlearnlog show {short}", soft_wrap=True)


def list_facts(rows: Mapping[str, str]) -> None:
    """Print names and values, one pair a row."""
    from unlearnlog.report.entry_tables import fact_table

    out.print(fact_table(rows))
