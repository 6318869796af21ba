"""The command that attacks an erasure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearnlog.cli.app import (
    ConceptsOption,
    DeviceOption,
    DtypeOption,
    JsonOption,
    LedgerOption,
    PolicyOption,
    SeeingJudgeOption,
    answer,
    app,
    err,
    out,
    start,
)
from unlearnlog.cli.forecasting import DryRunOption, say_first, tell


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
    policy: PolicyOption = "default",
    judge: SeeingJudgeOption = "",
    concepts: ConceptsOption = None,
    device: DeviceOption = "cpu",
    dtype: DtypeOption = "float32",
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look for words that bring an erased concept back, beside null controls."""
    from unlearnlog.policy import Policy
    from unlearnlog.report.attacking import attack_table
    from unlearnlog.report.terminal import Bars
    from unlearnlog.run import attack as story
    from unlearnlog.run.estimate import of_attack
    from unlearnlog.run.place import place

    if dry_run:
        say_first()
    at = place(start(ledger), concepts=concepts, device=device, dtype=dtype)
    rules = Policy.load(policy).saying(judge=judge)
    with Bars(err) as bars:
        wish = story.Wish(
            rules,
            rev,
            tuple(concept or ()),
            tuple(attack or ()),
            budget=budget,
            twin=twin,
            record=record,
            watch=bars,
        )
        found = of_attack(at, wish) if dry_run else None
        done = None if dry_run else story.attacked(at, wish)
    if found is not None:
        tell(found, would=f"attack what is erased at {rev}", as_json=as_json)
    if done is None:
        return
    answer(done.row() if as_json else None, lambda: out.print(attack_table(done)))
    if done.recorded is not None and not as_json:
        out.print(f"recorded {done.recorded.id[:12]}", highlight=False)
    story.refuse(done)
