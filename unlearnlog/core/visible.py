r"""Texts of strangers as they may be shown: every character of them can be seen.

A terminal obeys control characters, a reader is misled by what turns the direction of
writing around, and neither UTF-8 nor XML has room for half a surrogate pair. All of
these are spelt as Python spells them, ``\x1b`` or ``\u202e``, wherever a text leaves
the program: on a terminal, in JSON, and in every file that is written.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Final

JOINERS: Final = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
"""Unseen, and yet letters of names: some scripts are not written without them."""

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control, format and surrogate characters; separators of lines and paragraphs."""

_BYTE, _WORD, _PLANE = 0x100, 0x10000, 0xFFFE
_REFUSED_BY_XML: Final = range(0xFDD0, 0xFDF0)

_SUSPECT: Final = re.compile(r"[^\n\x20-\x7e]")


def visible(text: str, *, lines: bool = False) -> str:
    r"""Return a text in which whatever cannot be seen is spelt out.

    Args:
        text: Anybody's text.
        lines: Whether line breaks stay what they are.

    Example:
        >>> visible("red \x1b[31mink\x1b[0m")
        'red \\x1b[31mink\\x1b[0m'
    """
    if text.isprintable():
        return text
    return "".join(
        c if (lines and c == "\n") or is_seen(c) else _spelt(c) for c in text
    )


def is_seen(character: str) -> bool:
    """Whether a character is seen, or joins letters as some scripts need it."""
    code = ord(character)
    if code & _PLANE == _PLANE or code in _REFUSED_BY_XML:  # no characters at all
        return False
    return character in JOINERS or unicodedata.category(character) not in _UNSEEN


def json_line(data: object, *, encoding: str = "utf-8") -> str:
    r"""Write data as one line of JSON that can be written and shown anywhere.

    It means what the data says: what cannot be seen is escaped as JSON escapes it, and
    so is everything but ASCII where an encoding has no letters for all of it.

    Args:
        data: What `json` can write.
        encoding: Of what it is written to.
    """
    text = json.dumps(data, ensure_ascii=False)
    if not text.isprintable():
        text = _SUSPECT.sub(_escaped, text)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(data)
    return text


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    return character if is_seen(character) else json.dumps(character)[1:-1]


def _spelt(character: str) -> str:
    code = ord(character)
    short = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(character)
    if short:
        return short
    if code < _BYTE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < _WORD else f"\\U{code:08x}"
