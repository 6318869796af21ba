"""Commands that export a change, and that import one made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unlearnlog.cli.app import (
    answer,
    app,
    err,
    list_facts,
    out,
    recording,
)
from unlearnlog.cli.entry_answers import say_erased
from unlearnlog.cli.options import (
    AcceptUndecidedOption,
    ConceptsOption,
    JsonOption,
    JudgeOption,
    KindOption,
    MessageOption,
    OpeningOptions,
    PolicyOption,
    RefOption,
    SamePolicyOption,
    StateArgument,
    with_blocks,
)

if TYPE_CHECKING:
    from unlearnlog.commands.export import Exported

FormatOption = Annotated[
    Literal[
        "kohya",
        "diffusers",
        "kohya-diffusers",
        "original",
        "comfyui",
        "checkpoint",
        "tensors",
    ]
    | None,
    typer.Option(
        "--format",
        help="A LoRA: kohya, which most tools load, diffusers, original. Exact: "
        "comfyui, a patch; checkpoint, the whole model in one file; tensors. Else: "
        "what most tools load.",
    ),
]


@app.command()
@with_blocks
def export(
    rev: StateArgument,
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="A new .safetensors file.")
    ],
    to: Annotated[Literal["lora"], typer.Option("--to", help="Which form.")] = "lora",
    spelling: FormatOption = None,
    half: Annotated[
        bool, typer.Option("--half", help="Half precision, of a checkpoint.")
    ] = False,
    energy: Annotated[
        float, typer.Option("--energy", help="Share of each change that is kept.")
    ] = 0.9999,
    policy: SamePolicyOption = "",
    judge: JudgeOption = "",
    opening: OpeningOptions,
    as_json: JsonOption = False,
) -> None:
    """Write a revision or its change as one file, and measure it in that form."""
    from unlearnlog.report.entry_tables import ProgressBars
    from unlearnlog.report.export_table import fidelity_table

    ledger = opening.open()
    rules = ledger.rules(policy, judge=judge, about=rev)
    with ProgressBars(err) as bars:
        done = ledger.export(
            rev,
            output,
            spelling=spelling or "",
            energy=energy,
            half=half,
            policy=rules,
            watch=bars,
        )
    row = {"file": str(output), "to": to, "format": done.spelling, **done.row()}
    if as_json:
        answer(row, lambda: None)
        return
    list_facts(_facts(output, done))
    if done.fidelity is None:
        err.print(
            "no judge configured: the erasure was not measured again", style="yellow"
        )
        return
    out.print(fidelity_table(done.fidelity))


def _facts(output: Path, done: Exported) -> dict[str, str]:
    """Return what an export wrote, a line for each."""
    file = f"{output}, {done.n_bytes} bytes, "
    if done.rank:
        return {
            "file": f"{file}for {done.spelling}",
            "rank": f"{done.rank}, of {done.n_tensors} tensors; each keeps at least "
            f"{100 * done.energy:.4f} % of its change's energy",
        }
    exact = {
        "checkpoint": "the whole model",
        "comfyui": f"the exact change of {done.n_tensors} tensors, for ComfyUI",
    }
    whole = f"the {done.n_tensors} changed tensors, whole"
    return {"file": file + exact.get(done.spelling, whole)}


@app.command("import")
@with_blocks
def import_(
    file: Annotated[
        Path,
        typer.Argument(help="An adapter or new weights, .safetensors or folder."),
    ],
    *,
    concept: Annotated[
        list[str], typer.Option("--concept", help="What it erases; repeatable.")
    ],
    kind: KindOption = "",
    concepts: ConceptsOption = None,
    policy: PolicyOption = "",
    judge: JudgeOption = "",
    accept_undecided: AcceptUndecidedOption = False,
    message: MessageOption = "",
    ref: RefOption = "",
    opening: OpeningOptions,
    as_json: JsonOption = False,
) -> None:
    """Measure a change that was made elsewhere as an erasure, and record it."""
    ledger = opening.open(concepts)
    rules = ledger.rules(policy, judge=judge)
    named = [ledger.concept(name, kind) for name in concept]
    with recording(as_json=as_json, of=ledger) as bars:
        done = ledger.import_(
            file,
            *named,
            policy=rules,
            accept_undecided=accept_undecided,
            message=message,
            ref=ref,
            watch=bars,
        )
    entry, taken = done.entry, done.taken
    row = {**entry.row(), "file": str(file), **taken.row()}
    n_all = len(ledger.place.model.base)
    what = f"{taken.form}, {taken.n_projections} of {n_all} text projections"
    if others := taken.n_changed - taken.n_projections:
        what += f" and {others} other tensors"
    for note in taken.notes:
        err.print(note, style="yellow")
    answer(
        row if as_json else None,
        lambda: say_erased(ledger, entry, f"taken from '{file}', {what}"),
    )
