"""A concept to forget: its name, kind, aliases, anchor, parent and prompts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NewType

from unlearnlog.core.digest import digest_of
from unlearnlog.core.names import folded, has_controls, is_spelled_out, shown, slug
from unlearnlog.errors import ConceptError

ConceptId = NewType("ConceptId", str)
"""A concept's lower-case slug, such as ``van-gogh``."""

Slot = Literal["style", "subject"]
"""A place in prompts; a concept that is no style takes that of the subject."""

MAX_NAME: Final = 80
"""Longest name, in characters: a longer one is a prompt, not a name."""

MAX_PROMPT: Final = 400
"""Longest free prompt, in characters."""

_DIGITS: Final = 12
"""Hex digits of the digest in the id of a name that its slug does not determine."""


@dataclass(frozen=True)
class Concept:
    """A concept that a model can be made to forget.

    Spaces around and inside the texts are reduced to single ones.

    Attributes:
        name: As it stands in prompts, such as ``Van Gogh``.
        kind: ``style``, ``subject`` or a word of the user's.
        aliases: Other names for the same thing.
        anchor: The concept that takes its place; empty when the eraser chooses.
        parent: The wider concept it belongs to; empty when there is none.
        prompts: Free prompts that show it beside those of the templates, each with the
            same prompt without it: ("a minotaur in a ruined city", "a ruined city").

    Raises:
        ConceptError: A text is empty, too long or holds control characters; a prompt is
            the same without the concept.
    """

    name: str
    kind: str
    aliases: tuple[str, ...] = ()
    anchor: str = ""
    parent: str = ""
    prompts: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Check every text, and keep it with single spaces."""
        texts = {
            "name": _checked(self.name, "name"),
            "kind": _checked(self.kind, "kind"),
            "aliases": tuple(_checked(alias, "alias") for alias in self.aliases),
            "anchor": self.anchor and _checked(self.anchor, "anchor"),
            "parent": self.parent and _checked(self.parent, "parent"),
            "prompts": tuple(_pair(*pair) for pair in self.prompts),
        }
        for field, text in texts.items():
            object.__setattr__(self, field, text)
        concept_id(self.name)

    @property
    def id(self) -> ConceptId:
        """The slug of the name: ``Van Gogh`` is ``van-gogh``."""
        return concept_id(self.name)

    @property
    def slot(self) -> Slot:
        """The place of a prompt that it takes, and of a judge's answer."""
        return slot_of(self.kind)


def slot_of(kind: str) -> Slot:
    """Return the place of a prompt that concepts of a kind take."""
    return "style" if kind == "style" else "subject"


@lru_cache(maxsize=65_536)  # a thousand names are each compared with all known ones
def concept_id(name: str) -> ConceptId:
    """Return the id of a name: its lower-case slug.

    Two spellings of one name (case, spaces, composed or combining accents) have one
    id; accents themselves are kept. Where the slug does not determine the name, as for
    ``C#``, a digest follows it, so that two names never have one id.

    Raises:
        ConceptError: The name has neither a letter nor a digit, or a character that
            cannot be seen.

    Example:
        >>> concept_id("Vincent  van Gogh"), concept_id("C#")
        ('vincent-van-gogh', 'c~951a4d36e0a9')
    """
    found = slug(name)
    if not found:
        raise ConceptError(
            f"the name {shown(name)} has no letter and no digit",
            fix='name the concept as a prompt would, such as "Picasso"',
        )
    if not is_spelled_out(name):
        _check_seen(name, "name")
        found += f"~{digest_of(folded(name).encode())[:_DIGITS]}"
    return ConceptId(found)


def meant_by(
    concepts: Iterable[Concept], ids: Iterable[ConceptId]
) -> tuple[Concept, ...]:
    """Return those of an entry's concepts that ids name.

    Older entries have the bare slug of ``C#``, without a digest.
    """
    wanted, concepts = {*ids}, tuple(concepts)
    exact = {concept.id for concept in concepts}
    return tuple(
        concept
        for concept in concepts
        if concept.id in wanted
        or (slug(concept.name) in wanted and slug(concept.name) not in exact)
    )


def free_prompt(text: str) -> tuple[str, str]:
    """Parse "PROMPT => THE SAME WITHOUT THE CONCEPT" into its two parts.

    Raises:
        ConceptError: The second part is missing, or one part is not valid.

    Example:
        >>> free_prompt("a minotaur in a ruined city => a ruined city")
        ('a minotaur in a ruined city', 'a ruined city')
    """
    prompt, arrow, context = text.partition("=>")
    if not arrow:
        raise ConceptError(
            f"the prompt {shown(text)} has no second part without the concept",
            fix='write both, such as "a minotaur in a ruined city => a ruined city"',
        )
    return _pair(prompt, context)


def _pair(prompt: str, context: str) -> tuple[str, str]:
    """Return a free prompt and its context, checked."""
    longest = MAX_PROMPT
    pair = (
        _checked(prompt, "prompt", longest=longest),
        context.strip() and _checked(context, "context", longest=longest),
    )
    if pair[0] == pair[1]:
        raise ConceptError(
            f"the prompt {shown(prompt)} is the same without the concept",
            fix='leave the concept out, such as "a minotaur in a city => a city"',
        )
    return pair


def _check_seen(text: str, field: str) -> None:
    """Refuse a text with a character that cannot be seen."""
    if has_controls(text):
        raise ConceptError(
            f"the {field} {shown(text)} holds a character that cannot be seen",
            fix="type the name again by hand, letters and spaces only",
        )


def _checked(text: str, field: str, *, longest: int = MAX_NAME) -> str:
    """Return ``text`` with single spaces; refuse one that is not valid."""
    tidy = text if has_controls(text) else " ".join(text.split())
    if not tidy:
        raise ConceptError(
            f"the {field} {shown(text)} is empty",
            fix='name the concept as a prompt would, such as "Picasso"',
        )
    _check_seen(tidy, field)
    if len(tidy) > longest:
        raise ConceptError(
            f"the {field} {shown(text)} is {len(tidy)} characters long, "
            f"at most {longest} are a {'name' if longest == MAX_NAME else 'prompt'}",
            fix="name one concept, not a whole prompt"
            if longest == MAX_NAME
            else "use fewer words: text encoders read the beginning only",
        )
    return tidy
