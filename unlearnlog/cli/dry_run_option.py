"""``--dry-run``: the cost of a command, shown as it is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from unlearnlog.cli.app import answer, err, list_facts

if TYPE_CHECKING:
    from unlearnlog.api import DryRuns, Ledger
    from unlearnlog.commands.dry_run import CostForecast

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what it would cost; do nothing.")
]


def say_first() -> None:
    """Announce a dry run, before a model is loaded for it."""
    err.print(
        "dry run: what there is to do is counted, then a few of each kind are timed; "
        "nothing is written",
        soft_wrap=True,
    )


def show_cost(
    ledger: Ledger,
    of: Callable[[DryRuns], CostForecast],
    *,
    would: str,
    as_json: bool,
) -> None:
    """Forecast a command and show its cost, a row for each kind of work.

    Args:
        ledger: The ledger that the command would work on.
        of: Calls the forecast with the command's arguments.
        would: The command's work, after "would".
        as_json: Whether to write the forecast as JSON.
    """
    from unlearnlog.api import DryRuns
    from unlearnlog.report.entry_tables import ProgressBars

    with ProgressBars(err) as bars:
        cost = of(DryRuns(ledger, bars))
    rows = {"would": would}
    for part in cost.parts:
        most = "" if part.unit == "pictures" else "at most "
        rows[part.what] = f"{most}{part.count} {part.unit}, about {part.seconds:.0f} s"
    rows["time"] = (
        f"about {cost.seconds:.0f} s in all; where too few pictures decide a limit, "
        "more are looked at"
    )
    rows["peak memory"] = f"about {cost.peak_bytes / 2**20:.0f} MiB"
    answer(cost.row() if as_json else None, lambda: list_facts(rows))
