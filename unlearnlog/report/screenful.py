"""The result of a command that records an entry, in one screen of a terminal.

The verdict stands first, then the readings that a decision needs, then the commands
that show all of them and that take the entry back. Long names are cut; no number is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from unlearnlog.core.active import ERASING
from unlearnlog.core.visible import visible
from unlearnlog.findings.headlines import Headline, LookAlike, headlines, reasons
from unlearnlog.report.formatting import MARK
from unlearnlog.report.reading_rows import numbers_of

if TYPE_CHECKING:
    from unlearnlog.core.entry import Entry

ROWS: Final = 24
"""Rows of a screenful, at most, on a terminal of 60 characters."""

_NAMES: Final = 3
"""Names or reasons that are listed; further ones are counted."""

_NAME: Final = 24
"""Characters of a name in the verdict."""

_REASON: Final = 48
"""Characters of a reason in the verdict."""

_VERDICT: Final = 3
"""Rows of a verdict, at most."""

_LABEL: Final = 14
"""Least characters of a label beside its numbers."""

_STYLE: Final = {"passed": "bold green", "failed": "bold red", "undecided": "yellow"}
_HEAD: Final = ("value", "95 % interval", "n", "limit")


@dataclass(frozen=True)
class Screenful:
    """A renderable of one entry in a screen.

    Attributes:
        entry: The entry, recorded or refused.
        result: The result, such as ``Picasso is erased``.
        look_alike: Returns the look-alike of a concept.
        notes: Further lines.
        back: The command that takes the entry back; empty for none.
    """

    entry: Entry
    result: str
    look_alike: LookAlike = lambda _: None
    notes: Sequence[str] = ()
    back: str = ""

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        """Yield the lines, none wider than the terminal."""
        lines = self._lines(options.max_width, most=2)
        if len(lines) > ROWS:
            lines = self._lines(options.max_width, most=1)
        yield from lines

    def _lines(self, wide: int, *, most: int) -> list[Text]:
        """Return the lines; a label wider than its column has ``most`` rows."""
        chosen = headlines(self.entry, self.look_alike)
        mark, verdict = _verdict(self.entry, self.result, reasons(self.entry, chosen))
        rows = _rows(visible(f"{MARK[mark]} {verdict}"), wide, most=_VERDICT)
        lines = [Text(row, style=_STYLE[mark]) for row in rows]
        lines += _table(chosen, wide, most=most)
        for note in self.notes:
            lines += map(Text, _rows(visible(note), wide, most=2))
        if self.entry.verdict.may_stand:
            short = self.entry.id[:12]
            lines += _fold(f"all of it:    unlearnlog show {short}", wide)
            lines += _fold(f"take it back: {self.back}", wide) if self.back else ()
        return lines


def some_of(texts: Sequence[str], longest: int = _NAME) -> str:
    """Return a list of a few texts, each cut, and the number of further ones.

    Example:
        >>> some_of(["Monet", "Klimt", "cat", "dog"])
        'Monet, Klimt, cat and 1 more'
    """
    shown = ", ".join(_cut(visible(text), longest) for text in texts[:_NAMES])
    rest = len(texts) - _NAMES
    return f"{shown} and {rest} more" if rest > 0 else shown


def _verdict(entry: Entry, result: str, why: Sequence[str]) -> tuple[str, str]:
    """Return the verdict's word and its sentence."""
    own = () if entry.eraser.name == entry.kind else (f"by {entry.eraser.name}",)
    how = " ".join((*own, f"in {entry.seconds:.0f} s"))
    by = "no policy" if entry.policy == "none" else f"policy {entry.policy}"
    open_ = some_of(why, _REASON)
    if not entry.verdict.may_stand:
        names = some_of([concept.name for concept in entry.concepts])
        word = "failed" if entry.verdict.failures else "undecided"
        fault = "fails" if entry.verdict.failures else "undecided"
        return word, f"refused, nothing recorded: {names} {how}; {by}; {fault}: {open_}"
    short = f"entry {entry.id[:12]}"
    if why:
        doubt = "IN DOUBT" if entry.kind in ERASING else "ACCEPTED"
        return "undecided", f"{result} {doubt}, {short} {how}; {by}; not met: {open_}"
    held = f"{by} holds" if entry.readings else "nothing was measured"
    return "passed", f"{result}: {short} {how}; {held}"


def _table(lines: Sequence[Headline], wide: int, *, most: int) -> Iterator[Text]:
    """Yield the readings with their numbers in the columns that fit."""
    if not lines:
        return
    cells = [_cells(line) for line in lines]
    widths = [max(map(cell_len, column)) for column in zip(_HEAD, *cells, strict=True)]
    labels = [_label(line) for line in lines]
    wanted = max(cell_len(_joined(*each)) for each in labels)
    for n_cells, gap in ((4, 2), (4, 1), (3, 1)):
        room = wide - 2 - sum(widths[:n_cells]) - gap * n_cells
        if room >= (wanted if gap == 2 else _LABEL):
            break
    else:
        yield from _stacked(lines, cells, wide)
        return
    room = min(room, wanted)
    head = _row(_HEAD[:n_cells], widths, gap)
    yield Text(f"  {' ' * room}{head}".rstrip(), style="dim")
    for line, (title, name), each in zip(lines, labels, cells, strict=True):
        extra = "" if n_cells == len(each) else each[-1]
        first, second = _two(title, name, room, wide - 4, extra)
        if most == 1:
            first, second = _cut(_joined(title, name), room), ""
        numbers = _row(each[:n_cells], widths, gap)
        yield _marked(line, f"{set_cell_size(first, room)}{numbers}".rstrip())
        if second:
            yield Text(f"    {second}")


def _stacked(
    lines: Sequence[Headline], cells: Sequence[Sequence[str]], wide: int
) -> Iterator[Text]:
    """Yield each reading as two rows, its name above its numbers."""
    for line, (value, interval, n, limit) in zip(lines, cells, strict=True):
        yield _marked(line, _cut(_joined(*_label(line)), max(wide - 2, 1)))
        numbers = f"  {value} ({interval}, n {n})"
        more = f"{numbers} {limit}".rstrip()
        yield from _fold(more if cell_len(more) <= wide else numbers, wide)


def _marked(line: Headline, text: str) -> Text:
    """Return a line with the sign of its limit's verdict."""
    word = line.bound.word if line.bound else ""
    sign = MARK[word] if word else " "
    return Text.assemble((f"{sign} ", _STYLE.get(word, "")), text)


def _label(line: Headline) -> tuple[str, str]:
    """Return title and concept of a reading."""
    is_nats = line.reading.unit == "nats" and "nats" not in line.title
    unit = " (nats)" if is_nats else ""
    return f"{line.counted}{unit}", visible(line.name)


def _joined(title: str, name: str) -> str:
    """Return title and concept as one label."""
    return f"{title}: {name}" if name else title


def _cells(line: Headline) -> tuple[str, str, str, str]:
    """Return value, interval, n and limit; without a limit the base's value."""
    _, value, interval, n, base = numbers_of(line.reading)
    asks = f"base {base}" if base else ""
    if line.bound is not None:
        asks = line.bound.asks
    return value.partition(" ")[0], interval, n, asks


def _row(cells: Sequence[str], widths: Sequence[int], gap: int) -> str:
    """Return cells in their columns, value and n aligned right."""
    padded = (
        cell.rjust(width) if title in ("value", "n") else cell.ljust(width)
        for title, cell, width in zip(_HEAD, cells, widths, strict=False)
    )
    return "".join(f"{' ' * gap}{cell}" for cell in padded)


def _two(title: str, name: str, room: int, below: int, extra: str) -> tuple[str, str]:
    """Return the part of a label beside its numbers, and the part below."""
    whole = _joined(title, name)
    if cell_len(whole) <= room:
        return whole, extra
    if name and cell_len(title) < room:
        first, rest = f"{title}:", name
    else:
        first, *others = _rows(whole, room, most=2)
        rest = whole[len(first) :].strip() if others else ""
    tail = f"; {extra}" if extra and rest else extra
    return first, f"{_cut(rest, below - cell_len(tail))}{tail}"


def _rows(text: str, wide: int, *, most: int) -> list[str]:
    """Return a text as rows, broken at spaces; the last row is cut."""
    found: list[str] = []
    rest = text
    while rest and len(found) < most - 1:
        row = chop_cells(rest, wide)[0]
        if len(row) < len(rest) and " " in row.rstrip() and rest[len(row)] != " ":
            row = row[: row.rstrip().rindex(" ")]
        found.append(row.rstrip())
        rest = rest[len(row) :].lstrip()
    return [*found, _cut(rest, wide)] if rest else found


def _cut(text: str, wide: int) -> str:
    """Return a text cut to a width."""
    if cell_len(text) <= wide:
        return text
    return f"{chop_cells(text, max(wide - 1, 1))[0]}…" if wide > 0 else ""


def _fold(text: str, wide: int) -> Iterator[Text]:
    """Yield the rows of a text, uncut."""
    yield from map(Text, _rows(text, wide, most=len(text) + 1))
