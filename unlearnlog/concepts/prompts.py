"""The prompts of an erasure and of its probes: forget, retain and probe sets.

They are disjoint: probes have templates and latents of their own, and no forget set
names a reserved quarter of the subject x style cells. (A prompt without a subject, "a
painting by Picasso", may still show any of them: it names none.)
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.concepts.forget_prompts import forget_prompts, is_reserved
from unlearnlog.concepts.retain_prompts import NOBODY, family_phrase, kept_prompts
from unlearnlog.concepts.targets import TargetWords
from unlearnlog.concepts.templates import (
    ERASING,
    PHOTOS,
    PLAIN,
    PROBING,
    PROBING_PHOTO,
    empty,
    spoken,
)
from unlearnlog.core.concept import Concept
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.core.prompt import Prompt, Target

N_RIVALS: Final = 15
"""Largest number of other concepts that a picture's prompt is compared with."""

PER_CELL: Final = 6
"""Largest number of seeds for one cell in any probe."""


@dataclass(frozen=True)
class PromptBook:
    """All prompts for the concepts of a world.

    Attributes:
        world: The concepts; arguments must be among them.
    """

    world: ConceptSet

    @property
    def instead(self) -> TargetWords:
        """The target prompts."""
        return TargetWords(self.world)

    def is_reserved(self, subject: str, style: str) -> bool:
        """Return whether a cell is in the quarter that no forget set names.

        Raises:
            ValueError: The subject or the style is unknown.
        """
        return is_reserved(self.world, subject, style)

    def forget(
        self, concept: Concept, gone: Collection[str] = ()
    ) -> tuple[Prompt, ...]:
        """Return prompts that name ``concept`` and no other erased concept."""
        return forget_prompts(self.instead, concept, gone)

    def keep(
        self, gone: Collection[str], target: Target | None = None
    ) -> tuple[str, ...]:
        """Return the retain prompts, which name no erased concept, the empty one too.

        They are a subset of ``keep(())``, so it is enough to encode that once.

        Args:
            gone: Names of erased concepts.
            target: The target of the erasure. With ``parent``, prompts that name only a
                family of theirs are kept as well.
        """
        changed: dict[str, set[str]] = {}
        for name in gone:
            for text in self._phrases(name):
                changed.setdefault(text, set()).add(name)
        found: dict[str, frozenset[str]] = {}
        for text, named in kept_prompts(self.world):
            found[text] = found.get(text, NOBODY) | named
        shared, names = target == "parent", {*gone}
        return tuple(
            text
            for text, named in found.items()
            if (shared or text not in changed)
            and not (named - changed.get(text, set())) & names
        )

    def kin(
        self, concept: Concept, gone: Collection[str]
    ) -> tuple[tuple[str, str], ...]:
        """Return prompts that name only a concept's family, each with its target.

        Targets are the family's kept members in turn; without any, the concept's
        anchor. A family with one known member has no prompts. `family` returns other
        prompts than these.
        """
        style = concept.slot == "style"
        if self.instead.family(concept) is None:
            return ()
        stay = self.instead.stay(concept, gone)
        found = []
        for i, other in enumerate(self.instead.beside(concept)[1::2]):
            template, photo = ERASING[i % len(ERASING)], PHOTOS[0]
            if other in gone:
                continue
            for member in stay or [""]:
                pair = (other, member) if style else (member, other)
                if member and self.is_reserved(*pair):
                    continue
                if not member:
                    instead = self.instead.anchored(concept, other, template, photo)
                else:
                    form = photo if PLAIN in pair else template
                    instead = spoken(form.text, subject=pair[0], style=pair[1])
                found.append((self.parent_phrase(concept.name, other=other), instead))
        return tuple(found)

    def families(
        self,
        concepts: Iterable[Concept],
        gone: Collection[str],
        target: Target | None = None,
    ) -> tuple[tuple[tuple[str, str], ...], ...]:
        """Return `kin` of each family with erased concepts, once.

        With the target ``parent`` each prompt is its own target.
        """
        found = (self.kin(concept, gone) for concept in concepts)
        if target == "parent":
            unique = (dict.fromkeys(text for text, _ in pairs) for pairs in found)
            found = (tuple((text, text) for text in texts) for texts in unique)
        return tuple(dict.fromkeys(pairs for pairs in found if pairs))

    def erased(
        self, concept: Concept, per_cell: int = PER_CELL
    ) -> tuple[ProbeCase, ...]:
        """Return the probe's cells that show ``concept``."""
        world = self.world
        if concept.slot == "style":
            pairs = [(subject, concept.name) for subject in world.subjects]
        else:
            pairs = [(concept.name, style) for style in world.hands]
        return _cells(pairs, per_cell)

    def alone(
        self, concept: Concept, per_cell: int, gone: Collection[str]
    ) -> tuple[ProbeCase, ...]:
        """Return the cells that show ``concept`` and no other erased concept."""
        others = {*gone} - {concept.name}
        cells = self.erased(concept, per_cell)
        return tuple(c for c in cells if not c.shows_any(others))

    def renamed(
        self, concept: Concept, per_cell: int = PER_CELL
    ) -> tuple[ProbeCase, ...]:
        """Return the same cells with aliases that share no word with the name."""
        own = _words(concept.name)
        aliases = [name for name in concept.aliases if not own & _words(name)]
        style = concept.slot == "style"
        found = []
        for cell in self.erased(concept, per_cell) if aliases else ():
            name = aliases[cell.seed % len(aliases)]
            subject, hand = cell.subject, cell.style
            text = _probe_text(
                subject if style else name, name if style else hand, cell.seed
            )
            found.append(ProbeCase(text, cell.seed, subject, hand))
        return tuple(found)

    def family(
        self, concept: Concept, per_cell: int = PER_CELL
    ) -> tuple[ProbeCase, ...]:
        """Return prompts that name only the family of ``concept``.

        Their ``subject`` or ``style`` is what they must show beside a member of it.
        """
        if self.instead.family(concept) is None:
            return ()
        style = concept.slot == "style"
        return tuple(
            ProbeCase(
                self.parent_phrase(concept.name, other=other),
                seed,
                other if style else "",
                "" if style else other,
            )
            for seed in range(per_cell)
            for other in self.instead.beside(concept)[::2]
        )

    def _phrases(self, name: str) -> list[str]:
        """Return every prompt that names only a concept's family."""
        concept = self.world.concepts.get(name)
        if concept is None or concept.parent not in self.world.families:
            return []
        others = ("", *self.instead.beside(concept))
        return [self.parent_phrase(name, other=other) for other in others]

    def kept(
        self, gone: Collection[str], per_cell: int = PER_CELL, share: float = 1.0
    ) -> tuple[ProbeCase, ...]:
        """Return the probe's cells that show none of the concepts in ``gone``.

        Args:
            gone: Names of concepts.
            per_cell: Pictures of each cell.
            share: Share of each style's cells, spread over the subjects, at least one.
        """
        world = self.world
        pairs = [
            (subject, style)
            for style in world.hands
            for subject in _some(world.subjects, style, share)
            if style not in gone and subject not in gone
        ]
        return _cells(pairs, per_cell)

    def alike(
        self, concept: Concept, gone: Collection[str], per_cell: int = PER_CELL
    ) -> tuple[ProbeCase, ...]:
        """Return the kept cells that show a look-alike of ``concept``."""
        pairs = (pair for pair in self.world.look_alikes if concept.name in pair)
        others = {name for pair in pairs for name in pair} - {concept.name}
        slot = concept.slot
        cells = self.kept(gone, per_cell) if others else ()
        return tuple(cell for cell in cells if cell.shows(slot) in others)

    def target(
        self, concept: Concept, target: Target, per_cell: int = PER_CELL
    ) -> tuple[ProbeCase, ...]:
        """Return the target prompts of ``concept``.

        Their ``subject`` or ``style`` is what they must show beside the target; the
        other is empty, since any picture of the target will do.
        """
        style = concept.slot == "style"
        found = []
        for i, other in enumerate(self.instead.beside(concept)):
            if target == "parent" and i % 2 and self.instead.parent(concept, other):
                continue  # these are in a forget set, see `kin`
            for seed in range(per_cell):
                template = PROBING[seed % len(PROBING)]
                text = self.instead.text(concept, target, other, template)
                if target == "unconditional":
                    seed = i * per_cell + seed  # one prompt, so one latent each
                subject, hand = (other, "") if style else ("", other)
                found.append(ProbeCase(text, seed, subject, hand))
        return tuple(found)

    def information(
        self, cells: Iterable[ProbeCase], concept: Concept
    ) -> tuple[Prompt, ...]:
        """Return each cell's prompt with its context and its anchor."""
        found = []
        for cell in cells:
            other = cell.subject if concept.slot == "style" else cell.style
            template = PROBING[cell.seed % len(PROBING)]
            context = self.instead.text(concept, "context", other, template)
            anchor = self.instead.text(concept, "anchor", other, template)
            rivals = self._rivals(concept, cell)
            found.append(Prompt(cell.prompt, context, anchor, rivals))
        return tuple(found)

    def _rivals(self, concept: Concept, cell: ProbeCase) -> tuple[str, ...]:
        """Return a cell's prompt with rivals in the concept's place, last with none.

        Rivals are the nearest concepts and then the first ones of the world; none is
        the plain style or the empty scene.
        """
        world, style = self.world, concept.slot == "style"
        names = world.styles if style else world.subjects
        near = world.near(concept.name)
        others = sorted(
            (n for n in names if n != concept.name), key=lambda n: n not in near
        )
        texts = [
            _probe_text(cell.subject, other, cell.seed)
            if style
            else _probe_text(other, cell.style, cell.seed)
            for other in others[:N_RIVALS]
        ]
        none = (
            _probe_text(cell.subject, PLAIN, cell.seed) if style else empty(cell.style)
        )
        return (*texts, none) if texts else ()

    def parent_phrase(self, name: str, *, other: str) -> str:
        """Return the prompt that names only the family of ``name``.

        Args:
            name: The style or subject.
            other: The subject for a style, the style for a subject; may be empty.
        """
        return family_phrase(self.world.families[self.world.parent(name) or ""], other)


def _some(subjects: Sequence[str], style: str, share: float) -> list[str]:
    """Return a share of the subjects in their order, different ones for each style."""

    def place(subject: str) -> str:
        return hashlib.sha256(f"{style}:{subject}".encode()).hexdigest()

    first = {*sorted(subjects, key=place)[: math.ceil(share * len(subjects))]}
    return [subject for subject in subjects if subject in first]


def _cells(pairs: Sequence[tuple[str, str]], per_cell: int) -> tuple[ProbeCase, ...]:
    return tuple(
        ProbeCase(_probe_text(subject, style, seed), seed, subject, style)
        for seed in range(per_cell)
        for subject, style in pairs
    )


def _probe_text(subject: str, style: str, seed: int) -> str:
    if style == PLAIN:
        return spoken(PROBING_PHOTO.text, subject=subject)
    template = PROBING[seed % len(PROBING)]
    return spoken(template.text, subject=subject, style=style)


def _words(text: str) -> set[str]:
    return set(re.findall(r"<?\w+>?", text.casefold()))
