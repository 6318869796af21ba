"""A picture to paint with what it must show, and a judge's answer on a picture."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

REJECT: Final = "(none)"
"""The answer of a judge for a picture without a known concept."""


@dataclass(frozen=True)
class ProbeCase:
    """One picture to paint, and what it must show if nothing was erased.

    Attributes:
        prompt: The prompt.
        seed: Seed of the starting noise, together with the prompt.
        subject: The subject it must show; empty for the empty scene.
        style: The style it must show; ``photo`` for none.
    """

    prompt: str
    seed: int
    subject: str
    style: str

    def shows_any(self, names: Collection[str]) -> bool:
        """Return whether its subject or its style is among some names."""
        return self.subject in names or self.style in names

    def shows(self, kind: str) -> str:
        """Return what it must show of one kind, ``style`` or ``subject``."""
        return self.style if kind == "style" else self.subject


@dataclass(frozen=True)
class Answer:
    """A judge's answer on one picture.

    Attributes:
        subject: Its subject; empty for the empty scene; ``REJECT`` for none known.
        style: Its style; ``REJECT`` for none known.
    """

    subject: str
    style: str

    def of(self, kind: str) -> str:
        """Return the answer of one kind, ``style`` or ``subject``."""
        return self.style if kind == "style" else self.subject
