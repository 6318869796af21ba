"""A prompt as a value: the words that name a concept, and the words without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Target = Literal["context", "anchor", "unconditional", "parent", "sibling"]

TARGETS: Final[tuple[Target, ...]] = (
    "context",
    "anchor",
    "unconditional",
    "parent",
    "sibling",
)
"""What an erased prompt can be made to paint instead; see `Prompt.target`."""


@dataclass(frozen=True)
class Prompt:
    """Words that name a concept, with the same words after it is taken away.

    Attributes:
        text: Names the concept: "a painting of a cat by Picasso".
        context: The same without it: "a painting of a cat".
        anchor: With what remains when nothing is named: "a photo of a cat".
        rivals: With each other concept in its place, and last with none; empty where
            nobody asks who else it might be.
        named: The words in ``text`` that name the concept: "Picasso"; empty where
            nobody knows.
        parent: The same with only its family: "a cubist cat"; empty without one.
        sibling: With a member of its family that stays: "a painting of a cat by
            Braque"; empty without one.
    """

    text: str
    context: str
    anchor: str
    rivals: tuple[str, ...] = ()
    named: str = ""
    parent: str = ""
    sibling: str = ""

    def target(self, target: Target) -> str:
        """Return the words whose picture is to appear instead.

        What has no family is its own: its parent is the context, and what stays of it
        the anchor.

        Example:
            >>> Prompt("a cubist cat", "a cat", "a photo").target("unconditional")
            ''
        """
        match target:
            case "context":
                return self.context
            case "anchor":
                return self.anchor
            case "parent":
                return self.parent or self.context
            case "sibling":
                return self.sibling or self.anchor
            case "unconditional":
                return ""
