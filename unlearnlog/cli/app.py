"""What every command shares: the application, its options, how answers are given."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from unlearnlog import __version__

if TYPE_CHECKING:
    from unlearnlog.entry import Entry

app = typer.Typer(
    add_completion=False,
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


out = Console()
err = Console(stderr=True)

LedgerOption = Annotated[
    Path | None,
    typer.Option("--ledger", help="Folder of the ledger; else found by looking up."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Data on standard output.")]
PolicyOption = Annotated[
    str, typer.Option("--policy", help="A policy that ships, or a path to a .toml.")
]
ConceptsOption = Annotated[
    Path | None, typer.Option("--concepts", help="A .toml file of concepts.")
]
JudgeOption = Annotated[
    str, typer.Option("--judge", help="auto, base, none, or a CLIP folder.")
]
SeeingJudgeOption = Annotated[
    str, typer.Option("--judge", help="auto, base, or a CLIP folder.")
]
"""Where nothing can be done without a judge."""

DeviceOption = Annotated[
    str, typer.Option("--device", help="Where to compute: cpu, cuda, mps.")
]
DtypeOption = Annotated[
    str, typer.Option("--dtype", help="Of the UNet: float32, bfloat16, float16.")
]


def start(ledger: Path | None) -> Path:
    """Return the folder where a command begins to look for its ledger."""
    return (ledger or Path()).absolute()


def answer(data: object, otherwise: Callable[[], None]) -> None:
    """Write data as one line of JSON, or let ``otherwise`` speak when there is none."""
    if data is None:
        otherwise()
    else:
        typer.echo(json.dumps(data, ensure_ascii=False))


def in_doubt(entry: Entry) -> str:
    """Return what is to be said beside an erasure that was accepted in doubt."""
    if entry.verdict.holds:
        return ""
    return (
        f" IN DOUBT ({'; '.join((*entry.verdict.failures, *entry.verdict.undecided))})"
    )


def list_facts(rows: Mapping[str, str]) -> None:
    """Show names and values, one pair a row."""
    from unlearnlog.report.terminal import fact_table

    out.print(fact_table(rows))
