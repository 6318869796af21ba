"""Commands that give a change away, and that take one which was made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from unlearnlog.cli.app import (
    ConceptsOption,
    DeviceOption,
    DtypeOption,
    JsonOption,
    JudgeOption,
    LedgerOption,
    PolicyOption,
    answer,
    app,
    err,
    in_doubt,
    list_facts,
    out,
    start,
)
from unlearnlog.naming import one_name


@app.command()
def export(
    rev: Annotated[str, typer.Argument(help="Which revision: HEAD, base, an id.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="A new .safetensors file.")
    ],
    to: Annotated[Literal["lora"], typer.Option("--to", help="Which form.")] = "lora",
    spelling: Annotated[
        Literal["diffusers", "kohya"],
        typer.Option("--format", help="Who is to load it; ComfyUI and A1111: kohya."),
    ] = "diffusers",
    energy: Annotated[
        float, typer.Option("--energy", help="Share of each change that is kept.")
    ] = 0.9999,
    policy: PolicyOption = "default",
    judge: JudgeOption = "",
    device: DeviceOption = "cpu",
    dtype: DtypeOption = "float32",
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the change of a revision as a LoRA, and measure it in that form."""
    from unlearnlog.policy import Policy
    from unlearnlog.report.exchange import fidelity_table
    from unlearnlog.report.terminal import Bars
    from unlearnlog.run import export as story
    from unlearnlog.run.place import place

    rules = Policy.load(policy).saying(judge=judge)
    at = place(start(ledger), device=device, dtype=dtype)
    with Bars(err) as bars:
        wish = story.Wish(rev, output, spelling, rules, energy, bars)
        done = story.export(at, wish)
    row = {"file": str(output), "to": to, "format": spelling, **done.row()}
    if as_json:
        answer(row, lambda: None)
        return
    list_facts(
        {
            "file": f"{escape(str(output))}, {done.n_bytes} bytes, for {spelling}",
            "rank": f"{done.rank}, of {done.n_tensors} tensors; each keeps at least "
            f"{100 * done.energy:.4f} % of its change's energy",
        }
    )
    if done.fidelity is None:
        err.print("nobody judged: the erasure was not measured again", style="yellow")
        return
    out.print(fidelity_table(done.fidelity))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A LoRA or new weights, .safetensors.")],
    concept: Annotated[
        list[str], typer.Option("--concept", help="What it erases; repeatable.")
    ],
    kind: Annotated[
        str, typer.Option("--kind", help="What a name is that no file knows.")
    ] = "",
    concepts: ConceptsOption = None,
    policy: PolicyOption = "default",
    judge: JudgeOption = "",
    accept_undecided: Annotated[
        bool, typer.Option("--accept-undecided", help="Record it all the same.")
    ] = False,
    device: DeviceOption = "cpu",
    dtype: DtypeOption = "float32",
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a change that was made elsewhere as an erasure, and record it."""
    from unlearnlog.policy import Policy
    from unlearnlog.report.terminal import Bars, readings_table
    from unlearnlog.run.erase import Order, refuse
    from unlearnlog.run.place import place
    from unlearnlog.run.take import take

    one_name(*concept)
    rules = Policy.load(policy).saying(judge=judge)
    at = place(start(ledger), concepts=concepts, device=device, dtype=dtype)
    named = tuple(at.world.named(name, kind=kind, said={}) for name in concept)
    with Bars(err) as bars:
        order = Order(named, rules, accept_undecided=accept_undecided, watch=bars)
        outcome, taken = take(at, file, order)
    entry = outcome.entry
    row = {**entry.row(), "file": str(file), **taken.row()}
    answer(row if as_json else None, lambda: out.print(readings_table(entry.readings)))
    if not entry.verdict.may_stand:
        refuse(outcome)
    if not as_json:
        names = ", ".join(c.name for c in entry.concepts)
        out.print(
            f"recorded {entry.id[:12]}: {names} erased{in_doubt(entry)} by '{file}', "
            f"{taken.form}, "
            f"{taken.n_changed} of {len(at.model.base)} text projections; "
            "to take it back: unlearnlog reset HEAD~1",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )
