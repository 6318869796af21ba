"""The note of an entry: its message, its reference and its author."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from unlearnlog.core.digest import Record
from unlearnlog.errors import UsageError

MAX_MESSAGE: Final = 2000
"""Longest message, in characters."""

MAX_REF: Final = 200
"""Longest reference, name or address, in characters."""

_SHOWN: Final = 24
_JOINERS: Final = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
"""Invisible, but part of the spelling in some scripts."""

_BRACKETS: Final = "<>"

_VARIABLES: Final = {
    "name": ("UNLEARNLOG_AUTHOR_NAME", "GIT_AUTHOR_NAME"),
    "email": ("UNLEARNLOG_AUTHOR_EMAIL", "GIT_AUTHOR_EMAIL"),
}
"""Environment variables for the author; the first that is set counts."""


def _visible(text: str) -> str:
    if _unseen(text) or text != text.strip():
        message = "it holds a character that cannot be seen"
        raise ValueError(message)
    return text


_Message = Annotated[str, Field(max_length=MAX_MESSAGE), AfterValidator(_visible)]
_Line = Annotated[str, Field(max_length=MAX_REF), AfterValidator(_visible)]


class _Sparse(Record):
    """A record whose empty fields are left out of its JSON."""

    @model_serializer(mode="wrap")
    def _leaves_out_what_is_empty(
        self, write: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        return {name: value for name, value in written.items() if value}


class Author(_Sparse):
    """An author, as in git.

    Attributes:
        name: The name.
        email: The address.
    """

    name: _Line = ""
    email: _Line = ""

    @property
    def text(self) -> str:
        """Name and address, as git writes them.

        Example:
            >>> Author(name="Ada Lovelace", email="ada@example.org").text
            'Ada Lovelace <ada@example.org>'
        """
        return f"{self.name} <{self.email}>".strip() if self.email else self.name


class Note(_Sparse):
    """The user's note on an entry.

    Attributes:
        message: The reason.
        ref: The request behind it: a ticket, a letter, a case number.
        author: The author; None where none is configured.
    """

    message: _Message = ""
    ref: _Line = ""
    author: Author | None = None

    @classmethod
    def of(
        cls, message: str = "", ref: str = "", author: Author | None = None
    ) -> Note | None:
        """Return a note of what was typed; None where all of it is empty.

        Raises:
            UsageError: A text is too long, or holds a character that cannot be seen.
        """
        note = cls(
            message=_checked(message, "the message", longest=MAX_MESSAGE),
            ref=_checked(ref, "the reference"),
            author=author,
        )
        return note if note.model_dump() else None

    @property
    def text(self) -> str:
        """Reference and message in one line.

        Example:
            >>> Note(message="asked by the estate", ref="LEG-7").text
            'LEG-7: asked by the estate'
        """
        return ": ".join(filter(None, (self.ref, self.message)))


def cells(note: Note | None) -> tuple[str, str, str]:
    """Return author, reference and message of a note, each empty where missing."""
    if note is None:
        return "", "", ""
    return note.author.text if note.author else "", note.ref, note.message


def author_of(
    config: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> Author | None:
    """Return the author from the environment, or else from a ledger's configuration.

    Name and address are read separately, as git does: ``UNLEARNLOG_AUTHOR_NAME``,
    ``GIT_AUTHOR_NAME``, ``author.name`` of the configuration; the same with ``EMAIL``
    and ``author.email``.

    Args:
        config: The ledger's configuration; other keys are ignored.
        environment: The process's variables; None for `os.environ`.

    Returns:
        The author; None where none is set.

    Raises:
        UsageError: A value is too long, or holds what a name or an address cannot.
    """
    found = os.environ if environment is None else environment
    fields = {}
    for field, variables in _VARIABLES.items():
        places = [(name, found.get(name, "")) for name in variables]
        key = f"author.{field}"
        places.append((key, config.get(key, "")))
        place, value = next(((p, v) for p, v in places if v.strip()), (key, ""))
        fields[field] = _checked(value, place)
        if any(sign in value for sign in _BRACKETS):
            raise UsageError(
                f"{place} is {_quoted(value)}: a name and an address have no < and >",
                fix=f"set {place} to the {_WORDS[field]} alone",
            )
    author = Author(**fields)
    return author if author.model_dump() else None


_WORDS: Final = {"name": "name", "email": "address"}


def merged(notes: Iterable[Note | None]) -> Note | None:
    """Return one note with the texts of several, each once.

    The author is kept where all of them have the same.
    """
    found = [note for note in notes if note is not None]
    authors = {note.author.text: note.author for note in found if note.author}
    message = "; ".join(dict.fromkeys(n.message for n in found if n.message))
    ref = ", ".join(dict.fromkeys(n.ref for n in found if n.ref))
    (author,) = authors.values() if len(authors) == 1 else (None,)
    return Note.of(_cut(message, MAX_MESSAGE), _cut(ref, MAX_REF), author)


def inherited(own: Note | None, others: Iterable[Note | None]) -> Note | None:
    """Return the note of an entry that includes other entries.

    Args:
        own: The command's note; its author counts in any case.
        others: The notes of the included entries, which count where the command was
            given neither a message nor a reference.
    """
    found = merged(others)
    if found is None or (own is not None and own.text):
        return own
    author = (own and own.author) or found.author
    return Note(message=found.message, ref=found.ref, author=author)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def _checked(text: str, what: str, *, longest: int = MAX_REF) -> str:
    """Return a text with single spaces; refuse one that is not valid."""
    if _unseen(text):
        raise UsageError(
            f"{what} {_quoted(text)} holds a character that cannot be seen, such as a "
            "line break",
            fix="write it in one line of letters, digits and signs",
        )
    tidy = " ".join(text.split())
    if len(tidy) > longest:
        raise UsageError(
            f"{what} {_quoted(tidy)} is {len(tidy)} characters long, at most {longest} "
            "are kept",
            fix="use fewer words, and refer to the rest with --ref",
        )
    return tidy


def _unseen(text: str) -> bool:
    """Return whether a text holds control, format, surrogate or line characters."""
    kinds = {unicodedata.category(c) for c in text if c not in _JOINERS}
    return any(kind[0] == "C" or kind in {"Zl", "Zp"} for kind in kinds)


def _quoted(text: str) -> str:
    """Return a text quoted for a message: shortened, invisible characters escaped."""
    short = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return ascii(short) if _unseen(short) else repr(short)
