"""Commands that measure a revision: probes, the concept graph, drift over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearnlog.cli.app import (
    answer,
    app,
    err,
    out,
)
from unlearnlog.cli.json_answers import say
from unlearnlog.cli.options import (
    AnswersOption,
    ConceptsOption,
    JsonOption,
    JudgeOption,
    LedgerOption,
    OpeningOptions,
    PromptsOption,
    RevArgument,
    RowsOption,
    SamePolicyOption,
    opened,
    with_blocks,
)
from unlearnlog.cli.prompted_answers import as_csv, check_prompts, say_prompted
from unlearnlog.errors import UsageError
from unlearnlog.report.output_file import check_written, write_output
from unlearnlog.report.plain_console import as_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unlearnlog.commands.graph import Mapped


@app.command()
@with_blocks
def probe(
    rev: RevArgument = "HEAD",
    *,
    concept: Annotated[
        list[str] | None,
        typer.Option("--concept", help="Look at this one closely; may be repeated."),
    ] = None,
    tier: Annotated[
        int,
        typer.Option(
            "--tier", help="0: weights and text; 1: predictions; 2: new pictures."
        ),
    ] = 2,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Compute all again, whatever was kept of before."),
    ] = False,
    prompts: PromptsOption = None,
    rows: RowsOption = 0,
    output: AnswersOption = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images", help="Pictures painted elsewhere, to judge without a model."
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option("--reference", help="Pictures to take their distance to."),
    ] = None,
    policy: SamePolicyOption = "",
    judge: JudgeOption = "",
    concepts: ConceptsOption = None,
    opening: OpeningOptions,
    as_json: JsonOption = False,
) -> None:
    """Look at a revision again; nothing is recorded, or painted twice unasked."""
    from unlearnlog.report.entry_tables import ProgressBars, readings_table

    if images is not None:
        _judge_images(
            *(images, prompts, output),
            known=concepts,
            judge=judge,
            counted=concept or (),
            reference=reference,
            as_json=as_json,
        )
        return
    if reference is not None:
        raise UsageError(
            f"--reference {reference} would do nothing without --images",
            fix="give the pictures that are compared with it: --images FOLDER",
        )
    check_prompts(prompts, rows=rows, output=output)
    ledger = opening.open(concepts)
    rules = ledger.rules(policy, judge=judge, about=rev)
    if prompts is not None:
        with ProgressBars(err) as bars:
            seen = ledger.probe_prompts(
                *(prompts, rev),
                concepts=concept or (),
                rows=rows,
                policy=rules,
                fresh=fresh,
                watch=bars,
            )
        say_prompted(seen, output, {"revision": rev} if as_json else None)
        return
    with ProgressBars(err) as bars:
        found = ledger.probe(
            rev,
            concepts=concept or (),
            tier=tier,
            policy=rules,
            fresh=fresh,
            watch=bars,
        )
    readings = [reading.row() for reading in found]
    answer(
        {"revision": rev, "readings": readings} if as_json else None,
        lambda: out.print(readings_table(found)),
    )


def _judge_images(
    images: Path,
    prompts: Path | None,
    output: Path | None,
    *,
    known: Path | None,
    judge: str,
    counted: Sequence[str],
    reference: Path | None,
    as_json: bool,
) -> None:
    """Judge pictures that were painted elsewhere, and show or write the answers."""
    from unlearnlog.api import judge_images
    from unlearnlog.report.entry_tables import ProgressBars, readings_table

    check_written(output, (".csv",))
    with ProgressBars(err) as bars:
        found = judge_images(
            *(images, judge or "auto"),
            prompts=prompts,
            concepts=counted,
            known=known,
            reference=reference,
            watch=bars,
        )
    if output is not None:
        write_output(output, as_csv(found.table()).encode())
    row = found.row() if as_json else None
    answer(row, lambda: out.print(readings_table(found.readings)))


@app.command()
@with_blocks
def graph(
    *,
    at: Annotated[str, typer.Option("--at", help="At which revision.")] = "HEAD",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="An .svg, .png, .graphml or .json."),
    ] = None,
    similar: Annotated[
        bool, typer.Option("--similar", help="Ask the model whose text is near whose.")
    ] = False,
    informed: Annotated[
        bool,
        typer.Option("--informed", help="Ask the base who is near whom; it paints."),
    ] = False,
    concept: Annotated[
        list[str] | None,
        typer.Option(
            "--concept",
            help="Ask it of this concept or family; may be repeated. Else: the erased.",
        ),
    ] = None,
    pictures: Annotated[
        int, typer.Option("--pictures", min=2, help="Of each concept it is asked of.")
    ] = 16,
    concepts: ConceptsOption = None,
    opening: OpeningOptions,
    as_json: JsonOption = False,
) -> None:
    """Show the concept graph, and what became of each concept."""
    from unlearnlog.report.entry_tables import ProgressBars
    from unlearnlog.report.graph_views import FORMS

    check_written(output, tuple(f".{each}" for each in FORMS))
    if concept and not informed:
        raise UsageError(
            f"--concept {concept[0]} would do nothing without --informed",
            fix="add --informed, or leave --concept out",
        )
    ledger = opening.open(concepts)
    with ProgressBars(err) as bars:
        found = ledger.graph(
            at,
            concepts=concept or (),
            pictures=pictures,
            similar=similar,
            informed=informed,
            watch=bars,
        )
    _say_mapped(found, output, as_json=as_json)


def _say_mapped(found: Mapped, output: Path | None, *, as_json: bool) -> None:
    """Write the graph to a file, as JSON, or as a tree where neither was typed."""
    from unlearnlog.report.graph_views import concept_tree, graph_data, graph_file
    from unlearnlog.report.output_file import write_output

    if output is not None:
        form = output.suffix.lower().removeprefix(".")
        write_output(output, graph_file(found.network, found.drawing, form))
        err.print(as_text(f"the graph is in {output}"), soft_wrap=True)
    if as_json:
        say(graph_data(found.network))
    elif output is None:
        out.print(concept_tree(found.network))


@app.command()
def drift(
    rev: Annotated[
        str, typer.Argument(help="Up to which entry: an id's beginning, HEAD.")
    ] = "HEAD",
    concept: Annotated[
        list[str] | None,
        typer.Option("--concept", help="Follow this one; may be repeated."),
    ] = None,
    reading: Annotated[
        str, typer.Option("--reading", help="moved.nats, moved or presence.")
    ] = "moved.nats",
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how far each concept has moved, entry by entry."""
    from unlearnlog.report.entry_tables import drift_table

    ledger = opened(folder)
    series = ledger.drift(rev, concepts=concept or (), reading=reading)
    history = [(e.id, e) for e in ledger.entries(rev) if e.kind != "audit"]
    ids = [entry_id for entry_id, _ in history]
    data = {"reading": reading, "entries": ids, "concepts": series.row()}
    answer(data if as_json else None, lambda: out.print(drift_table(series, history)))
