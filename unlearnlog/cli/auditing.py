"""Commands that ask whether erasures hold in other hands."""

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
    answer,
    app,
    err,
    out,
    start,
)


@app.command()
def audit(
    model: Annotated[
        Path, typer.Argument(help="A fine-tuned folder, its UNet, or a LoRA.")
    ],
    rev: Annotated[
        str, typer.Option("--at", help="The revision that it was made of.")
    ] = "HEAD",
    ema: Annotated[
        bool, typer.Option("--ema", help="Read the averaged copy of its weights.")
    ] = False,
    record: Annotated[
        bool, typer.Option("--record", help="Write the audit into the ledger.")
    ] = False,
    accept_undecided: Annotated[
        bool, typer.Option("--accept-undecided", help="Doubt is no reason to refuse.")
    ] = False,
    policy: PolicyOption = "default",
    judge: Annotated[
        str, typer.Option("--judge", help="auto, base, or a CLIP folder.")
    ] = "",
    concepts: ConceptsOption = None,
    device: DeviceOption = "cpu",
    dtype: DtypeOption = "float32",
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask whether anything came back in a model that was made of this one."""
    from unlearnlog.policy import Policy
    from unlearnlog.report.auditing import audit_tables
    from unlearnlog.report.terminal import Bars
    from unlearnlog.run import audit as story
    from unlearnlog.run.place import place

    at = place(start(ledger), concepts=concepts, device=device, dtype=dtype)
    rules = Policy.load(policy).saying(judge=judge)
    with Bars(err) as bars:
        wish = story.Wish(
            model,
            rules,
            rev,
            ema=ema,
            record=record,
            accept_undecided=accept_undecided,
            watch=bars,
        )
        done = story.audit(at, wish)
    answer(done.row() if as_json else None, lambda: out.print(audit_tables(done)))
    if done.entry is not None and not as_json:
        out.print(f"recorded {done.entry.id[:12]}", highlight=False)
    story.refuse(done)


@app.command()
def rebase(
    onto: Annotated[
        Path, typer.Option("--onto", help="A fine-tuned folder, its UNet, or a LoRA.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="A new folder, for the new ledger.")
    ],
    rev: Annotated[
        str, typer.Option("--at", help="Whose erasures; what it was made of.")
    ] = "HEAD",
    ema: Annotated[
        bool, typer.Option("--ema", help="Read the averaged copy of its weights.")
    ] = False,
    policy: PolicyOption = "default",
    judge: Annotated[
        str, typer.Option("--judge", help="auto, base, atelier, or a CLIP folder.")
    ] = "",
    concepts: ConceptsOption = None,
    device: DeviceOption = "cpu",
    dtype: DtypeOption = "float32",
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase anew on a model that was made of this one, and audit before and after."""
    from unlearnlog.policy import Policy
    from unlearnlog.report.auditing import rebased_tables
    from unlearnlog.report.terminal import Bars
    from unlearnlog.run import rebase as story
    from unlearnlog.run.place import place

    at = place(start(ledger), concepts=concepts, device=device, dtype=dtype)
    rules = Policy.load(policy).saying(judge=judge)
    with Bars(err) as bars:
        done = story.rebase(at, story.Wish(onto, output, rules, rev, ema, bars))
    answer(done.row() if as_json else None, lambda: out.print(rebased_tables(done)))
