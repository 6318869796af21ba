"""Revisions: the words for an entry, and how they are resolved."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from unlearnlog.core.digest import HEX
from unlearnlog.core.entry import EntryId
from unlearnlog.core.suggestions import listed, near
from unlearnlog.errors import RevisionError

BASE: Final = "base"
HEAD: Final = "HEAD"
MIN_PREFIX: Final = 4
"""Fewest hex digits that name an entry."""

_GRAMMAR: Final = re.compile(r"(?P<name>[^~^]*)(?P<steps>(~\d{0,9}|\^)*)", re.DOTALL)
_PREFIX: Final = re.compile(r"[0-9a-fA-F]{1,64}")
_SHORT: Final = 8
_SHOWN: Final = 8
"""Most names that a message lists."""

_LONGEST: Final = 100
_WORD: Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_DEVICES: Final = frozenset(
    {"CON", "PRN", "AUX", "NUL"}
    | {f"{d}{n}" for d in ("COM", "LPT") for n in range(10)}
)
"""Names that are devices on Windows, with any extension."""

REF_NAME: Final = re.compile(rf"{_WORD}(/{_WORD})*")
"""Pattern of the name of a branch or a tag."""


@dataclass(frozen=True)
class Names:
    """The names that a revision can begin with.

    Attributes:
        refs: Entry by ref, such as ``heads/main`` and ``remotes/origin/main``; None
            stands for the base.
        head: Entry of HEAD.
        entries: All ids on disk, sorted.
    """

    refs: dict[str, EntryId | None]
    head: EntryId | None
    entries: Sequence[EntryId]

    def start(self, name: str) -> EntryId | None:
        """Return the entry of a revision without its steps; None for the base.

        Raises:
            RevisionError: It names no entry, or more than one.
        """
        if HEX.fullmatch(name) and EntryId(name) in self.entries:
            return EntryId(name)
        words = {BASE: None, HEAD: self.head}
        kinds = map(self._short_refs, ("tags", "heads", "remotes"))
        for known in (words, *kinds):
            if name in known:
                return known[name]
        return self._by_prefix(name)

    def _short_refs(self, folder: str) -> dict[str, EntryId | None]:
        return {
            ref.removeprefix(f"{folder}/"): entry
            for ref, entry in self.refs.items()
            if ref.startswith(f"{folder}/")
        }

    def _by_prefix(self, name: str) -> EntryId:
        if not _PREFIX.fullmatch(name):
            raise self._unknown(name)
        found = [e for e in self.entries if e.startswith(name.lower())]
        if not found:
            raise self._unknown(name)
        if len(name) < MIN_PREFIX:
            what = (
                "1 entry begins" if len(found) == 1 else f"{len(found)} entries begin"
            )
            back = f"; {name} entries before the newest: HEAD~{name}"
            raise RevisionError(
                f"{name!r} is too short for an id, which takes {MIN_PREFIX} digits; "
                f"{what} with it",
                fix=f"type more of the one you mean: {listed(_short(found), _SHOWN)}"
                + (back if name.isdecimal() else ""),
            )
        if len(found) > 1:
            raise RevisionError(
                f"{name!r} begins {len(found)} entries: {_list(found[:_SHOWN])}",
                fix="type more digits of the one you mean",
            )
        return found[0]

    def _unknown(self, name: str) -> RevisionError:
        kinds = ("heads", "tags", "remotes")
        refs = [ref for kind in kinds for ref in self._short_refs(kind)]
        words = [HEAD, BASE, *refs]
        shown = name if len(name) <= 80 else f"{name[:79]}…"
        close = self._mistyped(shown) or near(shown, words)
        guess = f"did you mean '{close}'? " if close else ""
        return RevisionError(
            f"{shown!r} is no entry, branch or tag of this ledger",
            fix=f"{guess}there are: {listed(words, _SHOWN)}; `unlearnlog log --graph` "
            "lists what branches and tags lead to, and `unlearnlog log --moves` where "
            "a branch has been",
        )

    def _mistyped(self, name: str) -> str:
        """Return the beginning of the id that is closest to a mistyped one, or ""."""
        if not _PREFIX.fullmatch(name) or len(name) < MIN_PREFIX:
            return ""
        ids = [entry[: max(_SHORT, len(name))] for entry in self.entries]
        return next(iter(get_close_matches(name.lower(), ids, n=1, cutoff=0.8)), "")


def check_name(name: str) -> None:
    """Refuse a name for a branch or a tag that is not valid, or ambiguous.

    Raises:
        RevisionError: The name is refused.
    """
    if not REF_NAME.fullmatch(name) or len(name) > _LONGEST or name.endswith(".lock"):
        raise RevisionError(
            f"{name[:80]!r} cannot be the name of a branch or a tag",
            fix="letters, digits, dots, dashes and slashes, such as june/first",
        )
    if part := next(filter(_is_not_for_windows, name.split("/")), ""):
        raise RevisionError(
            f"{name!r} cannot be the name of a branch or a tag: Windows has no file "
            f"called {part!r}",
            fix=f"choose another, such as {_for_windows(name)}",
        )
    if name in (BASE, HEAD) or (len(name) >= MIN_PREFIX and _PREFIX.fullmatch(name)):
        raise RevisionError(
            f"{name!r} means an entry already: a name must not",
            fix=f"choose another, such as my-{name}",
        )


def _is_not_for_windows(part: str) -> bool:
    """Return whether a name is not valid on Windows: a device, or a dot at its end.

    Each branch is a file, and a ledger may be copied to Windows.
    """
    return part.endswith(".") or part.partition(".")[0].upper() in _DEVICES


def _for_windows(name: str) -> str:
    parts = (part.rstrip(".") for part in name.split("/"))
    return "/".join(f"my-{p}" if _is_not_for_windows(p) else p for p in parts)


def below(folder: str, refs: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the refs of one folder, ``heads`` or ``tags``, in order."""
    start = f"{folder}/"
    return tuple(ref.removeprefix(start) for ref in refs if ref.startswith(start))


def clash(one: str, other: str) -> bool:
    """Return whether two refs cannot exist together.

    They are equal, in any case of letters, or one is the folder of the other.
    """
    a, b = one.casefold(), other.casefold()
    return a == b or a.startswith(f"{b}/") or b.startswith(f"{a}/")


def in_the_way(name: str, others: Iterable[str]) -> str:
    """Return the first of other names that cannot exist beside a new one, or ""."""
    return next((other for other in others if clash(name, other)), "")


def resolved(
    text: str, names: Names, parent: Callable[[EntryId], EntryId | None]
) -> EntryId | None:
    """Find the entry that a revision such as ``main~2`` means.

    Args:
        text: What the user typed.
        names: What it can begin with.
        parent: Gives the entry before an entry.

    Returns:
        The entry's id; None for the base.

    Raises:
        RevisionError: It names no entry, more than one, or goes past the base.
    """
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise RevisionError(
            f"{text[:80]!r} is no revision",
            fix="write an id, a branch or a tag, with ~2 for the second entry before",
        )
    entry = names.start(match["name"])
    for step in range(1, (wanted := _steps(match["steps"])) + 1):
        if entry is None:
            raise RevisionError(
                f"{text!r} goes back {wanted} entries, but there are {step - 1}",
                fix=f"type {BASE!r} for the model before any entry",
            )
        entry = parent(entry)
    return entry


def _steps(suffix: str) -> int:
    """Add up ``~2``, ``~`` and ``^``."""
    tildes = re.findall(r"~(\d*)", suffix)
    return sum(int(digits or 1) for digits in tildes) + suffix.count("^")


def _short(entries: Iterable[EntryId]) -> list[str]:
    return [entry[:_SHORT] for entry in entries]


def _list(entries: Iterable[EntryId]) -> str:
    return ", ".join(entry[:12] for entry in entries)
