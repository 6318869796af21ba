"""The answer of commands about files of prompts: readings, and a table of rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unlearnlog.cli.app import answer, err, out
from unlearnlog.cli.options import PromptsOption, RowsOption
from unlearnlog.errors import UsageError
from unlearnlog.report.output_file import check_written, write_output
from unlearnlog.report.plain_console import as_text

if TYPE_CHECKING:
    from unlearnlog.api import Ledger
    from unlearnlog.commands.prompted import Prompted
    from unlearnlog.policy import Policy


@dataclass(frozen=True)
class FileOptions:
    """The block of options about prompts and pictures that others made."""

    prompts: PromptsOption = None
    rows: RowsOption = 0
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="A .csv with the answer to each row."),
    ] = None
    images: Annotated[
        Path | None,
        typer.Option(
            "--images", help="Pictures painted elsewhere, to judge without a model."
        ),
    ] = None
    reference: Annotated[
        Path | None,
        typer.Option("--reference", help="Pictures to take their distance to."),
    ] = None
    inception: Annotated[
        Path | None,
        typer.Option(
            "--inception",
            help="Weights of FID's network, .safetensors; without, CLIP's features.",
        ),
    ] = None

    def check(self) -> None:
        """Refuse options that would do nothing, and an output that is no .csv.

        Raises:
            UsageError: There is such an option.
        """
        check_written(self.output, (".csv",))
        if self.images is None:
            if self.reference is not None:
                raise _useless(f"--reference {self.reference}", "--images FOLDER")
            if self.inception is not None:
                raise _useless(f"--inception {self.inception}", "--images FOLDER")
            check_rows(self.prompts, rows=self.rows, output=self.output)
        elif self.rows:
            raise UsageError(
                f"--rows {self.rows} would do nothing beside --images",
                fix="leave it out: every picture of the folder is judged",
            )
        elif self.inception is not None and self.reference is None:
            raise _useless(f"--inception {self.inception}", "--reference FOLDER")

    def check_beside(self, rev: str, others: Mapping[str, object]) -> None:
        """Refuse options that are not read beside these, before any work.

        Args:
            rev: The revision.
            others: The value of each other option; what is false was not given.

        Raises:
            UsageError: There is such an option.
        """
        if self.images is not None:
            given = {f"the revision {rev}": rev != "HEAD", **others}
            self._refuse(given, "--images", "pictures are judged without a model")
        elif self.prompts is not None:
            about = {name: others[name] for name in ("--tier",)}
            self._refuse(about, "--prompts", "every prompt of the file is painted")

    @staticmethod
    def _refuse(others: Mapping[str, object], beside: str, why: str) -> None:
        for name, value in others.items():
            if value not in {None, "", False}:
                given = name if value is True else f"{name} {value}"
                raise UsageError(
                    f"{given} would do nothing beside {beside}",
                    fix=f"leave it out: {why}",
                )

    def judge_images(
        self, counted: Sequence[str], *, known: Path | None, judge: str, as_json: bool
    ) -> None:
        """Judge pictures painted elsewhere, and show or write the answers.

        Args:
            counted: Names of concepts to count.
            known: The file of concepts; None for those of most models.
            judge: The judge.
            as_json: Whether to write JSON.
        """
        from unlearnlog.api import judge_images
        from unlearnlog.report.entry_tables import ProgressBars, readings_table

        assert self.images is not None
        with ProgressBars(err) as bars:
            found = judge_images(
                *(self.images, judge or "auto"),
                prompts=self.prompts,
                concepts=counted,
                known=known,
                reference=self.reference,
                inception=self.inception,
                watch=bars,
            )
        if self.output is not None:
            write_output(self.output, as_csv(found.table()).encode())
        row = found.row() if as_json else None
        answer(row, lambda: out.print(readings_table(found.readings)))

    def paint_prompts(
        self,
        ledger: Ledger,
        asked: tuple[str, Sequence[str]],
        rules: Policy,
        *,
        fresh: bool,
        as_json: bool,
    ) -> None:
        """Paint a file's prompts, and show or write the answers.

        Args:
            ledger: The ledger.
            asked: The revision, and names of concepts to count.
            rules: The policy.
            fresh: Whether to compute all again.
            as_json: Whether to write JSON.
        """
        from unlearnlog.report.entry_tables import ProgressBars

        assert self.prompts is not None
        rev, counted = asked
        with ProgressBars(err) as bars:
            found = ledger.probe_prompts(
                *(self.prompts, rev),
                concepts=counted,
                rows=self.rows,
                policy=rules,
                fresh=fresh,
                watch=bars,
            )
        say_prompted(found, self.output, {"revision": rev} if as_json else None)


def check_rows(prompts: Path | None, *, rows: int, output: Path | None = None) -> None:
    """Refuse options about a file of prompts without one, before any work.

    Raises:
        UsageError: They would do nothing.
    """
    if prompts is None and (rows or output is not None):
        given = f"--rows {rows}" if rows else f"--output {output}"
        raise _useless(given, "--prompts FILE")


def _useless(given: str, without: str) -> UsageError:
    name = without.split()[0]
    return UsageError(
        f"{given} would do nothing without {name}",
        fix=f"give it as well, {without}, or leave {given.split()[0]} out",
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
