"""A console that prints texts as they are: no markup, no emoji codes, no escapes."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Span, Text

from unlearnlog.core.redaction import in_force
from unlearnlog.core.visible import escaped, visible


class PlainConsole(Console):
    """A console that shows names, paths and messages as they are.

    Colour comes from the package's own styles alone. All output passes through
    `render`, which spells out control characters, above all escapes of terminals.
    Rich drops bells and returns of a bare string before that: texts that may hold them
    are given as `as_text`.
    """

    def __init__(
        self, *, stderr: bool = False, force_terminal: bool | None = None
    ) -> None:
        """Open standard output or standard error.

        Args:
            stderr: Whether to write to standard error.
            force_terminal: Whether it is a terminal; None to detect it.
        """
        super().__init__(
            stderr=stderr,
            force_terminal=force_terminal,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the segments of a renderable, with control characters spelt out."""
        if isinstance(renderable, str):
            renderable = Text(visible(renderable, lines=True))
        elif isinstance(renderable, Text):
            renderable = without_controls(renderable)
        return super().render(renderable, options)

    def on_broken_pipe(self) -> None:
        """Raise the error of a closed pipe, for the caller to handle."""
        raise


def as_text(text: str, style: str = "") -> Text:
    """Return a text for a table, with control characters spelt out."""
    return Text(visible(text, lines=True), style=style)


def without_controls(text: Text) -> Text:
    """Return a text as it is shown, with its styles kept: see `visible`."""
    plain = text.plain
    if visible(plain, lines=True) == plain:
        return text
    shown = [escaped(each, lines=True) for each in in_force().by_character(plain)]
    starts = [0]
    for each in shown:
        starts.append(starts[-1] + len(each))
    found = text.blank_copy("".join(shown))
    last = len(plain)
    found.spans = [
        Span(starts[min(s.start, last)], starts[min(s.end, last)], s.style)
        for s in text.spans
    ]
    return found
