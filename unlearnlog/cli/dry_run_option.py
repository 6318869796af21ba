"""``--dry-run``: the cost of a command, shown as it is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from unlearnlog.cli.app import answer, err, list_facts
from unlearnlog.core.price import check_price
from unlearnlog.errors import UsageError

if TYPE_CHECKING:
    from unlearnlog.api import DryRuns, Ledger
    from unlearnlog.commands.forecast import CostForecast


@dataclass(frozen=True)
class DryRunOptions:
    """The block of options that ask for a forecast instead of the work."""

    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would cost; do nothing.")
    ] = False
    price: Annotated[
        float | None,
        typer.Option("--price", help="Of one worker an hour, for --dry-run."),
    ] = None

    def check(self) -> None:
        """Refuse a price that is none, or that nothing is computed with.

        Raises:
            UsageError: It is negative or not finite, or there is no ``--dry-run``.
        """
        if self.price is None:
            return
        check_price(str(self.price), "--price")
        if not self.dry_run:
            raise UsageError(
                f"--price {self.price:g} would do nothing: nothing is forecast",
                fix="add --dry-run",
            )

    def price_for(self, ledger: Ledger) -> float | None:
        """Return the price of one worker an hour: typed, or of the configuration.

        Raises:
            UsageError: The configuration's is no price.
        """
        if self.price is not None or not ledger.exists:
            return self.price
        told = ledger.config.get("price")
        return None if told is None else check_price(told, "price")


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
    price: float | None,
    as_json: bool,
) -> None:
    """Forecast a command and show its cost, a row for each kind of work.

    Args:
        ledger: The ledger that the command would work on.
        of: Calls the forecast with the command's arguments.
        would: The command's work, after "would".
        price: Price of one worker an hour; None for no money.
        as_json: Whether to write the forecast as JSON.
    """
    from unlearnlog.api import DryRuns
    from unlearnlog.report.cost_rows import cost_rows
    from unlearnlog.report.entry_tables import ProgressBars

    with ProgressBars(err) as bars:
        cost = of(DryRuns(ledger, bars))
    rows = {"would": would, **cost_rows(cost, price)}
    answer(cost.row(price) if as_json else None, lambda: list_facts(rows))
