"""The application, the options that commands share, and the way they answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
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

app = typer.Typer(
    cls=Grouped,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _say_version(asked: bool) -> None:
    if asked:
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
    """Take the options that belong to no command."""


out = Screen()
err = Screen(stderr=True)

LedgerOption = Annotated[
    Path | None,
    typer.Option("--ledger", help="Folder of the ledger; else found by looking up."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Data on standard output.")]
PolicyOption = Annotated[
    str,
    typer.Option(
        "--policy",
        help="A policy that ships, or a path to a .toml. Else: config, or default.",
    ),
]
"""Of what begins anew."""

SamePolicyOption = Annotated[
    str,
    typer.Option(
        "--policy",
        help="A policy that ships, or a path to a .toml. Else: config, or as the "
        "newest entry was judged.",
    ),
]
"""Of what is about a revision."""

ConceptsOption = Annotated[
    Path | None,
    typer.Option(
        "--concepts",
        help="A .toml file of concepts. Else: config, or what suits the model.",
    ),
]
JudgeOption = Annotated[
    str,
    typer.Option(
        "--judge",
        help="auto, base, none, or a CLIP folder. Else: config, or the policy's.",
    ),
]
SeeingJudgeOption = Annotated[
    str,
    typer.Option(
        "--judge", help="auto, base, or a CLIP folder. Else: config, or the policy's."
    ),
]
"""Where nothing can be done without a judge."""

DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        help="Where to compute: cpu, cuda, mps. Else: UNLEARNLOG_DEVICE, config, or "
        "cpu.",
    ),
]
DtypeOption = Annotated[
    str,
    typer.Option(
        "--dtype",
        help="Of the UNet: float32, bfloat16, float16. Else: UNLEARNLOG_DTYPE, config, "
        "or float32.",
    ),
]

BaseOption = Annotated[
    Path | None,
    typer.Option(
        "--base",
        help="Where the ledger's base is. Else: UNLEARNLOG_BASE, config, or where it "
        "was.",
    ),
]
MessageOption = Annotated[
    str, typer.Option("-m", "--message", help="Why; kept with the entry.")
]
RefOption = Annotated[
    str, typer.Option("--ref", help="What asks for it: a ticket, a letter.")
]


def start(ledger: Path | None) -> Path:
    """Return the folder where a command begins to look for its ledger."""
    return (ledger or Path()).absolute()


def answer(data: object, otherwise: Callable[[], None]) -> None:
    """Give data as one line of JSON, or let ``otherwise`` speak when there is none.

    An object is written when the command ends: an error that still comes belongs into
    it, so that standard output is one JSON document whatever happens.
    """
    if data is None:
        _show(otherwise)
    elif isinstance(data, dict):
        held.update(data)
    else:
        say(data)


recorded: Final[list[str]] = []
"""What the command has recorded, once all of its work is done."""


@contextmanager
def recording(*, as_json: bool, of: Ledger | None = None) -> Iterator[ProgressBars]:
    """Show how work goes on that ends with a record, and remember what it recorded.

    What is measured is shown where it is refused. Whatever fails after it, the display
    above all, takes nothing back: `say_unshown` says what was recorded.
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
    """Show something; of what is recorded say so where it cannot be shown."""
    try:
        show()
    except UnlearnlogError:
        raise
    except Exception as error:
        if not recorded:
            raise
        say_unshown(error)


def say_unshown(error: Exception) -> None:
    """Warn that what was recorded cannot be shown, and why."""
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
    """Show what was measured before saying that it was refused."""
    from unlearnlog.core.entry import Entry

    try:
        yield
    except Refused as error:
        if isinstance(entry := error.entry, Entry):
            row = {**entry.row(), "created": False} if as_json else None
            answer(row, lambda: _say_refused(entry, of))
        raise


def _say_refused(entry: Entry, of: Ledger | None) -> None:
    from unlearnlog.report.screenful import Screenful

    look_alike = of.world.look_alike if of is not None else lambda _: None
    out.print(Screenful(entry, "", look_alike))


def say_recorded(entry: Entry) -> None:
    """Say that something was recorded that changes no weights, and how to see it."""
    short = entry.id[:12]
    out.print(f"recorded {short}; all of it: unlearnlog show {short}", soft_wrap=True)


def list_facts(rows: Mapping[str, str]) -> None:
    """Show names and values, one pair a row."""
    from unlearnlog.report.entry_tables import fact_table

    out.print(fact_table(rows))
