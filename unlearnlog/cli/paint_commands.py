"""Commands that sample pictures of a revision, or write its model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearnlog.cli.app import (
    answer,
    app,
    err,
    list_facts,
)
from unlearnlog.cli.options import (
    BaseOption,
    JsonOption,
    LedgerOption,
    ModelKeyOption,
    NewFolderOption,
    OpeningOptions,
    SamePolicyOption,
    StateArgument,
    opened,
    with_blocks,
)


@app.command()
def checkout(
    rev: StateArgument,
    output: NewFolderOption,
    sign: ModelKeyOption = None,
    base: BaseOption = None,
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the model of a revision as a plain diffusers folder."""
    opened(folder, base=base).checkout(rev, output, sign=sign)
    facts = {"revision": rev, "folder": str(output)}
    if sign is not None:
        facts["signature"] = str(output / "model.sig")
    answer(facts if as_json else None, lambda: list_facts(facts))


@app.command()
def release(
    rev: StateArgument,
    output: NewFolderOption,
    base_model: Annotated[
        str, typer.Option("--base-model", help="The base's id on the hub.")
    ] = "",
    licence: Annotated[
        str, typer.Option("--license", help="As the hub names it; else the base's.")
    ] = "",
    sign: ModelKeyOption = None,
    base: BaseOption = None,
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write what to give away of a revision: nothing in it undoes the erasures."""
    done = opened(folder, base=base).release(
        rev, output, base_model=base_model, licence=licence, sign=sign
    )
    facts = {
        "folder": done.folder,
        "erased": ", ".join(done.erased),
        "files": f"{len(done.files)}, with README.md, REPORT.md and provenance.json",
        "signature": "model.sig" if done.is_signed else "none: add --sign KEY",
    }
    answer(done.row() if as_json else None, lambda: list_facts(facts))


@app.command()
@with_blocks
def paint(
    prompt: Annotated[str, typer.Argument(help='Such as "a painting by Picasso".')],
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="A PNG; replaced if there.")
    ],
    at: Annotated[
        list[str] | None, typer.Option("--at", help="A revision; may be repeated.")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, max=64, help="Pictures a row.")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first one.")] = 0,
    policy: SamePolicyOption = "",
    opening: OpeningOptions,
    as_json: JsonOption = False,
) -> None:
    """Paint a prompt at one or more revisions, from the same latents."""
    from unlearnlog.report.entry_tables import ProgressBars

    revs, seeds = at or ["HEAD"], range(seed, seed + n)
    ledger = opening.open()
    with ProgressBars(err) as bars:
        ledger.paint(
            prompt, *revs, n=n, seed=seed, policy=policy, output=output, watch=bars
        )
    facts = {"picture": str(output), "prompt": prompt, "at": revs, "seeds": list(seeds)}
    answer(facts if as_json else None, lambda: list_facts({"picture": str(output)}))
