"""A prompt as a value: the words that name a concept, and the words without it."""

from __future__ import annotations

import re
from collections.abc import Iterable
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

    @property
    def around(self) -> tuple[str, str]:
        """The words before the name, and those up to its end.

        A prompt that does not spell the name is a name as a whole.

        Example:
            >>> Prompt("a delicate Cat asleep", "", "", named="cat").around
            ('a delicate ', 'a delicate Cat')
        """
        found = where_spelt(self.text, [self.named]) if self.named else None
        if found is None:
            return "", self.text
        return self.text[: found.start()], self.text[: found.end()]


def where_spelt(text: str, names: Iterable[str]) -> re.Match[str] | None:
    """Return where a text spells one of these names, as whole words, in any letters.

    ``<cat>`` does not spell cat, nor does ``C#`` spell C.
    """
    either = "|".join(re.escape(name) for name in names)
    return re.search(rf"(?<![\w<])(?:{either})(?![\w>#+])", text, re.IGNORECASE)
