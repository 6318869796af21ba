"""The choice of prompts that name a concept in training: all of them, or a few.

Programs of other authors take a name and have one prompt, or a few, where the forget
set has dozens. The targets are those of the forget set's prompts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from unlearnlog.errors import PolicyError

if TYPE_CHECKING:
    from unlearnlog.core.prompt import Prompt
    from unlearnlog.erasers.eraser import Request

WORDINGS: Final = ("all", "bare")
"""Every prompt of the forget set, or those with its own name and nothing else."""

SLOT: Final = "{}"
"""The place of the name in a prompt that the user gives."""


def worded(request: Request, wording: str) -> Request:
    """Return a request with other prompts of each concept.

    Args:
        request: What is erased.
        wording: ``all``, ``bare``, or a prompt with `SLOT` in place of the name.
    """
    if wording == WORDINGS[0]:
        return request
    groups = enumerate(request.forget)
    forget = tuple(_said(request.name(i), group, wording) for i, group in groups)
    return replace(request, forget=forget)


def _said(name: str, group: tuple[Prompt, ...], wording: str) -> tuple[Prompt, ...]:
    few = bare(name, group)
    if wording == WORDINGS[1]:
        return few
    return (replace(few[0], text=wording.replace(SLOT, name), named=name),)


def bare(name: str, group: tuple[Prompt, ...]) -> tuple[Prompt, ...]:
    """Return the prompts with a concept's own name and the fewest words beside it.

    The fewest are those with the shortest anchor. Where no prompt has the concept's own
    name, prompts with any of its names take part.

    Example:
        >>> from unlearnlog.core.prompt import Prompt
        >>> one = Prompt("a dog by Klimt", "a dog", "a photo of a dog", named="Klimt")
        >>> two = Prompt("art by Klimt", "art", "a photo", named="Klimt")
        >>> [prompt.text for prompt in bare("Klimt", (one, two))]
        ['art by Klimt']
    """
    own = [prompt for prompt in group if prompt.named == name] or [*group]
    least = min(len(prompt.anchor.split()) for prompt in own)
    return tuple(p for p in own if len(p.anchor.split()) == least)


def check_wording(eraser: str, wording: str) -> None:
    """Refuse a value that is neither a known word nor a prompt with `SLOT`.

    Raises:
        PolicyError: Names the value and what it may be.
    """
    if wording not in WORDINGS and wording.count(SLOT) != 1:
        known = ", ".join(WORDINGS)
        raise PolicyError(
            f"{eraser} has no prompts '{wording}'",
            fix=f"known: {known}; or a prompt with {SLOT} where the name stands",
        )
