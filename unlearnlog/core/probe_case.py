"""One picture to paint, what it must show, and what somebody says it shows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

REJECT: Final = "(none)"
"""The answer of a judge that recognises nothing."""


@dataclass(frozen=True)
class ProbeCase:
    """One picture to paint, and what it must show if nothing was erased.

    Attributes:
        prompt: What is asked for.
        seed: With the prompt, decides the starting noise.
        subject: What the picture must show; empty for the empty scene.
        style: Whose hand it must show; ``photo`` for nobody's.
    """

    prompt: str
    seed: int
    subject: str
    style: str

    def shows_any(self, names: Collection[str]) -> bool:
        """Whether what it shows is among some concepts, by name."""
        return self.subject in names or self.style in names

    def shows(self, kind: str) -> str:
        """Return what the cell shows of one kind, ``style`` or ``subject``."""
        return self.style if kind == "style" else self.subject


@dataclass(frozen=True)
class Answer:
    """What a judge says that a picture shows.

    Attributes:
        subject: Its subject; empty for the empty scene; ``REJECT`` for none known.
        style: Its style; ``REJECT`` for none known.
    """

    subject: str
    style: str

    def of(self, kind: str) -> str:
        """Return the answer of one kind, ``style`` or ``subject``."""
        return self.style if kind == "style" else self.subject
