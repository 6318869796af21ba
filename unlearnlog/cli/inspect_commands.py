"""Commands that measure a revision: probes, the concept graph, drift over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from unlearnlog.cli.app import (
    answer,
    app,
    err,
    out,
)
from unlearnlog.cli.json_answers import say
from unlearnlog.cli.options import (
    ConceptsOption,
    JsonOption,
    JudgeOption,
    LedgerOption,
    OpeningOptions,
    RevArgument,
    SamePolicyOption,
    opened,
    with_blocks,
)
from unlearnlog.cli.prompted_answers import FileOptions
from unlearnlog.errors import UsageError
from unlearnlog.report.output_file import check_written
from unlearnlog.report.plain_console import as_text

if TYPE_CHECKING:
    from unlearnlog.commands.graph import Mapped


_ALL_TIERS: Final = 2


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
    ] = _ALL_TIERS,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Compute all again, whatever was kept of before."),
    ] = False,
    files: FileOptions,
    policy: SamePolicyOption = "",
    judge: JudgeOption = "",
    concepts: ConceptsOption = None,
    opening: OpeningOptions,
    as_json: JsonOption = False,
) -> None:
    """Look at a revision again; nothing is recorded, or painted twice unasked."""
    from unlearnlog.report.entry_tables import ProgressBars, readings_table

    files.check()
    files.check_beside(
        rev,
        {
            "--tier": None if tier == _ALL_TIERS else str(tier),
            "--fresh": fresh,
            "--policy": policy,
            **opening.given(),
        },
    )
    if files.images is not None:
        files.judge_images(concept or (), known=concepts, judge=judge, as_json=as_json)
        return
    ledger = opening.open(concepts)
    rules = ledger.rules(policy, judge=judge, about=rev)
    if files.prompts is not None:
        asked = (rev, concept or ())
        files.paint_prompts(ledger, asked, rules, fresh=fresh, as_json=as_json)
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
