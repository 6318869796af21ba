"""Commands that look at a revision: probes, the concept graph, drift over time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearnlog.cli.app import (
    BaseOption,
    ConceptsOption,
    DeviceOption,
    DtypeOption,
    JsonOption,
    JudgeOption,
    LedgerOption,
    SamePolicyOption,
    answer,
    app,
    err,
    out,
    start,
)
from unlearnlog.cli.json_answers import say
from unlearnlog.errors import UsageError
from unlearnlog.report.output_file import check_written
from unlearnlog.report.plain_console import as_text


@app.command()
def probe(
    rev: Annotated[
        str, typer.Argument(help="An id's beginning, HEAD, HEAD~2.")
    ] = "HEAD",
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
    policy: SamePolicyOption = "",
    judge: JudgeOption = "",
    concepts: ConceptsOption = None,
    device: DeviceOption = "",
    dtype: DtypeOption = "",
    base: BaseOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at a revision again; nothing is recorded, or painted twice unasked."""
    from unlearnlog.api import Ledger
    from unlearnlog.report.entry_tables import ProgressBars, readings_table

    where = Ledger.open(
        start(ledger), concepts=concepts, device=device, dtype=dtype, base=base
    )
    rules = where.rules(policy, judge=judge, about=rev)
    with ProgressBars(err) as bars:
        found = where.probe(
            rev,
            concepts=concept or (),
            tier=tier,
            policy=rules,
            fresh=fresh,
            watch=bars,
        )
    rows = [reading.row() for reading in found]
    answer(
        {"revision": rev, "readings": rows} if as_json else None,
        lambda: out.print(readings_table(found)),
    )


@app.command()
def graph(
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
    device: DeviceOption = "",
    dtype: DtypeOption = "",
    base: BaseOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the concept graph, and what became of each concept."""
    from unlearnlog.api import Ledger
    from unlearnlog.report.entry_tables import ProgressBars
    from unlearnlog.report.graph_views import FORMS, linked, tree, written
    from unlearnlog.report.output_file import write_output

    form = output.suffix.lower().removeprefix(".") if output else ""
    check_written(output, tuple(f".{each}" for each in FORMS))
    if concept and not informed:
        raise UsageError(
            f"--concept {concept[0]} says whom --informed asks about",
            fix="add --informed, or leave --concept out",
        )
    where = Ledger.open(
        start(ledger), concepts=concepts, device=device, dtype=dtype, base=base
    )
    with ProgressBars(err) as bars:
        found = where.graph(
            at,
            concepts=concept or (),
            pictures=pictures,
            similar=similar,
            informed=informed,
            watch=bars,
        )
    if output is not None:
        write_output(output, written(found.network, found.drawing, form))
        err.print(as_text(f"the graph is in {output}"), soft_wrap=True)
    if as_json:
        say(linked(found.network))
    elif output is None:
        out.print(tree(found.network))


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
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how far each concept has moved, entry by entry."""
    from unlearnlog.api import Ledger
    from unlearnlog.report.entry_tables import drift_table

    where = Ledger.open(start(ledger))
    series = where.drift(rev, concepts=concept or (), reading=reading)
    history = [(e.id, e) for e in where.entries(rev) if e.kind != "audit"]
    ids = [entry_id for entry_id, _ in history]
    data = {"reading": reading, "entries": ids, "concepts": series.row()}
    answer(data if as_json else None, lambda: out.print(drift_table(series, history)))
