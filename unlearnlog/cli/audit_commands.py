"""Commands that ask whether erasures hold in other hands."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

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
    answer,
    app,
    err,
    out,
    recording,
    say_recorded,
    start,
)
from unlearnlog.cli.dry_run_option import DryRunOption, say_first, tell
from unlearnlog.errors import UsageError
from unlearnlog.report.entry_tables import ProgressBars
from unlearnlog.report.output_file import check_written
from unlearnlog.report.plain_console import as_text

if TYPE_CHECKING:
    from unlearnlog.audits.finetune_course import Finetuned
    from unlearnlog.commands.audit import Audited


AtOption = Annotated[str, typer.Option("--at", help="The revision it was made of.")]
AuditorOption = Annotated[
    str,
    typer.Option(
        "--judge",
        help="auto, base, atelier, or a CLIP folder. Else: config, or the policy's.",
    ),
]
EmaOption = Annotated[
    bool, typer.Option("--ema", help="Read the averaged copy of its weights.")
]
FinetuneOption = Annotated[
    str,
    typer.Option(
        "--finetune",
        help="Fine-tune here, on a folder with captions, or unrelated, sibling, "
        "parent, target:N.",
    ),
]
AboutOption = Annotated[
    list[str] | None,
    typer.Option("--concept", help="What the data is about; repeatable."),
]
MethodOption = Annotated[
    Literal["full", "attention", "lora"],
    typer.Option("--method", help="What learns."),
]
StepsOption = Annotated[int, typer.Option(min=1, help="Of each fine-tune.")]
BatchOption = Annotated[int, typer.Option(min=1, help="Pictures a step.")]
RateOption = Annotated[
    float, typer.Option(min=0, help="Step size of AdamW; 0 for the method's own.")
]
RankOption = Annotated[int, typer.Option(min=1, help="Of a LoRA.")]
SeedOption = Annotated[
    list[int] | None,
    typer.Option("--seed", min=0, help="One fine-tune each; repeatable."),
]
TwinOption = Annotated[
    Path | None,
    typer.Option("--twin", help="A model that never learned it: make twin."),
]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", help="A .png of what came back when.")
]
DoubtOption = Annotated[
    bool, typer.Option("--accept-undecided", help="Doubt is no reason to refuse.")
]

_TUNING: Final = (
    *("concept", "seed", "twin", "plot"),
    *("method", "steps", "batch", "rate", "rank"),
)
"""Options of a fine-tune."""


@app.command()
def audit(
    context: typer.Context,
    model: Annotated[
        Path | None,
        typer.Argument(help="A folder or a file that a trainer wrote, or a LoRA."),
    ] = None,
    rev: AtOption = "HEAD",
    ema: EmaOption = False,
    record: Annotated[
        bool, typer.Option("--record", help="Write the audit into the ledger.")
    ] = False,
    finetune: FinetuneOption = "",
    concept: AboutOption = None,
    method: MethodOption = "full",
    steps: StepsOption = 500,
    batch: BatchOption = 8,
    rate: RateOption = 0.0,
    rank: RankOption = 8,
    seed: SeedOption = None,
    twin: TwinOption = None,
    plot: PlotOption = None,
    accept_undecided: DoubtOption = False,
    dry_run: DryRunOption = False,
    policy: SamePolicyOption = "",
    judge: AuditorOption = "",
    concepts: ConceptsOption = None,
    message: MessageOption = "",
    ref: RefOption = "",
    device: DeviceOption = "",
    dtype: DtypeOption = "",
    base: BaseOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask whether anything came back in a model that was made of this one."""
    from unlearnlog.api import DryRuns, Ledger

    if (model is None) == (not finetune):
        raise UsageError(
            "give either a model to audit, or --finetune DATA to make one here",
            fix="unlearnlog audit MODEL, or unlearnlog audit --finetune FOLDER",
        )
    if model is not None:
        _refuse_idle(context, _TUNING, beside="a model")
    else:
        _refuse_idle(context, ("ema", "record"), beside="--finetune")
        if method != "lora":
            _refuse_idle(context, ("rank",), beside=f"--method {method}")
    if dry_run:
        say_first()
    where = Ledger.open(
        start(ledger), concepts=concepts, device=device, dtype=dtype, base=base
    )
    rules = where.rules(policy, judge=judge, about=rev)
    check_written(plot, (".png",))
    if dry_run and model is not None:
        with ProgressBars(err) as bars:
            cost = DryRuns(where, bars).audit(model, rev, policy=rules, ema=ema)
        tell(cost, would=f"audit {model}", as_json=as_json)
        return
    if dry_run:
        with ProgressBars(err) as bars:
            cost = DryRuns(where, bars).finetune(
                *(finetune, rev),
                concepts=concept or (),
                policy=rules,
                method=method,
                steps=steps,
                seeds=tuple(seed or (0,)),
                batch=batch,
                rate=rate,
                rank=rank,
                twin=twin,
            )
        tell(cost, would=f"fine-tune on {finetune} and look", as_json=as_json)
        return
    if model is not None:
        with recording(as_json=as_json) as bars:
            done = where.audit(
                model,
                rev,
                policy=rules,
                ema=ema,
                record=record,
                accept_undecided=accept_undecided,
                message=message,
                ref=ref,
                watch=bars,
            )
        _say_audited(done, as_json=as_json)
        return
    with ProgressBars(err) as bars:
        tuned = where.finetune(
            finetune,
            rev,
            concepts=concept or (),
            method=method,
            steps=steps,
            seeds=seed or (0,),
            batch=batch,
            rate=rate,
            rank=rank,
            twin=twin,
            policy=rules,
            watch=bars,
        )
    _say_tuned(tuned, plot, as_json=as_json, accept_undecided=accept_undecided)


def _refuse_idle(context: typer.Context, names: Iterable[str], *, beside: str) -> None:
    """Refuse options that somebody typed and that would do nothing."""
    sources = {name: context.get_parameter_source(name) for name in names}
    idle = [
        f"--{n}" for n, said in sources.items() if said and said.name == "COMMANDLINE"
    ]
    if idle:
        raise UsageError(
            f"{' and '.join(idle)} would do nothing with {beside}",
            fix=f"leave {' and '.join(idle)} out",
        )


def _say_audited(done: Audited, *, as_json: bool) -> None:
    from unlearnlog.api import raise_if_failed
    from unlearnlog.report.audit_tables import audit_tables

    def say() -> None:
        out.print(audit_tables(done))
        if done.entry is not None:
            say_recorded(done.entry)

    answer(done.row() if as_json else None, say)
    raise_if_failed(done)


def _say_tuned(
    done: Finetuned, plot: Path | None, *, as_json: bool, accept_undecided: bool
) -> None:
    from unlearnlog.api import raise_if_failed
    from unlearnlog.report.finetune_views import curves_png, finetune_tables
    from unlearnlog.report.output_file import write_output

    if plot is not None:
        write_output(plot, curves_png(done))
        err.print(as_text(f"the curves are in {plot}"), soft_wrap=True)
    answer(done.row() if as_json else None, lambda: out.print(finetune_tables(done)))
    raise_if_failed(done, accept_undecided=accept_undecided)


@app.command()
def rebase(
    onto: Annotated[
        Path,
        typer.Option(
            "--onto", help="A folder or a file that a trainer wrote, or a LoRA."
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="A new folder, for the new ledger.")
    ],
    rev: Annotated[
        str, typer.Option("--at", help="Whose erasures; what it was made of.")
    ] = "HEAD",
    ema: EmaOption = False,
    policy: SamePolicyOption = "",
    judge: AuditorOption = "",
    accept_undecided: DoubtOption = False,
    dry_run: DryRunOption = False,
    concepts: ConceptsOption = None,
    message: MessageOption = "",
    ref: RefOption = "",
    device: DeviceOption = "",
    dtype: DtypeOption = "",
    base: BaseOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase anew on a model that was made of this one, and audit before and after."""
    from unlearnlog.api import DryRuns, Ledger, raise_if_failed

    if dry_run:
        say_first()
    where = Ledger.open(
        start(ledger), concepts=concepts, device=device, dtype=dtype, base=base
    )
    rules = where.rules(policy, judge=judge, about=rev)
    if dry_run:
        with ProgressBars(err) as bars:
            runs = DryRuns(where, bars)
            cost = runs.rebase(onto, output, rev, policy=rules, ema=ema)
        tell(cost, would=f"erase anew on {onto}, in {output}", as_json=as_json)
        return
    with recording(as_json=as_json) as bars:
        done = where.rebase(
            onto,
            output,
            rev,
            policy=rules,
            ema=ema,
            accept_undecided=accept_undecided,
            message=message,
            ref=ref,
            watch=bars,
        )
    from unlearnlog.report.audit_tables import rebased_tables

    answer(done.row() if as_json else None, lambda: out.print(rebased_tables(done)))
    raise_if_failed(done, accept_undecided=accept_undecided)
