"""Commands that measure what other benchmarks measure: two models, UnlearnCanvas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearnlog.cli.app import answer, app, err, out
from unlearnlog.cli.options import (
    ConceptsOption,
    DeviceOption,
    DtypeOption,
    JsonOption,
    JudgeOption,
    KindOption,
    OpeningOptions,
    PolicyOption,
    PromptsOption,
    RowsOption,
    SamePolicyOption,
    SeeingJudgeOption,
    WorkersOption,
    with_blocks,
)
from unlearnlog.cli.prompted_answers import as_csv, check_rows
from unlearnlog.errors import UsageError
from unlearnlog.report.output_file import check_written, write_output

if TYPE_CHECKING:
    from unlearnlog.core.reading import Reading

TableOption = Annotated[
    Path | None, typer.Option("-o", "--output", help="A .csv with the whole table.")
]


@app.command()
def compare(
    one: Annotated[str, typer.Argument(help="A model's folder, or atelier.")],
    other: Annotated[
        Path, typer.Argument(help="The same model changed: a folder, a file, a LoRA.")
    ],
    *,
    concept: Annotated[
        list[str] | None,
        typer.Option("--concept", help="What it should have forgotten; repeatable."),
    ] = None,
    kind: KindOption = "",
    prompts: PromptsOption = None,
    rows: RowsOption = 0,
    policy: PolicyOption = "",
    judge: JudgeOption = "",
    concepts: ConceptsOption = None,
    device: DeviceOption = "",
    dtype: DtypeOption = "",
    workers: WorkersOption = "",
    as_json: JsonOption = False,
) -> None:
    """Measure a model beside another, without a ledger: same prompts, same latents."""
    from unlearnlog.api import compare as compared
    from unlearnlog.report.entry_tables import ProgressBars

    check_rows(prompts, rows=rows)
    if kind and not concept:
        raise UsageError(
            f"--kind {kind} would do nothing without --concept",
            fix="give it as well, --concept NAME, or leave --kind out",
        )
    with ProgressBars(err) as bars:
        found = compared(
            *(one, other),
            concepts=concept or (),
            kind=kind,
            prompts=prompts,
            rows=rows,
            policy=policy,
            judge=judge,
            known=concepts,
            device=device,
            dtype=dtype,
            workers=workers,
            watch=bars,
        )
    answer(found.row() if as_json else None, lambda: _show(found.readings))


@app.command()
@with_blocks
def canvas(
    rev: Annotated[str, typer.Argument(help="An id's beginning, HEAD.")] = "HEAD",
    *,
    concept: Annotated[
        list[str] | None,
        typer.Option("--concept", help="Only the row of this one; repeatable."),
    ] = None,
    each: Annotated[
        bool, typer.Option("--each", help="Erase each concept alone, from the base.")
    ] = False,
    output: TableOption = None,
    policy: SamePolicyOption = "",
    judge: SeeingJudgeOption = "",
    concepts: ConceptsOption = None,
    opening: OpeningOptions,
    as_json: JsonOption = False,
) -> None:
    """Fill UnlearnCanvas's table: UA, IRA and CRA of each erased concept."""
    from unlearnlog.report.entry_tables import ProgressBars

    check_written(output, (".csv",))
    ledger = opening.open(concepts)
    rules = ledger.rules(policy, judge=judge, about=rev)
    with ProgressBars(err) as bars:
        found = ledger.canvas(
            rev, concepts=concept or (), each=each, policy=rules, watch=bars
        )
    if output is not None:
        write_output(output, as_csv(found.table()).encode())
    readings = tuple(reading for row in found.rows for reading in row.readings())
    data = {"revision": rev, **found.row()} if as_json else None
    answer(data, lambda: _show(readings))


def _show(readings: tuple[Reading, ...]) -> None:
    """Print readings as tables."""
    from unlearnlog.report.entry_tables import readings_table

    out.print(readings_table(readings))
