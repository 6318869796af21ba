r"""Regular expressions from untrusted files, matched in bounded time.

An adapter's configuration may have regular expressions for the names of modules. The
standard library backtracks, and takes exponential time for ``(a+)+``. Here all paths
are followed at once: each part of a pattern maps the set of places where it can begin
to the set where it can end. The comparisons are counted, and have a limit.

The syntax is what names of modules need: letters, ``.``, classes, ``\d``, ``\w``,
``\s``, escaped signs, groups, ``|``, ``* + ?`` and ``{m,n}``, ``^`` and ``$``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Final

LONGEST: Final = 1000
"""Characters of the longest pattern."""

MOST: Final = 20_000
"""Largest number of comparisons of single characters for one text."""

MANY: Final = 2000
"""Largest number of patterns: twice as many as the largest model has modules."""

_DEEPEST: Final = 20
_OPENING: Final = "*+?{"
_PLAIN: Final = re.compile(r"[\w.]*")
_KINDS: Final[dict[str, Callable[[str], bool]]] = {
    "d": str.isdecimal,
    "w": lambda c: c.isalnum() or c == "_",
    "s": str.isspace,
}

Places = frozenset[int]


@dataclass
class _Walk:
    """A text and the number of comparisons that are left."""

    text: str
    left: int = MOST

    def behind(self, places: Places, fits: Callable[[str], bool]) -> Places:
        """Return the places after each character that fits.

        Raises:
            ValueError: No comparisons are left.
        """
        self.left -= len(places)
        if self.left < 0:
            message = "it would take too long to match"
            raise ValueError(message)
        n = len(self.text)
        return frozenset(i + 1 for i in places if i < n and fits(self.text[i]))


_Part = Callable[[_Walk, Places], Places]


def first_match(patterns: Sequence[str], text: str) -> str | None:
    r"""Return the first pattern that matches the end of a name, or None.

    The match begins at the start or after a dot, as in peft:
    ``re.match(rf"(.*\.)?({pattern})$", text)``.

    Raises:
        ValueError: There are too many patterns, or one is too long, is not supported,
            or would take too long.
    """
    if len(patterns) > MANY:
        message = f"there are {len(patterns)} patterns, more than {MANY}"
        raise ValueError(message)
    walk = _Walk(text)
    for pattern in patterns:
        try:
            if _matches_end(pattern, walk):
                return pattern
        except ValueError as error:
            message = f"the pattern {pattern[:80]!r} cannot be used: {error}"
            raise ValueError(message) from None
    return None


def _matches_end(pattern: str, walk: _Walk) -> bool:
    text = walk.text
    if _PLAIN.fullmatch(pattern):  # nearly all are, and names are many
        begin = len(text) - len(pattern)
        is_whole = begin == 0 or (begin > 0 and text[begin - 1] == ".")
        pairs = zip(pattern, text[begin:], strict=True) if is_whole else ()
        return is_whole and all(sign in (".", c) for sign, c in pairs)
    begins = frozenset({0} | {i + 1 for i, c in enumerate(text) if c == "."})
    return len(text) in _read(pattern)(walk, begins)


@lru_cache(maxsize=4096)
def _read(pattern: str) -> _Part:
    if len(pattern) > LONGEST:
        message = f"it is longer than {LONGEST} characters"
        raise ValueError(message)
    return _Reader(pattern).whole()


@dataclass
class _Reader:
    """A parser of patterns into parts."""

    pattern: str
    at: int = 0
    depth: int = 0

    def whole(self) -> _Part:
        part = self._alternatives()
        if self.at < len(self.pattern):
            raise self._strange("has a ) too many")
        return part

    @property
    def _next(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def _took(self, text: str) -> bool:
        """Return whether the pattern continues with a text, and skip it if so."""
        found = self.pattern.startswith(text, self.at)
        self.at += len(text) if found else 0
        return found

    def _alternatives(self) -> _Part:
        parts = [self._sequence()]
        while self._took("|"):
            parts.append(self._sequence())
        return lambda walk, at: frozenset().union(*(each(walk, at) for each in parts))

    def _sequence(self) -> _Part:
        parts = []
        while self._next and self._next not in "|)":
            parts.append(self._repeated(self._one()))
        return lambda walk, at: reduce(lambda p, part: part(walk, p), parts, at)

    def _one(self) -> _Part:
        """Parse a group, an anchor or a test of one character."""
        if self._took("("):
            return self._group()
        if self._took("^"):
            return lambda _, at: at & {0}
        if self._took("$"):
            return lambda walk, at: at & {len(walk.text)}
        fits = self._fitting()
        return lambda walk, at: walk.behind(at, fits)

    def _group(self) -> _Part:
        self.depth += 1
        is_plain = not self._took("?") or self._took(":")
        if not is_plain or self.depth > _DEEPEST:
            raise self._strange("has a group that is not understood")
        part = self._alternatives()
        if not self._took(")"):
            raise self._strange("has a ( too many")
        self.depth -= 1
        return part

    def _fitting(self) -> Callable[[str], bool]:
        """Parse a test of one character."""
        if self._took("."):
            return lambda c: c != "\n"
        if self._took("["):
            return self._class()
        if self._took("\\"):
            return self._escaped()
        sign = self._next
        if sign in _OPENING:
            raise self._strange(f"repeats nothing with {sign}")
        self.at += 1
        return lambda c: c == sign

    def _escaped(self) -> Callable[[str], bool]:
        sign = self._next
        self.at += 1
        if sign.lower() in _KINDS and sign:
            kind = _KINDS[sign.lower()]
            return kind if sign.islower() else lambda c: not kind(c)
        if not sign or sign.isalnum():
            raise self._strange(f"has a \\{sign}, which is not understood")
        return lambda c: c == sign

    def _class(self) -> Callable[[str], bool]:
        """Parse the inside of brackets."""
        is_turned, tests = self._took("^"), list[Callable[[str], bool]]()
        while not (tests and self._took("]")):
            if not self._next:
                raise self._strange("has a [ too many")
            tests.append(self._in_class())
        return lambda c: any(test(c) for test in tests) is not is_turned

    def _in_class(self) -> Callable[[str], bool]:
        if self._took("\\"):
            return self._escaped()
        low = self._next
        self.at += 1
        high = self.pattern[self.at + 1 : self.at + 2]
        if self._next != "-" or high in ("", "]", "\\"):
            return lambda c: c == low
        self.at += 2
        return lambda c: low <= c <= high

    def _repeated(self, part: _Part) -> _Part:
        """Parse the repetition of a part, if there is one."""
        sign = self._next
        if not sign or sign not in _OPENING:
            return part
        self.at += 1
        times = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(sign) or self._count()
        self._took("?")  # lazy: the set of places is the same
        if self._next and self._next in _OPENING:
            raise self._strange("repeats what is repeated")
        return _times(part, *times)

    def _count(self) -> tuple[int, int | None]:
        inside, closed, _ = self.pattern[self.at :].partition("}")
        low, comma, high = inside.partition(",")
        numbers = all(n.isdecimal() and len(n) < 5 for n in (low or "0", high or "0"))
        if not (closed and numbers and (low or high)):
            raise self._strange("has a { that is not understood")
        self.at += len(inside) + 1
        if not comma:
            return int(low), int(low)
        return int(low or 0), int(high) if high else None

    def _strange(self, what: str) -> ValueError:
        return ValueError(f"it {what}, at character {self.at + 1}")


def _times(part: _Part, low: int, high: int | None) -> _Part:
    """Return the repetition of a part."""

    def run(walk: _Walk, at: Places) -> Places:
        most = len(walk.text) + 1  # any further repetition is empty
        for _ in range(min(low, most)):
            at = part(walk, at)
        found = new = at
        for _ in range(most if high is None else min(high - low, most)):
            new = part(walk, new) - found
            if not new:
                break
            found |= new
        return found

    return run
