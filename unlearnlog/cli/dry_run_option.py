"""``--dry-run``: what a command would cost, told while it is found out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from unlearnlog.cli.app import answer, err, list_facts

if TYPE_CHECKING:
    from unlearnlog.commands.dry_run import CostForecast

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what it would cost; do nothing.")
]


def say_first() -> None:
    """Say what a dry run does, before a model is loaded for it."""
    err.print(
        "dry run: what there is to do is counted, then a few of each kind are timed; "
        "nothing is written",
        soft_wrap=True,
    )


def tell(found: CostForecast, *, would: str, as_json: bool) -> None:
    """Show a forecast, each kind of work in a row of its own.

    Args:
        found: The forecast.
        would: What the command would do.
        as_json: Whether to write it as JSON.
    """
    rows = {"would": would}
    for part in found.parts:
        most = "" if part.unit == "pictures" else "at most "
        rows[part.what] = f"{most}{part.count} {part.unit}, about {part.seconds:.0f} s"
    rows["time"] = (
        f"about {found.seconds:.0f} s in all; where too few pictures decide a limit, "
        "more are looked at"
    )
    rows["peak memory"] = f"about {found.peak_bytes / 2**20:.0f} MiB"
    answer(found.row() if as_json else None, lambda: list_facts(rows))
