"""Target prompts of an erasure: the anchor, the family, a sibling or no prompt."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from unlearnlog.concepts.concept_file import EMPTY_SCENE, Family
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.concepts.retain_prompts import family_phrase
from unlearnlog.concepts.templates import PLAIN, PROBING_PHOTO, Template, empty, spoken
from unlearnlog.core.concept import Concept
from unlearnlog.core.prompt import Target


@dataclass(frozen=True)
class TargetWords:
    """The prompts that replace those of a concept.

    Attributes:
        world: The concepts; arguments must be among them.
    """

    world: ConceptSet

    def beside(self, concept: Concept) -> tuple[str, ...]:
        """Return the subjects for a style, or the styles for a subject."""
        world = self.world
        return world.subjects if concept.slot == "style" else world.hands

    def family(self, concept: Concept) -> Family | None:
        """Return a concept's family, or None if it has fewer than two known members."""
        family = self.world.families.get(concept.parent)
        if family is None or len(self.world.shown(family.name)) < 2:
            return None
        return family

    def parent(self, concept: Concept, other: str) -> str:
        """Return the prompt that names a concept's family; empty without a family.

        Args:
            concept: The concept.
            other: The subject for a style, the style for a subject; may be empty.
        """
        family = self.family(concept)
        return "" if family is None else family_phrase(family, other)

    def stay(self, concept: Concept, gone: Collection[str]) -> list[str]:
        """Return the members of a concept's family that are kept."""
        family = self.world.families.get(concept.parent)
        members = self.world.shown(family.name) if family else ()
        return [n for n in members if n not in {*gone, concept.name}]

    def text(
        self, concept: Concept, target: Target, other: str, template: Template
    ) -> str:
        """Return the target prompt of a concept.

        Args:
            concept: The concept.
            target: The kind of target.
            other: The subject for a style, the style for a subject.
            template: The wording, where the prompt names anything.
        """
        style = concept.slot == "style"
        if target == "unconditional":
            return ""
        if target == "parent" and (phrase := self.parent(concept, other)):
            return phrase
        if target == "sibling" and (stay := self.stay(concept, ())):
            subject, hand = (other, stay[0]) if style else (stay[0], other)
            form = PROBING_PHOTO if hand == PLAIN else template
            return spoken(form.text, subject=subject, style=hand)
        if target in ("anchor", "sibling"):
            return self.anchored(concept, other, template, PROBING_PHOTO)
        if style:
            return spoken(template.no_style, subject=other)
        if other == PLAIN:
            return PROBING_PHOTO.no_subject
        return spoken(template.no_subject, style=other)

    def anchored(
        self, concept: Concept, other: str, template: Template, photo: Template
    ) -> str:
        """Return a prompt with the anchor in place of a concept.

        Args:
            concept: The concept.
            other: The subject for a style, the style for a subject.
            template: The wording of a painting.
            photo: The wording of a photo.
        """
        form = in_place_of_style if concept.slot == "style" else in_place_of_subject
        return form(concept, other, template, photo)


def in_place_of_style(
    concept: Concept, subject: str, template: Template, photo: Template
) -> str:
    """Return the prompt with the anchor style: the plain one or another."""
    if concept.anchor in ("", PLAIN):
        return spoken(photo.text, subject=subject) if subject else photo.no_subject
    form = template.text if subject else template.no_subject
    return spoken(form, subject=subject, style=concept.anchor)


def in_place_of_subject(
    concept: Concept, style: str, template: Template, photo: Template
) -> str:
    """Return the prompt with the anchor subject, or with the empty scene."""
    if concept.anchor in ("", EMPTY_SCENE):
        return empty(style)
    form = photo if style == PLAIN else template
    return spoken(form.text, subject=concept.anchor, style=style)
