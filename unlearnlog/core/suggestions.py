"""Suggestions for unknown names: the closest known one, and a list of all."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Final

_CLOSE: Final = 0.6
"""Share of the letters that two names have in common, as difflib counts them."""

_MOST: Final = 16


def near(name: str, known: Iterable[str]) -> str:
    """Return the known name that is closest, whatever the case; empty if none is."""
    spelled = {each.casefold(): each for each in known}
    found = get_close_matches(name.casefold(), spelled, n=1, cutoff=_CLOSE)
    return spelled[found[0]] if found else ""


def hint(name: str, known: Iterable[str]) -> str:
    """Return a question for the closest name; empty where none is close.

    Example:
        >>> hint("Picaso", ["Monet", "Picasso"])
        "did you mean 'Picasso'? "
    """
    found = near(name, known)
    return f"did you mean '{found}'? " if found else ""


def listed(known: Collection[str], most: int = _MOST) -> str:
    """Return names as a list in words: the first ones, and the number of the others.

    Example:
        >>> listed(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    names = [*known]
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def advice(name: str, known: Collection[str], most: int = _MOST) -> str:
    """Return a fix for an unknown name: the closest one, and those that are known."""
    return f"{hint(name, known)}known: {listed(known, most)}"
