r"""Fonts that have the glyphs of a text, and a legible spelling where none has.

The fonts that ship with matplotlib cover Latin, Greek, Cyrillic and Arabic. Other
glyphs come from fonts of the system; a character that no font has is written as
``\u5317`` instead of as an empty box.
"""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final

from unlearnlog.core.visible import visible

PLAIN: Final = "DejaVu Sans"
"""The first font; it ships with matplotlib."""

_NAMED: Final = 8
"""Characters that a warning names."""

_VARIANTS: Final = range(0xFE00, 0xFE10)
"""Variation selectors: they choose among pictures of the character before them."""

_NO_TEXT: Final = ("cm", "STIXSize", "STIXNonUnicode", "Last Resort")
"""Beginnings of names of fonts that hold parts of formulas, or boxes."""


@dataclass(frozen=True)
class Font:
    """A font file.

    Attributes:
        family: The name of the font.
        path: The path of the file.
    """

    family: str
    path: str

    @property
    def glyphs(self) -> frozenset[str]:
        """The characters of the font."""
        return _glyphs(self.path)


@dataclass(frozen=True)
class FontChoice:
    """The fonts for some texts.

    Attributes:
        fonts: The fonts, in order of precedence.
        missing: Characters that none of them has.
    """

    fonts: tuple[Font, ...]
    missing: frozenset[str]

    def spelt(self, text: str) -> str:
        """Return a text with an escape for each character that no font has."""
        return "".join(self._spelt(visible(" ".join(text.split()))))

    def _spelt(self, text: str) -> Iterator[str]:
        """Yield each character or its escape; a mark needs the font of its letter."""
        letter = " "
        for c in text:
            is_mark = unicodedata.category(c)[0] == "M"
            letter = letter if is_mark else c
            alone = is_mark and c not in self.font_of(letter).glyphs
            yield _escape(c) if c in self.missing or alone else c

    def font_of(self, character: str) -> Font:
        """Return the first font that has a character; the plain one if none has."""
        found = (font for font in self.fonts if character in font.glyphs)
        return next(found, self.fonts[0])


def fonts_for(texts: Iterable[str]) -> FontChoice:
    """Return fonts for some texts, and warn once of missing characters.

    Args:
        texts: All texts of one picture.
    """
    plain = _plain()
    shown = (visible(" ".join(text.split())) for text in texts)
    wanted = {c for text in shown for c in text if not c.isspace()} - plain.glyphs
    fonts = [plain]
    others = _system() if wanted else ()
    while wanted:
        best = max(others, key=lambda font: len(wanted & font.glyphs), default=plain)
        if not wanted & best.glyphs:
            break
        fonts.append(best)
        wanted -= best.glyphs
    unknown = sorted(c for c in wanted if _escape(c))
    if unknown:
        named = " ".join(unknown[:_NAMED])
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        warnings.warn(
            f"no font on this machine has {named}{more}: written as "
            f"{_escape(unknown[0])}; install a font that has, such as one of Noto Sans",
            stacklevel=2,
        )
    return FontChoice(tuple(fonts), frozenset(wanted))


@contextmanager
def matplotlib_fonts(texts: Iterable[str]) -> Iterator[FontChoice]:
    """Set matplotlib's fonts for some texts, and switch off mathematics between ``$``.

    It applies to figures that are drawn and saved within the context.
    """
    from matplotlib import rc_context

    found = fonts_for(texts)
    families = [font.family for font in found.fonts]
    with rc_context({"font.family": families, "text.parse_math": False}):
        yield found


def _escape(character: str) -> str:
    """Return the escape of a character; empty for an invisible one."""
    code = ord(character)
    if unicodedata.category(character) == "Cf" or code in _VARIANTS:
        return ""
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _plain() -> Font:
    """Return the font that ships with matplotlib."""
    from matplotlib.font_manager import findfont

    return Font(PLAIN, str(findfont(PLAIN)))


@cache
def _glyphs(path: str) -> frozenset[str]:
    """Return the characters of a font file."""
    from matplotlib.ft2font import FT2Font

    return frozenset(map(chr, FT2Font(path).get_charmap()))


def _system() -> tuple[Font, ...]:
    """Return the scalable fonts of the system, upright ones first."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    known = {entry.fname for entry in fontManager.ttflist}
    for path in sorted(set(findSystemFonts()) - known):
        _add(path)
    listed = [e for e in fontManager.ttflist if not e.name.startswith(_NO_TEXT)]
    listed.sort(key=lambda e: (e.style != "normal", e.weight != 400, e.name, e.fname))
    return tuple(Font(e.name, e.fname) for e in listed if _is_drawable(e.fname))


def _add(path: str) -> None:
    """Add a font to matplotlib's list, which is older than the font."""
    from matplotlib.font_manager import fontManager

    try:
        fontManager.addfont(path)
    except (OSError, RuntimeError, ValueError):  # FreeType cannot read it
        return


@cache
def _is_drawable(path: str) -> bool:
    """Return whether a font is scalable: outlines in one colour."""
    from matplotlib.ft2font import FaceFlags, FT2Font

    try:
        face = FT2Font(path)
    except (OSError, RuntimeError, ValueError):
        return False
    return (
        bool(face.face_flags & FaceFlags.SCALABLE) and "Color" not in face.family_name
    )
