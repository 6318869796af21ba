"""The answer of commands about files of prompts: readings, and a table of rows."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearnlog.cli.app import answer, err, out
from unlearnlog.errors import UsageError
from unlearnlog.report.output_file import check_written, write_output
from unlearnlog.report.plain_console import as_text

if TYPE_CHECKING:
    from unlearnlog.commands.prompted import Prompted


def check_prompts(prompts: Path | None, *, rows: int, output: Path | None) -> None:
    """Refuse options about a file of prompts without one, before any work.

    Raises:
        UsageError: They would do nothing, or the output is no .csv.
    """
    check_written(output, (".csv",))
    if prompts is None and (rows or output is not None):
        given = f"--rows {rows}" if rows else f"--output {output}"
        raise UsageError(
            f"{given} would do nothing without --prompts",
            fix="give a file of prompts, --prompts FILE, or leave it out",
        )


def say_prompted(
    found: Prompted, output: Path | None, data: dict[str, Any] | None
) -> None:
    """Write the rows to a file, and the readings as JSON or as a table.

    Args:
        found: The answers.
        output: A .csv for a row each; None for none.
        data: What JSON begins with; None for a table.
    """
    from unlearnlog.report.entry_tables import readings_table

    if output is not None:
        write_output(output, as_csv(found.table()).encode())
    for line in _notes(found):
        err.print(as_text(line), soft_wrap=True)
    row = None if data is None else {**data, **found.row()}
    answer(row, lambda: out.print(readings_table(found.readings)))


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Return rows of one shape as CSV, with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _notes(found: Prompted) -> list[str]:
    """Return what was read of the file, and what was not."""
    file = found.file
    used = ", ".join(
        name if name == column else f"{name} from '{column}'"
        for name, column in file.used.items()
    )
    lines = [f"{len(file.rows):,} prompts of '{file.source}': {used}"]
    if file.unused:
        lines.append(f"not used: {', '.join(file.unused)}")
    if file.empty:
        lines.append(f"without a prompt: {file.empty:,} rows")
    if found.shortened:
        lines.append(
            f"longer than the model reads, and shortened: {found.shortened:,} prompts"
        )
    if found.unknown:
        some = ", ".join(found.unknown[:5])
        lines.append(f"not known to the judge: {len(found.unknown):,}, such as {some}")
    return lines
