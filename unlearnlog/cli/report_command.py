"""The command that writes a report of a history."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unlearnlog.cli.app import (
    answer,
    app,
    err,
    list_facts,
)
from unlearnlog.cli.json_answers import say
from unlearnlog.cli.options import (
    ConceptsOption,
    JsonOption,
    OpeningOptions,
    RevArgument,
    SamePolicyOption,
    with_blocks,
)
from unlearnlog.core.gc_pause import uncollected
from unlearnlog.core.visible import json_line
from unlearnlog.errors import UsageError
from unlearnlog.report.output_file import check_written

if TYPE_CHECKING:
    from unlearnlog.findings.report_parts import Findings

Format = Literal["html", "md", "json"]


@app.command()
@with_blocks
def report(
    rev: RevArgument = "HEAD",
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A file; replaced if there.")
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="html, md or json; else by the file's ending."),
    ] = None,
    pictures: Annotated[
        int,
        typer.Option(
            "--pictures", min=0, max=20, help="Prompts of each concept; 0 paints none."
        ),
    ] = 2,
    policy: SamePolicyOption = "",
    concepts: ConceptsOption = None,
    opening: OpeningOptions,
    as_json: JsonOption = False,
) -> None:
    """Lay a history on one page, for somebody who must decide whether to release."""
    from unlearnlog.report.entry_tables import ProgressBars
    from unlearnlog.report.output_file import write_output

    chosen = _form(output, form, as_json=as_json)
    check_written(output)
    ledger = opening.open(concepts)
    with ProgressBars(err) as bars:
        found = ledger.report(rev, pictures=pictures, policy=policy, watch=bars)
    if output is not None:
        write_output(output, _written(found, chosen).encode("utf-8"))
    if as_json or output is None:
        _say(found, "json" if as_json else chosen)
        return
    facts = {
        "report": str(output),
        "verdict": found.judgement.sentence,
        "bytes": str(output.stat().st_size),
    }
    answer(None, lambda: list_facts(facts))


def _form(output: Path | None, form: Format | None, *, as_json: bool) -> Format:
    """Return the form of ``--format``, or else of the file's ending.

    Raises:
        UsageError: Neither names a form.
    """
    if form is not None:
        return form
    if output is None:
        if as_json:
            return "json"
        raise UsageError("no file is named for the report", fix="add -o report.html")
    endings: dict[str, Format] = {
        ".html": "html",
        ".htm": "html",
        ".md": "md",
        ".json": "json",
    }
    if output.suffix.lower() not in endings:
        raise UsageError(
            f"the ending of '{output}' is of no known format",
            fix="give it the ending .html, .md or .json, or add --format",
        )
    return endings[output.suffix.lower()]


def _say(found: Findings, form: Format) -> None:
    """Write the report to standard output."""
    if form == "json":
        from unlearnlog.findings.as_json import as_data

        say(as_data(found))
    else:
        typer.echo(_written(found, form), nl=False)


@uncollected()
def _written(found: Findings, form: Format) -> str:
    """Return the report in one of its forms."""
    if form == "html":
        from unlearnlog.report.html_page import html

        return html(found)
    if form == "md":
        from unlearnlog.report.markdown_page import markdown

        return markdown(found)
    from unlearnlog.findings.as_json import as_data

    return json_line(as_data(found)) + "\n"
