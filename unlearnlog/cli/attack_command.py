"""The command that attacks an erasure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from unlearnlog.cli.app import answer, app, out, recording, say_recorded
from unlearnlog.cli.dry_run_option import DryRunOptions, show_cost
from unlearnlog.cli.options import (
    ConceptsOption,
    JsonOption,
    MessageOption,
    OpeningOptions,
    RefOption,
    RevArgument,
    SamePolicyOption,
    SeeingJudgeOption,
    with_blocks,
)

if TYPE_CHECKING:
    from unlearnlog.commands.attack import Attacked


class SearchArguments(TypedDict):
    """Arguments of `Ledger.attack` that its dry run takes too."""

    concepts: list[str]
    attacks: list[str]
    budget: str
    twin: Path | None


@dataclass(frozen=True)
class SearchOptions:
    """The block of options that say what is searched for, and how long."""

    concept: Annotated[
        list[str] | None,
        typer.Option("--concept", help="Only this erased one; may be repeated."),
    ] = None
    attack: Annotated[
        list[str] | None,
        typer.Option("--attack", help="inversion, prefix, recovery; may be repeated."),
    ] = None
    budget: Annotated[str, typer.Option("--budget", help="small or standard.")] = (
        "small"
    )
    twin: Annotated[
        Path | None,
        typer.Option("--twin", help="A model that never learned the concept."),
    ] = None

    @property
    def arguments(self) -> SearchArguments:
        """The options as arguments of the API."""
        return {
            "concepts": self.concept or [],
            "attacks": self.attack or [],
            "budget": self.budget,
            "twin": self.twin,
        }


@app.command()
@with_blocks
def attack(
    rev: RevArgument = "HEAD",
    *,
    search: SearchOptions,
    record: Annotated[
        bool, typer.Option("--record", help="Keep what is found; later steps retry it.")
    ] = False,
    forecast: DryRunOptions,
    policy: SamePolicyOption = "",
    judge: SeeingJudgeOption = "",
    concepts: ConceptsOption = None,
    message: MessageOption = "",
    ref: RefOption = "",
    opening: OpeningOptions,
    as_json: JsonOption = False,
) -> None:
    """Look for words that bring an erased concept back, beside null controls."""
    from unlearnlog.api import raise_if_failed

    ledger = opening.open(concepts, forecast=forecast)
    rules = ledger.rules(policy, judge=judge, about=rev)
    if forecast.dry_run:
        show_cost(
            ledger,
            lambda runs: runs.attack(rev, policy=rules, **search.arguments),
            would=f"attack what is erased at {rev}",
            price=forecast.price_for(ledger),
            as_json=as_json,
        )
        return
    with recording(as_json=as_json) as bars:
        done = ledger.attack(
            rev,
            record=record,
            policy=rules,
            message=message,
            ref=ref,
            watch=bars,
            **search.arguments,
        )
    answer(done.row() if as_json else None, lambda: _say_attacked(done))
    raise_if_failed(done)


def _say_attacked(done: Attacked) -> None:
    """Print the table of the attacks, and where they were recorded."""
    from unlearnlog.report.attack_tables import attack_table

    out.print(attack_table(done))
    if done.recorded is not None:
        say_recorded(done.recorded)
