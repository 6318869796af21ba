"""Lines of text on a picture, in fonts that have their glyphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Final

from PIL import ImageFont
from PIL.ImageDraw import ImageDraw

from unlearnlog.report.fonts import Font, FontChoice, fonts_for

_SIZE: Final = 13
_LINE: Final = 18


@dataclass(frozen=True)
class PictureText:
    """A writer of the texts of one picture.

    Attributes:
        letters: The fonts.
    """

    letters: FontChoice

    @classmethod
    def of(cls, texts: Iterable[str]) -> PictureText:
        """Return a writer of some texts; warn of characters that no font has."""
        return cls(fonts_for(texts))

    def lines(self, text: str, width: int) -> list[str]:
        """Return a text as lines of at most ``width`` pixels."""
        lines = [""]
        for word in self.letters.spelt(text).split():
            for part in self._parts(word, width):
                longer = f"{lines[-1]} {part}".strip()
                if self._wide(longer) <= width:
                    lines[-1] = longer
                else:
                    lines.append(part)
        return lines

    def write(
        self, draw: ImageDraw, at: tuple[int, int], lines: Sequence[str], *, fill: str
    ) -> None:
        """Write lines below each other, from the upper left corner ``at``."""
        for i, line in enumerate(lines):
            x = float(at[0])
            for font, part in self._runs(line):
                place = x, at[1] + i * _LINE
                draw.text(place, part, fill=fill, font=_face(font), anchor="la")
                x += _face(font).getlength(part)

    def _parts(self, word: str, width: int) -> Iterator[str]:
        """Yield a word, or its parts where it is wider than a line."""
        while word:
            n = len(word)
            while n > 1 and self._wide(word[:n]) > width:
                n -= 1
            yield word[:n]
            word = word[n:]

    def _wide(self, line: str) -> float:
        """Return the width of a line, in pixels."""
        return sum(_face(font).getlength(part) for font, part in self._runs(line))

    def _runs(self, line: str) -> Iterator[tuple[Font, str]]:
        """Yield parts of a line, each of one font."""
        for font, part in groupby(line, self.letters.font_of):
            yield font, "".join(part)


@cache
def _face(font: Font) -> ImageFont.FreeTypeFont:
    """Return a loaded font."""
    return ImageFont.truetype(font.path, _SIZE)
