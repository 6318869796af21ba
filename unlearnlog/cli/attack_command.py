"""The command that attacks an erasure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearnlog.cli.app import (
    BaseOption,
    ConceptsOption,
    DeviceOption,
    DtypeOption,
    JsonOption,
    LedgerOption,
    MessageOption,
    RefOption,
    SamePolicyOption,
    SeeingJudgeOption,
    answer,
    app,
    err,
    out,
    recording,
    say_recorded,
    start,
)
from unlearnlog.cli.dry_run_option import DryRunOption, say_first, tell

if TYPE_CHECKING:
    from unlearnlog.commands.attack import Attacked


@app.command()
def attack(
    rev: Annotated[
        str, typer.Argument(help="An id's beginning, HEAD, HEAD~2.")
    ] = "HEAD",
    concept: Annotated[
        list[str] | None,
        typer.Option("--concept", help="Only this erased one; may be repeated."),
    ] = None,
    attack: Annotated[
        list[str] | None,
        typer.Option("--attack", help="inversion, prefix, recovery; may be repeated."),
    ] = None,
    budget: Annotated[
        str, typer.Option("--budget", help="small or standard.")
    ] = "small",
    twin: Annotated[
        Path | None,
        typer.Option("--twin", help="A model that never learned the concept."),
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Keep what is found; later steps retry it.")
    ] = False,
    dry_run: DryRunOption = False,
    policy: SamePolicyOption = "",
    judge: SeeingJudgeOption = "",
    concepts: ConceptsOption = None,
    message: MessageOption = "",
    ref: RefOption = "",
    device: DeviceOption = "",
    dtype: DtypeOption = "",
    base: BaseOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look for words that bring an erased concept back, beside null controls."""
    from unlearnlog.api import DryRuns, Ledger, raise_if_failed
    from unlearnlog.report.entry_tables import ProgressBars

    if dry_run:
        say_first()
    where = Ledger.open(
        start(ledger), concepts=concepts, device=device, dtype=dtype, base=base
    )
    rules = where.rules(policy, judge=judge, about=rev)
    if dry_run:
        with ProgressBars(err) as bars:
            cost = DryRuns(where, bars).attack(
                rev,
                concepts=concept or (),
                attacks=attack or (),
                budget=budget,
                twin=twin,
                policy=rules,
            )
        tell(cost, would=f"attack what is erased at {rev}", as_json=as_json)
        return
    with recording(as_json=as_json) as bars:
        done = where.attack(
            rev,
            concepts=concept or (),
            attacks=attack or (),
            budget=budget,
            twin=twin,
            record=record,
            policy=rules,
            message=message,
            ref=ref,
            watch=bars,
        )
    answer(done.row() if as_json else None, lambda: _say_attacked(done))
    raise_if_failed(done)


def _say_attacked(done: Attacked) -> None:
    from unlearnlog.report.attack_tables import attack_table

    out.print(attack_table(done))
    if done.recorded is not None:
        say_recorded(done.recorded)
