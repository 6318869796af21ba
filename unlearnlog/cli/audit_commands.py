"""Commands that test erasures in models derived from the ledger's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unlearnlog.cli.app import answer, app, err, out, recording, say_recorded
from unlearnlog.cli.dry_run_option import DryRunOptions, show_cost
from unlearnlog.cli.options import (
    ConceptsOption,
    JsonOption,
    MessageOption,
    OpeningOptions,
    RefOption,
    SamePolicyOption,
    with_blocks,
)
from unlearnlog.errors import UsageError
from unlearnlog.report.output_file import check_written
from unlearnlog.report.plain_console import as_text

if TYPE_CHECKING:
    from unlearnlog.api import Ledger
    from unlearnlog.api.audit_methods import HowToTrain
    from unlearnlog.audits.finetune_course import Finetuned
    from unlearnlog.commands.audit import Audited
    from unlearnlog.policy import Policy


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
EmbeddingOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--embedding",
        help="A textual inversion to try on it, or on the revision; repeatable.",
    ),
]
DoubtOption = Annotated[
    bool, typer.Option("--accept-undecided", help="Doubt is no reason to refuse.")
]


@dataclass(frozen=True)
class FinetuneOptions:
    """The block of options of a fine-tune; the first one asks for it."""

    finetune: Annotated[
        str,
        typer.Option(
            "--finetune",
            help="Fine-tune here, on a folder with captions, or unrelated, sibling, "
            "parent, target:N.",
        ),
    ] = ""
    concept: Annotated[
        list[str] | None,
        typer.Option("--concept", help="What the data is about; repeatable."),
    ] = None
    method: Annotated[
        Literal["full", "attention", "lora"],
        typer.Option("--method", help="What learns."),
    ] = "full"
    steps: Annotated[int, typer.Option(min=1, help="Of each fine-tune.")] = 500
    batch: Annotated[int, typer.Option(min=1, help="Pictures a step.")] = 8
    rate: Annotated[
        float, typer.Option(min=0, help="Step size of AdamW; 0 for the method's own.")
    ] = 0.0
    rank: Annotated[int, typer.Option(min=1, help="Of a LoRA.")] = 8
    seed: Annotated[
        list[int] | None,
        typer.Option("--seed", min=0, help="One fine-tune each; repeatable."),
    ] = None
    twin: Annotated[
        Path | None,
        typer.Option("--twin", help="A model that never learned it: make twin."),
    ] = None
    plot: Annotated[
        Path | None, typer.Option("--plot", help="A .png of what came back when.")
    ] = None

    @property
    def training(self) -> HowToTrain:
        """The options as arguments of the API."""
        return {
            "method": self.method,
            "steps": self.steps,
            "seeds": tuple(self.seed or (0,)),
            "batch": self.batch,
            "rate": self.rate,
            "rank": self.rank,
            "twin": self.twin,
        }


@app.command()
@with_blocks
def audit(
    context: typer.Context,
    model: Annotated[
        Path | None,
        typer.Argument(help="A folder or a file that a trainer wrote, or a LoRA."),
    ] = None,
    *,
    rev: Annotated[
        str, typer.Option("--at", help="The revision it was made of.")
    ] = "HEAD",
    ema: EmaOption = False,
    record: Annotated[
        bool, typer.Option("--record", help="Write the audit into the ledger.")
    ] = False,
    embedding: EmbeddingOption = None,
    tuning: FinetuneOptions,
    accept_undecided: DoubtOption = False,
    forecast: DryRunOptions,
    policy: SamePolicyOption = "",
    judge: AuditorOption = "",
    concepts: ConceptsOption = None,
    message: MessageOption = "",
    ref: RefOption = "",
    opening: OpeningOptions,
    as_json: JsonOption = False,
) -> None:
    """Ask whether anything came back in a model that was made of this one."""
    model, handed = _tried(model, embedding or (), tuning)
    _check_options(context, model, tuning)
    ledger = opening.open(concepts, forecast=forecast)
    rules = ledger.rules(policy, judge=judge, about=rev)
    if model is None:
        work = _Finetune(ledger, rev, rules, tuning)
        work.run(forecast=forecast, accept_undecided=accept_undecided, as_json=as_json)
        return
    if forecast.dry_run:
        show_cost(
            ledger,
            lambda runs: runs.audit(
                model, rev, embeddings=handed, policy=rules, ema=ema
            ),
            would=f"audit {model}",
            price=forecast.price_for(ledger),
            as_json=as_json,
        )
        return
    with recording(as_json=as_json) as bars:
        done = ledger.audit(
            model,
            rev,
            embeddings=handed,
            policy=rules,
            ema=ema,
            record=record,
            accept_undecided=accept_undecided,
            message=message,
            ref=ref,
            watch=bars,
        )
    _say_audited(done, as_json=as_json)


def _tried(
    model: Path | None, embeddings: Sequence[Path], tuning: FinetuneOptions
) -> tuple[Path | None, tuple[Path, ...]]:
    """Return the audited model, and the textual inversions to try on it.

    Without a model the first of them is what is audited: on the revision itself.

    Raises:
        UsageError: There is a fine-tune, on which none is tried.
    """
    if embeddings and tuning.finetune:
        raise UsageError(
            "--embedding would do nothing with --finetune",
            fix="leave --embedding out",
        )
    if model is None and embeddings:
        return embeddings[0], tuple(embeddings[1:])
    return model, tuple(embeddings)


def _check_options(
    context: typer.Context, model: Path | None, tuning: FinetuneOptions
) -> None:
    """Refuse options of an audit that contradict each other or would do nothing.

    Raises:
        UsageError: Both a model and ``--finetune`` are given or neither, or an option
            belongs to the other one.
    """
    if (model is None) == (not tuning.finetune):
        raise UsageError(
            "give either a model to audit, or --finetune DATA to make one here",
            fix="unlearnlog audit MODEL, unlearnlog audit --embedding FILE, or "
            "unlearnlog audit --finetune FOLDER",
        )
    if model is not None:
        _, *names = [each.name for each in fields(tuning)]
        _refuse_idle(context, names, beside="a model")
        return
    _refuse_idle(context, ("ema", "record"), beside="--finetune")
    if tuning.method != "lora":
        _refuse_idle(context, ("rank",), beside=f"--method {tuning.method}")


def _refuse_idle(context: typer.Context, names: Iterable[str], *, beside: str) -> None:
    """Refuse options that were typed and would do nothing.

    Raises:
        UsageError: There are such options.
    """
    sources = {name: context.get_parameter_source(name) for name in names}
    idle = [
        f"--{name}"
        for name, source in sources.items()
        if source and source.name == "COMMANDLINE"
    ]
    if idle:
        raise UsageError(
            f"{' and '.join(idle)} would do nothing with {beside}",
            fix=f"leave {' and '.join(idle)} out",
        )


@dataclass(frozen=True)
class _Finetune:
    """A fine-tune of ``audit --finetune``, with what was typed about it."""

    ledger: Ledger
    rev: str
    policy: Policy
    options: FinetuneOptions

    def run(
        self, *, forecast: DryRunOptions, accept_undecided: bool, as_json: bool
    ) -> None:
        """Run the fine-tune and show what came back; or show its cost.

        Raises:
            Refused: A concept came back, or the pictures do not decide.
        """
        from unlearnlog.report.entry_tables import ProgressBars

        check_written(self.options.plot, (".png",))
        data, about = self.options.finetune, self.options.concept or ()
        if forecast.dry_run:
            show_cost(
                self.ledger,
                lambda runs: runs.finetune(
                    *(data, self.rev),
                    concepts=about,
                    policy=self.policy,
                    **self.options.training,
                ),
                would=f"fine-tune on {data} and look",
                price=forecast.price_for(self.ledger),
                as_json=as_json,
            )
            return
        with ProgressBars(err) as bars:
            done = self.ledger.finetune(
                *(data, self.rev),
                concepts=about,
                policy=self.policy,
                watch=bars,
                **self.options.training,
            )
        _say_tuned(
            done,
            self.options.plot,
            as_json=as_json,
            accept_undecided=accept_undecided,
        )


def _say_audited(done: Audited, *, as_json: bool) -> None:
    """Answer with the tables of an audit.

    Raises:
        Refused: A concept came back, or the pictures do not decide.
    """
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
    """Answer with the tables of a fine-tune, and write its curves.

    Raises:
        Refused: A concept came back, or the pictures do not decide.
    """
    from unlearnlog.api import raise_if_failed
    from unlearnlog.report.finetune_views import curves_png, finetune_tables
    from unlearnlog.report.output_file import write_output

    if plot is not None:
        write_output(plot, curves_png(done))
        err.print(as_text(f"the curves are in {plot}"), soft_wrap=True)
    answer(done.row() if as_json else None, lambda: out.print(finetune_tables(done)))
    raise_if_failed(done, accept_undecided=accept_undecided)


@app.command()
@with_blocks
def rebase(
    *,
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
    forecast: DryRunOptions,
    concepts: ConceptsOption = None,
    message: MessageOption = "",
    ref: RefOption = "",
    opening: OpeningOptions,
    as_json: JsonOption = False,
) -> None:
    """Erase anew on a model that was made of this one, and audit before and after."""
    from unlearnlog.api import raise_if_failed
    from unlearnlog.report.audit_tables import rebased_tables

    ledger = opening.open(concepts, forecast=forecast)
    rules = ledger.rules(policy, judge=judge, about=rev)
    if forecast.dry_run:
        show_cost(
            ledger,
            lambda runs: runs.rebase(onto, output, rev, policy=rules, ema=ema),
            would=f"erase anew on {onto}, in {output}",
            price=forecast.price_for(ledger),
            as_json=as_json,
        )
        return
    with recording(as_json=as_json) as bars:
        done = ledger.rebase(
            *(onto, output, rev),
            policy=rules,
            ema=ema,
            accept_undecided=accept_undecided,
            message=message,
            ref=ref,
            watch=bars,
        )
    answer(done.row() if as_json else None, lambda: out.print(rebased_tables(done)))
    raise_if_failed(done, accept_undecided=accept_undecided)
