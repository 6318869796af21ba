"""Commands that say what there is."""

from __future__ import annotations

from unlearnlog.cli.app import JsonOption, answer, app, out


@app.command()
def concepts(as_json: JsonOption = False) -> None:
    """List what the bundled model paints, and what is near what."""
    from unlearnlog.atelier.world import world
    from unlearnlog.graph.listing import concept_rows
    from unlearnlog.report.terminal import fact_table

    seen = world()
    rows = concept_rows(seen)
    facts = {name: ", ".join(seen.shown(name)) for name in seen.families}
    answer(rows if as_json else None, lambda: out.print(fact_table(facts)))


@app.command()
def erasers(as_json: JsonOption = False) -> None:
    """List the methods of erasure: source, needs, settings."""
    from unlearnlog.erasers import known_erasers
    from unlearnlog.report.erasers import eraser_row, erasers_table

    rows = [eraser_row(each) for each in known_erasers()]
    answer(rows if as_json else None, lambda: out.print(erasers_table(rows)))
