"""A console to which every text is a text: no markup, no emoji codes, no escapes."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Span, Text

from unlearnlog.core.visible import visible


class PlainConsole(Console):
    """A console that shows names, paths and messages of anybody as they are.

    Colour comes from styles of our own alone. Whatever is printed passes through
    `render`, so what cannot be seen, an escape of a terminal above all, is spelt out
    there, whoever printed it. (Of a bare text rich leaves bells and returns out before
    that: what may hold them is given as `as_text`.)
    """

    def __init__(
        self, *, stderr: bool = False, force_terminal: bool | None = None
    ) -> None:
        """Say which stream, and whether it is a terminal; None to find out."""
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
        """Yield what is written for one thing that is shown."""
        if isinstance(renderable, str):
            renderable = Text(visible(renderable, lines=True))
        elif isinstance(renderable, Text):
            renderable = cleaned(renderable)
        return super().render(renderable, options)

    def on_broken_pipe(self) -> None:
        """Let whoever printed decide what it means that nobody reads on."""
        raise


def as_text(text: str, style: str = "") -> Text:
    """Return anybody's text for a table: as wide as it will be when it is shown."""
    return Text(visible(text, lines=True), style=style)


def cleaned(text: Text) -> Text:
    """Return a text in which everything can be seen, styled as before."""
    plain = text.plain
    if plain.isprintable():
        return text
    shown = [visible(each, lines=True) for each in plain]
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
