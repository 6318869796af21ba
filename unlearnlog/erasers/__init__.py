"""The erasers, one file a method, and the literal table of them."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from unlearnlog.erasers.eraser import Eraser, Request
from unlearnlog.erasers.mim import Mim
from unlearnlog.errors import PolicyError

__all__ = ["ERASERS", "Eraser", "Request", "eraser_called"]

ERASERS: Final[Mapping[str, type[Eraser]]] = {Mim.name: Mim}


def eraser_called(name: str) -> type[Eraser]:
    """Return the eraser with this registered name.

    Raises:
        PolicyError: There is none; says which are close.
    """
    if name in ERASERS:
        return ERASERS[name]
    near = get_close_matches(name, ERASERS, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise PolicyError(
        f"no eraser is called '{name}'", fix=f"{hint}known: {', '.join(ERASERS)}"
    )
