"""A prompt that names a concept, with its counterparts that do not."""

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
"""Targets that an erased prompt can be mapped to; see `Prompt.target`."""


@dataclass(frozen=True)
class Prompt:
    """A prompt that names a concept, and the same prompt with something else instead.

    Attributes:
        text: The prompt with the concept: "a painting of a cat by Picasso".
        context: The same without it: "a painting of a cat".
        anchor: The same with the anchor: "a photo of a cat".
        rivals: The same with each other concept in its place, and last with none;
            empty where they are not needed.
        named: The words in ``text`` that name the concept: "Picasso"; empty where
            they are unknown.
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
        """Return the prompt to paint instead.

        Without a family the parent is the context, and the sibling the anchor.

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

        Where the prompt does not contain the name, the whole prompt counts as the name.

        Example:
            >>> Prompt("a delicate Cat asleep", "", "", named="cat").around
            ('a delicate ', 'a delicate Cat')
        """
        found = where_spelt(self.text, [self.named]) if self.named else None
        if found is None:
            return "", self.text
        return self.text[: found.start()], self.text[: found.end()]


def where_spelt(text: str, names: Iterable[str]) -> re.Match[str] | None:
    """Return the first match of a name in a text, as whole words, in any case.

    ``<cat>`` does not match cat, nor does ``C#`` match C.
    """
    either = "|".join(re.escape(name) for name in names)
    return re.search(rf"(?<![\w<])(?:{either})(?![\w>#+])", text, re.IGNORECASE)
