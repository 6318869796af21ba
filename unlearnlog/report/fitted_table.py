"""A table that fits its width: words wrap, columns are left out, numbers stay whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import Final

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.style import StyleType
from rich.table import Table
from rich.text import Text

from unlearnlog.core.reading_registry import meaning_of
from unlearnlog.core.visible import visible
from unlearnlog.report.plain_console import as_text, without_controls

WORDS: Final = frozenset(
    {
        *("of", "what", "why", "meaning", "concept", "concepts", "eraser", "attack"),
        *("reading", "controls", "verdict", "share"),
        *("by", "reference", "reason", "limit"),
    }
)
"""Titles of columns of words, which may wrap."""

NUMBERS: Final = frozenset(
    {
        *("value", "n", "base"),
        *(meaning_of(probe).short for probe in ("ua", "ira", "cra", "bound-mi")),
        *("state", "export"),
    }
)
"""Titles of columns of numbers, aligned right."""

GOING: Final = (
    *("meaning", "name", "date", "seed", "eraser", "kind"),
    *(meaning_of("bound-mi").short, "at", "from", "more"),
    *("controls", "in the state", "without it", "base", "back at", "n"),
    *(meaning_of("cra").short, meaning_of("ira").short),
    *(meaning_of("resurgence").title, "change", "95 % interval"),
)
"""Titles of columns that may be left out, in this order."""

_LEAST: Final = 14
"""Least characters of a column of words."""

_TITLE: Final = 14
"""Characters of a title beyond which it wraps."""

_FEWEST: Final = 2
"""Columns that always stay, the first ones."""


class FittedTable(Table):
    """A table that adapts to the width of the terminal.

    On a narrow one the gaps shrink, then columns are left out in the order of `GOING`
    and a line below names them. Where even that is too wide, each row becomes a few
    lines, each with its title.
    """

    def __init__(self, *titles: str, spare: Sequence[str] = ()) -> None:
        """Make a table without rows.

        Args:
            titles: Titles of the columns.
            spare: Titles of columns that may be left out after those of `GOING`.
        """
        super().__init__(box=box.SIMPLE_HEAD, pad_edge=False)
        self._titles, self._going = titles, (*GOING, *spare)
        for title in titles:
            words = title in WORDS
            shown = visible(title)
            self.add_column(
                Text(shown if words else fill(shown, _TITLE)),
                justify="right" if title in NUMBERS else "left",
                overflow="fold",
                no_wrap=not words,
            )

    def add_row(
        self,
        *renderables: RenderableType | None,
        style: StyleType | None = None,
        end_section: bool = False,
    ) -> None:
        """Add a row; its texts are shown as they are, without markup."""
        cells = (as_text(c) if isinstance(c, str) else _shown(c) for c in renderables)
        super().add_row(*cells, style=style, end_section=end_section)

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        """Yield the table as it fits, and the titles of columns left out."""
        every = range(len(self.columns))
        _, right, _, left = self.padding
        if self._needs(every, gap=left + right) <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        kept = self._fitting(options.max_width)
        if not kept:
            yield from self._lines()
            return
        yield self._only(kept)
        if gone := [self._titles[i] for i in every if i not in kept]:
            yield Text(f"no room for: {', '.join(gone)}", style="dim")

    def _fitting(self, wide: int) -> list[int]:
        """Return the indices of columns that stay; none where no choice fits."""
        every = [*range(len(self.columns))]
        for kept in self._fewer():
            if self._needs(kept, gap=1) <= wide:
                break
        else:
            return []
        # A narrow column that went before a wide one has room again.
        for title in reversed(self._going):
            more = sorted({*kept, *(i for i in every if self._titles[i] == title)})
            if self._needs(more, gap=1) <= wide:
                kept = more
        return kept

    def _fewer(self) -> Iterator[list[int]]:
        """Yield the indices of columns that stay: all, then fewer and fewer."""
        kept = [*range(len(self.columns))]
        yield [*kept]
        for title in self._going:
            if len(kept) > _FEWEST and title in self._titles:
                kept = [i for i in kept if self._titles[i] != title]
                yield [*kept]

    def _needs(self, kept: Sequence[int], *, gap: int) -> int:
        """Return the least characters of a line of these columns."""
        edges, between = 2, (gap + 1) * (len(kept) - 1)
        return sum(self._width(i) for i in kept) + edges + between

    def _width(self, i: int) -> int:
        """Return the least characters of one column."""
        column = self.columns[i]
        cells = [_text(column.header), *map(_text, column.cells)]
        widest = max(cell_len(line) for cell in cells for line in cell.split("\n"))
        return min(widest, _LEAST) if self._titles[i] in WORDS else widest

    def _only(self, kept: Sequence[int]) -> Table:
        """Return the same rows with fewer columns, close together."""
        table = FittedTable(*(self._titles[i] for i in kept))
        table.padding = (0, 1, 0, 0)
        for cells in zip(*(self.columns[i].cells for i in kept), strict=True):
            table.add_row(*cells)
        return table

    def _lines(self) -> Iterator[Text]:
        """Yield each row as lines, one a column."""
        for cells in zip(*(column.cells for column in self.columns), strict=True):
            for title, cell in zip(self._titles, cells, strict=True):
                if text := _text(cell):
                    yield Text(f"{title}: {text}", overflow="fold")
            yield Text("")


def _shown(cell: RenderableType | None) -> RenderableType | None:
    """Return a cell with the control characters of its text spelt out."""
    return without_controls(cell) if isinstance(cell, Text) else cell


def _text(cell: object) -> str:
    """Return the text of a cell, without its style."""
    return cell.plain if isinstance(cell, Text) else str(cell)
