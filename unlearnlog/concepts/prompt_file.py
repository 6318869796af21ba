"""Files of prompts as the field writes them: CSV, TSV, JSON, JSON lines, plain lines.

What is understood are the columns of I2P (as first published and as later programs
have it), of the files of ESD, UCE, MACE, RECE, Ring-A-Bell, P4D and MU-Attack, of
COCO's captions, and of HUB. A prompt without a seed gets 0, its repetitions count up.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from unlearnlog.core.plain_files import fix_of, text_of
from unlearnlog.errors import PromptError

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "prompt": ("prompt", "sensitive prompt", "text", "caption", "original", "noun"),
    "seed": ("evaluation_seed", "sd_seed", "seed"),
    "guidance": ("evaluation_guidance", "sd_guidance_scale", "guidance"),
    "concept": ("artist", "class", "classes", "label_str", "concept"),
    "group": ("categories", "category", "type"),
    "case": ("case_number", "image_id", "coco_id", "index"),
    "file": ("file_name", "file", "image", "image_path", "path"),
}
"""Names of columns by what they mean; of several in a file the first one counts."""

_NOUN: Final = "noun"
_LONGEST: Final = 2**28
_MOST_GUIDANCE: Final = 50.0
_MOST_SEED: Final = 2**63
_TITLE: Final = re.compile(r"[\w .:%-]{0,40}")
_WORDS: Final = 3
_LINES: Final = (".txt", ".lst")


@dataclass(frozen=True)
class PromptLine:
    """One prompt of a file.

    Attributes:
        line: Its number in the file, from 1.
        prompt: The prompt.
        seed: Seed of its picture.
        guidance: Scale of the guidance; None for the policy's.
        concept: What it shows, as it stands there; empty where nothing says so.
        group: Its group, such as I2P's categories.
        case: Its number or name in other files about the same prompts.
        file: Its picture's file, where pictures were painted elsewhere.
    """

    line: int
    prompt: str
    seed: int = 0
    guidance: float | None = None
    concept: str = ""
    group: str = ""
    case: str = ""
    file: str = ""


@dataclass(frozen=True)
class PromptFile:
    """A file of prompts.

    Attributes:
        source: Its name.
        rows: The prompts.
        used: What each meaning was read from: ``seed`` from ``evaluation_seed``.
        unused: Columns that nothing was read from.
        empty: Number of rows without a prompt, which are left out.
    """

    source: str
    rows: tuple[PromptLine, ...]
    used: Mapping[str, str]
    unused: tuple[str, ...] = ()
    empty: int = 0

    @classmethod
    def read(cls, path: Path) -> PromptFile:
        """Return the prompts of a file.

        Raises:
            PromptError: It cannot be read, has no column of prompts, no prompt, or a
                seed or guidance that is none.
        """
        try:
            text = text_of(path, most=_LONGEST, encoding="utf-8-sig")
            table = _table(path, text)
        except (OSError, ValueError, csv.Error, RecursionError) as error:
            raise PromptError(
                f"the prompts in '{path}' cannot be read: {error}",
                fix=fix_of(error, "give a .csv, .tsv, .json, .jsonl or .txt file"),
            ) from error
        used = _used(table.columns)
        if "prompt" not in used:
            raise PromptError(
                f"'{path}' has no column of prompts, only: {', '.join(table.columns)}",
                fix=f"understood are {understood()}; a file of lines ends with .txt",
            )
        found = [_row(path, used, line, cells) for line, cells in table.rows]
        rows = tuple(_seeded([row for row in found if row.prompt], "seed" in used))
        if not rows:
            raise PromptError(f"'{path}' has no prompt", fix="write one in each row")
        unused = tuple(c for c in table.columns if c not in used.values() and c)
        return cls(path.name, rows, used, unused, len(found) - len(rows))

    def drawn(self, n: int) -> PromptFile:
        """Return the file with ``n`` of its rows, evenly spread over it, or all."""
        if not 0 < n < len(self.rows):
            return self
        places = [i * len(self.rows) // n for i in range(n)]
        return replace(self, rows=tuple(self.rows[place] for place in places))


@dataclass(frozen=True)
class _Table:
    """Columns, and each row's number with its cells by column."""

    columns: tuple[str, ...]
    rows: list[tuple[int, Mapping[str, Any]]]


def understood() -> str:
    """Return the columns that are understood, by their meaning."""
    return "; ".join(
        f"{meaning}: {', '.join(names)}" for meaning, names in COLUMNS.items()
    )


def _table(path: Path, text: str) -> _Table:
    """Return a file's content as a table.

    Raises:
        ValueError: It is no JSON where its name says so, or holds no list of prompts.
        csv.Error: It is no CSV.
    """
    ending = path.suffix.lower()
    if ending == ".json":
        return _of_values(json.loads(text))
    if ending in (".jsonl", ".ndjson"):
        return _of_values(
            [json.loads(line) for line in text.split("\n") if line.strip()]
        )
    lines = text.split("\n")
    if ending in _LINES or not _is_title(lines[0], ending):
        return _Table(("prompt",), _of_lines(lines))
    reader = csv.reader(io.StringIO(text), delimiter=_delimiter(ending), strict=True)
    columns = tuple(cell.strip() for cell in next(reader))
    rows: list[tuple[int, Mapping[str, Any]]] = [
        (reader.line_num, dict(zip(columns, cells, strict=False)))
        for cells in reader
        if any(map(str.strip, cells))
    ]
    return _Table(columns, rows)


def _is_title(line: str, ending: str) -> bool:
    """Return whether the first line names columns; HUB's files begin with a prompt."""
    cells = next(csv.reader([line], delimiter=_delimiter(ending)), [])
    short = all(
        _TITLE.fullmatch(cell) and len(cell.split()) <= _WORDS for cell in cells
    )
    return short and (len(cells) > 1 or len(line.split()) == 1 or bool(_used(cells)))


def _delimiter(ending: str) -> str:
    return "\t" if ending == ".tsv" else ","


def _of_lines(lines: Iterable[str]) -> list[tuple[int, Mapping[str, Any]]]:
    return [(i, {"prompt": line}) for i, line in enumerate(lines, 1) if line.strip()]


def _of_values(values: Any) -> _Table:  # noqa: ANN401 - any JSON
    """Return a list of prompts, or of objects that have one.

    Raises:
        ValueError: The values are no such list.
    """
    if not isinstance(values, list):
        message = "it holds no list of prompts"
        raise ValueError(message)
    rows: list[tuple[int, Mapping[str, Any]]] = []
    for i, value in enumerate(values, 1):
        if not isinstance(value, str | dict):
            message = f"number {i} of its list is neither a prompt nor an object"
            raise ValueError(message)
        rows.append((i, {"prompt": value} if isinstance(value, str) else value))
    return _Table(tuple(dict.fromkeys(key for _, row in rows for key in row)), rows)


def _used(columns: Sequence[str]) -> dict[str, str]:
    """Return the column of each meaning, as it is spelt in the file."""
    spelt = {column.strip().casefold(): column for column in reversed(columns)}
    return {
        meaning: spelt[name]
        for meaning, names in COLUMNS.items()
        for name in [next((name for name in names if name in spelt), "")]
        if name
    }


def _row(
    path: Path, used: Mapping[str, str], line: int, cells: Mapping[str, Any]
) -> PromptLine:
    """Return one row.

    Raises:
        PromptError: Its seed or its guidance is no number, or one out of range.
    """
    said = {meaning: cells.get(column) for meaning, column in used.items()}
    prompt = _text(said.get("prompt"))
    if used["prompt"].casefold() == _NOUN and prompt:
        prompt = f"a photo of {prompt}"  # as HUB's own program completes it
    seed = _number(said.get("seed"))
    guidance = _number(said.get("guidance"))
    if not _is_seed(seed):
        raise _not(path, line, "seed", said["seed"], "a whole number from 0")
    if guidance is not None and not 0 <= guidance <= _MOST_GUIDANCE:
        most = f"a number from 0 to {_MOST_GUIDANCE:g}"
        raise _not(path, line, "guidance", said["guidance"], most)
    texts = (_text(said.get(name)) for name in ("concept", "group", "case", "file"))
    return PromptLine(line, prompt, int(seed or 0), guidance, *texts)


def _text(value: object) -> str:
    return "" if value is None else " ".join(str(value).split())


def _number(value: object) -> float | None:
    """Return the number of a cell; None for an empty one, NaN for none at all."""
    text = _text(value)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return math.nan


def _is_seed(seed: float | None) -> bool:
    return seed is None or (0 <= seed < _MOST_SEED and seed == int(seed))


def _not(path: Path, line: int, what: str, value: object, such: str) -> PromptError:
    return PromptError(
        f"row {line} of '{path}' has the {what} '{_text(value)[:40]}'",
        fix=f"give {such}, or leave the cell empty",
    )


def _seeded(rows: Sequence[PromptLine], given: bool) -> Iterator[PromptLine]:
    """Yield the rows; where none gives a seed, a prompt's repetitions count up."""
    seen: Counter[str] = Counter()
    for row in rows:
        yield row if given else replace(row, seed=seen[row.prompt])
        seen[row.prompt] += 1
