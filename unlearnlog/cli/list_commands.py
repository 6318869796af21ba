"""Commands that list concepts and erasers."""

from __future__ import annotations

from unlearnlog.cli.app import (
    answer,
    app,
    out,
)
from unlearnlog.cli.options import (
    ConceptsOption,
    JsonOption,
    LedgerOption,
    OpeningOptions,
)


@app.command()
def concepts(
    concepts: ConceptsOption = None,
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the concepts that the ledger's model is asked about, by family.

    They are those of a file and those of the history; without a ledger those of the
    bundled model.
    """
    from unlearnlog.report.entry_tables import fact_table

    ledger = OpeningOptions(ledger=folder).open(concepts, may_create=True)
    rows, families = ledger.concepts(), ledger.families()
    facts = {name: ", ".join(names) for name, names in families.items()}
    answer(rows if as_json else None, lambda: out.print(fact_table(facts)))


@app.command()
def erasers(as_json: JsonOption = False) -> None:
    """List the methods of erasure: source, needs, settings."""
    from unlearnlog.api import Ledger
    from unlearnlog.report.eraser_views import erasers_table

    rows = Ledger.erasers()
    answer(rows if as_json else None, lambda: out.print(erasers_table(rows)))
