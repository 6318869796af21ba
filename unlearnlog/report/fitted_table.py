"""A table that fits its width: words wrap, columns go, no number is ever cut."""

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
from unlearnlog.report.plain_console import as_text, cleaned

WORDS: Final = frozenset(
    {
        *("of", "what", "why", "meaning", "concept", "concepts", "eraser", "attack"),
        *("reading", "controls", "verdict", "share"),
        *("by", "reference", "reason", "limit"),
    }
)
"""Titles of columns that hold words, which may be broken over lines."""

NUMBERS: Final = frozenset(
    {
        *("value", "n", "base"),
        *(meaning_of(probe).short for probe in ("ua", "ira", "cra", "bound-mi")),
        *("state", "export"),
    }
)
"""Titles of columns whose numbers stand below each other."""

GOING: Final = (
    *("meaning", "name", "date", "seed", "eraser", "kind"),
    *(meaning_of("bound-mi").short, "at", "from", "more"),
    *("controls", "in the state", "without it", "base", "back at", "n"),
    *(meaning_of("cra").short, meaning_of("ira").short),
    *(meaning_of("resurgence").title, "change", "95 % interval"),
)
"""Titles of columns that can be spared, the most dispensable first."""

_LEAST: Final = 14
"""Characters below which a column of words is not narrowed."""

_TITLE: Final = 14
"""Characters of a title beyond which it is broken."""

_FEWEST: Final = 2
"""Columns that always stay."""


class FittedTable(Table):
    """Rows under titles; what is in one depends on how wide the terminal is.

    Where there is room for less, the gaps shrink, then columns go in the order of
    `GOING` and a line below names them. Where even that is too wide, each row becomes
    a few lines, each with its title.
    """

    def __init__(self, *titles: str, spare: Sequence[str] = ()) -> None:
        """Begin without rows.

        Args:
            titles: Of the columns.
            spare: Titles that can go beside those of `GOING`, after them.
        """
        super().__init__(box=box.SIMPLE_HEAD, pad_edge=False)
        self._titles, self._going = titles, (*GOING, *spare)
        for title in titles:
            words = title in WORDS
            seen = visible(title)
            self.add_column(
                Text(seen if words else fill(seen, _TITLE)),
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
        """Add a row; a text in it is a text, whatever signs it holds."""
        cells = (as_text(c) if isinstance(c, str) else _seen(c) for c in renderables)
        super().add_row(*cells, style=style, end_section=end_section)

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        """Yield the table as it fits, and what was left out of it."""
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
        """Return which columns stay; none where no choice of them fits."""
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
        """Yield which columns stay: all, then fewer and fewer."""
        kept = [*range(len(self.columns))]
        yield [*kept]
        for title in self._going:
            if len(kept) > _FEWEST and title in self._titles:
                kept = [i for i in kept if self._titles[i] != title]
                yield [*kept]

    def _needs(self, kept: Sequence[int], *, gap: int) -> int:
        """Return how many characters a line of these columns takes at the least."""
        edges, between = 2, (gap + 1) * (len(kept) - 1)
        return sum(self._width(i) for i in kept) + edges + between

    def _width(self, i: int) -> int:
        """Return how wide one column is at the least."""
        column = self.columns[i]
        cells = [_said(column.header), *map(_said, column.cells)]
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
                if said := _said(cell):
                    yield Text(f"{title}: {said}", overflow="fold")
            yield Text("")


def _seen(cell: RenderableType | None) -> RenderableType | None:
    return cleaned(cell) if isinstance(cell, Text) else cell


def _said(cell: object) -> str:
    """Return what a cell says, without its style."""
    return cell.plain if isinstance(cell, Text) else str(cell)
