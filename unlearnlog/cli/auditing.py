"""Commands that ask whether erasures hold in other hands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

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
from unlearnlog.cli.forecasting import DryRunOption, say_first, tell
from unlearnlog.errors import UsageError
from unlearnlog.report.terminal import Bars

if TYPE_CHECKING:
    from unlearnlog.audits.course import Finetuned
    from unlearnlog.run import audit as audit_story
    from unlearnlog.run import finetune as school
    from unlearnlog.run.place import Place


AtOption = Annotated[str, typer.Option("--at", help="The revision it was made of.")]
AuditorOption = Annotated[
    str, typer.Option("--judge", help="auto, base, atelier, or a CLIP folder.")
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
    policy: PolicyOption = "default",
    judge: AuditorOption = "",
    concepts: ConceptsOption = None,
    device: DeviceOption = "cpu",
    dtype: DtypeOption = "float32",
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask whether anything came back in a model that was made of this one."""
    from unlearnlog.policy import Policy
    from unlearnlog.run import audit as story
    from unlearnlog.run import finetune as school
    from unlearnlog.run.place import place

    if (model is None) == (not finetune):
        raise UsageError(
            "give either a model to audit, or --finetune DATA to make one here",
            fix="unlearnlog audit MODEL, or unlearnlog audit --finetune unrelated",
        )
    if model is not None:
        _refuse_idle(context, _TUNING, beside="a model")
    else:
        _refuse_idle(context, ("ema", "record"), beside="--finetune")
        if method != "lora":
            _refuse_idle(context, ("rank",), beside=f"--method {method}")
    rules = Policy.load(policy).saying(judge=judge)
    if dry_run:
        say_first()
    at = place(start(ledger), concepts=concepts, device=device, dtype=dtype)
    if model is not None:
        wish = story.Wish(model, rules, rev, ema, record, accept_undecided)
        if dry_run:
            _forecast_audit(at, wish, as_json=as_json)
            return
        _audit(at, wish, as_json=as_json)
        return
    lesson = school.Wish(
        rules,
        finetune,
        rev,
        tuple(concept or ()),
        method=method,
        steps=steps,
        seeds=tuple(seed or (0,)),
        batch=batch,
        rate=rate,
        rank=rank,
        twin=twin,
    )
    if dry_run:
        _forecast_finetune(at, lesson, as_json=as_json)
        return
    tuned = _finetune(at, lesson, plot, as_json=as_json)
    school.refuse(tuned, accept_undecided=accept_undecided)


def _forecast_audit(at: Place, wish: audit_story.Wish, *, as_json: bool) -> None:
    from unlearnlog.run.estimate import of_audit

    with Bars(err) as bars:
        found = of_audit(at, replace(wish, watch=bars))
    tell(found, would=f"audit {wish.path}", as_json=as_json)


def _forecast_finetune(at: Place, wish: school.Wish, *, as_json: bool) -> None:
    from unlearnlog.run.estimate import of_finetune

    with Bars(err) as bars:
        found = of_finetune(at, replace(wish, watch=bars))
    tell(found, would=f"fine-tune on {wish.data} and look", as_json=as_json)


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


def _audit(at: Place, wish: audit_story.Wish, *, as_json: bool) -> None:
    from unlearnlog.report.auditing import audit_tables
    from unlearnlog.run import audit as story

    with Bars(err) as bars:
        done = story.audit(at, replace(wish, watch=bars))
    answer(done.row() if as_json else None, lambda: out.print(audit_tables(done)))
    if done.entry is not None and not as_json:
        out.print(f"recorded {done.entry.id[:12]}", highlight=False)
    story.refuse(
        done.verdict,
        fix="take the erasure up again on it: unlearnlog rebase --onto",
    )


def _finetune(
    at: Place, wish: school.Wish, plot: Path | None, *, as_json: bool
) -> Finetuned:
    from unlearnlog.report.files import write
    from unlearnlog.report.finetuning import curves_png, finetune_tables
    from unlearnlog.run import finetune as story

    with Bars(err) as bars:
        done = story.finetuned(at, replace(wish, watch=bars))
    if plot is not None:
        write(curves_png(done), plot)
        err.print(f"the curves are in {plot}", highlight=False)
    answer(done.row() if as_json else None, lambda: out.print(finetune_tables(done)))
    return done


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
    policy: PolicyOption = "default",
    judge: AuditorOption = "",
    accept_undecided: DoubtOption = False,
    dry_run: DryRunOption = False,
    concepts: ConceptsOption = None,
    device: DeviceOption = "cpu",
    dtype: DtypeOption = "float32",
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase anew on a model that was made of this one, and audit before and after."""
    from unlearnlog.policy import Policy
    from unlearnlog.report.auditing import rebased_tables
    from unlearnlog.run import audit
    from unlearnlog.run import rebase as story
    from unlearnlog.run.estimate import of_rebase
    from unlearnlog.run.place import place

    if dry_run:
        say_first()
    at = place(start(ledger), concepts=concepts, device=device, dtype=dtype)
    rules = Policy.load(policy).saying(judge=judge)
    with Bars(err) as bars:
        wish = story.Wish(onto, output, rules, rev, ema, accept_undecided, bars)
        found = of_rebase(at, wish) if dry_run else None
        done = None if dry_run else story.rebase(at, wish)
    if found is not None:
        tell(found, would=f"erase anew on {onto}, in {output}", as_json=as_json)
    if done is None:
        return
    answer(done.row() if as_json else None, lambda: out.print(rebased_tables(done)))
    audit.refuse(
        audit.verdict_of(done.after, accepted=accept_undecided),
        fix=f"the new ledger is in '{output}': erase there with another eraser",
    )
