"""A table of concepts to erase, as a CSV file: name, kind, anchor, aliases.

The first row names the columns. Only ``name`` is needed. Several aliases stand in one
cell, with ``|`` or ``;`` between them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from unlearnlog.core.plain_files import fix_of, text_of
from unlearnlog.core.suggestions import hint
from unlearnlog.errors import ConceptError

COLUMNS: Final = ("name", "kind", "anchor", "aliases", "parent")
"""Columns of a file of names, in their usual order."""

_LONGEST: Final = 2**24
_REST: Final = ".rest"


@dataclass(frozen=True)
class NameRow:
    """One row of a file of names.

    Attributes:
        line: Its line in the file, the first of them 1.
        name: The concept's name, as it stands there.
        kind: Its kind; empty for the known one.
        anchor: What replaces it; empty for its kind's anchor.
        aliases: Its other names.
        parent: Its family; empty for none.
    """

    line: int
    name: str
    kind: str = ""
    anchor: str = ""
    aliases: tuple[str, ...] = ()
    parent: str = ""


@dataclass(frozen=True)
class NamesFile:
    """A file of names.

    Attributes:
        path: Where it is.
        header: The columns, as they are spelt there.
        rows: The rows with a name or anything else in them.
        cells: The cells of each row, as they stand there.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[NameRow, ...]
    cells: tuple[tuple[str, ...], ...]

    @classmethod
    def read(cls, path: Path) -> NamesFile:
        """Return the rows of a file.

        Raises:
            ConceptError: It cannot be read, has no column of names, an unknown column,
                a row with too many cells, or no row.
        """
        try:
            # A spreadsheet puts a mark before the first letter.
            text = text_of(path, most=_LONGEST, encoding="utf-8-sig")
            reader = csv.reader(io.StringIO(text), strict=True)
            header = next(reader, [])
            _check_header(header, path)
            found = [
                (reader.line_num, cells)
                for cells in reader
                if any(map(str.strip, cells))
            ]
        except (OSError, ValueError, csv.Error) as error:
            raise ConceptError(
                f"the names in '{path}' cannot be read: {error}",
                fix=fix_of(error, f"give a CSV file with the columns {_usual()}"),
            ) from error
        if not found:
            raise ConceptError(
                f"'{path}' has no row of names", fix="write a name in each row below"
            )
        for line, cells in found:
            _check_width(cells, header, path, line)
        rows = tuple(_row(line, header, cells) for line, cells in found)
        return cls(path, tuple(header), rows, tuple(tuple(c) for _, c in found))

    def write_rest(self, without: Collection[int]) -> Path | None:
        """Write the rows but some as a new file beside this one.

        Args:
            without: Lines that are left out.

        Returns:
            The new file; None where no row is left.

        Raises:
            OSError: It cannot be written.
        """
        both = zip(self.rows, self.cells, strict=True)
        rest = [cells for row, cells in both if row.line not in without]
        if not rest:
            return None
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.header, *rest])
        for n in count(1):
            number = "" if n == 1 else f"-{n}"
            path = self.path.with_name(f"{self.path.stem}{_REST}{number}.csv")
            try:
                with path.open("x", encoding="utf-8") as file:
                    file.write(text.getvalue())
            except FileExistsError:
                continue
            return path
        return None


def _check_header(header: Sequence[str], path: Path) -> None:
    names = [cell.strip().casefold() for cell in header]
    for spelt, name in zip(header, names, strict=True):
        if name not in COLUMNS:
            raise ConceptError(
                f"'{path}' has the column '{spelt.strip()}', which is not known",
                fix=f"{hint(name, COLUMNS)}known columns: {', '.join(COLUMNS)}; the "
                "first row names them",
            )
        if names.count(name) > 1:
            raise ConceptError(
                f"'{path}' has two columns '{name}'", fix="leave one of them out"
            )
    if "name" not in names:
        raise ConceptError(
            f"'{path}' has no column 'name'",
            fix=f"begin it with a row such as {_usual()}",
        )


def _check_width(
    cells: Sequence[str], header: Sequence[str], path: Path, line: int
) -> None:
    if len(cells) > len(header):
        raise ConceptError(
            f"line {line} of '{path}' has {len(cells)} cells under {len(header)} "
            "columns",
            fix='put a text with a comma in quotes, and aliases as "one | another"',
        )


def _row(line: int, header: Sequence[str], cells: Sequence[str]) -> NameRow:
    names = (cell.strip().casefold() for cell in header)
    found = dict(zip(names, (cell.strip() for cell in cells), strict=False))
    aliases = found.get("aliases", "").replace(";", "|").split("|")
    return NameRow(
        line,
        found.get("name", ""),
        found.get("kind", ""),
        found.get("anchor", ""),
        tuple(alias.strip() for alias in aliases if alias.strip()),
        found.get("parent", ""),
    )


def _usual() -> str:
    return ",".join(COLUMNS[:4])
