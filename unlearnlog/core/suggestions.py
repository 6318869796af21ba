"""What somebody may have meant by a name that is not known, and what is known."""

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
    """Ask whether the closest name was meant; empty where none is close.

    Example:
        >>> hint("Picaso", ["Monet", "Picasso"])
        "did you mean 'Picasso'? "
    """
    found = near(name, known)
    return f"did you mean '{found}'? " if found else ""


def listed(known: Collection[str], most: int = _MOST) -> str:
    """List names; of many the first ones, and how many more there are.

    Example:
        >>> listed(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    names = [*known]
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def advice(name: str, known: Collection[str], most: int = _MOST) -> str:
    """Say what may have been meant, and list what is known."""
    return f"{hint(name, known)}known: {listed(known, most)}"
