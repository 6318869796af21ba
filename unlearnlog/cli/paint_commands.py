"""Commands that show what a revision paints, or give it away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearnlog.cli.app import (
    BaseOption,
    DeviceOption,
    DtypeOption,
    JsonOption,
    LedgerOption,
    SamePolicyOption,
    answer,
    app,
    err,
    list_facts,
    start,
)


@app.command()
def checkout(
    rev: Annotated[str, typer.Argument(help="Which revision: HEAD, base, an id.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="A new folder.")],
    base: BaseOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the model of a revision as a plain diffusers folder."""
    from unlearnlog.api import Ledger

    Ledger.open(start(ledger), base=base).checkout(rev, output)
    facts = {"revision": rev, "folder": str(output)}
    answer(facts if as_json else None, lambda: list_facts(facts))


@app.command()
def paint(
    prompt: Annotated[str, typer.Argument(help='Such as "a painting by Picasso".')],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="A PNG; replaced if there.")
    ],
    at: Annotated[
        list[str] | None, typer.Option("--at", help="A revision; may be repeated.")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, max=64, help="Pictures a row.")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first one.")] = 0,
    policy: SamePolicyOption = "",
    device: DeviceOption = "",
    dtype: DtypeOption = "",
    base: BaseOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Paint a prompt at one or more revisions, from the same latents."""
    from unlearnlog.api import Ledger
    from unlearnlog.report.entry_tables import ProgressBars

    revs, seeds = at or ["HEAD"], range(seed, seed + n)
    where = Ledger.open(start(ledger), device=device, dtype=dtype, base=base)
    with ProgressBars(err) as bars:
        where.paint(
            prompt, *revs, n=n, seed=seed, policy=policy, output=output, watch=bars
        )
    facts = {"picture": str(output), "prompt": prompt, "at": revs, "seeds": list(seeds)}
    answer(facts if as_json else None, lambda: list_facts({"picture": str(output)}))
