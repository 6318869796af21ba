"""The place in a network where an eraser changes the way of text, as a setting.

On a model whose keys and values of cross-attention read the prompt alone these change,
and there is nothing to choose. In joint attention they read the picture as well, beyond
the first block. There a closed form, which is solved for what a matrix reads, changes
the text's ``entry`` and, where there is one, the pooled vector's; a trained one changes
the ``joint`` attention's keys and values of the text, or ``both``. In a single stream
text and picture share keys and values, and only the entry is the text's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from unlearnlog.errors import PolicyError

if TYPE_CHECKING:
    from unlearnlog.erasers.eraser import Request
    from unlearnlog.models.interface import Model, Place

Where = Literal["default", "entry", "joint", "both"]

WHERES: Final[tuple[Where, ...]] = ("default", "entry", "joint", "both")
"""What changes of a model with joint attention; ``default`` for the eraser's own."""

SOLVED: Final[tuple[Where, ...]] = ("entry",)
"""What a closed form can change of it."""

SOLVED_AND_TRAINED: Final[tuple[Where, ...]] = ("entry", "both")
"""What a closed form with training behind it can change of it."""

_ENTRY: Final[tuple[Place, ...]] = ("entry", "pooled")
_JOINT: Final[Place] = "joint-attention"

_PLACES: Final[Mapping[str, tuple[Place, ...]]] = MappingProxyType(
    {"entry": _ENTRY, "joint": (_JOINT,), "both": (*_ENTRY, _JOINT)}
)


def settled(
    eraser: str,
    where: Where,
    model: Model,
    *,
    usual: Where,
    allowed: tuple[Where, ...] = WHERES,
) -> Where:
    """Return where an eraser changes a model; ``default`` on cross-attention.

    Args:
        eraser: Its name, for messages.
        where: As it is set.
        model: The model.
        usual: What it changes of joint attention where nothing is set.
        allowed: What it can change of it.

    Raises:
        PolicyError: The model has no such place, or the eraser cannot change it.
    """
    places = {*model.places.values()}
    if "cross-attention" in places:
        if where != "default":
            raise PolicyError(
                f"{eraser}'s where is '{where}', and this model's keys and values read "
                "the prompt alone",
                fix="leave where out: they are what changes",
            )
        return where
    if where == "default":
        return usual if _JOINT in places else "entry"
    if where != "entry" and _JOINT not in places:
        raise PolicyError(
            f"{eraser}'s where is '{where}', and in this model text and picture share "
            "keys and values",
            fix="give where = entry",
        )
    if where not in allowed:
        raise PolicyError(
            f"{eraser}'s where is '{where}': its closed form is solved for what a "
            "matrix reads, and the keys and values of joint attention read the picture "
            "as well",
            fix=f"give where = {' or '.join(allowed)}, or train alone: --eraser mim",
        )
    return where


def solved(where: Where) -> Where:
    """Return where the closed form is that an erasure begins with."""
    return "default" if where == "default" else "entry"


def trained(where: Where) -> Where:
    """Return where the training is that goes on from a closed form."""
    return "joint" if where == "both" else where


def chosen(request: Request, where: Where) -> Request:
    """Return a request whose ``old`` has only what may change.

    What else differs from the base is held fixed.
    """
    if where == "default":
        return request
    places, base = request.model.places, request.model.base
    old = {n: w for n, w in request.old.items() if places[n] in _PLACES[where]}
    rest = {n: w for n, w in request.old.items() if n not in old}
    moved = {n: w.float() for n, w in rest.items() if (w.float() != base[n]).any()}
    return replace(request, old=old, fixed={**request.fixed, **moved})


def by_place(request: Request) -> list[Request]:
    """Return a request for each place of the projections that may change."""
    places = request.model.places
    every = dict.fromkeys(places[name] for name in request.old)
    return [
        replace(
            request,
            old={n: w for n, w in request.old.items() if places[n] == place},
            place=place,
        )
        for place in every
    ]
