r"""Escapes for unprintable characters in untrusted texts.

A terminal obeys control characters, bidirectional marks reorder what is read, and
neither UTF-8 nor XML can encode half a surrogate pair. All of these are escaped as
Python does, ``\x1b`` or ``\u202e``, wherever a text leaves the program: on a terminal,
in JSON, and in every file that is written.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Final

from unlearnlog.core.redaction import in_force

JOINERS: Final = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
"""Invisible, but part of the spelling in some scripts."""

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control, format and surrogate characters; separators of lines and paragraphs."""

_BYTE, _WORD, _PLANE = 0x100, 0x10000, 0xFFFE
_REFUSED_BY_XML: Final = range(0xFDD0, 0xFDF0)

_SUSPECT: Final = re.compile(r"[^\n\x20-\x7e]")


def visible(text: str, *, lines: bool = False) -> str:
    r"""Return a text as it is shown: redacted, its unprintable characters escaped.

    Args:
        text: Any text.
        lines: Whether line breaks are kept.

    Example:
        >>> visible("red \x1b[31mink\x1b[0m")
        'red \\x1b[31mink\\x1b[0m'
    """
    return escaped(in_force().text(text), lines=lines)


def escaped(text: str, *, lines: bool = False) -> str:
    """Return a text with its unprintable characters escaped, and not redacted.

    Args:
        text: Any text.
        lines: Whether line breaks are kept.
    """
    if text.isprintable():
        return text
    return "".join(
        c if (lines and c == "\n") or is_seen(c) else _spelt(c) for c in text
    )


def is_seen(character: str) -> bool:
    """Return whether a character is printable, or joins letters in some scripts."""
    code = ord(character)
    if code & _PLANE == _PLANE or code in _REFUSED_BY_XML:  # no characters at all
        return False
    return character in JOINERS or unicodedata.category(character) not in _UNSEEN


def json_line(data: object, *, encoding: str = "utf-8") -> str:
    r"""Return data as one line of JSON that is safe to write and to show.

    Unprintable characters are escaped, and so are all non-ASCII ones where the encoding
    cannot hold them.

    Args:
        data: A value that `json` can write.
        encoding: Encoding of the output.
    """
    data = in_force().data(data)
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
