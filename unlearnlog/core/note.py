"""Why an entry was recorded, on whose request, and by whom."""

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
"""Unseen, and yet letters of names: some scripts are not written without them."""

_BRACKETS: Final = "<>"

_VARIABLES: Final = {
    "name": ("UNLEARNLOG_AUTHOR_NAME", "GIT_AUTHOR_NAME"),
    "email": ("UNLEARNLOG_AUTHOR_EMAIL", "GIT_AUTHOR_EMAIL"),
}
"""Environment variables that name an author, the first that is set counts."""


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
    """A person, as git names one.

    Attributes:
        name: What they are called.
        email: Where they are reached.
    """

    name: _Line = ""
    email: _Line = ""

    @property
    def text(self) -> str:
        """Both, as git writes them.

        Example:
            >>> Author(name="Ada Lovelace", email="ada@example.org").text
            'Ada Lovelace <ada@example.org>'
        """
        return f"{self.name} <{self.email}>".strip() if self.email else self.name


class Note(_Sparse):
    """What people say of an entry; nothing of it is ever made up.

    Attributes:
        message: The reason.
        ref: What asked for it: a ticket, a letter, a case number.
        author: Who recorded it; None where nobody is configured.
    """

    message: _Message = ""
    ref: _Line = ""
    author: Author | None = None

    @classmethod
    def of(
        cls, message: str = "", ref: str = "", author: Author | None = None
    ) -> Note | None:
        """Return what was typed as a note; None where nothing is said.

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
    """Return who recorded an entry, on whose request, and why; empty where unsaid."""
    if note is None:
        return "", "", ""
    return note.author.text if note.author else "", note.ref, note.message


def author_of(
    config: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> Author | None:
    """Return who records, from the environment or else from a ledger's configuration.

    Name and address are looked up one by one, as git does:
    ``UNLEARNLOG_AUTHOR_NAME``, ``GIT_AUTHOR_NAME``, ``author.name`` of the
    configuration; the same with ``EMAIL`` and ``author.email``.

    Args:
        config: The ledger's configuration; other keys are left alone.
        environment: The process's variables; None for `os.environ`.

    Returns:
        The author; None where nobody said.

    Raises:
        UsageError: A value is too long, or holds what a name or an address cannot.
    """
    found = os.environ if environment is None else environment
    said = {}
    for field, variables in _VARIABLES.items():
        places = [(name, found.get(name, "")) for name in variables]
        key = f"author.{field}"
        places.append((key, config.get(key, "")))
        place, value = next(((p, v) for p, v in places if v.strip()), (key, ""))
        said[field] = _checked(value, place)
        if any(sign in value for sign in _BRACKETS):
            raise UsageError(
                f"{place} is {_quoted(value)}: a name and an address have no < and >",
                fix=f"set {place} to the {_WORDS[field]} alone",
            )
    author = Author(**said)
    return author if author.model_dump() else None


_WORDS: Final = {"name": "name", "email": "address"}


def merged(notes: Iterable[Note | None]) -> Note | None:
    """Return what several notes say, each text once, for the one entry made of theirs.

    The author is named where they all have the same.
    """
    found = [note for note in notes if note is not None]
    authors = {note.author.text: note.author for note in found if note.author}
    said = {
        "message": "; ".join(dict.fromkeys(n.message for n in found if n.message)),
        "ref": ", ".join(dict.fromkeys(n.ref for n in found if n.ref)),
    }
    message = _cut(said["message"], MAX_MESSAGE)
    (author,) = authors.values() if len(authors) == 1 else (None,)
    return Note.of(message, _cut(said["ref"], MAX_REF), author)


def inherited(own: Note | None, others: Iterable[Note | None]) -> Note | None:
    """Return what is said of an entry that takes up what others did.

    Args:
        own: What was said with the command; its author counts in any case.
        others: What was said of what it takes up, which counts where the command was
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
    """Return a text with single spaces, or say what is wrong with it."""
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
            fix="say it in fewer words, and name where the rest is with --ref",
        )
    return tidy


def _unseen(text: str) -> bool:
    """Whether a text holds control, format, surrogate or line characters."""
    kinds = {unicodedata.category(c) for c in text if c not in _JOINERS}
    return any(kind[0] == "C" or kind in {"Zl", "Zp"} for kind in kinds)


def _quoted(text: str) -> str:
    """Quote a text for a message: shortened, with nothing invisible in it."""
    short = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return ascii(short) if _unseen(short) else repr(short)
