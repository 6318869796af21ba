"""Commands that say what there is."""

from __future__ import annotations

from unlearnlog.cli.app import (
    ConceptsOption,
    JsonOption,
    LedgerOption,
    answer,
    app,
    out,
    start,
)


@app.command()
def concepts(
    concepts: ConceptsOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the concepts that the ledger's model is asked about, by family.

    They are those of a file and those of the history; without a ledger those of the
    bundled model.
    """
    from unlearnlog.api import Ledger
    from unlearnlog.report.entry_tables import fact_table

    where = Ledger.open(start(ledger), may_create=True, concepts=concepts)
    rows, families = where.concepts(), where.families()
    facts = {name: ", ".join(names) for name, names in families.items()}
    answer(rows if as_json else None, lambda: out.print(fact_table(facts)))


@app.command()
def erasers(as_json: JsonOption = False) -> None:
    """List the methods of erasure: source, needs, settings."""
    from unlearnlog.api import Ledger
    from unlearnlog.report.eraser_views import erasers_table

    rows = Ledger.erasers()
    answer(rows if as_json else None, lambda: out.print(erasers_table(rows)))
