"""Names that are replaced in whatever leaves the program: a confidential takedown.

The records keep the names, since their digests do. While a redaction is in force, every
text that is shown or written passes through it (`visible`, `json_line`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

_BETWEEN: Final = r"[\s_\-\u2010\u2011%+]+(?:20)?"
"""What may stand between the words of a name: in prose, in ids, in file names."""

_APOSTROPHE: Final = "['\u2019]"
_PICTURE: Final = r"base64,[A-Za-z0-9+/=]+"
"""A picture in a page, whose letters are no text."""


@dataclass(frozen=True)
class Redaction:
    """Names with the words that stand in their place.

    Attributes:
        words: The replacement of each name; names in any case and spacing.
    """

    words: Mapping[str, str] = field(default_factory=dict)

    def text(self, text: str) -> str:
        """Return a text without the names.

        Example:
            >>> Redaction({"Van Gogh": "[redacted 1]"}).text("by van-gogh, as vangogh")
            'by [redacted 1], as vangogh'
        """
        if not self.words:
            return text
        return self._pattern.sub(self._replaced, text)

    def by_character(self, text: str) -> list[str]:
        """Return what is shown of each character: all of a name is at its first one.

        Example:
            >>> Redaction({"cat": "[X]"}).by_character("a cat")
            ['a', ' ', '[X]', '', '']
        """
        shown = [*text]
        for found in self._pattern.finditer(text) if self.words else ():
            if found.lastgroup is not None:
                begin, end = found.span()
                shown[begin:end] = [self._replaced(found), *[""] * (end - begin - 1)]
        return shown

    def data(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """Return a value of JSON without the names, in keys as well."""
        if not self.words:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(k)): self.data(each) for k, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(each) for each in value]
        return value

    def _replaced(self, found: re.Match[str]) -> str:
        if found.lastgroup is None:
            return found[0]
        return self._labels[int(found.lastgroup[1:])]

    @cached_property
    def _labels(self) -> list[str]:
        return [self.words[name] for name in self._names]

    @cached_property
    def _names(self) -> list[str]:
        """The names, those that hold another one first."""
        return sorted(self.words, key=lambda name: (-len(name), name))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        names = (f"(?P<n{i}>{_spellings(name)})" for i, name in enumerate(self._names))
        whole = rf"{_PICTURE}|(?<!\w)(?:{'|'.join(names)})(?!\w)"
        return re.compile(whole, re.IGNORECASE)


NOTHING: Final = Redaction()
_IN_FORCE: Final[ContextVar[Redaction]] = ContextVar("redaction", default=NOTHING)


def in_force() -> Redaction:
    """Return the redaction that everything shown passes through."""
    return _IN_FORCE.get()


def put_in_force(redaction: Redaction) -> None:
    """Redact all that this process shows from now on: it works on one ledger."""
    _IN_FORCE.set(redaction)


@contextmanager
def redacting(redaction: Redaction) -> Iterator[None]:
    """Redact what is written in the context, beside what is redacted already."""
    both = Redaction({**in_force().words, **redaction.words})
    before = _IN_FORCE.set(both)
    try:
        yield
    finally:
        _IN_FORCE.reset(before)


def _spellings(name: str) -> str:
    """Return a pattern for a name: composed or not, with any sign between its words."""
    forms = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")}
    return "|".join(
        _BETWEEN.join(
            re.escape(word).replace("'", _APOSTROPHE)
            for word in re.split(r"[\s_\-]+", form)
            if word
        )
        for form in sorted(forms)
    )
