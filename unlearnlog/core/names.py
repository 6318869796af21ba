"""Names of concepts: checks, equal spellings and slugs."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from unlearnlog.errors import ConceptError

_SHOWN: Final = 24
_BETWEEN: Final = re.compile(r"[,;\n\r]")
_SPELLING: Final = re.compile(r"w+(?:(?:[-'\u2019. ]|\. )w+)*\.?")
"""Words, each letter a ``w``, separated by single marks of spelling."""


def folded(name: str) -> str:
    """Return the one form that all spellings of a name share.

    Case, the number of spaces, and composed or combining accents make no difference.
    """
    found = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(unicodedata.normalize("NFKC", found).split())


def slug(name: str) -> str:
    """Return the words of a name, lower case, with hyphens between; may be empty.

    Example:
        >>> slug("Vincent  van Gogh"), slug("C++")
        ('vincent-van-gogh', 'c')
    """
    words = "".join(c if is_word(c) else " " for c in folded(name)).split()
    return "-".join(words)


def is_spelled_out(name: str) -> bool:
    """Return whether the slug of a name determines it, unlike ``C#`` or ``<cat>``.

    Hyphens, apostrophes, full stops and spaces inside of a name are marks of spelling;
    any other mark, or one of these at the beginning, is a part of the name.
    """
    plain = "".join("w" if is_word(c) else c for c in folded(name))
    return _SPELLING.fullmatch(plain) is not None


def one_name(*texts: str) -> None:
    """Refuse texts of which one does not name one concept.

    Raises:
        ConceptError: A text is a list of names, or the name of a file with ``@`` before
            it.
    """
    for text in texts:
        _check_one(text)


def _check_one(text: str) -> None:
    if text.lstrip().startswith("@"):
        raise ConceptError(
            f"{shown(text)} is a file of names, not one name",
            fix='name the concepts themselves: --batch "Picasso" "Monet"; or describe '
            "them in a .toml file, see docs/CONCEPTS.md, and give it with --concepts "
            "FILE",
        )
    if _BETWEEN.search(text):
        names = [part.strip() for part in _BETWEEN.split(text) if part.strip()]
        each = " ".join(f'"{name}"' for name in names) or '"Picasso" "Monet"'
        raise ConceptError(
            f"{shown(text)} is a list, not one name",
            fix=f"give each name by itself: --batch {each}; or describe them in a "
            ".toml file, see docs/CONCEPTS.md, and give it with --concepts FILE",
        )


def is_word(character: str) -> bool:
    """Return whether a character is a letter, a mark on a letter, or a number."""
    return unicodedata.category(character)[0] in "LMN"


def has_controls(text: str) -> bool:
    """Return whether a text holds control, format, surrogate or line characters."""
    return any(
        unicodedata.category(c)[0] == "C" or unicodedata.category(c) in {"Zl", "Zp"}
        for c in text
    )


def shown(text: str) -> str:
    """Return a text quoted for a message: shortened, invisible characters escaped."""
    short = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return ascii(short) if has_controls(short) else repr(short)
